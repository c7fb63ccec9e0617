"""What a pilot's prices, dates and shares must be: one currency, nothing twice, nothing from the future."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from itertools import pairwise

from assay.api.pilot_file import CONVERT
from assay.api.pilot_rules import Problems, error, warning
from assay.assumption import Assumption
from assay.decide.hosting import paid_twice
from assay.errors import did_you_mean
from assay.pilot import COVERS, THIS_MACHINE, Candidate, Pilot, Site
from assay.units import show

_DAY_S = 86400.0
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_MOST_DAYS = 365

# Shares of a whole, which cannot be more than all of it. Growth, and what is a share of another thing, can.
_SHARES = {
    "resale", "network_resale", "network_share", "storage_share", "power_load", "availability", "utilization",
    "rent_decay", "credit_share", "credit_cap", "waiting_share", "derating",
}  # fmt: skip
_SIGNED = {"growth", "value", "low", "high", "at_least", "at_most"}


def prices(pilot: Pilot, today: str) -> Problems:
    """What candidates cost: known or honestly unknown, in one currency, dated, and counted once."""
    if pilot.currency != "USD":
        yield error("currency", f"a pilot is reckoned in US dollars, not in {pilot.currency}", CONVERT)
    if not pilot.candidates:
        yield warning("", "no candidate: there is nothing to choose from", "add [[candidates]]")
    for i, one in enumerate(pilot.candidates):
        key = f"candidates[{i}]"
        yield from _way(key, one, pilot)
        yield from _price(key, one, pilot.stale_s, today)
        for word in (word for word in one.covers if word not in COVERS):
            hint = did_you_mean(word, COVERS) or f"known: {', '.join(COVERS)}"
            yield error(f"{key}.covers", f'"{word}" is nothing that a price covers', hint)
    for i, site in enumerate(pilot.sites):
        yield from _double(f"sites[{i}]", site)


def _way(key: str, one: Candidate, pilot: Pilot) -> Problems:
    """Whether what is said fits how it is got: bought, rented, or there already."""
    if one.nodes < 1 or (one.clusters is not None and one.clusters < 1):
        name = "nodes" if one.nodes < 1 else "clusters"
        yield error(f"{key}.{name}", f"{getattr(one, name)} {name} is not possible", "write 1 or more")
    if one.via == "rent" and one.price_usd is not None:
        yield error(
            f"{key}.price_usd", "what is rented has no purchase price", 'say rent = "2.50 USD/h", or via = "buy"'
        )
    if one.via != "rent" and one.rent_usd_per_s is not None:
        yield error(f"{key}.rent_usd_per_s", f'via = "{one.via}" has no rent', 'say price = …, or via = "rent"')
    if one.system == THIS_MACHINE and one.via == "buy" and one.price_usd is None:
        yield error(f"{key}.via", "this machine is there already", 'write via = "own"')
    elif one.via == "buy" and not one.site:
        yield error(f"{key}.site", f'"{one.name}" is bought and has no site', "say where it would stand: site = …")
    site = pilot.site(one.site)
    if one.via == "buy" and site is not None and site.kind == "cloud":
        yield error(
            f"{key}.site", f'"{one.site}" is a cloud, where nothing of one\'s own can stand', "name another site"
        )
    if one.via == "rent" and one.term in ("reserved", "committed") and one.commitment_s is None:
        yield warning(f"{key}.commitment_s", f"{one.term}, and for how long is unknown", 'add commitment = "1 year"')
    if one.term == "spot" and one.interruption_hz is None:
        yield warning(
            key, "how often a spot machine is taken away is unknown", "add interruption = { is = …, from = … }"
        )


def _price(key: str, one: Candidate, stale_s: float, today: str) -> Problems:
    name = {"buy": "price_usd", "rent": "rent_usd_per_s"}.get(one.via)
    if name is None:
        return
    price: Assumption | None = getattr(one, name)
    if price is None:
        what = f'"{one.name}" has no price: it stays unknown, and the ranking shows it so'
        yield warning(
            f"{key}.{name}", what, f'{"price" if one.via == "buy" else "rent"} = {{ is = …, from = "…", date = "…" }}'
        )
    elif price.value <= 0:
        yield error(
            f"{key}.{name}", "a price of 0 is no price", 'leave out what is unknown; via = "own" is for what is there'
        )
    else:
        yield from _age(f"{key}.{name}", price.date or one.price_date, stale_s, today)


def _age(key: str, date: str, stale_s: float, today: str) -> Problems:
    if not date:
        yield warning(key, "a price without a date: nobody can say whether it still holds", 'add date = "2026-11-27"')
    elif (priced := day(date)) and (now := day(today)):
        if priced > now:
            yield error(key, f"priced on {date}, which is yet to come", "write the day it was asked")
        elif (now - priced).days * _DAY_S > stale_s:
            what = f"a price of {date} is older than {show(stale_s, 's')}"
            yield warning(key, what, "ask again; or set stale to what still holds")


def _double(key: str, site: Site) -> Problems:
    """A colocation price that holds power or cooling, and the same once more: the commonest error of such tables."""
    covered = set(site.colo_covers)
    for name in paid_twice(site):
        what = f"the colo price holds {' and '.join(sorted(covered))} already: this would be paid twice"
        yield error(f"{key}.{name}", what, f"leave out {name}, or take it out of colo_covers")
    if covered and site.colo_usd_per_w_per_s is None:
        yield error(
            f"{key}.colo_covers", "there is no colo price that could hold anything", "add colo, or leave this out"
        )


def dates(pilot: Pilot) -> Problems:
    """Dates are dates, and one comes after the other."""
    for key, date in _dates(pilot, ""):
        if date and day(date) is None:
            yield error(key, f'"{date}" is not a date', "write year-month-day: 2026-11-27")
    starts = day(pilot.starts)
    if starts and len(pilot.starts) < len("2026-11-27"):
        yield error("starts", "days are counted from here", "write the day, too: 2026-11-27")
    if not 1 <= pilot.days <= _MOST_DAYS:
        yield error("days", f"{pilot.days} days are not possible", f"a pilot takes 30 to 60 days; at most {_MOST_DAYS}")
    for key, date in (("demand.needed_by", pilot.demand.needed_by), ("demand.start", pilot.demand.start)):
        if starts and (later := day(date)) and later < starts:
            yield error(key, f"{date} is before the pilot starts ({pilot.starts})", "put the dates in order")
    for name, date in pilot.milestones.items():
        if starts and (then := day(date)) and not 0 <= (then - starts).days <= pilot.days:
            yield warning(
                f"milestones.{name}", f'"{name}" lies outside the pilot', f"{pilot.days} days from {pilot.starts}"
            )
    for i, site in enumerate(pilot.sites):
        steps = [(step.date, day(step.date)) for step in site.power]
        for k, ((_, before), (date, after)) in enumerate(pairwise(steps), start=1):
            if before and after and after <= before:
                yield error(
                    f"sites[{i}].power[{k}].date", f"{date} is not after the step before it", "sort them by date"
                )


def day(date: str) -> datetime.date | None:
    """A date as people write it, the first day of what it names; None where it is none.

    >>> day("2026-11"), day("soon")
    (datetime.date(2026, 11, 1), None)
    """
    if not _DATE.fullmatch(date):
        return None
    try:
        return datetime.date.fromisoformat(date + "-01-01"[len(date) - 10 :] if len(date) < 10 else date)
    except ValueError:
        return None


def _dates(noun: object, path: str) -> Iterator[tuple[str, str]]:
    """Every date in the pilot, with its key."""
    for key, name, value in _walk(noun, path):
        if isinstance(value, str) and (
            name == "date" or name.endswith("_date") or name in ("starts", "needed_by", "start", "end_of_life")
        ):
            yield key, value
    if isinstance(noun, Pilot):
        yield from ((f"milestones.{name}", date) for name, date in noun.milestones.items())


def shares(pilot: Pilot) -> Problems:
    """Shares lie between nothing and all; pure numbers are not below 0 where that means nothing."""
    for key, name, value in _walk(pilot, ""):
        if isinstance(value, Assumption):
            low, high = value.low, value.high
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            low = high = value
        else:
            continue
        if name in _SHARES and high > 1:
            yield error(key, f"a share of {high:g} is more than all of it", 'write 0.7, or "70 %"')
        elif low < 0 and name not in _SIGNED:
            yield error(key, f"{low:g} is below 0, which is not possible here", "leave out what is unknown")


def _walk(noun: object, path: str) -> Iterator[tuple[str, str, object]]:
    """Every value of a noun: its key, its name, itself. Ranges are values, and have fields besides."""
    if not is_dataclass(noun):
        return
    for field in fields(noun):
        value, key = getattr(noun, field.name), path + field.name
        yield key, field.name, value
        if isinstance(value, tuple):
            for i, one in enumerate(value):
                yield from _walk(one, f"{key}[{i}].")
        yield from _walk(value, f"{key}.")
