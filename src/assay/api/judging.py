"""Beside the money: the risks of a candidate, questions for vendors, and where each kind of work belongs."""

from __future__ import annotations

from collections.abc import Sequence

from assay import catalog
from assay.api.evidence import Known
from assay.api.evidence_runs import OPERATOR
from assay.api.standing import Stood
from assay.catalog import checklists
from assay.decide import people, rfp, risk, sla
from assay.decide.hybrid import Pool, hybrid
from assay.decide.money import YEAR_S
from assay.decision import Judged, Ruling
from assay.economics import Economics
from assay.hazards import Hybrid, Question, Scorecard, Skill
from assay.pilot import Pilot
from assay.result import Value
from assay.worth import Worth


def risks_of(
    pilot: Pilot, one: Stood, gates: Sequence[Ruling], worth: Worth | None, known: Known, economics: Economics,
    ordered: str,
) -> Scorecard:  # fmt: skip
    """The scorecard of a candidate from what was looked up and what its runs have shown."""
    c, system = one.standing.candidate, one.standing.system
    mine = [a.id for a in known.added if a.candidate == c.name and a.id in known.runs]
    runs = [(known.runs[key], known.seen.get(key)) for key in mine]
    ran = {
        w.metric.removeprefix(OPERATOR): bool(w.value)
        for w in known.witnesses
        if w.candidate == c.name and w.metric.startswith(OPERATOR)
    }
    errors, watched_s = risk.error_record(runs)
    nodes = one.case.machines if one.case is not None else c.nodes
    per_node = one.case.per_node if one.case is not None else 1
    bill = None if worth is None else _over(worth.year_usd, YEAR_S)
    down = sla.downtime(
        contract=c.contract, economics=economics, nodes=nodes, per_node=per_node,
        usd_per_s=worth.available_usd_per_s if worth is not None else None, bill_usd_per_s=bill,
        rented=c.via == "rent",
    )  # fmt: skip
    skills = skills_of(one)
    return risk.scorecard(
        c, system=system, works=pilot.workloads, demand=pilot.demand, today=ordered, rulings=gates, operators=ran,
        errors=errors, watched_s=watched_s, economics=economics, market=catalog.systems().values(),
        year_usd=worth.year_usd.mean if worth is not None else None, downtime=down, skills=skills,
    )  # fmt: skip


def skills_of(one: Stood) -> tuple[Skill, ...]:
    """The skills that a candidate needs, by its machine and how many of them there are."""
    c, system, site = one.standing.candidate, one.standing.system, one.standing.site
    if system is None:
        return ()
    servers = one.case.machines if one.case is not None else c.nodes
    cooling = site.cooling if site is not None else None
    return people.skills(checklists.skills(), system=system, servers=servers, via=c.via, cooling=cooling)


def people_of(one: Stood) -> Value | None:
    """How many people these skills add up to; None where nothing is known of the machine."""
    skills = skills_of(one)
    return people.headcount(skills) if skills else None


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
                swings[name] = max(swings.get(name, 0.0), swing.size / max(abs(worth.moved_usual or 0.0), 1e-12))
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


def _over(value: Value, divisor: float) -> Value:
    return Value(mean=value.mean / divisor, low=value.low / divisor, high=value.high / divisor, evidence=value.evidence)
