"""NVIDIA through its own binding and a library that answers as NVML does: GPUs at work, cut up, old, lost and hung."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.telemetry import nvml_stub

from assay.telemetry import reading

CARD, OTHER = (f"GPU-604ac76c-0000-000{i}-0000-000000000000" for i in (0, 1))
SLICES = [f"MIG-604ac76c-0000-0000-000{i}-000000000000" for i in (1, 2)]


def of(readings: dict, device: str) -> dict:
    return {metric: value for (name, metric), (value, _) in readings.items() if name == device}


def test_a_gpu_that_is_wholly_busy_is_told_apart_from_one_that_is_well_used():
    *_, (_, readings) = nvml_stub.ticks("devices=1")
    told = of(readings, CARD)
    assert told["accel.busy"] == 1.0
    assert told["accel.core.active"] == pytest.approx(0.9126)
    assert told["accel.matrix.active"] == pytest.approx(0.2794)
    assert told["accel.memory.active"] == pytest.approx(0.2137)
    assert told["accel.occupancy"] == pytest.approx(0.2445)
    assert (told["accel.power_w"], told["accel.clock.core_hz"]) == (pytest.approx(572.191), 1.755e9)
    assert told["link.fabric.tx_bytes_per_s"] == pytest.approx(4991556833.0)
    assert readings[CARD, "accel.power_w"][1] == "average"


def test_traffic_of_all_links_is_asked_for_and_not_that_of_the_first():
    (_, first), (_, last) = nvml_stub.ticks("devices=1", 2, 0.3)
    bytes_ = [of(readings, CARD)["link.fabric.tx_bytes"] for readings in (first, last)]
    assert bytes_[0] > 4e11  # 100 s at 5 GB/s; one link would have an eighteenth
    assert bytes_[1] - bytes_[0] > 1e9


def test_profiled_shares_need_two_samples_and_nothing_stands_in_for_them_meanwhile():
    (_, first), (_, second) = nvml_stub.ticks("devices=1")
    assert not reading.PROFILED & of(first, CARD).keys()
    assert of(second, CARD).keys() >= reading.PROFILED


def test_devices_are_described_once_with_the_address_that_the_bus_knows_them_by():
    (first, _), (second, _) = nvml_stub.ticks("devices=2")
    described = reading.about(first)
    assert [device.id for device in described] == [CARD, OTHER]
    assert described[0].address == "0000:01:00.0"
    assert (described[0].memory_bytes, described[0].driver) == (80 * 2**30, "nvidia 570.169")
    assert "about" not in second


def test_mig_slices_are_partitions_with_shares_of_their_own_and_no_power():
    (first, _), (raw, readings) = nvml_stub.ticks("devices=2,mig")
    described = {device.id: device for device in reading.about(first)}
    assert described.keys() == {CARD, *SLICES, OTHER}
    assert (described[SLICES[0]].parent, described[SLICES[0]].partition) == (CARD, "3g.40gb")
    assert {"accel.busy", "accel.core.active", "accel.mem.used_bytes"} <= of(readings, SLICES[0]).keys()
    assert "accel.power_w" not in of(readings, SLICES[0])
    assert "accel.energy_j" in of(readings, CARD)
    assert "utilization" not in raw["devices"][0]  # not told by a card that is cut up; GPM does
    assert of(readings, CARD)["accel.busy"] == pytest.approx(0.999)


def test_more_than_all_of_a_slice_is_told_as_all_with_a_warning():
    *_, (raw, readings) = nvml_stub.ticks("devices=1,mig")
    assert of(readings, SLICES[1])["accel.core.active"] == 1.0
    assert any(SLICES[1] in text and "100 %" in text for text in reading.warnings(raw))


def test_a_profiler_that_has_died_is_silent_and_does_not_read_zero():
    told = nvml_stub.ticks("devices=2,xid,died,after=2", 5)
    events = [event for raw, _ in told for event in reading.events(raw, 0.0)]
    assert [(event.kind, event.of) for event in events] == [("xid", CARD)]
    assert "XID 31" in events[0].text
    alive, dead = of(told[1][1], CARD), of(told[-1][1], CARD)
    assert alive["accel.core.active"] > 0.9
    assert dead["accel.busy"] == 1.0
    assert not reading.PROFILED & dead.keys()
    assert (alive["accel.event.code"], dead["accel.event.code"]) == (0, 31)


def test_a_lost_gpu_says_only_that_it_is_not_well_and_the_others_go_on():
    told = nvml_stub.ticks("devices=2,lost,after=2", 5)
    assert of(told[0][1], CARD)["accel.power_w"] > 0
    assert of(told[-1][1], CARD) == {"accel.health": 0.0}
    assert of(told[-1][1], OTHER)["accel.power_w"] > 0
    lost = [event for raw, _ in told for event in reading.events(raw, 0.0)]
    assert [(event.kind, event.of) for event in lost] == [("lost", CARD)]


def test_a_gpu_that_is_lost_and_cannot_say_who_it_is_is_told_with_its_code():
    told = nvml_stub.ticks("devices=2,lost,xid,after=2", 5)
    events = [event for raw, _ in told for event in reading.events(raw, 0.0)]
    assert [(event.kind, event.of) for event in events] == [("xid", CARD), ("lost", CARD)]
    assert events[0].text == "XID 79: the GPU has fallen off the bus"
    assert of(told[-1][1], OTHER)["accel.power_w"] > 0


def test_an_old_card_tells_what_it_has_and_nothing_more():
    *_, (_, readings) = nvml_stub.ticks("devices=1,old")
    told = of(readings, CARD)
    assert told["accel.power_w"] == 250.0
    assert readings[CARD, "accel.power_w"][1] == "instant"  # before Ampere, and on GA100, there is no mean
    assert readings[CARD, "accel.memory.active"] == (0.38, "estimated")
    assert told["accel.mem.used_bytes"] == 32429 * 2**20
    assert (told["accel.throttle.thermal"], told["accel.throttle.power"]) == (1.0, 0.0)
    absent = {"accel.core.active", "accel.temp.margin_celsius", "link.fabric.tx_bytes", "accel.throttle.power.time_s"}
    assert not absent & told.keys()


def test_throttling_is_told_by_its_reason_and_slow_sensors_only_at_first():
    (_, first), (_, second) = nvml_stub.ticks("devices=2")
    told = of(second, OTHER)
    assert (told["accel.throttle.power"], told["accel.throttle.thermal"], told["accel.throttle.other"]) == (1, 0, 0)
    slow = {"accel.power.limit_w", "accel.errors.corrected", "accel.processes"}
    assert slow <= of(first, OTHER).keys()
    assert not slow & told.keys()


def test_counters_that_only_root_may_read_are_absent_and_that_is_said():
    (first, _), (_, readings) = nvml_stub.ticks("devices=1,forbidden")
    assert [text for text in reading.warnings(first) if "profiling counters may not be read" in text]
    told = of(readings, CARD)
    assert "accel.core.active" not in told
    assert readings[CARD, "accel.memory.active"] == (0.38, "estimated")


def test_a_row_that_waits_to_be_remapped_is_worth_a_warning():
    (first, _), _ = nvml_stub.ticks("devices=2")
    assert [text for text in reading.warnings(first) if OTHER in text and "reset" in text]


def test_only_devices_that_were_found_are_read_unless_none_of_them_is_known():
    code = """
from assay.machine import Device
from assay.telemetry.vendors import nvidia
for place in ("0000:02:00.0", "/dev/nvidia1", "0000:ff:00.0"):
    answers = nvidia.read([Device(name="", vendor="", id=place, address=place)])
    print(*(device["id"] for device in next(answers)["devices"]))
"""
    done = nvml_stub.run(code, "devices=2")
    assert done.stdout.split("\n") == [OTHER, OTHER, f"{CARD} {OTHER}", ""], done.stderr


@pytest.mark.parametrize(("does", "says"), [("mismatch", "version mismatch"), ("absent", "Driver Not Loaded")])
def test_a_driver_that_does_not_work_is_told_in_one_sentence(does, says):
    code = "from assay.telemetry.vendors import nvidia; next(nvidia.read(()))"
    done = nvml_stub.run(code, does)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert "MeasureError: NVML does not start" in last
    assert says in last
    assert "nvidia-smi" in last


def test_a_driver_that_hangs_keeps_only_its_own_reader_waiting():
    command = [sys.executable, "-c", nvml_stub.TICKS, "9", "0"]
    environment = nvml_stub.environment("devices=1,hang,after=2")
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        said = [child.stdout.readline() for _ in range(3)]
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.5)
        child.kill()
        said += child.stdout.readlines()
    assert len(said) == 3


def test_reading_eight_gpus_takes_a_fraction_of_a_millisecond():
    code = """
import time
from assay.telemetry.vendors import nvidia
answers = nvidia.read(())
next(answers), next(answers)
best = 9.0
for _ in range(300):
    began = time.thread_time()
    count = len(list(nvidia.normalise(next(answers))))
    best = min(best, time.thread_time() - began)
print(count, best)
"""
    count, best_s = map(float, nvml_stub.run(code, "devices=8").stdout.split())
    assert count >= 8 * 20
    assert best_s < 2e-3  # 0.5 ms on a quiet machine


def test_what_the_driver_writes_in_proc_names_the_gpu_before_nvml_is_asked(tmp_path: Path):
    from assay.telemetry.vendors import nvidia

    told = tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0/information"
    told.parent.mkdir(parents=True)
    told.write_text(
        f"Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 16\nGPU UUID: \t {CARD}\nBus Location: \t 0000:01:00.0\n"
    )
    (device,) = nvidia.probe(tmp_path, {})
    assert (device.id, device.name, device.address) == (CARD, "NVIDIA H100 80GB HBM3", "0000:01:00.0")
