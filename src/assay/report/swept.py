"""A sweep as a chart: speed against what was turned, with what would be ideal beside it; and a table of all points."""

from __future__ import annotations

from collections.abc import Sequence

from assay.report.axes import Scale, Spec, scale, span
from assay.report.chart import Chart, Key, Layout, at, chart, fixed, layer
from assay.report.palette import LIGHT
from assay.report.plane import Plane, frame, marks, names, plane
from assay.report.study import clean
from assay.report.table import Cell, Column, Table, figures, value_cell
from assay.report.text import capital, interval, percent
from assay.result import METRICS, Result, Value
from assay.sweep import Sweep
from assay.units import show

Points = Sequence[tuple[float, Result]]


def swept_chart(sweep: Sweep) -> Chart | None:
    """Speed at every value, both axes logarithmic; None where fewer than two points could be predicted."""
    points = [(point.value, point.result) for point in sweep.found if point.result is not None]
    if len(points) < 2:
        return None
    rates = [r.values[r.workload.rate] for _, r in points]
    across = scale([x for x, _ in points], sweep.unit) if sweep.unit else Scale(1.0, "")
    up = scale([v.mean for v in rates], points[0][1].workload.rate)
    data = [_mark(sweep, x / across.factor, r, up) for x, r in points]
    ideal, name = _ideal(sweep, points, across, up), sweep.title.removeprefix("the ")
    xs = span([d["x"] for d in data], 1.25)
    ys = span([*(end / up.factor for v in rates for end in (v.low, v.high)), *(d["y"] for d in ideal)], 1.15)

    def build(layout: Layout) -> Spec:
        on = plane(layout, 380, xs, ys)
        points = [marks(data), names(data, on, 3 if layout.narrow else 12)]
        layers = [*_lines(data, ideal), _spans(rates, data, on, up), *points]
        return frame(layout, on, (across.title(name), across), (up.title("speed"), up), layers)

    keys = [Key("predicted", "accent", "circle"), Key("90 % intervals", "rule", "line")]
    keys += [Key("as fast per device as the first", "faint", "dash")] if ideal else []
    alt = "; ".join(d["tip"] for d in data)
    return chart("sweep", f"Speed against {sweep.title}", alt, build, keys=keys, caption=_caption(sweep))


def swept_table(sweep: Sweep) -> Table:
    """Every point: time of a step, speed, what it is of the first, and why."""
    rate = next((p.result.workload.rate for p in sweep.found if p.result), "tokens_per_s")
    heads = (
        Column(capital(sweep.title.removeprefix("the ")), "value"), figures("Step time", "step_s"),
        figures(capital(METRICS[rate].title), rate), figures("Per device, of the first", "against"),
        Column("Bound by", "bound"), Column("Plan", "plan"),
    )  # fmt: skip
    rows = []
    for point in sweep.points:
        first = Cell(_said(point.value, sweep.unit), sort=point.value)
        if point.result is None:
            rows.append((first, *[Cell("unknown", tone="quiet")] * 3, Cell(clean(point.reason)), Cell("")))
            continue
        r, share = point.result, sweep.against(point)
        told = Cell("unknown" if share is None else percent(share, sign=False), sort=share)
        values = (value_cell(r.values[name], name) for name in ("step_s", rate))
        rows.append((first, *values, told, Cell(r.bound), Cell(str(r.plan))))
    return Table(id="sweep-table", caption="Every point", columns=heads, rows=tuple(rows))


def _said(value: float, unit: str) -> str:
    return show(value, unit) if unit else f"{value:,.0f}"


def _caption(sweep: Sweep) -> str:
    kept = "The plan is kept." if sweep.kept else "Each point has its best plan."
    missing = len(sweep.points) - len(sweep.found)
    return f"{kept} {f'{missing} more could not be predicted; the table says why.' if missing else ''}".strip()


def _mark(sweep: Sweep, x: float, r: Result, up: Scale) -> Spec:
    rate = r.values[r.workload.rate]
    tip = f"{_said_of(sweep, r, x)}: {interval(rate, r.workload.rate)}, {r.bound}"
    return {"name": r.bound.partition(" (")[0], "x": x, "y": rate.mean / up.factor, "front": True,
            "fill": LIGHT["accent"], "shape": "circle", "tip": clean(tip)}  # fmt: skip


def _said_of(sweep: Sweep, r: Result, x: float) -> str:
    return f"{r.system.nodes} nodes" if sweep.lever == "nodes" else f"{sweep.title} at {x:,.4g}"


def _ideal(sweep: Sweep, points: Points, across: Scale, up: Scale) -> list[Spec]:
    """Of nodes: each device as fast as those of the first point."""
    if sweep.lever != "nodes":
        return []
    first = points[0][1]
    each = first.values[first.workload.rate].mean / first.system.accelerators
    return [{"x": x / across.factor, "y": each * r.system.accelerators / up.factor} for x, r in points]


def _lines(data: Sequence[Spec], ideal: Sequence[Spec]) -> list[Spec]:
    here = {"x": at("x"), "y": at("y")}
    line = [{"x": d["x"], "y": d["y"]} for d in sorted(data, key=lambda d: d["x"])]
    found = [layer("line", line, here, strokeWidth=1.5, color=LIGHT["accent"], opacity=0.75)]
    dashed = layer("line", ideal, here, strokeWidth=1.25, strokeDash=[5, 4], color=LIGHT["faint"])
    return [dashed, *found] if ideal else found


def _spans(rates: Sequence[Value], data: Sequence[Spec], on: Plane, up: Scale) -> Spec:
    tall = [
        {"x": d["x"], "y1": max(v.low / up.factor, on.y[0]), "y2": min(v.high / up.factor, on.y[1])}
        for v, d in zip(rates, data, strict=True)
    ]
    return layer("rule", tall, {"x": at("x"), "y": at("y1"), "y2": at("y2"), "color": fixed("rule")}, strokeWidth=1.25)
