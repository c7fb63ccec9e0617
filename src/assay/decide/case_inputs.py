"""What was stated, put where the formulas look for it: the case of each candidate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.decide.case import Case, Load
from assay.decide.hosting import hosting
from assay.decide.inputs import Standing, Table, from_economics, given, hosted, node_power_w, of_value, wanted_of
from assay.economics import Economics
from assay.pilot import Demand, Work
from assay.units import suffix

# Name in the formulas -> what it is called on the screen; a name of the table of economics, the same for everybody.
SHARED: Mapping[str, str] = {
    "server_life_s": "life of servers", "network_life_s": "life of network", "storage_life_s": "life of storage",
    "plant_life_s": "life of plant", "resale": "resale of servers", "network_resale": "resale of network",
    "network_share": "network share", "storage_share": "storage share",
    "install_share": "installation share", "rack_usd": "price of a rack", "spares_share": "spares share",
    "maintenance_share": "maintenance a year", "insurance_share": "insurance a year",
    "staff_usd_per_s": "staff per server", "administrator_usd_per_s": "pay of an administrator",
    "pay_overhead": "pay overhead", "availability": "availability", "ramp_s": "ramp to full use",
    "incident_usd": "work on one stop",
}  # fmt: skip
OF_ALL: Mapping[str, str] = {
    "failure_hz": "stops per accelerator", "save_s": "time of a checkpoint", "recovery_s": "recovery from a stop",
    "engineer_usd_per_s": "pay of an engineer", "pay_overhead": "pay overhead", "power_load": "draw at work over rated",
    "idle_load": "idle draw over rated", "network_power_share": "power of the network",
    "cost_of_capital": "cost of capital",
}  # fmt: skip
OF_RENT: Mapping[str, str] = {"rent_decay": "fall of rents", "egress_usd_per_byte": "egress"}
# What a candidate says of itself.
_OWN: Mapping[str, str] = {
    "porting_s": "porting", "training_s": "training", "people": "people", "licence_usd_per_s": "licence",
}  # fmt: skip
# What nobody can find out today.
FUTURE = frozenset({OF_RENT["rent_decay"], *(SHARED[name] for name in (
    "server_life_s", "network_life_s", "storage_life_s", "plant_life_s", "resale", "network_resale",
))})  # fmt: skip


def missing(standing: Standing, works: Sequence[Work]) -> tuple[str, ...]:
    """What must be known before this candidate can be priced, in words."""
    c, told = standing.candidate, []
    if standing.price is None and c.via != "own":
        told.append("the price of a node" if c.via == "buy" else "the rent of an accelerator")
    rated = {rate.workload for rate in standing.rates}
    told += [f"how fast it does {work.name}" for work in works if work.name not in rated]
    if hosted(standing) and node_power_w(standing) is None:
        told.append("the power of a node")
    return tuple(told)


def case_of(
    standing: Standing, works: Sequence[Work], demand: Demand, economics: Economics, table: Table
) -> Case:  # fmt: skip
    """The case of a candidate, its numbers put into the table; ask `missing` first."""
    c = standing.candidate
    rented = c.via == "rent"
    elastic = rented and c.term in ("on-demand", "spot")
    keys = _common(standing, demand, economics, table)
    if rented:
        keys |= _rent(standing, economics, table)
    else:
        keys |= _owned(standing, economics, table)
    if hosted(standing):
        keys |= hosting(standing, economics, table)
    elif standing.pue is not None:
        keys["whole_pue"] = table.put("PUE of clouds", "", standing.pue, c.name, "catalog")
    per_node = _per_node(standing)
    power = node_power_w(standing)
    fit, clusters = standing.fit, standing.clusters or c.clusters or 1
    return Case(
        name=c.name, nodes=c.nodes, per_node=per_node, clusters=clusters, sized=c.clusters is None,
        horizon_s=demand.horizon_s, elastic=elastic,
        commitment_s=0.0 if elastic or not rented else c.commitment_s or demand.horizon_s,
        power_w=(power or 0.0) if hosted(standing) else 0.0, draw_w=power, covers=frozenset(c.covers),
        racks_per_node=fit.racks / fit.nodes if fit is not None and fit.nodes else _racks(standing),
        building=standing.site is not None and standing.site.to_build, keys=keys,
        loads=tuple(_loads(standing, works, table)),
    )  # fmt: skip


def _per_node(standing: Standing) -> int:
    system = standing.system
    if system is None:
        return standing.candidate.accelerators or 1
    return system.count_per_node + system.spare_per_node


def _racks(standing: Standing) -> float:
    """Racks of a node by its height alone, where no site was looked at."""
    system = standing.system
    if system is None or not system.rack_units:
        return 0.0
    return system.rack_units / 40


def _common(standing: Standing, demand: Demand, economics: Economics, table: Table) -> dict[str, str]:
    c = standing.candidate
    keys = from_economics(OF_ALL, economics, table, c.name)
    use = demand.utilization or given(economics.utilization)
    keys["utilization"] = table.put("utilization", "", use, c.name, "" if demand.utilization else "utilization")
    if demand.growth is not None:
        keys["growth"] = table.put("growth of the work", "", demand.growth, c.name)
    for name, label in _OWN.items():
        stated = getattr(c, name)
        if stated is not None:
            unit = "person" if name == "people" else suffix(name)
            keys[name] = table.put(f"{label} of {c.name}", unit, stated, c.name)
    if "people" in keys:
        keys |= from_economics({"administrator_usd_per_s": "pay of an administrator"}, economics, table, c.name)
    return keys


def _owned(standing: Standing, economics: Economics, table: Table) -> dict[str, str]:
    c = standing.candidate
    keys = from_economics(SHARED, economics, table, c.name)
    if standing.price is not None:
        keys["price_usd"] = table.put(
            f"price of {c.system}", "usd", standing.price, c.name, "" if c.price_usd is not None else "catalog"
        )  # fmt: skip
    return keys


def _rent(standing: Standing, economics: Economics, table: Table) -> dict[str, str]:
    c = standing.candidate
    keys = from_economics(
        OF_RENT if c.egress_bytes_per_s else {"rent_decay": "fall of rents"}, economics, table, c.name
    )
    if c.term not in ("on-demand", "spot"):
        keys |= from_economics({"availability": "availability"}, economics, table, c.name)
    if standing.price is not None:
        key, origin = f"{c.term} rent of {c.system}", "" if c.rent_usd_per_s is not None else "catalog"
        keys["rent_usd_per_s"] = table.put(key, "usd_per_s", standing.price, c.name, origin)
    if c.egress_bytes_per_s is not None:
        keys["egress_bytes_per_s"] = table.put(f"egress of {c.name}", "bytes_per_s", c.egress_bytes_per_s, c.name)
    if c.term == "spot":
        stops = c.interruption_hz or given(economics.spot_interruption_hz)
        origin = "" if c.interruption_hz else "spot_interruption_hz"
        keys["interruption_hz"] = table.put("spot interruptions", "hz", stops, c.name, origin)
    return keys


def _loads(standing: Standing, works: Sequence[Work], table: Table) -> list[Load]:
    c, rates = standing.candidate, {rate.workload: rate for rate in standing.rates}
    loads = []
    for work in works:
        wanted = wanted_of(work)
        if work.name not in rates or wanted is None:
            continue
        rate = rates[work.name]
        stated = of_value(rate.value, f"{rate.origin}: {rate.source}")
        origin = {"predicted": "prediction", "measured": "run"}.get(rate.origin, "")
        unit = suffix(rate.metric)
        many = f"{c.nodes} × " if c.nodes > 1 else ""
        job = work.samples or work.tokens
        loads.append(
            Load(
                workload=work.name,
                rate=table.put(f"speed of {many}{c.system} at {work.name}", unit, stated, c.name, origin),
                wanted=table.put(f"demand for {work.name}", unit, wanted, c.name), unit=unit,
                trains=work.task != "serve",
                peak=work.peak_to_mean.value if work.peak_to_mean else 1.0,
                per_job=job.value if job is not None and work.task != "serve" else None,
            )
        )  # fmt: skip
    return loads
