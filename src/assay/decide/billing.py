"""A case's bill: the stated numbers of one candidate put into the formula that costs all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from assay.decide.case import Case
from assay.decide.cost import Bill
from assay.decide.money import YEAR_S, mean_falling

if TYPE_CHECKING:
    from assay.decide.money import Amount


def bill_of(case: Case, x: Mapping[str, Amount], used: Amount, machines: Amount) -> Bill:
    """The bill of so many machines that are used so much of their time."""
    elastic, accelerators = case.elastic, machines * case.per_node
    return Bill(
        accelerators=accelerators, availability=1.0 if elastic else case.of(x, "availability", 1.0), used=used,
        **_capital(case, x, machines), **_running(case, x, used, machines),
        rent_usd_per_s=case.of(x, "rent_usd_per_s") * accelerators * _falling(case, x), paid=used if elastic else 1.0,
        egress_usd_per_s=case.of(x, "egress_bytes_per_s") * case.of(x, "egress_usd_per_byte"),
    )  # fmt: skip


def _extra(case: Case, x: Mapping[str, Amount], name: str, share: str) -> Amount:
    """A share that comes on top of the servers, unless their price holds it already."""
    return 0.0 if name in case.covers else case.of(x, share)


def _capital(case: Case, x: Mapping[str, Amount], machines: Amount) -> dict[str, Amount]:
    servers = case.of(x, "price_usd") * machines
    network, storage = _extra(case, x, "network", "network_share"), _extra(case, x, "storage", "storage_share")
    cluster = servers / (1 - network - storage)  # the shares are of the whole
    racks = 0.0 if "racks" in case.covers else case.of(x, "rack_usd") * case.racks_per_node * machines
    plant = case.of(x, "plant_usd_per_w") * _power_w(case, x, machines) if case.building else 0.0
    return {
        "servers_usd": servers, "server_life_s": case.of(x, "server_life_s", 5 * YEAR_S),
        "resale": case.of(x, "resale"),
        "network_usd": cluster * network, "network_life_s": case.of(x, "network_life_s", 6 * YEAR_S),
        "network_resale": case.of(x, "network_resale"), "storage_usd": cluster * storage,
        "storage_life_s": case.of(x, "storage_life_s", 5 * YEAR_S), "plant_usd": racks + plant,
        "plant_life_s": case.of(x, "plant_life_s", 15 * YEAR_S),
        "spares_usd": servers * _extra(case, x, "spares", "spares_share"),
        "install_usd": servers * _extra(case, x, "install", "install_share"),
        "once_usd": _people_s(case, x) * case.of(x, "engineer_usd_per_s") * case.of(x, "pay_overhead", 1.0),
        "once_life_s": case.horizon_s, "cost_of_capital": case.of(x, "cost_of_capital"),
    }  # fmt: skip


def _people_s(case: Case, x: Mapping[str, Amount]) -> Amount:
    """Time that is paid once: porting and learning."""
    return case.of(x, "porting_s") + case.of(x, "training_s")


def _running(case: Case, x: Mapping[str, Amount], used: Amount, machines: Amount) -> dict[str, Amount]:
    names = ("electricity_usd_per_j", "demand_charge_usd_per_w_per_s", "colo_usd_per_w_per_s", "insurance_share")
    accelerators = machines * case.per_node
    return {
        "power_w": _power_w(case, x, machines), "power_load": mean_load(case, x, used),
        "pue": case.of(x, "pue", 1.0), **{name: case.of(x, name) for name in names},
        "maintenance_share": _extra(case, x, "maintenance", "maintenance_share"),
        "staff_usd_per_s": _staff(case, x, machines),
        "licences_usd_per_s": case.of(x, "licence_usd_per_s") * accelerators,
        "incidents_usd_per_s": case.of(x, "incident_usd") * case.of(x, "failure_hz") * accelerators,
    }  # fmt: skip


def mean_load(case: Case, x: Mapping[str, Amount], used: Amount) -> Amount:
    """Mean draw over rated draw: at work while it works, else idle; what is rented by the hour is then another's."""
    work = case.of(x, "power_load", 1.0)
    if case.elastic:
        return work * used
    busy = used * case.of(x, "availability", 1.0)
    return busy * work + (1 - busy) * case.of(x, "idle_load", work)


def _power_w(case: Case, x: Mapping[str, Amount], machines: Amount) -> Amount:
    return case.power_w * machines * (1 + case.of(x, "network_power_share"))


def _staff(case: Case, x: Mapping[str, Amount], machines: Amount) -> Amount:
    """People where they are stated, else so much a server."""
    if "staff" in case.covers:
        return 0.0
    if "people" in case.keys:
        return case.of(x, "people") * case.of(x, "administrator_usd_per_s") * case.of(x, "pay_overhead", 1.0)
    return case.of(x, "staff_usd_per_s") * machines


def _falling(case: Case, x: Mapping[str, Amount]) -> Amount:
    """Mean rent over the horizon, as a share of today's."""
    years = case.horizon_s / YEAR_S
    return mean_falling(case.of(x, "rent_decay"), years, min(case.commitment_s / YEAR_S, years))
