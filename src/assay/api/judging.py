"""Beside the money: risks, questions, where each kind of work belongs, and what is worth measuring next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from assay import catalog
from assay.api.evidence import Known
from assay.api.pilot_steps import open_gates
from assay.api.standing import Stood
from assay.catalog import checklists
from assay.decide import people, rfp, risk, sla
from assay.decide.case import Case
from assay.decide.hybrid import Pool, hybrid
from assay.decide.information import value_of_knowing
from assay.decide.money import YEAR_S
from assay.decide.simulate import Drawn
from assay.decision import Judged, Measurement, Ruling
from assay.economics import Economics
from assay.hazards import Hybrid, Question, Scorecard
from assay.pilot import Pilot
from assay.result import Value
from assay.worth import Worth

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]

_NEXT, _ASKED = 6, 2  # steps that are named, and how many of them are questions
_WORTH_ASKING = 0.002  # of the leader's yearly cost: what knowing must save to be named


def risks_of(
    pilot: Pilot, one: Stood, gates: Sequence[Ruling], worth: Worth | None, known: Known, economics: Economics,
    today: str,
) -> Scorecard:  # fmt: skip
    """The scorecard of a candidate from what was looked up and what its runs have shown."""
    c, system, site = one.standing.candidate, one.standing.system, one.standing.site
    runs = [(known.runs[a.id], None) for a in known.added if a.candidate == c.name and a.id in known.runs]
    errors, watched_s = risk.error_record(runs)
    nodes = one.case.machines if one.case is not None else c.nodes
    per_node = one.case.per_node if one.case is not None else 1
    bill = None if worth is None else _over(worth.year_usd, YEAR_S)
    down = sla.downtime(
        contract=c.contract, economics=economics, nodes=nodes, per_node=per_node,
        usd_per_s=worth.available_usd_per_s if worth is not None else None, bill_usd_per_s=bill,
        rented=c.via == "rent",
    )  # fmt: skip
    skills = () if system is None else people.skills(
        checklists.skills(), system=system, servers=nodes, via=c.via, cooling=site.cooling if site is not None else None
    )  # fmt: skip
    return risk.scorecard(
        c, system=system, works=pilot.workloads, demand=pilot.demand, today=today, rulings=gates, errors=errors,
        watched_s=watched_s, economics=economics, market=catalog.systems().values(),
        year_usd=worth.year_usd.mean if worth is not None else None, downtime=down, skills=skills,
    )  # fmt: skip


def questions_of(pilot: Pilot, stood: Sequence[Stood], judged: Sequence[Judged]) -> tuple[Question, ...]:
    """What to ask vendors, weighted by how far the answer moves the cost."""
    swings: dict[str, float] = {}
    for one in stood:
        worth = next((j.worth for j in judged if j.name == one.name), None)
        if one.case is None or worth is None:
            continue
        fields = {key: name for name, key in one.case.keys.items()}
        for swing in worth.tornado:
            name = fields.get(swing.name)
            if name is not None:
                swings[name] = max(swings.get(name, 0.0), swing.size / max(worth.used_usd_per_s.mean, 1e-12))
    return rfp.questions(
        checklists.questions(), candidates=pilot.candidates,
        systems={one.name: one.standing.system for one in stood if one.standing.system is not None},
        sites={site.name: site for site in pilot.sites}, rulings={j.name: j.gates for j in judged}, swings=swings,
    )  # fmt: skip


def hybrid_of(
    pilot: Pilot, stood: Sequence[Stood], judged: Sequence[Judged], economics: Economics
) -> Hybrid | None:  # fmt: skip
    """Which work stays on the general pool and which moves; candidates that will do, best first."""
    by_name = {one.name: one for one in stood}
    pools = []
    for one in judged:
        system = by_name[one.name].standing.system
        if one.ruled_out or system is None or not one.rates:
            continue
        even = [a.breakeven_utilization for a in one.worth.against] if one.worth is not None else []
        known = [share for share in even if share is not None]
        pools.append(
            Pool(name=one.name, system=system, rates=one.rates, breakeven_utilization=min(known, default=None))
        )
    most = pilot.demand.utilization or economics.utilization
    return hybrid(pilot.workloads, pools, checklists.playbook(), utilization=most.value if most else 0.7)


def expected(
    pilot: Pilot, judged: Sequence[Judged], leading: Sequence[Case], drawn: Drawn
) -> tuple[Measurement, ...]:  # fmt: skip
    """What to measure or ask next: what settles most for its cost; an open gate of the leader comes first.

    The value of a number is what knowing it before the choice would save over the years (EVPPI), all draws taken
    together; a measurement is worth its value less its cost.
    """
    gates = {one.name: one.gates for one in judged if not one.ruled_out}
    years = pilot.demand.horizon_s / YEAR_S
    costs = [drawn.figures[case.name]["work_usd"] for case in leading]
    rates = {(case.name, load.workload): load.rate for case in leading for load in case.loads}
    found = []
    todo = open_gates(pilot, {c.name: gates.get(c.name, ()) for c in pilot.candidates})
    for one in (*todo, *_untried(pilot, judged, {(m.candidate, m.workload) for m in todo})):
        key = rates.get((one.candidate, one.workload), "")
        settles = key in drawn.inputs and _origin(judged, one.candidate, one.workload) != "measured"
        worth = years * value_of_knowing(costs, [drawn.inputs[key]]) if settles else None
        found.append(replace(one, value_usd=worth or None))  # what would not change the choice decides a gate
    place = {case.name: i for i, case in enumerate(leading)}
    found.sort(key=lambda m: (place.get(m.candidate, len(place)), m.stage, (m.cost_usd or 0.0) - (m.value_usd or 0.0)))
    return (*found[: _NEXT - _ASKED], *_asking(drawn, costs, set(rates.values()), years)[:_ASKED])


def _untried(pilot: Pilot, judged: Sequence[Judged], named: set[tuple[str, str]]) -> list[Measurement]:
    """Work that nobody has measured on a candidate, and that the pilot does not say how to try."""
    return [
        Measurement(candidate=one.name, workload=work.name, stage=2, what=f"speed of {work.name}", value_usd=None,
                    cost_usd=None, command="assay measure -- COMMAND, there, and: assay pilot add RUN")
        for one in judged
        if not one.ruled_out and one.rank is not None
        for work in pilot.workloads
        if (one.name, work.name) not in named and _origin(judged, one.name, work.name) != "measured"
    ]  # fmt: skip


def _origin(judged: Sequence[Judged], candidate: str, workload: str) -> str:
    rates = (r for one in judged if one.name == candidate for r in one.rates if r.workload == workload)
    return next((rate.origin for rate in rates), "")


def _asking(drawn: Drawn, costs: Sequence[Array], rates: set[str], years: float) -> list[Measurement]:
    """Numbers that nobody measures but somebody may know: a price, a tariff, next year's demand."""
    if len(costs) < 2:
        return []
    least = _WORTH_ASKING * float(costs[0].mean()) * years
    told = []
    for key, values in drawn.inputs.items():
        worth = 0.0 if key in rates else years * value_of_knowing(costs, [values])
        if worth > least:
            told.append(Measurement(candidate="", workload="", stage=0, what=f"find out: {key}", value_usd=worth,
                                    cost_usd=None, command=""))  # fmt: skip
    return sorted(told, key=lambda m: -(m.value_usd or 0.0))


def _over(value: Value, divisor: float) -> Value:
    return Value(mean=value.mean / divisor, low=value.low / divisor, high=value.high / divisor, evidence=value.evidence)
