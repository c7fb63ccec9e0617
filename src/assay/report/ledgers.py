"""What the answer stands on, as tables: measured cases, predictions beside measurements, refusals, sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from assay.published import Checked
from assay.report.study import ParityPoint, Provenance, Refusal, RunLine
from assay.report.table import Cell, Column, Table, figures, ranged
from assay.report.text import percent
from assay.summary import CaseSummary
from assay.units import show, suffix, unit_of


def runs_table(runs: Sequence[RunLine]) -> Table:
    """Several runs, one a row, in the order they were made."""
    heads = ("Run", "Started", "Command", "What came of it", "Note")
    rows = [(Cell(f"{r.name} {r.id[:8]}"), Cell(r.started[:19].replace("T", " ")), Cell(r.command), Cell(r.came),
             Cell(r.note, tone="bad" if r.note else "")) for r in runs]  # fmt: skip
    columns = tuple(Column(head, head.lower().replace(" ", "_")) for head in heads)
    return Table(id="runs-table", caption="The runs", columns=columns, rows=tuple(rows))


def measured_table(cases: Sequence[CaseSummary], id: str) -> Table:  # noqa: A002
    """Every case of a run: time, rate, spread, and how many samples stand behind it."""
    columns = (
        Column("Case", "case"),
        Column("Kind", "kind"),
        Column("Number format", "dtype"),
        figures("Median time", "time_s"),
        figures("Rate", "rate"),
        figures("Spread", "spread", "scaled median absolute deviation over the median"),
        figures("Samples kept", "kept"),
        figures("Left out", "dropped", "warm-up"),
        Column("Steady", "steady"),
    )
    return Table(id=id, caption="What was measured", columns=columns, rows=tuple(_case_row(c) for c in cases))


def _case_row(c: CaseSummary) -> tuple[Cell, ...]:
    return (
        Cell(c.name),
        Cell(c.kind),
        Cell(c.dtype or "—"),
        ranged(c.time_s, c.low_s, c.high_s, "s"),
        ranged(c.rate, c.rate_low, c.rate_high, c.rate_unit, absent="—"),
        Cell(percent(c.spread, sign=False), sort=c.spread),
        Cell(str(c.n), sort=c.n),
        Cell(str(c.dropped), sort=c.dropped),
        Cell("yes" if c.steady else "no", tone="" if c.steady else "bad"),
    )


def parity_table(points: Sequence[ParityPoint]) -> Table:
    """Every measured figure beside its prediction."""
    columns = (
        Column("Point", "label"),
        Column("Group", "group"),
        figures("Measured", "measured"),
        figures("Predicted", "predicted"),
        figures("Error", "error"),
        Column("In its interval", "covered"),
        Column("Seen by the fit", "fitted"),
    )
    rows = tuple(_parity_row(p) for p in points if p.measured)
    caption = "Prediction against measurement"
    return Table(id="parity-table", caption=caption, columns=columns, rows=rows, filtered="group")


def _parity_row(p: ParityPoint) -> tuple[Cell, ...]:
    return (
        Cell(p.label),
        Cell(p.group),
        Cell(show(p.measured, p.unit), sort=p.measured),
        ranged(p.predicted, p.low, p.high, p.unit),
        Cell(percent(p.error), sort=p.error),
        Cell("yes" if p.covered else "no", tone="" if p.covered else "bad"),
        Cell("no, held out" if p.held_out else "yes"),
    )


def groups_table(points: Sequence[ParityPoint]) -> Table:
    """How far off we are in each group, and which way."""
    columns = (
        Column("Group", "group"),
        figures("Points", "points"),
        figures("Median error, unsigned", "median_abs_error"),
        figures("Median error, signed", "median_error", "a lean one way"),
        figures("In their interval", "covered"),
    )
    groups: dict[str, list[ParityPoint]] = {}
    for p in points:
        if p.measured:
            groups.setdefault(p.group, []).append(p)
    rows = tuple(_group_row(name, found) for name, found in groups.items())
    return Table(id="groups-table", caption="Error by group", columns=columns, rows=rows)


def _group_row(name: str, points: Sequence[ParityPoint]) -> tuple[Cell, ...]:
    size, lean = median(abs(p.error) for p in points), median(p.error for p in points)
    inside, count = sum(p.covered for p in points), len(points)
    return (
        Cell(name),
        Cell(str(count), sort=count),
        Cell(percent(size, sign=False), sort=size),
        Cell(percent(lean), sort=lean),
        Cell(f"{inside} of {count}", sort=inside / count),
    )


def validation_table(found: Sequence[Checked]) -> Table:
    """Published results: predicted, or skipped with the reason."""
    columns = (
        Column("Row", "id"),
        Column("Source", "source"),
        Column("Accelerator", "accelerator"),
        Column("Metric", "metric_name"),
        figures("Measured", "measured"),
        figures("Predicted", "predicted"),
        Column("Why not", "skipped"),
    )
    rows = tuple(_checked_row(c) for c in found)
    return Table(id="validation-table", caption="Published results", columns=columns, rows=rows, filtered="accelerator")


def _checked_row(c: Checked) -> tuple[Cell, ...]:
    unit = suffix(c.row.metric_name)
    return (
        Cell(c.row.id),
        Cell(c.row.source),
        Cell(c.row.accelerator),
        Cell(c.row.metric_name),
        Cell(show(c.measured, unit), sort=c.measured),
        ranged(c.predicted, c.low, c.high, unit, absent="—", evidence=c.evidence or ""),
        Cell(c.skipped or "", tone="quiet"),
    )


def refused_table(found: Sequence[Refusal]) -> Table:
    """Systems that cannot do the job, and why."""
    columns = (Column("System", "system"), Column("Vendor", "vendor"), Column("Why not", "reason"))
    rows = tuple((Cell(r.system), Cell(r.vendor), Cell(r.reason)) for r in found)
    return Table(id="refused-table", caption="Systems that cannot do this job", columns=columns, rows=rows)


def facts_table(facts: Mapping[str, Mapping[str, Provenance]]) -> Table:
    """Where each value of each thing comes from."""
    columns = (
        Column("Item", "item"),
        Column("Quantity", "quantity"),
        figures("Value", "value"),
        Column("Source is", "kind"),
        Column("Source", "source"),
        Column("Dated", "date"),
        Column("Confidence", "confidence"),
        Column("Note", "note"),
    )
    rows = tuple(_fact_row(name, key, fact) for name, found in facts.items() for key, fact in found.items())
    return Table(id="sources-table", caption="Values and their sources", columns=columns, rows=rows, filtered="item")


def _fact_row(name: str, key: str, fact: Provenance) -> tuple[Cell, ...]:
    source = fact.source
    link = source.url if source.url.startswith(("https://", "http://")) else ""
    return (
        Cell(name),
        Cell(key),
        _fact_value(key, fact),
        Cell(source.kind, tone="bad" if source.kind in ("assumed", "memory") else ""),
        Cell(source.title or source.url or "—", href=link),
        Cell(source.date or "—"),
        Cell(source.confidence),
        Cell(fact.note, tone="quiet"),
    )


def _fact_value(key: str, fact: Provenance) -> Cell:
    if isinstance(fact.value, (int, float)) and not isinstance(fact.value, bool):
        return ranged(fact.value, fact.low, fact.high, unit_of(key))
    return Cell("unknown" if fact.value is None else str(fact.value))
