"""Risks of a machine as a thing on a market: how long it is made and supported, when it comes, what it brings used."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from assay.assumption import Assumption
from assay.decide.grades import Factor, by_limits, day, graded, later, latest
from assay.economics import Economics
from assay.hardware import Offer, System
from assay.hazards import Grade, Risk
from assay.pilot import Candidate, Demand

# Words of a catalog's status, the first that fits counts.
STATUS: tuple[tuple[str, Grade], ...] = (
    ("eol", "high"), ("announced", "high"), ("preview", "high"), ("declining", "medium"), ("legacy", "medium"),
    ("custom", "medium"), ("shipping", "low"),
)  # fmt: skip
AGE_YEARS = 4, 6  # since the first was sold: from here medium, from here high
PROVIDERS = 3  # so many make a market
DELIVERY_S = 60 * 86400.0, 180 * 86400.0  # where no date is needed: from here medium, from here high
RESALE = 0.10, 0.25  # of the price, at the end: below the first high, from the second on low
FRESH_DAYS = 365  # an older offer says little of what can be had


def roadmap(candidate: Candidate, system: System | None, demand: Demand, today: str) -> Risk:
    """Whether the part is still made, and supported as long as it is planned for."""
    factors: list[Factor] = []
    missing, now = [], day(today)
    chip = system.accelerator if system else None
    if chip and chip.status:
        grade: Grade = next((grade for word, grade in STATUS if word in chip.status.casefold()), "unknown")
        factors.append(Factor(grade, f"{chip.name}: {chip.status}", "catalog"))
    if chip and chip.year is not None and now:
        age = max(0, now.year - chip.year)
        factors.append(Factor(by_limits(age, *AGE_YEARS), f"sold since {chip.year}: {age} years", "catalog"))
    ends = day(candidate.contract.end_of_life)
    begin = day(demand.start) or now
    if ends and begin:
        last = later(begin, demand.horizon_s)
        grade = "low" if ends >= last else "high"
        factors.append(Factor(grade, f"support ends {ends}, the horizon {last}", "contract"))
    elif candidate.via != "rent":
        missing.append("until when it is supported, by contract")
    if not factors:
        missing.append("whether it is still made")
    return graded("roadmap and end of life", factors, missing)


def delivery(candidate: Candidate, system: System | None, demand: Demand, today: str) -> Risk:
    """Whether it comes in time, and from how many it can be had."""
    if candidate.via == "own":
        return graded("availability and lead time", [Factor("low", "it is there already", "pilot")])
    factors: list[Factor] = []
    missing, now = [], day(today)
    if candidate.delivery_s is None:
        missing.append("when it would be delivered")
    elif now:
        factors.append(_due(candidate.delivery_s, demand, now))
    status = system.accelerator.status.casefold() if system else ""
    if "announced" in status or "preview" in status:
        factors.append(Factor("high", f"not sold yet: {status}", "catalog"))
    kind = "rent" if candidate.via == "rent" else "buy"
    offers = [one for one in (system.offers if system else ()) if one.kind == kind]
    if offers:
        factors.append(_market(offers, kind, now))
    else:
        missing.append(f"who else offers it to {kind}")
    return graded("availability and lead time", factors, missing)


def resale(candidate: Candidate, system: System | None, economics: Economics) -> Risk:
    """Whether something comes back at the end; a rule of thumb for any server proves nothing of this one."""
    if candidate.via == "rent":
        return graded("resale", [Factor("low", "rented: there is nothing to sell", "pilot")])
    factors: list[Factor] = []
    missing = ["a buy-back price, or what used ones sold for"]
    stated = economics.resale
    if stated is not None:
        grade: Grade = "unknown"
        if stated.confidence != "low":
            grade = "high" if stated.value < RESALE[0] else "low" if stated.value >= RESALE[1] else "medium"
            missing = []
        text = f"{stated.value:.0%} of the price ({stated.low:.0%} to {stated.high:.0%})"
        factors.append(Factor(grade, text, stated.source or "pilot"))
    renters = {one.provider for one in (system.offers if system else ()) if one.kind == "rent"}
    if renters:
        text = f"{len(renters)} providers rent it out, so it has users"
        factors.append(Factor("unknown", text, "catalog"))
    return graded("resale", factors, missing)


def _due(stated: Assumption, demand: Demand, now: date) -> Factor:
    days = f"{stated.low / 86400:.0f} to {stated.high / 86400:.0f} days"
    need = day(demand.needed_by)
    if need is None:
        return Factor(by_limits(stated.value, *DELIVERY_S), f"delivered in {days}", stated.source or "offer")
    early, usual, late = (later(now, seconds) for seconds in (stated.low, stated.value, stated.high))
    grade: Grade = "low" if late <= need else "medium" if usual <= need else "high"
    return Factor(grade, f"delivered {early} to {late}, needed by {need}", stated.source or "offer")


def _market(offers: Sequence[Offer], kind: str, now: date | None) -> Factor:
    """Several providers are a market; old offers say little of today."""
    count = len({one.provider for one in offers})
    newest = max((seen for one in offers for seen in [latest(one.date)] if seen), default=None)
    stale = newest is None or (now is not None and (now - newest).days > FRESH_DAYS)
    grade: Grade = "unknown" if stale else "low" if count >= PROVIDERS else "medium"
    verb = "rented out" if kind == "rent" else "sold"
    text = f"{verb} by {count} provider{'s' if count > 1 else ''}, the newest offer of {newest or 'no date'}"
    return Factor(grade, text + (": too old to go by" if stale else ""), "catalog")
