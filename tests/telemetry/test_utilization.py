"""How much of a device was used: by name, and never more than its sensors bear out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.observed import Facts, Usage, Window
from assay.series import series
from assay.telemetry.board import board
from assay.telemetry.utilization import bound, mfu, usage

T = np.arange(600.0)
ALL = Window(begin_s=0.0, end_s=599.0)


def sensors(**levels: float) -> list:
    names = {
        "busy": "accel.busy", "core": "accel.core.active", "matrix": "accel.matrix.active", "power": "accel.power_w",
        "memory": "accel.memory.active", "used": "accel.mem.used_bytes",
    }  # fmt: skip
    return [series("GPU-0", names[k], T, np.broadcast_to(v, T.shape)) for k, v in levels.items()]


def of(window: Window = ALL, **levels: float) -> Usage:
    (one,) = usage(board(sensors(**levels)), window)
    return one


def test_each_share_has_its_own_name_and_none_stands_for_another():
    one = of(busy=1.0, matrix=0.28)
    assert (one.busy, one.matrix) == (1.0, pytest.approx(0.28))
    assert (one.core, one.memory, one.power_w, one.mfu) == (None, None, None, None)


def test_a_mean_is_over_time_and_not_over_readings():
    at = np.concatenate([np.arange(0.0, 100.0, 2.5), np.arange(100.0, 200.0, 1.0)])
    busy = np.where(at < 100, 0.2, 0.8)
    (one,) = usage(board([series("0", "accel.busy", at, busy)]), Window(begin_s=0, end_s=200))
    assert one.busy == pytest.approx(0.5, abs=0.01)  # by readings it would be 0.63


def test_a_gap_is_left_out_and_the_coverage_says_so():
    at = np.concatenate([T[:150], T[450:]])
    (one,) = usage(board([series("0", "accel.busy", at, np.where(at < 300, 1.0, 0.0))]), ALL)
    assert one.coverage == pytest.approx(0.5, abs=0.01)
    assert one.busy == pytest.approx(0.5, abs=0.01)


def test_a_window_without_readings_says_nothing():
    one = of(Window(begin_s=5000, end_s=6000), busy=1.0)
    assert (one.busy, one.coverage) == (None, 0.0)


def test_busy_and_still_is_stalled_and_busy_at_low_matrix_is_not():
    half = T < 300
    one = of(
        busy=1.0, core=np.where(half, 0.9, 0.12), matrix=np.where(half, 0.4, 0.0), memory=np.where(half, 0.3, 0.01),
        power=np.where(half, 600.0, 190.0),
    )  # fmt: skip
    assert one.stalled == pytest.approx(0.5, abs=0.02)
    assert one.working == pytest.approx(0.5, abs=0.02)
    assert of(busy=1.0, core=0.9, matrix=0.02, memory=0.8, power=400.0).stalled == 0.0


def test_without_sensors_of_activity_nobody_says_stalled():
    one = of(busy=1.0, power=np.where(T < 300, 600.0, 190.0))
    assert (one.stalled, one.working) == (None, None)


@pytest.mark.parametrize(
    ("shares", "name"),
    [
        ((0.02, 0.0, 0.0), "idle"), ((1.0, 0.0, 0.01), "stalled"), ((1.0, 0.6, 0.3), "compute-bound"),
        ((1.0, 0.1, 0.8), "memory-bound"), ((0.99, 0.2, 0.3), "bound by latency or communication"),
        ((0.5, 0.2, 0.2), "waiting"), ((1.0, 0.4, 0.3), "balanced"), ((1.0, None, 0.5), ""),
        ((0.0, None, None), "idle"),
    ],
)  # fmt: skip
def test_what_holds_a_device_up_is_read_off_the_roofline(shares, name):
    assert bound(*shares) == name


shares = st.floats(min_value=0, max_value=1)


@given(shares, shares, shares)
def test_every_mix_of_shares_has_a_name(busy, matrix, memory):
    assert bound(busy, matrix, memory)


def job(matrix: float | None = 0.5, devices: int = 8) -> list[Usage]:
    return [Usage(device=str(i), window=Window(begin_s=0, end_s=100), matrix=matrix) for i in range(devices)]


def test_mfu_is_model_flop_over_what_all_peaks_allow():
    assert mfu(job(), Facts(peak_flop_per_s=1e15, step_flop=3.2e15), 100) == (pytest.approx(0.4), "")


@pytest.mark.parametrize("flop", [4.8e15, 1e17])
def test_an_mfu_its_own_sensors_refute_is_refused_with_the_reason(flop):
    value, why = mfu(job(), Facts(peak_flop_per_s=1e15, step_flop=flop), 100)
    assert value is None
    assert "the FLOP count or the peak is wrong" in why


def test_matrix_units_bound_only_what_runs_on_them():
    facts = Facts(peak_flop_per_s=6e13, step_flop=3.2e15 * 0.06, peak_is_matrix=False)
    assert mfu(job(matrix=0.0), facts, 100) == (pytest.approx(0.4), "")


@pytest.mark.parametrize(
    ("facts", "steps"),
    [(Facts(), 100), (Facts(peak_flop_per_s=1e15), 100), (Facts(peak_flop_per_s=1e15, step_flop=1e15), 0)],
)
def test_an_mfu_that_cannot_be_known_is_none_and_says_what_is_missing(facts, steps):
    value, why = mfu(job(), facts, steps)
    assert value is None
    assert why.startswith("MFU: ")


@given(st.floats(min_value=0.1, max_value=10), st.integers(min_value=1, max_value=8))
def test_twice_the_devices_for_the_same_steps_halve_mfu(scale, devices):
    facts = Facts(peak_flop_per_s=1e15, step_flop=1e13 * scale)
    one, two = (mfu(job(None, n), facts, 100)[0] for n in (devices, 2 * devices))
    assert two == pytest.approx(one / 2)
