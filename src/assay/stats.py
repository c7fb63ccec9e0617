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

LEVEL = 0.90  # of every interval in this project
_RESAMPLES = 1000
_SIGMA_PER_MAD = 1.4826  # a normal distribution's standard deviation over its median absolute deviation
FEWEST = 6  # samples below which nothing is said of steadiness or intervals
_ALIKE = 0.10  # halves whose medians differ by more have not settled (pyperf, _worker.py: the same 10 %)


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and the 90 % interval it lies in."""

    value: float
    low: float
    high: float


def median(values: Sequence[float]) -> float:
    """The middle value.

    >>> median([3.0, 1.0, 100.0])
    3.0
    """
    import numpy as np

    return float(np.median(_array(values)))


def spread(values: Sequence[float]) -> float:
    """Relative spread: median absolute deviation over the median, scaled to equal sigma/mean where noise is normal.

    >>> round(spread([9.0, 10.0, 11.0, 10.0, 500.0]), 3)
    0.148
    """
    import numpy as np

    data = _array(values)
    middle = float(np.median(data))
    return _SIGMA_PER_MAD * float(np.median(np.abs(data - middle))) / abs(middle) if middle else 0.0


def percentile(values: Sequence[float], p: float) -> float | None:
    """The p-quantile (0.99 for p99), or None where fewer than 5/(1 - p) samples were taken: a tail needs a tail.

    >>> percentile(range(100), 0.99) is None, percentile(range(501), 0.99)
    (True, 495.0)
    """
    import numpy as np

    if not 0 < p < 1:
        raise ValueError("p must lie between 0 and 1")
    if len(values) * min(p, 1 - p) < 5 * (1 - 1e-9):
        return None
    return float(np.quantile(_array(values), p))


def rate(work: Sequence[float], time_s: Sequence[float]) -> float:
    """Work per second: all work over all time. A mean of single rates would let one slow step vanish.

    >>> rate([10, 10], [1.0, 9.0])
    2.0
    """
    return math.fsum(work) / math.fsum(time_s)


def median_interval(values: Sequence[float]) -> Interval:
    """The median and its 90 % bootstrap interval; the same samples always give the same interval."""
    import numpy as np

    return _interval(_array(values), lambda rows: np.asarray(np.median(rows, axis=-1)))


def mean_interval(values: Sequence[float]) -> Interval:
    """The mean and its 90 % bootstrap interval: what Σwork/Σtime is made of."""
    import numpy as np

    return _interval(_array(values), lambda rows: np.asarray(np.mean(rows, axis=-1)))


def ratio_interval(new: Sequence[float], old: Sequence[float]) -> Interval:
    """Median of `new` over median of `old`, with a 90 % bootstrap interval over both."""
    import numpy as np

    a, b = _array(new), _array(old)
    draws = np.median(_resampled(a, seed=1), axis=-1) / np.median(_resampled(b, seed=2), axis=-1)
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    value = float(np.median(a) / np.median(b))
    return Interval(value, min(float(low), value), max(float(high), value))


def settled_after(values: Sequence[float]) -> int | None:
    """How many samples to drop as warm-up; None when the rest has not settled either, which is an answer.

    MSER-5 (White 1997: cut where the squared standard error of the rest's mean is smallest) over batches, on values
    with spikes clipped; then the two halves of the rest must have like medians (pyperf).
    """
    import numpy as np

    data = _array(values)
    if len(data) < FEWEST:
        return None
    batch = 5 if len(data) >= 50 else 1
    batches = _clipped(data)[: len(data) // batch * batch].reshape(-1, batch).mean(axis=1)
    half = len(batches) // 2
    cut = min(_mser(batches), half)
    rest = data[min(cut * batch, len(data) - FEWEST) :]
    first, last = rest[: len(rest) // 2], rest[len(rest) // 2 :]
    apart = abs(float(np.median(first) - np.median(last)))
    # A cut that wants more than half is either chance or a drift without end: then the halves must be nearer still.
    alike = _ALIKE if cut < half else _ALIKE / 2
    return len(data) - len(rest) if apart <= alike * abs(float(np.median(rest))) else None


def _mser(data: Array) -> int:
    """The cut with the least Σ(y - mean)²/n² of what is left; all cuts at once through cumulative sums."""
    import numpy as np

    n = np.arange(len(data), 0, -1)
    total = np.cumsum(data[::-1])[::-1]
    square = np.cumsum((data**2)[::-1])[::-1]
    error = (square - total**2 / n) / n.astype(float) ** 2
    return int(np.argmin(error[: max(1, len(data) // 2 + 1)]))  # the last few look steady by luck alone


def _clipped(data: Array) -> Array:
    """Without spikes: one late hiccup of the host is noise, not the end of a warm-up."""
    import numpy as np

    late = data[len(data) // 2 :]
    middle = np.median(late)
    reach = 3 * max(_SIGMA_PER_MAD * float(np.median(np.abs(late - middle))), 0.01 * abs(float(middle)))
    centred: Array = np.clip(data, middle - reach, middle + reach) - middle
    return centred


def _interval(data: Array, fold: Callable[[Array], Array]) -> Interval:
    import numpy as np

    low, high = np.quantile(fold(_resampled(data, seed=0)), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    value = float(fold(data))
    return Interval(value, min(float(low), value), max(float(high), value))


def _resampled(data: Array, seed: int) -> Array:
    """Moving-block bootstrap (Künsch 1989): resamples made of runs of neighbours, one a row."""
    import numpy as np

    n, block = len(data), _block(data)
    starts = np.random.default_rng(seed).integers(0, n - block + 1, size=(_RESAMPLES, math.ceil(n / block)))
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


def _array(values: Sequence[float]) -> Array:
    import numpy as np

    data = np.asarray(values, dtype=float)
    if data.ndim != 1 or not len(data):
        raise ValueError("statistics need at least one sample")
    return data
