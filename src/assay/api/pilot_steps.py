"""A pilot's days and money so far, and the steps that its open gates ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay import catalog
from assay.api.pilot_money import day
from assay.api.pilot_stages import measures
from assay.decision import Measurement, Ruling, Spent
from assay.pilot import THIS_MACHINE, Candidate, Pilot
from assay.store.pilots import Added

Rulings = Mapping[str, tuple[Ruling, ...]]  # by candidate


def spent(pilot: Pilot, added: Sequence[Added], today: str) -> Spent:
    """What the pilot's runs have cost so far, where that can be said: rented hours at their rent."""
    starts, now = day(pilot.starts), day(today[:10])
    number = max(0, (now - starts).days + 1) if starts and now else 0
    usd, uncounted = 0.0, 0
    for one in added:
        cost = _cost(pilot.candidate(one.candidate), one.duration_s, one.accelerators)
        usd, uncounted = (usd, uncounted + 1) if cost is None else (usd + cost, uncounted)
    forecast = usd / number * pilot.days if number else None
    note = f"{uncounted} of {len(added)} runs have no price: machines of one's own, or a rent nobody said"
    return Spent(
        day=number, days=pilot.days, usd=usd, budget_usd=pilot.budget_usd, forecast_usd=forecast,
        note=note if uncounted else "",
    )  # fmt: skip


def open_gates(pilot: Pilot, ruled: Rulings) -> list[Measurement]:
    """For each candidate, the first stage that is not proven: what would settle it, and what that costs."""
    todo = []
    for who in pilot.candidates:
        waiting = [one for one in ruled[who.name] if one.proof == "not proven"]
        if not waiting or any(one.proof == "fail" for one in ruled[who.name]):
            continue
        stage = min(one.stage for one in waiting)
        for work in pilot.workloads:
            names = [one.name for one in waiting if one.stage == stage and _of(pilot, one, work.name)]
            if not names or not measures(work, stage):
                continue
            ranks = _count(who) or 1
            length_s = sum(one.budget_s for one in measures(work, stage, ranks=ranks))
            todo.append(Measurement(
                candidate=who.name, workload=work.name, stage=stage, what=", ".join(names), value_usd=None,
                cost_usd=_cost(who, length_s, None),
                command=f"assay pilot run --stage {stage} --candidate {who.name} --workload {work.name}",
            ))  # fmt: skip
    return sorted(todo, key=lambda one: (one.stage, one.cost_usd is None, one.cost_usd or 0.0))


def _of(pilot: Pilot, ruling: Ruling, work: str) -> bool:
    """Whether a ruling is of this kind of work: one of a gate that is asked of several says which."""
    gate = next((g for g in pilot.gates if ruling.name in (g.name, f"{g.name} ({work})")), None)
    return gate is not None and gate.workload in ("", work)


def _cost(who: Candidate | None, length_s: float, accelerators: int | None) -> float | None:
    """What so long a measurement costs; None where nobody knows."""
    if who is None or who.rent_usd_per_s is None:
        return None
    used = accelerators or _count(who)
    return None if used is None else length_s * used * who.rent_usd_per_s.value


def _count(who: Candidate) -> int | None:
    """Accelerators of one node."""
    return who.accelerators if who.system == THIS_MACHINE else catalog.system(who.system, 1).count_per_node
