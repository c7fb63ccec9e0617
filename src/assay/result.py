"""The one shape of an answer: predicted, measured and published results differ only in `origin`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from assay.hardware import System
from assay.metrics import Metric, group
from assay.plan import Plan
from assay.workload import Workload

Origin = Literal["predicted", "measured", "published"]

# How well a number is founded: A measured here · B published for this accelerator · C for its architecture class ·
# D datasheet only.
Evidence = Literal["A", "B", "C", "D"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A number with its 90 % interval; `low == high == mean` only when it is exact (a count)."""

    mean: float
    low: float
    high: float
    evidence: Evidence

    def differs(self, other: Value) -> bool:
        """Whether two figures are told apart: their ratio's 90 % interval, errors taken as independent, excludes 1."""
        if min(self.low, other.low) <= 0:
            return self.high < other.low or other.high < self.low
        widths = [math.log(v.high / v.low) / 2 for v in (self, other)]
        return abs(math.log(self.mean / other.mean)) > math.hypot(*widths)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A share of a step's time: which term, how long, and which resource bounds it."""

    name: str
    time_s: float
    bound: str  # compute | memory | network | latency | bubble | host | storage
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One kind of operation on the roofline: work, bytes and the time predicted or measured for it."""

    name: str
    flop: float
    bytes: float
    time_s: float
    dtype: str = "bf16"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPart:
    """A share of the fullest device's memory."""

    name: str
    size_bytes: float


__all__ = ["METRICS", "Evidence", "MemoryPart", "Metric", "Origin", "Part", "Point", "Result", "Value"]

METRICS: Mapping[str, Metric] = group("job")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a job does on a machine: values with intervals, where the time and the memory go, and how we know."""

    workload: Workload
    system: System
    plan: Plan
    origin: Origin
    values: Mapping[str, Value]  # by METRICS name; a metric that is unknown is not there
    parts: tuple[Part, ...] = ()
    memory: tuple[MemoryPart, ...] = ()
    roofline: tuple[Point, ...] = ()
    sensitivity: Mapping[str, float] = field(default_factory=dict)  # lever -> d ln(step time) / d ln(lever)
    bound: str = ""  # what bounds the step, in words
    evidence: Evidence = "D"
    sources: tuple[str, ...] = ()  # runs, rows and files that earned the constants
    notes: tuple[str, ...] = ()  # what was assumed, what is extrapolated

    @property
    def step(self) -> Value:
        """Time of one step."""
        return self.values["step_s"]
