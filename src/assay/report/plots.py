"""Charts of one quantity against another: price against speed, and the roofline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median

from assay.report.axes import Scale, Spec, scale, span
from assay.report.chart import Chart, Key, Layout, at, chart, fixed, layer
from assay.report.palette import LIGHT
from assay.report.plane import Plane, frame, marks, names, plane
from assay.report.study import Option, clean, positive
from assay.report.text import capital, interval, listed, percent
from assay.result import METRICS, Point, Value
from assay.units import show, suffix

SPEEDS = ("time_to_train_s", "step_s")
PRICES = ("rent_usd", "purchase_usd", "energy_j", "capex_usd")
FAR = 12  # times the best: further out a system is in the table only
SHAPES: Mapping[str, str] = {"A": "circle", "B": "square", "C": "triangle-up", "D": "diamond"}

Priced = tuple[Option, Value, Value]


def pareto(options: Sequence[Option]) -> Chart | None:
    """What it costs against how long it takes; the systems that nothing beats on both are joined."""
    axes = pair(options)
    if axes is None:
        return None
    priced = [(o, o.result.values[axes[0]], o.result.values[axes[1]]) for o in options if _priced(o, axes)]
    found = _near(priced)
    columns = ([x.mean for _, x, _ in found], [y.mean for _, _, y in found])
    scales = [scale([median(column)], suffix(m)) for column, m in zip(columns, axes, strict=True)]
    data = _points(found, axes, scales)

    def build(layout: Layout) -> Spec:
        on = plane(layout, 430, span([d["x"] for d in data], 1.35), span([d["y"] for d in data], 1.35))
        layers = [_joined(data), *_crosses(data, on), marks(data), names(data, on, 3 if layout.narrow else 30)]
        titles = [told.title(METRICS[m].title) for m, told in zip(axes, scales, strict=True)]
        return frame(layout, on, (titles[0], scales[0]), (titles[1], scales[1]), layers)

    fast, cheap = (METRICS[m].title for m in axes)
    best = listed([d["name"] for d in data if d["front"]][:8])
    title = f"{capital(cheap)} against {fast}: lower left is better"
    remark = _left_out(len(priced) - len(found), len(options) - len(priced), cheap)
    return chart("pareto", title, f"Nothing beats {best} on both.", build, keys=_keys(data), caption=remark)


def pair(options: Sequence[Option]) -> tuple[str, str] | None:
    """The first speed and price that at least two systems have."""
    pairs = ((fast, cheap) for fast in SPEEDS for cheap in PRICES)
    return next((p for p in pairs if sum(_priced(o, p) for o in options) >= 2), None)


def frontier(points: Sequence[tuple[float, float]]) -> set[int]:
    """Which points nothing beats on both axes, lower being better.

    >>> sorted(frontier([(1, 5), (2, 2), (3, 3), (5, 1)]))
    [0, 1, 3]
    """
    best, found = math.inf, set[int]()
    for i in sorted(range(len(points)), key=lambda i: points[i]):
        if points[i][1] < best:
            best = points[i][1]
            found.add(i)
    return found


def roofline(option: Option) -> Chart | None:
    """Each operation under its roof (Williams, Waterman and Patterson 2009): how near it comes, and to which."""
    device = option.result.system.accelerator
    ops = [p for p in option.result.roofline if positive(p.flop, p.bytes, p.time_s)]
    peaks = {d: device.peak_flop_per_s[d] for d in sorted({p.dtype for p in ops}) if d in device.peak_flop_per_s}
    if not ops or not peaks:
        return None
    top = scale(list(peaks.values()), "flop_per_s")
    whole = sum(p.time_s for p in ops)
    data = [_op(p, top, whole) for p in sorted(ops, key=lambda p: -p.time_s)]
    ridges = [peak / device.bandwidth_bytes_per_s for peak in peaks.values()]
    xs = span([*(d["x"] for d in data), *ridges], 2.2)
    ys = span([*(d["y"] for d in data), *(peak / top.factor for peak in peaks.values())], 1.9)

    def build(layout: Layout) -> Spec:
        on = plane(layout, 400, xs, ys)
        roofs = [a for d, peak in peaks.items() for a in _roof(on, d, peak, device.bandwidth_bytes_per_s, top.factor)]
        tops = [on.pixel(xs[1], peak / top.factor)[1] for peak in peaks.values()]
        said = [(on.width - 130, y - 18, on.width, y + 3) for y in tops]
        layers = [*roofs, marks(data, sized=True), names(data, on, 12, said)]
        return frame(layout, on, ("FLOP per byte moved", Scale(1.0, "")), (top.title("speed reached"), top), layers)

    keys = [
        Key("what the device allows", "rule", "line"),
        Key("an operation; its area is its share of the time", "accent", "circle"),
    ]
    name = clean(device.name)
    caption = f"{name}: {show(device.bandwidth_bytes_per_s, 'bytes_per_s')} to memory; peaks are dense."
    alt = "; ".join(d["tip"] for d in data)
    return chart("roofline", f"The job's operations under the roof of {name}", alt, build, keys=keys, caption=caption)


def _points(found: Sequence[Priced], axes: tuple[str, str], scales: Sequence[Scale]) -> list[Spec]:
    """One point a system, the frontier first and the cheap before the dear: the order in which names find room."""
    front = frontier([(x.mean, y.mean) for _, x, y in found])
    units = [suffix(m) for m in axes]
    data = []
    for i, (o, x, y) in enumerate(found):
        said = zip((x, y), axes, units, strict=True)
        tip = f"{o.label}: " + "; ".join(f"{METRICS[m].title} {interval(v, unit)}" for v, m, unit in said)
        look = {"shape": SHAPES[y.evidence], "front": i in front, "fill": LIGHT["accent" if i in front else "faint"]}
        spot = {**_ends("x", x, scales[0].factor), **_ends("y", y, scales[1].factor)}
        data.append({"name": o.label, "tip": tip, **look, **spot})
    return sorted(data, key=lambda d: (not d["front"], d["y"]))


def _ends(axis: str, value: Value, factor: float) -> dict[str, float]:
    return {axis: value.mean / factor, f"{axis}1": value.low / factor, f"{axis}2": value.high / factor}


def _near(found: list[Priced]) -> list[Priced]:
    """Without the few that lie so far out that the others would share one corner."""
    best = min(x.mean for _, x, _ in found), min(y.mean for _, _, y in found)
    near = [row for row in found if row[1].mean <= FAR * best[0] and row[2].mean <= FAR * best[1]]
    return near if len(near) >= 5 else found


def _priced(option: Option, axes: tuple[str, str]) -> bool:
    values = [option.value(m) for m in axes]
    return all(v is not None and positive(v.low, v.mean, v.high) for v in values)


def _left_out(far: int, unknown: int, metric: str) -> str:
    beyond = f"{far} more lie far beyond this frame." if far else ""
    return " ".join(filter(None, (beyond, f"{unknown} more have no known {metric}." if unknown else "")))


def _keys(data: Sequence[Spec]) -> list[Key]:
    used = [(letter, shape) for letter, shape in SHAPES.items() if any(d["shape"] == shape for d in data)]
    return [
        Key("nothing is both faster and cheaper", "accent", "circle"),
        Key("another is both", "faint", "circle"),
        *(Key(f"class {letter}", "muted", "box" if shape == "square" else shape) for letter, shape in used),
        Key("90 % intervals", "rule", "line"),
    ]


def _joined(data: Sequence[Spec]) -> Spec:
    line = [{"x": d["x"], "y": d["y"]} for d in data if d["front"]]
    look = {"strokeWidth": 1.5, "strokeDash": [5, 4], "color": LIGHT["accent"], "opacity": 0.6}
    return layer("line", line, {"x": at("x"), "y": at("y")}, **look)


def _crosses(data: Sequence[Spec], on: Plane) -> list[Spec]:
    """Intervals on both axes, cut at the frame."""
    cut = [
        {axis: d[axis] for axis in "xy"}
        | {f"{axis}1": max(d[f"{axis}1"], ends[0]) for axis, ends in (("x", on.x), ("y", on.y))}
        | {f"{axis}2": min(d[f"{axis}2"], ends[1]) for axis, ends in (("x", on.x), ("y", on.y))}
        for d in data
    ]
    flat = {"x": at("x1"), "x2": at("x2"), "y": at("y"), "color": fixed("rule")}
    tall = {"x": at("x"), "y": at("y1"), "y2": at("y2"), "color": fixed("rule")}
    return [layer("rule", cut, encoding, strokeWidth=1.25) for encoding in (flat, tall)]


def _op(point: Point, top: Scale, whole: float) -> Spec:
    rate, intensity, share = point.flop / point.time_s, point.flop / point.bytes, point.time_s / whole
    said = f"{show(rate, 'flop_per_s')} at {show(intensity)} FLOP per byte, {percent(share, sign=False)} of this time"
    look = {"fill": LIGHT["accent"], "shape": "circle", "size": 60 + 900 * share, "front": True}
    name = clean(point.name)
    return {"name": name, "x": intensity, "y": rate / top.factor, **look, "tip": f"{name}: {said}"}


def _roof(on: Plane, dtype: str, peak: float, bandwidth: float, factor: float) -> list[Spec]:
    """The slope of memory, the flat top of arithmetic, and its name."""
    start, end = max(on.x[0], on.y[0] * factor / bandwidth), on.x[1]
    corners = [(x, min(peak, x * bandwidth) / factor) for x in (start, peak / bandwidth, end) if start <= x <= end]
    line = [{"x": x, "y": y} for x, y in corners]
    name = [{"x": end, "y": peak / factor, "text": f"{dtype} {show(peak, 'flop_per_s')}"}]
    here = {"x": at("x"), "y": at("y")}
    told = {**here, "text": at("text"), "color": fixed("muted")}
    return [
        layer("line", line, here, strokeWidth=2, color=LIGHT["rule"]),
        layer("text", name, told, align="right", dy=-9, dx=-6, fontSize=11),
    ]
