"""What must be kept spare: machines to replace those that break, and how often so many break at once."""

from __future__ import annotations

import math

from assay.errors import InputError


def spare_nodes(nodes: int, failure_hz: float, repair_s: float, target: float = 0.95) -> int:
    """How many nodes to keep spare so that a broken one is replaced at once with this probability.

    The smallest s with P(Poisson(nodes · rate · repair time) ≤ s) ≥ target.

    >>> year = 365.25 * 86400
    >>> spare_nodes(128, 0.4 / year, 14 * 86400.0), spare_nodes(128, 0.4 / year, 14 * 86400.0, 0.999)
    (4, 7)
    """
    return poisson_quantile(nodes * failure_hz * repair_s, target)


def poisson_quantile(mean: float, target: float) -> int:
    """The smallest count that is not passed with this probability.

    >>> poisson_quantile(2.0, 0.95), poisson_quantile(0.0, 0.95)
    (5, 0)
    """
    if not 0.0 <= target < 1.0:
        raise InputError(f"{target:g} is not a probability to aim at", hint="write one from 0 to below 1, such as 0.95")
    if not 0.0 <= mean <= 1e6:
        raise InputError(
            f"{mean:g} at a time cannot be counted", hint="check the rate, the time and how many there are"
        )
    reached, count = 0.0, -1
    while reached < target and count < mean + 50 * math.sqrt(mean + 1):
        count += 1
        reached += poisson(count, mean)
    return max(count, 0)


def poisson(count: int, mean: float) -> float:
    """The probability of exactly this many: e^-m m^k / k!.

    >>> round(poisson(2, 2.0), 4)
    0.2707
    """
    if mean <= 0:
        return float(count == 0)
    return math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))
