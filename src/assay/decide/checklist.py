"""The decision checklist, answered from the pilot's own data where it says so, and open where it does not.

What a person answered stands above what the data says; where they disagree the note says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from assay.decide.grades import day, later
from assay.hazards import Item, ItemTemplate
from assay.pilot import Candidate, Pilot, Site
from assay.siting import Fit

Yes = Literal["yes", "no", "open"]


class Found(NamedTuple):
    """What the pilot's data says to an item."""

    answer: Yes
    note: str = ""


class Known(NamedTuple):
    """What items are answered from."""

    pilot: Pilot
    fits: Mapping[str, Fit]  # by candidate
    today: str

    @property
    def offered(self) -> tuple[Candidate, ...]:
        """The candidates that somebody sells or rents out."""
        return tuple(c for c in self.pilot.candidates if c.via != "own")

    @property
    def sites(self) -> tuple[Site, ...]:
        """The sites that candidates are for."""
        return tuple(s for s in self.pilot.sites if any(c.site == s.name for c in self.pilot.candidates))


def checklist(
    templates: Iterable[ItemTemplate], pilot: Pilot, *, today: str, fits: Mapping[str, Fit] = {}
) -> tuple[Item, ...]:
    """Every item with its answer: a person's, else the data's, else open. `fits` is by candidate."""
    known = Known(pilot=pilot, fits=fits, today=today)
    said = {one.id: one for one in pilot.checklist}
    items = []
    for one in templates:
        found = FROM_DATA[one.id](known) if one.id in FROM_DATA else Found("open")
        by = "pilot" if found.answer != "open" else ""
        item = Item(id=one.id, topic=one.topic, text=one.text, answer=found.answer, note=found.note, filled_by=by)
        mine = said.get(one.id)
        if mine and mine.answer != "open":
            note = f"{mine.note}; but the data: {found.note or found.answer}".removeprefix("; ")
            odds = found.answer not in ("open", mine.answer)
            item = replace(item, answer=mine.answer, note=note if odds else mine.note, filled_by=mine.by or "a person")
        items.append(item)
    return tuple(items)


def unknown_items(pilot: Pilot, templates: Iterable[ItemTemplate]) -> tuple[str, ...]:
    """Ids that the pilot answers and that are no item here: a slip of the pen, most likely."""
    return tuple(sorted({one.id for one in pilot.checklist} - {one.id for one in templates}))


def _all(missing: Sequence[str], what: str, of: Sequence[object] = (None,)) -> Found:
    """Yes where nothing is missing, else no with the names; open where there is nothing that it could be missing of."""
    if not of:
        return Found("open")
    return Found("no", f"{what}: {', '.join(missing)}") if missing else Found("yes")


def _owner(known: Known) -> Found:
    owners = known.pilot.owners
    note = ", ".join(f"{role}: {person}" for role, person in owners.items())
    return Found("yes" if len(owners) > 1 else "open" if owners else "no", note or "nobody is named")


def _needed(known: Known) -> Found:
    wanted, benefits = known.pilot.demand.needed_by, known.pilot.benefits
    if not wanted:
        return Found("no", "no date is given")
    return (
        Found("yes", wanted) if benefits.month_earlier_usd else Found("open", f"{wanted}; what a month costs is open")
    )


def _nothing(known: Known) -> Found:
    names = [c.name for c in known.pilot.candidates if c.via == "own" or (c.via == "rent" and not c.commitment_s)]
    return Found("yes" if names else "no", ", ".join(names) or "every candidate is bought or committed to")


def _several(known: Known) -> Found:
    count = len(known.pilot.candidates)
    return Found("open" if count > 1 else "no", f"{count} candidates")


def _demand(known: Known) -> Found:
    demand = known.pilot.demand
    missing = [name for name, is_there in (
        ("growth", demand.growth is not None and not demand.growth.exact),
        ("predictability", demand.predictability != "unknown"),
        *((f"how much {w.name}", w.tokens_per_s is not None or w.jobs_per_year is not None)
          for w in known.pilot.workloads),
    ) if not is_there]  # fmt: skip
    return _all(missing, "not stated, or without a range")


def _own_work(known: Known) -> Found:
    works = known.pilot.workloads
    missing = [w.name for w in works if not (w.snapshot and w.data and w.data.sha256)]
    return _all(missing, "without snapshot or fingerprint") if works else Found("no", "no workloads")


def _gates(known: Known) -> Found:
    stages = {1, 2, 3} - {gate.stage for gate in known.pilot.gates}
    return _all([f"stage {stage}" for stage in sorted(stages)], "no gates")


def _measured(known: Known) -> Found:
    gates = known.pilot.gates
    loose = [gate.name for gate in gates if gate.accepts != ("measured",)]
    return _all(loose, "passed by less than a measurement") if gates else Found("no", "no gates")


def _sustained(known: Known) -> Found:
    longest = max((gate.least_s or 0.0 for gate in known.pilot.gates if gate.stage == 3), default=0.0)
    return Found("yes" if longest >= 4 * 3600 else "no", f"longest asked for: {longest / 3600:.3g} h")


def _dated(known: Known) -> Found:
    now = day(known.today)
    missing = []
    for c in known.offered:
        price = c.price_usd if c.via == "buy" else c.rent_usd_per_s
        dated = c.price_date or (price.date if price is not None else "")
        seen = day(dated)
        if price is None or not seen or not (c.price_source or price.source):
            missing.append(c.name)
        elif now and (now - seen).days * 86400 > known.pilot.stale_s:
            missing.append(f"{c.name} of {dated}")
    return _all(missing, "without price, date or source, or too old", known.offered)


def _covers(known: Known) -> Found:
    bought = [c for c in known.offered if c.via == "buy"]
    silent = [c.name for c in bought if not c.covers]
    note = f"the servers alone, as written: {', '.join(silent)}" if silent else ""
    return Found("yes" if bought and not silent else "open", note)


def _both(known: Known) -> Found:
    ways = {c.via for c in known.pilot.candidates}
    return Found("yes" if {"buy", "rent"} <= ways else "no", f"ways: {', '.join(sorted(ways))}")


def _budget(known: Known) -> Found:
    usd = known.pilot.budget_usd
    return Found("yes", f"{usd:,.0f} USD in {known.pilot.days} days") if usd is not None else Found("no", "no budget")


def _power(known: Known) -> Found:
    short = [f"{limit.name} for {name}" for name, fit in known.fits.items() for limit in fit.limits
             if limit.unit == "w" and (limit.used or 0.0) > 1]  # fmt: skip
    if short:
        return _all(short, "short of")
    need = day(known.pilot.demand.needed_by or known.pilot.demand.start)
    own = [site for site in known.sites if site.kind != "cloud"]
    if not need or not own or any(not site.power for site in own):
        return Found("open", "" if need else "no date of need")
    late = [site.name for site in own if not any((day(step.date) or need) <= need for step in site.power)]
    return _all(late, "no power by then")


def _cooling(known: Known) -> Found:
    return _limits(known, ("m3_per_s", "celsius", "kelvin"))


def _floor(known: Known) -> Found:
    return _limits(known, ("kg_per_m2", "kg"))


def _limits(known: Known, units: Sequence[str]) -> Found:
    """Whether every limit in these units was gone through for every candidate that fits a site."""
    limits = [(name, one) for name, fit in known.fits.items() for one in fit.limits if one.unit in units]
    over = [f"{one.name} for {name}" for name, one in limits if (one.used or 0.0) > 1]
    if over:
        return Found("no", f"short of: {', '.join(over)}")
    return Found("open" if not limits or any(one.used is None for _, one in limits) else "yes")


def _redundancy(known: Known) -> Found:
    states = [(name, one) for name, fit in known.fits.items() for one in fit.states]
    over = [f"{name} with {one.failed} failed" for name, one in states if not one.holds]
    return _all(over, "does not hold") if states else Found("open")


def _law(known: Known) -> Found:
    allowed = known.pilot.needs.jurisdictions
    if not allowed:
        return Found("open", "no law is asked for")
    wrong = [f"{s.name} ({s.jurisdiction})" for s in known.sites if s.jurisdiction and s.jurisdiction not in allowed]
    if not wrong and any(not site.jurisdiction for site in known.sites):
        return Found("open", "a site does not say whose law it is under")
    return _all(wrong, "elsewhere", known.sites)


def _delivery(known: Known) -> Found:
    now, need = day(known.today), day(known.pilot.demand.needed_by)
    if not (now and need):
        return Found("open", "no date of need")
    late = [c.name for c in known.offered if c.delivery_s and later(now, c.delivery_s.high) > need]
    return Found("no" if late else "open", f"may come too late: {', '.join(late)}" if late else "")


def _sla(known: Known) -> Found:
    missing = [c.name for c in known.offered
               if None in (c.contract.availability, c.contract.replacement_s, c.contract.driver_update_s)]  # fmt: skip
    return _all(missing, "not all promised", known.offered)


def _exit(known: Known) -> Found:
    return _all([c.name for c in known.offered if c.contract.exit_usd is None], "not known", known.offered)


def _end(known: Known) -> Found:
    begin = day(known.pilot.demand.start) or day(known.today)
    bought = [c for c in known.offered if c.via == "buy"]
    ends = {c.name: day(c.contract.end_of_life) for c in bought}
    last = later(begin, known.pilot.demand.horizon_s) if begin else None
    short = [name for name, end in ends.items() if end is None or last is None or end < last]
    return _all(short, "no date, or too early", bought)


def _answered(known: Known) -> Found:
    answered = {c.name: {key for key, text in c.answers.items() if text.strip()} for c in known.offered}
    every = set().union(*answered.values())
    if not every:
        return Found("no", "no answers yet")
    return _all([f"{name} ({len(every - ids)} open)" for name, ids in answered.items() if every - ids], "fewer answers")


FROM_DATA: Mapping[str, Callable[[Known], Found]] = {
    "owner": _owner, "needed-by": _needed, "do-nothing": _nothing, "two-candidates": _several, "demand": _demand,
    "own-work": _own_work, "gates": _gates, "measured": _measured, "sustained": _sustained, "price-dated": _dated,
    "price-covers": _covers, "rent-compared": _both, "budget": _budget, "power": _power, "cooling": _cooling,
    "redundancy": _redundancy, "floor": _floor, "sovereignty": _law, "delivery": _delivery, "sla": _sla, "exit": _exit,
    "end-of-life": _end, "rfp": _answered,
}  # fmt: skip
