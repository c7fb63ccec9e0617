"""What a job costs: rented by the hour, or as its share of a purchase. An unknown price stays unknown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assay.hardware import Offer, System

_YEAR_S = 365.25 * 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What running owned machines costs beside their price. Every default has a source; give your own where it matters.

    Electricity: industrial price in Virginia 2023, EIA Electric Power Annual. PUE: air-cooled colocation (1.3 to 1.6,
    Uptime Institute 2024). Life: operators depreciate over 5 to 6 years. Utilization: clusters are busy 60 to 90 %.
    """

    electricity_usd_per_j: float = 0.0892 / 3.6e6
    pue: float = 1.4
    life_s: float = 5 * _YEAR_S
    utilization: float = 0.7  # share of its life the machine does paid work


DEFAULT_TARIFF = Tariff()


def rent_offer(system: System) -> Offer | None:
    """The middle one of the on-demand prices asked for this accelerator (of two, the lower).

    The lowest is often one small provider's single machines, the highest a list price that few pay. Spot and reserved
    terms do not compare.
    """
    asked = [o for o in system.offers if o.kind == "rent" and o.price_usd_per_s and o.term == "on-demand"]
    return _middle(asked, lambda o: o.price_usd_per_s or 0.0)


def purchase_offer(system: System) -> Offer | None:
    """The middle one of the prices asked for one node of this system (of two, the lower)."""
    return _middle([o for o in system.offers if o.kind == "buy" and o.price_usd], lambda o: o.price_usd or 0.0)


def _middle(offers: Sequence[Offer], price: Callable[[Offer], float]) -> Offer | None:
    ranked = sorted(offers, key=price)
    return ranked[(len(ranked) - 1) // 2] if ranked else None


def rent_usd(system: System, duration_s: float) -> float | None:
    """Accelerator-hours × the asked price; None when nobody names one."""
    offer = rent_offer(system)
    return None if offer is None or offer.price_usd_per_s is None else offer.price_usd_per_s * system.paid * duration_s


def capex_usd(system: System) -> float | None:
    """Price of all nodes; network between them, racks and installation are not in it."""
    offer = purchase_offer(system)
    return None if offer is None or offer.price_usd is None else offer.price_usd * system.nodes


def purchase_usd(
    system: System, duration_s: float, energy_j: float | None, tariff: Tariff = DEFAULT_TARIFF
) -> float | None:
    """This job's share of an owned machine: straight-line price over its busy life, and its energy with cooling."""
    price = capex_usd(system)
    if price is None or energy_j is None:
        return None
    share = duration_s / (tariff.life_s * tariff.utilization)
    return price * share + energy_j * tariff.pue * tariff.electricity_usd_per_j


def offers_used(system: System) -> Sequence[str]:
    """Where the prices of an answer come from, in words."""
    found = {"rent": rent_offer(system), "purchase": purchase_offer(system)}
    return [f"{what}: {o.provider} {o.term}, {o.date}" for what, o in found.items() if o]
