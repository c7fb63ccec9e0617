"""Risks are graded by evidence: none, and it is unknown; the worst of it counts; what is missing is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import catalog
from assay.assumption import Assumption, exactly
from assay.decide.grades import Factor, graded
from assay.decide.money import YEAR_S
from assay.decide.risk import error_record, lock_in, poisson_interval, scorecard, software, stability
from assay.decide.supply import delivery, resale, roadmap
from assay.decision import Ruling
from assay.economics import Economics
from assay.hardware import Software
from assay.machine import Device
from assay.observed import Observation, Trouble, Window
from assay.pilot import Candidate, Contract, Demand, Work
from assay.run import Event, Run

DAY_S = 86400.0
TODAY = "2026-11-05"
H100, WAFER = catalog.system("hgx-h100"), catalog.system("cs-3")
BOUGHT = Candidate(name="a", system="hgx-h100")
RENTED = Candidate(name="b", system="hgx-h100", via="rent")
WORK = Work(name="w", operators=("attention", "topk"))
ECONOMICS = Economics(
    failure_hz=Assumption(value=0.173 / YEAR_S, low=0.08 / YEAR_S, high=0.35 / YEAR_S),
    resale=Assumption(value=0.1, low=0.0, high=0.3, confidence="low"),
)


def test_without_evidence_every_risk_is_unknown_and_says_what_is_missing():
    card = scorecard(BOUGHT, system=None, demand=Demand(), today=TODAY, economics=Economics())
    assert {risk.name: risk.grade for risk in card.risks} == dict.fromkeys(
        ("software maturity", "driver stability", "lock-in and exit", "roadmap and end of life",
         "availability and lead time", "resale"), "unknown")  # fmt: skip
    assert all(risk.missing and not risk.evidence for risk in card.risks)


@given(st.lists(st.sampled_from(["low", "medium", "high", "unknown"]), max_size=5))
def test_a_risk_is_as_large_as_the_worst_that_is_known_of_it(grades):
    risk = graded("r", [Factor(grade, grade) for grade in grades])
    known = [grade for grade in grades if grade != "unknown"]
    order = ("low", "medium", "high")
    assert risk.grade == (max(known, key=order.index) if known else "unknown")
    assert not risk.evidence or risk.evidence[0].text == risk.grade


# --- software ------------------------------------------------------------------------------------------------------


def test_a_documented_stack_is_a_low_risk_with_the_operators_still_to_try():
    risk = software(H100, [WORK])
    assert risk.grade == "low"
    assert "attention, topk run" in risk.missing[0]


def test_an_operator_that_failed_outweighs_what_is_documented():
    risk = software(H100, [WORK], operators={"attention": True, "topk": False})
    assert risk.grade == "high"
    assert risk.evidence[0].text == "topk did not run"
    assert risk.missing == ()


def test_a_gate_that_is_not_proven_says_nothing_and_a_failed_one_says_high():
    def gate(proof):
        return Ruling(name="runs", proof=proof, text=proof, stage=1)

    assert software(H100, [], [gate("not proven")]).evidence == software(H100, []).evidence
    assert software(H100, [], [gate("fail")]).grade == "high"
    assert software(H100, [], [gate("pass")]).missing == ()


def test_a_framework_that_the_stack_dropped_is_a_high_risk_and_one_nobody_speaks_of_is_missing():
    assert software(WAFER, [replace(WORK, framework="tensorflow")]).grade == "high"
    odd = software(H100, [replace(WORK, framework="mindspore", operators=())])
    assert "how well mindspore is supported" in odd.missing


# --- driver stability ----------------------------------------------------------------------------------------------


def test_a_short_run_without_an_error_proves_nothing():
    """A usual rate is shown by 8.5 accelerator-years without an error: 3 over 0.35 a year."""
    risk = stability(0, 30 * 3600, ECONOMICS)
    assert risk.grade == "unknown"
    assert "0 errors in 30 accelerator-hours" in risk.evidence[0].text
    assert float(risk.missing[0].split()[0].replace(",", "")) == pytest.approx(2.97 / 0.35 * 365.25 * 24, rel=0.02)
    assert stability(0, 9 * YEAR_S, ECONOMICS).grade == "low"


def test_an_error_a_day_is_a_high_risk_and_nothing_watched_is_unknown():
    assert stability(3, 3 * DAY_S, ECONOMICS).grade == "high"
    assert stability(None, 0.0, ECONOMICS).grade == "unknown"


@pytest.mark.parametrize(("count", "low", "high"), [(0, 0, 2.996), (1, 0.0513, 4.744), (10, 5.425, 16.962)])
def test_the_interval_of_a_count_is_that_of_the_chi_square_tables(count, low, high):
    assert poisson_interval(count) == pytest.approx((low, high), rel=0.02, abs=0.02)


def test_a_drivers_event_and_the_counter_that_shows_it_are_one_error_and_hours_are_those_of_devices():
    devices = tuple(Device(name="x", vendor="ACME", id=f"gpu{i}") for i in range(4))
    events = tuple(Event(at_s=1.0, kind=kind, text="") for kind in ("xid", "gap", "xid"))
    run = Run(id="1", name="w", command=(), started=TODAY, duration_s=100.0, environment={}, events=events,
              devices=(*devices, Device(name="host", vendor="", id="host")))  # fmt: skip
    window = Window(begin_s=1.0, end_s=1.0)
    seen = Observation(verdict="", troubles=(Trouble(kind="error", of="gpu0", window=window, text=""),))
    assert error_record([(run, seen)]) == (2, 400.0)
    assert error_record([(run, seen), (replace(run, events=()), seen)]) == (3, 800.0)
    assert error_record([(replace(run, devices=()), seen)]) == (None, 0.0)


# --- lock-in -------------------------------------------------------------------------------------------------------


def test_what_is_compiled_for_one_machine_locks_in_and_what_many_run_does_not():
    market = list(catalog.systems().values())
    horizon = 3 * YEAR_S
    assert lock_in(RENTED, H100, [WORK], market, horizon, None).grade == "low"
    assert lock_in(BOUGHT, H100, [WORK], market, horizon, None).grade == "medium"
    assert lock_in(RENTED, WAFER, [WORK], market, horizon, None).grade == "high"


def test_a_commitment_as_long_as_the_horizon_and_a_dear_exit_lock_in():
    horizon = 3 * YEAR_S
    assert lock_in(replace(RENTED, commitment_s=horizon), H100, [], (), horizon, None).grade == "high"
    dear = replace(RENTED, contract=Contract(exit_usd=exactly(6e5, "offer")))
    assert lock_in(dear, H100, [], (), horizon, 1e6).grade == "high"
    assert lock_in(dear, H100, [], (), horizon, 1e8).grade == "low"
    assert "what leaving costs" in lock_in(RENTED, H100, [], (), horizon, None).missing


# --- supply --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "grade"), [("EOL", "high"), ("shipping (declining)", "medium"),
                                               ("shipping", "low"), ("announced, H2 2026", "high")])  # fmt: skip
def test_what_is_no_longer_or_not_yet_made_is_a_risk(status, grade):
    chip = replace(H100.accelerator, status=status, year=2026)
    assert roadmap(BOUGHT, replace(H100, accelerator=chip), Demand(), TODAY).grade == grade


def test_support_must_last_as_long_as_the_plan():
    chip = replace(H100.accelerator, status="shipping", year=2026)
    new, demand = replace(H100, accelerator=chip), Demand(start="2027-01-01", horizon_s=3 * YEAR_S)
    ends = {end: replace(BOUGHT, contract=Contract(end_of_life=end)) for end in ("2029-06", "2031")}
    assert roadmap(ends["2029-06"], new, demand, TODAY).grade == "high"
    assert roadmap(ends["2031"], new, demand, TODAY).grade == "low"
    assert roadmap(BOUGHT, new, demand, TODAY).missing


@pytest.mark.parametrize(("needed", "grade"), [("2027-06-01", "low"), ("2027-02-01", "medium"), ("2026-12-01", "high")])
def test_delivery_is_judged_by_the_date_of_need(needed, grade):
    """From 5 November: 30 days at best, 80 usually, 180 at worst."""
    late = replace(BOUGHT, delivery_s=Assumption(value=80 * DAY_S, low=30 * DAY_S, high=180 * DAY_S))
    found = delivery(late, replace(H100, offers=()), Demand(needed_by=needed), TODAY)
    assert found.grade == grade
    assert found.missing == ("who else offers it to buy",)


def test_what_is_there_already_needs_no_delivery_and_what_nobody_dates_is_unknown():
    assert delivery(replace(BOUGHT, via="own"), H100, Demand(), TODAY).grade == "low"
    assert delivery(BOUGHT, replace(H100, offers=()), Demand(), TODAY).grade == "unknown"


def test_old_offers_prove_nothing():
    old = replace(H100, offers=tuple(replace(o, date="2020-01") for o in H100.offers))
    assert delivery(RENTED, old, Demand(), TODAY).grade == "unknown"


def test_a_rule_of_thumb_for_any_server_is_no_evidence_of_this_ones_resale():
    assert resale(BOUGHT, H100, ECONOMICS).grade == "unknown"
    sure = Economics(resale=Assumption(value=0.3, low=0.25, high=0.35, source="buy-back offer", confidence="high"))
    assert resale(BOUGHT, H100, sure).grade == "low"
    assert resale(RENTED, H100, Economics()).grade == "low"


@given(st.text(max_size=12), st.text(max_size=12))
def test_no_date_that_anybody_writes_ends_in_a_traceback(today, end):
    candidate = replace(BOUGHT, contract=Contract(end_of_life=end), delivery_s=exactly(1e12))
    card = scorecard(candidate, system=H100, demand=Demand(needed_by=end, start=end), today=today, economics=ECONOMICS)
    assert len(card.risks) == 6


def test_no_system_of_the_catalog_has_low_software_risk_by_a_stack_that_nobody_graded():
    unknown = replace(H100.accelerator, software=Software(stack="new"))
    assert software(replace(H100, accelerator=unknown), [WORK]).grade == "unknown"
    for system in catalog.systems().values():
        risk = software(system, [WORK])
        assert risk.grade == "unknown" or risk.evidence[0].source == "catalog"
