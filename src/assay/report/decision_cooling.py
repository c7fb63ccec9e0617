"""The rollout against the site's power, and ways to cool it over the years."""

from __future__ import annotations

from collections.abc import Sequence

from assay.decision import Judged
from assay.report.axes import Spec
from assay.report.bars import dots, linear
from assay.report.chart import TIP, TOP, Chart, Key, Layout, at, chart, fixed, layer, raw
from assay.report.decision_cells import cell, count, plain, words
from assay.report.decision_words import axis, money, name, reach, said, with_reach
from assay.report.palette import LIGHT
from assay.report.rows import rows
from assay.report.sections import Figure
from assay.report.study import clean
from assay.report.table import Cell, Column, Table, figures
from assay.report.text import rest
from assay.result import Value
from assay.siting import CoolingOption, Fit, Phase

Sited = tuple[Judged, Fit]


def phases(found: Sequence[Sited]) -> Figure | None:
    """What is live from each date on, beside the power that is there by then."""
    steps = [(c, phase) for c, fit in found for phase in fit.phases]
    if not steps:
        return None
    told = axis([p.power_w for _, p in steps], "w")
    data = [_phase(c, p, told.factor) for c, p in steps[:TOP]]
    top = max(v for d in data for v in (d["end"], d["at"] or 0.0)) * 1.06

    def build(layout: Layout) -> Spec:
        x = linear(told.title("IT power"), 0.0, top, told.expression)
        place = {"x": at("start"), "x2": at("end"), "color": raw("fill"), "description": TIP}
        there = layer("tick", [d for d in data if d["at"] is not None], {"x": at("at"), "color": fixed("ink")},
                      thickness=2.5, height=22)  # fmt: skip
        return rows(layout, {d["row"]: d["note"] for d in data}, x, [layer("bar", data, place), there])

    keys = [Key("drawn by what is live", "compute-2"), Key("more than there is", "bad"),
            Key("there by then", "ink", "dash")]  # fmt: skip
    drawn = chart("phases", "Rollout against the site's power", "; ".join(d["tip"] for d in data), build, keys=keys,
                  caption=rest(len(steps) - len(data)))  # fmt: skip
    return Figure(drawn, _phases_table(steps))


def _phase(c: Judged, p: Phase, factor: float) -> Spec:
    there = None if p.available_w is None else p.available_w / factor
    short = p.available_w is not None and p.power_w > p.available_w * (1 + 1e-9)
    note = "power unknown" if there is None else "too much" if short else f"{p.nodes} nodes"
    row = f"{name(c)}, {p.date}"
    tip = f"{row}: {p.nodes} nodes draw {said(p.power_w, 'w')} of {said(p.available_w, 'w')}"
    return {"row": row, "start": 0.0, "end": p.power_w / factor, "at": there, "note": note, "tip": tip,
            "fill": LIGHT["bad" if short else "compute-2"]}  # fmt: skip


def _phases_table(steps: Sequence[tuple[Judged, Phase]]) -> Table:
    columns = (Column("Candidate", "candidate"), Column("From", "date"), figures("Nodes live", "nodes"),
               figures("They draw", "power_w"), figures("There is", "available_w"))  # fmt: skip
    rows_ = tuple((Cell(c.name), Cell(p.date), count(p.nodes), plain(p.power_w, "w"),
                   plain(p.available_w, "w")) for c, p in steps)  # fmt: skip
    return Table(id="phases-table", caption="Rollout, phase by phase", columns=columns, rows=rows_)


def cooling(first: Sited) -> Figure | None:
    """Each way to cool the leader, with what it costs over the years or why it cannot."""
    c, options = first[0], first[1].cooling
    priced = [(o, o.total_usd) for o in options if o.feasible and o.total_usd is not None]
    if not priced:
        return None
    told = axis([v.high for _, v in priced], "usd")
    best = min(priced, key=lambda pair: pair[1].mean)[0]
    data = [_way(o, v, LIGHT["accent" if o is best else "faint"]) for o, v in priced]
    notes = {clean(o.cooling): _cooling_note(o) for o in options}

    def build(layout: Layout) -> Spec:
        x = linear("US dollars over the years, discounted", 0.0, max(d["high"] for d in data) * 1.06, told.expression)
        return rows(layout, notes, x, dots(data), strong=[clean(best.cooling)])

    drawn: Chart = chart("cooling", f"What cooling {name(c)} costs over the years", "; ".join(d["tip"] for d in data),
                         build, keys=[Key("plant and energy, with a 90 % interval", "accent", "line"),
                                      Key("dearer ways", "faint", "line")], caption=_cannot(options))  # fmt: skip
    return Figure(drawn, _cooling_table(c, options))


def _way(o: CoolingOption, v: Value, fill: str) -> Spec:
    row = clean(o.cooling)
    tip = f"{row}: {with_reach(v, 'usd')}, PUE {reach(o.pue.low, o.pue.high, '')}"
    return {"row": row, "low": v.low, "mean": v.mean, "high": v.high, "tip": tip, "fill": fill}


def _cooling_note(o: CoolingOption) -> str:
    return "cannot" if not o.feasible else money(o.total_usd.mean) if o.total_usd else "cost unknown"


def _cannot(options: Sequence[CoolingOption]) -> str:
    told = [f"{o.cooling}: {o.why}" for o in options if not o.feasible]
    return f"Not feasible: {'; '.join(told)}." if told else ""


def _cooling_table(c: Judged, options: Sequence[CoolingOption]) -> Table:
    columns = (
        Column("Cooling", "cooling"), Column("Feasible", "feasible"), figures("PUE", "pue"),
        figures("Water a year", "water_m3"), figures("Plant", "plant_usd"), figures("Energy, all years", "energy_usd"),
        figures("Both, discounted", "total_usd"), Column("Why", "why"),
    )  # fmt: skip
    rows_ = tuple(
        (Cell(o.cooling), Cell("✓ yes" if o.feasible else "✕ no", tone="good" if o.feasible else "bad"),
         cell(o.pue, ""), plain(o.water_m3, "m3"), cell(o.plant_usd, "usd"), cell(o.energy_usd, "usd"),
         cell(o.total_usd, "usd"), words(o.why))
        for o in options
    )  # fmt: skip
    return Table(id="cooling-table", caption=f"Ways to cool {c.name}", columns=columns, rows=rows_)
