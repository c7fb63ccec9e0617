"""How far a figure may be off that is reckoned from stated numbers: each moved to its ends, the rest as usual."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from assay.assumption import Assumption
from assay.result import Evidence, Value

Numbers = Mapping[str, float]


def spread(formula: Callable[[Numbers], float], stated: Mapping[str, Assumption], evidence: Evidence = "D") -> Value:
    """A formula's figure with its 90 % interval: y ± √Σ(Δyᵢ)², Δyᵢ from one number at its low or high.

    Errors are taken as independent (GUM, JCGM 100:2008, section 5.1.2, with each side reckoned for itself).

    >>> a = Assumption(value=1.0, low=0.7, high=1.3)
    >>> value = spread(lambda x: x["a"] + x["b"], {"a": a, "b": Assumption(value=2.0, low=1.6, high=2.0)})
    >>> value.mean, value.low, round(value.high, 3)
    (3.0, 2.5, 3.3)
    """
    usual = {name: one.value for name, one in stated.items()}
    y = formula(usual)
    moved = [
        [formula({**usual, name: end}) - y for end in (one.low, one.high)]
        for name, one in stated.items()
        if not one.exact
    ]
    down = math.sqrt(sum(min(0.0, *ends) ** 2 for ends in moved))
    up = math.sqrt(sum(max(0.0, *ends) ** 2 for ends in moved))
    return Value(mean=y, low=y - down, high=y + up, evidence=evidence)


def stated(value: Value) -> Assumption:
    """A reckoned figure as a number that a further formula takes."""
    return Assumption(value=value.mean, low=value.low, high=value.high)


def product(*factors: Assumption | Value) -> Value:
    """Figures multiplied, with the interval of the product.

    >>> product(Assumption(value=2.0, low=1.0, high=3.0), Assumption(value=5.0, low=5.0, high=5.0)).high
    15.0
    """
    named = {str(i): one if isinstance(one, Assumption) else stated(one) for i, one in enumerate(factors)}
    return spread(lambda x: math.prod(x.values()), named)
