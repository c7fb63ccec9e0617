"""What a run's series were found to mean: how the time went, how busy each device really was, what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

NOTHING = "nothing stands out"  # the verdict of an observation of which there is no more to say


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of a run, in seconds since it began."""

    begin_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """How long it is."""
        return self.end_s - self.begin_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What no sensor knows and somebody has to say; None: nobody did."""

    peak_flop_per_s: float | None = None  # of one device, dense, in the precision that was used
    peak_is_matrix: bool = True  # that peak is of the matrix units, and so bounded by how active they were
    step_flop: float | None = None  # model FLOP of one step, all devices together, recompute left out
    price_usd_per_s: float | None = None  # of one device
    tariff_usd_per_j: float | None = None  # of electricity
    pue: float = 1.0  # facility power over IT power


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How much of one device was used in a window; each share by its own name, None where no sensor tells it.

    What was not busy was idle. What was busy was working or stalled: a kernel ran, and next to nothing moved.
    """

    device: str
    window: Window
    busy: float | None = None  # a kernel ran
    core: float | None = None  # cores had work resident
    matrix: float | None = None  # matrix units worked
    memory: float | None = None  # the memory interface moved data
    stalled: float | None = None  # busy, and neither matrix units nor memory did much
    working: float | None = None  # busy, and not stalled
    mfu: float | None = None  # model FLOP over what the peak allows
    power_w: float | None = None  # mean
    memory_peak_bytes: float | None = None
    bound: str = ""  # memory-bound, compute-bound, …; empty: the sensors do not say
    coverage: float = 0.0  # share of the window that the readings cover


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Where the wall time of a window went; the five parts sum to it. None: this part was not told apart."""

    window: Window
    steps: int
    input_s: float
    communication_s: float
    checkpoint_s: float
    compute_s: float | None
    other_s: float

    @property
    def wall_s(self) -> float:
        """All of it."""
        return self.window.length_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Energy of one device over a window, and how it was found: a counter, or power added up."""

    device: str
    window: Window
    energy_j: float | None
    method: Literal["counter", "integral", "none"]
    low_j: float | None = None  # 90 % interval
    high_j: float | None = None
    estimated: bool = False  # by a model of the device and not by a sensor: no part of any total
    doubt: str = ""  # why it may be wrong: "counter and power disagree by 40 %"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waste:
    """What was paid for and not used: in device-hours, energy and, where a price is known, money."""

    kind: Literal["idle", "stalled"]
    device_s: float
    energy_j: float | None
    cost_usd: float | None
    formula: str  # in words and numbers, so that it can be checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that went wrong, when, how surely, and what it cost."""

    kind: str  # thermal throttle | power throttle | drift | leak | fragmentation | dead sensor | straggler | error | …
    of: str  # the device, rank or metric it happened to; empty: the run
    window: Window  # from its first sign to its end, or to the end of the run
    text: str  # one sentence with the numbers that show it
    lost_s: float | None = None  # time it cost, where that can be said
    metrics: tuple[str, ...] = ()  # the series that show it


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """All that was made of one run's series, and one sentence that says it."""

    verdict: str
    usage: tuple[Usage, ...] = ()
    split: Split | None = None
    energy: tuple[Energy, ...] = ()
    waste: tuple[Waste, ...] = ()
    troubles: tuple[Trouble, ...] = ()  # the most costly first
    notes: tuple[str, ...] = ()  # what could not be said, and why
    figures: Mapping[str, float] = field(default_factory=dict)
