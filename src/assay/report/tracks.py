"""What several devices or ranks did over time, as lines of a pane: three at most, with the reach of all behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from assay.report.buckets import Curve, Folded, coarse, fold, spread
from assay.report.chart import Key
from assay.report.clock import clock, digits_for, stretch
from assay.report.panes import DASHES, HUES, Stroke
from assay.report.run_text import level, reach, said
from assay.report.table import Cell, Column, Table, figures

if TYPE_CHECKING:
    from assay.report.chart import Layout

PHONE_BY = 3  # points of a page's curve that are one on a phone
SLICES, PHONE_SLICES = 48, 24  # stretches that say their numbers when pointed at
ROWS = 24  # … and that are a row of the table
KEYS = ("stroke", "dashed", "dotted")  # how a legend shows the first dashes


class Track(NamedTuple):
    """One metric of one or several devices, ready to be drawn."""

    metric: str
    found: Folded
    name: str = ""  # what it is called where a pane has several


def several(found: Mapping[str, Curve], odd: Sequence[str], layout: Layout) -> list[Stroke]:
    """Up to three devices as a line each; of more their median, the reach of all, and who stands out."""
    curves = {name: fitted(c, layout) for name, c in found.items()}
    if len(curves) <= len(KEYS):
        return [_line(c, i, banded=True) for i, c in enumerate(curves.values())]
    middle = fold(curves).middle
    apart = [(i, curves[name]) for i, name in enumerate(odd[:2], start=1) if name in curves]
    return [_line(middle, 0, banded=True), *(_line(c, i, banded=False) for i, c in apart if _seen_apart(c, middle))]


def _seen_apart(c: Curve, middle: Curve) -> bool:
    """Whether a line would not lie on the median's."""
    import numpy as np

    low, high = spread([middle])
    near = np.interp(c.at_s, middle.at_s, middle.mid)
    return bool(np.abs(c.mid - near).max() > 0.02 * (high - low))


def unlike(rows: Mapping[str, Sequence[float | None]], most: int) -> list[str]:
    """Of many devices or ranks those that differ most from the median of all, in the order they came.

    >>> unlike({"a": [0.5], "b": [0.5], "c": [0.9], "d": [None], "e": [0.1]}, 2)
    ['c', 'e']
    """
    columns = list(zip(*rows.values(), strict=True))
    middles = [median([v for v in column if v is not None] or [0.0]) for column in columns]
    apart = {
        name: sum(abs(v - m) / (abs(m) or 1.0) for v, m in zip(row, middles, strict=True) if v is not None)
        for name, row in rows.items()
    }
    chosen = set(sorted(apart, key=lambda name: -apart[name])[:most])
    return [name for name in rows if name in chosen]


def traces(tracks: Sequence[Track], layout: Layout) -> list[Stroke]:
    """Several metrics in one pane: a line each."""
    return [_line(fitted(t.found.middle, layout), i, banded=len(tracks) == 1) for i, t in enumerate(tracks)]


def fitted(found: Curve, layout: Layout) -> Curve:
    """As many points as there is room for."""
    return coarse(found, PHONE_BY) if layout.narrow else found


def _line(c: Curve, index: int, *, banded: bool) -> Stroke:
    banded = banded and bool((c.high > c.low).any())
    low, high = (c.low, c.high) if banded else (None, None)
    return Stroke(
        at_s=c.at_s, mid=c.mid, joined=c.joined, low=low, high=high, token=HUES[index], dash=DASHES[index]
    )  # fmt: skip


def legend(names: Sequence[str], odd: Sequence[str], noun: str) -> list[Key]:
    """What the lines of a figure are; the same colour is the same device in all its panes."""
    if len(names) <= len(KEYS):
        lines = [Key(name, HUES[i], KEYS[i]) for i, name in enumerate(names)] if len(names) > 1 else []
        return [*lines, Key("lowest to highest reading", "accent", "haze")]
    return [
        Key(f"median of {len(names)} {noun}s", "accent", "stroke"),
        Key(f"lowest to highest reading of any {noun}", "accent", "haze"),
        *(Key(name, HUES[i], KEYS[i]) for i, name in enumerate(odd[:2], start=1)),
    ]


def domain(tracks: Sequence[Track], *, zero: bool, least: float = 0.0) -> tuple[float, float]:
    """From the lowest to the highest reading with some room; from zero where that says more."""
    low, high = spread([t.found.middle for t in tracks])
    if zero:
        return min(0.0, low), max(high * 1.06, least) or 1.0
    room = max(0.08 * (high - low), 0.01 * abs(high), 1e-12)
    return low - room, high + room


def tips(tracks: Sequence[Track], title: str, length_s: float, layout: Layout) -> list[tuple[float, float, str]]:
    """What each stretch of a pane says when it is pointed at."""
    count = PHONE_SLICES if layout.narrow else SLICES
    columns = [_slices(t.found.middle, length_s, count) for t in tracks]
    found = []
    for cells in zip(*columns, strict=True):
        words = [_words(value, t) for (_, _, value), t in zip(cells, tracks, strict=True)]
        begin, end, _ = cells[0]
        found.append((begin, end, f"{stretch(begin, end)}: {title} {', '.join(words)}"))
    return found


def _words(value: tuple[float, float, float] | None, track: Track) -> str:
    if value is None:
        return f"{track.name} no reading".strip()
    mid, low, high = value
    ends = f" ({reach(low, high, track.metric)})" if low != high else ""
    return f"{track.name} {said(mid, track.metric)}{ends}".strip()


def table(id: str, caption: str, tracks: Sequence[tuple[str, Track]], length_s: float) -> Table:  # noqa: A002
    """A row for each stretch of time, a column for each metric: its middle, its lowest, its highest."""
    columns = [list(_slices(track.found.middle, length_s, ROWS)) for _, track in tracks]
    digits = digits_for(length_s / ROWS)
    rows = []
    for cells in zip(*columns, strict=True):
        if any(value is not None for *_, value in cells):
            begin, end, _ = cells[0]
            told = [_cell(value, t.metric) for (_, _, value), (_, t) in zip(cells, tracks, strict=True)]
            rows.append((Cell(clock(begin, digits), sort=begin), Cell(clock(end, digits), sort=end), *told))
    heads = (Column("From", "from_s"), Column("To", "to_s"))
    keys = (figures(title, t.metric, "median of all; the lowest and the highest reading") for title, t in tracks)
    return Table(id=id, caption=caption, columns=(*heads, *keys), rows=tuple(rows))


def _cell(value: tuple[float, float, float] | None, name: str) -> Cell:
    return Cell("—", tone="quiet") if value is None else level(*value, name)


def _slices(
    c: Curve, length_s: float, count: int
) -> list[tuple[float, float, tuple[float, float, float] | None]]:  # fmt: skip
    """Begin, end, and (middle, lowest, highest) of each stretch; None where nothing was read."""
    import numpy as np

    edges = np.linspace(0.0, length_s, count + 1)
    place = np.searchsorted(c.at_s, edges)
    place[-1] = len(c)
    found = []
    for i, (first, last) in enumerate(zip(place[:-1].tolist(), place[1:].tolist(), strict=True)):
        part = slice(first, last)
        value = None
        if last > first:
            value = (float(np.mean(c.mid[part])), float(c.low[part].min()), float(c.high[part].max()))
        found.append((float(edges[i]), float(edges[i + 1]), value))
    return found
