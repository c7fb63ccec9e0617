"""A run's figures as rows: repetitions with their rates where it has cases, else every metric with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.cli.output import Row

if TYPE_CHECKING:
    from assay.run import Run
    from assay.summary import CaseSummary, Figure


def rows_of(run: Run, cases: Sequence[CaseSummary], figures: Sequence[Figure]) -> list[Row]:
    """What stands in the table."""
    if cases and all(case.kind != "step" for case in run.cases):
        return [_case(c) for c in cases]
    return [_figure(f) for f in figures]


def title_of(run: Run) -> str:
    """What stands over it."""
    return f"{run.name}: {sum(map(len, run.series)):,} samples in {run.duration_s:.1f} s"


def data_of(run: Run, path: Path, cases: Sequence[CaseSummary], figures: Sequence[Figure]) -> dict[str, Any]:
    """The same in full, for programs."""
    from assay.codec import encode

    return {
        "run": str(path), "partial": run.partial, "stopped": run.stopped, "exit_code": run.exit_code,
        "warnings": run.warnings, "environment": run.environment, "settings": run.settings,
        "devices": encode(run.devices), "events": [encode(e) for e in run.events if e.kind != "done"],
        "cases": [{"name": s.name, **encode(s)} for s in cases],
        "figures": [{**encode(f), "metric": f.metric.name, "unit": f.metric.unit} for f in figures],
    }  # fmt: skip


def _case(s: CaseSummary) -> Row:
    from assay.units import show

    return {
        "case": s.name,
        "median": show(s.time_s, "s"),
        "90 %": interval(s.low_s, s.high_s, "s"),
        "± spread": f"{100 * s.spread:.1f} %",
        "rate": None if s.rate is None else show(s.rate, s.rate_unit),
        "rate 90 %": None if s.rate is None else interval(s.rate_low, s.rate_high, s.rate_unit),
        "kept": s.n,
        "dropped": s.dropped,
        "steady": steadiness(s.steady, s.n),
    }


def _figure(f: Figure) -> Row:
    from assay.units import show

    unit = f.metric.unit
    if f.metric.kind == "work":  # an amount is as it was told, and has no tails
        told = f"{f.value:,.0f}" if unit not in ("flop", "bytes") else show(f.value, unit)
        return {
            **({"case": f.case} if f.case else {}),
            "figure": f"{f.metric.title} a step",
            "typical": told,
            "kept": f.n,
        }
    return {
        **({"case": f.case} if f.case else {}),
        "figure": f.metric.title,
        "typical": show(f.value, unit),
        "90 %": interval(f.low, f.high, unit),
        "p90": None if f.p90 is None else show(f.p90, unit),
        "p99": None if f.p99 is None else show(f.p99, unit),
        "kept": f.n,
        "dropped": f.dropped,
        "steady": steadiness(f.steady, f.n),
    }


def steadiness(steady: bool, n: int) -> str:
    """Whether it settled, in a word."""
    from assay.stats import FEWEST

    return "yes" if steady else "too few" if n < FEWEST else "NEVER SETTLED"


def interval(low: float | None, high: float | None, unit: str) -> str:
    """Two ends for a person."""
    from assay.units import show

    if unit == "bytes":  # the most there was, and no estimate
        return ""
    return "too few samples" if low is None or high is None else f"{show(low, unit)} – {show(high, unit)}"
