"""Goodput: rates of a load that its edges do not distort, and levels that a request meets or does not."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.goodput import goodput
from assay.series import Sample, Series, gathered

Row = tuple[float, float, float, bool]  # sent, first token, end, warm-up


def load(rows: Iterable[Row], tokens: int = 11, lag_s: float = 0.0, failed: int = 0) -> tuple[Series, ...]:
    samples = [Sample("c", "failed_requests", failed, 0, 99.0)]
    for i, (sent, first, end, warm) in enumerate(rows):
        told = {"request_s": end - sent, "ttft_s": first - sent, "output_tokens": tokens, "send_lag_s": lag_s}
        if tokens > 1:
            told["tpot_s"] = (end - first) / (tokens - 1)
        samples += [Sample("c", metric, value, i, end, warm) for metric, value in told.items()]
    return gathered(samples)


def lockstep(streams: int, rounds: int) -> list[Row]:
    """A closed loop of equal answers, 1 s each: all end together, and the next are sent a moment later."""
    return [
        (k + 1e-4 * s, k + 0.1 + 1e-4 * s, k + 1 + 1e-4 * s, k == 0 or k == rounds - 1)
        for k in range(rounds)
        for s in range(streams)
    ]


@pytest.mark.parametrize("rounds", [3, 4, 12])
def test_sixteen_streams_of_one_second_are_sixteen_a_second(rounds):
    got = goodput(load(lockstep(16, rounds)))
    assert got is not None
    assert got.requests_per_s == pytest.approx(16, rel=0.01)
    assert got.output_tokens_per_s == pytest.approx(16 * 11, rel=0.01)


def test_a_server_that_falls_behind_is_rated_by_what_it_served_and_not_by_what_it_was_asked():
    """Asked 20 a second, it serves 10 a second, in order, 0.1 s each."""
    rows = [(i / 20, i / 10, (i + 1) / 10, False) for i in range(400)]
    got = goodput(load(rows))
    assert got is not None
    assert got.requests_per_s == pytest.approx(10, rel=0.02)
    tight = goodput(load(rows), ttft_s=1.0)
    assert tight is not None
    assert tight.goodput_requests_per_s == pytest.approx(21 / 40)  # request i waits i/20 s; the last ends at 40 s
    assert tight.attained == pytest.approx(0.05, abs=0.01)


def test_a_user_waits_from_the_moment_that_was_planned():
    rows = [(i / 10, i / 10 + 0.05, i / 10 + 0.15, False) for i in range(50)]
    intime, late = goodput(load(rows), ttft_s=0.06), goodput(load(rows, lag_s=0.02), ttft_s=0.06)
    assert intime is not None
    assert late is not None
    assert (intime.good_requests, late.good_requests) == (50, 0)


def test_a_failed_request_meets_no_level_and_a_single_token_has_no_pace_to_miss():
    rows = [(i / 10, i / 10 + 0.05, i / 10 + 0.05, False) for i in range(30)]
    got = goodput(load(rows, tokens=1, failed=10), tpot_s=1e-9)
    assert got is not None
    assert (got.good_requests, got.failed_requests, got.attained) == (30, 10, 0.75)


def test_a_load_of_which_nothing_counts_has_no_rate():
    assert goodput(load([])) is None
    assert goodput(load([(0.0, 0.1, 1.0, True), (0.0, 0.1, 1.0, True)])) is None


TIMES = st.tuples(st.floats(0, 20), st.floats(0.001, 2), st.floats(0.001, 5), st.booleans()).map(
    lambda t: (t[0], t[0] + t[1], t[0] + t[1] + t[2], t[3])
)


@given(st.lists(TIMES, max_size=30), st.floats(0, 3), st.floats(0, 3))
def test_a_looser_level_is_never_met_by_fewer(rows, a, b):
    tight, loose = goodput(load(rows), ttft_s=min(a, b)), goodput(load(rows), ttft_s=max(a, b))
    assert (tight is None) == (loose is None)
    if tight is not None and loose is not None:
        assert tight.good_requests <= loose.good_requests <= loose.answered_requests
        assert tight.goodput_requests_per_s <= loose.goodput_requests_per_s <= loose.requests_per_s
