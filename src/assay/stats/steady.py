"""Where warm-up ends, and whether it ended at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.stats.samples import FEWEST, SIGMA_PER_MAD, array

if TYPE_CHECKING:
    from assay.stats.samples import Array, Values

_ALIKE = 0.10  # halves whose medians differ by more have not settled (pyperf, _worker.py: the same 10 %)


def settled_after(values: Values) -> int | None:
    """How many samples to drop as warm-up; None when the rest has not settled either, which is an answer.

    MSER-5 (White 1997: cut where the squared standard error of the rest's mean is smallest) over batches, on values
    with spikes clipped; then the two halves of the rest must have like medians (pyperf).
    """
    import numpy as np

    data = array(values)
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

    data = data / (float(np.abs(data).max()) or 1.0)  # whatever the unit, squares stay within what a float holds
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
    reach = 3 * max(SIGMA_PER_MAD * float(np.median(np.abs(late - middle))), 0.01 * abs(float(middle)))
    centred: Array = np.clip(data, middle - reach, middle + reach) - middle
    return centred
