"""Pilots to decide on, built in code: one machine bought or rented, with what the worked case of the project states."""

from __future__ import annotations

from dataclasses import replace

from assay.assumption import Assumption, exactly
from assay.economics import Economics
from assay.pilot import Candidate, Demand, Gate, Pilot, PowerStep, Site, Stated, Work
from assay.units import parse

YEAR_S = 365.25 * 86400
ALL_IN = ("network", "storage", "racks", "install", "spares")


def usd_per_h(text: float) -> float:
    return text / 3600


def about(value: float, low: float, high: float) -> Assumption:
    return Assumption(value=value, low=low, high=high, source="a test", date="2026-11")


# The worked case: everything that it does not count is nothing.
WORKED = Economics(
    insurance_share=exactly(0.0), incident_usd=exactly(0.0), ramp_s=exactly(0.0), failure_hz=exactly(0.0),
    network_power_share=exactly(0.0), rent_decay=exactly(0.0), server_life_s=exactly(5 * YEAR_S), resale=exactly(0.10),
    cost_of_capital=exactly(0.10), power_load=exactly(0.8), idle_load=exactly(0.8), maintenance_share=exactly(0.05),
    staff_usd_per_s=exactly(6000 / YEAR_S), availability=exactly(0.97),
)  # fmt: skip
COLO = Site(
    name="colo", kind="colo", jurisdiction="US", racks=10, air_m3_per_s=5.0, floor_kg_per_m2=2000.0,
    power=(PowerStep(date="2026-01-01", power_w=200e3),), pue=about(1.35, 1.2, 1.5),
    electricity_usd_per_j=exactly(parse("0.087 USD/kWh", "usd_per_j")),
    colo_usd_per_w_per_s=exactly(parse("184.06 USD/kW/month", "usd_per_w_per_s")),
)  # fmt: skip
CLOUD = Site(name="cloud", kind="cloud", jurisdiction="US")
WORK = Work(
    name="train", tokens=exactly(1e12), jobs_per_year=exactly(0.97 * 0.70 * 1e5 * YEAR_S / 1e12), churn="stable"
)  # as much as fills one server to 70 %
BUY = Candidate(
    name="buy", system="hgx-h100", via="buy", site="colo", price_usd=about(250e3, 230e3, 270e3), covers=ALL_IN,
    clusters=1, delivery_s=exactly(30 * 86400.0),
)  # fmt: skip


def rent(usd: float, spread: float = 0.05, **more: object) -> Candidate:
    price = about(usd_per_h(usd), usd_per_h(usd * (1 - spread)), usd_per_h(usd * (1 + spread)))
    told = {"name": "rent", "system": "hgx-h100", "via": "rent", "site": "cloud", "rent_usd_per_s": price, **more}
    return Candidate(**told)  # type: ignore[arg-type]


def known(name: str, rate: float = 1e5, spread: float = 0.02) -> Stated:
    return Stated(candidate=name, workload="train", metric="tokens_per_s", origin="published",
                  value=about(rate, rate * (1 - spread), rate * (1 + spread)))  # fmt: skip


def pilot(*candidates: Candidate, **more: object) -> Pilot:
    told: dict[str, object] = {
        "name": "worked", "question": "Buy or rent?", "starts": "2026-12-01", "workloads": (WORK,),
        "sites": (COLO, CLOUD), "candidates": candidates, "figures": tuple(known(c.name) for c in candidates),
        "demand": Demand(horizon_s=3 * YEAR_S, utilization=exactly(0.71)), "assumptions": WORKED, **more,
    }  # fmt: skip
    return Pilot(**told)  # type: ignore[arg-type]


def gated(one: Pilot, *accepts: str) -> Pilot:
    """The same with a gate that every candidate passes, if it may say so."""
    gate = Gate(name="fast", stage=2, metric="tokens_per_s", at_least=5e4, accepts=accepts or ("published",))  # type: ignore[arg-type]
    return replace(one, gates=(gate,))
