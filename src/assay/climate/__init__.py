"""What a site's surroundings are like, as data: the air outside, the grid's carbon, a region's prices, ways to cool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from assay.assumption import Assumption

YEAR_HOURS = 8760.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Climate:
    """A year of outside air: for how many hours it is so warm, and how cold a wet surface would then be.

    Column i is the hours up to `dry_celsius[i]` and `wet_celsius[i]`: the upper edges of bins of 1 K, so that cooling
    is reckoned for air that is never cooler than it was.
    """

    place: str
    dry_celsius: tuple[float, ...]
    wet_celsius: tuple[float, ...]  # wet bulb
    hours: tuple[float, ...]  # 8,760 in all
    pressure: float = 1.0  # mean, as a share of that at sea level
    altitude_m: float = 0.0
    source: str = ""
    date: str = ""

    def __post_init__(self) -> None:
        if not len(self.dry_celsius) == len(self.wet_celsius) == len(self.hours) or not self.hours:
            raise ValueError("each bin of the weather has a dry bulb, a wet bulb and its hours")
        if min(self.hours) < 0 or sum(self.hours) <= 0:
            raise ValueError("hours of weather below 0 cannot be")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """How much carbon a kilowatt-hour of a grid carries, by month and by hour of the day (UTC)."""

    name: str
    carbon_kg_per_j: tuple[tuple[float, ...], ...]  # 12 months of 24 hours
    source: str = ""
    date: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if len(self.carbon_kg_per_j) != 12 or any(len(month) != 24 for month in self.carbon_kg_per_j):
            raise ValueError("a grid's profile has 12 months of 24 hours")


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """What power costs and weighs in a region; None is what no table says."""

    name: str
    industrial_usd_per_j: Assumption | None = None  # large consumers
    commercial_usd_per_j: Assumption | None = None
    carbon_kg_per_j: Assumption | None = None
    plant_usd_per_w: Assumption | None = None  # a data centre built there, per critical IT watt
    weather: str = ""  # of the weather files that ship
    grid: str = ""  # of the hourly profiles that ship

    @property
    def electricity_usd_per_j(self) -> Assumption | None:
        """What a data centre pays: as large industry, at most as commerce; either alone where only it is known."""
        large, small = self.industrial_usd_per_j, self.commercial_usd_per_j
        if large is None or small is None:
            return large or small
        return Assumption(
            value=large.value, low=min(large.low, small.low), high=max(large.high, small.high), source=large.source,
            date=large.date, confidence=large.confidence, note=large.note,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CoolingSpec:
    """One way to cool racks, with the plant that usually goes with it. Shares are of the heat it takes away."""

    name: str
    rack_w: Assumption  # most heat of one rack
    liquid_share: Assumption  # of a rack's heat that goes into liquid; the rest goes into the room's air
    supply_celsius: Assumption  # of the air or the water that the racks get
    outdoor: Literal["dry", "wet"]  # whether heat is given to the air by fins, or by evaporating water
    approach_kelvin: Assumption  # supply over outside air (its wet bulb, where water evaporates), without a chiller
    evaporator_kelvin: Assumption  # a chiller's refrigerant under that supply
    fan_share: Assumption  # in the room
    pump_share: Assumption
    rejection_share: Assumption  # fans outside
    pue: Assumption  # as published: where no weather is known, and as a check
    capex_usd_per_w: Assumption  # of the cooling plant
    it_saving_share: Assumption  # of an air-cooled machine's power, for the fans it no longer turns


@dataclass(frozen=True, slots=True, kw_only=True)
class Plants:
    """What data centres are made of, as far as a decision needs it: losses of power, chillers, ways to cool."""

    ups: Assumption  # efficiency
    distribution: Assumption  # efficiency, from the UPS to the racks
    house_share: Assumption  # lighting, offices, controls: of IT power
    chiller_carnot: Assumption  # a chiller's efficiency as a share of Carnot's
    chiller_approach_kelvin: Assumption  # refrigerant over outside air
    chiller_cop_most: Assumption
    cycles: Assumption  # of concentration, before an evaporative cooler's water is let off
    cloud_pue: Assumption  # of large clouds
    rack_kg: Assumption  # an empty rack
    rack_m2: Assumption  # of floor under it
    coolings: Mapping[str, CoolingSpec] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.cycles.low <= 1:
            raise ValueError("cycles: a cooling tower lets water off after more than 1")
        if min(self.ups.low, self.distribution.low) <= 0:
            raise ValueError("ups, distribution: an efficiency is above 0")
