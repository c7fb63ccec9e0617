"""A machine in MLPerf's words: every field of a shape is there and of its type; what is unknown is empty and listed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.measure.inventory.machines import H100, MI300X, h100_nvml, h100_server, machine, mi300_server

from assay.errors import InputError
from assay.measure.inventory import capture as capture_module
from assay.measure.inventory.capture import capture
from assay.measure.inventory.mlperf import COUNTS, FLAT, INFO, NODE, RUN, WHOLE, system


@pytest.fixture
def h100(tmp_path, monkeypatch):
    monkeypatch.setattr(capture_module.nvml, "told", lambda root: (h100_nvml(), ""))
    root = h100_server(tmp_path)
    environment = capture(machine(H100), None, cwd=tmp_path, environ={}, root=root).environment
    return {**environment, "torch": "2.9.0", "cuda": "12.8.90", "nccl": "2.27.5", "vllm": "0.11.0"}


@pytest.mark.parametrize("shape", FLAT)
def test_a_flat_shape_has_every_field_once_and_only_text(h100, shape):
    told = system(machine(H100), h100, shape=shape)
    again = json.loads(json.dumps(told.fields))
    assert list(again) == list(dict.fromkeys(FLAT[shape]))
    assert all(isinstance(value, str) for value in again.values())
    assert set(told.unknown) == {name for name, value in again.items() if value == ""}


def test_an_h100_server_is_described_as_its_makers_would(h100):
    told = system(machine(H100), h100, shape="inference").fields
    wanted = {
        "system_name": "NVIDIA DGXH100, board DGXH100", "number_of_nodes": "1",
        "host_processor_model_name": "Intel(R) Xeon(R) Platinum 8480C", "host_processors_per_node": "2",
        "host_processor_core_count": "56", "host_processor_frequency": "3800 MHz",
        "host_memory_configuration": "3 × 64 GiB DDR5-4400", "host_storage_type": "NVMe SSD",
        "host_storage_capacity": "3.84 TB", "host_network_card_count": "2", "accelerators_per_node": "8",
        "accelerator_model_name": "NVIDIA H100 80GB HBM3", "accelerator_memory_capacity": "79.65 GiB",
        "accelerator_interconnect": "NVLink (NV18)", "accelerator_interconnect_topology": "all to all",
        "accelerator_host_interconnect": "PCIe Gen5 x16", "accelerator_frequency": "1980 MHz",
        "framework": "vLLM 0.11.0, PyTorch 2.9.0", "operating_system": "Ubuntu 22.04, Linux 5.15",
    }  # fmt: skip
    assert {key: told[key] for key in wanted} == wanted
    assert "nccl 2.27.5" in told["other_software_stack"]


def test_the_power_shape_adds_firmware_cards_and_disks(h100):
    told = system(machine(H100), h100, shape="inference-power").fields
    wanted = {"boot_firmware_version": "AMI 1.1.3 (08/28/2023)", "network_speed_mbit": "100000", "filesystem": "ext4",
              "power_management": "CPU governor performance", "nics_enabled_connected": "1"}  # fmt: skip
    assert {key: told[key] for key in wanted} == wanted


def test_training_counts_hardware_threads_and_has_no_type_of_system(h100):
    told = system(machine(H100), h100, shape="training").fields
    assert (told["host_processor_vcpu_count"], told["framework_name"]) == ("224", "PyTorch")
    assert "system_type" not in told


def test_the_endpoints_shape_is_nested_with_numbers_for_counts(h100):
    told = system(machine(H100), h100, shape="endpoints", told={"tensor_parallel": "8", "endpoint_url": "http://x"})
    (node,) = told.fields["node_types"]
    (info,) = node["accelerator_info"]
    run = told.fields["run"]
    assert [*told.fields] == [*WHOLE, "node_types", "run"]
    assert (set(node), set(info), set(run)) == ({*NODE, "accelerator_info"}, set(INFO), set(RUN))
    flat = {**{k: v for k, v in told.fields.items() if k in WHOLE}, **node, **info, **run}
    for name, value in flat.items():
        if name != "accelerator_info":
            assert isinstance(value, (int, type(None)) if name.endswith(COUNTS) else str), name
    assert (info["accelerators_per_node"], run["tensor_parallel"], run["data_parallel"]) == (8, 8, None)
    assert {
        "run.data_parallel",
        "node_types[0].cooling",
        "node_types[0].accelerator_info[0].accelerator_memory_type",
    } <= set(told.unknown)
    assert not {"run.tensor_parallel", "endpoint_url"} & set(told.unknown)


def test_partial_capture_is_marked_inside_the_description_itself(h100):
    notes = system(machine(H100), h100).fields["hw_notes"]
    assert "partial capture, not seen: " in notes
    assert "NVML shows application clocks" in notes
    whole = system(machine(H100), {**h100, "not_captured": []}).fields["hw_notes"]
    assert "partial" not in whole


def test_a_stored_run_is_described_without_its_machine(h100):
    assert system(None, h100, shape="training") == system(machine(H100), h100, shape="training")


def test_no_accelerator_is_known_and_not_unknown():
    told = system(machine(), {"device_names": [], "devices": []})
    assert (told.fields["accelerators_per_node"], told.fields["accelerator_model_name"]) == ("0", "N/A")
    assert not any(name.startswith("accelerator") for name in told.unknown)


def test_accelerators_that_differ_are_counted_each(tmp_path):
    mixed = machine((*H100[:2], MI300X[0]))
    environment = capture(mixed, None, cwd=tmp_path, environ={}, root=mi300_server(tmp_path)).environment
    told = system(mixed, environment).fields
    assert told["accelerator_model_name"] == "2x NVIDIA H100 80GB HBM3, 1x AMD Instinct MI300X"
    assert told["accelerator_frequency"] == ""  # of two of them it is unknown


def test_what_only_people_know_is_taken_from_them(h100):
    told = system(machine(H100), h100, told={"submitter": "Example", "cooling": "air"})
    assert (told.fields["submitter"], told.fields["cooling"]) == ("Example", "air")
    assert not {"submitter", "cooling"} & set(told.unknown)


@pytest.mark.parametrize(
    ("shape", "told", "said"),
    [
        ("traning", {}, '"traning" is not a shape'),
        ("training", {"submiter": "x"}, 'submitter'),
        ("training", {"system_type": "datacenter"}, '"system_type" is not a field of this shape'),
        ("endpoints", {"tensor_parallel": "eight"}, 'tensor_parallel is a count, and "eight" is none'),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_words(shape, told, said):
    with pytest.raises(InputError, match=said):
        system(machine(), {}, shape=shape, told=told)


def test_four_nodes_of_a_job_are_four():
    told = system(machine(), {"job": {"SLURM_JOB_NUM_NODES": "4"}}).fields
    assert told["number_of_nodes"] == "4"


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=6,
)
KEYS = ("sockets", "cores", "caches", "disks", "device_names", "device_topology", "device_max_hz", "job", "networks",
        "not_captured", "device_memory_bytes", "device_power_cap_w", "devices", "governor", "torch")  # fmt: skip


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8), st.sampled_from([*FLAT, "endpoints"]))
def test_any_stored_record_gives_a_description(environment, shape):
    told = system(None, environment, shape=shape)
    json.dumps(told.fields)
    assert told.unknown
