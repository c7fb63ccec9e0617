"""A candidate as a case: which of the stated numbers go where in its bill, and how much of the work it carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from assay.decide.cost import Bill, year_usd
from assay.decide.money import YEAR_S, mean_falling
from assay.decide.reliability import goodput

if TYPE_CHECKING:
    from assay.decide.money import Amount

BEYOND = 1e-9  # of a share: what is no more than this is nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One kind of work on one candidate: the keys of its rate on one cluster and of how much of it is wanted."""

    workload: str
    rate: str  # key: units of work per second of one cluster
    wanted: str  # key: units of work per second, mean of the first year
    unit: str = "tokens_per_s"  # of both
    trains: bool = True  # one job on all of a cluster: a stop stops all of it
    peak: float = 1.0  # highest demand over mean: what must be provisioned for
    per_job: float | None = None  # units of work of one job


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One candidate: its size, which is fixed, and the keys of everything else, which may be a range."""

    name: str
    nodes: int  # of one cluster
    per_node: int  # accelerators that are paid for
    clusters: int
    horizon_s: float
    elastic: bool = False  # paid for only while it works: on demand, spot
    commitment_s: float = 0.0  # how long a rent holds
    power_w: float = 0.0  # highest draw of one node; 0: not ours to pay
    draw_w: float | None = None  # the same, whoever pays it; None: nobody says
    racks: float = 0.0
    covers: frozenset[str] = frozenset()  # what the price holds besides the servers
    building: bool = False  # whether power and cooling plant are still to be built
    keys: Mapping[str, str] = field(default_factory=dict)  # name in the formulas -> key of the stated number
    loads: tuple[Load, ...] = ()

    @property
    def machines(self) -> int:
        """Nodes of all clusters."""
        return self.nodes * self.clusters

    @property
    def accelerators(self) -> int:
        """Accelerators of all clusters."""
        return self.machines * self.per_node


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a case comes to, for numbers or for draws."""

    bill: Bill
    year_usd: Amount  # all that is paid, a mean year
    work_usd: Amount  # the same for all of the work that is wanted: what is not carried costs as much as what is
    used: Amount  # share of available time
    carried: Amount  # share of the wanted work
    rates: Mapping[str, Amount]  # of one cluster, stops taken off
    energy_j: Amount | None  # a year, with cooling, whoever pays it
    duration_s: Amount | None  # of the longest job; None: nothing here has an end


def outcome(case: Case, x: Mapping[str, Amount]) -> Outcome:
    """The bill of a case and how much of the work it carries, from stated numbers or draws of them."""
    rates = {load.workload: x[load.rate] * _goodput(case, x, load) for load in case.loads}
    used, carried = _used(case, x, rates)
    bill = _bill(case, x, used)
    year = year_usd(bill)
    return Outcome(
        bill=bill, year_usd=year, work_usd=year / carried, used=used, carried=carried, rates=rates,
        energy_j=_energy(case, x, used), duration_s=_duration(case, rates),
    )  # fmt: skip


def _energy(case: Case, x: Mapping[str, Amount], used: Amount) -> Amount | None:
    if case.draw_w is None:
        return None
    share = _get(case, x, "power_load", 1.0) * (used if case.elastic else 1.0)
    it_w = case.draw_w * case.machines * (1 + _get(case, x, "network_power_share"))
    return it_w * share * _get(case, x, "whole_pue", 1.0) * YEAR_S


def _duration(case: Case, rates: Mapping[str, Amount]) -> Amount | None:
    import numpy as np

    jobs = [load.per_job / rates[load.workload] for load in case.loads if load.per_job is not None]
    return np.max(np.broadcast_arrays(*jobs), axis=0) if jobs else None


def clusters_needed(case: Case, x: Mapping[str, Amount]) -> int:
    """How many clusters carry the work in its busiest year."""
    from math import ceil

    rates = {load.workload: x[load.rate] * _goodput(case, x, load) for load in case.loads}
    years = case.horizon_s / YEAR_S
    busiest = max(_wanted(case, x, rates, t) for t in (0.5, max(0.5, years - 0.5)))
    room = 1.0 if case.elastic else _get(case, x, "availability", 1.0) * _most(case, x)
    return max(1, ceil(float(busiest / room) * (1 - BEYOND)))


def _get(case: Case, x: Mapping[str, Amount], name: str, absent: float = 0.0) -> Amount:
    return x[case.keys[name]] if name in case.keys else absent


def _goodput(case: Case, x: Mapping[str, Amount], load: Load) -> Amount:
    """Share of a training cluster's time that is progress: saves, stops and restarts taken off."""
    accelerators = case.nodes * case.per_node
    stops_hz = _get(case, x, "failure_hz") * accelerators + _get(case, x, "interruption_hz") * case.nodes
    if not load.trains or "save_s" not in case.keys or "recovery_s" not in case.keys:
        return 1.0
    return goodput(stops_hz, x[case.keys["save_s"]], x[case.keys["recovery_s"]])


def _wanted(case: Case, x: Mapping[str, Amount], rates: Mapping[str, Amount], years: Amount) -> Amount:
    """Clusters that are kept busy so many years on."""
    grown = (1 + _get(case, x, "growth")) ** years
    return sum((x[load.wanted] / rates[load.workload] * load.peak for load in case.loads), start=0.0) * grown


def _mean_over_peak(case: Case, x: Mapping[str, Amount], rates: Mapping[str, Amount]) -> Amount:
    """Share of the provisioned work that is there in the mean."""
    peak = sum((x[load.wanted] / rates[load.workload] * load.peak for load in case.loads), start=0.0)
    mean = sum((x[load.wanted] / rates[load.workload] for load in case.loads), start=0.0)
    return mean / peak


def _most(case: Case, x: Mapping[str, Amount]) -> Amount:
    return _get(case, x, "utilization", 1.0)


def use_at(case: Case, x: Mapping[str, Amount], years: Amount) -> Amount:
    """Share of available time that is used so many years on, before any ramp."""
    rates = {load.workload: x[load.rate] * _goodput(case, x, load) for load in case.loads}
    if not case.loads:
        return _most(case, x)
    return _served(case, x, rates, years)[0] * _mean_over_peak(case, x, rates) / _room(case, x)


def _room(case: Case, x: Mapping[str, Amount]) -> Amount:
    """Clusters that can work, in the mean."""
    return case.clusters * (1.0 if case.elastic else _get(case, x, "availability", 1.0))


def _served(
    case: Case, x: Mapping[str, Amount], rates: Mapping[str, Amount], years: Amount
) -> tuple[Amount, Amount]:  # fmt: skip
    """Clusters kept busy at peak so many years on: as many as there are, and as many as are wanted."""
    import numpy as np

    wanted = _wanted(case, x, rates, years)
    return np.minimum(wanted, _room(case, x) * (1.0 if case.elastic else _most(case, x))), wanted


def _used(case: Case, x: Mapping[str, Amount], rates: Mapping[str, Amount]) -> tuple[Amount, Amount]:
    """Share of available time that is used, and share of the wanted work that is carried: means over the horizon.

    A machine that is bought is not full on its first day: its use rises in a straight line over `ramp_s`.
    """
    import numpy as np

    ramp = 1.0 if case.elastic else 1 - np.minimum(_get(case, x, "ramp_s") / (2 * case.horizon_s), 0.9)
    if not case.loads:
        return _most(case, x) * ramp, 1.0
    years = case.horizon_s / YEAR_S
    steps = np.arange(0.5, years, 1.0) if years > 1 else np.array([years / 2])
    served, wanted = (sum(column) for column in zip(*(_served(case, x, rates, float(t)) for t in steps), strict=True))
    used = served / len(steps) * _mean_over_peak(case, x, rates) / _room(case, x)
    return np.clip(used * ramp, 1e-6, 1.0), np.clip(served / wanted * ramp, 1e-6, 1.0)


def _bill(case: Case, x: Mapping[str, Amount], used: Amount) -> Bill:
    def of(name: str, absent: float = 0.0) -> Amount:
        return _get(case, x, name, absent)

    def extra(name: str, share: str) -> Amount:
        return 0.0 if name in case.covers else of(share)

    power_w = case.power_w * case.machines * (1 + of("network_power_share"))
    servers = of("price_usd") * case.machines
    network, storage = extra("network", "network_share"), extra("storage", "storage_share")
    cluster = servers / (1 - network - storage)
    pay = of("pay_overhead", 1.0)
    people = of("people") * of("administrator_usd_per_s") * pay if "people" in case.keys else 0.0
    staff = people if "people" in case.keys else of("staff_usd_per_s") * case.machines
    racks = 0.0 if "racks" in case.covers else of("rack_usd") * case.racks
    plant = of("plant_usd_per_w") * power_w if case.building else 0.0
    falling = mean_falling(of("rent_decay"), case.horizon_s / YEAR_S, case.commitment_s / YEAR_S)
    return Bill(
        accelerators=case.accelerators, availability=1.0 if case.elastic else of("availability", 1.0), used=used,
        servers_usd=servers, server_life_s=of("server_life_s", 5 * YEAR_S), resale=of("resale"),
        network_usd=cluster * network, network_life_s=of("network_life_s", 6 * YEAR_S),
        network_resale=of("network_resale"), storage_usd=cluster * storage,
        storage_life_s=of("storage_life_s", 5 * YEAR_S), plant_usd=racks + plant,
        plant_life_s=of("plant_life_s", 15 * YEAR_S), spares_usd=servers * extra("spares", "spares_share"),
        install_usd=servers * extra("install", "install_share"),
        once_usd=of("porting_s") * of("engineer_usd_per_s") * pay, once_life_s=case.horizon_s,
        cost_of_capital=of("cost_of_capital"), power_w=power_w, power_load=of("power_load", 1.0), pue=of("pue", 1.0),
        electricity_usd_per_j=of("electricity_usd_per_j"),
        demand_charge_usd_per_w_per_s=of("demand_charge_usd_per_w_per_s"),
        colo_usd_per_w_per_s=of("colo_usd_per_w_per_s"), maintenance_share=extra("maintenance", "maintenance_share"),
        insurance_share=of("insurance_share"), staff_usd_per_s=0.0 if "staff" in case.covers else staff,
        licences_usd_per_s=of("licence_usd_per_s") * case.accelerators,
        incidents_usd_per_s=of("incident_usd") * of("failure_hz") * case.accelerators,
        rent_usd_per_s=of("rent_usd_per_s") * case.accelerators * falling, paid=used if case.elastic else 1.0,
        egress_usd_per_s=of("egress_bytes_per_s") * of("egress_usd_per_byte"),
    )  # fmt: skip
