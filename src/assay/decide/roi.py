"""What better hardware brings besides a smaller bill: people who wait less, a model that is ready sooner.

Each gain is counted only where its value is stated, and carries the range of what was stated.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from assay.decide.money import MONTH_S, YEAR_S
from assay.decide.queueing import wait_s

if TYPE_CHECKING:
    from assay.decide.money import Amount

WORKDAYS = 230.0  # a year, holidays and illness off
WORKDAY_S = 8 * 3600.0


def waiting_usd(
    engineers: float, iterations_per_day: float, pay_usd_per_s: Amount, waiting_share: Amount, before_s: Amount,
    after_s: Amount,
) -> Amount:  # fmt: skip
    """Pay a year for time that people no longer wait: engineers × runs a day × shorter wait × share of it that is lost.

    No more than a working day can be won per engineer and day.

    >>> round(waiting_usd(10, 4, 300e3 / (230 * 8 * 3600), 0.5, 3600, 1800))
    375000
    """
    import numpy as np

    saved_s = iterations_per_day * (np.asarray(before_s) - after_s) * waiting_share
    found = engineers * WORKDAYS * np.clip(saved_s, -WORKDAY_S, WORKDAY_S) * pay_usd_per_s
    return found if found.ndim else float(found)


def iterations_per_day(now: float, before_s: Amount, after_s: Amount) -> Amount:
    """Runs that one person gets through in a day when a run takes another time: as many as the wait allows.

    >>> iterations_per_day(4.0, 3600.0, 1800.0)
    8.0
    """
    return now * before_s / after_s


def queue_after_s(queue_s: float, before: tuple[int, float, float], after: tuple[int, float, float]) -> float:
    """How long a run waits for a machine on other hardware: today's wait × the ratio of Erlang-C's.

    `before` and `after` are clusters, runs a second and the time of one. Machines that are full make it wait for ever,
    which is told as four times today's wait at most.

    >>> round(queue_after_s(3600.0, (2, 1 / 7200, 10800.0), (2, 1 / 7200, 5400.0)))
    229
    """
    was, becomes = wait_s(*before), wait_s(*after)
    if was <= 0 or math.isinf(was):
        return queue_s
    return queue_s * min(becomes / was, 4.0)


def porting_usd(porting_s: Amount, engineer_usd_per_s: Amount, pay_overhead: Amount) -> Amount:
    """What porting costs in people: engineer's time × whole pay.

    >>> round(porting_usd(6 * 7 * 86400, 220e3 / (365.25 * 86400), 1.35))
    34152
    """
    return porting_s * engineer_usd_per_s * pay_overhead


def sooner_usd(month_usd: Amount, before_s: Amount, after_s: Amount, jobs_per_year: Amount) -> Amount:
    """What it brings a year that each model is ready sooner.

    >>> round(sooner_usd(100e3, 2 * 30.4375 * 86400, 30.4375 * 86400, 2.0))
    200000
    """
    return month_usd * (before_s - after_s) / MONTH_S * jobs_per_year


def per_year(total_usd: Amount, horizon_s: float) -> Amount:
    """A sum that comes once, spread over the years it is for."""
    return total_usd * YEAR_S / horizon_s
