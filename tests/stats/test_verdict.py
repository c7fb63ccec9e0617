"""Whether pairs of runs prove a change, and how often they are wrong about it."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import stats
from assay.stats.verdict import ALARM, FEWEST_PAIRS, _weights, best_of, order, paired


def quiet(n: int, seed: int, level: float = 0.01) -> np.ndarray:
    return np.exp(level * np.random.default_rng(seed).standard_normal(n))


def loud(n: int, seed: int) -> np.ndarray:
    """A shared host: a floor, and above it whatever neighbours take."""
    draw = np.random.default_rng(seed)
    return 1 + 0.02 * draw.random(n) + draw.choice([0, 0, 0.1, 1.0], n) * draw.random(n)


def drifting(n: int, seed: int) -> np.ndarray:
    return quiet(n, seed) * np.linspace(1, 3, n)


@pytest.mark.parametrize("noise", [quiet, loud])
def test_nothing_changed_is_called_a_change_in_less_than_one_of_a_hundred(noise):
    alarms = sum(paired(noise(10, 2 * s), noise(10, 2 * s + 1)).said != "cannot tell" for s in range(1000))
    assert alarms <= 10


def test_a_drift_through_the_session_is_no_change():
    """Both of a pair drift together; what remains between them is turned round by the order drawn by lot."""
    alarms = 0
    for seed in range(500):
        host = drifting(20, seed)
        first = order(10, seed)
        old = [host[2 * i + (not f)] for i, f in enumerate(first)]
        new = [host[2 * i + f] for i, f in enumerate(first)]
        alarms += paired(old, new).said != "cannot tell"
    assert alarms <= 5


@pytest.mark.parametrize(("slower", "least"), [(1.05, 95), (1.15, 100), (1 / 1.05, 95)])
def test_a_change_of_five_percent_is_found_on_a_quiet_host(slower, least):
    said = [paired(quiet(10, 2 * s), slower * quiet(10, 2 * s + 1)).said for s in range(100)]
    assert said.count("worse" if slower > 1 else "better") >= least


def test_a_wild_run_does_not_hide_a_change():
    old, new = quiet(10, 2), 1.1 * quiet(10, 1)
    old[7] = 9.0
    assert paired(old, new).said == "worse"
    new[3] = 0.2
    assert paired(old, new).said == "worse"
    old[1] = 5.0
    assert paired(old, new).said == "cannot tell"  # seven pairs that agree are too few, …
    more = paired(np.append(old, quiet(4, 5)), np.append(new, 1.1 * quiet(4, 6)))
    assert more.said == "worse"  # … eleven are not


@pytest.mark.parametrize("n", range(1, FEWEST_PAIRS))
def test_fewer_than_eight_pairs_prove_nothing_and_say_how_many_do(n):
    told = paired(quiet(n, 0), 3 * quiet(n, 1))
    assert told.said == "cannot tell"
    assert told.more == FEWEST_PAIRS - n
    assert str(FEWEST_PAIRS) in told.why


def test_a_change_too_small_to_matter_is_no_alarm():
    told = paired(quiet(12, 0, 0.0005), 1.01 * quiet(12, 1, 0.0005))
    assert told.p <= ALARM
    assert (told.said, told.why) == ("cannot tell", "below 2 %")
    assert paired(quiet(12, 0, 0.0005), 1.01 * quiet(12, 1, 0.0005), least=0.005).said == "worse"


def test_the_number_of_pairs_that_is_asked_for_is_enough_four_times_in_five():
    """`more` is a promise: as many pairs again of the same noise, and the change is found."""
    kept = made = 0
    for seed in range(80):
        noise = 0.06
        told = paired(quiet(10, 7 * seed, noise), 1.06 * quiet(10, 7 * seed + 1, noise))
        if told.said != "cannot tell" or told.more is None:
            continue
        made += 1
        n = 10 + told.more
        kept += paired(quiet(n, 7 * seed + 2, noise), 1.06 * quiet(n, 7 * seed + 3, noise)).said == "worse"
    assert made >= 20
    assert kept / made >= 0.6  # the noise of ten pairs is itself known to a third


@given(st.lists(st.floats(0.5, 2.0), min_size=2, max_size=12), st.floats(0.1, 10), st.integers(0, 99))
def test_exchanging_the_names_turns_the_verdict_round(old, factor, seed):
    new = [factor * v for v in np.random.default_rng(seed).permutation(old)]
    there, back = paired(old, new), paired(new, old)
    turned = {"worse": "better", "better": "worse", "cannot tell": "cannot tell"}
    assert back.said == turned[there.said]
    assert back.ratio == pytest.approx(1 / there.ratio)
    assert back.p == pytest.approx(there.p)


@given(st.lists(st.floats(0.5, 2.0), min_size=8, max_size=10), st.floats(1e-6, 1e6))
def test_the_unit_of_a_figure_does_not_matter(old, unit):
    new = old[::-1]
    assert paired([unit * v for v in old], [unit * v for v in new]).p == pytest.approx(paired(old, new).p)


@given(st.lists(st.floats(0.5, 2.0), min_size=8, max_size=10))
def test_the_probability_is_counted_over_all_exchanges(old):
    """By hand: of all 2^n ways to name the runs of each pair, the share that differs at least as much."""
    new = old[::-1]
    d = np.log(new) - np.log(old)
    size = _weights(np.abs(d))
    seen = float(np.sign(d) @ size)
    all_ = [float(np.array(signs) @ size) for signs in itertools.product([1, -1], repeat=len(d))]
    edge = 1e-9 * size.sum()
    tails = (np.mean([a >= seen - edge for a in all_]), np.mean([a <= seen + edge for a in all_]))
    assert paired(old, new).p == pytest.approx(min(1.0, 2 * min(tails)))


def test_the_interval_holds_the_truth():
    inside = 0
    for seed in range(200):
        told = paired(quiet(12, 2 * seed, 0.03), 1.07 * quiet(12, 2 * seed + 1, 0.03))
        inside += told.low <= 1.07 <= told.high
    assert inside >= 194


def test_more_pairs_than_can_be_counted_are_drawn():
    told = paired(quiet(40, 0, 0.1), 1.08 * quiet(40, 1, 0.1))
    assert told.said == "worse"
    assert told.p < ALARM


def test_of_several_figures_the_least_noisy_is_chosen_blindly():
    """The median of each run is loud here, the fastest sample is not; who is who plays no part in the choice."""
    fast = (quiet(10, 0), 1.05 * quiet(10, 1))
    middle = (loud(10, 2), 1.05 * loud(10, 3))
    assert best_of([middle, fast]) == 1
    exchanged = [tuple(np.where(np.arange(10) % 2, a, b) for a, b in ((x, y), (y, x))) for x, y in (middle, fast)]
    assert best_of(exchanged) == 1


@given(st.integers(1, 60), st.integers(0, 1000))
def test_each_side_goes_first_as_often_as_the_other(pairs, seed):
    first = order(pairs, seed)
    assert len(first) == pairs
    assert abs(2 * sum(first) - pairs) <= 1


def test_the_order_is_no_pattern_that_a_host_could_follow():
    assert len({order(10, seed) for seed in range(50)}) > 30


def test_of_many_findings_few_are_false():
    draw = np.random.default_rng(0)
    false = sum(any(stats.believable(draw.random(40), 0.01)) for _ in range(1000))
    assert false <= 20
    assert stats.believable([1e-6, *draw.random(39)], 0.01)[0]


def test_nothing_found_is_nothing_believed():
    assert stats.believable([]) == ()
    assert stats.believable([1.0, 0.5]) == (False, False)


def test_logarithms_are_of_ratios():
    told = paired([1.0] * 10, [2.0] * 10)
    assert told.ratio == pytest.approx(2.0)
    assert (told.low, told.high) == (pytest.approx(2.0, rel=1e-3), pytest.approx(2.0, rel=1e-3))
    assert told.noise_ln == pytest.approx(0.0, abs=1e-12)
    assert math.isclose(told.p, 2 / 1024)
