"""What the pages of one run are made of: the run and what was made of it; nouns only, put together by `assay.api`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from assay.machine import Device
from assay.metrics import metric
from assay.observed import Observation, Split
from assay.report.study import clean
from assay.run import Case, Run
from assay.series import Series
from assay.summary import CaseSummary, Figure

_SHORT = 12  # letters of an id that is a name; a longer one is a serial number


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A measured figure beside what was predicted of it, both with their 90 % intervals."""

    metric: str  # its name; all values are in its unit
    measured: float
    predicted: float
    low: float  # of the prediction
    high: float
    measured_low: float | None = None
    measured_high: float | None = None
    case: str = ""
    evidence: str = ""  # class of the prediction: A | B | C | D

    @property
    def covered(self) -> bool:
        """Whether the prediction's interval holds what was measured."""
        return self.low <= self.measured <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStudy:
    """Everything the pages of one run say; what is empty is left out, what is unknown is said to be."""

    title: str
    created: str  # ISO 8601, from the caller: a report reads no clock
    run: Run
    observation: Observation
    figures: tuple[Figure, ...] = ()
    cases: tuple[CaseSummary, ...] = ()
    ranks: Mapping[int, Split] = field(default_factory=dict)  # the split of each rank, where there are several
    telemetry: tuple[Series, ...] = ()  # of the metrics in `timelines.SENSORS`; others are not drawn
    typed: tuple[str, ...] = ()  # the command as a person types it, where that differs from what was run
    beside: tuple[Beside, ...] = ()
    next_steps: tuple[str, ...] = ()
    tool: str = "assay"

    def case(self, name: str) -> Case:
        """A case by its name."""
        return next((c for c in self.run.cases if c.name == name), Case(name=name, kind=""))

    @property
    def devices(self) -> dict[str, str]:
        """Ids of the devices whose use is told, and what sentences and charts call them."""
        ids = dict.fromkeys(one.device for one in self.observation.usage)
        return {of: clean(of) if len(of) <= _SHORT else f"device {i}" for i, of in enumerate(ids)}

    def about(self, device: str) -> Device | None:
        """What is known of a device besides its readings."""
        return next((d for d in self.run.devices if d.id == device), None)

    @property
    def blind(self) -> bool:
        """Whether no sensor of any device was read."""
        return not self.observation.usage and all(metric(s.metric).group != "device" for s in self.telemetry)

    @property
    def length_s(self) -> float:
        """The time axis of all charts: to the end of the run, or to the last reading where that is later."""
        ends = [float(s.at_s[-1]) for s in (*self.run.series, *self.telemetry) if len(s)]
        return max([self.run.duration_s, *(end for end in ends if 0 <= end < 1e9), 1e-3])


def case_name(name: str) -> str:
    """A case as it is called; the command as a whole has no name of its own."""
    return clean(name) if name else "the command"
