"""Performance: how fast each candidate does each kind of work, who says so, and what bounds it."""

from __future__ import annotations

from collections.abc import Sequence

from assay.decision import Decision, Judged, Rate
from assay.report import stacks, tables
from assay.report.axes import Spec
from assay.report.bars import linear
from assay.report.chart import TIP, TOP, Chart, Key, Layout, at, chart, layer, raw
from assay.report.decision_cells import cell, words
from assay.report.decision_words import ORIGINS, axis, name, said, title, with_reach
from assay.report.palette import LIGHT
from assay.report.rows import rows
from assay.report.sections import Figure, Section
from assay.report.study import Option, clean, positive
from assay.report.table import Cell, Column, Table, figures
from assay.report.text import rest
from assay.units import suffix

CHARTS = 4  # kinds of work that are drawn; the table has them all
LEAD = (
    "Measured was run on the machine itself, published was printed by somebody, stated was promised, and predicted is "
    "Assay's own reckoning. Only what was measured can pass a gate that asks for a measurement."
)

Said = tuple[Judged, Rate]


def section(decision: Decision) -> Section | None:
    """Every rate with its origin."""
    found = [(c, rate) for c in decision.candidates for rate in c.rates]
    drawn = (*_rates(found), *_steps(decision))
    if not found and not drawn:
        return None
    listed = (rates_table(found),) if found else ()
    return Section(id="performance", title="Performance", lead=LEAD, figures=drawn, tables=listed)


def rates_table(found: Sequence[Said]) -> Table:
    """Rates with what bounds them and where they are from."""
    columns = (
        Column("Workload", "workload"), Column("Candidate", "candidate"), Column("Metric", "metric"),
        figures("Rate", "rate", "of one cluster"), Column("Origin", "origin"), Column("Bound by", "bound"),
        Column("Source", "source"), Column("Note", "note"),
    )  # fmt: skip
    rows_ = tuple(
        (Cell(r.workload), Cell(c.name), Cell(title(r.metric)), cell(r.value, suffix(r.metric), badge=True),
         Cell(r.origin), Cell(r.bound or "unknown"), words(r.source), words(r.note))
        for c, r in found
    )  # fmt: skip
    return Table(id="rates-table", caption="Every rate and where it is from", columns=columns, rows=rows_)


def _rates(found: Sequence[Said]) -> list[Figure]:
    groups: dict[tuple[str, str], list[Said]] = {}
    for c, r in found:
        if positive(r.value.low, r.value.mean, r.value.high):
            groups.setdefault((r.workload, r.metric), []).append((c, r))
    first = list(groups.items())[:CHARTS]
    return [Figure(_rate_chart(i, work, key, same), _rate_table(i, work, key, same))
            for i, ((work, key), same) in enumerate(first, start=1)]  # fmt: skip


def _rate_table(index: int, work: str, key: str, same: Sequence[Said]) -> Table:
    columns = (Column("Candidate", "candidate"), figures(title(key), key), Column("Origin", "origin"))
    rows_ = tuple((Cell(c.name), cell(r.value, suffix(key), badge=True), Cell(r.origin)) for c, r in same)
    return Table(id=f"rate-{index}-table", caption=f"{work}: {title(key)}", columns=columns, rows=rows_)


def _rate_chart(index: int, work: str, key: str, same: Sequence[Said]) -> Chart:
    unit = suffix(key)
    shown = sorted(same, key=lambda pair: -pair[1].value.mean)[:TOP]
    told = axis([r.value.high for _, r in shown], unit)
    data = [_rate_row(c, r, unit, told.factor) for c, r in _named(shown)]
    notes = {d["row"]: said(d["value"], unit) for d in data}
    top = max(d["high"] for d in data) * 1.06

    def build(layout: Layout) -> Spec:
        x = linear(told.symbol.replace(" ", "") or title(key), 0.0, top, told.expression)
        look = {"color": raw("fill"), "description": TIP}
        line = layer("rule", data, {"x": at("low"), "x2": at("high"), **look}, strokeWidth=3, opacity=0.55)
        place = {"x": at("mean"), "shape": raw("shape"), **look}
        return rows(layout, notes, x, [line, layer("point", data, place, filled=True, size=95, opacity=1)])

    origins = dict.fromkeys(r.origin for _, r in shown)
    keys = [Key(origin, ORIGINS[origin][0], ORIGINS[origin][2]) for origin in ORIGINS if origin in origins]
    keys.append(Key("90 % interval", "faint", "stroke"))
    heading = f"{clean(work)}: {title(key).lower()}, higher is better"
    return chart(f"rate-{index}", heading, "; ".join(d["tip"] for d in data[:8]), build, keys=keys,
                 caption=rest(len(same) - len(shown)))  # fmt: skip


def _named(shown: Sequence[Said]) -> list[tuple[str, Rate]]:
    """A row for each figure: the candidate and who says so, numbered where both are the same."""
    found, seen = list[tuple[str, Rate]](), dict[str, int]()
    for c, r in shown:
        label = f"{name(c)}, {r.origin}"
        seen[label] = seen.get(label, 0) + 1
        found.append((label if seen[label] == 1 else f"{label} ({seen[label]})", r))
    return found


def _rate_row(label: str, r: Rate, unit: str, factor: float) -> Spec:
    ends = {"low": r.value.low / factor, "mean": r.value.mean / factor, "high": r.value.high / factor}
    fill, shape, _ = ORIGINS[r.origin]
    bound = f", bound by {clean(r.bound)}" if r.bound else ""
    tip = f"{label}: {with_reach(r.value, unit)}{bound}"
    return {"row": label, "value": r.value.mean, **ends, "fill": LIGHT[fill], "shape": shape, "tip": tip}


def _steps(decision: Decision) -> list[Figure]:
    """Where the time of a step goes, for each candidate's predicted or measured step."""
    pairs = [(c, r) for c in decision.candidates for r in c.results if r.parts]
    labels = [f"{name(c)} · {clean(r.workload.name)}" for c, r in pairs]
    unique = [f"{one} ({labels[:i].count(one) + 1})" if one in labels[:i] else one for i, one in enumerate(labels)]
    found = [Option(label=label, rank=i, tied=(), result=r)
             for i, (label, (_, r)) in enumerate(zip(unique, pairs, strict=True), start=1)]  # fmt: skip
    drawn = stacks.time(found)
    return [Figure(drawn, tables.time_table(found))] if drawn else []
