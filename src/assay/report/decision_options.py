"""Options: who leads and by how much, who ties, who is ruled out by what, whose figure nobody knows."""

from __future__ import annotations

from assay.decision import Decision, Judged
from assay.report.axes import Spec
from assay.report.bars import dots, linear
from assay.report.chart import TOP, Key, Layout, at, chart, fixed, layer
from assay.report.decision_cells import cell, count, named, proof, words
from assay.report.decision_pareto import pareto
from assay.report.decision_words import SCORES, VIA, axis, name, said, standing, with_reach
from assay.report.palette import LIGHT
from assay.report.rows import rows
from assay.report.sections import Figure, Section
from assay.report.table import Cell, Column, Table, figures
from assay.report.text import capital, listed
from assay.result import Value


def section(decision: Decision) -> Section | None:
    """The candidates beside each other."""
    if not decision.candidates:
        return None
    drawn = tuple(f for f in (_ranking(decision), pareto(decision)) if f is not None)
    tables = (options_table(decision), *_out(decision), *_constraints(decision))
    return Section(id="options", title="Options", lead=_lead(decision), figures=drawn, tables=tables)


def _lead(decision: Decision) -> str:
    ranked = sum(c.rank is not None for c in decision.candidates)
    out = [c.name for c in decision.candidates if c.ruled_out]
    unknown = [c.name for c in decision.candidates if c.rank is None and not c.ruled_out]
    said_ = [f"{ranked} of {len(decision.candidates)} candidates can be ranked by {decision.objective}."]
    said_ += [f"{listed(decision.ties)} cannot be told apart."] * (len(decision.ties) > 1)
    said_ += [f"Ruled out: {listed(out)}."] * bool(out)
    said_ += [f"Not ranked, since something is unknown: {listed(unknown)}."] * bool(unknown)
    return " ".join(said_)


def options_table(decision: Decision) -> Table:
    """Every candidate with its figures and what became of it."""
    columns = (
        figures("Rank", "rank", "= where candidates cannot be told apart"), Column("Candidate", "candidate"),
        Column("Came out", "standing"), figures(_score(decision), "score", "ranks them; lower is better"),
        figures("Per used hour", "used_usd_per_s", "of one accelerator"), figures("Longest job", "duration_s"),
        figures("Energy a year", "energy_j"), figures("Accelerators", "accelerators"), Column("Vendor", "vendor"),
        Column("How", "via"), Column("Site", "site"), Column("Delivered", "delivered"),
    )  # fmt: skip
    rows_ = tuple(_option(c, decision) for c in decision.candidates)
    return Table(id="options-table", caption="Every candidate, best first", columns=columns, rows=rows_)


def _option(c: Judged, decision: Decision) -> tuple[Cell, ...]:
    tied = "=" if c.name in decision.ties and len(decision.ties) > 1 else ""
    tone = "long bad" if c.ruled_out else "long quiet" if c.rank is None else "long"
    return (
        Cell("—", tone="quiet") if c.rank is None else Cell(f"{c.rank}{tied}", sort=c.rank),
        Cell(c.name, note=c.system if c.system != c.name else ""), Cell(standing(c, decision), tone=tone),
        cell(c.score, decision.unit, badge=True), cell(c.worth.used_usd_per_s if c.worth else None, "usd_per_s"),
        cell(c.duration_s, "s"), cell(c.energy_j, "j"),
        count(c.accelerators), Cell(c.vendor or "—"), Cell(VIA.get(c.via, c.via)),
        Cell(c.site or "—"), Cell(c.delivered or "unknown"),
    )  # fmt: skip


def _out(decision: Decision) -> tuple[Table, ...]:
    found = [(c, one) for c in decision.candidates for one in c.ruled_out]
    if not found:
        return ()
    columns = (Column("Candidate", "candidate"), Column("Fails", "name"), Column("By how much", "text"),
               Column("Says who", "source"))  # fmt: skip
    rows_ = tuple((Cell(c.name), Cell(one.name), words(one.text), words(one.source)) for c, one in found)
    return (Table(id="ruled-out-table", caption="Who is ruled out, and by what", columns=columns, rows=rows_),)


def _constraints(decision: Decision) -> tuple[Table, ...]:
    kinds = list(dict.fromkeys(one.name for c in decision.candidates for one in c.constraints))
    if not kinds:
        return ()
    found = [{one.name: one for one in c.constraints} for c in decision.candidates]
    columns = (Column("Constraint", "constraint"), *(named(c.name) for c in decision.candidates))
    rows_ = tuple(
        (Cell(kind), *(proof(held[kind].proof, held[kind].text) if kind in held else words("") for held in found))
        for kind in kinds
    )
    return (Table(id="constraints-table", caption="What each candidate must meet", columns=columns, rows=rows_),)


def _score(decision: Decision) -> str:
    return capital(SCORES.get(decision.objective, decision.objective))


def _ranking(decision: Decision) -> Figure | None:
    found = [(c, c.score) for c in decision.candidates if c.rank is not None and c.score is not None]
    if not found:
        return None
    ends = [end for _, v in found for end in (v.low, v.high)]
    told = axis(ends, decision.unit)
    first = {*decision.ties, found[0][0].name}
    data = [_ranked(c, v, decision.unit, told.factor, c.name in first) for c, v in found[:TOP]]
    notes = {name(c): said(v.mean, decision.unit) for c, v in found[:TOP]}

    def build(layout: Layout) -> Spec:
        x = linear(told.title(_score(decision).lower()), min(0.0, *ends) / told.factor,
                   max(ends) / told.factor * 1.06, told.expression)  # fmt: skip
        band = layer("rect", [data[0]], {"x": at("low"), "x2": at("high"), "color": fixed("soft")}, opacity=1)
        strong = [name(c) for c, _ in found if c.name in first]
        return rows(layout, notes, x, dots(data), under=[band], strong=strong)

    keys = [
        Key("in the lead: 90 % interval and middle", "accent", "line"), Key("behind", "faint", "line"),
        Key("reach of the leader's interval", "soft", "band"),
    ]  # fmt: skip
    alt = f"{_score(decision)}; lower is better. " + "; ".join(d["tip"] for d in data[:6])
    drawn = chart("ranking", f"{_score(decision)}: lower is better", alt, build, keys=keys, caption=_absent(decision))
    return Figure(drawn, _scores(decision))


def _scores(decision: Decision) -> Table:
    columns = (Column("Candidate", "candidate"), figures(_score(decision), "score"), Column("Came out", "standing"))
    rows_ = tuple((Cell(c.name), cell(c.score, decision.unit), words(standing(c, decision)))
                  for c in decision.candidates)  # fmt: skip
    return Table(id="ranking-table", caption="The figure that ranks them", columns=columns, rows=rows_)


def _ranked(c: Judged, v: Value, unit: str, factor: float, leads: bool) -> Spec:
    ends = {"low": v.low / factor, "mean": v.mean / factor, "high": v.high / factor}
    tip = f"{name(c)}: {with_reach(v, unit)}"
    return {"row": name(c), **ends, "tip": tip, "fill": LIGHT["accent" if leads else "faint"]}


def _absent(decision: Decision) -> str:
    return " ".join(f"{c.name} is {standing(c, decision)}." for c in decision.candidates if c.rank is None)
