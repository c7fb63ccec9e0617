"""Waiting: Erlang's numbers, the laws of M/M/c, and pools that are as large as they pay."""

from __future__ import annotations

import heapq
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.decide.queueing import (
    busy,
    erlang_c,
    hold_s,
    late_share,
    servers_for,
    square_root_staffing,
    wait_s,
    warm_pool,
)
from assay.decide.reliability import poisson
from assay.errors import InputError


def by_definition(c: int, a: float) -> float:
    """Erlang-C as the books print it."""
    last = a**c / math.factorial(c) * c / (c - a)
    return last / (math.fsum(a**k / math.factorial(k) for k in range(c)) + last)


@pytest.mark.parametrize(("c", "a", "share"), [(1, 0.7, 0.7), (2, 1.0, 1 / 3), (5, 4.0, 0.5541), (10, 8.0, 0.4092)])
def test_erlang_c_gives_the_numbers_of_the_tables(c, a, share):
    """M/M/1 waits with probability ρ; M/M/2 at one half with 1/3; the others from Erlang-C tables."""
    assert erlang_c(c, a) == pytest.approx(share, abs=5e-5)


@given(st.integers(1, 60), st.floats(0.01, 0.99))
def test_the_recursion_is_the_sum(c, load):
    assert erlang_c(c, c * load) == pytest.approx(by_definition(c, c * load), rel=1e-9)


def test_a_simulated_queue_waits_as_long_as_the_formula_says():
    """M/M/6 at 80 %, 400,000 requests, first come first served."""
    rng = np.random.default_rng(11)
    arrivals = np.cumsum(rng.exponential(1 / 4.8, 400_000)).tolist()
    free, waited = [0.0] * 6, 0.0
    for at, service in zip(arrivals, rng.exponential(1.0, len(arrivals)).tolist(), strict=True):
        begins = max(at, free[0])
        waited += begins - at
        heapq.heapreplace(free, begins + service)
    assert waited / len(arrivals) == pytest.approx(wait_s(6, 4.8, 1.0), rel=0.05)


@given(st.floats(0.01, 500.0), st.floats(0.01, 10.0), st.floats(0.0, 5.0), st.floats(0.001, 0.5))
def test_one_server_fewer_is_too_few(rate, service_s, most_wait_s, late):
    if busy(rate, service_s) > 500:
        return
    c = servers_for(rate, service_s, most_wait_s, late)
    assert late_share(c, rate, service_s, most_wait_s) <= late
    assert late_share(c - 1, rate, service_s, most_wait_s) > late


@given(st.integers(2, 100), st.floats(0.01, 1.5))
def test_another_server_never_makes_anyone_wait_longer(c, load):
    assert wait_s(c + 1, c * load, 1.0) <= wait_s(c, c * load, 1.0)


def test_two_pools_joined_wait_less_than_apart():
    assert wait_s(20, 16.0, 1.0) < wait_s(10, 8.0, 1.0)


def test_the_square_root_rule_leaves_22_in_a_hundred_waiting_in_a_large_pool():
    """Halfin and Whitt 1981: P(wait) → 1 / (1 + β Φ(β) / φ(β)), 0.223 for β = 1."""
    assert erlang_c(square_root_staffing(10_000.0, 1.0), 10_000.0) == pytest.approx(0.223, abs=0.005)


@given(st.floats(0.001, 1.0), st.floats(1.0, 300.0), st.floats(0.01, 5.0), st.floats(0.01, 50.0))
def test_no_other_pool_is_cheaper_than_the_newsvendors(growth, warm_up, idle, late):
    def cost(pool: int) -> float:
        mean = growth * warm_up
        missed = math.fsum((k - pool) * poisson(k, mean) for k in range(pool + 1, int(mean + 20 * mean**0.5) + 40))
        return pool * idle + late * missed

    pool = warm_pool(growth_hz=growth, warm_up_s=warm_up, idle_usd=idle, late_usd=late)
    assert cost(pool) <= min(cost(pool + 1), cost(max(0, pool - 1))) + 1e-6


def test_an_idle_server_is_kept_for_two_warm_ups_at_least_and_for_ever_if_it_is_free():
    assert hold_s(warm_up_s=90, restart_usd=0.0, idle_usd_per_s=0.01) == 180
    assert hold_s(warm_up_s=1, restart_usd=1.0, idle_usd_per_s=0.01) == 100
    assert hold_s(warm_up_s=1, restart_usd=1.0, idle_usd_per_s=0.0) == math.inf


def test_what_makes_no_sense_is_refused():
    with pytest.raises(InputError, match="share"):
        servers_for(1.0, 1.0, 1.0, 0.0)
    with pytest.raises(InputError, match="cannot be"):
        erlang_c(-1, 1.0)
    with pytest.raises(InputError, match="costs nothing"):
        warm_pool(growth_hz=1.0, warm_up_s=1.0, idle_usd=0.0, late_usd=1.0)
