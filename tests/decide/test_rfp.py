"""What is asked is what is still open, and first what moves the decision; what was measured is not asked for again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import catalog
from assay.catalog.checklists import questions as table
from assay.decide.rfp import HEAD, compared, questions, rows, unknown_answers
from assay.decision import Ruling
from assay.pilot import Candidate, Site
from assay.result import Value

H100, WAFER = catalog.system("hgx-h100"), catalog.system("cs-3")
BOUGHT = Candidate(name="bought", system="hgx-h100", site="hall")
RENTED = Candidate(name="rented", system="hgx-h100", via="rent")
SPECIAL = Candidate(name="special", system="cs-3", site="hall")
SYSTEMS = {"bought": H100, "rented": H100, "special": WAFER}


def asked(*candidates, **more):
    return {q.id: q for q in questions(table(), candidates=candidates, systems=SYSTEMS, **more)}


def test_each_is_asked_what_applies_to_it():
    found = asked(BOUGHT, RENTED, SPECIAL)
    assert found["price"].asked == ("bought", "special")
    assert found["rent"].asked == ("rented",)
    assert found["compile-time"].asked == ("special",)
    assert found["sustained-clock"].asked == ("bought", "rented", "special")
    assert "interruption" not in found
    assert asked(replace(RENTED, term="spot"))["interruption"].asked == ("rented",)


def test_liquid_is_asked_about_where_there_is_liquid():
    assert "coolant" not in asked(BOUGHT, sites={"hall": Site(name="hall", cooling="air")})
    assert "coolant" in asked(BOUGHT, sites={"hall": Site(name="hall", cooling="direct-liquid")})


def test_nobody_is_asked_about_a_machine_that_is_there():
    assert asked(Candidate(name="bought", system="hgx-h100", via="own")) == {}


def test_a_question_that_was_answered_or_measured_is_marked_and_weighs_nothing():
    open_, answered = asked(BOUGHT), asked(replace(BOUGHT, answers={"binning": "under 2 %", "export": "  "}))
    assert answered["binning"].answers == (("bought", "under 2 %"),)
    assert answered["binning"].weight == 0.0 < open_["binning"].weight
    assert answered["export"].open_for == ("bought",)  # a blank is no answer
    found = asked(BOUGHT, rulings={"bought": [gate("A")]})
    assert found["sustained-power"].measured == (("bought", "9.1 kW (run 7)"),)
    assert found["sustained-power"].open_for == ()


def gate(evidence) -> Ruling:
    value = Value(mean=9100.0, low=9000.0, high=9200.0, evidence=evidence)
    return Ruling(name="draw", proof="pass", text="", stage=3, metric="power_w", found=value, source="run 7")


def test_a_datasheets_figure_measures_nothing():
    assert asked(BOUGHT, rulings={"bought": [gate("D")]})["sustained-power"].measured == ()


def test_what_moves_the_cost_most_is_asked_first():
    swings = {"resale": 5.0, "power_w": 0.1}
    plain, weighed = asked(BOUGHT), asked(BOUGHT, swings=swings)
    assert plain["buy-back"].weight < plain["sustained-power"].weight
    assert weighed["buy-back"].weight > weighed["sustained-power"].weight
    assert weighed["scale-references"].weight > 0  # a tornado is of money alone


CHOICES = st.lists(st.sampled_from([BOUGHT, RENTED, SPECIAL]), min_size=1, max_size=3, unique_by=lambda c: c.name)
SWINGS = st.dictionaries(st.sampled_from(["resale", "power_w", "rent_usd_per_s", "failure_hz"]), st.floats(0, 1e6))


@given(CHOICES, SWINGS)
def test_weights_lie_between_nothing_and_one_and_fall(candidates, swings):
    found = questions(table(), candidates=candidates, systems=SYSTEMS, swings=swings)
    weights = [q.weight for q in found]
    assert weights == sorted(weights, reverse=True)
    assert all(0 <= weight <= 1 for weight in weights)


def test_the_table_for_vendors_has_a_row_for_each_question_and_candidate():
    found = questions(table(), candidates=(BOUGHT, RENTED), systems=SYSTEMS)
    listed = rows(found)
    assert listed[0] == HEAD
    assert len(listed) == 1 + sum(len(q.asked) for q in found)
    assert {len(row) for row in listed} == {len(HEAD)}


def test_answers_stand_side_by_side_and_a_measurement_before_a_claim():
    said = replace(BOUGHT, answers={"sustained-power": "8 kW"})
    found = questions(table(), candidates=(said, SPECIAL, RENTED), systems=SYSTEMS, rulings={"bought": [gate("A")]})
    beside = {row[0]: row[3:] for row in compared(found, ("bought", "special", "rented"))}
    assert beside["id"] == ("bought", "special", "rented")
    assert beside["sustained-power"] == ("measured 9.1 kW (run 7); says 8 kW", "no answer", "no answer")
    assert beside["price"][2] == "not asked"


@pytest.mark.parametrize(("answers", "odd"), [({"binning": "x"}, ()), ({"bining": "x"}, ("bining",))])
def test_an_answer_to_a_question_that_is_not_asked_is_found(answers, odd):
    assert unknown_answers(replace(BOUGHT, answers=answers), table()) == odd
