"""The symbols of units: what names end in, what people write, what is printed."""

from __future__ import annotations

from typing import Final

# What a name's suffix may be built of -> exponents over the base units byte, flop, s, usd, j, token, sample, ….
SUFFIXES: Final[dict[str, dict[str, int]]] = {
    "s": {"s": 1},
    "bytes": {"byte": 1},
    "byte": {"byte": 1},
    "flop": {"flop": 1},
    "w": {"j": 1, "s": -1},
    "j": {"j": 1},
    "hz": {"s": -1},
    "usd": {"usd": 1},
    "tokens": {"token": 1},
    "token": {"token": 1},
    "samples": {"sample": 1},
    "sample": {"sample": 1},
    "requests": {"request": 1},
    "operations": {"operation": 1},
    "celsius": {"celsius": 1},
    "kelvin": {"kelvin": 1},  # a difference of temperatures
    "m": {"m": 1},
    "m2": {"m": 2},
    "m3": {"m": 3},
    "kg": {"kg": 1},
    "v": {"v": 1},
    "a": {"a": 1},
    "person": {"person": 1},
}

MONTH_S: Final = 365.25 / 12 * 86400
DECIMAL: Final = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
BINARY: Final = {f"{p}i": 1024.0**n for n, p in enumerate("KMGTPE", start=1)} | {"ki": 1024.0}
SMALL: Final = {"m": 1e-3, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "n": 1e-9, "p": 1e-12}

# Unit symbol -> (factor to the base unit, base exponents, prefixes it may carry).
SYMBOLS: Final[dict[str, tuple[float, dict[str, int], dict[str, float]]]] = {
    "B": (1, {"byte": 1}, DECIMAL | BINARY),
    "byte": (1, {"byte": 1}, {"": 1.0}),
    "bytes": (1, {"byte": 1}, {"": 1.0}),
    "b": (1 / 8, {"byte": 1}, DECIMAL | BINARY),
    "bit": (1 / 8, {"byte": 1}, DECIMAL | BINARY),
    "FLOP": (1, {"flop": 1}, DECIMAL),
    "FLOPS": (1, {"flop": 1, "s": -1}, DECIMAL),
    "OP": (1, {"flop": 1}, DECIMAL),
    "OPS": (1, {"flop": 1, "s": -1}, DECIMAL),
    "W": (1, {"j": 1, "s": -1}, DECIMAL | SMALL),
    "J": (1, {"j": 1}, DECIMAL | SMALL),
    "Wh": (3600, {"j": 1}, DECIMAL),
    "Hz": (1, {"s": -1}, DECIMAL),
    "s": (1, {"s": 1}, {"": 1.0} | SMALL),
    "min": (60, {"s": 1}, {"": 1.0}),
    "h": (3600, {"s": 1}, {"": 1.0}),
    "hour": (3600, {"s": 1}, {"": 1.0}),
    "day": (86400, {"s": 1}, {"": 1.0}),
    "days": (86400, {"s": 1}, {"": 1.0}),
    "week": (7 * 86400, {"s": 1}, {"": 1.0}),
    "weeks": (7 * 86400, {"s": 1}, {"": 1.0}),
    "months": (MONTH_S, {"s": 1}, {"": 1.0}),
    "month": (MONTH_S, {"s": 1}, {"": 1.0}),
    "year": (365.25 * 86400, {"s": 1}, {"": 1.0}),
    "years": (365.25 * 86400, {"s": 1}, {"": 1.0}),
    "USD": (1, {"usd": 1}, DECIMAL),
    "$": (1, {"usd": 1}, {"": 1.0}),
    "token": (1, {"token": 1}, DECIMAL),
    "tokens": (1, {"token": 1}, DECIMAL),
    "tok": (1, {"token": 1}, DECIMAL),
    "sample": (1, {"sample": 1}, DECIMAL),
    "samples": (1, {"sample": 1}, DECIMAL),
    "sequences": (1, {"sample": 1}, {"": 1.0}),
    "°C": (1, {"celsius": 1}, {"": 1.0}),
    "K": (1, {"kelvin": 1}, {"": 1.0}),
    "m": (1, {"m": 1}, {"": 1.0, "m": 1e-3, "c": 1e-2, "k": 1e3}),
    "ft": (0.3048, {"m": 1}, {"": 1.0}),
    "m2": (1, {"m": 2}, {"": 1.0}),
    "m3": (1, {"m": 3}, {"": 1.0}),
    "L": (1e-3, {"m": 3}, {"": 1.0}),
    "CFM": (0.3048**3 / 60, {"m": 3, "s": -1}, {"": 1.0}),
    "g": (1e-3, {"kg": 1}, {"": 1.0, "k": 1e3}),
    "t": (1e3, {"kg": 1}, {"": 1.0}),
    "V": (1, {"v": 1}, {"": 1.0, "k": 1e3}),
    "A": (1, {"a": 1}, {"": 1.0}),
    "person": (1, {"person": 1}, {"": 1.0}),
    "people": (1, {"person": 1}, {"": 1.0}),
    "request": (1, {"request": 1}, {"": 1.0, "k": 1e3, "M": 1e6}),
    "requests": (1, {"request": 1}, {"": 1.0, "k": 1e3, "M": 1e6}),
    "%": (0.01, {}, {"": 1.0}),
    "x": (1, {}, {"": 1.0}),
}

PRINTED: Final = {"bytes": "B", "byte": "B", "flop": "FLOP", "w": "W", "j": "J", "hz": "Hz", "celsius": "°C",
                    "kelvin": "K", "v": "V", "a": "A", "m2": "m²", "m3": "m³", "person": "people"}  # fmt: skip
UNPREFIXED: Final = {"celsius", "kelvin", "m", "m2", "m3", "kg", "v", "a", "person"}  # nobody says "5 kkg"
