"""Plots on linear axes: a line for each candidate, named at its end, with marked points; or a point for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from assay.report.axes import Box, Scale, Spec, fit, place, text_width
from assay.report.chart import TIP, Layout, at, base, fixed, layer, raw
from assay.report.decision_looks import Look
from assay.report.palette import LIGHT

Dot = tuple[float, float, float]  # its centre and its radius, in pixels
_APART: Final = 14.0  # pixels between two names
_NAMES: Final = 190.0  # the most room for them


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A line in the units of its axes, and the points on it that say their numbers when pointed at."""

    name: str
    look: Look
    points: tuple[tuple[float, float], ...]
    told: tuple[tuple[float, float, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A point that matters: what it says beside it, and in full."""

    x: float
    y: float
    text: str
    tip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A linear axis: its title, its ends, how a tick is written."""

    title: str
    low: float
    high: float
    expression: str
    ticks: tuple[float, ...] = ()

    def channel(self, more: Spec) -> Spec:
        """As Vega takes it."""
        drawn = {"title": self.title, "labelExpr": self.expression, **more}
        drawn |= {"values": list(self.ticks)} if self.ticks else {"tickCount": 6}
        scale = {"domain": [self.low, self.high], "nice": False, "zero": False}
        return {"type": "quantitative", "scale": scale, "axis": drawn}


def money_axis(title: str, low: float, high: float, told: Scale) -> Axis:
    """An axis of money."""
    return Axis(title=title, low=low, high=high, expression=told.expression)


def lines(
    layout: Layout, curves: Sequence[Curve], x: Axis, y: Axis, *, marked: Sequence[Mark] = (), height: float = 330
) -> Spec:
    """The chart; names stand at the right of a page, and in the legend alone on a phone."""
    room = 10.0 if layout.narrow else min(_NAMES, max(text_width(c.name, 11) for c in curves) + 18)
    wide, tall = layout.width - 58 - room, 280.0 if layout.narrow else height
    drawn = [*(_line(c) for c in curves), *(_points(c) for c in curves), *_marks(marked, curves, x, y, (wide, tall))]
    names = [] if layout.narrow else [_names(curves, wide, tall, y, room)]
    return {**base(wide, tall, left=58, right=room, top=34), "layer": [*_placed(drawn, x, y), *names]}


def scatter(layout: Layout, data: Sequence[Spec], x: Axis, y: Axis) -> Spec:
    """Points with intervals on both axes from zero, named; those in front are joined."""
    wide, tall = layout.width - 68, 280.0 if layout.narrow else 330.0
    joined = sorted(({"x": d["x"], "y": d["y"]} for d in data if d["front"]), key=lambda d: d["x"])
    look = {"strokeWidth": 1.5, "strokeDash": [5, 4], "color": LIGHT["accent"], "opacity": 0.6}
    flat = {"x": at("x1"), "x2": at("x2"), "y": at("y"), "color": fixed("rule")}
    tall_ = {"x": at("x"), "y": at("y1"), "y2": at("y2"), "color": fixed("rule")}
    points = {"x": at("x"), "y": at("y"), "color": raw("fill"), "shape": raw("shape"), "description": TIP}
    drawn = [
        layer("line", joined, {"x": at("x"), "y": at("y")}, **look), layer("rule", data, flat, strokeWidth=1.25),
        layer("rule", data, tall_, strokeWidth=1.25), layer("point", data, points, filled=True, size=85, opacity=1),
    ]  # fmt: skip
    pixels = [(*_pixel(d["x"], d["y"], x, y, (wide, tall)), 6.0) for d in data]
    names = [(fit(d["name"], _NAMES, 11), LIGHT["ink" if d["front"] else "muted"]) for d in data]
    ends = (
        (((d["x1"], d["y"]), (d["x2"], d["y"])) for d in data),
        (((d["x"], d["y1"]), (d["x"], d["y2"])) for d in data),
    )
    over = [_around(*(_pixel(a, b, x, y, (wide, tall)) for a, b in pair)) for pairs in ends for pair in pairs]
    named = _beside(pixels, names, (wide, tall), over, bold=False)
    return {**base(wide, tall, left=58, right=10, top=34), "layer": [*_placed(drawn, x, y), named]}


def _placed(drawn: Sequence[Spec], x: Axis, y: Axis) -> list[Spec]:
    """Layers on both axes; what stands at a pixel stays there."""
    flat = {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "end", "titleX": -50, "titleY": -14,
            "titleBaseline": "bottom", "domain": False}  # fmt: skip
    channels = {"x": x.channel({"grid": False}), "y": y.channel(flat)}
    found = []
    for one in drawn:
        own = one["encoding"]
        mine = {axis: {**channel, **own[axis]} for axis, channel in channels.items() if "scale" not in own[axis]}
        found.append({**one, "encoding": {**own, **mine}})
    return found


def _line(c: Curve) -> Spec:
    data = [{"x": a, "y": b} for a, b in c.points]
    look = {"color": LIGHT[c.look.token], "strokeDash": list(c.look.dash), "strokeWidth": 2.25, "clip": True}
    return layer("line", data, {"x": at("x"), "y": at("y")}, **look, strokeJoin="round")


def _points(c: Curve) -> Spec:
    data = [{"x": a, "y": b, "tip": tip} for a, b, tip in c.told]
    place = {"x": at("x"), "y": at("y"), "color": fixed(c.look.token), "description": TIP}
    return layer("point", data, place, filled=True, shape=c.look.shape, size=52, opacity=1)


def _marks(marked: Sequence[Mark], curves: Sequence[Curve], x: Axis, y: Axis, room: tuple[float, float]) -> list[Spec]:
    """A ring on the line, and a few words beside it where there is room for them."""
    if not marked:
        return []
    rings = [{"x": m.x, "y": m.y, "tip": m.tip} for m in marked]
    place_ = {"x": at("x"), "y": at("y"), "color": fixed("ink"), "description": TIP}
    ring = layer("point", rings, place_, filled=False, size=170, strokeWidth=2.25, opacity=1)
    pixels = [(*_pixel(m.x, m.y, x, y, room), 8.0) for m in marked]
    over = [_around(_pixel(a, b, x, y, room)) for c in curves for a, b in c.points]
    return [ring, _beside(pixels, [(m.text, LIGHT["ink"]) for m in marked], room, over, bold=True)]


def _around(one: tuple[float, float], other: tuple[float, float] | None = None) -> Box:
    """What a stroke from one pixel to another takes, so that no word lies on it."""
    (a, b), (c, d) = one, other or one
    return min(a, c) - 1, min(b, d) - 1, max(a, c) + 1, max(b, d) + 1


def _pixel(a: float, b: float, x: Axis, y: Axis, room: tuple[float, float]) -> tuple[float, float]:
    return (a - x.low) / (x.high - x.low) * room[0], (y.high - b) / (y.high - y.low) * room[1]


def _beside(
    pixels: Sequence[Dot],
    texts: Sequence[tuple[str, str]],
    room: tuple[float, float],
    avoid: Sequence[Box],
    *,
    bold: bool,
) -> Spec:
    """Texts beside points and off what is drawn; where there is no such room, at least off each other."""
    words = [text for text, _ in texts]
    free = place(pixels, words, room, avoid)
    taken = [_box(spot, text) for spot, text in zip(free, words, strict=True) if spot is not None]
    rest = place(pixels, ["" if spot else text for spot, text in zip(free, words, strict=True)], room, taken)
    spots = [first or second for first, second in zip(free, rest, strict=True)]
    data = [{"px": spot[0], "py": spot[1], "text": text, "fill": fill}
            for spot, (text, fill) in zip(spots, texts, strict=True) if spot is not None]  # fmt: skip
    look = {"fontSize": 11, "baseline": "middle", "stroke": LIGHT["surface"], "strokeWidth": 3}
    return layer("text", data, _free(), **look, fontWeight=600 if bold else 400)


def _box(spot: tuple[float, float], text: str) -> Box:
    half = text_width(text, 11) / 2
    return spot[0] - half, spot[1] - 7, spot[0] + half, spot[1] + 7


def _free() -> Spec:
    """Text at a pixel of the plot, in its own colour."""
    here = {"type": "quantitative", "scale": None, "axis": None}
    return {"x": {"field": "px", **here}, "y": {"field": "py", **here}, "text": at("text"), "color": raw("fill")}


def _names(curves: Sequence[Curve], wide: float, tall: float, y: Axis, room: float) -> Spec:
    """A name at the end of each line, moved apart where two would meet."""
    ends = sorted(((tall * (1 - (c.points[-1][1] - y.low) / (y.high - y.low)), c) for c in curves if c.points),
                  key=lambda pair: pair[0])  # fmt: skip
    spots, edge = list[float](), -_APART
    for spot, _ in ends:
        edge = max(spot, edge + _APART)
        spots.append(edge)
    over = max(0.0, edge - tall)
    moved = [{"px": wide + 8, "py": spot - over, "text": fit(c.name, room - 12, 11), "fill": LIGHT["ink"]}
             for spot, (_, c) in zip(spots, ends, strict=True)]  # fmt: skip
    return layer("text", moved, _free(), align="left", fontSize=11, baseline="middle", fontWeight=600)
