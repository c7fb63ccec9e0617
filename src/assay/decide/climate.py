"""What cooling takes of a site's power, from its weather: when outside air is cool enough, and what chillers do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from assay.assumption import Assumption, exactly
from assay.climate import Climate, CoolingSpec, Plants
from assay.decide.power import chain
from assay.decide.ranges import Numbers, spread
from assay.result import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

_ZERO_CELSIUS_KELVIN = 273.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """A way to cool with the rest of its building, as one site runs it. `room` cools what liquid leaves in the air."""

    spec: CoolingSpec
    room: CoolingSpec
    plants: Plants
    supply_celsius: Assumption
    rise_kelvin: float  # of the air or the water that the racks warm
    room_rise_kelvin: float = 12.0


def free_share(outdoor_celsius: ArrayLike, supply: float, rise: float, approach: float) -> Array:
    """Share of the heat that outside air takes without a chiller: (T_s + ΔT - T_o - a) / ΔT, from none to all.

    Above the supply it still cools what comes back first:

    >>> [float(share) for share in free_share([20.0, 36.0, 60.0], supply=40.0, rise=12.0, approach=10.0)]
    [1.0, 0.5, 0.0]
    """
    import numpy as np

    reached = np.asarray(outdoor_celsius, dtype=np.float64) + approach
    return np.asarray(np.clip((supply + rise - reached) / rise, 0.0, 1.0))


def chiller_cop(outdoor_celsius: ArrayLike, evaporating: float, approach: float, carnot: float, most: float) -> Array:
    """Heat that a chiller moves with one unit of power: η T_e / (T_c - T_e), T_c = T_o + a, in kelvins; at most `most`.

    Water of 7 °C at 35 °C outside, as chillers are rated (ASHRAE 90.1 asks for 2.96 at least):

    >>> round(float(chiller_cop(35.0, 4.0, 12.0, 0.5, 12.0)), 1)
    3.2
    """
    import numpy as np

    lift = np.asarray(outdoor_celsius, dtype=np.float64) + approach - evaporating
    cop = carnot * (evaporating + _ZERO_CELSIUS_KELVIN) / np.maximum(lift, 1e-3)
    return np.asarray(np.minimum(cop, most))


def pue(plant: Plant, climate: Climate) -> Value:
    """All power of a site over that of its machines, a mean over a year of its weather.

    PUE = 1 + (1/(η_ups η_d) - 1 + house) + Σ_c s_c (fans + pumps + rejection + Σ_h w_h (1 - free) (1 + fans + pumps)
    / COP(T_h)), over the circuits c of the liquid and of what is left to the room's air.
    """
    return spread(lambda x: _pue(x, plant, climate), _stated(plant), "C")


def free_hours(plant: Plant, climate: Climate) -> float:
    """Share of a year in which the racks' own circuit needs no chiller at all."""
    spec = plant.spec
    outdoor = _outdoor(spec, climate)
    free = free_share(outdoor, plant.supply_celsius.value, plant.rise_kelvin, spec.approach_kelvin.value)
    whole = sum(hours for hours, share in zip(climate.hours, free, strict=True) if share >= 1.0)
    return whole / sum(climate.hours)


def evaporating_share(plant: Plant) -> float:
    """Share of the racks' heat that leaves by evaporating water."""
    own = _own_share(plant.spec, plant.spec.liquid_share.value)
    return own * (plant.spec.outdoor == "wet") + (1 - own) * (plant.room.outdoor == "wet")


def _pue(x: Numbers, plant: Plant, climate: Climate) -> float:
    electrical = 1 / chain(x["ups"], x["distribution"]) - 1 + x["house_share"]
    own = _own_share(plant.spec, x["liquid_share"])
    cooling = own * _circuit(x, "", plant.spec, plant.rise_kelvin, climate)
    if own < 1:
        cooling += (1 - own) * _circuit(x, "room ", plant.room, plant.room_rise_kelvin, climate)
    return 1 + electrical + cooling


def _circuit(x: Numbers, of: str, spec: CoolingSpec, rise: float, climate: Climate) -> float:
    """Power of one circuit for each unit of the racks' heat that it takes, a mean over the year."""
    import numpy as np

    outdoor = _outdoor(spec, climate)
    moving = x[f"{of}fan_share"] + x[f"{of}pump_share"]
    free = free_share(outdoor, x[f"{of}supply_celsius"], rise, x[f"{of}approach_kelvin"])
    evaporating = x[f"{of}supply_celsius"] - x[f"{of}evaporator_kelvin"]
    cop = chiller_cop(outdoor, evaporating, x["chiller_approach_kelvin"], x["chiller_carnot"], x["chiller_cop_most"])
    hours = np.asarray(climate.hours)
    chilled = float(np.sum(hours * (1 - free) * (1 + moving) / cop) / np.sum(hours))
    return moving + x[f"{of}rejection_share"] + chilled


def _outdoor(spec: CoolingSpec, climate: Climate) -> Array:
    import numpy as np

    return np.asarray(climate.wet_celsius if spec.outdoor == "wet" else climate.dry_celsius, dtype=np.float64)


def _own_share(spec: CoolingSpec, liquid_share: float) -> float:
    """Of the racks' heat what goes the way that the cooling is named after: all, where that way is the room's air."""
    return liquid_share if spec.liquid_share.value > 0 else 1.0


_OF_SPEC = ("approach_kelvin", "evaporator_kelvin", "fan_share", "pump_share", "rejection_share")
_OF_PLANTS = tuple(f.name for f in fields(Plants) if f.name.startswith(("ups", "distr", "house", "chiller")))


def _stated(plant: Plant) -> Mapping[str, Assumption]:
    """The numbers of a plant by name, the room's as "room …"; a site's own supply is what it is."""
    own = {name: getattr(plant.spec, name) for name in _OF_SPEC}
    room = {f"room {name}": getattr(plant.room, name) for name in _OF_SPEC}
    return {
        **{name: getattr(plant.plants, name) for name in _OF_PLANTS},
        **own,
        "liquid_share": plant.spec.liquid_share,
        "supply_celsius": plant.supply_celsius,
        **(room if _own_share(plant.spec, plant.spec.liquid_share.low) < 1 else {}),
        "room supply_celsius": exactly(plant.room.supply_celsius.value),
    }
