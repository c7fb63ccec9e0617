"""What a few noisy times allow one to say, and what they do not."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import stats

times = st.lists(st.floats(min_value=1e-9, max_value=1e3), min_size=1, max_size=60)


def noise(n: int, seed: int = 0, level: float = 0.02) -> np.ndarray:
    return 1.0 + level * np.random.default_rng(seed).standard_normal(n)


@given(times)
def test_an_interval_holds_its_value_and_lies_within_the_samples(values):
    for interval in (stats.median_interval(values), stats.mean_interval(values)):
        assert interval.low <= interval.value <= interval.high
        assert min(values) * (1 - 1e-9) <= interval.low
        assert interval.high <= max(values) * (1 + 1e-9)


def test_the_same_samples_give_the_same_interval():
    values = noise(30)
    assert stats.median_interval(values) == stats.median_interval(values)


def test_ninety_percent_intervals_hold_the_truth_about_nine_times_in_ten():
    inside = 0
    for seed in range(200):
        interval = stats.median_interval(noise(40, seed))
        inside += interval.low <= 1.0 <= interval.high
    assert 165 <= inside <= 197


def test_more_samples_narrow_the_interval():
    few, many = stats.median_interval(noise(10)), stats.median_interval(noise(1000))
    assert many.high - many.low < 0.3 * (few.high - few.low)


def test_samples_that_resemble_their_neighbours_count_for_less():
    steps = np.random.default_rng(1).standard_normal(200)
    wandering = np.zeros(200)
    for i in range(1, 200):
        wandering[i] = 0.9 * wandering[i - 1] + steps[i]
    alone = np.random.default_rng(2).permutation(wandering)
    width = [interval.high - interval.low for interval in map(stats.median_interval, (wandering + 50, alone + 50))]
    assert width[0] > 1.5 * width[1]


@pytest.mark.parametrize(("p", "needed"), [(0.5, 10), (0.9, 50), (0.95, 100), (0.99, 500), (0.01, 500)])
def test_a_percentile_needs_five_samples_beyond_it(p, needed):
    assert stats.percentile(list(range(needed - 1)), p) is None
    assert stats.percentile(list(range(needed)), p) is not None


@pytest.mark.parametrize("p", [0.0, 1.0, -1.0, math.nan])
def test_a_percentile_outside_0_and_1_is_refused(p):
    with pytest.raises(ValueError, match="between 0 and 1"):
        stats.percentile([1.0] * 1000, p)


def test_one_slow_step_in_ten_shows_in_the_rate():
    fast_then_stalled = [0.1] * 9 + [9.1]
    assert stats.rate([1.0] * 10, fast_then_stalled) == pytest.approx(1.0)
    assert sum(1 / t for t in fast_then_stalled) / 10 > 9  # what a mean of rates would claim


def test_an_outlier_does_not_widen_the_spread():
    calm = list(noise(50))
    assert stats.spread([*calm, 100.0]) < 1.2 * stats.spread(calm)


@given(st.integers(min_value=0, max_value=10_000), st.sampled_from([20, 60, 200]))
def test_even_noise_is_called_steady(seed, n):
    assert stats.settled_after(list(noise(n, seed, 0.01))) is not None


@pytest.mark.parametrize("n", [40, 60, 200])
def test_a_warm_up_is_cut_and_the_rest_kept(n):
    values = noise(n) + 3 * np.exp(-np.arange(n) / 3)
    cut = stats.settled_after(list(values))
    assert cut is not None
    assert 5 <= cut <= n / 2
    assert np.median(values[cut:]) == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize("n", [12, 40, 60, 200])
def test_a_machine_that_slows_down_all_the_way_never_settles(n):
    assert stats.settled_after(list(noise(n) * np.linspace(1, 2, n))) is None


@pytest.mark.parametrize("n", [20, 60, 200])
def test_a_step_late_in_the_run_never_settles(n):
    assert stats.settled_after(list(noise(n) + (np.arange(n) > 0.7 * n))) is None


@pytest.mark.parametrize("where", [0.3, 0.6, 0.9])
def test_one_hiccup_is_not_the_end_of_a_warm_up(where):
    values = noise(60)
    values[int(60 * where)] = 20.0
    cut = stats.settled_after(list(values))
    assert cut is not None
    assert cut <= 30


def test_five_samples_are_too_few_to_call_steady():
    assert stats.settled_after([1.0] * 5) is None


@given(times)
def test_a_cut_leaves_at_least_half(values):
    cut = stats.settled_after(values)
    assert cut is None or (0 <= cut <= len(values) / 2 and len(values) - cut >= 6)


def test_no_samples_is_an_error_and_not_a_zero():
    with pytest.raises(ValueError, match="at least one"):
        stats.median_interval([])
