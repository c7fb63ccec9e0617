"""A load on a server: how long its answers took, and what of them was as good as was asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from assay.goodput import Goodput, goodput
from assay.metrics import metric
from assay.report.axes import Spec, log_ticks, scale, span
from assay.report.bars import LOG_FROM, linear
from assay.report.chart import TIP, Chart, Key, Layout, at, chart, layer, raw
from assay.report.palette import LIGHT
from assay.report.rows import rows
from assay.report.run_study import RunStudy, case_name
from assay.report.sections import Figure
from assay.report.strips import REQUESTS
from assay.report.table import Cell, Column, Table, figures, ranged
from assay.report.text import capital, percent, rest
from assay.summary import Figure as Told
from assay.units import show

MOST = 12
LEVELS = ("ttft_s", "tpot_s", "request_s")
_TAILS = (
    ("median", "value", "circle", "accent"),
    ("p90", "p90", "square", "network-1"),
    ("p99", "p99", "diamond", "bad"),
)


class Served(NamedTuple):
    """One load: what it came to, and its latencies."""

    case: str
    told: Goodput | None
    latencies: dict[str, Told]


def served(study: RunStudy) -> list[Served]:
    """Each load of a run, in its order; what the client takes by itself comes last."""
    loads = [c for c in study.run.cases if c.kind == "request"]
    loads.sort(key=lambda c: c.device != "server" and any(x.device == "server" for x in loads))
    found = []
    for case in loads:
        mine = [s for s in study.run.series if s.of == case.name]
        told = goodput(mine, **levels(study))
        latencies = {f.metric.name: f for f in study.figures if f.case == case.name and f.metric.name in REQUESTS}
        found.append(Served(case.name, told, latencies))
    return found


def loads(found: Sequence[Served], study: RunStudy) -> list[Served]:
    """Those put on the server; the client by itself is in the table only, where there are others."""
    there = {c.name for c in study.run.cases if c.device == "server"}
    return [one for one in found if one.case in there] or list(found)


def levels(study: RunStudy) -> dict[str, float]:
    """The service levels that were asked for, as the run's settings say."""
    found = {}
    for name in LEVELS:
        try:
            found[name] = float(study.run.settings.get(f"slo_{name}", ""))
        except ValueError:
            continue
    return {name: value for name, value in found.items() if math.isfinite(value)}


def serving(study: RunStudy) -> list[Figure]:
    """A chart of each latency over all loads, with median and tails."""
    found = loads(served(study), study)
    drawn = [(name, _latency(study, found, name)) for name in REQUESTS]
    return [Figure(one, _latency_table(found, name)) for name, one in drawn if one is not None]


def _latency(study: RunStudy, found: Sequence[Served], name: str) -> Chart | None:
    told = [(case_name(one.case), one.latencies[name]) for one in found if name in one.latencies][:MOST]
    if not told:
        return None
    most = levels(study).get(name)
    values = [v for _, f in told for v in (f.value, f.p90, f.p99) if v is not None and v > 0]
    unit = scale([*values, *([most] if most else [])], "s")
    marks = [m for case, f in told for m in _marks(case, f, name, unit.factor)]
    reaches = [{"row": case, "low": f.value / unit.factor, "high": max(f.value, f.p90 or 0, f.p99 or 0) / unit.factor}
               for case, f in told]  # fmt: skip
    ends = [v / unit.factor for v in [*values, *([most] if most else [])]]
    notes = {case: show(f.p99 if f.p99 is not None else f.value, "s") for case, f in told}

    def build(layout: Layout) -> Spec:
        title = unit.title(metric(name).title)
        axis = linear(title, 0.0, max(ends) * 1.04, unit.expression)
        if min(ends) > 0 and max(ends) / min(ends) > LOG_FROM:
            log = {"type": "log", "domain": list(span(ends)), "nice": False}
            told_ = {"title": f"{title}, log scale", "values": log_ticks(*span(ends)), "labelExpr": unit.expression}
            axis = {"type": "quantitative", "scale": log, "axis": told_}
        place = {"x": at("value"), "color": raw("fill"), "shape": raw("shape"), "description": TIP}
        line = layer(
            "rule", reaches, {"x": at("low"), "x2": at("high"), "color": {"value": LIGHT["rule"]}}, strokeWidth=2
        )
        level = [{"at": most / unit.factor, "tip": f"service level: {show(most, 's')}"}] if most else []
        asked = layer("rule", level, {"x": at("at"), "color": {"value": LIGHT["bad"]}, "description": TIP},
                      strokeDash=[4, 3], strokeWidth=1.5)  # fmt: skip
        dots = layer("point", marks, place, filled=True, size=75, opacity=1)
        return rows(layout, notes, axis, [line, dots], over=[asked] if level else [])

    keys = [Key(word, token, {"square": "box"}.get(shape, shape)) for word, _, shape, token in _TAILS]
    keys += [Key("service level", "bad", "dash")] if most else []
    alt = "; ".join(m["tip"] for m in marks[:18])
    caption = rest(len(found) - len(told), "At the right: p99, or the median where there are too few requests for it.")
    return chart(f"latency-{name.removesuffix('_s')}", f"{capital(metric(name).title)}: lower is better", alt, build,
                 keys=keys, caption=caption, half=name != "request_s" and len(told) <= 8)  # fmt: skip


def _marks(case: str, f: Told, name: str, factor: float) -> list[Spec]:
    return [
        {"row": case, "value": value / factor, "shape": shape, "fill": LIGHT[token],
         "tip": f"{case}: {word} {metric(name).title} {show(value, 's')}"}
        for word, field, shape, token in _TAILS if (value := getattr(f, field)) is not None and value > 0
    ]  # fmt: skip


def _latency_table(found: Sequence[Served], name: str) -> Table:
    heads = (Column("Load", "case"), figures("Median", "p50"), figures("p90", "p90"), figures("p99", "p99"),
             figures("Requests", "n"))  # fmt: skip
    body = []
    for one in found:
        if f := one.latencies.get(name):
            cells = (_time(f.value, f.low, f.high), _time(f.p90), _time(f.p99), Cell(f"{f.n:,}", sort=f.n))
            body.append((Cell(case_name(one.case)), *cells))
    id = f"latency-{name.removesuffix('_s')}-table"  # noqa: A001
    return Table(id=id, caption=capital(metric(name).title), columns=heads, rows=tuple(body))


def _time(value: float | None, low: float | None = None, high: float | None = None) -> Cell:
    if value is None:
        return Cell("too few requests", tone="quiet")
    return ranged(value, low, high, "s")


def goodput_table(study: RunStudy) -> Table:
    """What each load came to at the service levels that were asked for."""
    asked = levels(study)
    heads = (
        Column("Load", "case"), figures("Requests/s", "requests_per_s"),
        figures("Output tokens/s", "output_tokens_per_s"), figures("Goodput, requests/s", "goodput_requests_per_s"),
        figures("Met every level", "attained"), figures("Answered", "answered"), figures("Failed", "failed"),
        figures("Window", "window_s"),
    )  # fmt: skip
    words = ", ".join(f"{metric(n).title} {show(v, 's')}" for n, v in asked.items())
    caption = f"What each load came to; service levels: {words}" if asked else "What each load came to"
    return Table(
        id="goodput-table", caption=caption, columns=heads, rows=tuple(_row(one, asked) for one in served(study))
    )


def _row(one: Served, asked: dict[str, float]) -> tuple[Cell, ...]:
    told = one.told
    if told is None:
        blank = (Cell("—", tone="quiet"),) * 6
        return (Cell(case_name(one.case)), *blank, Cell("no request that counts was answered", tone="quiet"))
    none = Cell("no level was asked for", tone="quiet")
    return (
        Cell(case_name(one.case)), Cell(show(told.requests_per_s), sort=told.requests_per_s),
        Cell(show(told.output_tokens_per_s), sort=told.output_tokens_per_s),
        Cell(show(told.goodput_requests_per_s), sort=told.goodput_requests_per_s) if asked else none,
        Cell(percent(told.attained, sign=False), sort=told.attained, tone="bad" if told.attained < 0.9 else "")
        if asked else Cell("—", tone="quiet"),
        Cell(f"{told.answered_requests:,}", sort=told.answered_requests),
        Cell(f"{told.failed_requests:,}", sort=told.failed_requests, tone="bad" if told.failed_requests else ""),
        Cell(show(told.window_s, "s"), sort=told.window_s),
    )  # fmt: skip
