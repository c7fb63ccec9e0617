"""What was paid for and not used."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.observed import Facts, Window
from assay.series import series
from assay.telemetry.board import board
from assay.telemetry.waste import waste

T = np.arange(3600.0) + 0.5
HOUR = Window(begin_s=0.0, end_s=3600.0)


def devices(busy: np.ndarray, power: float | None = 100.0, activity: float | np.ndarray = 0.4, n: int = 2) -> list:
    told = []
    for i in range(n):
        told.append(series(f"d{i}", "accel.busy", T, busy))
        told.append(series(f"d{i}", "accel.matrix.active", T, np.broadcast_to(activity, T.shape) * (busy > 0.05)))
        if power is not None:
            told.append(series(f"d{i}", "accel.power_w", T, np.full(3600, power)))
    return told


UNKNOWN = Facts()


def by_kind(told: list, facts: Facts = UNKNOWN) -> dict:
    return {one.kind: one for one in waste(board(told), HOUR, facts)[0]}


def test_half_an_hour_of_two_idle_devices_is_one_device_hour():
    idle = by_kind(devices(np.where(T < 1800, 0.0, 1.0)))["idle"]
    assert idle.device_s == pytest.approx(3600, abs=2)
    assert idle.energy_j == pytest.approx(3600 * 100, rel=0.01)
    assert idle.cost_usd is None
    assert idle.formula == "idle: 1 device-hours"


def test_money_is_hours_times_price_and_energy_times_tariff_and_the_formula_can_be_checked():
    facts = Facts(price_usd_per_s=2.5 / 3600, tariff_usd_per_j=0.1 / 3.6e6, pue=1.4)
    idle = by_kind(devices(np.where(T < 1800, 0.0, 1.0)), facts)["idle"]
    assert idle.cost_usd == pytest.approx(2.5 + 0.1 * 1.4 * 0.1, rel=0.01)
    assert idle.formula == "idle: 1 device-hours × $2.50/h + 0.1 kWh × 1.4 (PUE) × $0.10/kWh = $2.51"


def test_a_pause_of_20_seconds_is_how_the_work_goes_and_no_idle_spell():
    busy = np.where(T % 100 < 20, 0.0, 1.0)
    found = by_kind(devices(busy))
    assert "idle" not in found
    assert found["stalled"].device_s == pytest.approx(2 * 720, abs=4)


def test_a_flicker_below_a_tenth_does_not_end_an_idle_spell():
    busy = np.where(T < 1800, np.where(T % 60 < 2, 0.08, 0.0), 1.0)
    assert by_kind(devices(busy))["idle"].device_s == pytest.approx(3600, abs=5)


def test_busy_with_nothing_is_stalled_and_the_rest_is_work():
    activity = np.where(T < 900, 0.0, 0.4)
    found = by_kind(devices(np.ones(3600), activity=activity, power=None))
    assert "idle" not in found
    assert found["stalled"].device_s == pytest.approx(1800, abs=40)


def test_without_power_the_hours_stand_and_the_energy_is_unknown():
    idle = by_kind(devices(np.where(T < 1800, 0.0, 1.0), power=None), Facts(price_usd_per_s=1 / 3600))["idle"]
    assert (idle.energy_j, idle.cost_usd) == (None, pytest.approx(1.0, rel=0.01))


def test_a_device_that_does_not_say_when_it_is_busy_is_named():
    found, (note,) = waste(board([series("TPU-0", "accel.power_w", T, np.full(3600, 9.0))]), HOUR, Facts())
    assert found == ()
    assert "TPU-0" in note


def test_a_gap_is_neither_idle_nor_work():
    kept = (T < 600) | (T > 3000)
    told = [series("d0", "accel.busy", T[kept], np.zeros(int(kept.sum())))]
    assert by_kind(told)["idle"].device_s == pytest.approx(1200, abs=5)


@given(st.floats(min_value=0, max_value=1), st.integers(min_value=30, max_value=3000))
def test_idle_and_stalled_never_exceed_what_there_was(level, length):
    found = by_kind(devices(np.where(length > T, 0.0, level)))
    assert sum(one.device_s for one in found.values()) <= 2 * 3600 + 1e-6
