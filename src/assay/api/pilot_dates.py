"""What a pilot's dates must be: dates of our times, one after the other, and none of what was found out yet to come."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from itertools import pairwise

from assay.api.pilot_bounds import walk
from assay.api.pilot_rules import Problems, error, warning
from assay.pilot import Pilot

_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")
_WHOLE = len("2026-11-27")
_MOST_DAYS = 365
_FIRST, _LAST = 2000, 2200  # years that are written on purpose
_NAMES = ("starts", "needed_by", "start", "end_of_life")


def dates(pilot: Pilot, today: str) -> Problems:
    """Dates are dates, and one comes after the other."""
    for key, date in _dates(pilot):
        found = day(date)
        if date and found is None:
            yield error(key, f'"{date}" is not a date', "write year-month-day: 2026-11-27")
        elif found and not _FIRST <= found.year <= _LAST:
            yield error(key, f"{date} is not of our times", f"write a year from {_FIRST} to {_LAST}")
    if not 1 <= pilot.days <= _MOST_DAYS:
        yield error("days", f"{pilot.days} days are not possible", f"a pilot takes 30 to 60 days; at most {_MOST_DAYS}")
    yield from _order(pilot)
    yield from _steps(pilot)
    for i, told in enumerate(pilot.figures):
        yield from yet_to_come(f"figures[{i}].value", told.value.date, today, "found")


def _order(pilot: Pilot) -> Problems:
    """The pilot starts, then what it decides on is needed, and in use from then on."""
    starts, demand = day(pilot.starts), pilot.demand
    if starts and len(pilot.starts) < _WHOLE:
        yield error("starts", "days are counted from here", "write the day, too: 2026-11-27")
    if day(demand.needed_by) and len(demand.needed_by) < _WHOLE:
        yield error("demand.needed_by", "a delivery comes before or after a day", "write the day, too: 2026-11-27")
    for key, date in (("demand.needed_by", demand.needed_by), ("demand.start", demand.start)):
        if starts and (later := day(date)) and later < starts:
            yield error(key, f"{date} is before the pilot starts ({pilot.starts})", "put the dates in order")
    if (needed := day(demand.needed_by)) and (start := day(demand.start)) and start > needed:
        what = f"operation starts on {demand.start}, after the day it is needed by ({demand.needed_by})"
        yield warning("demand.start", what, "put the dates in order, or leave one out")
    for name, date in pilot.milestones.items():
        if starts and (then := day(date)) and not 0 <= (then - starts).days <= pilot.days:
            what = f'"{name}" lies outside the pilot'
            yield warning(f"milestones.{name}", what, f"{pilot.days} days from {pilot.starts}")


def _steps(pilot: Pilot) -> Problems:
    for i, site in enumerate(pilot.sites):
        steps = [(step.date, day(step.date)) for step in site.power]
        for k, ((_, before), (date, after)) in enumerate(pairwise(steps), start=1):
            if before and after and after <= before:
                what = f"{date} is not after the step before it"
                yield error(f"sites[{i}].power[{k}].date", what, "sort them by date")


def yet_to_come(key: str, date: str, today: str, done: str) -> Problems:
    """What was asked or found out has a day that has been; without a `today` nobody can tell."""
    then, now = day(date), day(today)
    if then and now and then > now:
        yield error(key, f"{done} on {date}, which is yet to come", f"write the day it was {done}")


def day(date: str) -> datetime.date | None:
    """A date as people write it, the first day of what it names; None where it is none.

    >>> day("2026-11"), day("soon")
    (datetime.date(2026, 11, 1), None)
    """
    if not _DATE.fullmatch(date):
        return None
    try:
        return datetime.date.fromisoformat(date + "-01-01"[len(date) - _WHOLE :] if len(date) < _WHOLE else date)
    except ValueError:
        return None


def _dates(pilot: Pilot) -> Iterator[tuple[str, str]]:
    """Every date in the pilot, with its key."""
    for key, _, name, value in walk(pilot):
        if isinstance(value, str) and (name == "date" or name.endswith("_date") or name in _NAMES):
            yield key, value
    yield from ((f"milestones.{name}", date) for name, date in pilot.milestones.items())
