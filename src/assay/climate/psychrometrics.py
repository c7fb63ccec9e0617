"""Moist air: how cold a wet surface gets, and how thin air is on a mountain.

Pressures are shares of that at sea level (101,325 Pa): what fans and wet bulbs care for is that ratio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

_SEA_LEVEL_PA = 101_325.0
_HALVINGS = 40  # of 120 K: far below a thermometer's step


def pressure(altitude_m: float) -> float:
    """The air's pressure at a height, as a share of that at sea level.

    p/p₀ = (1 - 2.25577e-5 h)^5.25588 (International Standard Atmosphere, ISO 2533, below 11 km).

    >>> round(pressure(0.3048 * 6000), 2)
    0.8
    """
    return float(max(1e-6, 1.0 - 2.25577e-5 * altitude_m) ** 5.25588)


def saturation(celsius: ArrayLike) -> Array:
    """The pressure of water vapour over water, as a share of the air's pressure at sea level.

    e_s = 611.21 Pa exp((18.678 - T/234.5) T/(257.14 + T)) (Buck 1981, as revised 1996; within 0.1 % from -20 to 50 °C).

    >>> round(float(saturation(20.0)) * 101_325)
    2338
    """
    import numpy as np

    T = np.asarray(celsius, dtype=np.float64)
    return np.asarray(611.21 * np.exp((18.678 - T / 234.5) * T / (257.14 + T)) / _SEA_LEVEL_PA)


def wet_bulb(celsius: ArrayLike, humidity: ArrayLike, pressure: ArrayLike = 1.0) -> Array:
    """How cold a wet surface gets in this air: what an evaporative cooler can reach at best.

    W = ((2501 - 2.326 T*) W_s(T*) - 1.006 (T - T*)) / (2501 + 1.86 T - 4.186 T*) (ASHRAE Fundamentals 2017, ch. 1,
    eq. 33), solved for T* by halving; humidity and pressure are shares. Below freezing it is that over water.

    >>> round(float(wet_bulb(20.0, 0.5)), 1)
    13.8
    """
    import numpy as np

    T, p = np.asarray(celsius, dtype=np.float64), np.asarray(pressure, dtype=np.float64)
    W = _mixed(np.asarray(humidity, dtype=np.float64) * saturation(T), p)
    low, high = T - 120.0 + 0.0 * W, T + 0.0 * W
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        there = (2501 - 2.326 * middle) * _mixed(saturation(middle), p) - 1.006 * (T - middle)
        wetter = there / (2501 + 1.86 * T - 4.186 * middle) > W
        low, high = np.where(wetter, low, middle), np.where(wetter, middle, high)
    return np.asarray((low + high) / 2)


def _mixed(vapour: Array, p: Array) -> Array:
    """Water in a kilogram of dry air; air is never all vapour."""
    import numpy as np

    e = np.minimum(vapour, 0.9 * p)
    return np.asarray(0.621945 * e / (p - e))
