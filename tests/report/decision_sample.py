"""A decision as a real pilot makes it: five candidates, two of them tied, one ruled out, one without a price."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from assay.assumption import Assumption
from assay.decision import Decision, Judged, Measurement, Overturn, Rate, Ruling, SiteChoice, Spent
from assay.hazards import Downtime, Evidence, Hybrid, Item, Move, Question, Risk, Scorecard, Skill, Step
from assay.pilot import Accepts
from assay.result import Value
from assay.siting import CoolingOption, FailureState, Fit, Limit, Phase
from assay.worth import Against, Gain, Line, Month, Swing, UnitCost, Worth

sys.path.insert(0, str(Path(__file__).parent))
import report_sample

HOSTILE = report_sample.HOSTILE
HOUR, DAY, YEAR = 3600.0, 86400.0, 365.25 * 86400
H100, MI300X, CLOUD, WAFER, B200 = "h100-colo", "mi300x-colo", "h100-cloud", "cs3-colo", "b200-own-room"
MADE = "2026-11-20T09:00:00+00:00"


def about(mean: float, spread: float, evidence: Literal["A", "B", "C", "D"] = "B") -> Value:
    return Value(mean=mean, low=mean * (1 - spread), high=mean * (1 + spread), evidence=evidence)


# --- money -----------------------------------------------------------------------------------------------------------


def bought(name: str, price: float, per_hour: float, *, other: str, used: float = 0.7) -> Worth:
    """Four servers of eight that are bought: what they cost up front, and what runs each month."""
    n, capex = 32, 4.6 * price
    year = per_hour * n * used * YEAR / HOUR
    shares: Mapping[str, tuple[Literal["capital", "running", "rent"], float]] = {
        "servers": ("capital", 0.44),
        "network": ("capital", 0.08),
        "storage": ("capital", 0.04),
        "colo": ("running", 0.2),
        "maintenance": ("running", 0.11),
        "energy": ("running", 0.075),
        "staff": ("running", 0.055),
    }
    running = year * 0.44 / 12
    months = [Month(month=0, capital_usd=capex, running_usd=0.0, rent_usd=0.0, resale_usd=0.0)]
    months += [
        Month(month=m, capital_usd=0.0, running_usd=running, rent_usd=0.0, resale_usd=capex * 0.22 if m == 36 else 0.0)
        for m in range(1, 37)
    ]
    rent = 2.95 * n * used * YEAR / HOUR / 12
    payback = math.ceil(capex / (rent + 2400 - running))
    usual = per_hour / HOUR
    swings = (
        ("utilization", "", 0.4, 0.9, 1.75, 0.78),
        ("price of a server", "usd", 190e3, 330e3, 0.84, 1.21),
        ("life of a server", "s", 3 * YEAR, 6 * YEAR, 1.28, 0.93),
        ("maintenance, a year", "", 0.02, 0.1, 0.93, 1.11),
        ("cost of capital, a year", "", 0.06, 0.15, 0.94, 1.08),
        ("colocation", "usd_per_w_per_s", 120 / 1e3 / 2629800, 250 / 1e3 / 2629800, 0.93, 1.07),
        ("electricity", "usd_per_j", 0.05 / 3.6e6, 0.15 / 3.6e6, 0.966, 1.056),
        ("PUE", "", 1.1, 1.6, 0.988, 1.013),
    )
    return Worth(
        candidate=name,
        accelerators=n,
        year_usd=about(year, 0.12),
        available_usd_per_s=about(usual * used, 0.1),
        used_usd_per_s=about(usual, 0.13),
        used_share=Value(mean=used, low=0.4, high=0.9, evidence="C"),
        lines=tuple(Line(name=k, kind=kind, usd=year * share) for k, (kind, share) in shares.items()),
        units=(
            UnitCost(workload="pretrain-8b", unit="trained model", usd=about(per_hour * 1.02e5, 0.2)),
            UnitCost(workload="chat", unit="M tokens", usd=about(per_hour * 0.31, 0.25)),
        ),
        capex_usd=about(capex, 0.08),
        months=tuple(months),
        tornado=tuple(
            Swing(name=k, unit=unit, low=low, high=high, at_low=usual * a, at_high=usual * b)
            for k, unit, low, high, a, b in swings
        ),
        importance={"utilization": -0.81, "price of a server": 0.44, "life of a server": -0.31, "PUE": 0.04},
        against=(
            Against(
                other=CLOUD,
                npv_usd=Value(mean=4.1e5, low=-1.2e5, high=9e5, evidence="C"),
                payback_months=payback,
                cheaper_share=0.83,
                breakeven_utilization=usual * used / (2.95 / HOUR),
            ),
            Against(
                other=other,
                npv_usd=Value(mean=2e4, low=-2.4e5, high=2.8e5, evidence="C"),
                payback_months=None,
                cheaper_share=0.54,
                breakeven_utilization=None,
            ),
        ),
        gains=(
            Gain(
                name="models ready earlier",
                usd=about(1.8e5, 0.5, "C"),
                how="0.6 months earlier than today, at $300,000 for a month",
            ),
        ),
        explained="The share of time the machines are used moves the cost most: from 40 % to 90 % used, an hour falls "
        "from $4.09 to $1.82. Electricity and PUE together move it by less than $0.30.",
        notes=("Capital is spread over five years at 10 % a year.",),
    )


def rented(name: str = CLOUD, per_hour: float = 2.95, used: float = 0.7) -> Worth:
    n = 32
    year = per_hour * n * used * YEAR / HOUR
    months = tuple(
        Month(
            month=m, capital_usd=0.0, running_usd=2400.0 if m else 0.0, rent_usd=year / 12 if m else 0.0, resale_usd=0.0
        )
        for m in range(37)
    )
    return Worth(
        candidate=name,
        accelerators=n,
        year_usd=about(year + 28800, 0.09),
        available_usd_per_s=about(per_hour / HOUR * used, 0.09),
        used_usd_per_s=about(per_hour / HOUR, 0.09),
        used_share=Value(mean=used, low=0.4, high=0.9, evidence="C"),
        lines=(Line(name="rent", kind="rent", usd=year), Line(name="egress", kind="running", usd=28800.0)),
        units=(UnitCost(workload="pretrain-8b", unit="trained model", usd=about(per_hour * 1.02e5, 0.2)),),
        capex_usd=Value(mean=0.0, low=0.0, high=0.0, evidence="A"),
        months=months,
        against=(
            Against(
                other=H100,
                npv_usd=Value(mean=-4.1e5, low=-9e5, high=1.2e5, evidence="C"),
                payback_months=None,
                cheaper_share=0.17,
                breakeven_utilization=None,
            ),
        ),
    )


# --- site ------------------------------------------------------------------------------------------------------------


def fit(
    site: str, power: float, *, rack_w: float, there: float = 28.8e3, cooling: tuple[CoolingOption, ...] = ()
) -> Fit:
    return Fit(
        site=site,
        nodes=4,
        racks=2,
        nodes_per_rack=2,
        power_w=power,
        limits=(
            Limit(
                name="rack power",
                wanted=rack_w,
                available=there,
                unit="w",
                note="2 nodes a rack, 2N: one feed carries all",
            ),
            Limit(name="power from 2027-01", wanted=power, available=80e3, unit="w"),
            Limit(name="air per rack", wanted=0.755, available=0.9, unit="m3_per_s", note="12 K rise at 24 °C"),
            Limit(name="rack units", wanted=18.0, available=40.0),
            Limit(name="floor load", wanted=1050.0, available=None, unit="kg_per_m2"),
        ),
        states=(
            FailureState(failed="none", load_w={"feed A": rack_w / 2, "feed B": rack_w / 2}, limit_w=there),
            FailureState(failed="feed A", load_w={"feed B": rack_w}, limit_w=there),
        ),
        phases=(
            Phase(date="2027-01-15", nodes=2, power_w=power / 2, available_w=30e3),
            Phase(date="2027-04-01", nodes=4, power_w=power, available_w=80e3),
            Phase(date="2028-01-01", nodes=8, power_w=2 * power, available_w=None),
        ),
        cooling=cooling,
        pue=Value(mean=1.35, low=1.25, high=1.5, evidence="C"),
        energy_j=about(1.2e12 * power / 41e3, 0.15),
        water_m3=1900.0,
        carbon_kg=about(1.1e5, 0.2),
        embodied_kg=about(9800.0, 0.4),
        facts=(("air per rack", "1,600 CFM"), ("heat per rack", "20.4 kW"), ("weight per rack", "420 kg")),
        notes=("The site's own weather file was not given: the region's was used.",),
    )


COOLING = (
    CoolingOption(
        cooling="air",
        feasible=True,
        why="below the limit of air, 25 kW a rack",
        pue=Value(mean=1.45, low=1.35, high=1.6, evidence="C"),
        water_m3=2100.0,
        plant_usd=about(9.6e4, 0.2),
        energy_usd=about(1.6e5, 0.2),
        total_usd=about(2.36e5, 0.17),
    ),
    CoolingOption(
        cooling="rear-door",
        feasible=True,
        why="fits",
        pue=Value(mean=1.3, low=1.2, high=1.4, evidence="C"),
        water_m3=1600.0,
        plant_usd=about(1.3e5, 0.2),
        energy_usd=about(1.4e5, 0.2),
        total_usd=about(2.52e5, 0.17),
    ),
    CoolingOption(
        cooling="direct-liquid",
        feasible=False,
        why="these servers have no cold plates",
        pue=Value(mean=1.15, low=1.1, high=1.25, evidence="C"),
        water_m3=None,
        plant_usd=None,
        energy_usd=None,
        total_usd=None,
    ),
    CoolingOption(
        cooling="immersion",
        feasible=True,
        why="price of the tanks is unknown",
        pue=Value(mean=1.08, low=1.04, high=1.15, evidence="C"),
        water_m3=300.0,
        plant_usd=None,
        energy_usd=about(1.2e5, 0.2),
        total_usd=None,
    ),
)


# --- risk, people, questions -----------------------------------------------------------------------------------------


def scorecard(name: str, software: Literal["low", "medium", "high", "unknown"]) -> Scorecard:
    return Scorecard(
        candidate=name,
        risks=(
            Risk(
                name="software maturity",
                grade=software,
                evidence=(
                    Evidence(text="all 41 operators of the model ran in the functional stage", source="run 7b1c"),
                    Evidence(text="stack is 9 years old", source="catalog"),
                )
                if software != "unknown"
                else (),
                missing=("a run of the functional stage",) if software == "unknown" else (),
            ),
            Risk(
                name="lock-in",
                grade="medium",
                evidence=(Evidence(text="3 kernels of our own would have to be ported", source="pilot file"),),
            ),
            Risk(name="end of life", grade="unknown", missing=("an announced date",)),
            Risk(
                name="lead time",
                grade="high" if name == B200 else "low",
                evidence=(Evidence(text="delivery in 8 to 14 weeks", source="offer of 2026-10-02"),),
            ),
        ),
        downtime=Downtime(
            down_s=11 * DAY,
            promised_down_s=7.3 * DAY,
            loss_usd=about(1.4e4, 0.4, "C"),
            credit_usd=about(2100.0, 0.3, "C"),
            spares=1,
            note="0.9 failures per server and year, two days to repair; one spare covers 95 % of weeks",
        ),
        skills=(
            Skill(
                name="kernel debugging",
                people=about(0.5, 0.4, "D"),
                why="no vendor engineer on site",
                training_weeks=about(3.0, 0.5, "D"),
            ),
        ),
    )


QUESTIONS = (
    Question(
        id="clocks",
        text="Which clock do all eight accelerators of a server hold for a day at 27 °C inlet?",
        topic="thermal",
        why="sustained speed moves the ranking most",
        unit="MHz",
        weight=0.31,
        answers=((H100, "1,755 MHz"), (MI300X, "2,100 MHz, no guarantee")),
        measured=((H100, "1,710 MHz"),),
        asked=(H100, MI300X, WAFER, B200),
    ),
    Question(
        id="replacement",
        text="How long until a broken accelerator is replaced?",
        topic="service",
        why="a day more costs $1,300 a year",
        unit="hours",
        weight=0.06,
        answers=((H100, "next business day"),),
    ),
    Question(
        id="driver",
        text="How long from a known fault to a fixed driver?",
        topic="software",
        why="one crash a week was seen",
        weight=0.12,
    ),
)
CHECKLIST = (
    Item(
        id="data-law",
        topic="data",
        text="Is it known under whose law the training data lies?",
        answer="yes",
        note="EU",
        filled_by="pilot",
    ),
    Item(
        id="exit",
        topic="contract",
        text="Is the cost of leaving agreed in writing?",
        answer="no",
        note="the draft says nothing",
        filled_by="J. Meyer",
    ),
    Item(id="on-call", topic="people", text="Is somebody on call at night who can replace a node?"),
)
HYBRID = Hybrid(
    moves=(
        Move(
            workload="pretrain-8b",
            pool="specialised",
            candidate=H100,
            accelerators=32,
            why="stable, busy 70 % of the time",
        ),
        Move(workload="chat", pool="either", candidate=H100, accelerators=8, why="stable, but follows the day"),
        Move(
            workload="research",
            pool="general",
            candidate="",
            accelerators=None,
            why="its code changes from week to week",
        ),
    ),
    steps=(
        Step(
            name="move one training job",
            gate="loss within 0.5 % of the old pool's after 10,000 steps",
            rollback="two unplanned stops in a week",
            runbook=("copy the snapshot", "start from the last checkpoint", "compare the loss every 500 steps"),
        ),
        Step(
            name="move serving by a tenth a day",
            gate="p99 time to first token below 2 s",
            rollback="any day with more errors than before",
        ),
    ),
    incidents=(("unplanned stops", "per 1,000 accelerator-hours, four weeks before and after"),),
)


# --- candidates ------------------------------------------------------------------------------------------------------


def rate(workload: str, mean: float, origin: Accepts, spread: float = 0.1, source: str = "") -> Rate:
    evidence: Mapping[Accepts, Literal["A", "B", "C", "D"]] = {
        "measured": "A",
        "published": "B",
        "stated": "D",
        "predicted": "C",
    }
    return Rate(
        workload=workload,
        metric="tokens_per_s",
        value=about(mean, spread, evidence[origin]),
        origin=origin,
        source=source
        or {"predicted": "assay predict", "measured": "run 7b1c2f"}.get(origin, "https://example.org/results"),
        bound="compute" if workload == "pretrain-8b" else "memory",
    )


def gates(answers: Mapping[str, Literal["pass", "fail", "not proven"]]) -> tuple[Ruling, ...]:
    told = {
        "pass": "above the limit, sure to 90 %",
        "fail": "below the limit, sure to 90 %",
        "not proven": "nothing was measured yet",
    }
    limits = {
        "runs": (1, "", None),
        "fast enough": (2, "tokens_per_s", 250e3),
        "holds for a day": (3, "tokens_per_s", 240e3),
    }
    return tuple(
        Ruling(
            name=name,
            proof=answer,
            text=told[answer],
            stage=limits[name][0],
            metric=limits[name][1],
            wanted=limits[name][2],
            found=about(293e3, 0.03, "A") if answer == "pass" and limits[name][1] else None,
            source="run 7b1c2f" if answer != "not proven" else "",
        )
        for name, answer in answers.items()
    )


def must(
    power: Literal["pass", "fail", "not proven"] = "pass", text: str = "wants 20.4 of 28.8 kW a rack"
) -> tuple[Ruling, ...]:
    return (
        Ruling(name="fits the site", proof=power, text=text, source="facility"),
        Ruling(name="delivered in time", proof="pass", text="2027-01-10, needed by 2027-02-01"),
        Ruling(name="data stays in the EU", proof="pass", text="the site is in DE"),
    )


def results(index: int) -> tuple[object, ...]:
    found = report_sample.study().results[index]
    return (replace(found, workload=replace(found.workload, name="pretrain-8b")),)


def candidates() -> tuple[Judged, ...]:
    h100, mi300x, cloud = bought(H100, 2.5e5, 2.339, other=MI300X), bought(MI300X, 2.2e5, 2.41, other=H100), rented()
    done = {"runs": "pass", "fast enough": "pass", "holds for a day": "not proven"}
    return (
        Judged(
            name=H100,
            system="hgx-h100",
            vendor="NVIDIA",
            via="buy",
            site="Frankfurt colo",
            accelerators=32,
            rank=1,
            score=h100.year_usd,
            constraints=must(),
            gates=gates(done),
            worth=h100,
            fit=fit("Frankfurt colo", 40.8e3, rack_w=20.4e3, cooling=COOLING),
            rates=(
                rate("pretrain-8b", 293e3, "measured", 0.03),
                rate("pretrain-8b", 301e3, "predicted"),
                rate("chat", 41e3, "measured", 0.06),
            ),
            results=results(6),
            risks=scorecard(H100, "low"),
            duration_s=about(39.5 * DAY, 0.06),
            energy_j=about(1.2e12, 0.15),
            delivered="2027-01-10",
        ),
        Judged(
            name=MI300X,
            system="mi300x-platform",
            vendor="AMD",
            via="buy",
            site="Frankfurt colo",
            accelerators=32,
            rank=2,
            score=mi300x.year_usd,
            constraints=must(text="wants 22.8 of 28.8 kW a rack"),
            gates=gates(done | {"fast enough": "not proven"}),
            worth=mi300x,
            fit=fit("Frankfurt colo", 45.6e3, rack_w=22.8e3),
            rates=(
                rate("pretrain-8b", 282e3, "published", 0.13),
                rate("pretrain-8b", 275e3, "predicted", 0.2),
                rate("chat", 47e3, "stated", 0.3),
            ),
            results=results(5),
            risks=scorecard(MI300X, "medium"),
            duration_s=about(41.0 * DAY, 0.18),
            energy_j=about(1.33e12, 0.18),
            delivered="2027-01-20",
        ),
        Judged(
            name=CLOUD,
            system="hgx-h100",
            vendor="NVIDIA",
            via="rent",
            elastic=True,
            site="eu-central",
            accelerators=32,
            rank=3,
            score=cloud.year_usd,
            constraints=must(text="a rented machine stands in its owner's building"),
            gates=gates(done),
            worth=cloud,
            rates=(rate("pretrain-8b", 288e3, "measured", 0.04), rate("chat", 40e3, "predicted", 0.2)),
            risks=scorecard(CLOUD, "low"),
            duration_s=about(40.2 * DAY, 0.07),
            energy_j=about(1.2e12, 0.2),
            delivered="2026-12-01",
        ),
        Judged(
            name=WAFER,
            system="cs-3",
            vendor="Cerebras",
            via="buy",
            site="Frankfurt colo",
            accelerators=2,
            rank=None,
            score=None,
            constraints=must("not proven", "the site's water flow is unknown"),
            gates=gates({"runs": "not proven", "fast enough": "not proven", "holds for a day": "not proven"}),
            rates=(rate("pretrain-8b", 390e3, "stated", 0.4),),
            risks=scorecard(WAFER, "unknown"),
            duration_s=about(30 * DAY, 0.4, "D"),
            unknown=("price of a node",),
        ),
        Judged(
            name=B200,
            system="hgx-b200",
            vendor="NVIDIA",
            via="buy",
            site="own room",
            accelerators=32,
            rank=None,
            score=about(6.1e5, 0.2, "C"),
            constraints=must("fail", "wants 28.6 of 11.5 kW a rack: short by 17.1 kW"),
            gates=gates({"runs": "not proven", "fast enough": "not proven", "holds for a day": "not proven"}),
            worth=replace(bought(B200, 4.2e5, 3.1, other=H100), against=()),
            fit=fit("own room", 57.2e3, rack_w=28.6e3, there=11.5e3),
            rates=(rate("pretrain-8b", 640e3, "published", 0.13), rate("chat", 96e3, "predicted", 0.25)),
            results=results(0),
            risks=scorecard(B200, "medium"),
            duration_s=about(18.1 * DAY, 0.14),
            delivered="2027-03-01",
        ),
    )  # type: ignore[arg-type]


def assumptions() -> dict[str, Assumption]:
    return {
        "utilization": Assumption(
            value=0.7, low=0.4, high=0.9, source="queue logs of 2025", date="2026-10-01", confidence="low"
        ),
        "server_life_s": Assumption(
            value=5 * YEAR, low=3 * YEAR, high=6 * YEAR, source="annual reports", date="2026-02"
        ),
        "electricity_usd_per_j": Assumption(
            value=0.087 / 3.6e6,
            low=0.05 / 3.6e6,
            high=0.15 / 3.6e6,
            source="https://example.org/tariffs",
            date="2025-06-30",
        ),
        "h100-colo.price_usd": Assumption(
            value=2.5e5, low=1.9e5, high=3.3e5, source="offer", date="2026-03-01", confidence="high"
        ),
        "failure_hz": Assumption(
            value=3.4e-8, low=1e-8, high=8e-8, source="published logs", date="2024-07", note="of one accelerator"
        ),
    }


def decision() -> Decision:
    return Decision(
        pilot="chat-models",
        question="Which 32 accelerators should train and serve our 8B models for three years: buy or rent?",
        objective="cost of the work",
        unit="usd",
        made=MADE,
        answer="tie",
        verdict="Buy 32 H100 or 32 MI300X for the Frankfurt colo: they tie, and both beat renting at 70 % use",
        reasons=(
            "h100-colo costs $459,000 a year, mi300x-colo $473,000; their intervals overlap",
            "renting costs $608,000 a year at the same use",
            "b200-own-room needs 28.6 kW a rack and the room gives 11.5 kW",
        ),
        candidates=candidates(),
        ties=(H100, MI300X),
        pareto=(H100, CLOUD),
        overturns=(
            Overturn(name="utilization", unit="", usual=0.7, at=0.555, leader=CLOUD, likely=True),
            Overturn(name="price of a server", unit="usd", usual=2.5e5, at=3.72e5, leader=CLOUD, likely=False),
        ),
        next=(
            Measurement(
                candidate=MI300X,
                workload="pretrain-8b",
                stage=2,
                what="the whole training step on one server, an hour",
                value_usd=38e3,
                cost_usd=640.0,
                command="assay pilot run --stage 2 --candidate mi300x-colo",
            ),
            Measurement(
                candidate=H100,
                workload="pretrain-8b",
                stage=3,
                what="a day of training without a stop",
                value_usd=None,
                cost_usd=None,
                command="assay pilot run --stage 3 --candidate h100-colo",
            ),
        ),
        spent=Spent(
            day=17, days=45, usd=6200.0, budget_usd=15000.0, forecast_usd=16400.0, note="two runs were repeated"
        ),
        hybrid=HYBRID,
        questions=QUESTIONS,
        checklist=CHECKLIST,
        places=(
            SiteChoice(
                site="Frankfurt colo",
                kind="colo",
                allowed=True,
                reasons=("80 kW from 2027-01", "data stays in the EU"),
                used_usd_per_s=about(2.339 / HOUR, 0.13),
            ),
            SiteChoice(site="own room", kind="own", allowed=True, reasons=("11.5 kW a rack at most",)),
            SiteChoice(site="us-east", kind="cloud", allowed=False, reasons=("the data may not leave the EU",)),
        ),
        assumptions=assumptions(),
        own=("utilization", "h100-colo.price_usd"),
        warnings=("h100-colo.price_usd is stale: 264 days old, older than 180 days.",),
        inputs={"pilot.toml": "sha256:5f0c9a77e1", "catalog": "sha256:90bd31c2aa", "run 7b1c2f": "sha256:1be0c4d9f3"},
        tool="assay 0.1.0",
    )


def empty() -> Decision:
    """A pilot in which nothing is known yet."""
    return Decision(
        pilot="new", question="", objective="cost of the work", unit="usd", made="", answer="pilot first", verdict=""
    )


def hostile() -> Decision:
    """Text that would like to be markup, wherever a team can write text."""
    first, *others = candidates()
    bad = replace(
        first,
        name=HOSTILE,
        vendor=HOSTILE,
        site=HOSTILE,
        system=HOSTILE,
        delivered=HOSTILE,
        unknown=(HOSTILE,),
        gates=tuple(replace(g, name=HOSTILE, text=HOSTILE) for g in first.gates[:1]),
        rates=tuple(replace(r, workload=HOSTILE, source=f"javascript:{HOSTILE}", bound=HOSTILE) for r in first.rates),
    )
    return replace(
        decision(),
        pilot=HOSTILE,
        question=HOSTILE,
        verdict=HOSTILE,
        reasons=(HOSTILE,),
        warnings=(HOSTILE,),
        ties=(HOSTILE, MI300X),
        candidates=(bad, *others),
        inputs={HOSTILE: HOSTILE},
        own=(HOSTILE,),
        pareto=(HOSTILE,),
        assumptions={
            HOSTILE: Assumption(value=1.0, low=0.5, high=2.0, source=f"https://example.org/{HOSTILE}", note=HOSTILE)
        },
        checklist=(Item(id="x", topic=HOSTILE, text=HOSTILE, note="=1+1"),),
    )
