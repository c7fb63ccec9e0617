"""What is not known for sure, drawn many times: quantiles of stated ranges, percentiles of what they come to.

A range of three numbers is a quantile function: `low` at 5 %, `value` at 50 %, `high` at 95 %, straight lines between
them, ended a ninth further out. It says what was stated and no more: no tail that nobody meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assay.assumption import Assumption
from assay.result import Evidence, Value

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]

KNOTS = (0.0, 0.05, 0.50, 0.95, 1.0)
_RANKED = 20_000  # draws that a rank correlation is taken from: ranks cost a sort


def quantile(stated: Assumption, u: Array) -> Array:
    """The value of a stated range at each probability u; never beyond 0 or, of a share, beyond 1.

    >>> import numpy as np
    >>> quantile(Assumption(value=0.7, low=0.4, high=0.9), np.array([0.05, 0.5, 0.95])).round(3).tolist()
    [0.4, 0.7, 0.9]
    """
    import numpy as np

    return np.interp(u, KNOTS, knots(stated))


def knots(stated: Assumption) -> tuple[float, float, float, float, float]:
    """The values at KNOTS."""
    least = stated.low - (stated.value - stated.low) / 9
    most = stated.high + (stated.high - stated.value) / 9
    if stated.low >= 0:
        least = max(least, 0.0)
    if stated.high <= 1:  # a share, or something as small: it does not pass 1
        most = min(most, 1.0)
    return least, stated.low, stated.value, stated.high, most


def draw(
    table: Mapping[str, Assumption], n: int, rng: np.random.Generator, against: Mapping[str, str] | None = None
) -> dict[str, Array | float]:  # fmt: skip
    """So many draws of every stated number; those without a range stay numbers.

    `against` ties an input to another the opposite way: where rents fall fast, used machines sell for little.
    """
    drawn = {key: rng.random(n) for key, stated in table.items() if not stated.exact}
    for key, other in (against or {}).items():
        if key in drawn and other in drawn:
            drawn[key] = 1 - drawn[other]
    return {key: quantile(table[key], drawn[key]) if key in drawn else table[key].value for key in table}


def usual(table: Mapping[str, Assumption]) -> dict[str, float]:
    """Every stated number at its usual value."""
    return {key: stated.value for key, stated in table.items()}


def value_of(base: float, draws: Array | float, evidence: Evidence) -> Value:
    """A figure at the usual inputs with the 5 % and 95 % percentiles of its draws around it."""
    import numpy as np

    if not isinstance(draws, np.ndarray) or not draws.ndim:
        return Value(mean=base, low=base, high=base, evidence=evidence)
    low, high = (float(q) for q in np.quantile(draws, (0.05, 0.95)))
    return Value(mean=base, low=min(low, base), high=max(high, base), evidence=evidence)


def importance(inputs: Mapping[str, Array | float], outcome: Array) -> dict[str, float]:
    """Rank correlation (Spearman) of each input with an outcome, the strongest first."""
    import numpy as np

    def ranks(values: Array) -> Array:
        order = np.empty(len(values))
        order[np.argsort(values[:_RANKED])] = np.arange(min(len(values), _RANKED))
        return order

    n = min(len(outcome), _RANKED)
    if n < 2:
        return {}
    right = ranks(outcome[:n]) - (n - 1) / 2
    scale = float(right @ right)
    found = {}
    for key, values in inputs.items():
        if isinstance(values, np.ndarray) and values.ndim:
            found[key] = float((ranks(values[:n]) - (n - 1) / 2) @ right) / scale
    return dict(sorted(found.items(), key=lambda item: -abs(item[1])))


def cheaper_share(a: Array | float, b: Array | float) -> float:
    """P(A beats B): the share of draws, taken together, in which a is less; a draw in which both are alike is half."""
    import numpy as np

    return float(np.mean(np.less(a, b)) + 0.5 * np.mean(np.equal(a, b)))
