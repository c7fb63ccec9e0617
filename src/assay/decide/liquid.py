"""Cooling by liquid: how much must flow, how many distribution units it takes, what heat is left in the air."""

from __future__ import annotations

import math
from typing import Literal

Fluid = Literal["water", "PG25"]

# Density times specific heat, J/m³ K: water at 25 °C 997 · 4,180; a quarter of propylene glycol at 35 °C 1,017 · 3,910.
_HEAT_J_PER_M3_PER_KELVIN = {"water": 997.0 * 4180.0, "PG25": 1017.0 * 3910.0}
_L_PER_MIN_M3_PER_S = 1e-3 / 60


def liquid_m3_per_s(heat_w: float, rise_kelvin: float, fluid: Fluid = "water") -> float:
    """Liquid that carries heat off when it warms by so much: V = P / (ρ c ΔT).

    A rack of 132 kW, 85 % of it in liquid that warms by 10 K, in L/min (OCP's rule of 1.5 L/min a kW says 168):

    >>> [round(l_per_min(liquid_m3_per_s(0.85 * 132e3, 10.0, fluid))) for fluid in ("water", "PG25")]
    [162, 169]
    """
    return heat_w / (_HEAT_J_PER_M3_PER_KELVIN[fluid] * rise_kelvin)


def l_per_min(m3_per_s: float) -> float:
    """Litres a minute, which pumps are sold by.

    >>> round(l_per_min(0.001))
    60
    """
    return m3_per_s / _L_PER_MIN_M3_PER_S


def cdus_wanted(heat_w: float, cdu_w: float) -> int:
    """Coolant distribution units that carry the heat when one of them is lost: ⌈P / P₁⌉ + 1.

    >>> cdus_wanted(1.05e6, 1e6)
    3
    """
    return math.ceil(heat_w / cdu_w - 1e-9) + 1
