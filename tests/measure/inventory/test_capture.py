"""A run's environment is captured whole: every fact has one meaning, and what could not be seen is said."""

import json
import os
import sys
import time
from pathlib import Path

import pytest
from tests.measure.inventory.machines import (
    GAUDI,
    H100,
    MI300X,
    XE,
    gaudi_server,
    h100_nvml,
    h100_server,
    machine,
    mi300_server,
    xe_workstation,
)  # fmt: skip

from assay.machine import Framework, Interpreter
from assay.measure.inventory import capture as module
from assay.measure.inventory import facts as facts_module
from assay.measure.inventory.capture import Capture, capture, hardware, names
from assay.measure.inventory.detect import host
from assay.measure.inventory.discretion import redacted
from assay.measure.inventory.environment import describe, snapshot
from assay.measure.inventory.interpreter import look
from assay.measure.inventory.software import LIBRARIES
from assay.roles import FAMILIES, ROLES, meaning

PYTHON = Interpreter(
    path=sys.executable, version="3.11.7", numpy="2.4.6", blas="openblas",
    frameworks=(Framework(name="torch", status="works", version="2.9.0"), Framework(name="jax", status="absent")),
)  # fmt: skip

MACHINES = {
    "h100": (h100_server, H100, h100_nvml()),
    "mi300": (mi300_server, MI300X, {}),
    "xe": (xe_workstation, (XE,), {}),
    "gaudi": (gaudi_server, (GAUDI,), {}),
    "bare": (lambda root: root, (), {}),
}


CAPTURED = ROLES.keys() - describe(snapshot(), snapshot(), 1).keys() | {"governor"}


@pytest.fixture(params=MACHINES)
def captured(request, tmp_path, monkeypatch) -> Capture:
    build, devices, told = MACHINES[request.param]
    monkeypatch.setattr(module.nvml, "told", lambda root: (told, ""))
    environ = {"PATH": os.environ["PATH"], "NCCL_ALGO": "Ring", "OMP_NUM_THREADS": "4"}
    root = build(tmp_path / "root")
    root.mkdir(exist_ok=True)
    return capture(machine(devices), PYTHON, cwd=tmp_path, environ=environ, command=["python", "x.py"], root=root)


def test_the_same_facts_are_there_on_every_machine_and_json_can_hold_them(captured):
    told = captured.environment
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told.keys() - {"NCCL_ALGO"} - (set(LIBRARIES.values()) - ROLES.keys()) == CAPTURED


def test_each_list_of_devices_has_one_entry_a_device(captured):
    told = captured.facts
    count = len(told["devices"])
    lists = {key: told[key] for key in ROLES if key.startswith("device_") and told[key] is not None}
    assert {key: len(value) for key, value in lists.items() if key != "device_topology"} == dict.fromkeys(
        lists.keys() - {"device_topology"}, count
    )


def test_nothing_of_it_is_a_placeholder(captured):
    """An absent sensor is None: no empty text, and no -1, stands for it."""
    assert [key for key, value in captured.facts.items() if value in ("", -1, "unknown", "None")] == []


def test_a_variable_and_the_interpreters_own_word_are_facts(captured):
    told = captured.facts
    assert (told["NCCL_ALGO"], told["thread_settings"]) == ("Ring", {"OMP_NUM_THREADS": "4"})
    assert (told["torch"], told["numpy"], told["python"]) == ("2.9.0", "2.4.6", "3.11.7")
    assert "jax" not in told


def test_a_machine_that_hides_everything_says_so_and_is_still_described(tmp_path):
    told = capture(machine(), PYTHON, cwd=tmp_path, environ={"PATH": "/nowhere"}, root=tmp_path)
    assert told.facts["cpu"] == "Intel(R) Xeon(R) Platinum 8480C"
    expected = {"no DMI: board and firmware unknown", "RAPL limits: no powercap here", "NUMA: no nodes shown",
                "CPU clocks and governor: no cpufreq here", "kernel flags: not there"}  # fmt: skip
    assert expected <= set(told.missing)
    assert told.environment["not_captured"] == list(told.missing)


def test_a_command_that_is_no_python_has_no_packages(tmp_path):
    told = capture(machine(), None, cwd=tmp_path, environ={}, root=tmp_path)
    assert (told.facts["packages"], "packages: the command is no Python that is known" in told.missing) == (None, True)


def test_a_look_that_breaks_costs_its_own_facts_and_no_measurement(tmp_path, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("of a kind nobody thought of")

    monkeypatch.setattr(module, "topology", broken)
    told = capture(machine(), PYTHON, cwd=tmp_path, environ={}, root=tmp_path)
    assert "topology: could not be read (ZeroDivisionError: of a kind nobody thought of)" in told.missing
    assert told.facts["kernel_flags"] is None


def test_a_driver_that_gives_no_answer_is_missing_and_the_bus_still_tells(tmp_path, monkeypatch):
    monkeypatch.setattr(module.nvml, "told", lambda root: ({}, "NVML: no answer within 10 s"))
    root = h100_server(tmp_path)
    told = capture(machine(H100), PYTHON, cwd=tmp_path, environ={}, root=root)
    assert "NVML: no answer within 10 s" in told.missing
    assert told.facts["device_pcie"] == ["PCIe Gen5 x16"] * 8
    assert told.facts["device_power_cap_w"] == [None] * 8


# This machine


@pytest.fixture(scope="module")
def here():
    return host(), look(sys.executable)


def test_this_machine_is_captured_in_less_than_a_third_of_a_second(here, tmp_path):
    took = []
    for _ in range(5):
        began = time.perf_counter()
        told = capture(*here, cwd=tmp_path, environ=os.environ)
        took.append(time.perf_counter() - began)
    if any(device.found_by == "nvml" for device in here[0].devices):
        pytest.skip(f"a driver is asked here, at its own pace: {min(took):.2f} s")
    if min(took) > 0.3 and os.getloadavg()[0] > (os.cpu_count() or 1) / 2:
        pytest.skip(f"others are using this machine: {min(took):.2f} s at a load of {os.getloadavg()[0]:.1f}")
    assert min(took) < 0.3
    assert told.facts["python"] == sys.version.split()[0]


def test_this_checkout_and_its_packages_are_in_the_record(here):
    folder = Path(__file__).resolve().parent
    told = capture(*here, cwd=folder, environ=os.environ, command=["python", "test_capture.py"]).facts
    assert any(line.startswith("pytest==") for line in told["packages"])
    assert told["code"][0].startswith("test_capture.py ")
    if not any((parent / ".git").exists() for parent in folder.parents):
        pytest.skip("the tests run from no checkout")
    assert told["git_commit"]


def test_what_leaves_the_house_does_not_name_it(here, tmp_path):
    environ = {**os.environ, "USER": "maria", "TORCH_HOME": "/home/maria/x"}
    told = redacted(capture(*here, cwd=tmp_path, environ=environ).environment, names=names(environ))
    assert "maria" not in json.dumps(told)
    assert not {"host", "cwd", "job"} & told.keys()


# What a difference means


def test_what_was_captured_before_keeps_its_name_and_its_meaning():
    alike = (
        "cpu", "architecture", "cores", "threads", "usable_threads", "isa", "last_cache_bytes", "numa_nodes", "devices",
        "system", "hypervisor", "container", "python", "numpy", "blas", "torch", "thread_settings",
    )  # fmt: skip
    assert {meaning(key) for key in alike} == {"alike"}
    assert {meaning(key) for key in ("kernel", "memory_bytes", "governor")} == {"suspect"}
    assert set(hardware(machine())) <= ROLES.keys()


def test_a_library_must_be_alike_and_the_list_of_all_packages_need_not():
    assert {meaning(name) for name in LIBRARIES.values()} == {"alike"}
    assert (meaning("packages_digest"), meaning("packages")) == ("suspect", "note")
    assert not set(LIBRARIES.values()) & (ROLES.keys() - {"numpy"})


def test_what_goes_on_during_a_run_makes_it_no_other_run():
    told = describe(snapshot(), snapshot(), 1)
    assert {meaning(key) for key in told.keys() - {"governor"}} == {"note"}
    assert told.keys() <= ROLES.keys()


def test_a_variable_is_never_taken_for_a_fact():
    assert not any(name.isupper() for name in ROLES)
    assert all(pattern.isupper() for pattern in FAMILIES)


def test_a_file_that_is_a_folder_or_endless_is_no_answer(tmp_path):
    assert facts_module.look(tmp_path)[0] == ""
    assert facts_module.look(tmp_path / "no" / "where") == ("", "not there")
