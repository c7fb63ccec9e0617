"""Water that a cooling tower takes: what evaporates, and what is let off so that salts do not gather."""

from __future__ import annotations

# Heat of evaporation of water at 25 °C, J/kg (IAPWS); a cubic metre is 1,000 kg.
_LATENT_J_PER_M3 = 2.442e6 * 1000.0


def evaporated_m3(heat_j: float, cycles: float = 4.0) -> float:
    """Water for heat that leaves by evaporation: V = Q / (h ρ) · c / (c - 1) at c cycles of concentration.

    All heat is taken to leave so; in winter some of it warms the air. Litres for a kilowatt-hour of heat, beside 1.8
    for one of IT that is published as a mean of US data centres:

    >>> round(1000 * evaporated_m3(3.6e6), 2)
    1.97
    """
    return heat_j / _LATENT_J_PER_M3 * cycles / (cycles - 1.0)
