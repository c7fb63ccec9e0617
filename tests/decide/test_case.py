"""Candidates as cases: how much of the work they carry, how full they are, what that does to the bill."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.assumption import Assumption, exactly
from assay.decide.case import Case, Load
from assay.decide.cash import flows, npv_usd, payback_months
from assay.decide.cost import used_usd_per_s
from assay.decide.draws import usual
from assay.decide.money import MONTH_S, YEAR_S, worth_later
from assay.decide.outcome import needed, outcome
from assay.decide.simulate import simulate

TABLE = {
    "utilization": Assumption(value=0.7, low=0.4, high=0.9),
    "price": Assumption(value=250e3, low=190e3, high=330e3),
    "rent": exactly(2.95 / 3600),
    "availability": exactly(0.97),
    "resale of servers": exactly(0.10),
    "cost of capital": exactly(0.10),
    "speed": Assumption(value=1e4, low=8e3, high=1.2e4),
    "demand": exactly(5e3),
}
LOAD = Load(workload="train", rate="speed", wanted="demand", trains=False)
BOUGHT = Case(
    name="bought", nodes=1, per_node=8, clusters=1, horizon_s=3 * YEAR_S, loads=(LOAD,),
    keys={"utilization": "utilization", "price_usd": "price", "availability": "availability",
          "resale": "resale of servers", "cost_of_capital": "cost of capital"},
)  # fmt: skip
RENTED = Case(
    name="rented", nodes=1, per_node=8, clusters=1, horizon_s=3 * YEAR_S, elastic=True, loads=(LOAD,),
    keys={"rent_usd_per_s": "rent"},
)  # fmt: skip
X = usual(TABLE)


def test_a_machine_is_as_full_as_its_work() -> None:
    found = outcome(BOUGHT, X)
    assert found.used == pytest.approx(0.5 / 0.97)
    assert found.carried == pytest.approx(1.0)


def test_what_is_too_much_is_not_carried_and_costs_as_if_it_were() -> None:
    found = outcome(BOUGHT, {**X, "demand": 1e4})
    assert found.used == pytest.approx(0.7)
    assert found.carried == pytest.approx(0.97 * 0.7)
    assert found.work_usd == pytest.approx(found.year_usd / (0.97 * 0.7))


def test_what_is_rented_by_the_hour_costs_its_rent_and_nothing_else() -> None:
    found = outcome(RENTED, X)
    assert used_usd_per_s(found.bill) == pytest.approx(2.95 / 3600)
    assert found.year_usd == pytest.approx(2.95 / 3600 * 8 * 0.5 * YEAR_S)


def test_reserved_machines_are_paid_for_while_they_idle() -> None:
    reserved = replace(RENTED, elastic=False, commitment_s=YEAR_S)
    assert outcome(reserved, X).year_usd == pytest.approx(2.95 / 3600 * 8 * YEAR_S)


def test_stops_and_interruptions_slow_training_down() -> None:
    keys = {**BOUGHT.keys, "failure_hz": "stops", "save_s": "save", "recovery_s": "recovery"}
    training = replace(BOUGHT, nodes=2048, keys=keys, loads=(replace(LOAD, trains=True),))
    x = {**X, "stops": 419 / (54 * 86400 * 16384), "save": 10.0, "recovery": 600.0}
    assert outcome(training, x).rates["train"] / 1e4 == pytest.approx(0.904, abs=0.001)  # Llama 3, 16,384 accelerators


def test_as_many_clusters_as_the_busiest_year_needs() -> None:
    growing = replace(BOUGHT, keys={**BOUGHT.keys, "growth": "growth"})
    x = {**X, "growth": 1.0, "demand": 1e4}
    assert needed(growing, x) == int(np.ceil(2**2 / (0.97 * 0.7)))  # the first year as stated, doubled twice
    assert outcome(replace(growing, sized=True), x).carried == pytest.approx(1.0)
    assert outcome(replace(growing, sized=True), x).clusters == needed(growing, x)


def test_the_first_year_is_what_was_stated() -> None:
    growing = replace(BOUGHT, horizon_s=YEAR_S, keys={**BOUGHT.keys, "growth": "growth"})
    assert outcome(growing, {**X, "growth": 0.5}).used == pytest.approx(outcome(BOUGHT, X).used)


def test_a_ramp_loses_only_what_did_not_fit_meanwhile() -> None:
    """Work that fills half of the room is lost for half of half of the ramp; a full machine's for half of it."""
    ramped = replace(BOUGHT, keys={**BOUGHT.keys, "ramp_s": "ramp"})
    x = {**X, "ramp": 0.3 * YEAR_S}
    q = 0.5 / (0.97 * 0.7)
    assert outcome(ramped, x).carried == pytest.approx(1 - 0.1 * q / 2)
    assert outcome(ramped, {**x, "demand": 1e6}).used == pytest.approx(0.7 * (1 - 0.1 / 2))
    assert outcome(ramped, {**x, "demand": 1.0}).carried == pytest.approx(1.0, abs=1e-4)


def test_idle_machines_draw_less_than_busy_ones() -> None:
    keys = {**BOUGHT.keys, "power_load": "load", "idle_load": "idle"}
    drawing = replace(BOUGHT, keys=keys, power_w=10e3, draw_w=10e3)
    x = {**X, "load": 0.8, "idle": 0.2}
    busy = 0.5  # of all time: 0.5 clusters' worth of work on one
    assert outcome(drawing, x).bill.power_load == pytest.approx(busy * 0.8 + (1 - busy) * 0.2)
    assert outcome(drawing, x).energy_j == pytest.approx(10e3 * (busy * 0.8 + (1 - busy) * 0.2) * YEAR_S)


def test_an_interruption_costs_serving_its_recovery() -> None:
    serving = replace(RENTED, keys={**RENTED.keys, "interruption_hz": "stops", "recovery_s": "recovery"})
    x = {**X, "stops": 1 / 3600.0, "recovery": 600.0}
    assert outcome(serving, x).rates["train"] == pytest.approx(1e4 / (1 + 1 / 6))


@given(demand=st.floats(1.0, 1e6), rate=st.floats(1.0, 1e6), clusters=st.integers(1, 50))
def test_use_and_carried_work_are_shares(demand: float, rate: float, clusters: int) -> None:
    for case in (replace(BOUGHT, clusters=clusters), replace(RENTED, clusters=clusters)):
        found = outcome(case, {**X, "demand": demand, "speed": rate})
        assert 0 < found.used <= 1
        assert 0 < found.carried <= 1
        assert found.work_usd >= found.year_usd * (1 - 1e-12)


@given(factor=st.floats(1.0, 3.0))
def test_a_faster_machine_never_makes_rented_work_dearer(factor: float) -> None:
    faster = outcome(RENTED, {**X, "speed": X["speed"] * factor})
    assert faster.work_usd <= outcome(RENTED, X).work_usd * (1 + 1e-9)


def test_draws_are_the_formula_at_each_draw() -> None:
    drawn = simulate([BOUGHT, RENTED], TABLE, {"work": lambda o: o.work_usd}, n=20_000)
    i = 12_345
    x = {**X, **{key: float(values[i]) for key, values in drawn.inputs.items()}}
    for case in (BOUGHT, RENTED):
        assert drawn.figures[case.name]["work"][i] == pytest.approx(float(outcome(case, x).work_usd))


def test_the_months_add_up_to_the_years() -> None:
    found = flows(BOUGHT, X)
    assert found.capital_usd[0].sum() == pytest.approx(250e3)
    assert len(found.net_usd) == 37
    rented = flows(RENTED, X)
    assert rented.net_usd.sum() == pytest.approx(3 * float(outcome(RENTED, X).year_usd), rel=1e-3)


def test_what_wears_out_is_bought_again_and_sold_at_the_end() -> None:
    short = replace(BOUGHT, keys={**BOUGHT.keys, "server_life_s": "life"})
    found = flows(short, {**X, "life": 2 * YEAR_S})
    assert [int(m) for m in np.nonzero(found.capital_usd)[0]] == [0, 24]
    assert found.resale_usd[24] == pytest.approx(25e3)
    assert found.resale_usd[36] == pytest.approx(250e3 * (0.1 + 0.9 * 0.25))  # half of its second life


def test_paying_once_pays_back_or_never_does() -> None:
    rented = flows(RENTED, X)
    cheap, dear = flows(BOUGHT, {**X, "price": 50e3}), flows(BOUGHT, {**X, "price": 2.5e6})
    monthly = rented.net_usd[1]
    assert payback_months(cheap, rented) == int(np.ceil(50e3 / monthly))
    assert payback_months(dear, rented) is None
    assert npv_usd(cheap, rented, 0.10) > 0 > npv_usd(dear, rented, 0.10)


def test_money_at_no_interest_is_its_sum() -> None:
    a, b = flows(BOUGHT, X), flows(RENTED, X)
    assert npv_usd(a, b, 0.0) == pytest.approx(b.net_usd.sum() - a.net_usd.sum())
    assert npv_usd(a, b, 0.1) == pytest.approx(-npv_usd(b, a, 0.1))


@given(a=st.floats(0, 1), b=st.floats(0, 1), part=st.floats(0, 1.5))
def test_what_sells_for_more_at_its_end_sells_for_more_before(a: float, b: float, part: float) -> None:
    low, high = (worth_later(100.0, 5 * part, 5.0, s) for s in sorted((a, b)))
    assert low <= high + 1e-9
    assert 100 * min(a, b) - 1e-9 <= low <= 100


def test_a_building_outlives_the_horizon_and_installation_does_not_come_back() -> None:
    keys = {**BOUGHT.keys, "plant_usd_per_w": "plant", "plant_life_s": "plant life", "install_share": "install",
            "server_life_s": "life"}  # fmt: skip
    built = replace(BOUGHT, building=True, power_w=1e6, keys=keys)
    x = {**X, "plant": 11.7, "plant life": 15 * YEAR_S, "install": 0.12, "life": 2 * YEAR_S}
    found = flows(built, x)
    assert found.capital_usd[0] == pytest.approx(11.7e6 + 250e3 * 1.12)
    assert found.capital_usd[24] == pytest.approx(250e3 * 1.12)  # servers and their installation, once more
    assert found.resale_usd[36] == pytest.approx(11.7e6 * 0.8**2 + 250e3 * (0.1 + 0.9 * 0.25))


def test_what_is_reserved_costs_its_price_until_the_commitment_ends() -> None:
    keys = {**RENTED.keys, "rent_decay": "decay"}
    reserved = replace(RENTED, elastic=False, commitment_s=YEAR_S, keys=keys)
    found = flows(reserved, {**X, "decay": 0.2})
    month = 2.95 / 3600 * 8 * MONTH_S
    assert [found.rent_usd[m] / month for m in (1, 12, 13, 25)] == pytest.approx([1, 1, 0.8, 0.64])
    assert found.rent_usd.sum() == pytest.approx(3 * float(outcome(reserved, {**X, "decay": 0.2}).year_usd))


def test_rents_that_fall_are_paid_as_they_fall() -> None:
    falling = replace(RENTED, keys={**RENTED.keys, "rent_decay": "decay"})
    found = flows(falling, {**X, "decay": 0.2})
    assert found.rent_usd[36] / found.rent_usd[1] == pytest.approx(0.8 ** (35 / 12))
    assert found.rent_usd.sum() == pytest.approx(3 * float(outcome(falling, {**X, "decay": 0.2}).year_usd), rel=2e-3)
    assert found.rent_usd[1] < 2.95 / 3600 * 8 * MONTH_S
