"""Caps, clocks and modes of every maker's accelerators under the same names; what a driver hides is missing."""

import pytest
from tests.measure.inventory.machines import (
    GAUDI,
    H100,
    MI300X,
    XE,
    gaudi_server,
    h100_nvml,
    h100_server,
    mi300_server,
    xe_workstation,
)

from assay.machine import Device
from assay.measure.inventory.accelerators import accelerators


def test_caps_clocks_modes_and_firmware_of_nvidia_come_from_its_library(tmp_path):
    facts, _ = accelerators(h100_server(tmp_path), H100, h100_nvml(power_cap_w=450.0))
    assert facts["device_power_cap_w"] == [450.0] * 8
    assert facts["device_power_default_w"] == [700.0] * 8
    assert facts["device_max_hz"] == [1.98e9] * 8
    assert facts["device_modes"][0] == "ECC on, MIG off, persistence on, shared"
    assert facts["device_firmware"][0] == "VBIOS 96.00.74.00.01"
    assert facts["device_clocks"][0] == "default application clocks"


def test_application_clocks_that_were_changed_are_told(tmp_path):
    facts, missing = accelerators(tmp_path, H100[:1], h100_nvml(application_hz=1.41e9))
    assert facts["device_clocks"] == ["application clocks 1410 MHz"]
    assert missing == ("locked clocks (nvidia-smi -lgc): NVML shows application clocks, not locks",)


def test_partitions_are_told_by_their_profile(tmp_path):
    parts = [{"uuid": f"MIG-{i}", "name": "NVIDIA H100 MIG 3g.40gb"} for i in (0, 1)]
    facts, _ = accelerators(tmp_path, H100[:1], h100_nvml(partitions=parts, mig=True))
    assert facts["device_partitions"] == ["NVIDIA H100 MIG 3g.40gb, NVIDIA H100 MIG 3g.40gb"]


def test_amd_tells_a_lowered_cap_its_clock_and_its_partitioning(tmp_path):
    facts, missing = accelerators(mi300_server(tmp_path), MI300X, {})
    assert (facts["device_power_cap_w"], facts["device_power_default_w"]) == ([650.0] * 2, [750.0] * 2)
    assert (facts["device_max_hz"], facts["device_clocks"]) == ([2.1e9] * 2, ["auto"] * 2)
    assert (facts["device_partitions"], facts["device_firmware"][0]) == (["SPX/NPS1"] * 2, "VBIOS 113-M3000100-102")
    assert missing == ()


def test_a_locked_clock_of_intel_is_seen(tmp_path):
    facts, missing = accelerators(xe_workstation(tmp_path), [XE], {})
    assert facts["device_clocks"] == ["locked at 2000 MHz"]
    assert (facts["device_max_hz"], facts["device_power_cap_w"]) == ([2.85e9], [190.0])
    assert missing == ("firmware of Intel GPU 0xe20b: no driver shows it",)


def test_gaudi_tells_its_cap_and_firmware(tmp_path):
    facts, _ = accelerators(gaudi_server(tmp_path), [GAUDI], {})
    assert (facts["device_power_cap_w"], facts["device_max_hz"]) == ([600.0], [1.65e9])
    assert facts["device_firmware"] == ["firmware hl-gaudi2-1.19.0, CPUCP 1.19.0-fw"]


@pytest.mark.parametrize("address", ["/dev/neuron0", "../../../etc", "$TPU_NAME", ""])
def test_a_device_that_is_not_on_the_bus_is_unknown_and_said(tmp_path, address):
    device = Device(name="Neuron device", vendor="AWS", address=address, found_by="device node")
    facts, missing = accelerators(tmp_path, [device], {})
    assert (facts["device_power_cap_w"], facts["device_firmware"]) == ([None], [None])
    assert "power cap of Neuron device: no driver shows it" in missing


def test_a_machine_over_the_network_is_said_to_be_out_of_sight(tmp_path):
    device = Device(name="Cerebras wafer-scale engine", vendor="Cerebras", address="$X", found_by="environment")
    _, missing = accelerators(tmp_path, [device], {})
    assert missing == ("Cerebras wafer-scale engine: reached over the network, nothing of it shows here",)
