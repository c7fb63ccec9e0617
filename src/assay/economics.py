"""What running machines costs besides their price: every number once, with its range and its source."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from assay.assumption import Assumption


@dataclass(frozen=True, slots=True, kw_only=True)
class Economics:
    """The numbers that a decision needs and that no datasheet holds; None is what this table does not say.

    Shares are of the price of what they are shares of; rates are per year where the name says so, since interest,
    growth and decay are quoted so.
    """

    # how long things last, what they bring at the end, what money costs
    server_life_s: Assumption | None = None
    network_life_s: Assumption | None = None
    storage_life_s: Assumption | None = None
    plant_life_s: Assumption | None = None  # building, power and cooling plant, racks
    resale: Assumption | None = None  # of servers at the end of their life, as a share of their price
    network_resale: Assumption | None = None
    cost_of_capital: Assumption | None = None  # a year

    # what comes with servers
    network_share: Assumption | None = None  # of the whole cluster's price
    storage_share: Assumption | None = None  # of the whole cluster's price
    install_share: Assumption | None = None  # optics, cables, installation: of the servers' price
    rack_usd: Assumption | None = None  # one rack with its PDUs
    spares_share: Assumption | None = None  # of the servers' price
    plant_usd_per_w: Assumption | None = None  # an own building with its power and cooling, per critical IT watt

    # what running them costs
    electricity_usd_per_j: Assumption | None = None
    demand_charge_usd_per_w_per_s: Assumption | None = None  # of the highest draw
    colo_usd_per_w_per_s: Assumption | None = None  # of contracted IT power
    power_load: Assumption | None = None  # mean draw over rated draw while work runs
    idle_load: Assumption | None = None  # the same while nothing runs
    network_power_share: Assumption | None = None  # power of network, storage and management, of the servers' power
    maintenance_share: Assumption | None = None  # of the hardware's price, a year
    insurance_share: Assumption | None = None  # of the hardware's price, a year
    staff_usd_per_s: Assumption | None = None  # per server
    administrator_usd_per_s: Assumption | None = None  # base pay
    engineer_usd_per_s: Assumption | None = None  # base pay of one who ports and tunes
    pay_overhead: Assumption | None = None  # whole cost over base pay

    # how much of them is used
    availability: Assumption | None = None  # share of time that a machine can work
    utilization: Assumption | None = None  # share of available time that it does paid work, at most
    ramp_s: Assumption | None = None  # from delivery to full use
    failure_hz: Assumption | None = None  # unplanned stops per accelerator
    save_s: Assumption | None = None  # a checkpoint, as long as training waits for it
    recovery_s: Assumption | None = None  # from a stop to training again
    incident_usd: Assumption | None = None  # people's work on one unplanned stop

    # renting
    rent_decay: Assumption | None = None  # how much asked rents fall, a year
    egress_usd_per_byte: Assumption | None = None
    spot_interruption_hz: Assumption | None = None  # per spot machine

    # carbon
    server_embodied_kg: Assumption | None = None  # making one server of eight accelerators

    def over(self, other: Economics) -> Economics:
        """These numbers, and the other's where these say nothing."""
        given = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}
        return replace(other, **given)
