"""Below and beside the work: board, firmware, memory modules, the kernel's settings, clocks and power caps."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.measure.inventory.machines import h100_server, mi300_server, module_17, tree

from assay.measure.inventory.attached import attached, filesystem
from assay.measure.inventory.firmware import firmware, module
from assay.measure.inventory.kernel import kernel
from assay.measure.inventory.power import power
from assay.measure.inventory.software import toolkits


def test_board_firmware_microcode_and_drivers_are_read(tmp_path):
    facts, missing = firmware(h100_server(tmp_path))
    assert facts["board"] == "NVIDIA DGXH100, board DGXH100"
    assert (facts["firmware"], facts["microcode"]) == ("AMI 1.1.3 (08/28/2023)", "0x2b000571")
    assert facts["drivers"] == ["nvidia 550.90.07", "mlx5_core 24.04-0.6.6"]
    assert missing == ()


def test_modules_of_memory_are_counted_and_an_empty_slot_is_none(tmp_path):
    assert firmware(h100_server(tmp_path)).facts["memory_modules"] == ["3 × 64 GiB DDR5-4400"]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (module_17(), "64 GiB DDR5-4400"),
        (module_17(size=32768 - 1 - 16383, kind=0x1A, speed=3200, now=0), "16 GiB DDR4-3200"),
        (module_17(size=0x8000 | 512, kind=0x07, speed=0, now=0), "0.000488281 GiB memory"),
        (module_17(size=0), None),
        (module_17(size=0xFFFF), None),
        (b"", None),
        (bytes([4]) + bytes(60), None),
    ],
)
def test_a_module_is_read_as_smbios_lays_it_out(raw, told):
    assert module(raw) == told


@given(st.binary(max_size=60))
def test_no_table_of_memory_breaks_the_reading(raw):
    assert module(bytes([17]) + raw) is None or "GiB" in module(bytes([17]) + raw)


def test_where_the_table_is_roots_alone_the_error_correction_driver_tells_the_modules(tmp_path):
    edac = "sys/devices/system/edac/mc/mc0/dimm"
    told = {"size": "65536", "dimm_mem_type": "Registered-DDR5"}
    tree(tmp_path, {f"{edac}{i}/{key}": text for i in range(2) for key, text in told.items()})
    assert firmware(tmp_path).facts["memory_modules"] == ["2 × 64 GiB Registered-DDR5"]


def test_what_nobody_filled_in_is_unknown(tmp_path):
    tree(tmp_path, {"sys/class/dmi/id/sys_vendor": "To Be Filled By O.E.M.", "sys/class/dmi/id/bios_version": "F3"})
    facts, missing = firmware(tmp_path)
    assert (facts["board"], facts["firmware"]) == (None, "F3")
    assert "memory modules: no DMI table" in missing


def test_a_machine_without_dmi_says_so(tmp_path):
    assert "no DMI: board and firmware unknown" in firmware(tmp_path).missing
    tree(tmp_path, {"sys/firmware/devicetree/base/model": "NVIDIA Jetson AGX Orin\0"})
    facts, missing = firmware(tmp_path)
    assert (facts["board"], "no DMI: firmware unknown" in missing) == ("NVIDIA Jetson AGX Orin", True)


def test_a_table_that_may_not_be_read_is_said_to_be_forbidden(tmp_path, monkeypatch):
    def refused(path):  # root may read everything, so the refusal is made
        raise PermissionError(13, "Permission denied", str(path))

    root = h100_server(tmp_path)
    monkeypatch.setattr(Path, "read_bytes", refused)
    assert "memory modules: permission denied" in firmware(root).missing


def test_flags_of_the_kernel_that_matter_are_kept_and_others_left(tmp_path):
    facts, _ = kernel(h100_server(tmp_path))
    assert facts["kernel_flags"] == ["mitigations=off", "iommu=pt", "isolcpus=4-7"]


def test_settings_of_memory_processor_and_clock_are_read(tmp_path):
    facts, missing = kernel(h100_server(tmp_path))
    wanted = {
        "transparent_hugepages": "madvise", "hugepages_bytes": 16 * 2048 * 1024, "swap_bytes": 0.0,
        "numa_balancing": True, "smt": "on", "clocksource": "tsc", "mitigated": ["spectre_v2"],
        "cpus_allowed": "0-223", "memory_nodes_allowed": "0-1", "booted": "2023-11-14T22:13:20+00:00",
    }  # fmt: skip
    assert {key: facts[key] for key in wanted} == wanted
    assert missing == ()


def test_a_machine_that_shows_nothing_gives_none_and_says_what(tmp_path):
    facts, missing = kernel(tmp_path)
    assert {key for key, value in facts.items() if value is not None} == set()
    assert set(missing) == {
        "kernel flags: not there", "transparent huge pages: not shown by this system",
        "swap: not shown by this system", "clock source: not shown by this system",
    }  # fmt: skip


def test_caps_on_the_processor_are_told_and_of_two_the_lower_holds(tmp_path):
    facts, missing = power(h100_server(tmp_path))
    assert facts["cpu_power_cap_w"] == {"package-0 long_term": 300.0, "package-0 short_term": 420.0}
    assert (facts["governor"], facts["turbo"], facts["cpu_clock_limits_hz"]) == ("performance", True, [0.8e9, 3.8e9])
    assert missing == ()


def test_caps_that_may_not_be_read_are_missing_with_the_reason(tmp_path, monkeypatch):
    # As root nothing is forbidden, so the refusal is made.
    root = h100_server(tmp_path)
    from assay.measure.inventory import power as module_

    real = module_.look
    refuse = lambda path: ("", "permission denied") if path.name.endswith("_uw") else real(path)  # noqa: E731
    monkeypatch.setattr(module_, "look", refuse)
    facts, missing = power(root)
    assert facts["cpu_power_cap_w"] is None
    assert missing == ("RAPL limits: permission denied",)


@pytest.mark.parametrize(
    ("files", "turbo"),
    [
        ({"intel_pstate/no_turbo": "1"}, False),
        ({"cpufreq/boost": "1"}, True),
        ({"cpufreq/policy0/boost": "1", "cpufreq/policy1/boost": "0"}, False),
        ({}, None),
    ],
)
def test_turbo_is_one_fact_whoever_drives_the_clocks(tmp_path, files, turbo):
    tree(tmp_path, {f"sys/devices/system/cpu/{name}": text for name, text in files.items()})
    assert power(tmp_path).facts["turbo"] is turbo


def test_processors_that_disagree_are_both_told(tmp_path):
    policy = "sys/devices/system/cpu/cpufreq/policy{}/scaling_governor"
    tree(tmp_path, {policy.format(0): "powersave", policy.format(1): "performance"})
    assert power(tmp_path).facts["governor"] == "performance / powersave"


def test_cards_disks_and_ports_are_told_and_virtual_ones_left_out(tmp_path):
    facts, missing = attached(h100_server(tmp_path), tmp_path)
    assert facts["networks"] == ["ens6f0 unknown driver, up, 100 Gb/s"]
    assert facts["infiniband"] == ["mlx5_0/1 InfiniBand, ACTIVE, 400 Gb/sec (4X NDR), firmware 28.39.1002"]
    assert facts["disks"] == ["nvme0n1 SAMSUNG MZQL23T8HCLS-00A07, 3.84 TB, solid state"]
    assert missing == ()


def test_a_disk_behind_a_hypervisor_is_not_called_a_turning_one(tmp_path):
    told = {"size": "2048", "queue/rotational": "1", "device/vendor": "0x1af4"}
    tree(tmp_path, {f"sys/block/vda/{key}": text for key, text in told.items()})
    assert attached(tmp_path, tmp_path).facts["disks"] == ["vda, 1.05 MB"]


def test_the_file_system_of_a_folder_is_the_innermost_with_what_matters_of_its_options(tmp_path):
    root = h100_server(tmp_path)
    told = filesystem(root, Path("/data/imagenet"))
    assert told == ("nfs4 (rw,noatime,vers=4.2,rsize=1048576,nconnect=16)", "filer:/data")
    assert filesystem(root, Path("/database"))[1] == "/dev/nvme0n1p2"


def test_toolkits_beside_python_are_told(tmp_path):
    assert toolkits(h100_server(tmp_path)).facts == {"toolkits": ["CUDA 12.4.1"]}
    assert toolkits(mi300_server(tmp_path / "amd")).facts == {"toolkits": ["ROCm 6.2.1"]}
