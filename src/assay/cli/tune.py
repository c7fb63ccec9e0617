"""`assay measure train-step --tune`: the fastest setting that fits, and what was tried on the way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.cli.output import Row, emit, say
from assay.errors import InputError

if TYPE_CHECKING:
    from assay.api.trials import Trial

# Options of `measure` that would say nothing to a tuning.
_IDLE = {
    "quick": "--quick", "cases": "--cases", "folder": "--folder", "resume": "--resume", "results": "--results",
    "formats": "--log-format", "pattern": "--pattern", "timeout_s": "--timeout",
}  # fmt: skip


def run_tune(name: str | None, options: dict[str, Any], fmt: str) -> None:
    """Tune, print every trial, and what to type for the winner."""
    from assay.api.tuning import tune
    from assay.cli.measure import settings_of
    from assay.codec import encode

    refuse(name, options)
    fixed = settings_of(options["settings"])
    found = tune(
        fixed, python=options["python"], device=options["device"], ranks=options["ranks"],
        budget_s=options["budget_s"] or 600.0, out=options["out"], progress=say, together=options["together"],
        probes=probes_of(options),
    )  # fmt: skip
    emit([_row(t, found.metric) for t in found.trials], fmt, title=f"train-step, {found.metric}", data=encode(found))
    for note in found.notes:
        say(f"Note: {note}")
    for trial in found.tied:
        say(f"Tied with the best: {trial.name}")
    kept = {k: v for k, v in fixed.items() if k not in found.best.options}
    words = " ".join(f"--set {key}={value}" for key, value in {**kept, **found.best.options}.items())
    where = f" --python {options['python']}" if options["python"] else ""
    where += f" --device {options['device']}" if options["device"] != "auto" else ""
    where += f" --ranks {options['ranks']}" if options["ranks"] > 1 else ""
    say(f"Best: {found.best.name}")
    say(f"Next: assay measure train-step{where} {words}")


def refuse(name: str | None, options: dict[str, Any]) -> None:
    """Only train-step has settings that can be tuned; what a tuning does not heed is refused rather than ignored."""
    if name != "train-step":
        what = f'"{name}"' if name else "a command"
        raise InputError(f"{what} has nothing to tune", hint="assay measure train-step --tune")
    for idle in (word for key, word in _IDLE.items() if options[key]):
        hint = "runs that predictions rest on are named with --probes" if idle == "--results" else "leave it out"
        raise click.UsageError(f"{idle} says nothing to --tune: {hint}")


def probes_of(options: dict[str, Any]) -> list[Path]:
    """The folders of the runs that predictions are to rest on."""
    from assay.store import find

    return [find(run, options["out"]) for run in options["probes"]]


def _row(trial: Trial, metric: str) -> Row:
    from assay.units import show, suffix

    unit = suffix(metric)
    return {
        **trial.options,
        "predicted": None if trial.predicted_per_s is None else f"~{show(trial.predicted_per_s, unit)}",
        "predicted memory": None if trial.predicted_bytes is None else f"~{show(trial.predicted_bytes, 'bytes')}",
        "measured": None if trial.measured_per_s is None else show(trial.measured_per_s, unit),
        "outcome": trial.outcome,
        "why": trial.why,
    }
