"""Faults of the sensors themselves: seen, dated, named, and never taken for a fault of the device."""

import numpy as np
import pytest
from tests.telemetry import fake_device as fake

from assay.observed import Trouble
from assay.telemetry import detectors
from assay.telemetry.board import board

CALM = {
    "step_s": 2.0, "step_noise": 0.008, "phi": 0.6, "noise": 0.008, "temp_noise": 0.35, "wave": 0.002, "drop": 1e-3,
    "eval_every": 3600.0, "eval_s": 200.0, "save_every": 1800.0, "save_s": 20.0, "start_s": 60.0,
}  # fmt: skip
AT = 4000.0
POWER, TEMPERATURE, CLOCK, BUSY = "accel.power_w", "accel.temp.core_celsius", "accel.clock.core_hz", "accel.busy"
MATRIX, CORE, MEMORY, ENERGY, USED = (
    "accel.matrix.active", "accel.core.active", "accel.memory.active", "accel.energy_j", "accel.mem.used_bytes",
)  # fmt: skip


def told(*troubles: fake.Trouble, devices: int = 4, seed: int = 1, **style: float) -> tuple[Trouble, ...]:
    run = fake.fleet(seed, hours=2.5, devices=devices, troubles=troubles, **CALM | style)
    return detectors.detect(board(run.sensors, run.stream, run.devices))


def only(found: tuple[Trouble, ...], kind: str, of: str | None = None) -> Trouble:
    assert {t.kind for t in found} == {kind}, [(t.kind, t.text) for t in found]
    assert of is None or {t.of for t in found} == {of}
    assert found[0].window.begin_s == pytest.approx(AT, abs=60)
    return found[0]


def within(change, length: float = 900.0):
    def edit(at: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        span = (at >= AT) & (at < AT + length)
        value = value.copy()
        value[span] = change(value[span])
        return at, value

    return edit


@pytest.mark.parametrize("metric", [POWER, ENERGY, MATRIX, CORE, MEMORY, TEMPERATURE])
def test_a_sensor_that_repeats_itself_while_its_device_works_is_dead(metric):
    dead = only(told(fake.frozen(2, metric, AT, 900.0)), "dead sensor", fake.identity(2))
    assert dead.metrics == (metric,)
    assert dead.window.end_s == pytest.approx(AT + 900, abs=60)


@pytest.mark.parametrize("metric", [POWER, MATRIX])
def test_a_dead_sensor_needs_no_peers_to_be_seen(metric):
    only(told(fake.frozen(0, metric, AT, 900.0), devices=1), "dead sensor")


@pytest.mark.parametrize("metric", [POWER, TEMPERATURE, CLOCK, BUSY, CORE, MEMORY, MATRIX, USED])
def test_a_sensor_that_shows_0_while_its_device_works_is_dead_and_the_device_is_not_slow(metric):
    only(told(fake.scaled(1, metric, AT, 900.0, 0.0)), "dead sensor", fake.identity(1))


def test_activity_at_0_after_an_error_while_busy_shows_100_percent_is_a_dead_sensor():
    gone = [fake.scaled(1, metric, AT, 900.0, 0.0) for metric in (CORE, MATRIX, MEMORY, "accel.occupancy")]
    dead = only(told(*gone), "dead sensor", fake.identity(1))
    assert set(dead.metrics) == {CORE, MATRIX, MEMORY, "accel.occupancy"}


def test_an_exporter_that_hangs_and_repeats_all_its_answers_is_one_trouble_a_device():
    names = (POWER, ENERGY, TEMPERATURE, CLOCK, BUSY, MATRIX, CORE, MEMORY, USED)
    dead = only(told(*(fake.frozen(0, name, AT, 900.0) for name in names)), "dead sensor", fake.identity(0))
    assert {POWER, MATRIX} <= set(dead.metrics)


@pytest.mark.parametrize(
    ("metric", "factor"), [(POWER, 1e3), (CLOCK, 1e-6), (BUSY, 100.0), (TEMPERATURE, 1e3), (USED, 2.0**-20)]
)
def test_another_unit_in_the_middle_of_a_run_is_told_as_that(metric, factor):
    only(told(fake.scaled(3, metric, AT, 1e9, factor)), "unit change", fake.identity(3))


def test_energy_in_another_unit_contradicts_power():
    found = told(fake.scaled(3, ENERGY, AT, 1e9, 1e3))
    assert only(found, "dead sensor").metrics == (ENERGY, POWER)


def test_a_power_sensor_that_reads_a_quarter_too_much_contradicts_the_counter():
    assert "what power says" in only(told(fake.scaled(0, POWER, AT, 1e9, 1.25), devices=1), "dead sensor").text


@pytest.mark.parametrize("degrees", [15.0, -20.0])
def test_a_temperature_that_leaps_at_the_same_power_is_no_heat(degrees):
    only(told(fake.edited(0, TEMPERATURE, within(lambda v: v + degrees, 1e9))), "dead sensor", fake.identity(0))


@pytest.mark.parametrize("value", [9.223372036854775794e18, -1.0, np.nan])
def test_readings_that_cannot_be_are_told_and_left_out(value):
    only(told(fake.edited(1, POWER, within(lambda v: 0 * v + value, 120.0))), "bad reading", fake.identity(1))


def test_a_single_bad_reading_is_a_remark_and_no_trouble():
    run = fake.fleet(
        1, hours=2.5, devices=4, troubles=[fake.edited(1, POWER, within(lambda v: 0 * v - 1, 1.0))], **CALM
    )
    seen = board(run.sensors, run.stream, run.devices)
    assert detectors.detect(seen) == ()
    assert any("impossible" in note for note in detectors.remarks(seen))


@pytest.mark.parametrize(("metric", "size"), [(POWER, 80.0), (TEMPERATURE, 8.0), (MATRIX, 0.1)])
def test_a_burst_of_noise_that_no_other_sensor_shows(metric, size):
    rng = np.random.default_rng(0)
    burst = within(lambda v: np.abs(v + size * rng.standard_normal(len(v))), 300.0)
    only(told(fake.edited(1, metric, burst)), "noise", fake.identity(1))


def test_a_sensor_that_falls_silent_leaves_a_gap():
    gap = only(told(fake.silent(2, POWER, AT, 300.0)), "gap", fake.identity(2))
    assert gap.metrics == (POWER,)
    assert gap.window.length_s == pytest.approx(300, abs=5)


def test_when_all_fall_silent_it_is_one_gap_of_the_run():
    names = [s.metric for s in fake.fleet(0, hours=0.01, devices=1).sensors if s.of == fake.identity(0)]
    gap = only(told(*(fake.silent(i, name, AT, 300.0) for i in range(4) for name in names)), "gap", "")
    assert "all devices, all sensors" in gap.text


def test_time_that_goes_back_is_told_and_costs_as_few_readings_as_can_be():
    back = fake.edited(0, POWER, lambda at, v: (np.where(at >= AT, at - 120, at), v))
    assert "time leapt back by up to 119 s" in only(told(back), "clock", fake.identity(0)).text


def test_a_counter_that_begins_anew_is_told_and_no_energy_is_lost_or_negative():
    reset = fake.edited(0, ENERGY, lambda at, v: (at, np.where(at >= AT, v - v[np.searchsorted(at, AT)], v)))
    only(told(reset), "counter reset", fake.identity(0))


def test_a_clock_that_swings_under_constant_load():
    swings = fake.edited(
        0, CLOCK, lambda at, v: (at, np.where((at >= AT) & (at < AT + 600) & (at % 6 < 3), 0.75 * v, v))
    )
    kinds = {t.kind for t in told(swings)}
    assert "unsteady clock" in kinds
    assert kinds <= {"unsteady clock", "slow clock", "slow device"}
