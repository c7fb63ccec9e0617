"""Buying beside renting: the use at which one costs what the other does, and how much to reserve."""

from __future__ import annotations

from collections.abc import Sequence


def breakeven_utilization(available_usd_per_s: float, rent_usd_per_s: float) -> float | None:
    """Use above which owning costs less than renting by the hour: u* = cost per available hour / rent; None: at none.

    >>> round(breakeven_utilization(1.637, 2.29), 3), breakeven_utilization(2.5, 2.29)
    (0.715, None)
    """
    if rent_usd_per_s <= 0:
        return None
    share = available_usd_per_s / rent_usd_per_s
    return share if share <= 1 else None


def reserve_level(demand: Sequence[float], reserved: float, on_demand: float) -> float:
    """How much to reserve when the rest is rented by the hour: the level exceeded reserved/on-demand of the time.

    The newsvendor's answer: one more reserved unit pays as long as it is used at least that share of the hours.

    >>> reserve_level([10, 20, 30, 40, 50], reserved=1.2, on_demand=2.0)
    20.0
    """
    import numpy as np

    if not len(demand) or reserved >= on_demand:
        return 0.0
    return float(np.quantile(np.asarray(demand, dtype=float), 1 - reserved / on_demand, method="inverted_cdf"))
