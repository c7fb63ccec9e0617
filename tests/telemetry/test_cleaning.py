"""What readings are fit for, before anybody adds them up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.metrics import metric
from assay.series import series
from assay.telemetry.cleaning import clean

T = np.arange(1000.0)
anything = st.floats(allow_nan=True, allow_infinity=True, width=64)


def cleaned(name: str, at: np.ndarray, value: np.ndarray, total: float | None = None):
    return clean(series("GPU-0", name, at, value), metric(name), total)


@given(st.lists(st.tuples(anything, anything), max_size=60))
def test_what_comes_out_is_finite_and_in_order_whatever_went_in(rows):
    at, value = (np.array([row[k] for row in rows], dtype=float) for k in (0, 1))
    times, values, faults = cleaned("accel.power_w", at, value)
    assert np.isfinite(times).all()
    assert np.isfinite(values).all()
    assert (np.diff(times) > 0).all()
    assert (values >= 0).all()
    assert len(times) == len(at) or faults


def test_good_readings_stay_as_they_are():
    power = 300.0 + 20 * np.sin(T)
    at, value, faults = cleaned("accel.power_w", T, power)
    assert np.array_equal(at, T)
    assert np.array_equal(value, power)
    assert faults == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accel.power_w", 9223372036854775794.0), ("accel.energy_j", 140737488355330.0),
        ("accel.temp.core_celsius", 255.0), ("accel.busy", 1.5), ("accel.power_w", -1.0),
        ("accel.clock.core_hz", 1980.0), ("accel.mem.used_bytes", 9e10),
    ],
)  # fmt: skip
def test_a_value_no_sensor_can_mean_is_left_out_and_told(name, value):
    good = {"accel.busy": 0.9, "accel.clock.core_hz": 1.9e9, "accel.mem.used_bytes": 5e10}.get(name, 50.0)
    values = np.full(1000, good)
    values[400:405] = value
    _, kept, (fault,) = cleaned(name, T, values, total=8e10)
    assert (len(kept), fault.kind, fault.readings) == (995, "bad", 5)
    assert (fault.begin_s, fault.end_s) == (400.0, 404.0)
    assert kept.max() == good


@pytest.mark.parametrize(
    ("name", "good", "factor", "told"),
    [
        ("accel.power_w", 600.0, 1000.0, "1,000 times more"), ("accel.busy", 0.9, 100.0, "100 times more"),
        ("accel.clock.core_hz", 1.9e9, 1e-6, "1,000,000 times less"),
        ("accel.temp.core_celsius", 60.0, 1000.0, "1,000 times more"),
        ("accel.mem.used_bytes", 5e10, 2.0**-20, "1,048,576 times less"),
    ],
)  # fmt: skip
def test_another_unit_from_one_reading_to_the_next_is_told_as_that(name, good, factor, told):
    values = np.where(T >= 600, good * factor, good)
    _, kept, (fault,) = cleaned(name, T, values)
    assert (fault.kind, fault.begin_s, len(kept)) == ("unit", 600.0, 600)
    assert told in fault.text


def test_a_device_that_goes_from_rest_to_full_load_changes_no_unit():
    power = np.where(T < 400, 35.0, 1000.0)
    used = np.where(T < 400, 2e7, 7.9e10)
    assert cleaned("accel.power_w", T, power)[2] == ()
    assert cleaned("accel.mem.used_bytes", T, used, total=8e10)[2] == ()


def test_when_time_goes_back_as_few_readings_as_can_be_are_lost():
    at = np.where(T >= 600, T - 100, T)
    times, values, (fault,) = cleaned("accel.power_w", at, T)
    assert (fault.kind, fault.readings) == ("order", 100)
    assert fault.begin_s == 599.0
    assert (np.diff(times) > 0).all()
    assert len(values) == 900


def test_one_stray_time_stamp_costs_one_reading():
    at = T.copy()
    at[500] = 1.7e9
    times, _, (fault,) = cleaned("accel.power_w", at, T)
    assert (len(times), fault.kind, fault.readings) == (999, "order", 1)


def test_time_stamps_that_came_twice_count_once():
    at = T.copy()
    at[300:310] = 300.0
    times, _, (fault,) = cleaned("accel.power_w", at, T)
    assert (len(times), fault.kind, fault.readings) == (991, "twice", 9)


def test_a_share_a_little_over_one_is_one():
    _, values, faults = cleaned("accel.core.active", T, np.full(1000, 1.02))
    assert values.max() == 1.0
    assert faults == ()
