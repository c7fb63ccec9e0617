"""How a risk is graded: by the worst thing that is known of it. What nobody knows is unknown, never low."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from assay.hazards import Evidence, Grade, Risk

_ORDER: tuple[Grade, ...] = ("unknown", "low", "medium", "high")
_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?!\d)(?:-(\d{2})(?!\d))?)?")


class Factor(NamedTuple):
    """One thing that is known, and what it says of the risk; "unknown": it is told and proves nothing."""

    grade: Grade
    text: str
    source: str = ""


def graded(name: str, factors: Iterable[Factor], missing: Sequence[str] = ()) -> Risk:
    """A risk as large as its worst factor, which is told first.

    >>> graded("delivery", [Factor("low", "in stock"), Factor("high", "one supplier")]).grade
    'high'
    >>> graded("delivery", [], ["a date"]).grade
    'unknown'
    """
    known = sorted(factors, key=lambda one: -_ORDER.index(one.grade))
    grade: Grade = known[0].grade if known else "unknown"
    evidence = tuple(Evidence(text=one.text, source=one.source) for one in known)
    return Risk(name=name, grade=grade, evidence=evidence, missing=tuple(missing))


def by_limits(value: float, medium: float, high: float) -> Grade:
    """Low below the first limit, high from the second on.

    >>> by_limits(0.2, 0.1, 0.5), by_limits(0.5, 0.1, 0.5)
    ('medium', 'high')
    """
    return "high" if value >= high else "medium" if value >= medium else "low"


def day(text: str) -> date | None:
    """The date at the front of a text; of a year or a month its first day. None: there is none.

    >>> day("2026-11-05T10:00"), day("2026"), day("next year")
    (datetime.date(2026, 11, 5), datetime.date(2026, 1, 1), None)
    """
    found = _DATE.match(text)
    if not found:
        return None
    year, month, of_month = (int(part or 1) for part in found.groups())
    try:
        return date(year, month, of_month)
    except ValueError:
        return None


def latest(text: str) -> date | None:
    """The last date in a text: of an offer that held for some time, the end of that.

    >>> latest("2023-07..2025-05"), latest("2021-2024"), latest("")
    (datetime.date(2025, 5, 1), datetime.date(2024, 1, 1), None)
    """
    found = (day(one[0]) for one in _DATE.finditer(text))
    return max((one for one in found if one), default=None)


def later(start: date, seconds: float) -> date:
    """The day so many seconds after another; one beyond all calendars is the last of them.

    >>> later(date(2026, 11, 5), 30 * 86400.0)
    datetime.date(2026, 12, 5)
    """
    try:
        return start + timedelta(seconds=seconds)
    except OverflowError:
        return date.max
