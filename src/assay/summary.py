"""What a run says, case by case: the typical time, how sure that is, and the rate it comes to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from assay import stats
from assay.run import Case, Run

TIME = "time_s"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSummary:
    """One case in figures; times with their 90 % bootstrap interval, warm-up left out."""

    case: Case
    n: int  # samples that count
    dropped: int  # samples of the warm-up
    time_s: float  # median
    low_s: float | None  # None: too few samples to say
    high_s: float | None
    best_s: float  # the fastest sample: what the machine does when others leave it alone
    spread: float  # relative: scaled median absolute deviation over the median
    rate: float | None  # Σwork/Σtime, in `rate_unit`; None where a case does no countable work
    rate_low: float | None
    rate_high: float | None
    rate_unit: str  # flop_per_s | bytes_per_s | ""

    @property
    def name(self) -> str:
        """What was tried."""
        return self.case.name

    @property
    def kind(self) -> str:
        """Which sort of case it is: matmul, copy, …"""
        return self.case.kind

    @property
    def dtype(self) -> str:
        """The number format, as in `hardware.DTYPES`; empty where there is none."""
        return self.case.dtype

    @property
    def steady(self) -> bool:
        """Whether it settled; if not, no figure here is to be trusted."""
        return self.case.steady


def summarise(run: Run) -> tuple[CaseSummary, ...]:
    """Every case of a run that was timed, in the run's order."""
    times = times_of(run)
    dropped = Counter(s.case for s in run.samples if s.metric == TIME and s.warmup)
    return tuple(_one(case, times[case.name], dropped[case.name]) for case in run.cases if case.name in times)


def times_of(run: Run) -> dict[str, list[float]]:
    """The times of each case that count: warm-up left out, in the order they were taken."""
    times: dict[str, list[float]] = {}
    for sample in run.samples:
        if sample.metric == TIME and not sample.warmup:
            times.setdefault(sample.case, []).append(sample.value)
    return times


def _one(case: Case, times: list[float], dropped: int) -> CaseSummary:
    typical, mean = stats.median_interval(times), stats.mean_interval(times)
    work, unit = work_of(case)
    sure = len(times) >= stats.FEWEST
    return CaseSummary(
        case=case,
        n=len(times),
        dropped=dropped,
        time_s=typical.value,
        low_s=typical.low if sure else None,
        high_s=typical.high if sure else None,
        best_s=min(times),
        spread=stats.spread(times),
        rate=None if work is None else stats.rate([work] * len(times), times),
        rate_low=work / mean.high if work is not None and sure else None,
        rate_high=work / mean.low if work is not None and sure else None,
        rate_unit=unit,
    )


def work_of(case: Case) -> tuple[float | None, str]:
    """The work one sample of a case does, and the unit of its rate: operations first, else bytes."""
    if case.flop is not None:
        return case.flop, "flop_per_s"
    return (case.size_bytes, "bytes_per_s") if case.size_bytes is not None else (None, "")
