"""What a real H100 said while it did five known things, one after the other; what it did is in the recording's head."""

from functools import cache
from pathlib import Path

import pytest

from assay.machine import Device
from assay.metrics import metric
from assay.observed import Observation, Usage, Window
from assay.series import Sample, Series, gathered
from assay.telemetry import reading, recording
from assay.telemetry.observe import observe
from assay.telemetry.vendors import nvidia

RECORDING = Path(__file__).parents[1] / "recorded/telemetry/nvidia-h100-phases.jsonl"
# Half a second inside of what the load said of itself, on the recording's clock.
PHASES = {
    "rest": (1.0, 9.0), "products": (12.0, 18.0), "copies within": (19.5, 24.5), "from the host": (26.0, 30.5),
    "to the host": (32.0, 35.0), "rest again": (37.0, 40.0),
}  # fmt: skip


@cache
def recorded() -> tuple[tuple[Series, ...], tuple[Device, ...]]:
    _, answers = recording.opened(RECORDING)
    samples, devices = [], ()
    for answer in answers:
        devices = reading.about(answer.raw) or devices
        samples += [Sample(r.of, r.metric, r.value, 0, answer.at_s) for r in nvidia.normalise(answer.raw)]
    return gathered(samples), tuple(devices)


def seen(phase: str) -> Observation:
    sensors, devices = recorded()
    begin_s, end_s = PHASES[phase]
    return observe(sensors, (), devices, window=Window(begin_s=begin_s, end_s=end_s))


def used(phase: str) -> Usage:
    (usage,) = seen(phase).usage
    return usage


@pytest.mark.parametrize(
    ("phase", "bound"),
    [
        ("rest", "idle"),
        ("products", "compute-bound"),
        ("copies within", "memory-bound"),
        ("from the host", "copying"),
        ("to the host", "copying"),
        ("rest again", "idle"),
    ],
)
def test_what_held_the_device_up_is_what_it_did(phase, bound):
    assert used(phase).bound == bound


def test_busy_says_the_same_of_all_work_and_the_other_shares_do_not():
    assert all(used(phase).busy > 0.98 for phase in ("products", "copies within", "from the host"))
    assert used("products").matrix == pytest.approx(0.92, abs=0.02)
    assert used("copies within").matrix == 0.0
    assert used("copies within").memory == pytest.approx(0.90, abs=0.02)  # 3.01 of 3.35 TB/s
    assert used("from the host").core == 0.0
    assert used("from the host").memory < 0.02


def test_a_copy_over_pcie_is_not_called_a_stall():
    assert used("from the host").stalled == 0.0
    assert not [t for t in seen("from the host").troubles if t.kind == "stalled"]


def test_the_counter_of_energy_agrees_with_the_power_it_tells():
    for phase in ("rest", "products"):
        one = next(e for e in seen(phase).energy if e.method == "counter")
        assert one.energy_j == pytest.approx(used(phase).power_w * one.window.length_s, rel=0.02)
        assert one.doubt == ""


def test_products_at_the_power_limit_slow_the_clock_and_are_said_to():
    sensors, _ = recorded()
    begin_s, end_s = PHASES["products"]
    told = {s.metric: s.value[(s.at_s > begin_s) & (s.at_s < end_s)] for s in sensors}
    assert told["accel.throttle.power"].min() == 1.0
    assert told["accel.power_w"].max() == pytest.approx(700.0, rel=0.01)
    assert told["accel.clock.core_hz"].max() < 1.5e9  # of 1.98e9


def test_pcie_is_known_by_its_rate_alone():
    sensors, _ = recorded()
    begin_s, end_s = PHASES["from the host"]
    names = {s.metric for s in sensors if s.metric.startswith("link.pcie")}
    assert names == {"link.pcie.rx_bytes_per_s", "link.pcie.tx_bytes_per_s"}  # its 32-bit counters wrapped six a look
    (rate,) = (s for s in sensors if s.metric == "link.pcie.rx_bytes_per_s")
    inside = rate.value[(rate.at_s > begin_s) & (rate.at_s < end_s)]
    assert 52.8e9 < inside.mean() < 1.12 * 52.8e9  # with the headers of its packets


def test_half_a_minute_of_ordinary_work_raises_no_alarm():
    assert [t.text for t in seen("products").troubles if t.kind not in ("power throttle",)] == []


def test_every_reading_is_a_known_metric_within_its_bounds():
    sensors, _ = recorded()
    assert len(sensors) > 20
    for one in sensors:
        assert metric(one.metric).name == one.metric
        if metric(one.metric).title.endswith("active") or one.metric == "accel.busy":
            assert 0 <= one.value.min() <= one.value.max() <= 1
