"""What is near what is read from the bus and the links, for every maker by the same rules."""

from tests.measure.inventory import machines
from tests.measure.inventory.machines import GAUDI, H100, MI300X, h100_nvml, h100_server, mi300_server

from assay.machine import Device
from assay.measure.inventory.topology import topology


def test_eight_devices_on_a_switch_are_each_eighteen_links_from_each(tmp_path):
    facts, missing = topology(h100_server(tmp_path), H100, h100_nvml())
    assert facts["device_topology"][0] == "device0: X " + "NV18 " * 7 + "PIX"
    assert facts["device_numa"] == [0] * 4 + [1] * 4
    assert set(facts["device_pcie"]) == {"PCIe Gen5 x16"}
    assert facts["numa_distances"] == ["node0: 10 21", "node1: 21 10"]
    assert missing == ()


def test_without_links_the_path_is_what_the_bus_says(tmp_path):
    facts, _ = topology(h100_server(tmp_path), H100, {})
    row = facts["device_topology"][0].split()[1:]
    assert row == ["X", "NODE", "NODE", "NODE", "SYS", "SYS", "SYS", "SYS", "PIX"]


def test_links_between_two_devices_are_counted_where_there_is_no_switch(tmp_path):
    told = h100_nvml()
    told["devices"][0]["nvlinks"] = ["0000" + H100[1].address] * 4 + ["0000" + H100[2].address] * 2
    for device in told["devices"][1:]:
        device["nvlinks"] = []
    row = topology(h100_server(tmp_path), H100, told).facts["device_topology"][0].split()[1:]
    assert row[:4] == ["X", "NV4", "NV2", "NODE"]


def test_xgmi_is_found_in_the_drivers_own_topology(tmp_path):
    facts, _ = topology(mi300_server(tmp_path), MI300X, {})
    assert facts["device_topology"] == ["device0: X XGMI", "device1: XGMI X"]


def test_a_slot_that_runs_on_fewer_lanes_is_seen_beside_what_it_could_do(tmp_path):
    facts, _ = topology(mi300_server(tmp_path), MI300X, {})
    assert (facts["device_pcie"][0], facts["device_pcie_width"][0]) == ("PCIe Gen5 x16", 8)


def test_devices_under_one_switch_are_nearer_than_under_one_processor(tmp_path):
    switch = "pci0000:15/0000:15:01.0/0000:16:00.0"
    names = {"a": f"{switch}/0000:17:00.0", "b": f"{switch}/0000:17:01.0", "c": "pci0000:15/0000:15:02.0"}
    devices = []
    for i, (name, bridges) in enumerate(names.items()):
        machines.on_bus(tmp_path, bridges, f"0000:3{i}:00.0", numa_node="0")
        devices.append(Device(name=name, vendor="x", id=name, address=f"0000:3{i}:00.0"))
    facts, _ = topology(tmp_path, devices, {})
    assert facts["device_topology"] == ["device0: X PIX PHB", "device1: PIX X PHB", "device2: PHB PHB X"]


def test_a_hidden_bus_is_unknown_and_said(tmp_path):
    here = Device(name="Neuron", vendor="AWS", id="/dev/neuron0", address="/dev/neuron0", found_by="device node")
    facts, missing = topology(tmp_path, [here, GAUDI], {})
    assert facts["device_topology"] == ["device0: X ?", "device1: ? X"]
    assert (facts["device_numa"], facts["device_pcie"]) == ([None, None], [None, None])
    assert "PCIe and NUMA of Neuron, Intel Gaudi Gaudi 0x1020: the bus is hidden" in missing


def test_a_machine_without_accelerators_has_no_matrix(tmp_path):
    assert topology(tmp_path, (), {}).facts["device_topology"] is None
