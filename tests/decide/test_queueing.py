"""Waiting: Erlang's numbers, the laws of M/M/c, and pools that are as large as they pay."""

from __future__ import annotations

import heapq
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.decide.queueing import (
    erlang_c,
    wait_s,
)


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


@given(st.integers(2, 100), st.floats(0.01, 1.5))
def test_another_server_never_makes_anyone_wait_longer(c, load):
    assert wait_s(c + 1, c * load, 1.0) <= wait_s(c, c * load, 1.0)


def test_two_pools_joined_wait_less_than_apart():
    assert wait_s(20, 16.0, 1.0) < wait_s(10, 8.0, 1.0)
