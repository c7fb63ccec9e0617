"""What stands where: each section with its charts and the table under each; a section without data is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from assay.report import bars, ledgers, plots, stacks, tables, trust
from assay.report.chart import TOP, Chart
from assay.report.study import Measured, Option, ParityPoint, Study, headline
from assay.report.table import Table
from assay.report.text import percent
from assay.summary import CaseSummary

UNKNOWN = "What is unknown is said to be unknown; it is never counted as zero."
TIME = (
    "Blue computes, teal moves memory, orange is the network, grey waits; a segment's number is its share in per cent."
)
ROOF = (
    "Under the slope an operation waits for memory; under the flat roof it waits for arithmetic. "
    "The gap to the roof is what efficiency costs."
)
MEMORY = (
    "The fullest device at its worst moment: the model's state is teal, what a batch needs is blue, what is held back "
    "grey. Beyond the line it does not fit."
)
KINDS = (("flop_per_s", "Computing speed"), ("bytes_per_s", "Data rate"), ("s", "Time of a call"))


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart and the table that says the same in words."""

    chart: Chart
    table: Table
    each: Figure | None = None  # the same of every device for itself, on demand


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of the report."""

    id: str
    title: str
    nav: str = ""  # a shorter title, where there is one
    lead: str = ""
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    folded: bool = False  # its tables are folded away, one summary each
    more: tuple[Table, ...] = ()  # tables below the others, folded away


def sections(study: Study, found: Sequence[Option]) -> list[Section]:
    """All sections that have something to say, in reading order."""
    answer = (_options(study, found), _time(found), _roofline(found), _memory(found))
    ground = (_machine(study.machine), _trust(study), _sources(study))
    return [s for s in (*answer, *ground) if s is not None and (s.figures or s.tables or s.pairs)]


def _options(study: Study, found: Sequence[Option]) -> Section:
    listed = (tables.options_table(found),) if found else ()
    refused = (ledgers.refused_table(study.refused),) if study.refused else ()
    cannot = f", {len(study.refused)} more cannot do the job" if refused else ""
    lead = f"{_count(len(found), 'option')}, best first{cannot}. {UNKNOWN}"
    figures = tuple(_leading(study, found))
    return Section(id="options", title="Options", lead=lead, figures=figures, tables=(*listed, *refused))


def _leading(study: Study, found: Sequence[Option]) -> list[Figure]:
    metric, axes, figures = headline(study), plots.pair(found), list[Figure]()
    if metric is not None and (chart := bars.ranking(found, metric)):
        caption = f"{metric.title} of every option"
        figures.append(Figure(chart, tables.metric_table(found, [metric.name], "ranking-table", caption)))
    if axes is not None and (chart := plots.pareto(found)):
        figures.append(Figure(chart, tables.metric_table(found, axes, "pareto-table", "Both figures of every option")))
    return figures


def _time(found: Sequence[Option]) -> Section | None:
    chart = stacks.time(found)
    if chart is None:
        return None
    figures = [Figure(chart, tables.time_table(found))]
    moved = next((o for o in found[:TOP] if o.levers), None)
    if moved is not None and (levers := bars.levers(moved)):
        figures.append(Figure(levers, tables.levers_table(moved)))
    return Section(id="steps", title="Where the time goes", nav="Time", lead=TIME, figures=tuple(figures))


def _roofline(found: Sequence[Option]) -> Section | None:
    for option in found:
        if chart := plots.roofline(option):
            figure = Figure(chart, tables.roofline_table(option))
            return Section(id="operations", title="Roofline", lead=ROOF, figures=(figure,))
    return None


def _memory(found: Sequence[Option]) -> Section | None:
    chart = stacks.memory(found)
    if chart is None:
        return None
    return Section(id="fit", title="Memory", lead=MEMORY, figures=(Figure(chart, tables.memory_table(found)),))


def _machine(machine: Measured | None) -> Section | None:
    if machine is None:
        return None
    figures = []
    for unit, title in KINDS:
        cases, name = [c for c in machine.cases if unit_of_case(c) == unit], unit.replace("_", "-")
        if chart := bars.measured(cases, unit, title, f"measured-{name}"):
            figures.append(Figure(chart, ledgers.measured_table(cases, f"measured-{name}-table")))
    lead = f"Measured on {machine.name}, warm-up left out; intervals hold the true figure nine times in ten."
    return Section(
        id="machine",
        title="This machine",
        lead=lead,
        figures=tuple(figures),
        tables=(ledgers.runs_table(machine.runs),) if machine.runs else (),
        pairs=machine.facts,
        warnings=machine.warnings,
    )


def unit_of_case(case: CaseSummary) -> str:
    """The unit a case is shown in: its rate's, or that of time."""
    return case.rate_unit if case.rate is not None and case.rate_unit else "s"


def _trust(study: Study) -> Section:
    figures = []
    if chart := trust.parity(study.parity):
        figures.append(Figure(chart, ledgers.parity_table(study.parity)))
    if chart := trust.residuals(study.parity):
        figures.append(Figure(chart, ledgers.groups_table(study.parity)))
    return Section(
        id="trust",
        title="How far off we are",
        nav="Accuracy",
        lead=_accuracy(study.parity),
        figures=tuple(figures),
        tables=(ledgers.validation_table(study.validation),) if study.validation else (),
        folded=True,
    )


def _accuracy(points: Sequence[ParityPoint]) -> str:
    held = [p for p in trust.usable(points) if p.held_out]
    if not held:
        return "No prediction here was tried on a result that the fit had not seen."
    error = percent(median(abs(p.error) for p in held), sign=False)
    inside = f"{sum(p.covered for p in held)} of {len(held)} lie inside the stated 90 % interval"
    return f"On {_count(len(held), 'result')} the fit never saw, the median error is {error}, and {inside}."


def _sources(study: Study) -> Section:
    kinds = [f.source.kind for facts in study.facts.values() for f in facts.values()]
    assumed = sum(kind in ("assumed", "memory") for kind in kinds)
    earned = tuple(dict.fromkeys(s for r in study.results for s in r.sources))
    return Section(
        id="sources",
        title="Where every number comes from",
        nav="Sources",
        lead=f"{_count(len(kinds), 'value')} with their sources, {assumed} of them assumed." if kinds else "",
        tables=(ledgers.facts_table(study.facts),) if kinds else (),
        pairs=(("the constants were earned from", ", ".join(earned)),) if earned else (),
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
