"""Plain statistics of repeated measurements: what is typical, how sure that is, and when there is too little to say.

Times on a shared machine have a hard floor and a long upper tail, so the median stands for a case, and its interval is
a bootstrap that keeps neighbouring samples together (they are not independent: a burst of noise hits several in a row).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]
    Values = Sequence[float] | Array

LEVEL = 0.90  # of every interval in this project
_RESAMPLES = 1000
_MOST = 4000  # samples of one resample
SIGMA_PER_MAD = 1.4826  # a normal distribution's standard deviation over its median absolute deviation
FEWEST = 6  # samples below which nothing is said of steadiness or intervals


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and the 90 % interval it lies in."""

    value: float
    low: float
    high: float


def median(values: Values) -> float:
    """The middle value.

    >>> median([3.0, 1.0, 100.0])
    3.0
    """
    import numpy as np

    return float(np.median(array(values)))


def spread(values: Values) -> float:
    """Relative spread: median absolute deviation over the median, scaled to equal sigma/mean where noise is normal.

    >>> round(spread([9.0, 10.0, 11.0, 10.0, 500.0]), 3)
    0.148
    """
    import numpy as np

    data = array(values)
    middle = float(np.median(data))
    return SIGMA_PER_MAD * float(np.median(np.abs(data - middle))) / abs(middle) if middle else 0.0


def percentile(values: Values, p: float) -> float | None:
    """The p-quantile (0.99 for p99), or None where fewer than 5/(1 - p) samples were taken: a tail needs a tail.

    >>> percentile(range(100), 0.99) is None, percentile(range(501), 0.99)
    (True, 495.0)
    """
    import numpy as np

    if not 0 < p < 1:
        raise ValueError("p must lie between 0 and 1")
    if len(values) * min(p, 1 - p) < 5 * (1 - 1e-9):
        return None
    return float(np.quantile(array(values), p))


def rate(work: Values, time_s: Values) -> float:
    """Work per second: all work over all time. A mean of single rates would let one slow step vanish.

    >>> rate([10, 10], [1.0, 9.0])
    2.0
    """
    return math.fsum(work) / math.fsum(time_s)


def median_interval(values: Values) -> Interval:
    """The median and its 90 % bootstrap interval; the same samples always give the same interval."""
    import numpy as np

    return _interval(array(values), lambda rows: np.asarray(np.median(rows, axis=-1)))


def mean_interval(values: Values) -> Interval:
    """The mean and its 90 % bootstrap interval: what Σwork/Σtime is made of."""
    import numpy as np

    return _interval(array(values), lambda rows: np.asarray(np.mean(rows, axis=-1)))


def _interval(data: Array, fold: Callable[[Array], Array]) -> Interval:
    import numpy as np

    value, draws = float(fold(data)), fold(_resampled(data, seed=0))
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    if len(data) > _MOST:  # fewer were drawn than there are: they scatter by so much more
        low, high = (value + (end - value) * math.sqrt(_MOST / len(data)) for end in (low, high))
    return Interval(value, min(float(low), value), max(float(high), value))


def _resampled(data: Array, seed: int) -> Array:
    """Moving-block bootstrap (Künsch 1989): resamples made of runs of neighbours, one a row.

    Of very many samples it draws _MOST a row (m out of n, Bickel et al. 1997), from anywhere among them.
    """
    import numpy as np

    block = _block(data[:_MOST])
    n = min(len(data), _MOST)
    starts = np.random.default_rng(seed).integers(0, len(data) - block + 1, size=(_RESAMPLES, math.ceil(n / block)))
    index = (starts[:, :, None] + np.arange(block)).reshape(_RESAMPLES, -1)[:, :n]
    rows: Array = data[index]
    return rows


def _block(data: Array) -> int:
    """Block length: how far a sample still resembles its neighbours, at most a quarter of them all."""
    import numpy as np

    n = len(data)
    ranks = np.argsort(np.argsort(data, kind="stable")) - (n - 1) / 2  # ranks: one spike must not hide the pattern
    power = float(ranks @ ranks)
    longest = max(1, n // 4)
    for lag in range(1, longest):
        if not power or float(ranks[:-lag] @ ranks[lag:]) / power < 2 / math.sqrt(n):
            return min(2 * lag - 1, longest)
    return longest


def array(values: Values) -> Array:
    """One column of numbers; ValueError where there is none."""
    import numpy as np

    data = np.asarray(values, dtype=float)
    if data.ndim != 1 or not len(data):
        raise ValueError("statistics need at least one sample")
    return data
