"""Runs of many cases: a rate against a size, one curve a number format or a way of communicating."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from assay.report import bars
from assay.report.axes import Spec, scale, span
from assay.report.chart import Chart, Key, Layout, at, chart, layer
from assay.report.ledgers import measured_table
from assay.report.palette import LIGHT
from assay.report.plane import frame, marks, names, plane
from assay.report.run_study import RunStudy
from assay.report.sections import KINDS, Figure, unit_of_case
from assay.report.study import clean, positive
from assay.report.text import between, listed
from assay.run import PRODUCTS
from assay.summary import CaseSummary
from assay.units import show

# The first three are drawn in colour, the others in grey; each has its shape and its dash.
_LOOKS: tuple[tuple[str, str, list[int]], ...] = (
    ("accent", "circle", []), ("network-1", "square", [7, 3]), ("memory-1", "triangle-up", [2, 3]),
    ("faint", "diamond", [9, 3, 2, 3]), ("faint", "cross", [4, 2]), ("faint", "triangle-down", [1, 2]),
    ("faint", "triangle-right", [6, 2]), ("faint", "triangle-left", [3, 3]),
)  # fmt: skip


class Point(NamedTuple):
    """A case on a curve."""

    group: str
    name: str
    x: float
    y: float
    low: float | None
    high: float | None
    steady: bool
    line: bool = True  # joined to its neighbours on the curve


def sweeps(study: RunStudy) -> list[Figure]:
    """Curves where cases have a size, bars where they have none; the table has every case."""
    found = [_matmuls(study), _messages(study)]
    figures = [f for f in found if f is not None]
    rest = [c for c in study.cases if not _drawn(c, figures)]
    groups = {(unit, title): [c for c in rest if unit_of_case(c) == unit] for unit, title in KINDS}
    several = sum(map(bool, groups.values())) > 1
    for (unit, title), cases in groups.items():
        name = f"cases-{unit.replace('_', '-')}"
        if drawn := bars.measured(cases, unit, title, name, half=several):
            figures.append(Figure(drawn, measured_table(cases, f"{name}-table")))
    return figures


def _drawn(case: CaseSummary, figures: Sequence[Figure]) -> bool:
    return any(case.name in {row[0].text for row in f.table.rows} for f in figures)


def _matmuls(study: RunStudy) -> Figure | None:
    """Rate against size; squares are joined, since a shape is a size only where all edges are alike."""
    cases = [c for c in study.cases if c.kind in PRODUCTS and len(c.case.shape) == 3 and c.rate and positive(c.rate)]
    sizes = [(c, (c.case.shape[0] * c.case.shape[1] * c.case.shape[2]) ** (1 / 3)) for c in cases]
    several = len({c.case.device for c in cases}) > 1
    points = [
        Point(" ".join(filter(None, (c.case.library, c.dtype, c.case.device if several else ""))), c.name, size,
              c.rate or 0.0, c.rate_low, c.rate_high, c.steady, line=len(set(c.case.shape)) == 1)
        for c, size in sizes if positive(size)
    ]  # fmt: skip
    drawn = _curves(
        "matmul",
        "Computing speed against size",
        points,
        ("size: cube root of M·N·K", ""),
        "flop_per_s",
        "Beside a curve: shapes that are not square.",
    )
    return Figure(drawn, measured_table(cases, "matmul-table")) if drawn else None


def _messages(study: RunStudy) -> Figure | None:
    """Bus bandwidth against message size."""
    told = {f.case: f for f in study.figures if f.metric.name == "bus_bytes_per_s"}
    found = [(c, told[c.name]) for c in study.run.cases if c.name in told and c.size_bytes and positive(c.size_bytes)]
    points = [
        Point(clean(c.kind), clean(c.name), c.size_bytes or 0.0, f.value, f.low, f.high, f.steady)
        for c, f in found if positive(f.value)
    ]  # fmt: skip
    drawn = _curves("bus", "Bus bandwidth against message size", points, ("message", "bytes"), "bytes_per_s")
    cases = [c for c in study.cases if c.name in told]
    return Figure(drawn, measured_table(cases, "bus-table")) if drawn and cases else None


def _curves(
    name: str, title: str, points: Sequence[Point], x: tuple[str, str], unit: str, remark: str = ""
) -> Chart | None:
    """One curve a group on log axes, with its name at its best point."""
    if len(points) < 4:
        return None
    best = {g: max((p for p in points if p.group == g), key=lambda p: p.y) for g in {p.group for p in points}}
    order = sorted(best, key=lambda g: -best[g].y)
    looks = {g: _LOOKS[min(i, len(_LOOKS) - 1)] for i, g in enumerate(order)}
    up = scale([p.y for p in points], unit)
    across = scale([p.x for p in points], x[1]) if x[1] else scale([1.0], "samples")
    data = [_mark(p, best[p.group] is p, looks, unit, up.factor, across.factor) for p in points]
    data.sort(key=lambda d: (not d["front"], -d["y"]))
    xs, ys = span([d["x"] for d in data], 1.3), span([d["y"] for d in data], 1.5)

    def build(layout: Layout) -> Spec:
        on = plane(layout, 380, xs, ys)
        lines = [_line([d for d in data if d["group"] == g and d["line"]], looks[g]) for g in order]
        layers = [
            *(one for one in lines if one is not None),
            marks(data),
            names(data, on, 3 if layout.narrow else len(order)),
        ]
        side = (across.title(x[0]) if x[1] else x[0], across)
        return frame(layout, on, side, (up.title(title.partition(" against ")[0].lower()), up), layers)

    keys = [Key(g, looks[g][0], _swatch(looks[g][1])) for g in order[: len(_LOOKS)]]
    alt = "Best of each: " + "; ".join(f"{g} {show(best[g].y, unit)} ({best[g].name})" for g in order)
    odd = [p.name for p in points if not p.steady]
    caption = f"{remark} {f'Pale, since they never settled: {listed(odd, 4)}.' if odd else ''}".strip()
    return chart(name, title, alt, build, keys=keys, caption=caption)


def _mark(
    p: Point, front: bool, looks: dict[str, tuple[str, str, list[int]]], unit: str, up: float, across: float
) -> Spec:
    token, shape, _ = looks[p.group]
    ends = f" ({between(p.low, p.high, unit)})" if p.low is not None and p.high is not None else ""
    tip = f"{p.name}: {show(p.y, unit)}{ends}{'' if p.steady else ', never settled'}"
    return {"name": p.group, "group": p.group, "x": p.x / across, "y": p.y / up, "front": front, "line": p.line,
            "fill": LIGHT[token if p.steady else "rule"], "shape": shape, "tip": tip}  # fmt: skip


def _line(data: Sequence[Spec], look: tuple[str, str, list[int]]) -> Spec | None:
    if len(data) < 2:
        return None
    line = [{"x": d["x"], "y": d["y"]} for d in sorted(data, key=lambda d: d["x"])]
    style = {"strokeWidth": 1.5, "strokeDash": look[2], "color": LIGHT[look[0]], "opacity": 0.75}
    return layer("line", line, {"x": at("x"), "y": at("y")}, **style)


def _swatch(shape: str) -> str:
    return {"square": "box"}.get(shape, shape)
