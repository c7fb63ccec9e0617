"""Comparing: predicted, measured and published results have one shape, so any two can stand side by side."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from assay import comparison
from assay.comparison import Comparison
from assay.errors import InputError
from assay.result import Result, Value
from assay.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """One metric of two results, and whether their intervals tell them apart."""

    metric: str
    left: Value
    right: Value
    ratio: float  # right over left
    differs: bool


def compare(left: Result | Run, right: Result | Run, *, allow: Collection[str] = ()) -> Comparison | tuple[Beside, ...]:
    """Two runs case by case, or two results metric by metric; unlike things are refused with what differs."""
    if isinstance(left, Run) and isinstance(right, Run):
        return comparison.compare(left, right, allow=tuple(allow))
    if isinstance(left, Result) and isinstance(right, Result):
        return _results(left, right, allow)
    raise InputError("a run and a result cannot be compared", hint="compare two runs, or two results")


def _results(left: Result, right: Result, allow: Collection[str]) -> tuple[Beside, ...]:
    if left.workload != right.workload and "workload" not in allow:
        raise InputError(
            f"these are two workloads: {left.workload.name} and {right.workload.name}",
            hint='allow=("workload",) compares them',
        )
    shared = [name for name in left.values if name in right.values]
    return tuple(_beside(name, left.values[name], right.values[name]) for name in shared)


def _beside(name: str, left: Value, right: Value) -> Beside:
    ratio = right.mean / left.mean if left.mean else float("nan")
    return Beside(metric=name, left=left, right=right, ratio=ratio, differs=left.differs(right))
