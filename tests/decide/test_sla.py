"""What a promise is worth: down time, credits under their caps, spares, and nothing where nothing is known."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.assumption import Assumption
from assay.decide.money import YEAR_S
from assay.decide.reliability import poisson
from assay.decide.sla import REPLACED_HZ, credit_usd, downtime, missed_share
from assay.economics import Economics
from assay.pilot import Contract
from assay.result import Value

DAY_S = 86400.0
ECONOMICS = Economics(
    availability=Assumption(value=0.97, low=0.93, high=0.99),
    failure_hz=Assumption(value=0.173 / YEAR_S, low=0.08 / YEAR_S, high=0.35 / YEAR_S),
    recovery_s=Assumption(value=600, low=180, high=1800),
)
CONTRACT = Contract(availability=0.995, credit_share=0.10, credit_cap=0.25, replacement_s=2 * DAY_S)
PRICE = Value(mean=2 / 3600, low=1.5 / 3600, high=3 / 3600, evidence="D")
BILL = Value(mean=1.0, low=1.0, high=1.0, evidence="D")  # a dollar a second


def test_a_server_of_eight_waits_for_parts_most_of_its_time_down():
    """8 × 5 %/year × 2 days = 19.2 h, and 8 × 0.173/year × 10 min = 14 min."""
    found = downtime(contract=CONTRACT, economics=ECONOMICS, nodes=100, per_node=8, usd_per_s=PRICE)
    assert found is not None
    assert found.down_s / 3600 == pytest.approx(19.2 + 0.231, abs=0.01)
    assert found.promised_down_s == pytest.approx(0.005 * YEAR_S)
    assert found.loss_usd is not None
    assert found.loss_usd.mean == pytest.approx(found.down_s * 800 * 2 / 3600)
    assert found.loss_usd.low < found.loss_usd.mean < found.loss_usd.high


def test_spares_cover_what_breaks_while_parts_are_waited_for():
    """100 servers × 0.4 breaks a year × 14 days = 1.53 at a time: 4 spares do in 95 of 100 cases."""
    slow = replace(CONTRACT, replacement_s=14 * DAY_S)
    found = downtime(contract=slow, economics=ECONOMICS, nodes=100, per_node=8, usd_per_s=None)
    assert found is not None
    assert found.spares == 4
    rented = downtime(contract=slow, economics=ECONOMICS, nodes=100, per_node=8, usd_per_s=None, rented=True)
    assert rented is not None
    assert rented.spares is None


def test_a_month_is_missed_when_more_breaks_than_its_allowance_holds():
    """99.5 % of a month are 3.65 h down: one break of a day misses it, so a month is missed if anything breaks."""
    breaks_hz = 0.4 / YEAR_S
    assert missed_share(0.995, breaks_hz, DAY_S) == pytest.approx(1 - math.exp(-0.4 / 12))
    none, one = poisson(0, 0.4 / 12), poisson(1, 0.4 / 12)
    assert missed_share(0.995, breaks_hz, 3 * 3600) == pytest.approx(1 - none - one)
    assert missed_share(0.0, breaks_hz, DAY_S) == 0.0


@given(st.floats(0.0, 0.9999), st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.0, 30 * DAY_S))
def test_credits_never_pass_their_cap_nor_fall_below_nothing(promised, share, cap, repair_s):
    contract = Contract(availability=promised, credit_share=share, credit_cap=cap, replacement_s=repair_s)
    found = credit_usd(contract, 8, BILL)
    assert found is not None
    assert 0 <= found.low <= found.mean <= found.high
    assert found.mean <= min(share, cap) * YEAR_S * (1 + 1e-9)


def test_a_credit_is_small_beside_the_loss_it_is_for():
    """10 % of a month's bill for a node that was down for two days: the loss is 2 of 30 days, the credit 3 of them."""
    found = credit_usd(CONTRACT, 8, BILL)
    assert found is not None
    assert found.mean == pytest.approx(0.1 * YEAR_S * (1 - math.exp(-8 * REPLACED_HZ.value * YEAR_S / 12)))


@pytest.mark.parametrize("gone", ["availability", "credit_share", "replacement_s"])
def test_a_promise_with_a_part_left_out_is_worth_an_unknown_sum_not_none(gone):
    assert credit_usd(replace(CONTRACT, **{gone: None}), 8, BILL) is None


def test_without_a_promise_the_usual_share_is_down_and_with_nothing_known_nothing_is_said():
    found = downtime(contract=Contract(), economics=ECONOMICS, nodes=4, per_node=8, usd_per_s=None)
    assert found is not None
    assert found.down_s == pytest.approx(0.03 * YEAR_S)
    assert (found.promised_down_s, found.credit_usd, found.loss_usd, found.spares) == (None, None, None, None)
    assert "no replacement time" in found.note
    assert downtime(contract=Contract(), economics=Economics(), nodes=4, per_node=8, usd_per_s=None) is None


def test_the_rate_at_which_parts_break_has_a_source_a_date_and_a_range():
    assert REPLACED_HZ.source
    assert REPLACED_HZ.date
    assert not REPLACED_HZ.exact
