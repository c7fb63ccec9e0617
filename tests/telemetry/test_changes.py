"""When did it change? What a fit says of a series whose change is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.telemetry.board import Grid
from assay.telemetry.changes import episodes, fit_ramp, jump, rolling, spells, theil_sen

MINUTES = np.arange(480) * 60.0


def ramp(begin_s: float, length_s: float, by: float, sigma: float, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(len(MINUTES)) * sigma
    return noise + by * ((MINUTES - begin_s) / max(length_s, 1e-9)).clip(0, 1)


def test_a_ramp_is_found_with_its_begin_its_end_and_its_size():
    fit = fit_ramp(MINUTES, ramp(9000, 7200, 0.05, 0.0005))
    assert fit.begin_s == pytest.approx(9000, abs=60)
    assert fit.end_s == pytest.approx(16200, abs=60)
    assert fit.grown == pytest.approx(0.05, rel=0.02)


def test_the_interval_of_a_begin_holds_it_about_nine_times_in_ten_and_says_how_little_noise_lets_one_know():
    inside, width = 0, {}
    for sigma in (0.001, 0.004):
        fits = [fit_ramp(MINUTES, ramp(9000 + 37 * seed, 7200, 0.05, sigma, seed)) for seed in range(30)]
        inside += sum(fit.early_s <= 9000 + 37 * seed <= fit.late_s for seed, fit in enumerate(fits))
        width[sigma] = np.median([fit.late_s - fit.early_s for fit in fits])
    assert inside >= 48  # of 60
    assert width[0.004] > 2.5 * width[0.001] > 100  # four times the noise, about four times as wide


def test_a_step_is_a_ramp_without_length():
    fit = fit_ramp(MINUTES, ramp(9010, 0, 0.05, 0.003))
    assert fit.length_s <= 120
    assert fit.begin_s == pytest.approx(9010, abs=90)


def test_noise_alone_gains_little():
    assert max(fit_ramp(MINUTES, ramp(0, 1, 0, 0.01, seed)).gain for seed in range(20)) < 30


def test_neighbours_that_resemble_each_other_make_a_change_less_sure():
    rng = np.random.default_rng(3)
    slow = np.zeros(480)
    for i in range(1, 480):
        slow[i] = 0.9 * slow[i - 1] + rng.standard_normal() * 0.0044
    alone = rng.permutation(slow)
    sure = [fit_ramp(MINUTES, noise + ramp(9000, 7200, 0.05, 0)).gain for noise in (slow, alone)]
    assert sure[0] < 0.5 * sure[1]


@given(st.floats(min_value=-1e3, max_value=1e3), st.floats(min_value=1e-3, max_value=1e3))
def test_a_fit_does_not_care_for_units_and_zero(shift, scale):
    values = ramp(9000, 3600, 0.05, 0.002)
    one, other = fit_ramp(MINUTES, values), fit_ramp(MINUTES, shift + scale * values)
    assert other.begin_s == pytest.approx(one.begin_s, abs=61)
    assert other.grown == pytest.approx(scale * one.grown, rel=0.02)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("phi", [0.0, 0.6, 0.95])
def test_a_jump_is_found_among_values_that_resemble_their_neighbours(sign, phi):
    off = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x = np.zeros(400)
        for i in range(1, 400):
            x[i] = phi * x[i - 1] + rng.standard_normal() * 0.01 * np.sqrt(1 - phi**2)
        at = int(rng.integers(50, 350))
        x[at:] += sign * 0.05
        off.append(abs(jump(x, 0.0, sign * 0.05) - at))
    assert np.median(off) == 0
    assert max(off) <= 3


def test_a_lone_spike_is_no_jump():
    x = np.zeros(200)
    x[50], x[120:] = 5.0, 1.0
    assert jump(x, 0.0, 1.0) == 120


def test_a_slope_bears_wild_outliers():
    values = 2.0 * MINUTES
    values[::7] = 1e9
    assert theil_sen(MINUTES, values) == pytest.approx(2.0, rel=0.05)


def test_episodes_join_what_is_near_and_pass_over_what_is_short():
    flag = np.array([0, 1, 1, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0], dtype=bool)
    grid = Grid(begin_s=0.0, width_s=10.0, bins=13)
    assert list(episodes(flag, grid, join_s=10.0, least_s=20.0)) == [(1, 6)]
    assert list(episodes(flag, grid, join_s=0.0, least_s=0.0)) == [(1, 3), (4, 6), (10, 11)]


def test_what_is_not_known_does_not_end_a_spell():
    flag = np.array([0, 1, 1, 0, 0, 1, 1, 0], dtype=bool)
    known = np.array([1, 1, 1, 0, 0, 1, 1, 1], dtype=bool)
    grid = Grid(begin_s=0.0, width_s=10.0, bins=8)
    assert list(spells(flag, known, grid, join_s=0.0, least_s=0.0)) == [(1, 7)]


def test_a_rolling_median_passes_over_what_is_missing():
    assert rolling(np.array([1.0, np.nan, 3.0, 100.0, 3.0]), 3).tolist() == [1.0, 2.0, 51.5, 3.0, 51.5]
