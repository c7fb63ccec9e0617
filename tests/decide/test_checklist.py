"""The checklist says yes only where the pilot's data does or a person did; the rest is open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assay.assumption import Assumption, exactly
from assay.catalog.checklists import checklist as table
from assay.decide.checklist import FROM_DATA, checklist, unknown_items
from assay.pilot import (
    Benefits,
    Candidate,
    Checklist,
    Contract,
    Demand,
    Gate,
    Needs,
    Pilot,
    PowerStep,
    Site,
    Slice,
    Work,
)  # fmt: skip
from assay.siting import FailureState, Fit, Limit

DAY_S = 86400.0
TODAY = "2026-11-05"
BARE = Pilot(name="p", question="which?", starts="2026-11-01")
PROMISED = Contract(availability=0.995, replacement_s=DAY_S, driver_update_s=7 * DAY_S, exit_usd=exactly(1e5),
                    end_of_life="2032")  # fmt: skip
BOUGHT = Candidate(name="bought", system="hgx-h100", site="hall", price_usd=exactly(250e3), price_date="2026-09",
                   price_source="quote", covers=("network",), contract=PROMISED, answers={"price": "250"},
                   delivery_s=Assumption(value=60 * DAY_S, low=30 * DAY_S, high=90 * DAY_S))  # fmt: skip
RENTED = Candidate(name="rented", system="hgx-h100", via="rent", rent_usd_per_s=exactly(2.5 / 3600), contract=PROMISED,
                   price_date="2026-10", price_source="list", answers={"price": "2.5"})  # fmt: skip
FULL = replace(
    BARE, candidates=(BOUGHT, RENTED), budget_usd=50e3, owners={"decision": "A", "budget": "B"},
    workloads=(Work(name="w", snapshot="v1", data=Slice(sha256="ab"), jobs_per_year=exactly(4)),),
    sites=(Site(name="hall", jurisdiction="EU", power=(PowerStep(date="2027-01", power_w=1e6),)),),
    demand=Demand(growth=Assumption(value=0.3, low=0.1, high=0.6), predictability="steady", needed_by="2027-06-01"),
    needs=Needs(jurisdictions=("EU",)), benefits=Benefits(month_earlier_usd=exactly(1e5)),
    gates=(Gate(name="runs", stage=1, metric="loss"), Gate(name="fast", stage=2, metric="tokens_per_s"),
           Gate(name="holds", stage=3, metric="tokens_per_s", least_s=DAY_S)),
)  # fmt: skip


def answers(pilot, **more):
    return {item.id: item for item in checklist(table(), pilot, today=TODAY, **more)}


def test_a_pilot_that_says_everything_has_no_no_and_what_only_people_know_stays_open():
    found = answers(FULL)
    assert [item.id for item in found.values() if item.answer == "no"] == []
    assert {item.id for item in found.values() if item.answer == "yes"} >= {
        "owner", "needed-by", "demand", "own-work", "gates", "measured", "sustained", "price-dated", "price-covers",
        "rent-compared", "budget", "power", "sovereignty", "sla", "exit", "end-of-life", "rfp",
    }  # fmt: skip
    assert found["numerics"].answer == found["security"].answer == "open"
    assert all(item.filled_by == "pilot" for item in found.values() if item.answer == "yes")


def test_an_empty_pilot_says_yes_to_nothing():
    found = answers(BARE)
    assert [item.id for item in found.values() if item.answer == "yes"] == []
    assert found["owner"].answer == found["gates"].answer == found["budget"].answer == "no"


@pytest.mark.parametrize(
    ("change", "item", "answer"),
    [
        ({"demand": replace(FULL.demand, needed_by="2026-12-01")}, "power", "no"),
        ({"demand": replace(FULL.demand, needed_by="2026-12-01")}, "delivery", "no"),
        ({"sites": (replace(FULL.sites[0], power=()),)}, "power", "open"),
        ({"sites": (replace(FULL.sites[0], jurisdiction="US"),)}, "sovereignty", "no"),
        ({"sites": (replace(FULL.sites[0], jurisdiction=""),)}, "sovereignty", "open"),
        ({"gates": FULL.gates[:2]}, "gates", "no"),
        ({"gates": (*FULL.gates, replace(FULL.gates[0], accepts=("predicted",)))}, "measured", "no"),
        ({"candidates": (replace(BOUGHT, price_date="2025-01"), RENTED)}, "price-dated", "no"),
        ({"candidates": (replace(BOUGHT, price_usd=None), RENTED)}, "price-dated", "no"),
        ({"candidates": (BOUGHT, replace(RENTED, answers={}))}, "rfp", "no"),
        ({"candidates": (replace(BOUGHT, contract=replace(PROMISED, end_of_life="2028")),)}, "end-of-life", "no"),
        ({"candidates": (BOUGHT,)}, "rent-compared", "no"),
        ({"candidates": (BOUGHT,)}, "do-nothing", "no"),
    ],
)
def test_one_thing_that_is_not_so_is_told(change, item, answer):
    assert answers(replace(FULL, **change))[item].answer == answer


def test_what_does_not_fit_the_site_is_a_no_whatever_its_dates():
    fit = Fit(site="hall", nodes=4, racks=2, nodes_per_rack=2, power_w=4e4,
              limits=(Limit(name="rack power", wanted=2e4, available=1e4, unit="w"),
                      Limit(name="air per rack", wanted=1.0, available=2.0, unit="m3_per_s")),
              states=(FailureState(failed="feed A", load_w={"B": 2e4}, limit_w=1e4),))  # fmt: skip
    found = answers(FULL, fits={"bought": fit})
    assert found["power"].answer == "no"
    assert "rack power for bought" in found["power"].note
    assert found["redundancy"].note == "does not hold: bought with feed A failed"
    assert found["cooling"].answer == "yes"


def test_a_persons_answer_stands_and_is_told_where_the_data_says_otherwise():
    mine = (Checklist(id="gates", answer="yes", by="Ada", note="in the wiki"), Checklist(id="numerics", answer="no"))
    found = answers(replace(BARE, checklist=mine))
    assert (found["gates"].answer, found["gates"].filled_by) == ("yes", "Ada")
    assert "in the wiki; but the data: no gates" in found["gates"].note
    assert found["numerics"].answer == "no"
    odd = replace(BARE, checklist=(Checklist(id="gatez", answer="yes"),))
    assert unknown_items(odd, table()) == ("gatez",)


def test_whatever_stands_for_a_date_nothing_breaks():
    odd = replace(FULL, demand=replace(FULL.demand, needed_by="soon", start="??"))
    assert len(answers(odd)) == len(table()) >= len(FROM_DATA)
