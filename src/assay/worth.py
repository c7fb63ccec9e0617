"""What a candidate costs and brings, as data: line items, unit costs with ranges, cash over time, what moves them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from assay.result import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the bill, as it comes to per year."""

    name: str  # servers, network, energy, …
    kind: Literal["capital", "running", "rent"]
    usd: float  # a year


@dataclass(frozen=True, slots=True, kw_only=True)
class Swing:
    """What one input does to a figure between the ends of its range, all others at their usual value."""

    name: str  # of the input, in words
    unit: str
    low: float  # the input's ends
    high: float
    at_low: float  # the figure there
    at_high: float

    @property
    def size(self) -> float:
        """How far the figure moves."""
        return abs(self.at_high - self.at_low)


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """Money that moves in one month; what is paid is positive."""

    month: int  # 0: before operation begins
    capital_usd: float
    running_usd: float
    rent_usd: float
    resale_usd: float  # what comes back

    @property
    def net_usd(self) -> float:
        """What is paid in all."""
        return self.capital_usd + self.running_usd + self.rent_usd - self.resale_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitCost:
    """What one unit of one kind of work costs."""

    workload: str
    unit: str  # "M tokens", "M samples", "trained model"
    usd: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """Something that better hardware brings, in money a year, with its range and the reckoning in words."""

    name: str
    usd: Value
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """A candidate beside another: what it saves, when it has paid for itself, how often it is the cheaper one."""

    other: str
    npv_usd: Value  # of this one instead of the other, over the horizon
    payback_months: int | None  # None: never within the horizon
    cheaper_share: float  # of the draws
    hourly: bool = False  # whether the other is paid for only while it works
    breakeven_utilization: float | None = None  # … from which this one is cheaper; None: at no use


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """All money of one candidate, for the whole of the work."""

    candidate: str
    accelerators: int
    year_usd: Value  # a mean year, all lines
    available_usd_per_s: Value  # per accelerator
    used_usd_per_s: Value  # per accelerator
    used_share: Value  # of available time
    carried_share: Value | None = None  # of the wanted work; what is not carried costs as much as what is
    lines: tuple[Line, ...]
    units: tuple[UnitCost, ...] = ()
    capex_usd: Value | None = None
    months: tuple[Month, ...] = ()
    tornado: tuple[Swing, ...] = ()  # of the figure that ranks, widest first
    moved: str = "per used accelerator-hour"  # what that figure is called …
    moved_unit: str = "usd_per_s"  # … and its unit
    moved_usual: float | None = None  # … and its value when nothing is moved
    importance: Mapping[str, float] = field(default_factory=dict)  # input -> rank correlation with the year's cost
    against: tuple[Against, ...] = ()
    gains: tuple[Gain, ...] = ()
    explained: str = ""  # the tornado in two sentences
    notes: tuple[str, ...] = ()
