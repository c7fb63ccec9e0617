"""Charts over time: panes one above the other on one time axis, each in its own unit; all places are pixels here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from assay.report.axes import Scale, Spec, fit, text_width
from assay.report.chart import TIP, Layout, base, fixed, layer
from assay.report.clock import ticks
from assay.report.panes import Pane, Span, Stroke

LEFT, RIGHT = 58.0, 96.0  # the same for all, so that what is above one another happened at one time
PHONE_LEFT, PHONE_RIGHT = 46.0, 10.0
HEAD, FOOT, AXIS = 24.0, 12.0, 46.0  # of a pane: room for its title, below it; below them all
TALL, ALONE = 84.0, 160.0  # of a pane among others, of one alone
LANE: Final = 14.0  # of the names of stretches above a pane
SMALL: Final = 11.0
LONGEST: Final = 230.0  # name of a stretch
_ROOM = 12.0  # pixels between two labels of levels


def panes(found: Sequence[Pane], length_s: float, layout: Layout, *, first: float = TALL) -> Spec:
    """The panes of one chart, drawn for a page or a phone."""
    narrow = layout.narrow
    left, right = (PHONE_LEFT, PHONE_RIGHT) if narrow else (LEFT, RIGHT)
    inner, layers, top = layout.width - left - right, list[Spec](), 0.0
    for place, pane in enumerate(found):
        tall = ALONE if len(found) == 1 else TALL if place else first
        lanes = _lanes(pane.spans, inner / length_s, inner, narrow=narrow)
        top += HEAD + LANE * _rows(lanes)
        plot = _Plot(pane, top, tall, inner, length_s, narrow)
        layers += [*plot.ground(), *plot.marks(), *plot.labels(lanes)]
        top += tall + FOOT
    layers += _time_axis(length_s, inner, top - FOOT, narrow=narrow)
    spec = base(inner, top - FOOT, left=left, right=right, top=4, bottom=AXIS)
    return {**spec, "layer": [one for one in layers if one["data"]["values"]]}


@dataclass(frozen=True, slots=True)
class _Plot:
    """A pane with its place."""

    pane: Pane
    top: float
    tall: float
    wide: float
    length_s: float
    narrow: bool

    def x(self, at_s: float) -> float:
        return round(min(max(at_s, 0.0), self.length_s) / self.length_s * self.wide, 1)

    def y(self, value: float) -> float:
        low, high = self.pane.domain
        if self.pane.log:
            value, low, high = math.log(max(value, low)), math.log(low), math.log(high)
        share = (value - low) / (high - low)
        return round(self.top + self.tall * (1 - min(max(share, 0.0), 1.0)), 1)

    def ground(self) -> Iterator[Spec]:
        """Stretches, grid and the numbers at the left."""
        bottom, ticks_ = self.top + self.tall, self.pane.ticks
        for span in self.pane.spans:
            x, x2 = self.x(span.begin_s), self.x(span.end_s)
            box = [{"x": x, "x2": max(x2, x + 2), "y": self.top, "y2": bottom}]
            yield layer("rect", box, {**_box(), "color": fixed(span.token)}, opacity=span.opacity)
        yield self._across([{"x": 0, "x2": self.wide, "y": self.y(tick)} for tick in ticks_], "grid")
        yield self._across([{"x": 0, "x2": self.wide, "y": bottom}], "rule")
        said = [{"x": -8, "y": self.y(tick), "text": number(tick, self.pane.scale)} for tick in ticks_]
        yield layer("text", said, _text("muted"), align="right", fontSize=10.5, baseline="middle")

    def marks(self) -> Iterator[Spec]:
        """What was read, and over it the strips that say it when pointed at."""
        for stroke in self.pane.strokes:
            yield from self._stroke(stroke)
        many = sum(len(dots.at_s) for dots in self.pane.dots)
        for dots in self.pane.dots:
            found = zip(dots.at_s.tolist(), dots.value.tolist(), strict=True)
            data = [{"x": self.x(at), "y": self.y(value)} for at, value in found]
            look = {
                "filled": not dots.hollow,
                "size": 40 if many < 40 else 18 if many < 200 else 12,
                "opacity": 0.75,
                "strokeWidth": 1,
            }
            yield layer("point", data, {"x": _px("x"), "y": _px("y"), "color": fixed(dots.token)}, **look)
        for level in self.pane.levels:
            line = {"x": self.x(level.begin_s), "x2": self.x(level.end_s), "y": self.y(level.value)}
            yield self._across([line], level.token, strokeWidth=1.1, strokeDash=list(level.dash))
        yield layer("rect", self._strips(), {**_box(), "color": fixed("accent"), "description": TIP}, fillOpacity=0)

    def _strips(self) -> list[Spec]:
        found = []
        for begin, end, text in self.pane.tips:
            there = [s.tip for s in self.pane.spans if s.tip and s.begin_s < end and s.end_s > begin]
            box = {"x": self.x(begin), "x2": self.x(end), "y": self.top, "y2": self.top + self.tall}
            found.append({**box, "tip": " · ".join((text, *there))})
        return found

    def labels(self, lanes: dict[int, int]) -> Iterator[Spec]:
        """The pane's title, the names of its stretches, and what its levels are."""
        title = [{"x": 0, "y": self.top - LANE * _rows(lanes) - 9, "text": self.pane.title}]
        yield layer("text", title, _text("ink"), align="left", fontSize=SMALL + 0.5, fontWeight=600)
        for place, lane in lanes.items():
            span = self.pane.spans[place]
            text = fit(span.label, LONGEST, 10)
            x = min(self.x(span.begin_s) + 1, self.wide - text_width(text, 10))
            data = [{"x": x, "y": self.top - 5 - LANE * lane, "text": text}]
            token = "bad" if span.token == "bad" else "muted"
            yield layer("text", data, _text(token), align="left", fontSize=10, fontWeight=600)
        yield from self._levels()

    def _levels(self) -> Iterator[Spec]:
        edge, data = self.top - _ROOM, []
        for one in sorted((one for one in self.pane.levels if one.label), key=lambda one: -one.value):
            edge = max(self.y(one.value), edge + _ROOM)
            data.append({"x": self.wide + 6, "y": edge, "text": one.label})
        # On a phone there is no room beside a pane: the legend says them.
        yield layer("text", [] if self.narrow else data, _text("muted"), align="left", fontSize=10.5, baseline="middle")

    def _across(self, data: list[Spec], token: str, **look: object) -> Spec:
        place = {"x": _px("x"), "x2": {"field": "x2"}, "y": _px("y"), "color": fixed(token)}
        return layer("rule", data, place, **look)

    def _stroke(self, stroke: Stroke) -> Iterator[Spec]:
        """A band and a line, broken where a gap is."""
        parts = list(accumulate((not joined for joined in stroke.joined.tolist()[:-1]), initial=0))
        x = [self.x(at) for at in stroke.at_s.tolist()]
        y = [self.y(value) for value in stroke.mid.tolist()]
        if stroke.low is not None and stroke.high is not None:
            ends = zip(x, stroke.low.tolist(), stroke.high.tolist(), parts, strict=True)
            band = [{"x": a, "y": self.y(high), "y2": self.y(low), "part": p} for a, low, high, p in ends]
            place = {**_line(stroke.token), "y2": {"field": "y2"}}
            yield layer("area", list(_with_width(band)), place, opacity=0.2)
        line = [{"x": a, "y": b, "part": p} for a, b, p in zip(x, y, parts, strict=True)]
        look = {"strokeWidth": stroke.width, "strokeDash": list(stroke.dash), "strokeCap": "round"}
        yield layer("line", line, _line(stroke.token), **look, strokeJoin="round")


def _with_width(rows: list[Spec]) -> Iterator[Spec]:
    """A part of one point alone would be an area of no width."""
    parts = Counter(row["part"] for row in rows)
    for row in rows:
        yield row
        if parts[row["part"]] == 1:
            yield {**row, "x": row["x"] + 1}


def number(value: float, scale: Scale) -> str:
    """A tick: a plain number in the axis' unit, which stands in the title.

    >>> number(1.76e9, Scale(1e9, "GHz")), number(0.5, Scale(0.01, "%"))
    ('1.76', '50 %')
    """
    text = f"{value / scale.factor:,.6g}"
    return f"{text} %" if scale.symbol == "%" else text


def _lanes(spans: Sequence[Span], per_s: float, room: float, *, narrow: bool) -> dict[int, int]:
    """In which row above a pane the name of each stretch stands; a name without room is left out."""
    ends, found = [-math.inf] * (2 if narrow else 3), dict[int, int]()
    for place, span in sorted(enumerate(spans), key=lambda item: item[1].begin_s):
        width = text_width(fit(span.label, LONGEST, 10), 10)
        x = min(span.begin_s * per_s, room - width)
        lane = next((i for i, end in enumerate(ends) if span.label and x >= end + 6), None)
        if lane is not None:
            ends[lane], found[place] = x + width, lane
    return found


def _rows(lanes: dict[int, int]) -> int:
    return 1 + max(lanes.values(), default=-1)


def _time_axis(length_s: float, inner: float, y: float, *, narrow: bool) -> list[Spec]:
    marks = [(round(at / length_s * inner, 1), text) for at, text in ticks(length_s, 5 if narrow else 11)]
    rules = [{"x": x, "y": y, "y2": y + 4} for x, _ in marks]
    edge = inner + (PHONE_RIGHT if narrow else RIGHT) - 2  # a text at the end may not hang over it
    said = [{"x": min(x, edge - text_width(text, 10.5) / 2), "y": y + 16, "text": text} for x, text in marks]
    title = [{"x": inner / 2, "y": y + 36, "text": "time since the run began (h:min:s)"}]
    return [
        layer("rule", rules, {"x": _px("x"), "y": _px("y"), "y2": {"field": "y2"}, "color": fixed("rule")}),
        layer("text", said, _text("muted"), align="center", fontSize=10.5),
        layer("text", title, _text("muted"), align="center", fontSize=SMALL),
    ]


def _px(field: str) -> Spec:
    return {"field": field, "type": "quantitative", "scale": None, "axis": None}


def _box() -> Spec:
    return {"x": _px("x"), "x2": {"field": "x2"}, "y": _px("y"), "y2": {"field": "y2"}}


def _text(token: str) -> Spec:
    return {"x": _px("x"), "y": _px("y"), "text": {"field": "text"}, "color": fixed(token)}


def _line(token: str) -> Spec:
    return {"x": _px("x"), "y": _px("y"), "detail": {"field": "part", "type": "nominal"}, "color": fixed(token)}
