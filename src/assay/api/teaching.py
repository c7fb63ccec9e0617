"""Teaching: training steps that were measured at a site move what is shipped of its machines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from assay import store
from assay.api.beside import SAME, as_prior, job_of, probes_of, system_of, this_system
from assay.api.calibrating import calibrate
from assay.api.observing import observe
from assay.calibration import Calibration
from assay.catalog import Folders
from assay.catalog.calibrations import calibrations
from assay.counting import parameters
from assay.errors import AssayError, InputError, MeasureError
from assay.hardware import System
from assay.measure.inventory import detect
from assay.plan import Plan
from assay.predict import trial
from assay.predict.calibrated import Calibrated, calibrate_for
from assay.predict.host import Host
from assay.predict.legal import refuse_illegal
from assay.predict.site import MeasuredStep, Taught, taught
from assay.run import Run
from assay.summary import figures

_Placed = tuple[System, MeasuredStep]
_PROBES = ("gemm", "membw")
_STEPS = ("step_s", "interval_s")
_NORMAL = 1.6449  # standard deviations to each side that hold 90 %
# Kinds of trouble that make a run slower than its machine is.
_SLOWED = frozenset({
    "thermal throttle", "power throttle", "power cap", "other throttle", "throttle", "slow clock", "slow device",
    "straggler", "drift", "stalls", "periodic stall", "stalled", "idle device", "noisy neighbour",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What the runs of a site taught, machine by machine, and which of them taught nothing, with the reason."""

    machines: tuple[Taught, ...]
    here: System | None  # this processor as its probes show it, where steps on it taught
    probes: tuple[str, ...]  # the runs that show it
    left_out: tuple[tuple[str, AssayError], ...]


@dataclass(slots=True)
class _Shelf:
    """What steps are laid beside: the catalog's machines, and this processor once it is asked for."""

    probes: list[Path]
    folders: Folders
    host: Host | None = None
    here: System | None = None
    seen: Run | None = None  # the first on this processor

    def system(self, run: Run, path: Path, plan: Plan) -> System:
        if run.accelerators:
            return system_of(run, plan, self.folders)
        if int(plan.data) * int(plan.tensor) * int(plan.pipeline) > 1:
            raise InputError("several processes on one processor are not priced", hint="measure with --ranks 1")
        return self._here(run, path)

    def known(self, system: System) -> Calibrated:
        """What is known of a machine but for what this site measured of it before, which is measured anew."""
        own = system.accelerator.name, "A"
        shipped = [c for c in calibrations(self.folders) if (c.applies_to, c.evidence) != own]
        extra = [as_prior(self.host.calibration)] if self.host and system is self.here else []
        return calibrate_for(system.accelerator, [*shipped, *extra])

    def whole(self, found: Calibration) -> Calibration:
        """With what the probes of a processor taught, which is in no catalog."""
        if self.host is None or self.here is None or found.applies_to != self.here.accelerator.name:
            return found
        return replace(found, constants={**self.host.calibration.constants, **found.constants})

    def _here(self, run: Run, path: Path) -> System:
        if self.here is not None and self.seen is not None:
            if not _alike(self.seen, run):
                raise InputError(f"its processor is not that of run {self.seen.id}", hint="calibrate them apart")
            return self.here
        probes = [probe for probe in self.probes if _alike(store.load(probe), run)]
        probes = probes or list(probes_of(run.environment, path.parent))
        if not probes:
            hint = "assay measure gemm and assay measure membw with the same --python, then name both runs as well"
            raise InputError("its processor is known by probes alone, and there are none", hint=hint)
        self.host, self.seen = calibrate(probes, library="torch"), run
        self.here, _ = this_system(self.host, detect.host())
        return self.here


def has_steps(paths: Sequence[Path | str]) -> bool:
    """Whether any of these runs is more than a probe of matrix products or memory."""
    return any(store.load(store.find(path)).name not in _PROBES for path in paths)


def teach(paths: Sequence[Path | str], *, tests: Sequence[Path | str] = (), folders: Folders = ()) -> Lesson:
    """Constants of this site's machines from training steps on them; `tests` are runs that take no part.

    Runs of `gemm` and `membw` among them describe a processor; without any, those beside its steps are looked for.

    Raises InputError where no run says what was trained on what, MeasureError where none that does was well measured.
    """
    found = [store.find(path) for path in paths]
    probes = [path for path in found if store.load(path).name in _PROBES]
    shelf = _Shelf(probes=probes, folders=folders)
    steps, left_out = _steps([path for path in found if path not in probes], shelf)
    if not steps:
        raise _nothing(left_out)
    tested, untested = _steps([store.find(path) for path in tests], shelf)
    machines = []
    for name, system in {system.accelerator.name: system for system, _ in steps}.items():
        mine, theirs = ([one for on, one in group if on.accelerator.name == name] for group in (steps, tested))
        lesson = taught(name, mine, shelf.known(system), tests=theirs)
        machines.append(replace(lesson, calibration=shelf.whole(lesson.calibration)))
    return Lesson(
        machines=tuple(machines), here=shelf.here, left_out=(*left_out, *untested),
        probes=shelf.host.calibration.sources if shelf.host else (),
    )  # fmt: skip


def _steps(paths: Sequence[Path], shelf: _Shelf) -> tuple[list[_Placed], list[tuple[str, AssayError]]]:
    """The runs that can teach, each with its machine, and why the others cannot."""
    steps, left_out = list[_Placed](), list[tuple[str, AssayError]]()
    for path in paths:
        run = store.load(path)
        try:
            steps.append(_step(run, path, shelf))
        except AssayError as error:
            left_out.append((run.id, error))
    return steps, left_out


def _step(run: Run, path: Path, shelf: _Shelf) -> _Placed:
    job, plan = job_of(run, shelf.folders)
    timed = next((f for f in figures(run) if f.metric.name in _STEPS), None)
    if timed is None:
        raise MeasureError("no step was timed", hint="measure it again, with a larger --budget")
    if not timed.steady:
        hint = "measure again when the machine is quiet, with a larger --budget"
        raise MeasureError(f"its steps never settled ({timed.n} of them)", hint=hint)
    system = shelf.system(run, path, plan)
    refuse_illegal(job, system, plan)
    sure = math.log(timed.high / timed.low) / (2.0 * _NORMAL) if timed.low and timed.high else timed.spread
    size = f"{parameters(job.model.shape) / 1e6:.3g} M"
    step = MeasuredStep(
        name=f"{job.name} {size} {job.precision} {plan}", runs=(run.id,), job=job, plan=plan,
        laid=trial.row(job, system, plan), step_s=timed.value, noise_ln=sure, doubt=_doubt(run, path),
    )  # fmt: skip
    return system, step


def _doubt(run: Run, path: Path) -> str:
    """What a run's own record says made it slow."""
    slowed = next((t.text for t in observe(path).troubles if t.kind in _SLOWED), "")
    return slowed or ("others used the machine meanwhile" if run.environment.get("contended") else "")


def _alike(one: Run, other: Run) -> bool:
    return all(one.environment.get(key) == other.environment.get(key) for key in SAME)


def _nothing(left_out: Sequence[tuple[str, AssayError]]) -> AssayError:
    """The first reason why nothing can be learned, of those that measuring better would mend if there are any."""
    if not left_out:
        hint = "assay measure train-step --set model=gpt-125m, and once more with a larger micro_batch"
        return InputError("no training step is among these runs", hint=hint)
    name, error = next(((n, e) for n, e in left_out if isinstance(e, MeasureError)), left_out[0])
    kind = MeasureError if isinstance(error, MeasureError) else InputError
    more = f" (nor from {len(left_out) - 1} others)" if len(left_out) > 1 else ""
    return kind(f"nothing can be learned from it{more}: {error.what}", where=name, hint=error.hint)
