"""Whether machines fit a site, which limit binds first, and what a year there takes: energy, water, carbon."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from assay.assumption import Assumption, exactly
from assay.climate import Climate, CoolingSpec, Grid, Plants, Region
from assay.decide import carbon, cooling, power, racks, rollout
from assay.decide.air import air_m3_per_s, cfm
from assay.decide.climate import free_hours
from assay.decide.limits import Wanted, limits, packed
from assay.decide.liquid import l_per_min, liquid_m3_per_s
from assay.decide.machinery import Machinery, drawn_w
from assay.decide.money import YEAR_S
from assay.decide.racks import Packing
from assay.decide.ranges import product, spread, stated
from assay.economics import Economics
from assay.errors import InputError
from assay.pilot import Site
from assay.result import Value
from assay.siting import Fit
from assay.units import show


def fit(
    machinery: Machinery, nodes: int, site: Site, *, plants: Plants, economics: Economics, region: Region | None = None,
    climate: Climate | None = None, grid: Grid | None = None, load: Sequence[float] = (), years: float = 3.0,
    start: str = "",
) -> Fit:  # fmt: skip
    """Whether so many machines fit a site, which limit binds first, and what they take there in a year.

    A site in a cloud is its provider's: nothing is checked, but energy and carbon are reckoned. `load` is how the draw
    varies over 24 hours of a day (UTC) or 288 of a year; empty: not at all.
    """
    _check(machinery, nodes, site)
    share = economics.network_power_share or exactly(0.0)
    wanted = Wanted(machinery=machinery, nodes=nodes, node_w=drawn_w(machinery, site.power_cap),
                  network_share=share.value, spec=cooling.reached(machinery, site, plants))  # fmt: skip
    spec = wanted.spec or plants.coolings[site.cooling]
    it_w = _mean_w(machinery, nodes, economics, share)
    ratio = cooling.site_pue(spec, site, plants, climate)
    energy_j = product(it_w, ratio, exactly(YEAR_S))
    anywhere = Fit(
        site=site.name, nodes=nodes, racks=0, nodes_per_rack=0, power_w=wanted.all_w, limits=(), pue=ratio,
        energy_j=energy_j,
        carbon_kg=carbon.operation_kg(energy_j, grid, None if region is None else region.carbon_kg_per_j, load),
        embodied_kg=carbon.embodied_kg(nodes * machinery.accelerators, economics.server_embodied_kg),
        facts=(("PUE", _pue_words(ratio, spec, site, climate)), ("carbon of power", _carbon_words(grid, region))),
        notes=(*machinery.notes, "a cloud: racks, power and cooling are its provider's"),
    )  # fmt: skip
    if site.kind == "cloud":
        return anywhere
    heat = cooling.Heat(
        machinery=machinery, node_w=wanted.node_w, it_w=it_w, design_w=wanted.all_w, years=years,
        tariff_usd_per_j=tariff(site, region, economics), interest=economics.cost_of_capital,
        plant_life=_years(economics.plant_life_s),
    )  # fmt: skip
    housed = _housed(anywhere, wanted, heat, site, plants=plants, climate=climate, start=start)
    return replace(housed, notes=tuple(_notes(wanted, site, economics, start)))


def _housed(
    anywhere: Fit, wanted: Wanted, heat: cooling.Heat, site: Site, *, plants: Plants, climate: Climate | None,
    start: str,
) -> Fit:  # fmt: skip
    """The same with racks, feeds and cooling looked at."""
    packing, nodes = packed(wanted, site, plants), wanted.nodes
    facts = (*_facts(wanted, packing, site), *_cooling_facts(wanted, packing, site, plants, climate))
    return replace(
        anywhere, racks=packing.racks, nodes_per_rack=packing.nodes_per_rack,
        limits=limits(wanted, packing, site, plants, start),
        states=power.states(packing.nodes_per_rack, wanted.node_w, site),
        phases=rollout.phases(nodes, wanted.all_w / nodes, site.power, start),
        cooling=cooling.options(heat, site, plants, climate),
        water_m3=cooling.water_m3(
            heat.it_w.value * YEAR_S, wanted.spec or plants.coolings[site.cooling], site, plants
        ),
        facts=(*facts, *anywhere.facts),
    )  # fmt: skip


def _check(machinery: Machinery, nodes: int, site: Site) -> None:
    """Refuse what no formula here has an answer for."""
    if nodes < 1 or machinery.power_w <= 0:
        what = f"{nodes} machines of {show(machinery.power_w, 'w')} are nothing to find room for"
        raise InputError(what, where=machinery.name, hint="write 1 machine or more, and what one draws")
    if min(site.rise_kelvin, site.water_rise_kelvin) <= 0:
        what = "air and water carry heat off only where they warm"
        raise InputError(what, where=site.name, hint='write rise = "12 K" and water_rise = "10 K", or leave them out')


def tariff(site: Site, region: Region | None, economics: Economics) -> Assumption | None:
    """What power costs at a site: as stated, else as in its region, else as usual."""
    there = None if region is None else region.electricity_usd_per_j
    return site.electricity_usd_per_j or there or economics.electricity_usd_per_j


def _years(stated: Assumption | None) -> Assumption | None:
    if stated is None:
        return None
    return Assumption(value=stated.value / YEAR_S, low=stated.low / YEAR_S, high=stated.high / YEAR_S)


def _mean_w(machinery: Machinery, nodes: int, economics: Economics, share: Assumption) -> Assumption:
    """Mean draw of all IT: as its maker says for work, else a share of its highest."""
    typical = machinery.typical_power_w
    node = exactly(machinery.power_w) if typical is None else exactly(typical)
    busy = exactly(1.0) if typical is not None else economics.power_load or exactly(1.0)
    told = {"node": node, "busy": busy, "network": share}
    return stated(spread(lambda x: nodes * x["node"] * x["busy"] * (1 + x["network"]), told))


def _pue_words(ratio: Value, spec: CoolingSpec, site: Site, climate: Climate | None) -> str:
    if site.pue is not None:
        return f"{ratio.mean:.2f}, as stated of the site"
    if site.kind == "cloud":
        return f"{ratio.mean:.2f}, as large clouds report"
    said = f"published of {spec.name} cooling: {spec.pue.low:g} to {spec.pue.high:g}"
    if climate is None:
        return f"{ratio.mean:.2f}, as {said}; no weather is known"
    apart = ratio.low > spec.pue.high or ratio.high < spec.pue.low
    return f"{ratio.mean:.2f} by the weather of {climate.place}; {said}" + (": they do not overlap" if apart else "")


def _carbon_words(grid: Grid | None, region: Region | None) -> str:
    if grid is not None:
        return f"by the hours of {grid.name}, {grid.date}"
    if region is None or region.carbon_kg_per_j is None:
        return "unknown: no region that is known is stated"
    mean = region.carbon_kg_per_j
    return f"{mean.value * 3.6e9:.0f} g/kWh, mean of {region.name}, {mean.date}" + (f" ({mean.note})" * bool(mean.note))


def _facts(wanted: Wanted, packing: Packing, site: Site) -> Iterator[tuple[str, str]]:
    feed = power.feed_w(site)
    yield "a feed", f"{site.feed_v:g} V, {site.feed_a:g} A, {site.phases}-phase, × {site.derating:g}: {show(feed, 'w')}"
    yield "a rack may draw", f"{show(power.usable_w(site), 'w')} with {site.redundancy}"
    allowed = ", ".join(f"{name} {count}" for name, count in packing.allowed.items())
    yield "machines in a rack", f"{packing.nodes_per_rack}; by {allowed}"
    p999 = wanted.machinery.p999_power_w
    told = f"{show(wanted.machinery.power_w, 'w')} at most"
    yield "a machine draws", told + (f", {show(p999, 'w')} measured at P99.9" if p999 is not None else "")
    if site.phases == 3 and not wanted.machinery.supplies and packing.nodes_per_rack > 1:
        worst = max(power.phase_loads_w(packing.nodes_per_rack, wanted.node_w, 1))
        even = packing.nodes_per_rack * wanted.node_w / 3
        yield (
            "phases",
            f"even where each machine draws on all three; the fullest {worst / even - 1:+.0%} if on one only",
        )


def _cooling_facts(
    wanted: Wanted, packing: Packing, site: Site, plants: Plants, climate: Climate | None
) -> Iterator[tuple[str, str]]:
    if wanted.spec is None:
        return
    rack_w = packing.nodes_per_rack * wanted.node_w
    if wanted.air_share:
        flow = air_m3_per_s(wanted.air_share * rack_w, site.rise_kelvin, site.altitude_m)
        yield "air per rack", f"{flow:.2f} m³/s ({cfm(flow):,.0f} CFM), {wanted.air_share:.0%} of the heat"
    if wanted.air_share < 1:
        heat_w, rise = (1 - wanted.air_share) * rack_w, site.water_rise_kelvin
        water, glycol = (l_per_min(liquid_m3_per_s(heat_w, rise, fluid)) for fluid in ("water", "PG25"))
        yield "liquid per rack", f"{water:,.0f} L/min of water, {glycol:,.0f} of PG25, warming by {rise:g} K"
    run = cooling.plant(wanted.spec, site, plants)
    yield "supplied at", f"{run.supply_celsius.value:g} °C"
    if climate is not None:
        yield "hours without a chiller", f"{free_hours(run, climate):.1%} of a year"


def _notes(wanted: Wanted, site: Site, economics: Economics, start: str) -> Iterator[str]:
    machinery = wanted.machinery
    yield from machinery.notes
    if not machinery.rack_units:
        yield f"the height of {machinery.name} is unknown: racks are counted by power and heat, and may be more"
    if racks.whole_rack(machinery, site):
        yield f"{machinery.name} is a rack of its own, {machinery.rack_units:g} units tall: check doors and ceiling"
    if not machinery.weight_kg:
        yield f"the weight of {machinery.name} is unknown: the floor is not checked"
    if not machinery.cooling:
        yield f"what {machinery.name} is cooled by is unknown: it is taken to be made for {site.cooling}"
    if machinery.cooling == "air" and site.cooling == "immersion":
        yield f"{machinery.name} is made for air: its maker must allow immersion"
    if economics.network_power_share is None:
        yield "power of network, storage and management is not stated: none is reckoned with"
    if site.redundancy == "N":
        yield "N: what hangs on a feed goes dark with it"
    if site.power_cap and machinery.p999_power_w is None:
        yield "a rack's draw can be capped, but no P99.9 is measured: the nameplate is provided for"
    if wanted.spec is not None and wanted.air_share < 1 and not site.cdu_w:
        yield "coolant distribution units are not stated: they are not checked"
    yield from _delay(wanted, site, start)


def _delay(wanted: Wanted, site: Site, start: str) -> Iterator[str]:
    """What of the machines must wait for power."""
    found = rollout.phases(wanted.nodes, wanted.all_w / wanted.nodes, site.power, start)
    whole = rollout.complete(found, wanted.nodes)
    if whole is None:
        yield f"there is never power for more than {max(phase.nodes for phase in found)} of {wanted.nodes} machines"
    elif start and whole > start:
        live = found[0].nodes if found[0].date <= start else 0
        yield f"power for {live} of {wanted.nodes} machines at the start, for all of them from {whole}"
