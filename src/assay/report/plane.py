"""A log-log plot: where a point lies in pixels, its axes, its marks and their names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.report.axes import Box, Scale, Spec, log_ticks, place
from assay.report.chart import TIP, Layout, at, base, layer, raw
from assay.report.palette import LIGHT

POINT = 85.0  # area of an ordinary point, in square pixels


@dataclass(frozen=True, slots=True)
class Plane:
    """The pixels of a log-log plot, and the values at its edges."""

    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    def pixel(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies, from the top left corner."""
        across, up = (math.log(v / lo) / math.log(hi / lo) for v, (lo, hi) in ((x, self.x), (y, self.y)))
        return across * self.width, (1 - up) * self.height


def plane(layout: Layout, height: float, x: tuple[float, float], y: tuple[float, float]) -> Plane:
    """A plot as wide as the layout allows."""
    return Plane(layout.width - 68, 330 if layout.narrow else height, x, y)


def frame(layout: Layout, on: Plane, x: tuple[str, Scale], y: tuple[str, Scale], layers: Sequence[Spec]) -> Spec:
    """The plot: title and unit of each axis; the y title stands flat above the axis, where it can be read."""
    flat = {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "end", "titleX": -50, "titleY": -14}
    across = {"title": x[0], "values": log_ticks(*on.x, 4 if layout.narrow else 8), "labelExpr": x[1].expression}
    up = {"title": y[0], "values": log_ticks(*on.y), "labelExpr": y[1].expression, "domain": False}
    channels = {"x": _log(on.x, across), "y": _log(on.y, {**up, **flat, "titleBaseline": "bottom"})}
    drawn = [_with_axes(each, channels) for each in layers]
    return {**base(on.width, on.height, left=58, right=10, top=34), "layer": drawn}


def marks(data: Sequence[Spec], *, sized: bool = False) -> Spec:
    """Points with colour, shape and, where `sized`, area from the data."""
    size = {"field": "size", "type": "quantitative", "scale": None, "legend": None} if sized else {"value": POINT}
    look = {"color": raw("fill"), "shape": raw("shape"), "size": size, "description": TIP}
    return layer("point", data, {"x": at("x"), "y": at("y"), **look}, filled=True, opacity=0.8 if sized else 1)


def names(data: Sequence[Spec], on: Plane, most: int, avoid: Sequence[Box] = ()) -> Spec:
    """Names beside the first so many points, where there is room."""
    pixels = [(*on.pixel(d["x"], d["y"]), math.sqrt(d.get("size", POINT) / math.pi) + 1) for d in data]
    texts = [d["name"] if len(d["name"]) <= 28 else d["name"][:27] + "…" for d in data]
    spots = place(pixels, [t if i < most else "" for i, t in enumerate(texts)], (on.width, on.height), avoid)
    found = [
        {"px": spot[0], "py": spot[1], "text": text, "fill": LIGHT["ink" if d["front"] else "muted"]}
        for d, spot, text in zip(data[:most], spots, texts, strict=False)
        if spot is not None
    ]
    here = {"type": "quantitative", "scale": None, "axis": None}
    encoding = {"x": {"field": "px", **here}, "y": {"field": "py", **here}, "text": at("text"), "color": raw("fill")}
    return layer("text", found, encoding, fontSize=11, baseline="middle", stroke=LIGHT["surface"], strokeWidth=3)


def _log(domain: tuple[float, float], axis: Spec) -> Spec:
    return {"type": "quantitative", "scale": {"type": "log", "domain": list(domain), "nice": False}, "axis": axis}


def _with_axes(drawn: Spec, channels: Mapping[str, Spec]) -> Spec:
    own = drawn["encoding"]
    placed = {n: {**c, **own[n]} for n, c in channels.items() if n in own and "scale" not in own[n]}
    return {**drawn, "encoding": {**own, **placed}}
