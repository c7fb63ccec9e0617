"""Showing: a kept run, what was made of it and what was predicted of it, put together for its pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from assay import store
from assay.api.beside import beside, probes_of
from assay.api.calibrating import calibrate
from assay.api.observing import observe
from assay.errors import AssayError
from assay.measure.workload import typed
from assay.report import Beside, RunStudy, sensors
from assay.run import Run
from assay.summary import figures, summarise
from assay.telemetry.split import split


def run_study(path: Path | str, *, root: Path | str | None = None) -> RunStudy:
    """Everything the pages of one run say; probes of the same machine are looked for beside it, or under `root`."""
    folder = store.find(path)
    run = store.load(folder)
    _, ranks, _ = split(run.series)
    told = predicted(run, folder, root or folder.parent)
    return RunStudy(
        title=run.name, created=now(), run=run, observation=observe(folder), figures=figures(run),
        cases=summarise(run), ranks=ranks if len(ranks) > 1 else {},
        telemetry=store.telemetry(folder, metrics=sensors()), beside=told,
        typed=typed(run.command), next_steps=_next(run, folder, told), tool=tool(),
    )  # fmt: skip


def predicted(run: Run, folder: Path, root: Path | str) -> tuple[Beside, ...]:
    """What the formulas say of what a run measured; nothing where they say nothing of it."""
    try:
        if run.name == "gemm":
            return _shapes(folder)
        if run.name == "train-step":
            return _step(run, root)
    except AssayError:  # another family, a device that nobody knows, too few shapes: there is no prediction
        pass
    return ()


def _shapes(folder: Path) -> tuple[Beside, ...]:
    """The half of the shapes that the machine's constants were not fitted on."""
    return tuple(
        Beside(metric="time_s", case=p.case, measured=p.measured_s, predicted=p.predicted_s, low=p.low_s, high=p.high_s,
               evidence="A")
        for p in calibrate(folder).points if p.held_out
    )  # fmt: skip


def _step(run: Run, root: Path | str) -> tuple[Beside, ...]:
    _, _, told = beside(run, probes_of(run.environment, root))
    return tuple(
        Beside(metric=one.metric, measured=one.right.mean, measured_low=one.right.low, measured_high=one.right.high,
               predicted=one.left.mean, low=one.left.low, high=one.left.high, evidence=one.left.evidence)
        for one in told
    )  # fmt: skip


def _next(run: Run, folder: Path, told: Sequence[Beside]) -> tuple[str, ...]:
    """What would make more of it."""
    steps = []
    if run.partial and any(e.kind == "done" for e in run.events):
        steps.append(f"Measure what is missing: assay measure {run.name} --resume {folder}")
    if run.name == "train-step" and not told:
        python = run.settings.get("python", "")
        same = f" --python {python}" if python else ""
        steps.append(f"For a prediction beside it: assay measure gemm{same}, assay measure membw{same}, and this again")
    steps.append("To prove that a change makes it faster: assay gate -- OLD COMMAND -- NEW COMMAND")
    return tuple(steps)


def now() -> str:
    """The time, as ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def tool() -> str:
    """Name and version of what wrote a report."""
    return f"assay {version('assay')}"
