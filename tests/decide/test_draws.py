"""Ranges as draws: what was stated comes back as percentiles, and chance is not taken for knowledge."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.assumption import Assumption, exactly
from assay.decide.draws import cheaper_share, draw, importance, quantile, value_of
from assay.decide.information import value_of_knowing

ends = st.tuples(st.floats(0, 1e9), st.floats(0, 1e9), st.floats(0, 1e9)).map(sorted)


@given(ends=ends)
def test_a_stated_range_is_its_own_percentiles(ends: list[float]) -> None:
    stated = Assumption(low=ends[0], value=ends[1], high=ends[2])
    found = quantile(stated, np.array([0.05, 0.5, 0.95]))
    assert list(found) == pytest.approx(ends)
    assert quantile(stated, np.array([0.0]))[0] >= 0


@given(ends=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)).map(sorted))
def test_a_share_stays_a_share(ends: list[float]) -> None:
    stated = Assumption(low=ends[0], value=ends[1], high=ends[2])
    found = quantile(stated, np.linspace(0, 1, 11))
    assert found.min() >= 0
    assert found.max() <= 1


def test_the_same_seed_draws_the_same_and_exact_numbers_stay() -> None:
    table = {"a": Assumption(value=2, low=1, high=4), "b": exactly(7.0)}
    first, again = (draw(table, 100, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first["a"], again["a"])
    assert first["b"] == 7.0


def test_a_tied_input_goes_the_other_way() -> None:
    stated = Assumption(value=0.2, low=0.0, high=0.4)
    x = draw({"fall": stated, "resale": stated}, 1000, np.random.default_rng(0), {"resale": "fall"})
    assert np.corrcoef(x["fall"], x["resale"])[0, 1] < -0.99


def test_importance_finds_the_input_that_matters() -> None:
    rng = np.random.default_rng(0)
    x = {"much": rng.random(5000), "little": rng.random(5000), "none": rng.random(5000), "number": 3.0}
    found = importance(x, 10 * x["much"] - x["little"])
    assert list(found) == ["much", "little", "none"]
    assert found["much"] > 0.95
    assert found["little"] < 0
    assert abs(found["none"]) < 0.05


def test_alike_is_a_coin() -> None:
    a = np.random.default_rng(0).random(1000)
    assert cheaper_share(a, a) == 0.5
    assert cheaper_share(a, a + 1) == 1.0


def test_a_value_holds_its_own_base() -> None:
    value = value_of(5.0, np.array([6.0, 7.0, 8.0]), "C")
    assert value.low <= value.mean <= value.high


def test_knowing_what_decides_is_worth_what_it_saves() -> None:
    """Two options, one of 0 or 2, one of 1 for sure: who knows the first beforehand saves half."""
    rng = np.random.default_rng(0)
    known = rng.random(200_000)
    gamble = np.where(known < 0.5, 0.0, 2.0)
    sure = np.ones_like(known)
    assert value_of_knowing([gamble, sure], [known]) == pytest.approx(0.5, abs=0.02)


def test_knowing_what_changes_nothing_is_worth_nothing() -> None:
    rng = np.random.default_rng(0)
    noise, cost = rng.random(100_000), rng.normal(1.0, 0.3, 100_000)
    assert value_of_knowing([cost, cost + 0.5], [noise]) < 0.01
    assert value_of_knowing([cost, np.ones(100_000)], [noise]) < 0.01
