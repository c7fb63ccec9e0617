"""Cooling by air: how much must blow through a rack, at any height."""

from __future__ import annotations

from assay.climate.psychrometrics import pressure

# Dry air at 20 °C and 101,325 Pa (ISO 2533): 1.204 kg/m³, 1,006 J/kg K.
_DENSITY_KG_PER_M3, _HEAT_J_PER_KG_PER_KELVIN = 1.204, 1006.0
_CFM_M3_PER_S = 0.3048**3 / 60


def air_m3_per_s(heat_w: float, rise_kelvin: float, altitude_m: float = 0.0) -> float:
    """Air that carries heat off when it warms by so much: V = P / (ρ c_p ΔT) · p₀/p.

    A machine of 10.2 kW at 20 °F, in cubic feet a minute, at the sea and at 6,000 ft:

    >>> round(cfm(air_m3_per_s(10_200, 20 / 1.8)), -2), round(cfm(air_m3_per_s(10_200, 20 / 1.8, 0.3048 * 6000)), -2)
    (1600.0, 2000.0)
    """
    return heat_w / (_DENSITY_KG_PER_M3 * _HEAT_J_PER_KG_PER_KELVIN * rise_kelvin) / pressure(altitude_m)


def cfm(m3_per_s: float) -> float:
    """Cubic feet a minute, which fans are sold by.

    >>> round(cfm(1.0))
    2119
    """
    return m3_per_s / _CFM_M3_PER_S
