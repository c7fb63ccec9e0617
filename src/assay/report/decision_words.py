"""How a decision is said: money by the hour and by the year, answers and proofs as a word with a sign."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

from assay.decision import Answer, Decision, Judged, Overturn, Proof
from assay.metrics import known, metric
from assay.pilot import Accepts
from assay.report.axes import Scale, scale
from assay.report.study import clean, real
from assay.report.text import capital, percent, sentence
from assay.result import Value
from assay.units import show

HOUR_S: Final = 3600.0
YEAR_S: Final = 365.25 * 86400.0
_MWH_J: Final = 3.6e9
_RARE_HZ: Final = 1e-4
# Unit -> from here on people say it in another, so many of ours, of this name.
_LARGE: Final[Mapping[str, tuple[float, float, str]]] = {
    "j": (_MWH_J, _MWH_J, "MWh"), "kg": (1e3, 1e3, "t"), "s": (2 * YEAR_S, YEAR_S, "years"),
}  # fmt: skip
_MINUS: Final = "−"

# A sign beside each word, so that no colour has to carry it.
ANSWERS: Final[Mapping[Answer, tuple[str, str, str]]] = {  # sign, badge, tone
    "choose": ("●", "Choose", "good"),
    "tie": ("=", "A tie", "soft"),
    "pilot first": ("◐", "Pilot first", "soft"),
    "do not buy yet": ("◌", "Do not buy yet", "bad"),
    "nothing fits": ("✕", "Nothing fits", "bad"),
}
PROOFS: Final[Mapping[Proof, tuple[str, str]]] = {  # as it is read, tone
    "pass": ("✓ pass", "good"),
    "fail": ("✕ fail", "bad"),
    "not proven": ("? not proven", "quiet"),
}
ORIGINS: Final[Mapping[Accepts, tuple[str, str, str]]] = {  # colour, shape on a chart, shape in a legend
    "measured": ("compute-1", "circle", "circle"),
    "published": ("memory-1", "square", "box"),
    "stated": ("network-1", "triangle-up", "triangle-up"),
    "predicted": ("wait-1", "diamond", "diamond"),
}
VIA: Final[Mapping[str, str]] = {"buy": "bought", "rent": "rented", "own": "owned"}
# An objective of the pilot file -> how its figure is headed.
SCORES: Final[Mapping[str, str]] = {
    "cost of the work": "cost of the work a year",
    "cost per used hour": "cost per used accelerator-hour",
    "time to train": "time of the longest job",
    "energy": "energy a year",
}
FIGURES: Final[Mapping[str, str]] = {
    "year_usd": "cost a year", "used_usd_per_s": "cost per used accelerator-hour", "capex_usd": "money up front",
    "available_usd_per_s": "cost per available accelerator-hour", "duration_s": "time of the longest job",
    "energy_j": "energy a year",
}  # fmt: skip


def money(usd: float | None) -> str:
    """Money in three significant digits.

    >>> money(1234567), money(-64200), money(640.0), money(0.725), money(0.0), money(None)
    ('$1.23M', '−$64,200', '$640', '$0.725', '$0', 'unknown')
    """
    if usd is None or not real(usd):
        return "unknown"
    size, sign = float(f"{abs(usd):.3g}"), _MINUS if usd < 0 else ""
    for factor, letter in ((1e9, "B"), (1e6, "M")):
        if size >= factor:
            return f"{sign}${show(size / factor)}{letter}"
    return sign + (show(size, "usd") if 0 < size < 100 else f"${size:,.0f}")


def said(number: float | None, unit: str) -> str:
    """A number in a unit as it is read; shares in per cent, energy as it is billed, what is rare by the year.

    >>> said(2.339 / 3600, "usd_per_s"), said(0.7, "share"), said(7.2e12, "j"), said(None, "s"), said(3e-8, "hz")
    ('$2.34/h', '70 %', '2,000 MWh', 'unknown', '0.947 a year')
    >>> said(5 * YEAR_S, "s"), said(184.06 / 1000 / (YEAR_S / 12), "usd_per_w_per_s")
    ('5 years', '$184/kW-month')
    """
    if number is None or not real(number):
        return "unknown"
    if unit == "usd":
        return money(number)
    if unit == "share":
        return percent(number, sign=False)
    if unit == "hz" and 0 < abs(number) < _RARE_HZ:
        return f"{show(number * YEAR_S)} a year"
    least, factor, symbol = _LARGE.get(unit, (math.inf, 1.0, ""))
    text = f"{show(number / factor)} {symbol}" if abs(number) >= least else show(number, unit)
    text = re.sub(r"\$(\d{3}\.\d\d)", lambda found: f"${float(found[1]):.0f}", text)
    return text.replace("-", _MINUS, 1) if number < 0 else text


def shared(unit: str, *numbers: float) -> str:
    """The unit to say an input in: a pure number that stays within one is a share.

    >>> shared("", 0.4, 0.9), shared("", 1.1, 1.6), shared("s", 0.5)
    ('share', '', 's')
    """
    return (
        "share" if unit == "" and all(abs(n) <= 1 for n in numbers) and any(0 < abs(n) < 1 for n in numbers) else unit
    )


def reach(low: float, high: float, unit: str) -> str:
    """An interval, the unit once where both ends share it.

    >>> reach(2.0 / 3600, 2.5 / 3600, "usd_per_s"), reach(1e6, 1.4e6, "usd"), reach(0.5, 0.8, "share")
    ('$2.00 to $2.50/h', '$1M to $1.4M', '50 to 80 %')
    """
    first, last = said(low, unit), said(high, unit)
    found = re.fullmatch(r"(.*?\d)( \D+|/\D+)", first)
    return f"{found[1] if found and last.endswith(found[2]) else first} to {last}"


def with_reach(value: Value | None, unit: str) -> str:
    """A figure with its interval, in a sentence."""
    if value is None:
        return "unknown"
    ends = "" if value.low == value.high else f" ({reach(value.low, value.high, unit)})"
    return f"{said(value.mean, unit)}{ends}"


def axis(values: list[float], unit: str) -> Scale:
    """The unit of an axis: money a year as it is, money a second by the hour, energy as it is billed."""
    if unit == "usd_per_s":
        return Scale(1 / HOUR_S, "$")
    if unit == "j":
        return Scale(_MWH_J, "MWh")
    return scale(values, "" if unit == "share" else unit)


def name(judged: Judged) -> str:
    """A candidate's name, as it can stand in a drawing."""
    return clean(judged.name)


def leader(decision: Decision) -> Judged | None:
    """The candidate that ranks first."""
    ranked = [c for c in decision.candidates if c.rank is not None]
    return min(ranked, key=lambda c: c.rank or 0, default=None)


def overturned(one: Overturn) -> str:
    """What would change the answer, in a sentence with its numbers."""
    unit = shared(one.unit, one.usual, one.at)
    way = "falls" if one.at < one.usual else "rises"
    likely = "That lies within its range." if one.likely else "That lies outside its range."
    return f"If {one.name} {way} from {said(one.usual, unit)} to {said(one.at, unit)}, {one.leader} leads. {likely}"


def standing(judged: Judged, decision: Decision) -> str:
    """In a few words what became of a candidate."""
    out = judged.ruled_out
    if out:
        return f"ruled out: {', '.join(one.name for one in out)}"
    if judged.unknown:
        return f"not ranked, unknown: {', '.join(judged.unknown)}" if judged.rank is None else "ranked, with gaps"
    if judged.rank is None:
        return "not ranked"
    if judged.name in decision.ties and len(decision.ties) > 1:
        return "tied in the lead"
    return "leads" if judged.rank == 1 else f"place {judged.rank}"


def title(key: str) -> str:
    """A metric's name for people.

    >>> title("tokens_per_s"), title("of-our-own")
    ('Tokens/s', 'of-our-own')
    """
    return capital(metric(key).title) if key in known() else key


def closed(text: str, names: Sequence[str] = ()) -> str:
    """A remark as a sentence; a name or a key that opens it stays as it is written.

    >>> closed("pool costs less", ["pool"]), closed("renting costs more"), closed("sites[0].racks: none")
    ('pool costs less.', 'Renting costs more.', 'sites[0].racks: none.')
    """
    told, first = sentence(text), text.split(maxsplit=1)[0] if text.strip() else ""
    named = next((n for n in names if n and text.strip().startswith(n)), "" if first.strip(":,").isalpha() else first)
    return named + told[len(named) :] if named else told


def unbroken(text: str) -> str:
    """A sentence in which no line begins with a per cent sign."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")
