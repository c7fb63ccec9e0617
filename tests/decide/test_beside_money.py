"""What stands beside the money: the columns of FOCUS, places for the work, offers of the catalog as ranges."""

from __future__ import annotations

from datetime import date

import pytest

import assay
from assay.decide.focus import COLUMNS, rows, total
from assay.decide.inputs import offered
from assay.decide.places import places
from assay.decide.roi import waiting_usd
from assay.hardware import Offer
from assay.pilot import Demand, Needs
from tests.api.pilots import BUY, CLOUD, COLO, pilot, rent

MADE = assay.decide(pilot(BUY, rent(3.0)), today="2026-11-27", n=5000)


def test_the_rows_of_focus_are_the_bill_of_a_month() -> None:
    found = list(rows(MADE, {"colo": "US-Virginia"}, {"buy": "buy", "rent": "on-demand"}))
    assert all(tuple(row) == COLUMNS for row in found)
    year = sum(one.worth.year_usd.mean for one in MADE.candidates if one.worth)
    assert total(found) == pytest.approx(year / 12, abs=0.01 * len(found))
    assert {row["BillingCurrency"] for row in found} == {"USD"}
    starts = {row["ResourceId"]: row["ChargePeriodStart"] for row in found}
    assert starts == {"buy": "2027-02-01T00:00:00Z", "rent": "2027-01-01T00:00:00Z"}  # ordered when the pilot ends
    rented = next(row for row in found if row["ChargeDescription"] == "rent")
    assert rented["PricingCategory"] == "Standard"
    assert rented["ConsumedUnit"] == "accelerator-hours"


def test_work_that_comes_and_goes_suits_a_cloud_and_law_comes_first() -> None:
    day, bursty = date(2026, 11, 27), Demand(predictability="bursty")
    found = places((COLO, CLOUD), Needs(jurisdictions=("EU",)), bursty, MADE.candidates, day)
    assert all(not one.allowed for one in found)
    assert all("law of US" in one.reasons[0] for one in found)
    free = places((COLO, CLOUD), Needs(), bursty, MADE.candidates, day)
    assert {one.site for one in free} == {"colo", "cloud"}
    assert any("only what is used is paid for" in reason for one in free for reason in one.reasons)


def offer(price: float, day: str, term: str = "on-demand", provider: str = "p") -> Offer:
    return Offer(kind="rent", provider=provider, date=day, price_usd_per_s=price / 3600, term=term)


def test_several_offers_are_a_range_around_the_middle_one() -> None:
    stated, newest = offered(
        [offer(2, "2025"), offer(9, "2026", provider="dear"), offer(3, "2026-05")], "rent", "on-demand"
    )
    assert stated is not None
    assert [3600 * v for v in (stated.low, stated.value, stated.high)] == pytest.approx([2, 3, 9])
    assert newest == "2026-05"
    assert "3 offers" in stated.source


def test_another_term_is_another_price() -> None:
    offers = [offer(3, "2026"), offer(1, "2026", "spot"), offer(2, "2026", "reserved-1y")]
    for term, price in (("on-demand", 3), ("spot", 1), ("reserved", 2), ("committed", 2)):
        stated, _ = offered(offers, "rent", term)
        assert stated is not None
        assert 3600 * stated.value == pytest.approx(price)
    assert offered(offers, "buy", "on-demand")[0] is None


def test_nobody_wins_more_than_a_working_day() -> None:
    day = waiting_usd(1, 100, 1.0, 1.0, 10_000.0, 1.0)
    assert day == pytest.approx(230 * 8 * 3600)
    assert waiting_usd(1, 100, 1.0, 1.0, 1.0, 10_000.0) == pytest.approx(-day)
