"""Vendors' bindings and tools, played by stand-ins: opened, asked, failing, missing, and given back."""

from __future__ import annotations

import itertools
import json
import os
import stat
import sys
import time
from pathlib import Path

import pytest

from assay.errors import MeasureError
from assay.machine import Device
from assay.telemetry import plugins, reading, tools

STUBS = Path(__file__).parents[1] / "stubs"
BINDINGS = ("amdsmi", "pyhlml", "gcipuinfo", "libtpu")


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch):
    """Each test imports its bindings anew."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in BINDINGS]:
        del sys.modules[name]


@pytest.fixture
def bindings(monkeypatch):
    monkeypatch.syspath_prepend(STUBS / "python")


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.setenv("PATH", f"{STUBS / 'bin'}{os.pathsep}{os.environ['PATH']}")


def first(vendor: str, *devices: Device) -> tuple[reading.Raw, dict]:
    module = plugins.load(vendor)
    answers = module.read(devices)
    raw = next(answers)
    answers.close()
    return raw, {(r.of, r.metric): r.value for r in module.normalise(raw)}


def script(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


# --- bindings ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("bindings")
@pytest.mark.parametrize(("vendor", "count"), [("amd", 2), ("gaudi", 2), ("graphcore", 2)])
def test_a_binding_describes_its_devices_in_the_first_answer_and_not_again(vendor, count):
    answers = plugins.load(vendor).read(())
    raw, later = next(answers), next(answers)
    answers.close()
    described = plugins.about(raw, plugins.load(vendor))
    assert [device.id for device in described] == [device["id"] for device in raw["devices"]]
    assert len(described) == count
    assert all(device.vendor and device.name and device.driver for device in described)
    assert vendor == "graphcore" or "about" not in later
    json.dumps(raw)


@pytest.mark.usefixtures("bindings")
def test_an_answer_of_amds_library_is_one_call_and_not_a_hundred_values(monkeypatch):
    raw, _ = first("amd")
    assert "xcp_stats.gfx_busy_inst" not in raw["devices"][0]["metrics"]
    monkeypatch.setenv("STUB_AMDSMI", "guest")
    del sys.modules["amdsmi"]
    raw, read = first("amd")
    assert "metrics" not in raw["devices"][0]
    assert read["fcff74a1-0000-1000-80cf-2bb1e8a37f00", "accel.power_w"] == 640


@pytest.mark.usefixtures("bindings")
def test_a_library_whose_driver_is_missing_says_what_to_look_at(monkeypatch):
    monkeypatch.setenv("STUB_AMDSMI", "absent")
    with pytest.raises(MeasureError, match=r"Driver not loaded.*render"):
        first("amd")
    monkeypatch.setenv("STUB_HLML", "absent")
    with pytest.raises(MeasureError, match=r"HLML does not start.*hl-smi.*habana-pyhlml"):
        first("gaudi")


def test_a_binding_that_prints_and_raises_something_odd_is_a_missing_library(tmp_path, monkeypatch, capsys):
    """What amdsmi 7.0.2 does on a host without ROCm."""
    (tmp_path / "amdsmi.py").write_text("print('Unable to find libamd_smi.so')\nraise KeyError('libamd_smi.so')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MeasureError, match=r"amdsmi does not load: KeyError.*ROCm"):
        tools.library("amdsmi", hint="install the ROCm that is in place")
    (tmp_path / "odd.py").write_text("raise SystemExit(1)\n")
    with pytest.raises(MeasureError, match="SystemExit"):
        tools.library("odd", hint="")
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("bindings")
def test_a_tpu_is_read_without_asking_a_cloud_for_its_name(monkeypatch):
    monkeypatch.delenv("TPU_SKIP_MDS_QUERY", raising=False)
    chips = [Device(name="TPU v5e", vendor="Google", id=f"/dev/accel{i}") for i in range(4)]
    _, read = first("tpu", *chips)
    assert os.environ["TPU_SKIP_MDS_QUERY"] == "1"
    assert read["/dev/accel0", "accel.busy"] == pytest.approx(0.931)
    monkeypatch.setenv("TPU_SKIP_MDS_QUERY", "1")  # given back as it was by monkeypatch


def test_every_name_we_ask_of_libtpu_is_one_that_it_has(monkeypatch):
    monkeypatch.setenv("TPU_SKIP_MDS_QUERY", "1")
    sdk = pytest.importorskip("libtpu.sdk", reason="libtpu is not installed here: its names are not checked")
    from assay.telemetry.vendors import tpu

    assert set(sdk.tpumonitoring.list_supported_metrics()) >= {*tpu.MEANS, *tpu.SUMS, *tpu.OTHERS}


# --- tools ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("tool")
@pytest.mark.parametrize("shape", ["list", "gpu_data"])
def test_amd_smi_is_understood_in_both_of_its_shapes(shape, monkeypatch):
    monkeypatch.setenv("STUB_AMD_SMI", shape)
    raw, read = first(
        "amd", Device(name="AMD Instinct MI325X", vendor="AMD", address="0000:05:00.0", driver="amdgpu 6")
    )
    identity = "fcff74a1-0000-1000-80cf-2bb1e8a37f00"
    assert read[identity, "accel.power_w"] == 239
    described = {device.id: device for device in reading.about(raw)}
    assert (described[identity].name, described[identity].driver) == ("AMD Instinct MI325X", "amdgpu 6")
    assert "0000:25:00.0" in described  # this one's UUID is N/A


@pytest.mark.usefixtures("tool")
def test_without_library_and_tool_the_reason_of_each_is_told(monkeypatch):
    monkeypatch.setenv("STUB_AMD_SMI", "broken")
    with pytest.raises(MeasureError, match=r"amdsmi does not load.*DRIVER_NOT_LOADED"):
        first("amd")
    monkeypatch.setenv("PATH", "/nowhere")
    for vendor, said in (("gaudi", "hl-smi does not start"), ("graphcore", "gc-monitor"), ("neuron", "neuron-monitor")):
        with pytest.raises(MeasureError, match=said):
            first(vendor)


@pytest.mark.usefixtures("tool")
def test_gaudi_graphcore_and_cerebras_are_read_by_their_tools():
    assert first("gaudi")[1]["01P0-HL2080A0-15-TN8S77-06-04-01", "accel.power_w"] == 514
    assert first("graphcore")[1]["ipu-0000:b2:00.0", "accel.power_w"] == 80.1
    assert first("cerebras")[1]["cs2-02", "accel.health"] == 0


@pytest.mark.usefixtures("tool")
def test_neuron_monitor_is_followed_and_what_is_no_document_is_a_gap():
    answers = plugins.load("neuron").read(())
    heard = list(itertools.islice(answers, 3))
    answers.close()
    documents = [raw for raw in heard if raw["devices"]]
    assert documents
    assert [device.id for device in reading.about(documents[0])] == ["neuron0", "neuroncore0", "neuroncore1"]
    assert all(reading.warnings(raw) for raw in heard if not raw["devices"])
    core = {device.id: device for device in reading.about(documents[0])}["neuroncore1"]
    assert (core.parent, core.partition) == ("neuron0", "core 1")


def test_of_a_tool_that_prints_faster_than_it_is_read_the_newest_line_is_told(tmp_path, monkeypatch):
    wait = f"while [ ! -e {tmp_path}/read ]; do sleep 0.01; done"
    count = "i=1; while [ $i -lt 500 ]; do i=$((i+1)); echo line $i; done"
    script(tmp_path, "chatty", f"echo line 1; {wait}; {count}; touch {tmp_path}/done; exec sleep 9")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    lines = tools.latest(("chatty",))
    first_line = next(lines)
    (tmp_path / "read").touch()
    while not (tmp_path / "done").exists():
        time.sleep(0.01)
    last = next(lines)
    lines.close()
    assert first_line == "line 1"
    assert last == "line 500"


def test_a_tool_that_ends_says_so(tmp_path, monkeypatch):
    script(tmp_path, "short", "echo one")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    lines = tools.latest(("short",))
    assert next(lines) == "one"
    with pytest.raises(MeasureError, match="short has ended"):
        next(lines)


def test_a_slow_tool_holds_up_no_tick_and_repeats_nothing(tmp_path, monkeypatch):
    script(tmp_path, "slow", f"[ -e {tmp_path}/asked ] && sleep 0.6; touch {tmp_path}/asked; echo told")
    monkeypatch.setattr(tools, "PROMPT_S", 0.05)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    answers = tools.asked(tools.Tool(("slow",)), lambda text: {"devices": [{"id": text.strip()}]})
    assert next(answers)["devices"]
    heard, longest_s = [], 0.0
    until_s = time.monotonic() + 10
    while time.monotonic() < until_s and not any(heard):
        began_s = time.monotonic()
        heard.append(next(answers)["devices"])
        longest_s = max(longest_s, time.monotonic() - began_s)
        time.sleep(0.02)
    answers.close()
    assert heard[-1] == [{"id": "told"}]
    assert heard[:-1]
    assert not any(heard[:-1])
    assert longest_s < 0.5


def test_a_tool_that_fails_later_is_a_gap_and_a_warning(tmp_path, monkeypatch):
    script(
        tmp_path,
        "fading",
        f"[ -e {tmp_path}/asked ] && {{ echo gone >&2; exit 3; }}; touch {tmp_path}/asked; echo told",
    )
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    answers = tools.asked(tools.Tool(("fading",)), lambda text: {"devices": [{"id": text.strip()}]})
    assert next(answers)["devices"]
    said = next(raw for raw in answers if raw.get("warnings"))
    answers.close()
    assert said == {"devices": [], "warnings": ["fading failed with 3: gone"]}


def test_a_tool_that_never_answers_is_stopped(tmp_path, monkeypatch):
    script(tmp_path, "stuck", "sleep 60")
    monkeypatch.setattr(tools, "PROMPT_S", 0.0)
    monkeypatch.setattr(tools, "PATIENCE_S", 0.2)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    tool = tools.Tool(("stuck",))
    assert tool.news() is None
    time.sleep(0.3)
    with pytest.raises(MeasureError, match="did not answer"):
        tool.news()


# --- places --------------------------------------------------------------------------------------------------------

MACHINES = {
    "nvidia": {"dev/nvidia0": "", "dev/nvidia10": "", "dev/nvidiactl": ""},
    "amd": {"dev/kfd": "", "pci": ("0x1002", "0x120000")},
    "gaudi": {"dev/accel/accel0": "", "sys/module/habanalabs/version": "1.24.2"},
    "graphcore": {"dev/ipu0": ""},
    "neuron": {"dev/neuron0": ""},
    "tpu": {"dev/accel0": ""},
    "intel": {"pci": ("0x8086", "0x038000")},
}


@pytest.mark.parametrize("vendor", MACHINES)
def test_devices_are_found_by_what_the_system_shows_and_by_no_other_vendor(vendor, tmp_path):
    for name, text in MACHINES[vendor].items():
        folder = tmp_path / "sys/bus/pci/devices/0000:4D:00.0" if name == "pci" else (tmp_path / name).parent
        folder.mkdir(parents=True, exist_ok=True)
        if name == "pci":
            (folder / "vendor").write_text(f"{text[0]}\n")
            (folder / "class").write_text(f"{text[1]}\n")
        else:
            (tmp_path / name).write_text(text)
    found = {told.plugin: told.devices for told in plugins.survey(tmp_path, {}) if told.devices}
    assert list(found) == [vendor]
    assert all(device.id and device.address for device in found[vendor])
    if vendor == "nvidia":
        assert [device.id for device in found["nvidia"]] == ["/dev/nvidia0", "/dev/nvidia10"]


def test_a_processors_own_graphics_is_no_accelerator(tmp_path):
    folder = tmp_path / "sys/bus/pci/devices/0000:00:02.0"
    folder.mkdir(parents=True)
    (folder / "vendor").write_text("0x8086\n")
    (folder / "class").write_text("0x030000\n")
    assert plugins.present(root=tmp_path, environment={}) == ()


def test_machines_over_the_network_are_found_by_their_variables(tmp_path):
    environment = {"CEREBRAS_CS_IP": "10.0.0.1", "IPUOF_VIPU_API_HOST": "10.0.0.2"}
    assert plugins.present(root=tmp_path, environment=environment) == ("cerebras", "graphcore")
