"""A pilot's days and money so far, and the steps that its open gates ask for."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from assay import catalog
from assay.api.pilot_dates import day
from assay.api.pilot_stages import measures
from assay.decision import Measurement, Ruling, Spent
from assay.pilot import THIS_MACHINE, Candidate, Pilot
from assay.predict.cost import rent_offer
from assay.store.pilots import Added

# What to do where the pilot does not say how the work is tried.
BY_HAND = "assay measure -- COMMAND, there, and: assay pilot add RUN"

Folders = Sequence[Path]
Rulings = Mapping[str, tuple[Ruling, ...]]  # by candidate


def spent(pilot: Pilot, added: Sequence[Added], today: str, folders: Folders = ()) -> Spent:
    """What the pilot's runs have cost so far, where that can be said: rented hours at their rent."""
    starts, now = day(pilot.starts), day(today[:10])
    number = max(0, (now - starts).days + 1) if starts and now else 0
    usd, uncounted = 0.0, 0
    for one in added:
        cost = _cost(pilot.candidate(one.candidate), one.duration_s, one.accelerators, folders)
        usd, uncounted = (usd, uncounted + 1) if cost is None else (usd + cost, uncounted)
    forecast = usd / number * pilot.days if number else None
    note = f"{uncounted} of {len(added)} runs have no price: machines of one's own, or a rent nobody said"
    return Spent(
        day=number, days=pilot.days, usd=usd, budget_usd=pilot.budget_usd, forecast_usd=forecast,
        note=note if uncounted else "",
    )  # fmt: skip


def open_gates(pilot: Pilot, ruled: Rulings, folders: Folders = ()) -> list[Measurement]:
    """For each candidate, the first stage that is not proven: what would settle it, and what that costs."""
    todo = []
    for who in pilot.candidates:
        waiting = [one for one in ruled[who.name] if one.proof == "not proven"]
        if not waiting or any(one.proof == "fail" for one in ruled[who.name]):
            continue
        stage = min(one.stage for one in waiting)
        for work in pilot.workloads:
            names = [one.name for one in waiting if one.stage == stage and _of(pilot, one, work.name)]
            if not names:
                continue
            tried = measures(work, stage, ranks=_count(who, folders) or 1)
            of = shlex.join(["--stage", f"{stage}", "--candidate", who.name, "--workload", work.name])
            todo.append(Measurement(
                candidate=who.name, workload=work.name, stage=stage, what=", ".join(names), value_usd=None,
                cost_usd=_cost(who, sum(one.budget_s for one in tried), None, folders) if tried else None,
                command=f"assay pilot run {of}" if tried else f"{BY_HAND} {of}",
            ))  # fmt: skip
    return sorted(todo, key=lambda one: (one.stage, one.cost_usd is None, one.cost_usd or 0.0))


def _of(pilot: Pilot, ruling: Ruling, work: str) -> bool:
    """Whether a ruling is of this kind of work: one of a gate that is asked of several says which."""
    gate = next((g for g in pilot.gates if ruling.name in (g.name, f"{g.name} ({work})")), None)
    return gate is not None and gate.workload in ("", work)


def hour_usd(who: Candidate, folders: Folders = ()) -> float | None:
    """What an hour of one node costs: its own rent, else what is asked for such a one; None where nobody knows."""
    count = _count(who, folders)
    if who.system == THIS_MACHINE or count is None:
        return None
    if who.rent_usd_per_s is not None:
        return 3600 * count * who.rent_usd_per_s.value
    offer = rent_offer(catalog.system(who.system, 1, folders))
    return None if offer is None or offer.price_usd_per_s is None else 3600 * count * offer.price_usd_per_s


def _cost(who: Candidate | None, length_s: float, accelerators: int | None, folders: Folders) -> float | None:
    """What so long a measurement costs; None where nobody knows."""
    hour, count = (None, None) if who is None else (hour_usd(who, folders), _count(who, folders))
    return None if hour is None or not count else hour * length_s / 3600 * (accelerators or count) / count


def _count(who: Candidate, folders: Folders) -> int | None:
    """Accelerators of one node."""
    return who.accelerators if who.system == THIS_MACHINE else catalog.system(who.system, 1, folders).count_per_node
