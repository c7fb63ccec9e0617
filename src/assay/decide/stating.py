"""What was stated, put where the formulas look for it: one table of numbers for all candidates, and a case for each.

The same number has one key for all who depend on it, so that it is drawn once: two candidates on one site pay one
tariff, two ways to pay for one system rest on one rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assay.assumption import Assumption, exactly
from assay.decide.case import Case, Load
from assay.decide.money import YEAR_S
from assay.decision import Rate
from assay.economics import Economics
from assay.errors import InputError
from assay.hardware import Offer, System
from assay.pilot import Candidate, Demand, Site, Work
from assay.result import Value
from assay.siting import Fit
from assay.units import suffix

# Name in the formulas -> what it is called on the screen; a name of the table of economics, the same for everybody.
SHARED: Mapping[str, str] = {
    "server_life_s": "life of servers", "network_life_s": "life of network", "storage_life_s": "life of storage",
    "plant_life_s": "life of plant", "resale": "resale of servers", "network_resale": "resale of network",
    "cost_of_capital": "cost of capital", "network_share": "network share", "storage_share": "storage share",
    "install_share": "installation share", "rack_usd": "price of a rack", "spares_share": "spares share",
    "power_load": "mean draw over rated", "network_power_share": "power of the network",
    "maintenance_share": "maintenance a year", "insurance_share": "insurance a year",
    "staff_usd_per_s": "staff per server", "administrator_usd_per_s": "pay of an administrator",
    "pay_overhead": "pay overhead", "availability": "availability", "ramp_s": "ramp to full use",
    "incident_usd": "work on one stop",
}  # fmt: skip
OF_ALL: Mapping[str, str] = {
    "failure_hz": "stops per accelerator", "save_s": "time of a checkpoint", "recovery_s": "recovery from a stop",
    "engineer_usd_per_s": "pay of an engineer", "pay_overhead": "pay overhead", "power_load": "mean draw over rated",
    "network_power_share": "power of the network",
}  # fmt: skip
OF_RENT: Mapping[str, str] = {"rent_decay": "fall of rents", "egress_usd_per_byte": "egress"}


@dataclass(slots=True)
class Table:
    """The stated numbers by key; a key that another number has already gets its candidate's name."""

    stated: dict[str, Assumption] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    origin: dict[str, str] = field(
        default_factory=dict
    )  # key -> name in the table of economics, where it is from there

    def put(self, key: str, unit: str, stated: Assumption, of: str = "", origin: str = "") -> str:
        """Keep a number; the key it is found by."""
        if self.stated.get(key, stated) != stated:
            key = f"{key} ({of})"
        self.stated[key], self.units[key] = stated, unit
        if origin:
            self.origin[key] = origin
        return key


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A candidate with everything its cost depends on looked up; None is what nobody knows."""

    candidate: Candidate
    system: System | None
    site: Site | None
    price: Assumption | None  # of a node, or the rent of an accelerator
    electricity: Assumption | None = None
    pue: Assumption | None = None
    fit: Fit | None = None
    rates: Sequence[Rate] = ()


def missing(standing: Standing, works: Sequence[Work]) -> tuple[str, ...]:
    """What must be known before this candidate can be priced, in words."""
    c, told = standing.candidate, []
    if standing.price is None and c.via != "own":
        told.append("the price of a node" if c.via == "buy" else "the rent of an accelerator")
    rated = {rate.workload for rate in standing.rates}
    told += [f"how fast it does {work.name}" for work in works if work.name not in rated]
    if _hosted(standing) and node_power_w(standing) is None:
        told.append("the power of a node")
    return tuple(told)


def node_power_w(standing: Standing) -> float | None:
    """Highest draw of one node: as stated, else as the catalog has it."""
    system = standing.system
    return standing.candidate.power_w or (system.power_w if system is not None else None)


def case_of(
    standing: Standing, works: Sequence[Work], demand: Demand, economics: Economics, table: Table
) -> Case:  # fmt: skip
    """The case of a candidate, its numbers put into the table; ask `missing` first."""
    c = standing.candidate
    rented, hosted = c.via == "rent", _hosted(standing)
    keys = _common(standing, demand, economics, table)
    if rented:
        keys |= _rent(standing, economics, table)
    else:
        keys |= _owned(standing, economics, table)
    if hosted:
        keys |= _hosting(standing, economics, table)
    elif standing.site is None or standing.site.kind == "cloud":
        keys["pue"] = table.put("PUE of clouds", "", _given(economics.cloud_pue), c.name, "cloud_pue")
    per_node = _per_node(standing)
    power = node_power_w(standing)
    fit = standing.fit
    return Case(
        name=c.name, nodes=c.nodes, per_node=per_node, clusters=c.clusters or 1, horizon_s=demand.horizon_s,
        elastic=rented and c.term in ("on-demand", "spot"), commitment_s=c.commitment_s or 0.0,
        power_w=(power or 0.0) if hosted else 0.0, draw_w=power, covers=frozenset(c.covers),
        racks=float(fit.racks) if fit is not None else _racks(standing),
        building=standing.site is not None and standing.site.plant_usd_per_w is not None, keys=keys,
        loads=tuple(_loads(standing, works, table)),
    )  # fmt: skip


def asked(offers: Sequence[Offer], via: str, term: str) -> tuple[Assumption | None, str]:
    """What is asked for a machine, of all dated offers of this kind: the middle one, from the lowest to the highest."""
    kind = "buy" if via == "buy" else "rent"
    wanted = "reserved" if term == "committed" else term
    found = [o for o in offers if o.kind == kind and (kind == "buy" or o.term.startswith(wanted))]
    prices = [(o.price_usd if kind == "buy" else o.price_usd_per_s, o) for o in found]
    priced = sorted(((p, o) for p, o in prices if p), key=lambda one: one[0])
    if not priced:
        return None, ""
    middle, offer = priced[(len(priced) - 1) // 2]
    newest = max(o.date for _, o in priced)
    said = f"{len(priced)} offer{'s' if len(priced) > 1 else ''} in the catalog; the middle one is {offer.provider}'s"
    stated = Assumption(value=middle, low=priced[0][0], high=priced[-1][0], source=said, date=offer.date,
                        confidence=offer.confidence)  # fmt: skip
    return stated, newest


def _hosted(standing: Standing) -> bool:
    """Whether its power and its place are ours to pay."""
    site = standing.site
    cloud = site is not None and site.kind == "cloud"
    return standing.candidate.via != "rent" and not cloud and standing.system is not None


def _per_node(standing: Standing) -> int:
    system = standing.system
    if system is None:
        return standing.candidate.accelerators or 1
    return system.count_per_node + system.spare_per_node


def _racks(standing: Standing) -> float:
    """Racks by height alone, where no site was looked at."""
    system, c = standing.system, standing.candidate
    if system is None or not system.rack_units:
        return 0.0
    return c.nodes * (c.clusters or 1) * system.rack_units / 40


def _common(standing: Standing, demand: Demand, economics: Economics, table: Table) -> dict[str, str]:
    c = standing.candidate
    keys = _table_of(OF_ALL, economics, table, c.name)
    use = demand.utilization or _given(economics.utilization)
    keys["utilization"] = table.put("utilization", "", use, c.name, "" if demand.utilization else "utilization")
    if demand.growth is not None:
        keys["growth"] = table.put("growth of the work", "", demand.growth, c.name)
    for name, label in (("porting_s", "porting"), ("people", "people"), ("licence_usd_per_s", "licence")):
        stated = getattr(c, name)
        if stated is not None:
            unit = "person" if name == "people" else suffix(name)
            keys[name] = table.put(f"{label} of {c.name}", unit, stated, c.name)
    if "people" in keys:
        keys |= _table_of({"administrator_usd_per_s": "pay of an administrator"}, economics, table, c.name)
    return keys


def _owned(standing: Standing, economics: Economics, table: Table) -> dict[str, str]:
    c = standing.candidate
    keys = _table_of(SHARED, economics, table, c.name)
    if standing.price is not None:
        keys["price_usd"] = table.put(f"price of {c.system}", "usd", standing.price, c.name)
    return keys


def _rent(standing: Standing, economics: Economics, table: Table) -> dict[str, str]:
    c = standing.candidate
    keys = _table_of(OF_RENT if c.egress_bytes_per_s else {"rent_decay": "fall of rents"}, economics, table, c.name)
    if standing.price is not None:
        key = f"{c.term} rent of {c.system}"
        keys["rent_usd_per_s"] = table.put(key, "usd_per_s", standing.price, c.name)
    if c.egress_bytes_per_s is not None:
        keys["egress_bytes_per_s"] = table.put(f"egress of {c.name}", "bytes_per_s", c.egress_bytes_per_s, c.name)
    if c.term == "spot":
        stops = c.interruption_hz or _given(economics.spot_interruption_hz)
        origin = "" if c.interruption_hz else "spot_interruption_hz"
        keys["interruption_hz"] = table.put("spot interruptions", "hz", stops, c.name, origin)
    return keys


def _hosting(standing: Standing, economics: Economics, table: Table) -> dict[str, str]:
    """Power and place: a colo price that holds power is not paid twice."""
    site, c = standing.site, standing.candidate
    name = site.name if site is not None else "no site named"
    held = set(site.colo_covers) if site is not None else set()
    if site is not None:
        _refuse_twice(site)
    keys: dict[str, str] = {}
    if site is not None and site.kind == "colo":
        stated = site.colo_usd_per_w_per_s or _given(economics.colo_usd_per_w_per_s)
        origin = "" if site.colo_usd_per_w_per_s else "colo_usd_per_w_per_s"
        keys["colo_usd_per_w_per_s"] = table.put(f"colocation at {name}", "usd_per_w_per_s", stated, c.name, origin)
    if "power" not in held:
        own = standing.electricity is None
        stated = standing.electricity or _given(economics.electricity_usd_per_j)
        keys["electricity_usd_per_j"] = table.put(
            f"electricity at {name}", "usd_per_j", stated, c.name, "electricity_usd_per_j" if own else ""
        )  # fmt: skip
        charge = site.demand_charge_usd_per_w_per_s if site is not None else None
        if charge is None and (site is None or site.kind == "own"):
            charge = _given(economics.demand_charge_usd_per_w_per_s)
        if charge is not None:
            keys["demand_charge_usd_per_w_per_s"] = table.put(
                f"demand charge at {name}", "usd_per_w_per_s", charge, c.name
            )  # fmt: skip
    if standing.pue is not None and "cooling" not in held:
        keys["pue"] = table.put(f"PUE at {name}", "", standing.pue, c.name)
    if site is not None and site.plant_usd_per_w is not None:
        keys["plant_usd_per_w"] = table.put(f"plant at {name}", "usd_per_w", site.plant_usd_per_w, c.name)
    return keys


def _refuse_twice(site: Site) -> None:
    """What a colo price holds already is not paid for again: the commonest error of such sums."""
    twice = {
        "power": site.electricity_usd_per_j or site.demand_charge_usd_per_w_per_s,
        "cooling": site.pue,
    }
    for held in site.colo_covers:
        if twice[held] is not None:
            what = f"its price holds {held}, and {'a PUE' if held == 'cooling' else 'a tariff'} is stated beside it"
            hint = f'leave one out: colo_covers = [… "{held}"], or the figure'
            raise InputError(f"{what}: that would be paid twice", where=f'site "{site.name}"', hint=hint)


def _loads(standing: Standing, works: Sequence[Work], table: Table) -> list[Load]:
    c, rates = standing.candidate, {rate.workload: rate for rate in standing.rates}
    loads = []
    for work in works:
        wanted = wanted_of(work)
        if work.name not in rates or wanted is None:
            continue
        rate = rates[work.name]
        stated = of_value(rate.value, f"{rate.origin}: {rate.source}")
        unit = suffix(rate.metric)
        many = f"{c.nodes} × " if c.nodes > 1 else ""
        job = work.samples or work.tokens
        loads.append(
            Load(
                workload=work.name, rate=table.put(f"speed of {many}{c.system} at {work.name}", unit, stated, c.name),
                wanted=table.put(f"demand for {work.name}", unit, wanted, c.name), unit=unit,
                trains=work.task != "serve",
                peak=work.peak_to_mean.value if work.peak_to_mean else 1.0,
                per_job=job.value if job is not None and work.task != "serve" else None,
            )
        )  # fmt: skip
    return loads


def of_value(value: Value, source: str = "") -> Assumption:
    """A figure with its interval, as a stated number."""
    low, high = min(value.low, value.mean), max(value.high, value.mean)
    return Assumption(value=value.mean, low=low, high=high, source=source)


def wanted_of(work: Work) -> Assumption | None:
    """How much of a kind of work is wanted, in units a second, mean over a year; None where nobody said."""
    if work.tokens_per_s is not None:
        return work.tokens_per_s
    job, often = work.samples or work.tokens, work.jobs_per_year
    if job is None or often is None:
        return None
    low, value, high = (getattr(job, end) * getattr(often, end) / YEAR_S for end in ("low", "value", "high"))
    return Assumption(value=value, low=low, high=high, source=often.source or job.source, date=often.date)


def _table_of(names: Mapping[str, str], economics: Economics, table: Table, of: str) -> dict[str, str]:
    found = {}
    for name, key in names.items():
        stated = getattr(economics, name)
        if stated is not None:
            found[name] = table.put(key, suffix(name), stated, of, name)
    return found


def _given(stated: Assumption | None) -> Assumption:
    """A number that the shipped table always has."""
    return stated if stated is not None else exactly(0.0)
