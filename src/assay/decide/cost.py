"""What machines cost: every line of the bill, levelised over available and over used accelerator-hours.

`lines` is one pure function over numbers or arrays. A tornado is this function at the ends of one input, a Monte-Carlo
this function over draws, a break-even curve this function over a range.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from assay.decide.money import YEAR_S, annual_capital

if TYPE_CHECKING:
    from assay.decide.money import Amount

CAPITAL = ("servers", "network", "storage", "racks and plant", "spares", "installation", "porting and training")
RUNNING = ("energy", "demand charge", "colocation", "maintenance", "insurance", "staff", "licences", "incidents")
RENT = ("rent", "egress")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Everything that the cost of one candidate depends on; each a number, or an array of draws.

    Prices are of all machines together. What does not apply is 0: that is a statement, and made where it is known.
    """

    accelerators: Amount  # that are paid for
    availability: Amount  # share of time they can work
    used: Amount  # share of that time they do work

    # capital
    servers_usd: Amount = 0.0
    server_life_s: Amount = 5 * YEAR_S
    resale: Amount = 0.0
    network_usd: Amount = 0.0
    network_life_s: Amount = 6 * YEAR_S
    network_resale: Amount = 0.0
    storage_usd: Amount = 0.0
    storage_life_s: Amount = 5 * YEAR_S
    plant_usd: Amount = 0.0  # racks, PDUs, and the building where it is to be built
    plant_life_s: Amount = 15 * YEAR_S
    spares_usd: Amount = 0.0
    install_usd: Amount = 0.0
    once_usd: Amount = 0.0  # porting, training
    once_life_s: Amount = 3 * YEAR_S  # over which it is paid: the horizon
    cost_of_capital: Amount = 0.0  # a year

    # running
    power_w: Amount = 0.0  # highest draw of all IT
    power_load: Amount = 1.0  # mean over highest
    pue: Amount = 1.0
    electricity_usd_per_j: Amount = 0.0
    demand_charge_usd_per_w_per_s: Amount = 0.0
    colo_usd_per_w_per_s: Amount = 0.0
    maintenance_share: Amount = 0.0  # of the hardware, a year
    insurance_share: Amount = 0.0
    staff_usd_per_s: Amount = 0.0
    licences_usd_per_s: Amount = 0.0
    incidents_usd_per_s: Amount = 0.0

    # rent
    rent_usd_per_s: Amount = 0.0  # of all accelerators, while they are paid for
    paid: Amount = 1.0  # share of time they are paid for
    egress_usd_per_s: Amount = 0.0

    @property
    def hardware_usd(self) -> Amount:
        """What is maintained and insured."""
        return self.servers_usd + self.network_usd + self.storage_usd

    @property
    def capex_usd(self) -> Amount:
        """What is paid before anything runs."""
        return self.hardware_usd + self.plant_usd + self.spares_usd + self.install_usd + self.once_usd


def lines(bill: Bill) -> dict[str, Amount]:
    """Every line of the bill in USD a year; lines that do not apply are 0.

    Energy is draw × load × PUE × tariff, all hours (Barroso, Hölzle, Ranganathan 2018, chapter 6).
    """
    b, r = bill, bill.cost_of_capital
    server_years = b.server_life_s / YEAR_S
    mean_w = b.power_w * b.power_load * b.pue
    return {
        "servers": annual_capital(b.servers_usd, server_years, r, b.resale),
        "network": annual_capital(b.network_usd, b.network_life_s / YEAR_S, r, b.network_resale),
        "storage": annual_capital(b.storage_usd, b.storage_life_s / YEAR_S, r),
        "racks and plant": annual_capital(b.plant_usd, b.plant_life_s / YEAR_S, r),
        "spares": annual_capital(b.spares_usd, server_years, r, b.resale),
        "installation": annual_capital(b.install_usd, server_years, r),
        "porting and training": annual_capital(b.once_usd, b.once_life_s / YEAR_S, r),
        "energy": mean_w * b.electricity_usd_per_j * YEAR_S,
        "demand charge": b.power_w * b.pue * b.demand_charge_usd_per_w_per_s * YEAR_S,
        "colocation": b.power_w * b.colo_usd_per_w_per_s * YEAR_S,
        "maintenance": b.hardware_usd * b.maintenance_share,
        "insurance": b.hardware_usd * b.insurance_share,
        "staff": b.staff_usd_per_s * YEAR_S,
        "licences": b.licences_usd_per_s * YEAR_S,
        "incidents": b.incidents_usd_per_s * YEAR_S,
        "rent": b.rent_usd_per_s * b.paid * YEAR_S,
        "egress": b.egress_usd_per_s * YEAR_S,
    }


def year_usd(bill: Bill) -> Amount:
    """All lines together, USD a year."""
    return sum(lines(bill).values())


def available_usd_per_s(bill: Bill) -> Amount:
    """Cost of a second in which one accelerator could work."""
    return year_usd(bill) / (YEAR_S * bill.accelerators * bill.availability)


def used_usd_per_s(bill: Bill) -> Amount:
    """Cost of a second in which one accelerator does work: what idle time costs is in it."""
    return available_usd_per_s(bill) / bill.used


def kind_of(line: str) -> str:
    """Whether a line is capital, running cost or rent."""
    return "capital" if line in CAPITAL else "rent" if line in RENT else "running"


FIELDS = tuple(f.name for f in fields(Bill))
