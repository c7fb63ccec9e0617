"""Which work stays on a general pool and which moves to specialised machines, how many, and in which steps.

General: machines that run one kernel after another with software that is documented as mature, so that code which
changes every week runs today. Specialised: all others. They pay only for work that is stable and keeps them busy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from assay.decide.money import YEAR_S
from assay.decision import Rate
from assay.hardware import System
from assay.hazards import Hybrid, Move, Playbook
from assay.pilot import Work

Kind = Literal["general", "specialised", "either"]

MATURE = ("first-class", "supported")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A candidate as a place for work."""

    name: str
    system: System  # with the nodes of one cluster
    rates: tuple[Rate, ...]
    breakeven_utilization: float | None = None  # busy share from which it beats the general pool; None: not known

    @property
    def general(self) -> bool:
        """Whether any code runs here, as its documentation says."""
        chip = self.system.accelerator
        return chip.execution == "kernels" and chip.software.maturity in MATURE

    def rate(self, work: Work) -> Rate | None:
        """How fast one cluster does this work."""
        return next((one for one in self.rates if one.workload == work.name and one.value.mean > 0), None)


def hybrid(
    works: Sequence[Work], pools: Sequence[Pool], playbook: Playbook, *, utilization: float, least_busy: float = 0.4
) -> Hybrid | None:
    """The plan for every kind of work; pools best first. None where there is nothing to place.

    `utilization` is the most that accelerators can be kept busy. Where no break-even is known, a specialised pool must
    be busy for `least_busy` of the time: the low end of what allocated clusters are used.
    """
    if not works or not pools:
        return None
    moves = tuple(move(work, pools, utilization=utilization, least_busy=least_busy, beside=works) for work in works)
    moving = any(one.pool == "specialised" for one in moves)
    return Hybrid(moves=moves, steps=playbook.steps if moving else (), incidents=playbook.incidents if moving else ())


def move(
    work: Work, pools: Sequence[Pool], *, utilization: float, least_busy: float = 0.4, beside: Sequence[Work] = ()
) -> Move:  # fmt: skip
    """Where one kind of work should run, and on how many accelerators; stable work `beside` it may share a pool."""
    general = next((pool for pool in pools if pool.general and pool.rate(work)), None)
    special = next((pool for pool in pools if not pool.general and pool.rate(work)), None)
    if work.churn == "changing":
        why = "its code changes from week to week: what it needs next is not known today"
        return _placed(work, "general", general, utilization, why)
    if special is None and general is None:
        return _placed(work, "general", None, utilization, "it is not known how fast it runs anywhere")
    if special is None:
        return _placed(work, "either", general, utilization, "stable, and every candidate it is known on runs any code")
    if busy_s(work, special) is None:
        return _placed(work, "general", general, utilization, "how much of it there is in a year is not known")
    stable = [one for one in beside if one.churn == "stable" and one is not work]
    share, wanted = busy_share([work, *stable], special, utilization), special.breakeven_utilization
    least = least_busy if wanted is None else wanted
    told = f"stable; {'such work together' if stable else 'it'} keeps {special.name} busy for {share:.0%} of the time"
    why = f"{told}, {least:.0%} is wanted"
    if share >= least:
        return _placed(work, "specialised", special, utilization, why)
    return _placed(work, "general", general, utilization, why)


def busy_s(work: Work, pool: Pool) -> float | None:
    """Accelerator-seconds that a year of this work keeps busy; None where amount or rate is not known.

    Amount over the rate of a cluster, times its accelerators: 12 jobs of 1e12 tokens at 1e6 tokens/s on 64 are 768e6 s.
    """
    rate = pool.rate(work)
    amount = work.samples if work.samples is not None else work.tokens
    if rate is None:
        return None
    if work.tokens_per_s is not None:
        served = work.tokens_per_s.value / rate.value.mean
        return served * pool.system.accelerators * YEAR_S
    if amount is None or work.jobs_per_year is None:
        return None
    return amount.value * work.jobs_per_year.value / rate.value.mean * pool.system.accelerators


def accelerators(work: Work, pool: Pool, utilization: float) -> int | None:
    """How many accelerators a kind of work needs: whole clusters, with room for its peaks and for what is not used."""
    if busy_s(work, pool) is None or utilization <= 0:
        return None
    return _clusters([work], pool, utilization) * pool.system.accelerators


def busy_share(works: Sequence[Work], pool: Pool, utilization: float) -> float:
    """The share of time that the accelerators for some works are busy: less where clusters are larger than the work.

    Peaks are taken to fall together; work of which the amount or the rate is not known counts nothing.
    """
    if utilization <= 0:
        return 0.0
    busy = sum(busy_s(work, pool) or 0.0 for work in works)
    return busy / (YEAR_S * _clusters(works, pool, utilization) * pool.system.accelerators)


def _clusters(works: Sequence[Work], pool: Pool, utilization: float) -> int:
    """Whole clusters that carry these works at their peaks."""
    peaks = sum((busy_s(w, pool) or 0.0) * (w.peak_to_mean.value if w.peak_to_mean else 1.0) for w in works)
    return max(1, math.ceil(peaks / (YEAR_S * utilization * pool.system.accelerators) - 1e-9))


def _placed(work: Work, kind: Kind, pool: Pool | None, utilization: float, why: str) -> Move:
    return Move(
        workload=work.name,
        pool=kind,
        candidate=pool.name if pool else "",
        accelerators=accelerators(work, pool, utilization) if pool else None,
        why=why if pool else f"{why}; no candidate for it has a known rate",
    )
