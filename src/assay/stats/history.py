"""When did it change? Steps in a history of runs, and which of many findings can be believed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from assay.stats.samples import SIGMA_PER_MAD, array

if TYPE_CHECKING:
    from assay.stats.samples import Array

EDGE = 3  # a step is believed when at least so many runs lie on either side of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A lasting change in a history: from run `at` on, values are `ratio` times what they were."""

    at: int
    ratio: float
    sigmas: float  # size over the noise of the means on both sides


def steps(values: Sequence[float], *, least: float = 0.02, alarm: float = 0.01) -> tuple[Step, ...]:
    """Lasting changes in a history of one positive figure a run, oldest first.

    Least squares with a price for each step (optimal partitioning, Jackson et al. 2005), on logarithms whose spikes are
    clipped: a single wild run is noise. A step smaller than `least`, or that the noise explains, is none.

    >>> steps([1.0, 1.02, 0.99, 1.01, 1.0, 1.3, 1.31, 1.28, 1.3, 1.29])[0].at
    5
    """
    import numpy as np

    data = np.log(array(values))
    if len(data) < 2 * EDGE:
        return ()
    sigma = max(_noise(data), 1e-6)
    clipped = _clipped(data, sigma)
    limit = _normal_limit(alarm / max(1, len(data) - 2 * EDGE + 1))
    cuts = _cuts(clipped, price=(limit * sigma) ** 2)
    return _believed(data, cuts, sigma, limit, math.log1p(least))


def _believed(data: Array, cuts: list[int], sigma: float, limit: float, least_ln: float) -> tuple[Step, ...]:
    """Steps that are large and sure enough; one that is not is taken out, and its neighbours are looked at again."""
    import numpy as np

    while cuts:
        bounds = [0, *cuts, len(data)]
        parts = [data[a:b] for a, b in pairwise(bounds)]
        middles = [float(np.median(part)) for part in parts]
        apart = [after - before for before, after in pairwise(middles)]
        error = [sigma * math.sqrt(math.pi / 2 * (1 / len(a) + 1 / len(b))) for a, b in pairwise(parts)]
        weak = [
            i for i in range(len(cuts))
            if abs(apart[i]) < max(least_ln, limit * error[i])
            or not _confirmed(parts[i], parts[i + 1], middles[i : i + 2])
        ]  # fmt: skip
        if not weak:
            return tuple(
                Step(at=cut, ratio=math.exp(jump), sigmas=abs(jump) / wide)
                for cut, jump, wide in zip(cuts, apart, error, strict=True)
            )
        cuts.pop(min(weak, key=lambda i: abs(apart[i]) / error[i]))
    return ()


def _confirmed(before: Array, after: Array, middles: Sequence[float]) -> bool:
    """Whether EDGE runs on either side are nearer to their own side's level than to the other's."""
    half = sum(middles) / 2
    up = middles[1] > middles[0]
    sides = ((before < half) == up, (after > half) == up)
    return all(int(side.sum()) >= EDGE for side in sides)


def _noise(data: Array) -> float:
    """Spread from one run to the next: a step in the history touches one of these differences only."""
    import numpy as np

    return SIGMA_PER_MAD * float(np.median(np.abs(np.diff(data)))) / math.sqrt(2)


def _clipped(data: Array, sigma: float) -> Array:
    """Without spikes: each value at most 3 σ from the median of its five neighbours."""
    import numpy as np

    padded = np.pad(data, 2, mode="edge")
    local = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)
    return np.asarray(np.clip(data, local - 3 * sigma, local + 3 * sigma), dtype=float)


def _cuts(data: Array, price: float) -> list[int]:
    """The partition with the least Σ(y - mean)² + price × steps, of parts of EDGE or more; all starts at once."""
    import numpy as np

    n = len(data)
    total, square = np.concatenate([[0.0], np.cumsum(data)]), np.concatenate([[0.0], np.cumsum(data**2)])
    best, last = np.full(n + 1, np.inf), np.zeros(n + 1, dtype=int)
    best[0] = -price
    for end in range(EDGE, n + 1):
        starts = np.arange(0, end - EDGE + 1)
        length = end - starts
        cost = square[end] - square[starts] - (total[end] - total[starts]) ** 2 / length
        whole = best[starts] + cost + price
        last[end] = int(np.argmin(whole))
        best[end] = whole[last[end]]
    cuts, end = list[int](), n
    while last[end] > 0:
        end = int(last[end])
        cuts.append(end)
    return cuts[::-1]


def _normal_limit(p: float) -> float:
    """The two-sided limit of a standard normal at probability p.

    >>> round(_normal_limit(0.05), 2)
    1.96
    """
    from statistics import NormalDist

    return NormalDist().inv_cdf(1 - p / 2)


def believable(p: Sequence[float], rate: float = 0.01) -> tuple[bool, ...]:
    """Which of many findings to believe, so that at most `rate` of those are false (Benjamini & Hochberg 1995).

    >>> believable([0.0001, 0.004, 0.5, 0.009], 0.01)
    (True, True, False, False)
    """
    import numpy as np

    values = np.asarray(p, dtype=float)
    if not len(values):
        return ()
    ranked = np.argsort(values)
    under = values[ranked] <= rate * np.arange(1, len(values) + 1) / len(values)
    cut = values[ranked[np.nonzero(under)[0].max()]] if under.any() else -1.0
    return tuple(bool(v <= cut) for v in values)
