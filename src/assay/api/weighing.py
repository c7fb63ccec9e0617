"""Weighing: which rate of a machine a job depends on, by what half, a tenth more and double of each would do.

How sure that is: each lever is tried again as if its own rate were off by as much as our predictions are, to both
sides; what half of it then does is the range. So kinks show: what is hidden behind computing may not be at half.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import exp, log

from assay.api.predicting import calibrated, predict
from assay.calibration import Calibration
from assay.catalog import Folders
from assay.errors import InputError
from assay.hardware import System
from assay.plan import Plan
from assay.predict.calibrated import Calibrated
from assay.predict.flow import step_s
from assay.predict.levers import Lever, rates
from assay.predict.weights import sentences
from assay.result import Result
from assay.sweep import Effect, Gain, Weighed
from assay.workload import Workload

Search = Callable[[Workload, System], Result]

_MORE = 1.1


def weigh(
    job: Workload, machine: System, plan: Plan | None = None, *, first: str = "", folders: Folders = (),
    extra: Iterable[Calibration] = (),
) -> Weighed:  # fmt: skip
    """What every rate of a machine means to this job, and what follows in words; `first` names the lever asked of."""
    known = tuple(extra)
    result = predict(job, machine, plan, folders=folders, extra=known)
    again: Search | None = None
    if plan is None:

        def again(job: Workload, machine: System) -> Result:
            return predict(job, machine, folders=folders, extra=known)

    constants, used = calibrated(machine, known, folders), result.system
    turned = [lever for lever in rates(job, used) if lever.name != "outer-link" or used.nodes > 1]
    effects = [_effect(job, result, lever, constants, again) for lever in turned]
    found = tuple(sorted(effects, key=lambda e: e.more.mean if e.more else 0.0))
    return Weighed(result=result, effects=found, sentences=sentences(result, found, first))


def _effect(job: Workload, result: Result, lever: Lever, known: Calibrated, again: Search | None) -> Effect:
    value = float(lever.read(job, result.system) or 0.0)
    half, more, double = (_gain(job, result, lever, factor, known, again) for factor in (0.5, _MORE, 2.0))
    return Effect(
        lever=lever.name, title=lever.title, unit=lever.unit, value=value, half=half, more=more, double=double
    )


def _gain(
    job: Workload, result: Result, lever: Lever, factor: float, known: Calibrated, again: Search | None
) -> Gain | None:  # fmt: skip
    """What so many times a lever does to a step by the same plan, and by the best one."""
    replanned = _replanned(job, result, lever, factor, again) if again is not None and factor != _MORE else None
    if lever.unit == "bytes":  # a size: what fits is faster by no byte more
        return _sized(job, result, lever, factor, replanned)
    off = log(result.step.high / result.step.mean)
    usual, *ends = (_ratio(job, result, lever, factor, scale, known) for scale in (1.0, exp(-off), exp(off)))
    return Gain(mean=usual, low=min(usual, *ends), high=max(usual, *ends), replanned=replanned)


def _sized(job: Workload, result: Result, lever: Lever, factor: float, replanned: float | None) -> Gain | None:
    value = float(lever.read(job, result.system) or 0.0)
    if result.values["peak_memory_bytes"].mean > factor * value:
        return None if replanned is None else Gain(mean=replanned, low=replanned, high=replanned, replanned=replanned)
    return Gain(mean=0.0, low=0.0, high=0.0, replanned=replanned)


def _ratio(job: Workload, result: Result, lever: Lever, factor: float, scale: float, known: Calibrated) -> float:
    """T(factor · x) / T(x) − 1, where x is `scale` times what the machine is said to have."""
    value = float(lever.read(job, result.system) or 0.0)
    now, then = (
        step_s(*lever.at(job, result.system, value * times), result.plan, known.constants_for(job))
        for times in (scale, scale * factor)
    )
    return then / now - 1.0


def _replanned(job: Workload, result: Result, lever: Lever, factor: float, again: Search | None) -> float | None:
    if again is None:
        return None
    try:
        found = again(*lever.at(job, result.system, factor * float(lever.read(job, result.system) or 0.0)))
    except InputError:  # it fits by no plan
        return None
    return found.step.mean / result.step.mean - 1.0
