"""Every device for itself: a small line for each metric, so that the one that differs is found at a glance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from assay.report.axes import Spec, fit, text_width
from assay.report.buckets import MOST, Curve, coarse
from assay.report.chart import Chart, Layout, base, chart, fixed, layer
from assay.report.run_text import NO_SENSOR, level, reach, said
from assay.report.table import Cell, Column, Table, figures
from assay.report.tracks import unlike

ROWS = 16  # devices; the table has them all
_BY, _PHONE_BY = 4, 12  # points of a curve that are one here
_PER, _PHONE_PER = 4, 2  # columns side by side
_ROW, _PHONE_ROW, _HEAD, _SEAM = 34.0, 46.0, 34.0, 18.0


class Small(NamedTuple):
    """One metric of all devices, in one range."""

    title: str
    metric: str
    each: Mapping[str, Curve]
    domain: tuple[float, float]


def sparks(id: str, title: str, columns: Sequence[Small], names: Sequence[str]) -> Chart:  # noqa: A002
    """A row for each device, a column for each metric."""
    means = {n: [float(c.each[n].mid.mean()) if n in c.each else None for c in columns] for n in names}
    shown = unlike(means, ROWS)

    def build(layout: Layout) -> Spec:
        return _Sheet(columns, shown, layout).spec()

    alt = f"{len(shown)} devices: " + ", ".join(c.title for c in columns)
    caption = "In each column all rows have one range; at the right the mean."
    more = f" Those that differ most; {len(names) - ROWS} more are in the table." if len(names) > ROWS else ""
    return chart(id, title, alt, build, caption=caption + more)


def sparks_table(id: str, columns: Sequence[Small], names: Sequence[str]) -> Table:  # noqa: A002
    """Mean, lowest and highest of each device."""
    heads = (Column("Device", "device"), *(figures(c.title, c.metric, "mean; lowest and highest") for c in columns))
    rows = tuple((Cell(name), *(_mean(c.each.get(name), c.metric) for c in columns)) for name in names)
    return Table(id=id, caption="Each device: mean, lowest and highest reading", columns=heads, rows=rows)


def _mean(c: Curve | None, name: str) -> Cell:
    if c is None:
        return Cell(NO_SENSOR, tone="quiet")
    return level(float(c.mid.mean()), float(c.low.min()), float(c.high.max()), name)


class _Sheet:
    """Where each small line lies, in pixels: blocks of a few columns, one block below the other."""

    def __init__(self, columns: Sequence[Small], names: Sequence[str], layout: Layout) -> None:
        self.columns, self.names, self.narrow = columns, names, layout.narrow
        self.per = min(len(columns), _PHONE_PER if layout.narrow else _PER)
        self.left = 2.0 if layout.narrow else min(150.0, max(text_width(n, 12) for n in names) + 20)
        self.inner = layout.width - self.left - 8
        self.wide = (self.inner - _SEAM * (self.per - 1)) / self.per
        self.row = _PHONE_ROW if layout.narrow else _ROW
        self.block = _HEAD + self.row * len(names) + 10
        self.note = 52.0 if layout.narrow else 62.0  # room for the mean

    def spec(self) -> Spec:
        """All of it."""
        lines, notes, heads, named = (list[Spec]() for _ in range(4))
        for place, column in enumerate(self.columns):
            x, y = place % self.per * (self.wide + _SEAM), place // self.per * self.block
            heads.append({"x": x, "y": y + 8, "text": fit(column.title, self.wide, 11), "bold": True})
            heads.append({"x": x, "y": y + 22, "text": fit(reach(*column.domain, column.metric), self.wide, 10)})
            for row, name in enumerate(self.names):
                top = y + _HEAD + row * self.row
                if not place % self.per:
                    named.append({"x": 0 if self.narrow else -12, "y": top + (8 if self.narrow else 17), "text": name})
                if name in column.each:
                    lines += self._line(column, column.each[name], x, top, f"{place} {row}")
                    mean = said(float(column.each[name].mid.mean()), column.metric)
                    notes.append({"x": x + self.wide, "y": top + (30 if self.narrow else 17), "text": mean})
        spec = base(self.inner, self.block * -(-len(self.columns) // self.per), left=self.left, right=8, bottom=8)
        return {**spec, "layer": [one for one in self._layers(lines, notes, heads, named) if one["data"]["values"]]}

    def _line(self, column: Small, c: Curve, left: float, top: float, part: str) -> list[Spec]:
        by = _PHONE_BY if self.narrow else _BY
        few, (low, high) = coarse(c, by), column.domain
        first = 14 if self.narrow else 4
        tall, found, piece = self.row - first - 8, list[Spec](), 0
        for place, value, joined in zip(few.bucket.tolist(), few.mid.tolist(), few.joined.tolist(), strict=True):
            x = left + min(1.0, place * by / MOST) * (self.wide - self.note)
            share = min(max((value - low) / (high - low), 0.0), 1.0)
            y = top + first + tall * (1 - share)
            found.append({"x": round(x, 1), "y": round(y, 1), "part": f"{part} {piece}"})
            piece += not joined
        return found

    def _layers(self, lines: list[Spec], notes: list[Spec], heads: list[Spec], named: list[Spec]) -> list[Spec]:
        place = {"x": _px("x"), "y": _px("y")}
        detail = {"detail": {"field": "part", "type": "nominal"}, "color": fixed("accent")}
        ink, muted = ({**place, "text": {"field": "text"}, "color": fixed(token)} for token in ("ink", "muted"))
        side = "left" if self.narrow else "right"
        return [
            layer("line", lines, {**place, **detail}, strokeWidth=1.3, strokeCap="round"),
            layer("text", notes, muted, align="right", fontSize=10.5, baseline="middle"),
            layer("text", [h for h in heads if h.get("bold")], ink, align="left", fontSize=10.5, fontWeight=600),
            layer("text", [h for h in heads if not h.get("bold")], muted, align="left", fontSize=10),
            layer("text", named, ink, align=side, fontSize=11, baseline="middle"),
        ]


def _px(field: str) -> Spec:
    return {"field": field, "type": "quantitative", "scale": None, "axis": None}
