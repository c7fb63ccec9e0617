"""Stops, saves and spares: the published row of Llama 3, and what must be so of any machine."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.decide.reliability import poisson, poisson_quantile, spare_nodes
from assay.errors import InputError
from assay.uptime import EXACT_ABOVE, exact_goodput, goodput, mtbf_s, waste, young_period_s

STOPS_HZ = 419 / (54 * 86400)  # Llama-3 405B on 16,384 GPUs: arXiv 2407.21783
R = 600.0

rates = st.floats(1e-9, 1e-2)
saves = st.floats(0.0, 3600.0)
recoveries = st.floats(0.0, 3600.0)


def test_llama_3_stopped_once_in_three_hours_and_a_server_of_eight_once_in_nine_months():
    assert mtbf_s(STOPS_HZ / 16384, 16384) / 3600 == pytest.approx(3.09, abs=0.005)
    assert mtbf_s(STOPS_HZ / 16384, 8) / (365.25 * 86400) == pytest.approx(0.72, abs=0.005)


@pytest.mark.parametrize(("save_s", "minutes", "share"), [(10, 7.9, 0.904), (60, 19, 0.842), (300, 43, 0.71)])
def test_llama_3_saves_so_often_and_keeps_so_much_to_first_order(save_s, minutes, share):
    assert young_period_s(STOPS_HZ, save_s) / 60 == pytest.approx(minutes, rel=0.02)
    assert 1 - waste(STOPS_HZ, save_s, R) == pytest.approx(share, abs=0.005)


def test_while_little_is_lost_the_first_order_form_is_the_answer_and_beyond_it_the_exact_one():
    """With saves of 5 min 29 % are lost to first order, 26 % in truth: it counts what overlaps twice."""
    assert goodput(STOPS_HZ, 10.0, R) == 1 - waste(STOPS_HZ, 10.0, R)
    assert goodput(STOPS_HZ, 300.0, R) == exact_goodput(STOPS_HZ, 300.0, R) == pytest.approx(0.745, abs=0.001)


def test_the_exact_form_is_what_a_run_with_exponential_stops_comes_to():
    rng = np.random.default_rng(3)
    M, d, T, segments = 3000.0, 200.0, 1500.0, 20_000
    through = math.exp(-(T + d) / M)
    failures = rng.geometric(through, segments) - 1  # tries of a segment that did not come through
    gone = -M * np.log1p(-rng.random(failures.sum()) * (1 - through))  # how far each came
    spent = segments * (T + d) + failures.sum() * R + gone.sum()
    assert exact_goodput(1 / M, d, R, T) == pytest.approx(segments * T / spent, rel=0.01)


@given(rates, saves, recoveries, st.floats(1.0, 10.0))
def test_what_stops_more_often_saves_slower_or_comes_back_later_is_never_worth_more(rate, save_s, recovery_s, more):
    base = goodput(rate, save_s, recovery_s)
    assert 0 <= base <= 1
    assert goodput(rate * more, save_s, recovery_s) <= base + 1e-12
    assert goodput(rate, save_s * more, recovery_s) <= base + 1e-12
    assert goodput(rate, save_s, recovery_s * more) <= base + 1e-12


@given(st.lists(st.tuples(rates, saves, recoveries), min_size=1, max_size=20))
def test_an_array_holds_what_each_number_comes_to(cases):
    columns = [np.array(column) for column in zip(*cases, strict=True)]
    assert goodput(*columns).tolist() == pytest.approx([goodput(*case) for case in cases])


def test_what_never_stops_loses_nothing_and_what_saves_for_nothing_loses_only_recovery():
    assert goodput(0.0, 60.0, R) == 1.0
    assert young_period_s(0.0, 60.0) == math.inf
    assert mtbf_s(0.0, 100) == math.inf
    assert goodput(1e-4, 0.0, R) == pytest.approx(1 - 1e-4 * R)
    assert goodput(1e-2, 0.0, R) == pytest.approx(1 / (1 + 1e-2 * R))


@given(st.floats(1e-7, 1e-5), st.floats(1.0, 100.0), st.floats(0.2, 5.0))
def test_no_other_period_wastes_less_than_youngs(rate, save_s, factor):
    best = young_period_s(rate, save_s)
    assert waste(rate, save_s, R) == pytest.approx(waste(rate, save_s, R, best))
    assert waste(rate, save_s, R) <= waste(rate, save_s, R, best * factor) + 1e-12


def test_there_is_no_step_upwards_at_the_seam_between_the_two_forms():
    rate = np.geomspace(1e-6, 1e-2, 20_001)
    share = goodput(rate, 120.0, R)
    assert share[waste(rate, 120.0, R) > EXACT_ABOVE].max() <= 1 - EXACT_ABOVE
    assert np.diff(share).max() <= 0


@given(st.floats(0.0, 2000.0), st.floats(0.0, 0.9999))
def test_the_count_of_spares_reaches_the_target_and_one_less_does_not(mean, target):
    found = poisson_quantile(mean, target)
    assert math.fsum(poisson(k, mean) for k in range(found + 1)) >= target - 1e-9
    assert found == 0 or math.fsum(poisson(k, mean) for k in range(found)) < target + 1e-9


def test_a_thousand_servers_that_wait_a_fortnight_for_repair_need_spares_as_scipy_counts_them():
    """Poisson(1000 · 0.4/year · 14 d) = 15.3: `scipy.stats.poisson.ppf(0.95, 15.33)` is 22."""
    assert spare_nodes(1000, 0.4 / (365.25 * 86400), 14 * 86400.0, 0.95) == 22


@pytest.mark.parametrize("target", [1.0, -0.1, math.nan])
def test_a_certainty_cannot_be_bought_with_spares(target):
    with pytest.raises(InputError, match="probability"):
        spare_nodes(10, 1e-8, 1e6, target)
