"""Order, ties, and what would change them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from assay.assumption import Assumption, exactly
from assay.decide.inputs import Table
from assay.decide.outcome import outcome
from assay.decide.overturn import overturns
from assay.decide.rank import answer, order, pareto
from assay.decide.tornado import explain, tornado
from assay.decide.versus import breakeven_utilization, reserve_level
from assay.decision import Judged, Ruling
from assay.result import Value
from tests.decide.test_case import BOUGHT, RENTED, TABLE

SCORE = Value(mean=1.0, low=0.9, high=1.1, evidence="C")


def judged(name: str, via: str = "rent", **more: object) -> Judged:
    told = {"system": "h", "vendor": "", "site": "", "accelerators": 8, "rank": None, "score": SCORE, **more}
    return Judged(name=name, via=via, **told)  # type: ignore[arg-type]


def ruling(proof: str) -> Ruling:
    return Ruling(name="g", proof=proof, text="")  # type: ignore[arg-type]


def test_what_nine_draws_in_ten_do_not_tell_apart_is_a_tie() -> None:
    rng = np.random.default_rng(0)
    draws = {"a": rng.normal(1.0, 0.1, 9999), "b": rng.normal(1.05, 0.1, 9999), "c": rng.normal(2.0, 0.1, 9999)}
    found = order({name: float(d.mean()) for name, d in draws.items()}, draws)
    assert found.names == ("a", "b", "c")
    assert found.ties == ("a", "b")
    assert found.surest["c"] > 0.99


def test_shared_luck_does_not_make_a_tie() -> None:
    """Two candidates that pay the same uncertain tariff differ by what differs, not by what they share."""
    shared = np.random.default_rng(0).normal(10.0, 3.0, 9999)
    assert order({"a": 10.0, "b": 10.5}, {"a": shared, "b": shared + 0.5}).ties == ()


def test_the_break_even_of_the_worked_case() -> None:
    """Against 2.29, 2.95, 6.88 and 12.29 USD an hour: 71.5, 55.5, 24 and 13 % (worked case, 1.637 USD available)."""
    for rent, share in ((2.29, 0.715), (2.95, 0.555), (6.88, 0.24), (12.29, 0.13)):
        assert breakeven_utilization(1.637, rent) == pytest.approx(share, abs=0.005)
    assert breakeven_utilization(1.637, 1.50) is None


def test_what_is_reserved_is_used_often_enough() -> None:
    demand = np.arange(1.0, 101.0)
    level = reserve_level(list(demand), reserved=1.0, on_demand=4.0)
    assert np.mean(demand > level) == pytest.approx(0.25)
    assert reserve_level(list(demand), reserved=4.0, on_demand=3.0) == 0


@pytest.mark.parametrize(
    ("candidates", "ties", "elastic", "said"),
    [
        ([judged("a", constraints=(ruling("fail"),))], (), (), "nothing fits"),
        ([judged("a", gates=(ruling("not proven"),))], (), (), "pilot first"),
        ([judged("a"), judged("b", unknown=("price",))], (), (), "pilot first"),
        ([judged("a", "buy"), judged("b")], ("a", "b"), ("b",), "do not buy yet"),
        ([judged("a", "buy"), judged("b", "buy")], ("a", "b"), (), "tie"),
        ([judged("a", gates=(ruling("pass"),)), judged("b")], (), ("b",), "choose"),
    ],
)
def test_the_answer(candidates: list[Judged], ties: tuple[str, ...], elastic: tuple[str, ...], said: str) -> None:
    draws = {c.name: np.arange(3.0) for c in candidates}
    found = order({c.name: 1.0 for c in candidates if not c.ruled_out and not c.unknown}, draws)
    assert answer(candidates, replace(found, ties=ties), frozenset(elastic)) == said


def test_nothing_beats_the_pareto_set() -> None:
    points = {"cheap": (1.0, 9.0), "fast": (9.0, 1.0), "worse": (9.5, 9.5), "twin": (1.0, 9.0)}
    assert pareto(points) == ("cheap", "fast", "twin")


def test_a_tornado_is_the_formula_at_both_ends() -> None:
    swings = tornado(TABLE, lambda x: outcome(BOUGHT, x).year_usd, {"price": "usd"})
    price = next(s for s in swings if s.name == "price")
    assert price.at_high - price.at_low == pytest.approx(price.size)
    x = {key: s.value for key, s in TABLE.items()}
    assert price.at_low == pytest.approx(float(outcome(BOUGHT, {**x, "price": 190e3}).year_usd))
    assert [s.size for s in swings] == sorted((s.size for s in swings), reverse=True)
    assert "rent" not in {s.name for s in swings}


def test_a_tornado_is_explained_in_two_sentences() -> None:
    swings = tornado(TABLE, lambda x: outcome(BOUGHT, x).year_usd / 8, {"price": "usd", "utilization": ""})
    text = explain(swings, "buy", "a year", "usd", 10_000.0)
    assert text.startswith("buy comes to $10,000 a year; ")
    assert text.count(". ") == 1
    assert text.endswith(".")
    assert swings[0].name in text


def test_what_overturns_is_where_the_costs_meet() -> None:
    table = Table()
    for key, stated in TABLE.items():
        table.put(key, "", stated)
    found = overturns(RENTED, [BOUGHT], table, lambda o: o.work_usd)
    price = next(o for o in found if o.name == "price")
    x = {key: s.value for key, s in TABLE.items()} | {"price": price.at}
    assert float(outcome(BOUGHT, x).work_usd) == pytest.approx(float(outcome(RENTED, x).work_usd), rel=1e-3)
    assert price.leader == "bought"
    assert price.likely == (190e3 <= price.at <= 330e3)
    assert [o.likely for o in found] == sorted((o.likely for o in found), reverse=True)


def test_a_key_with_two_values_is_two_keys() -> None:
    table = Table()
    first = table.put("tariff", "usd_per_j", exactly(1.0), "a")
    same = table.put("tariff", "usd_per_j", exactly(1.0), "b")
    other = table.put("tariff", "usd_per_j", Assumption(value=2, low=1, high=3), "c")
    assert first == same == "tariff"
    assert other == "tariff (c)"
