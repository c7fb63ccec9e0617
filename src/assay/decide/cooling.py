"""Ways to cool the same racks at a site, side by side: whether each can, and what it costs over the years."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assay.assumption import Assumption, exactly
from assay.climate import Climate, CoolingSpec, Plants
from assay.decide.climate import Plant, evaporating_share, pue
from assay.decide.machinery import Machinery
from assay.decide.money import YEAR_S, capital_recovery
from assay.decide.ranges import Numbers, spread, stated
from assay.decide.water import evaporated_m3
from assay.pilot import Cooling, Site
from assay.result import Value
from assay.siting import CoolingOption
from assay.units import show

AIR: Cooling = "air"
_LIQUID_ONLY = ("direct-liquid",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """What is to be cooled, and for what money."""

    machinery: Machinery
    node_w: float  # highest draw that is provided for
    it_w: Assumption  # mean draw of all IT
    design_w: float  # highest draw of all IT
    years: float
    tariff_usd_per_j: Assumption | None
    interest: Assumption | None  # a year
    plant_life: Assumption | None = None  # in years


def plant(spec: CoolingSpec, site: Site, plants: Plants) -> Plant:
    """A way to cool as this site runs it: at the site's own supply where it is its own way, else as usual."""
    own = site.supply_celsius if spec.name == site.cooling else None
    return Plant(
        spec=spec,
        room=plants.coolings[AIR],
        plants=plants,
        supply_celsius=spec.supply_celsius if own is None else exactly(own),
        rise_kelvin=site.rise_kelvin if spec.name == AIR else site.water_rise_kelvin,
        room_rise_kelvin=site.rise_kelvin,
    )


def reached(machinery: Machinery, site: Site, plants: Plants) -> CoolingSpec | None:
    """What really takes the heat of these machines at this site; None where nothing there can.

    Water that ends at cold plates does not reach a machine without them: it is then cooled by the room's air.
    """
    if machinery.cooling == "liquid" and site.cooling not in _LIQUID_ONLY:
        return None
    if machinery.cooling == "air" and site.cooling in _LIQUID_ONLY:
        return plants.coolings[AIR]
    return plants.coolings[site.cooling]


def site_pue(spec: CoolingSpec, site: Site, plants: Plants, climate: Climate | None) -> Value:
    """What is stated of the site; else by its weather; else as published of such cooling, or of large clouds."""
    if site.pue is not None:
        return _value(site.pue)
    if site.kind == "cloud":
        return _value(plants.cloud_pue)
    return way_pue(spec, site, plants, climate)


def way_pue(spec: CoolingSpec, site: Site, plants: Plants, climate: Climate | None) -> Value:
    """Of one way to cool: by the weather, or as published where none is known."""
    return _value(spec.pue) if climate is None else pue(plant(spec, site, plants), climate)


def water_m3(heat_j: float, spec: CoolingSpec, site: Site, plants: Plants) -> float:
    """Water that evaporates and is let off for so much heat of IT."""
    return evaporated_m3(heat_j * evaporating_share(plant(spec, site, plants)), plants.cycles.value)


def options(heat: Heat, site: Site, plants: Plants, climate: Climate | None) -> tuple[CoolingOption, ...]:
    """Every way to cool, those that can first, the cheapest first; unknown money comes last."""
    found = [_option(heat, spec, site, plants, climate) for spec in plants.coolings.values()]
    return tuple(sorted(found, key=lambda o: (not o.feasible, o.total_usd is None, o.total_usd and o.total_usd.mean)))


def _option(heat: Heat, spec: CoolingSpec, site: Site, plants: Plants, climate: Climate | None) -> CoolingOption:
    feasible, why = _can(heat, spec)
    it_w = _it_w(heat, spec)
    own = spec.name == site.cooling
    ratio = site_pue(spec, site, plants, climate) if own else way_pue(spec, site, plants, climate)
    stands = own and not site.to_build  # … or it is in the colocation's price
    plant_usd = _value(exactly(0.0)) if stands else _over_years(heat, spec)
    energy = _energy_usd(heat, it_w, ratio)
    return CoolingOption(
        cooling=spec.name,
        feasible=feasible,
        why=why,
        pue=ratio,
        water_m3=water_m3(it_w.value * YEAR_S, spec, site, plants),
        plant_usd=plant_usd,
        energy_usd=energy,
        total_usd=None if energy is None else _sum(plant_usd, energy),
    )


def _over_years(heat: Heat, spec: CoolingSpec) -> Value:
    """What a plant costs in so many of its years: as much each year as pays it off over its life, discounted."""
    r, life = heat.interest or exactly(0.0), heat.plant_life or exactly(15.0)
    named = {"usd": spec.capex_usd_per_w, "r": r, "life": life}

    def formula(x: Numbers) -> float:
        yearly = heat.design_w * x["usd"] * float(capital_recovery(x["r"], x["life"]))
        return yearly / float(capital_recovery(x["r"], heat.years))

    return spread(formula, named)


def _can(heat: Heat, spec: CoolingSpec) -> tuple[bool, str]:
    """Whether it takes the heat of one machine in a rack, and whether the machine is made for it."""
    name, most = heat.machinery.name, spec.rack_w
    ends = f"{show(most.low, 'w')} to {show(most.high, 'w')}"
    if heat.node_w > most.high:
        return False, f"one {name} gives off {show(heat.node_w, 'w')}; it takes {ends} a rack"
    if heat.machinery.cooling == "liquid" and spec.name not in _LIQUID_ONLY:
        return False, f"{name} is made for cold plates"
    if heat.machinery.cooling == "air" and spec.name in _LIQUID_ONLY:
        return False, f"{name} is made for air: a variant with cold plates would be needed"
    if heat.machinery.cooling == "air" and spec.it_saving_share.value and spec.name != AIR:
        return False, f"{name} is made for air: ask its maker whether it may be immersed"
    if heat.node_w > most.value:
        return True, f"at its edge: one {name} gives off {show(heat.node_w, 'w')}, it takes {ends} a rack"
    return True, f"takes {ends} a rack"


def _it_w(heat: Heat, spec: CoolingSpec) -> Assumption:
    """Mean draw of IT; an air-cooled machine in liquid no longer turns its fans."""
    if heat.machinery.cooling != AIR:
        return heat.it_w
    return stated(spread(lambda x: x["it"] * (1 - x["saved"]), {"it": heat.it_w, "saved": spec.it_saving_share}))


def _energy_usd(heat: Heat, it_w: Assumption, ratio: Value) -> Value | None:
    """Power of IT and cooling over the years at today's tariff, discounted: P · PUE · p · (1 - (1+r)⁻ⁿ) / r."""
    if heat.tariff_usd_per_j is None:
        return None
    told: Mapping[str, Assumption] = {
        "it": it_w,
        "pue": stated(ratio),
        "tariff": heat.tariff_usd_per_j,
        "interest": heat.interest or exactly(0.0),
    }
    return spread(lambda x: x["it"] * x["pue"] * x["tariff"] * YEAR_S * _years(x, heat.years), told)


def _years(x: Numbers, years: float) -> float:
    """Present value of a dollar a year, paid at each year's middle."""
    r = x["interest"]
    return years if r < 1e-9 else (1 - (1 + r) ** -years) / r * (1 + r) ** 0.5


def _sum(a: Value, b: Value) -> Value:
    return spread(lambda x: x["a"] + x["b"], {"a": stated(a), "b": stated(b)})


def _value(one: Assumption) -> Value:
    return Value(mean=one.value, low=one.low, high=one.high, evidence="D")
