"""Ranking machines: the order is by the figure asked for, the unknown is never first, and ties are declared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assay import api
from assay.api.studying import compare_systems, provenance
from assay.errors import InputError
from assay.result import Value


@pytest.fixture(scope="module")
def job():
    return api.workload("llama-3.1-8b", seq_len=8192, global_batch=512, tokens=1e11)


@pytest.fixture(scope="module")
def ranked(job):
    names = ("hgx-h100", "mi300x-8", "gaudi2-8", "cs-3", "tpu-v5p-pod", "t4-4", "hgx-b200")
    return compare_systems(job, [api.system(name, nodes=2) for name in names])


def test_results_stand_by_rent_and_the_unknown_comes_last(ranked):
    rents = [r.values.get("rent_usd") for r in ranked.results]
    known = [v.mean for v in rents if v]
    assert known == sorted(known)
    assert all(v is None for v in rents[len(known) :])


def test_a_machine_that_cannot_hold_the_job_says_by_how_much(ranked):
    assert [r.system for r in ranked.refused] == ["t4-4 × 2"]
    assert "short by" in ranked.refused[0].reason


def test_whoever_cannot_be_told_from_the_leader_ties_with_it(ranked):
    def with_rent(mean: float):
        values = {"rent_usd": Value(mean=mean, low=mean / 1.2, high=mean * 1.2, evidence="B")}
        return replace(ranked.results[0], values=ranked.results[0].values | values)

    # Two figures of ±20 % differ where their ratio passes exp(√2 · ln 1.2) = 1.29.
    assert api.ties([with_rent(m) for m in (100.0, 110.0, 128.0, 131.0, 300.0)], "rent_usd") == (0, 1, 2)
    assert api.ties([with_rent(m) for m in (100.0, 140.0)], "rent_usd") == ()


def test_every_figure_has_an_interval_around_it(ranked):
    for result in ranked.results:
        for name, value in result.values.items():
            assert value.low <= value.mean <= value.high, name
            assert value.evidence == result.evidence


def test_every_answer_has_its_sources(ranked):
    facts = provenance(ranked.results)
    for result in ranked.results:
        assert result.system.accelerator.name in facts
        assert all(fact.source.kind for fact in facts[result.system.accelerator.name].values())


def test_a_higher_price_raises_the_rent_and_nothing_else(job):
    machine = api.system("hgx-h100", nodes=2)
    dearer = replace(
        machine,
        offers=tuple(
            replace(o, price_usd_per_s=2 * o.price_usd_per_s) if o.price_usd_per_s else o for o in machine.offers
        ),
    )
    one, two = api.predict(job, machine), api.predict(job, dearer)
    assert two.values["rent_usd"].mean == pytest.approx(2 * one.values["rent_usd"].mean)
    assert two.step == one.step


def test_without_an_offer_there_is_no_rent_rather_than_a_free_one(job):
    bare = replace(api.system("hgx-h100", nodes=2), offers=())
    values = api.predict(job, bare).values
    assert "rent_usd" not in values
    assert "capex_usd" not in values


def test_figures_differ_only_when_their_errors_do_not_explain_it():
    def value(mean: float, half: float) -> Value:
        return Value(mean=mean, low=mean / half, high=mean * half, evidence="B")

    assert value(1.0, 1.1).differs(value(2.0, 1.1))
    assert not value(1.0, 1.5).differs(value(1.4, 1.5))
    assert not value(1.0, 1.1).differs(value(1.0, 1.1))


def test_a_plan_that_breaks_a_rule_is_refused_with_the_nearest_legal_one(job):
    from assay.plan import Plan

    with pytest.raises(InputError, match="nearest legal tp"):
        api.predict(job, api.system("hgx-h100"), Plan(tensor=7))


def test_an_odd_rack_is_used_in_part_and_says_so(job):
    result = api.predict(job, api.system("gb200-nvl72"))
    assert result.system.spare_per_node > 0
    assert any("stand idle" in note for note in result.notes)
