"""Whether machines fit a site, as data: every limit with what is wanted and what there is, and which binds first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from assay.result import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One thing that a site has only so much of; both figures in the same unit."""

    name: str  # "rack power", "power from 2027-01", "air per rack"
    wanted: float
    available: float | None  # None: nobody said
    unit: str = ""  # as in units.SUFFIXES
    note: str = ""  # how it was reckoned: "2 nodes a rack, 2N: one feed carries all"

    @property
    def used(self) -> float | None:
        """Share of what there is; above 1 does not fit."""
        if self.available is None:
            return None
        return self.wanted / self.available if self.available else float("inf") if self.wanted else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureState:
    """What a rack's feeds carry when one part has failed."""

    failed: str  # "none", "feed A"
    load_w: Mapping[str, float]  # of each surviving feed
    limit_w: float  # of one feed

    @property
    def holds(self) -> bool:
        """Whether no feed carries more than it may."""
        return all(load <= self.limit_w * (1 + 1e-9) for load in self.load_w.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """What is live from a date on."""

    date: str
    nodes: int
    power_w: float
    available_w: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CoolingOption:
    """A way to cool these racks at this site over the years: what it costs, or why it cannot."""

    cooling: str
    feasible: bool
    why: str
    pue: Value
    water_m3: float | None  # a year
    plant_usd: Value | None
    energy_usd: Value | None  # over the years
    total_usd: Value | None  # both, discounted


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Whether so many nodes fit a site, and which limit binds first."""

    site: str
    nodes: int
    racks: int
    nodes_per_rack: int
    power_w: float  # highest draw of all IT
    limits: tuple[Limit, ...]
    states: tuple[FailureState, ...] = ()
    phases: tuple[Phase, ...] = ()
    cooling: tuple[CoolingOption, ...] = ()
    pue: Value | None = None
    energy_j: Value | None = None  # a year, facility
    water_m3: float | None = None  # a year
    carbon_kg: Value | None = None  # a year, operation
    embodied_kg: Value | None = None  # all of it, once
    facts: tuple[tuple[str, str], ...] = field(default=())  # "air per rack" -> "1,600 CFM"
    notes: tuple[str, ...] = ()

    @property
    def binding(self) -> Limit | None:
        """The limit that is used most; None where none is known."""
        known = [one for one in self.limits if one.used is not None]
        return max(known, key=lambda one: one.used or 0.0, default=None)

    @property
    def fits(self) -> bool | None:
        """True, False, or None where a limit is not known."""
        if any(one.used is not None and one.used > 1 + 1e-9 for one in self.limits):
            return False
        if any(not state.holds for state in self.states):
            return False
        return None if any(one.available is None for one in self.limits) else True
