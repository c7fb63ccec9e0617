"""What a site has only so much of, beside what so many machines want of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from assay.climate import CoolingSpec, Plants
from assay.decide import power, racks, rollout
from assay.decide.air import air_m3_per_s
from assay.decide.liquid import cdus_wanted, liquid_m3_per_s
from assay.decide.machinery import Machinery
from assay.decide.racks import Packing
from assay.pilot import Site
from assay.siting import Limit
from assay.units import show


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """So many nodes, with what is reckoned with for each: the one argument of all limits."""

    machinery: Machinery
    nodes: int
    node_w: float  # highest draw that is provided for
    network_share: float  # power of network, storage and management, of the nodes' power
    spec: CoolingSpec | None  # what takes the heat; None: nothing at the site does

    @property
    def all_w(self) -> float:
        """Highest draw of all IT."""
        return self.nodes * self.node_w * (1 + self.network_share)

    @property
    def air_share(self) -> float:
        """Share of a rack's heat that the room's air must take."""
        if self.spec is None:
            return 0.0
        return 1 - self.spec.liquid_share.value


def packed(load: Wanted, site: Site, plants: Plants) -> Packing:
    """Racks filled as far as every known limit allows; more where power for the network would not be left in them."""
    allowed = {
        "height": racks.by_space(load.machinery, site),
        "power": power.nodes_carried(load.node_w, site),
        "heat": None if load.spec is None else math.floor(load.spec.rack_w.value / load.node_w + 1e-9),
        "air": _by_air(load, site),
        "floor": racks.by_floor(load.machinery, site, plants),
        "phases": _by_phase(load, site),
    }
    rack_w = max(power.usable_w(site), load.node_w)
    return racks.pack(load.nodes, allowed, math.ceil(load.all_w / rack_w - 1e-9))


def limits(load: Wanted, packing: Packing, site: Site, plants: Plants, start: str) -> tuple[Limit, ...]:
    """Every limit that this site may set, known or not."""
    return (
        *_rack(load, packing, site, plants),
        _racks(packing, site),
        _site_power(load, site, start),
        *_cooling(load, packing, site),
    )


def _rack(load: Wanted, packing: Packing, site: Site, plants: Plants) -> Iterator[Limit]:
    per, machinery = packing.nodes_per_rack, load.machinery
    yield Limit(
        name="rack power", wanted=per * load.node_w, available=power.usable_w(site), unit="w",
        note=f"{per} a rack, {site.redundancy} of {show(power.feed_w(site), 'w')} feeds: in every state of one failure",
    )  # fmt: skip
    if machinery.rack_units and not racks.whole_rack(machinery, site):
        yield Limit(
            name="rack height", wanted=per * machinery.rack_units, available=float(racks.usable_units(site)),
            note=f"units; {site.network_units} of {site.rack_units} are for switches and cables",
        )  # fmt: skip
    if site.phases == 3 and machinery.supplies:
        worst = max(power.phase_loads_w(per, load.node_w, machinery.supplies))
        note = f"the fullest of three; {machinery.supplies} single-phase supplies a machine, dealt in turn"
        yield Limit(name="phase", wanted=worst, available=power.usable_w(site) / 3, unit="w", note=note)
    if machinery.weight_kg:
        wanted = racks.floor_kg_per_m2(per, machinery.weight_kg, plants)
        note = "under a rack, aisles not counted"
        yield Limit(name="floor load", wanted=wanted, available=site.floor_kg_per_m2, unit="kg_per_m2", note=note)


def _racks(packing: Packing, site: Site) -> Limit:
    available = None if site.racks is None else float(site.racks)
    note = f"{packing.nodes_per_rack} in each, limited by {packing.by}"
    return Limit(name="racks", wanted=float(packing.racks), available=available, note=note)


def _site_power(load: Wanted, site: Site, start: str) -> Limit:
    best = max(rollout.steps_from(site.power, start), key=lambda step: step.power_w, default=None)
    name = f"power on {best.date}" if best is not None and best.date else "site power"
    note = f"all IT; network, storage and management are {load.network_share:.0%} of the machines"
    return Limit(name=name, wanted=load.all_w, available=None if best is None else best.power_w, unit="w", note=note)


def _cooling(load: Wanted, packing: Packing, site: Site) -> Iterator[Limit]:
    rack_w = packing.nodes_per_rack * load.node_w
    if load.spec is None:
        what = f"{load.machinery.name} is made for cold plates; the site has {site.cooling} cooling"
        yield Limit(name="liquid cooling", wanted=load.nodes * load.node_w, available=0.0, unit="w", note=what)
        return
    most = load.spec.rack_w
    ends = f"{load.spec.name}: from {show(most.low, 'w')} to {show(most.high, 'w')}; {most.source}"
    yield Limit(name="heat per rack", wanted=rack_w, available=most.value, unit="w", note=ends)
    if load.air_share:
        flow = air_m3_per_s(load.air_share * rack_w, site.rise_kelvin, site.altitude_m)
        note = f"{load.air_share:.0%} of the heat, air warms by {site.rise_kelvin:g} K at {site.altitude_m:g} m"
        yield Limit(name="air per rack", wanted=flow, available=site.air_m3_per_s, unit="m3_per_s", note=note)
    if load.air_share < 1:
        yield from _liquid(load, site)


def _liquid(load: Wanted, site: Site) -> Iterator[Limit]:
    heat_w = load.nodes * load.node_w * (1 - load.air_share)
    flow = liquid_m3_per_s(heat_w, site.water_rise_kelvin)
    note = f"{1 - load.air_share:.0%} of the heat, water warms by {site.water_rise_kelvin:g} K"
    yield Limit(name="water", wanted=flow, available=site.water_m3_per_s, unit="m3_per_s", note=note)
    if site.cdu_w is None:
        yield Limit(name="coolant distribution units", wanted=1.0, available=None, note="nobody said what one takes")
    else:
        available = None if site.cdus is None else float(site.cdus)
        note = f"of {show(site.cdu_w, 'w')} each, one of them lost"
        yield Limit(
            name="coolant distribution units", wanted=float(cdus_wanted(heat_w, site.cdu_w)), available=available,
            note=note,
        )  # fmt: skip


def _by_air(load: Wanted, site: Site) -> int | None:
    if site.air_m3_per_s is None or not load.air_share:
        return None
    one = air_m3_per_s(load.air_share * load.node_w, site.rise_kelvin, site.altitude_m)
    return math.floor(site.air_m3_per_s / one + 1e-9)


def _by_phase(load: Wanted, site: Site) -> int | None:
    """Machines that a rack carries with no phase over its third; few supplies leave one fuller than the rest."""
    if site.phases != 3 or not load.machinery.supplies:
        return None
    third = power.usable_w(site) / 3 * (1 + 1e-9)
    fits = (
        n
        for n in range(power.nodes_carried(load.node_w, site), 0, -1)
        if max(power.phase_loads_w(n, load.node_w, load.machinery.supplies)) <= third
    )
    return next(fits, 0)
