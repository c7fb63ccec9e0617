"""Money: the middle price stands for the market, what is idle is paid for, and no price means no cost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.hardware import Offer
from assay.predict.cost import Tariff, capex_usd, purchase_usd, rent_offer, rent_usd

from .conftest import cluster


def rent(per_hour: float, term: str = "on-demand") -> Offer:
    return Offer(kind="rent", provider=f"{per_hour}", date="2026", price_usd_per_s=per_hour / 3600, term=term)


def box(*offers: Offer, **changes: object):
    return cluster(offers=offers, **changes)


def test_one_odd_price_does_not_make_the_market():
    offer = rent_offer(box(rent(0.1), rent(2.0), rent(2.5), rent(12.0), rent(2.2)))
    assert offer is not None
    assert offer.provider == "2.2"


def test_spot_and_reserved_prices_do_not_stand_beside_on_demand():
    assert rent_offer(box(rent(0.5, "spot"), rent(0.7, "reserved"))) is None


def test_an_hour_on_eight_costs_eight_times_the_price():
    assert rent_usd(box(rent(2.0)), 3600) == pytest.approx(16.0)


def test_accelerators_that_stand_idle_are_paid_for():
    used = replace(box(rent(2.0)), count_per_node=6, spare_per_node=2)
    assert rent_usd(used, 3600) == pytest.approx(16.0)


def test_without_a_price_there_is_no_cost_rather_than_none_to_pay():
    assert rent_usd(box(), 3600) is None
    assert capex_usd(box()) is None
    assert purchase_usd(box(), 3600, 1e6) is None


def test_a_purchase_is_spread_over_its_busy_life_and_pays_its_cooled_energy():
    bought = box(Offer(kind="buy", provider="x", date="2026", price_usd=300_000.0))
    tariff = Tariff(electricity_usd_per_j=0.10 / 3.6e6, pue=1.5, life_s=1e8, utilization=0.5)
    # 300,000 $ × 3600 s / (1e8 s × 0.5) and 10 kWh × 1.5 × 0.10 $
    assert purchase_usd(bought, 3600, 3.6e7, tariff) == pytest.approx(21.6 + 1.5)


@given(st.floats(0.01, 100.0), st.floats(1.0, 1e7), st.floats(1.1, 10.0))
def test_doubling_every_price_doubles_the_cost(price, duration, factor):
    once, dearer = rent_usd(box(rent(price)), duration), rent_usd(box(rent(factor * price)), duration)
    assert once is not None
    assert dearer == pytest.approx(factor * once)
