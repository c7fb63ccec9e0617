"""What machines cost: the worked base case of a server of eight H100 in colocation, and what each input does to it.

Golden numbers: the worked case that this project was given, reckoned by hand from the formulas of capital recovery.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.decide.cost import Bill, available_usd_per_s, lines, used_usd_per_s, year_usd
from assay.decide.money import YEAR_S
from assay.units import parse

BASE = Bill(
    accelerators=8, availability=0.97, used=0.70, servers_usd=250e3, server_life_s=5 * YEAR_S, resale=0.10,
    cost_of_capital=0.10, power_w=10.2e3, power_load=0.8, pue=1.35,
    electricity_usd_per_j=parse("0.087 USD/kWh", "usd_per_j"),
    colo_usd_per_w_per_s=parse("184.06 USD/kW/month", "usd_per_w_per_s"),
    maintenance_share=0.05, staff_usd_per_s=6000 / YEAR_S,
)  # fmt: skip


def hourly(bill: Bill) -> float:
    return 3600 * float(used_usd_per_s(bill))


def test_the_worked_base_case() -> None:
    assert hourly(BASE) == pytest.approx(2.339, rel=0.005)
    assert 3600 * available_usd_per_s(BASE) == pytest.approx(1.637, rel=0.005)


@pytest.mark.parametrize(
    ("line", "usd_per_h"),
    [("servers", 1.300), ("colocation", 0.473), ("maintenance", 0.263), ("energy", 0.176), ("staff", 0.126)],
)
def test_its_lines(line: str, usd_per_h: float) -> None:
    used_h = 8 * 0.97 * 0.70 * YEAR_S / 3600
    assert lines(BASE)[line] / used_h == pytest.approx(usd_per_h, rel=0.005)


@pytest.mark.parametrize(
    ("field", "ends", "costs"),
    [
        ("used", (0.4, 0.9), (4.09, 1.82)),
        ("servers_usd", (190e3, 330e3), (1.96, 2.84)),
        ("server_life_s", (3 * YEAR_S, 6 * YEAR_S), (2.99, 2.18)),
        ("maintenance_share", (0.02, 0.10), (2.18, 2.60)),
        ("cost_of_capital", (0.06, 0.15), (2.19, 2.53)),
        ("colo_usd_per_w_per_s", (120 * 12 / 1e3 / YEAR_S, 250 * 12 / 1e3 / YEAR_S), (2.17, 2.51)),
        ("staff_usd_per_s", (2000 / YEAR_S, 15000 / YEAR_S), (2.26, 2.53)),
        ("resale", (0.0, 0.30), (2.43, 2.17)),
        ("electricity_usd_per_j", (0.05 / 3.6e6, 0.15 / 3.6e6), (2.26, 2.47)),
        ("pue", (1.1, 1.6), (2.31, 2.37)),
    ],
)
def test_its_tornado(field: str, ends: tuple[float, float], costs: tuple[float, float]) -> None:
    found = [hourly(replace(BASE, **{field: end})) for end in ends]
    assert found == pytest.approx(costs, rel=0.005)


shares = st.floats(0.05, 1.0)
money = st.floats(0.0, 1e9)


@given(a=money, b=money, power=st.floats(0, 1e8), used=shares, availability=shares)
def test_the_lines_are_the_bill(a: float, b: float, power: float, used: float, availability: float) -> None:
    bill = replace(BASE, servers_usd=a, network_usd=b, power_w=power, used=used, availability=availability)
    assert sum(lines(bill).values()) == pytest.approx(year_usd(bill))
    assert used_usd_per_s(bill) * bill.used == pytest.approx(available_usd_per_s(bill))


@given(factor=st.integers(2, 1000), used=shares)
def test_twice_the_machines_cost_the_same_an_hour(factor: int, used: float) -> None:
    more = replace(
        BASE, used=used, accelerators=8 * factor, servers_usd=250e3 * factor, power_w=10.2e3 * factor,
        staff_usd_per_s=factor * BASE.staff_usd_per_s,
    )  # fmt: skip
    assert used_usd_per_s(more) == pytest.approx(used_usd_per_s(replace(BASE, used=used)))


def test_many_bills_at_once_are_the_same_bills() -> None:
    import numpy as np

    used = np.linspace(0.1, 0.9, 9)
    many = used_usd_per_s(replace(BASE, used=used))
    assert list(many) == pytest.approx([used_usd_per_s(replace(BASE, used=float(u))) for u in used])  # type: ignore[arg-type]
