"""Axes for people: a readable unit for a whole axis, round ticks on a log scale, and labels that do not collide."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Spec = dict[str, Any]  # a Vega-Lite spec or a part of one: JSON that only Vega reads
Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels

_TIMES = (
    (172800.0, 86400.0, "days"),
    (7200.0, 3600.0, "hours"),
    (600.0, 60.0, "minutes"),
    (1.0, 1.0, "s"),
    (1e-3, 1e-3, "ms"),
    (0.0, 1e-6, "µs"),
)
_PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
_SYMBOLS = {"bytes": "B", "flop": "FLOP", "w": "W", "j": "J", "hz": "Hz", "byte": "B", "celsius": "°C"}


@dataclass(frozen=True, slots=True)
class Scale:
    """Divide by `factor` and the numbers on an axis are in `symbol`."""

    factor: float
    symbol: str

    @property
    def expression(self) -> str:
        """How Vega writes a tick."""
        if self.symbol == "$":
            cents = "datum.value && abs(datum.value) < 1 ? format(datum.value, '$.2f')"
            return f"{cents} : replace(format(datum.value, '$~s'), 'G', 'B')"
        return "format(datum.value, ',~f')" + (" + ' %'" if self.symbol == "%" else "")

    def title(self, text: str) -> str:
        """An axis title with its unit."""
        return text if self.symbol in ("$", "%", "") else f"{text} ({self.symbol})"


def scale(values: Sequence[float], unit: str) -> Scale:
    """The unit in which these values are read most easily.

    >>> scale([3.35e12, 8e12], "bytes_per_s"), scale([0.4], "")
    (Scale(factor=1000000000000.0, symbol='TB/s'), Scale(factor=0.01, symbol='%'))
    """
    top = max((abs(v) for v in values), default=1.0)
    if unit == "":
        return Scale(0.01, "%")
    if unit == "s":
        return next(Scale(factor, name) for limit, factor, name in _TIMES if top >= limit)
    if unit == "usd":
        return Scale(1.0, "$")
    head, *per = unit.split("_per_")
    factor, prefix = next(((f, p) for f, p in _PREFIXES if top >= f), (1.0, ""))
    symbol = _SYMBOLS.get(head, f" {head}")
    return Scale(factor, (prefix + symbol).strip() + "".join(f"/{_SYMBOLS.get(p, p)}" for p in per))


def log_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Round values inside [low, high] for a log axis: 1-2-5 where there is room, else powers of ten.

    >>> log_ticks(0.9, 60), log_ticks(1, 1e12, 5)
    ([1.0, 2.0, 5.0, 10.0, 20.0, 50.0], [1.0, 1000.0, 1000000.0, 1000000000.0, 1000000000000.0])
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        ticks = [float(f"{m}e{d}") for d in decades for m in steps]
        inside = [t for t in ticks if low <= t <= high]
        if len(inside) <= most:
            return inside
    return inside[:: math.ceil(len(inside) / most)]


def span(values: Sequence[float], room: float = 1.15) -> tuple[float, float]:
    """The domain of a log axis with some room at both ends."""
    return min(values) / room, max(values) * room


def place(
    points: Sequence[tuple[float, float, float]],
    texts: Sequence[str],
    room: tuple[float, float],
    avoid: Sequence[Box] = (),
    *,
    size: float = 11,
) -> list[tuple[float, float] | None]:
    """Where the label of each point (x, y, radius) may stand so that none covers another; None where none can.

    All in pixels; a place is the label's centre. Greedy, in the order given: the important ones come first.
    """
    taken = [*avoid, *((x - r, y - r, x + r, y + r) for x, y, r in points)]
    found: list[tuple[float, float] | None] = []
    for (x, y, r), text in zip(points, texts, strict=True):
        half, tall = text_width(text, size) / 2, size * 0.62
        for dx, dy in _offsets(half + r, tall + r):
            box = (x + dx - half, y + dy - tall, x + dx + half, y + dy + tall)
            if (
                box[0] >= 0
                and box[1] >= 0
                and box[2] <= room[0]
                and box[3] <= room[1]
                and not any(_meet(box, t) for t in taken)
            ):
                taken.append(box)
                found.append((x + dx, y + dy))
                break
        else:
            found.append(None)
    return found


def text_width(text: str, size: float) -> float:
    """About how wide a sans-serif text is, in pixels: for room on the left, not for typesetting."""
    return (
        sum(0.36 if c in "iljtf.,:;|!'() " else 0.96 if c in "mwMW@%" else 0.7 if c.isupper() else 0.63 for c in text)
        * size
    )


def fit(text: str, room: float, size: float) -> str:
    """The text, cut with an ellipsis where it is wider than its room.

    >>> fit("hgx-h100", 100, 12), fit("hgx-h100", 40, 12)
    ('hgx-h100', 'hgx-…')
    """
    if text_width(text, size) <= room:
        return text
    return next(t for n in range(len(text), -1, -1) if text_width(t := text[:n] + "…", size) <= room or not n)


def _offsets(half: float, tall: float) -> list[tuple[float, float]]:
    side, near = half + 4, tall + 2
    beside = [(side, 0.0), (-side, 0.0), (0.0, -near), (0.0, near)]
    corners = [(x, y) for x in (side, -side) for y in (-near, near)]
    further = [(x, 2 * y) for x in (0.0, side, -side) for y in (-near, near)]
    return [*beside, *corners, *further]


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
