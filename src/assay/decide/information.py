"""What is worth knowing: how much better the choice would be, in money, if one number were known before it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]

_BINS = 24


def value_of_knowing(costs: Sequence[Array], known: Sequence[Array]) -> float:
    """Expected saving of knowing these numbers first: min of means − mean of conditional minima (EVPPI).

    `costs` holds one array of draws per candidate, `known` the draws of the numbers that would be known. The mean cost
    given what is known is taken in bins of equal count, so that no model of the relation is needed; half of the draws
    choose and the other half pay, so that chance is not taken for knowledge.
    (Strong, Oakley, Brennan, Med. Decis. Making 34 (2014) 311; Heath et al. 37 (2017) 747.)
    """
    import numpy as np

    table = np.stack([np.broadcast_to(c, costs[0].shape) for c in costs])
    if len(table) < 2 or not known:
        return 0.0
    groups = _groups(known, table.shape[1])
    even = np.arange(table.shape[1]) % 2 == 0
    now = table.mean(axis=1).min()
    told = (_paid(table, groups, even) + _paid(table, groups, ~even)) / 2
    return max(0.0, float(now - told))


def _paid(table: Array, groups: Array, choose: Array) -> float:
    """Mean cost when each group takes the candidate that is cheapest on the draws that choose, paid on the others."""
    import numpy as np

    n = int(groups.max()) + 1
    chosen = np.stack([_means(row[choose], groups[choose], n) for row in table]).argmin(axis=0)
    rest = np.logical_not(choose)
    return float(table[chosen[groups[rest]], np.nonzero(rest)[0]].mean())


def _means(values: Array, groups: Array, n: int) -> Array:
    import numpy as np

    count = np.bincount(groups, minlength=n)
    return np.bincount(groups, weights=values, minlength=n) / np.maximum(count, 1)


def _groups(known: Sequence[Array], n: int) -> Array:
    """Bins of equal count over one number, or a grid of them over two or three."""
    import numpy as np

    each = max(2, round(_BINS ** (1 / min(len(known), 3))))
    found = np.zeros(n, dtype=int)
    for values in known[:3]:
        rank = np.empty(n, dtype=int)
        rank[np.argsort(values, kind="stable")] = np.arange(n)
        found = found * each + rank * each // n
    return found


def ordered(values: Mapping[str, float]) -> dict[str, float]:
    """The most valuable first."""
    return dict(sorted(values.items(), key=lambda item: -item[1]))
