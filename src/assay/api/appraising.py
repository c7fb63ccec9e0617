"""Appraising: every candidate of a pilot with its money, its gates, its constraints and its risks, before any order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from assay.api.asked import Asked
from assay.api.evidence import predicted
from assay.api.gaining import gains, reference
from assay.api.judging import people_of, risks_of
from assay.api.standing import Stood, stand
from assay.decide.case import Case
from assay.decide.constraints import constraints, delivered
from assay.decide.draws import usual, value_of
from assay.decide.gates import rulings
from assay.decide.inputs import Table
from assay.decide.outcome import outcome
from assay.decide.remarks import remarks, reserves
from assay.decide.simulate import Drawn, simulate
from assay.decide.valuing import FIGURES, RANKED_BY, Priced, beside, priced, worth_of
from assay.decision import Judged, Ruling
from assay.pilot import Pilot
from assay.result import Evidence, Value
from assay.siting import Fit
from assay.worth import Against, Worth

_MOST, _FEWEST = 3_000_000, 5_000  # draws of all candidates together, and of each


@dataclass(frozen=True, slots=True, kw_only=True)
class Appraised:
    """The candidates in the pilot's own order, and the table and draws that their money comes from."""

    judged: tuple[Judged, ...]
    stood: tuple[Stood, ...]
    priced: Mapping[str, Priced]  # those whose figure is known, by name
    table: Table
    drawn: Drawn


def appraise(told: Asked, *, n: int, seed: int) -> Appraised:
    """Look every candidate up, price those that can be priced with the same draws, and judge each for itself."""
    table = Table()
    stood = tuple(
        stand(told.pilot, c, table, economics=told.economics, measured=told.measured, beside=told.folder,
              folders=told.folders)
        for c in told.pilot.candidates
    )  # fmt: skip
    ones = {one.name: priced(one.case, table, _evidence(one)) for one in stood if one.case is not None}
    n = min(n, max(_FEWEST, _MOST // max(1, len(ones))))
    drawn = simulate([one.case for one in ones.values()], table.stated, FIGURES, n=n, seed=seed)
    against = beside(list(ones.values()), table, drawn)
    owned = frozenset(c.name for c in told.pilot.candidates if c.via == "own")
    cases = [one.case for one in ones.values()]
    held = reference(cases, owned, table)
    kept = reserves(cases, {c.name: c.system for c in told.pilot.candidates}, table, drawn)
    judged = []
    for one in stood:
        worth = _worth(told, one, ones.get(one.name), held, table, drawn, against, kept.get(one.name, ""))
        judged.append(_judged(told, one, ones.get(one.name), worth, table, drawn))
    return Appraised(judged=tuple(judged), stood=stood, priced=ones, table=table, drawn=drawn)


def _evidence(one: Stood) -> Evidence:
    """The weakest class among a candidate's rates."""
    return max((rate.value.evidence for rate in one.rated.rates), default="D")


def _worth(
    told: Asked, one: Stood, known: Priced | None, held: Case | None, table: Table, drawn: Drawn,
    against: Mapping[str, tuple[Against, ...]], kept: str,
) -> Worth | None:  # fmt: skip
    if known is None:
        return None
    brings = () if held is None else gains(
        known.case, held, one.standing.candidate, told.pilot, told.economics, table
    )  # fmt: skip
    told_of = remarks(known.case, known.base, one.standing.candidate, table, people_of(one))
    notes = [*one.notes, *told_of, *([kept] if kept else [])]
    worth = worth_of(known, table, drawn, told.pilot.objective, brings, notes)
    return replace(worth, against=against[one.name])


def _judged(
    told: Asked, one: Stood, known: Priced | None, worth: Worth | None, table: Table, drawn: Drawn
) -> Judged:  # fmt: skip
    c, system = one.standing.candidate, one.standing.system
    ordered, _ = _dates(told.pilot)
    there = delivered(one.standing, ordered)
    gates, fit = _gates(told, one), _settled(one.standing.fit, known, drawn)
    return Judged(
        name=c.name, system=c.system, vendor=system.vendor if system is not None else "", via=c.via, site=c.site,
        accelerators=known.case.accelerators if known is not None else None, rank=None,
        elastic=c.via == "rent" and c.term in ("on-demand", "spot"),
        score=_value(known, drawn, RANKED_BY[told.pilot.objective]),
        constraints=_constraints(told, one, known, table, fit), gates=gates, rates=one.rated.rates,
        results=one.rated.results, worth=worth, fit=fit,
        risks=risks_of(told.pilot, one, gates, worth, told.known, told.economics, str(ordered)),
        duration_s=_value(known, drawn, "duration_s"), energy_j=_value(known, drawn, "energy_j"),
        delivered=str(there[0]) if there is not None else "", unknown=one.unknown,
    )  # fmt: skip


def _gates(told: Asked, one: Stood) -> tuple[Ruling, ...]:
    """What every gate says, from runs, from what is stated and from predictions, each where the gate accepts it."""
    foretold = [w for result in one.rated.results for w in predicted(one.name, result.workload.name, result)]
    return rulings(told.pilot, [*told.known.witnesses, *foretold], one.name)


def _constraints(
    told: Asked, one: Stood, known: Priced | None, table: Table, fit: Fit | None
) -> tuple[Ruling, ...]:  # fmt: skip
    ordered, needed = _dates(told.pilot)
    return constraints(
        one.standing, told.pilot.workloads, told.pilot.needs, ordered=ordered, needed_by=needed,
        base=known.base if known is not None else None,
        without_ramp=_without_ramp(known, table) if known is not None else None,
        carbon_kg=fit.carbon_kg if fit is not None else None, refused=dict(one.rated.refused), unplaced=one.unplaced,
    )  # fmt: skip


def _value(one: Priced | None, drawn: Drawn, name: str) -> Value | None:
    """A drawn figure; None where there is none."""
    if one is None:
        return None
    base = float(FIGURES[name](one.base))
    return None if math.isnan(base) else value_of(base, drawn.figures[one.case.name][name], one.evidence)


def _settled(fit: Fit | None, known: Priced | None, drawn: Drawn) -> Fit | None:
    """A fit whose energy, carbon and water are of the work as it is priced, and not of machines that run all year."""
    energy = _value(known, drawn, "energy_j")
    if fit is None or energy is None or fit.energy_j is None or not fit.energy_j.mean:
        return fit
    part = energy.mean / fit.energy_j.mean
    return replace(
        fit, energy_j=energy, carbon_kg=None if fit.carbon_kg is None else _part(fit.carbon_kg, part),
        water_m3=None if fit.water_m3 is None else fit.water_m3 * part,
    )  # fmt: skip


def _part(value: Value, part: float) -> Value:
    return replace(value, mean=value.mean * part, low=value.low * part, high=value.high * part)


def _without_ramp(one: Priced, table: Table) -> float:
    """Share of the work that is carried once all machines are in use."""
    keys = {name: key for name, key in one.case.keys.items() if name != "ramp_s"}
    return float(outcome(replace(one.case, keys=keys), usual(table.stated)).carried)


def _dates(pilot: Pilot) -> tuple[date, date | None]:
    """When it is ordered, which is at the pilot's end, and when it is needed."""
    ordered = date.fromisoformat(pilot.starts) + timedelta(days=pilot.days)
    return ordered, date.fromisoformat(pilot.demand.needed_by) if pilot.demand.needed_by else None
