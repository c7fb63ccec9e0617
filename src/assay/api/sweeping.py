"""Sweeping: one job on one system, predicted at several values of one thing; each point is a prediction of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import isfinite

from assay.api.predicting import best, predict
from assay.calibration import Calibration
from assay.catalog import Folders
from assay.errors import InputError, shown
from assay.hardware import System
from assay.plan import Plan
from assay.predict.levers import Lever, lever
from assay.result import Result
from assay.sweep import Sweep, Swept
from assay.units import show
from assay.workload import Workload

# What is tried where nobody says: so many times the value that is there.
_FACTORS = {"nodes": (1, 2, 4, 8, 16, 32), "batch": (0.25, 0.5, 1, 2, 4, 8)}
_USUAL = (0.25, 0.5, 1, 2, 4)
_MOST = 100  # points


def sweep(
    job: Workload, machine: System, over: str, values: Sequence[float] | None = None, *, plan: Plan | None = None,
    weak: bool = False, folders: Folders = (), extra: Iterable[Calibration] = (),
) -> Sweep:  # fmt: skip
    """A job at several values of one lever: by the best plan at each, or by one plan that is kept.

    With `weak` the batch grows with the nodes. A value at which nothing can be predicted is a point with its reason.
    """
    turned = lever(over, job, machine)
    if weak and turned.name != "nodes":
        raise InputError("only a sweep over nodes is weak or strong", where="--weak", hint="write --over nodes")
    base = float(turned.read(job, machine) or 0.0)
    wanted = _checked(turned, default_values(turned, base) if values is None else values)
    known = tuple(extra)
    points = [_point(job, machine, turned, value, plan, weak, folders, known) for value in wanted]
    if not any(point.result for point in points):
        raise InputError(f"nothing of it can be predicted: {points[0].reason}", where="--values",
                         hint="try other values, nodes or batches")  # fmt: skip
    return Sweep(
        lever=turned.name, title=turned.title, unit=turned.unit, base=base, points=tuple(points), kept=plan is not None,
        weak=weak,
    )  # fmt: skip


def default_values(turned: Lever, base: float) -> list[float]:
    """What is tried where nobody says: from a quarter to four times; of nodes 1 to 32 times."""
    found = [factor * base for factor in _FACTORS.get(turned.name, _USUAL)]
    return [value for value in found if value == int(value)] if turned.counted else found


def _checked(turned: Lever, values: Sequence[float]) -> list[float]:
    found = list(dict.fromkeys(values))
    if not 1 <= len(found) <= _MOST:
        raise InputError(f"{len(found)} values are no sweep", where="--values", hint=f"write from 1 to {_MOST}")
    for value in found:
        if not (isfinite(value) and value > 0) or (turned.counted and value != int(value)):
            kind = "a whole number above 0" if turned.counted else "a value above 0"
            raise InputError(f"{shown(value)} of {turned.title} cannot be", where="--values", hint=f"write {kind}")
    return found


def _point(
    job: Workload, machine: System, turned: Lever, value: float, plan: Plan | None, weak: bool, folders: Folders,
    extra: Sequence[Calibration],
) -> Swept:  # fmt: skip
    try:
        asked, system = turned.at(job, machine, value)
        if weak:
            asked = replace(asked, global_batch=_grown(job.global_batch, value / machine.nodes))
        return Swept(value=value, result=_predicted(asked, system, turned, plan, folders, extra))
    except InputError as error:
        return Swept(value=value, reason=str(error).removeprefix(job.model.name).strip())


def _predicted(
    job: Workload, system: System, turned: Lever, plan: Plan | None, folders: Folders, extra: Sequence[Calibration]
) -> Result:  # fmt: skip
    if plan is None:
        return best(job, system, folders=folders, extra=extra)[0]
    kept = replace(plan, data=1) if turned.name == "nodes" else plan  # data parallelism takes what the nodes leave
    if int(kept.tensor * kept.pipeline * kept.context) > system.accelerators:
        raise InputError(f"the plan needs more than {system.accelerators} accelerators", hint="less of tp, pp or cp")
    found = predict(job, system, kept, folders=folders, extra=extra)
    short = -found.values["headroom_bytes"].mean
    if short > 0:
        raise InputError(f"the plan does not fit: short by {show(short, 'bytes')} per device")
    return found


def _grown(batch: int, factor: float) -> int:
    grown = batch * factor
    if grown != int(grown) or grown < 1:
        raise InputError(f"a batch of {batch} grown {factor:g} times is no whole number of samples")
    return int(grown)
