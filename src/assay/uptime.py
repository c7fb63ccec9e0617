"""How often a job stops, how often it should save, and how much of its time is worth something.

Letters as in Young, "A first order approximation to the optimum checkpoint interval", CACM 1974, and in Saxena et al.,
arXiv 2410.18124: M mean time between stops, d time of a save, R time from a stop to work again, T time from one save to
the next. Rates are taken instead of M where nothing may ever stop: 0 is a rate, an endless M is not a number.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    Amount: TypeAlias = float | np.ndarray[Any, np.dtype[np.float64]]

EXACT_ABOVE = 0.2  # of waste: beyond it the first-order form counts overlapping losses twice

_LARGEST_EXPONENT = 700.0  # e to it is still a number


def mtbf_s(failure_hz: float, machines: float) -> float:
    """How long a whole system runs between two stops, on average: M = 1 / (λ n).

    Llama-3 405B: 419 unplanned stops in 54 days on 16,384 GPUs are one in 3.09 h (arXiv 2407.21783).

    >>> round(mtbf_s(419 / (54 * 86400 * 16384), 16384) / 3600, 2)
    3.09
    """
    rate = failure_hz * machines
    return 1.0 / rate if rate else math.inf


def young_period_s(stops_hz: Amount, save_s: Amount) -> Amount:
    """How long to work between two saves so that least is lost: T = √(2 d M), Young 1974.

    >>> round(young_period_s(1 / (3.09 * 3600), 60.0) / 60, 1)
    19.3
    """
    import numpy as np

    with np.errstate(divide="ignore"):
        return _plain(np.sqrt(2.0 * save_s / np.asarray(stops_hz, dtype=np.float64)))


def waste(stops_hz: Amount, save_s: Amount, recovery_s: Amount, period_s: Amount | None = None) -> Amount:
    """Share of time lost to saves, work done again and recovery, to first order: d/T + T/2M + R/M, for T ≪ M.

    Without a period Young's is taken, at which the first two are the same.

    >>> round(1 - waste(1 / (3.09 * 3600), 60.0, 600.0), 3)
    0.842
    """
    saved, lost = _parts(stops_hz, save_s, period_s)
    return _plain(saved + lost + recovery_s * stops_hz)


def exact_goodput(stops_hz: Amount, save_s: Amount, recovery_s: Amount, period_s: Amount | None = None) -> Amount:
    """Share of time that is worth something when stops are exponential, however often they come.

    A segment of T with its save takes (M + R) (e^((T+d)/M) - 1) on average: it is begun again until it is through.

    >>> round(exact_goodput(1 / (3.09 * 3600), 300.0, 600.0), 3)
    0.745
    """
    import numpy as np

    worked = np.maximum(2.0 * _parts(stops_hz, save_s, period_s)[1], 1e-12)  # T/M
    exponent = np.minimum(worked + save_s * stops_hz, _LARGEST_EXPONENT)
    return _plain(worked / ((1.0 + recovery_s * stops_hz) * np.expm1(exponent)))


def goodput(stops_hz: Amount, save_s: Amount, recovery_s: Amount, period_s: Amount | None = None) -> Amount:
    """Share of a job's time that is worth something, between 0 and 1: first order while little is lost, exact beyond.

    The exact form lies a little above the other, so at the seam it is held at the other's 0.8: whatever stops more
    often is never worth more.

    >>> round(goodput(1 / (3.09 * 3600), 10.0, 600.0), 3)
    0.904
    """
    import numpy as np

    lost = waste(stops_hz, save_s, recovery_s, period_s)
    if not np.any(lost > EXACT_ABOVE):
        return 1.0 - lost
    exact = np.minimum(exact_goodput(stops_hz, save_s, recovery_s, period_s), 1.0 - EXACT_ABOVE)
    return _plain(np.where(lost <= EXACT_ABOVE, 1.0 - lost, exact))


def _parts(stops_hz: Amount, save_s: Amount, period_s: Amount | None) -> tuple[Amount, Amount]:
    """d/T and T/2M; by Young's period both are √(d / 2M), which holds where nothing ever stops."""
    import numpy as np

    if period_s is None:
        each = np.sqrt(save_s * stops_hz / 2.0)
        return each, each
    return save_s / period_s, period_s * stops_hz / 2.0


def _plain(found: Amount) -> Amount:
    """A number of no dimension as a number."""
    return found if getattr(found, "ndim", 0) else float(found)
