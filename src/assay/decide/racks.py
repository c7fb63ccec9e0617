"""How machines fill racks: by height, by power, by heat, by weight, whichever is full first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from assay.climate import Plants
from assay.decide.machinery import Machinery
from assay.pilot import Site

_WHOLE_RACK = 36  # units: what is this tall comes as a rack of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """Machines a rack, and how many each limit would allow."""

    nodes_per_rack: int
    racks: int
    allowed: Mapping[str, int]  # "space" -> 5

    @property
    def by(self) -> str:
        """What fills the rack first."""
        return min(self.allowed, key=lambda name: self.allowed[name], default="")


def usable_units(site: Site) -> int:
    """Height of a rack that machines may take."""
    return max(0, site.rack_units - site.network_units)


def whole_rack(machinery: Machinery, site: Site) -> bool:
    """Whether it comes as a rack of its own: as tall as one, and taller than what the site's racks leave."""
    units = machinery.rack_units
    return units is not None and units >= _WHOLE_RACK and units > usable_units(site)


def by_space(machinery: Machinery, site: Site) -> int | None:
    """Machines that stand in one rack; None where nobody says how tall they are."""
    if not machinery.rack_units:
        return None
    return 1 if whole_rack(machinery, site) else math.floor(usable_units(site) / machinery.rack_units + 1e-9)


def pack(nodes: int, allowed: Mapping[str, int | None], least: int = 0) -> Packing:
    """So many machines in racks, as many in each as every limit that is known allows, one at least; `least` racks.

    >>> pack(10, {"space": 5, "power": 3, "floor": None}).racks
    4
    """
    known = {name: count for name, count in allowed.items() if count is not None}
    per_rack = max(1, min([nodes, *known.values()]))
    return Packing(nodes_per_rack=per_rack, racks=max(least, math.ceil(nodes / per_rack)), allowed=known)


def floor_kg_per_m2(nodes: int, weight_kg: float, plants: Plants) -> float:
    """What a rack weighs on the floor under it, aisles not counted: (n m + m_rack) / A."""
    return (nodes * weight_kg + plants.rack_kg.value) / plants.rack_m2.value


def by_floor(machinery: Machinery, site: Site, plants: Plants) -> int | None:
    """Machines whose weight the floor carries; None where weight or floor is unknown."""
    if not machinery.weight_kg or site.floor_kg_per_m2 is None:
        return None
    left = site.floor_kg_per_m2 * plants.rack_m2.value - plants.rack_kg.value
    return max(0, math.floor(left / machinery.weight_kg + 1e-9))
