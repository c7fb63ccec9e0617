"""Where a pilot stands: its days and its money, what was added, what every gate says, and what to measure next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay import catalog
from assay.api.evidence import Known, known
from assay.api.pilot_file import path_of
from assay.api.pilot_money import day
from assay.api.pilot_stages import measures
from assay.api.piloting import pilot as read
from assay.decide.gates import Witness, rulings
from assay.decision import Measurement, Ruling, Spent
from assay.pilot import THIS_MACHINE, Candidate, Pilot
from assay.store.pilots import Added

Rulings = Mapping[str, tuple[Ruling, ...]]  # by candidate
Informative = Callable[[Pilot, Known, Rulings], Sequence[Measurement]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A pilot as it is today."""

    pilot: Pilot
    spent: Spent
    known: Known
    rulings: Rulings
    next: tuple[Measurement, ...] = ()  # the most informative first


def status(
    path: Path | str, today: str, *, predictions: Sequence[Witness] = (), informative: Informative | None = None
) -> Status:  # fmt: skip
    """Days and budget used, and what is proven of each candidate, on the day `today` (ISO 8601).

    `predictions` are heard by the gates that accept them. `informative` says what to measure next, the most valuable
    first; without it: what the first open gates want.
    """
    file = path_of(path)
    told = read(file)
    found = known(told, file.parent)
    ruled = {one.name: rulings(told, (*found.witnesses, *predictions), one.name) for one in told.candidates}
    return Status(
        pilot=told, known=found, rulings=ruled, spent=spent(told, found.added, today),
        next=tuple((informative or open_gates)(told, found, ruled)),
    )  # fmt: skip


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


def open_gates(pilot: Pilot, found: Known, ruled: Rulings) -> list[Measurement]:
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
