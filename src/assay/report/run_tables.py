"""What stands behind a run, as tables: troubles, predictions beside it, every figure, events, settings, environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from assay.metrics import metric
from assay.observed import Trouble
from assay.report.clock import clock, digits_for
from assay.report.run_study import Beside, RunStudy, case_name
from assay.report.run_text import amount, around, level, reach, said
from assay.report.table import Cell, Column, Table, figures
from assay.report.text import capital, listed, percent
from assay.report.timelines import numbered
from assay.run import Event
from assay.summary import Figure
from assay.units import show, suffix

_TAIL = "—: none, or fewer samples than a tail needs"
BAD = ("oom", "nan", "xid")  # kinds of events that a reader has to hear of first
_LISTS = 12  # values of a list that stand in one cell
NOT_CAPTURED = "not_captured"
PACKAGES = "packages"


def troubles_table(study: RunStudy) -> Table:
    """What went wrong, the most costly first."""
    heads = (
        figures("No.", "number"), Column("What", "kind"), Column("In words", "text"), figures("Time lost", "lost_s"),
        Column("Of", "of"), figures("From", "begin_s"), figures("To", "end_s"), Column("Shown by", "metrics"),
    )  # fmt: skip
    rows = tuple(_trouble_row(study, number, t) for number, t in numbered(study))
    return Table(id="troubles-table", caption="Troubles, the most costly first", columns=heads, rows=rows)


def _trouble_row(study: RunStudy, number: int, t: Trouble) -> tuple[Cell, ...]:
    lost = Cell("not known", tone="quiet")
    if t.lost_s is not None:
        lost = Cell(show(t.lost_s, "s"), t.lost_s, note=f"{percent(t.lost_s / study.length_s, sign=False)} of the run")
    digits = digits_for(t.window.length_s)
    return (
        Cell(str(number), sort=number), Cell(t.kind), Cell(t.text, tone="long"), lost, Cell(_whose(study, t.of)),
        Cell(clock(t.window.begin_s, digits), sort=t.window.begin_s),
        Cell(clock(t.window.end_s, digits), sort=t.window.end_s),
        Cell(listed([metric(name).title for name in t.metrics], 4) or "—", tone="quiet"),
    )  # fmt: skip


def _whose(study: RunStudy, of: str) -> str:
    return study.devices.get(of) or of or "the run"


def beside_table(found: Sequence[Beside]) -> Table:
    """Every measured figure beside its prediction."""
    heads = (
        Column("Figure", "figure"), figures("Measured", "measured"), figures("Predicted", "predicted"),
        figures("Predicted is off by", "error"), Column("Inside its interval", "covered"),
    )  # fmt: skip
    return Table(
        id="beside-table", caption="Measured beside predicted", columns=heads, rows=tuple(map(_beside_row, found))
    )


def beside_name(one: Beside) -> str:
    """What is compared."""
    return capital(metric(one.metric).title) + (f", {case_name(one.case)}" if one.case else "")


def _beside_row(one: Beside) -> tuple[Cell, ...]:
    error = one.predicted / one.measured - 1 if one.measured else None
    note = around(one.measured, one.measured_low, one.measured_high, one.metric)
    return (
        Cell(beside_name(one)),
        Cell(said(one.measured, one.metric), one.measured, one.measured_low, one.measured_high, note),
        Cell(said(one.predicted, one.metric), sort=one.predicted, low=one.low, high=one.high,
             note=reach(one.low, one.high, one.metric), evidence=one.evidence),
        Cell("—", tone="quiet") if error is None else Cell(percent(error), sort=error),
        Cell("yes" if one.covered else "no", tone="" if one.covered else "bad"),
    )  # fmt: skip


def figures_table(found: Sequence[Figure]) -> Table:
    """Every figure of the run."""
    several = len({f.case for f in found}) > 1
    heads = (
        *((Column("Case", "case"),) if several else ()), Column("Figure", "figure"), figures("Typical", "value"),
        figures("p90", "p90", _TAIL),
        figures("p99", "p99", _TAIL),
        figures("Spread", "spread", "scaled median absolute deviation over the median"),
        figures("Kept", "kept", "samples that count"), figures("Left out", "dropped", "warm-up"),
        Column("Settled", "steady"), Column("Name", "metric"),
    )  # fmt: skip
    rows = tuple((*((Cell(case_name(f.case)),) if several else ()), *_figure_row(f)) for f in found)
    return Table(id="figures-table", caption="Every figure, with its 90 % interval", columns=heads, rows=rows,
                 filtered="case" if several else "")  # fmt: skip


def _figure_row(f: Figure) -> tuple[Cell, ...]:
    name, sure = f.metric.name, f.low is not None and f.high is not None
    note = around(f.value, f.low, f.high, name) or ("always the same" if sure else "too few samples")
    return (
        Cell(capital(f.metric.title)),
        replace(level(f.value, f.low, f.high, name), note=note),
        amount(f.p90, name, "—"), amount(f.p99, name, "—"),
        Cell(percent(f.spread, sign=False), sort=f.spread), Cell(f"{f.n:,}", sort=f.n),
        Cell(f"{f.dropped:,}", sort=f.dropped), Cell("yes" if f.steady else "no", tone="" if f.steady else "bad"),
        Cell(name, tone="quiet"),
    )  # fmt: skip


def events_table(study: RunStudy, found: Sequence[Event]) -> Table:
    """What happened, in order."""
    heads = (figures("At", "at_s"), Column("What", "kind"), Column("In words", "text"), Column("Of", "of"))
    digits = digits_for(max((e.at_s for e in found), default=0.0))
    rows = tuple(
        (Cell(clock(e.at_s, digits), sort=e.at_s), Cell(e.kind), Cell(e.text, tone="long bad" if is_bad(e) else "long"),
         Cell(_whose(study, e.of), note=e.of if e.of in study.devices else ""))
        for e in sorted(found, key=lambda e: e.at_s)
    )  # fmt: skip
    return Table(id="events-table", caption="Gaps, restarts, error codes and checks", columns=heads, rows=rows,
                 filtered="kind")  # fmt: skip


def is_bad(event: Event) -> bool:
    """Whether an event is one that nobody wants."""
    return event.kind in BAD or (event.kind == "check" and event.text.startswith("failed"))


def words_table(id: str, caption: str, words: Mapping[str, object]) -> Table:  # noqa: A002
    """Names and values."""
    heads = (Column("Name", "name"), Column("Value", "value"))
    rows = tuple((Cell(name), Cell(written(name, value), tone="long")) for name, value in words.items())
    return Table(id=id, caption=caption, columns=heads, rows=rows)


def environment_tables(environment: Mapping[str, object]) -> list[Table]:
    """The machine and its software at that moment; packages apart, since they are many."""
    known = {k: v for k, v in environment.items() if k not in (PACKAGES, NOT_CAPTURED) and v not in (None, [], {}, "")}
    absent = [k for k, v in environment.items() if v in (None, [], {}, "") and k != NOT_CAPTURED]
    tables = [words_table("environment-table", "Machine and software", known)] if known else []
    packages = _strings(environment.get(PACKAGES))
    if packages:
        pairs = dict(p.partition("==")[::2] for p in packages)
        tables.append(words_table("packages-table", "Python packages", pairs))
    missing = dict.fromkeys(_strings(environment.get(NOT_CAPTURED)), "")
    if missing or absent:
        rows = tuple((Cell(text, tone="long"),) for text in (*missing, *(f"{name}: not told" for name in absent)))
        heads = (Column("What", "what"),)
        tables.append(Table(id="absent-table", caption="What could not be captured", columns=heads, rows=rows))
    return tables


def _strings(value: object) -> list[str]:
    return [str(v) for v in value] if isinstance(value, (list, tuple)) else []


def written(name: str, value: object) -> str:
    """A value of the environment for a person: units shown, long lists cut.

    >>> written("memory_bytes", 25276514304.0), written("isa", ["AVX", "FMA"]), written("smt", True)
    ('25.3 GB', 'AVX, FMA', 'yes')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        unit = suffix(name)
        try:
            return show(float(value), unit) if unit else f"{value:.10g}"
        except OverflowError:  # a whole number beyond any float, such as a key
            return f"{str(value)[:12]}… ({len(str(abs(int(value))))} digits)"
    if isinstance(value, (list, tuple)):
        shown = [written(name, v) for v in value[:_LISTS]]
        more = f", and {len(value) - _LISTS} more" if len(value) > _LISTS else ""
        return ", ".join(shown) + more
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {written(str(k), v)}" for k, v in list(value.items())[:_LISTS])
    return str(value)
