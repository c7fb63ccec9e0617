"""`assay measure train-step --tune`: the fastest setting that fits, and what was tried on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from assay.cli.output import Row, emit, say

if TYPE_CHECKING:
    from assay.api.trials import Trial


def run_tune(ctx: click.Context, name: str | None, options: dict[str, Any], fmt: str) -> None:
    """Tune, print every trial, and what to type for the winner."""
    from assay.api.tuning import refuse, tune
    from assay.cli.measure import settings_of
    from assay.codec import encode

    refuse(name)
    fixed = settings_of(options["settings"])
    found = tune(
        fixed, python=options["python"], device=options["device"], ranks=options["ranks"],
        budget_s=options["budget_s"] or 600.0, out=options["out"], progress=say, together=options["together"],
        probes=options["results"],
    )  # fmt: skip
    emit([_row(t, found.metric) for t in found.trials], fmt, title=f"train-step, {found.metric}", data=encode(found))
    for note in found.notes:
        say(f"Note: {note}")
    for trial in found.tied:
        say(f"Tied with the best: {trial.name}")
    kept = {k: v for k, v in fixed.items() if k not in found.best.options}
    words = " ".join(f"--set {key}={value}" for key, value in {**kept, **found.best.options}.items())
    where = f" --python {options['python']}" if options["python"] else ""
    say(f"Best: {found.best.name}")
    say(f"Next: assay measure train-step{where} {words}")


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
