"""`assay measure PROBE`: time this machine and keep every sample."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli.output import Row, emit, format_option, say

if TYPE_CHECKING:
    from assay.run import Run
    from assay.summary import CaseSummary


_FEWEST = 6  # settled cases that a calibration needs


@click.command()
@click.argument("probe")
@click.option("--python", help="Interpreter to measure in, with its NumPy and PyTorch; default: this one.")
@click.option("--budget", "budget_s", type=float, metavar="SECONDS", help="About how long to sample.")
@click.option("--quick", is_flag=True, help="Small cases and little time: a first look, not a result to rely on.")
@click.option(
    "--cases", multiple=True, metavar="GLOB", help="Only cases that match, such as 'numpy fp32 *'; repeatable."
)
@click.option("--folder", type=click.Path(file_okay=False), help="Where the storage probe writes; default: here.")
@click.option("--out", default="runs", show_default=True, type=click.Path(), help="Folder that keeps the runs.")
@format_option
@click.pass_context
def measure(ctx: click.Context, /, probe: str, budget_s: float | None, out: str, fmt: str, **options: object) -> None:
    """Run a built-in probe (matmul, memory, storage, dispatch) and keep every sample.

    Ctrl-C keeps what was measured so far. Exit: 0 done, 2 usage, 3 could not measure, 130 interrupted.
    """
    from assay.codec import encode
    from assay.errors import MeasureError
    from assay.measure.command import measure as run_probe
    from assay.store import prepare, save
    from assay.summary import summarise

    prepare(out)
    run = run_probe(probe, budget_s=budget_s, progress=say, **options)  # type: ignore[arg-type]
    path = save(run, out)
    summaries = summarise(run)
    data = {
        "run": str(path), "partial": run.partial, "stopped": run.stopped, "warnings": run.warnings,
        "environment": run.environment, "cases": [{"name": s.name, **encode(s)} for s in summaries],
    }  # fmt: skip
    emit(
        [_row(s) for s in summaries], fmt, title=f"{probe}: median of {sum(s.n for s in summaries)} samples", data=data
    )
    _close(run, path)
    if run.stopped == "interrupted":
        ctx.exit(130)
    if run.partial:
        raise MeasureError(run.stopped, where=probe, hint=f"what was measured before is in {path}")


def _row(s: CaseSummary) -> Row:
    from assay.units import show

    return {
        "case": s.name,
        "median": show(s.time_s, "s"),
        "90 %": _interval(s.low_s, s.high_s, "s"),
        "± spread": f"{100 * s.spread:.1f} %",
        "rate": None if s.rate is None else show(s.rate, s.rate_unit),
        "rate 90 %": None if s.rate is None else _interval(s.rate_low, s.rate_high, s.rate_unit),
        "kept": s.n,
        "dropped": s.dropped,
        "steady": "yes" if s.steady else "NEVER SETTLED",
    }


def _interval(low: float | None, high: float | None, unit: str) -> str:
    from assay.units import show

    return "too few samples" if low is None or high is None else f"{show(low, unit)} – {show(high, unit)}"


def _close(run: Run, path: Path) -> None:
    for warning in run.warnings:
        say(f"Warning: {warning}")
    if run.partial:
        say(f"Stopped before the end ({run.stopped}); what was measured is kept.")
    say(f"Run: {path}")
    say(f"Next: {_next(run, path)}")


def _next(run: Run, path: Path) -> str:
    settled = sum(case.steady for case in run.cases)
    if settled == 0 or (run.name == "matmul" and settled < _FEWEST):
        return f"assay measure {run.name} --budget {60 + run.duration_s:.0f}, when the machine is quiet"
    return f"assay {'calibrate' if run.name == 'matmul' else 'report'} {path}"
