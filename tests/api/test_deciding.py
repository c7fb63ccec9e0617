"""Decisions: the worked case end to end, one where renting wins, one where buying wins, and one that is not proven."""

from __future__ import annotations

from dataclasses import replace

import pytest

import assay
from assay.assumption import exactly
from assay.decision import Decision, Judged
from assay.errors import InputError
from assay.pilot import Demand, Needs, Pilot, PowerStep
from tests.api.pilots import BUY, COLO, about, gated, known, pilot, rent, usd_per_h

DAY = "2026-11-27"


def decide(one: Pilot, **more: object) -> Decision:
    return assay.decide(one, today=DAY, n=20_000, **more)  # type: ignore[arg-type]


def named(decision: Decision, name: str) -> Judged:
    return next(one for one in decision.candidates if one.name == name)


def test_the_worked_case_from_the_pilot_to_its_cost() -> None:
    """An HGX H100 of 250,000 USD in colocation: 1.637 USD an available hour, 2.339 a used one, 71.5 % against 2.29."""
    worth = named(decide(pilot(BUY, rent(2.29))), "buy").worth
    assert worth is not None
    assert worth.used_usd_per_s.mean == pytest.approx(usd_per_h(2.339), rel=0.005)
    assert worth.available_usd_per_s.mean == pytest.approx(usd_per_h(1.637), rel=0.005)
    assert worth.against[0].breakeven_utilization == pytest.approx(0.715, abs=0.005)


def test_rent_wins_where_it_is_cheap_and_the_machine_would_idle() -> None:
    idle = replace(pilot(BUY, rent(2.29)).workloads[0], jobs_per_year=exactly(0.25 * 1e5 * 365.25 * 86400 / 1e12))
    made = decide(gated(pilot(BUY, rent(2.29), workloads=(idle,))))
    assert made.answer == "choose"
    assert made.verdict.startswith("Choose rent")
    assert named(made, "rent").rank == 1
    buy = named(made, "buy").worth
    assert buy is not None
    assert buy.used_share.mean < (buy.against[0].breakeven_utilization or 1)
    assert buy.against[0].payback_months is None


def test_buying_wins_where_rents_are_high_and_machines_are_full() -> None:
    made = decide(gated(pilot(BUY, rent(6.88))))
    assert made.answer == "choose"
    assert made.verdict.startswith("Choose buy")
    buy = named(made, "buy").worth
    assert buy is not None
    assert buy.used_share.mean > (buy.against[0].breakeven_utilization or 1)
    assert 6 < (buy.against[0].payback_months or 0) < 24
    assert buy.against[0].npv_usd.low > 0


def test_what_a_gate_wants_measured_is_not_proven_by_what_is_published() -> None:
    made = decide(gated(pilot(BUY, rent(6.88)), "measured"))
    assert made.answer == "pilot first"
    assert {one.gates[0].proof for one in made.candidates} == {"not proven"}
    assert any(step.candidate == "buy" for step in made.next)


def test_what_costs_the_same_is_a_tie_and_is_not_bought_yet() -> None:
    made = decide(gated(pilot(BUY, rent(2.36, spread=0.3))))
    assert set(made.ties) == {"buy", "rent"}
    assert {one.rank for one in made.candidates} == {1}
    if made.candidates[0].name == "buy":
        assert made.answer == "do not buy yet"
    assert made.overturns[0].likely


def test_an_unknown_price_stays_unknown() -> None:
    nobody = replace(BUY, name="dear", system="dgx-b300", price_usd=None)
    made = decide(gated(pilot(BUY, rent(6.88), nobody)))
    dear = named(made, "dear")
    assert dear.rank is None
    assert dear.worth is None
    assert dear.unknown == ("the price of a node",)
    assert made.answer == "pilot first"
    assert "dear" in made.verdict


def test_constraints_come_before_the_price() -> None:
    cheap = replace(rent(0.5), name="cheap", site="")
    far = replace(BUY, name="late", delivery_s=exactly(400 * 86400.0))
    made = decide(gated(pilot(
        BUY, far, cheap, needs=Needs(jurisdictions=("US",), most_capex_usd=1e6),
        demand=Demand(horizon_s=3 * 365.25 * 86400, utilization=exactly(0.71), needed_by="2027-06-01"),
    )))  # fmt: skip
    late = named(made, "late")
    assert [one.name for one in late.ruled_out] == ["delivery"]
    assert late.rank is None
    assert named(made, "cheap").constraints[0].proof == "not proven"  # nobody said whose law holds there
    assert made.answer == "pilot first"


def test_a_site_without_room_rules_out_and_says_by_how_much() -> None:
    small = replace(COLO, power=(PowerStep(date="2026-01-01", power_w=5e3),), air_m3_per_s=10.0)
    made = decide(pilot(BUY, rent(6.88), sites=(small, pilot().sites[1])))
    text = named(made, "buy").ruled_out[0].text
    assert "power" in text
    assert "exceeded by" in text


def test_colocation_that_holds_cooling_refuses_a_pue_beside_it() -> None:
    twice = replace(COLO, colo_covers=("cooling",))
    with pytest.raises(InputError, match="paid twice"):
        decide(pilot(BUY, sites=(twice,)))


def test_colocation_that_holds_power_costs_no_energy() -> None:
    all_in = replace(COLO, colo_covers=("power", "cooling"), electricity_usd_per_j=None, pue=None)
    worth = named(decide(pilot(BUY, sites=(all_in,))), "buy").worth
    assert worth is not None
    assert "energy" not in {line.name for line in worth.lines}
    assert "colocation" in {line.name for line in worth.lines}


def test_the_same_question_gets_the_same_answer() -> None:
    one = gated(pilot(BUY, rent(3.0)))
    first, again = decide(one), decide(one)
    assert replace(first, made="") == replace(again, made="")


def test_every_number_of_the_ranking_says_where_it_is_from() -> None:
    made = decide(pilot(BUY, rent(3.0)))
    for key, stated in made.assumptions.items():
        assert stated.source or key in made.own, key
        assert key in made.units


def test_the_bill_is_the_sum_of_its_lines_and_of_its_months() -> None:
    for one in decide(pilot(BUY, rent(3.0))).candidates:
        assert one.worth is not None
        assert sum(line.usd for line in one.worth.lines) == pytest.approx(one.worth.year_usd.mean)
        if one.via == "rent":
            assert sum(m.net_usd for m in one.worth.months) == pytest.approx(3 * one.worth.year_usd.mean, rel=1e-3)


def test_a_tornado_is_explained_by_the_report_itself() -> None:
    buy = named(decide(pilot(BUY, rent(3.0))), "buy").worth
    assert buy is not None
    assert buy.explained.startswith("buy comes to $111,000 a year for all of the work; ")
    assert buy.explained.count(". ") == 1
    assert buy.tornado[0].name in buy.explained


def test_a_slow_machine_is_too_small_and_says_by_how_much() -> None:
    made = decide(pilot(BUY, rent(3.0), figures=(known("buy", 4e4), known("rent"))))
    assert "carries" in named(made, "buy").ruled_out[0].text


def test_as_many_clusters_as_the_work_needs_where_nobody_says() -> None:
    many = replace(BUY, clusters=None)
    made = decide(pilot(many, rent(3.0), figures=(known("buy", 1e4), known("rent"))))
    assert named(made, "buy").accelerators == 80
    assert not named(made, "buy").ruled_out


def test_what_would_overturn_it_does() -> None:
    """The rent at which the order turns, put into the pilot, turns it."""
    made = decide(gated(pilot(BUY, rent(6.88))))
    turn = next(one for one in made.overturns if one.name == "on-demand rent of hgx-h100")
    lower = rent(3600 * turn.at * 0.97)
    assert decide(gated(pilot(BUY, lower))).candidates[0].name == "rent"


def test_no_day_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="is no date"):
        assay.decide(pilot(BUY), today="soon")


def test_knowing_what_decides_is_named_with_its_worth() -> None:
    open_ = pilot(
        BUY, rent(2.4, spread=0.3), demand=Demand(horizon_s=3 * 365.25 * 86400, utilization=about(0.71, 0.6, 0.8))
    )
    asked = [step for step in decide(open_).next if not step.candidate]
    assert asked
    assert all((step.value_usd or 0) > 0 for step in asked)


@pytest.mark.parametrize(
    ("objective", "unit"), [("cost per used hour", "usd_per_s"), ("time to train", "s"), ("energy", "j")]
)
def test_each_objective_ranks_by_its_own_figure_and_explains_that(objective: str, unit: str) -> None:
    faster = (known("buy", 1.2e5), known("rent"))
    made = decide(gated(pilot(BUY, rent(3.0), figures=faster, objective=objective)))
    assert made.unit == unit
    scores = [one.score.mean for one in made.candidates if one.score is not None]
    assert scores == sorted(scores)
    first = made.candidates[0].worth
    assert first is not None
    assert first.moved_unit == unit
    assert first.moved_usual == pytest.approx(scores[0])
    if objective == "time to train":
        assert made.candidates[0].name == "buy"
        assert first.tornado[0].name == "speed of hgx-h100 at train"


def test_weather_that_is_not_there_is_refused_and_not_left_out() -> None:
    with pytest.raises(InputError, match=r"nowhere\.epw"):
        decide(pilot(BUY, sites=(replace(COLO, weather="nowhere.epw"), pilot().sites[1])))


def test_a_site_that_cannot_be_looked_at_is_not_proven_and_lets_nothing_through() -> None:
    from datetime import date

    from assay.decide.constraints import constraints
    from assay.decide.inputs import Standing

    standing = Standing(candidate=BUY, system=None, site=COLO, price=None)
    (told,) = constraints(standing, (), Needs(), ordered=date(2026, 12, 1), needed_by=None, unplaced="no draw is known")
    assert (told.name, told.proof) == ("facility", "not proven")
    assert told.text == "It could not be looked at: no draw is known."


def test_a_machine_that_no_catalog_knows_pays_for_its_power_and_its_place() -> None:
    own = replace(
        BUY, name="ours", system="this machine", via="own", price_usd=None, accelerators=8, power_w=10.2e3, covers=()
    )  # fmt: skip
    worth = named(decide(pilot(own, rent(3.0))), "ours").worth
    assert worth is not None
    assert {"energy", "colocation", "staff"} <= {line.name for line in worth.lines}
    assert any("maintenance" in note for note in worth.notes)
    silent = replace(own, power_w=None)
    assert "the power of a node" in named(decide(pilot(silent, rent(3.0))), "ours").unknown


def test_nothing_to_decide_is_no_refusal() -> None:
    assert decide(pilot()).answer == "pilot first"
    assert decide(pilot()).verdict == "Pilot first: there is no candidate yet."
    unknown = replace(BUY, name="ours", system="this machine", via="own", price_usd=None)
    assert decide(pilot(unknown, figures=())).answer == "pilot first"


def test_energy_and_carbon_are_of_the_work_and_not_of_a_machine_that_runs_all_year() -> None:
    seldom = replace(pilot().workloads[0], jobs_per_year=exactly(1.0))
    regional = replace(pilot().sites[1], region="US-Virginia")
    made = decide(pilot(BUY, rent(3.0), workloads=(seldom,), sites=(COLO, regional)))
    rented, bought = named(made, "rent"), named(made, "buy")
    assert rented.energy_j is not None
    assert bought.energy_j is not None
    assert rented.energy_j.mean < 0.5 * bought.energy_j.mean
    assert rented.fit is not None
    assert rented.fit.energy_j == rented.energy_j


def test_a_reserved_machine_is_paid_as_agreed_and_an_hourly_one_may_be_topped_up() -> None:
    reserved = replace(rent(2.0), name="reserved", term="reserved", clusters=None)
    hourly = replace(rent(3.0), name="hourly", clusters=None)
    work = replace(pilot().workloads[0], jobs_per_year=exactly(5 * 1e5 * 365.25 * 86400 / 1e12))
    falling = replace(pilot().assumptions, rent_decay=about(0.2, 0.0, 0.4))
    made = decide(pilot(reserved, hourly, workloads=(work,), assumptions=falling))
    kept = named(made, "reserved").worth
    assert kept is not None
    assert len({round(month.rent_usd) for month in kept.months[1:]}) == 1  # nobody said that it is agreed anew
    told = named(made, "hourly").worth
    assert told is not None
    assert any(note.startswith("reserve about") and "67 % of the time" in note for note in told.notes)
    assert any("is asked today" in note for note in told.notes)


def test_more_candidates_take_fewer_draws_each() -> None:
    many = [replace(rent(3.0 + i / 100), name=f"rent {i}") for i in range(40)]
    made = assay.decide(pilot(*many), today=DAY)
    assert len([one for one in made.candidates if one.rank]) == 40
    assert made.candidates[0].name == "rent 0"
