"""Units: SI floats inside, `"3.35 TB/s"` only in files and on screens.

A field's name ends in its unit (`bandwidth_bytes_per_s`, `price_usd_per_s`); `parse` reads a value as its source prints
it and checks that it is in that unit's dimension, `show` prints it back with a readable prefix.
"""

from __future__ import annotations

import math
import re
from typing import Final

from assay.errors import InputError, did_you_mean
from assay.symbols import MONTH_S, PRINTED, SUFFIXES, SYMBOLS, UNPREFIXED

Dimension = tuple[tuple[str, int], ...]

# A comma stands before three digits: "3,35" is a slip, not 335.
_WHOLE: Final = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9][0-9_]*)"
_NUMBER = re.compile(rf"([-+]?)\s*(\$?)\s*([-+]?(?:{_WHOLE}(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)\s*(?![,.])(.*)")
_BILLION = re.compile(r"(\d)\s*B(?:\s*tok(?:ens?)?|\s*samples?)?(?=\s*/|\s*$)")  # of tokens: "100B" is said of no bytes
_LONGEST: Final = 100  # no quantity is written longer


def suffix(name: str) -> str:
    """The unit part of a field's name; empty when the field is a pure number.

    >>> suffix("bandwidth_bytes_per_s"), suffix("peak_flop_per_s"), suffix("count_per_node")
    ('bytes_per_s', 'flop_per_s', '')
    """
    words = name.split("_")
    for start in range(len(words)):
        tail = words[start:]
        if tail[0] in SUFFIXES and all(w == "per" if i % 2 else w in SUFFIXES for i, w in enumerate(tail)):
            return "_".join(tail) if len(tail) % 2 else ""
    return ""


def unit_of(key: str) -> str:
    """The unit of a value by its dotted key: that of a table's own name, else of the field inside it.

    >>> unit_of("peak_flop_per_s.bf16"), unit_of("offers[0].price_usd"), unit_of("vendor")
    ('flop_per_s', 'usd', '')
    """
    return suffix(key.partition(".")[0]) or suffix(key.rpartition(".")[2])


def dimension(unit: str) -> Dimension:
    """The dimension a suffix stands for, as sorted exponents; raises KeyError for an unknown suffix.

    >>> dimension("w") == dimension("j_per_s")
    True
    """
    exponents: dict[str, int] = {}
    for i, word in enumerate(unit.split("_per_") if unit else []):
        for base, power in SUFFIXES[word].items():
            exponents[base] = exponents.get(base, 0) + (power if i == 0 else -power)
    return _freeze(exponents)


def parse(text: str | float, unit: str = "") -> float:
    """A value as written, in SI: checks that its unit fits `unit` (a suffix such as "bytes_per_s").

    A bare number is taken to be in SI already. Raises InputError for text that is no number, is not finite, or is in
    another dimension.

    >>> parse("3.35 TB/s", "bytes_per_s"), parse("$2.49/h", "usd_per_s") * 3600, parse("400 Gb/s", "bytes_per_s")
    (3350000000000.0, 2.49, 50000000000.0)
    """
    if isinstance(text, bool):
        raise InputError(f"{text} is not a number", hint=f"write {_example(unit)}")
    if isinstance(text, (int, float)):
        return _finite(text, str(text) if isinstance(text, float) else "this whole number")
    written, counted = text.strip(), unit.partition("_")[0]
    if counted in ("tokens", "samples"):
        written = _BILLION.sub(rf"\1 G {counted}", written)
    match = _NUMBER.fullmatch(written) if len(text) <= _LONGEST else None
    if not match:
        raise InputError(f'"{_cut(text)}" is not a number with a unit', hint=f"write {_example(unit)}")
    sign, dollar, digits, expression = match.groups()
    factor, exponents = _unit(("$" if dollar else "") + expression, text, dimension(unit))
    value = _finite(_float(sign + digits, text) * factor, text)
    if expression or dollar:
        found, wanted = _freeze(exponents), dimension(unit)
        if found != wanted:
            what = f'"{text}" is in {_words(found)}, {_words(wanted)} wanted'
            raise InputError(what, hint=_near(expression, wanted) or f"write {_example(unit, digits)}")
    return value


def show(value: float | None, unit: str = "", digits: int = 3) -> str:
    """A value for a person: three significant digits and a readable prefix; "unknown" for None.

    >>> show(3.35e12, "bytes_per_s"), show(0.0004, "s"), show(None, "usd"), show(2.49 / 3600, "usd_per_s")
    ('3.35 TB/s', '400 µs', 'unknown', '$2.49/h')
    """
    if value is None:
        return "unknown"
    if not math.isfinite(value):
        return str(value)
    if unit == "s":
        return _duration(value, digits)
    if unit.startswith("usd"):
        return _money(value, unit, digits)
    if not unit:
        return _round(value, digits)
    bare = unit.partition("_per_")[0] in UNPREFIXED
    scaled, prefix = (value, "") if bare else _prefixed(value, digits)
    return f"{_round(scaled, digits)} {prefix}" + "/".join(PRINTED.get(word, word) for word in unit.split("_per_"))


def _unit(expression: str, text: str, wanted: Dimension) -> tuple[float, dict[str, int]]:
    factor, exponents = 1.0, dict[str, int]()
    parts = [part.strip() for part in expression.split("/")]
    for i, symbol in enumerate(parts):
        if not symbol or symbol == "1":
            continue
        scale, base = _symbol(symbol, text, wanted if len(parts) == 1 else None)
        sign = 1 if i == 0 else -1
        factor *= scale**sign
        for name, power in base.items():
            exponents[name] = exponents.get(name, 0) + sign * power
    return factor, exponents


def _symbol(written: str, text: str, wanted: Dimension | None) -> tuple[float, dict[str, int]]:
    symbol = written.replace(" ", "")  # "M tokens" is said as often as "Mtokens"
    for length in range(min(2, len(symbol) - 1) + 1):
        prefix, rest = symbol[:length], symbol[length:]
        if rest in SYMBOLS and prefix in SYMBOLS[rest][2]:
            factor, base, prefixes = SYMBOLS[rest]
            return factor * prefixes[prefix], base
    example = next((f"write {_example(unit)}" for unit in SUFFIXES if dimension(unit) == wanted), "")
    raise InputError(f'"{text}": "{symbol}" is not a unit known here', hint=_near(symbol, wanted) or example)


def _near(symbol: str, wanted: Dimension | None) -> str:
    """Symbols of a dimension, or of any, that look like this one."""
    known = (p + s for s, (_, base, prefixes) in SYMBOLS.items() if wanted in (None, _freeze(base)) for p in prefixes)
    return did_you_mean(symbol.strip(), sorted(known))


def _finite(number: float, text: str) -> float:
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise InputError(f'"{_cut(text)}" is not a finite number', hint="leave out what is unknown")
    return value


def _float(digits: str, text: str) -> float:
    try:
        return float(digits.replace(",", "").replace("_", ""))
    except ValueError:  # two signs
        raise InputError(f'"{text}" is not a number with a unit', hint="write one sign and one number") from None


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _freeze(exponents: dict[str, int]) -> Dimension:
    return tuple(sorted((base, power) for base, power in exponents.items() if power))


def _words(dim: Dimension) -> str:
    plural = {"byte": "bytes", "flop": "FLOP", "s": "seconds", "usd": "US dollars", "j": "joules", "watt": "watts"}
    powers = dict(dim)
    if abs(powers.get("j", 0)) == 1 and powers.get("s", 0) * powers["j"] < 0:  # joules a second are watts
        sign = powers.pop("j")
        powers |= {"watt": sign, "s": powers["s"] + sign}
    over = [plural.get(b, f"{b}s") + (f"^{p}" if p > 1 else "") for b, p in powers.items() if p > 0]
    under = [b if b != "s" else "second" for b, p in powers.items() if p < 0]
    return (" ".join(over) or ("1" if under else "no unit")) + "".join(f" per {b}" for b in under)


def _example(unit: str, digits: str = "3.35") -> str:
    written = {
        "bytes": "GB", "bytes_per_s": "TB/s", "flop_per_s": "TFLOP/s", "flop": "TFLOP", "w": "W", "j": "kWh",
        "s": "s", "usd_per_s": "USD/h", "usd": "USD", "hz": "GHz", "usd_per_j": "USD/kWh", "usd_per_w": "USD/W",
        "usd_per_w_per_s": "USD/kW/month", "m3_per_s": "CFM", "kg_per_m2": "kg/m2", "celsius": "°C", "kelvin": "K",
        "tokens": "G tokens", "samples": "M samples", "m": "m", "kg": "kg", "v": "V", "a": "A",
        "usd_per_byte": "USD/GB",
    }  # fmt: skip
    if unit in written:
        return f'"{digits} {written[unit]}"'
    return f"SI {unit}" if unit else "a plain number, such as 8"


def _round(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 10**digits:
        return f"{value:,.0f}"
    if abs(value) < 1e-4:
        return f"{value:.{digits - 1}e}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _prefixed(value: float, digits: int) -> tuple[float, str]:
    for prefix, factor in (("E", 1e18), ("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= factor * (1 - 0.5 * 10.0**-digits):
            return value / factor, prefix
    return value, ""


def _duration(value: float, digits: int) -> str:
    size = abs(value)
    for limit, factor, name in ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (1, 1e3, "ms"), (600, 1, "s")):
        if size < limit and value:
            return f"{_round(value * factor, digits)} {name}"
    if size < 600:
        return f"{_round(value, digits)} s"
    factor, name = (60, "min") if size < 7200 else (3600, "h") if size < 172800 else (86400, "days")
    return f"{_round(value / factor, digits)} {name}"


def _money(value: float, unit: str, digits: int) -> str:
    factor, per = {
        "usd": (1.0, ""), "usd_per_s": (3600.0, "/h"), "usd_per_j": (3.6e6, "/kWh"),
        "usd_per_token": (1e6, "/M tokens"), "usd_per_tokens": (1e6, "/M tokens"), "usd_per_byte": (1e12, "/TB"),
        "usd_per_w_per_s": (1e3 * MONTH_S, "/kW-month"),
    }.get(unit, (1.0, "".join(f"/{PRINTED.get(word, word)}" for word in unit.split("_per_")[1:])))  # fmt: skip
    amount = value * factor
    return f"{'-' if amount < 0 else ''}${_cents(abs(amount), max(digits, 3))}{per}"


def _cents(amount: float, digits: int) -> str:
    """With cents where people pay in them; below a dollar a third digit where it says something."""
    if 1 <= amount < 1000:
        return f"{amount:.2f}"
    return f"{amount:.3f}".removesuffix("0") if 0.1 <= amount < 1 else _round(amount, digits)
