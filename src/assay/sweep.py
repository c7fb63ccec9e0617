"""What changes when one thing does: a job predicted at several values of it, and what half and double of each do."""

from __future__ import annotations

from dataclasses import dataclass

from assay.result import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """One point of a sweep: the value, and what came of it or why nothing did."""

    value: float
    result: Result | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One job on one system at several values of one lever."""

    lever: str  # "outer-link"
    title: str  # "the link between nodes"
    unit: str  # of the values; empty for a count
    base: float  # the value that the system or the job has
    points: tuple[Swept, ...]
    kept: bool = False  # the plan was stated and kept; else each point has its best one
    weak: bool = False  # the batch grew with the nodes

    @property
    def found(self) -> tuple[Swept, ...]:
        """The points that could be predicted."""
        return tuple(point for point in self.points if point.result is not None)

    def against(self, point: Swept) -> float | None:
        """Speed per device over that of the first point: with more nodes, the efficiency of scaling."""
        if point.result is None:
            return None
        first = self.found[0].result
        return None if first is None else _each(point.result) / _each(first)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """By how much a step takes longer (above 0) or shorter, as a share of its time; with a range where one is known."""

    mean: float
    low: float
    high: float
    replanned: float | None = None  # the same with the best plan for it; None: the plan was kept, or nothing fits


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one lever does: half, a tenth more, and double of it; None where the job would not fit by this plan."""

    lever: str
    title: str
    unit: str
    value: float
    half: Gain | None
    more: Gain | None
    double: Gain | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """A prediction, what each lever would do to it, and what follows in a sentence or two."""

    result: Result
    effects: tuple[Effect, ...]
    sentences: tuple[str, ...]


def _each(result: Result) -> float:
    return result.values[result.workload.rate].mean / result.system.accelerators
