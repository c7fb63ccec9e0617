"""What a run says, case by case: where its warm-up ended, the typical figure, how sure that is, its tails, its rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from assay import stats
from assay.goodput import goodput, levels
from assay.metrics import Metric, metric
from assay.run import Case, Run
from assay.series import finite

if TYPE_CHECKING:
    from assay.series import Floats, Series

TIME = "time_s"
# The times of a case, the one that says when it had settled first.
TIMES = ("time_s", "step_s", "interval_s", "request_s", "ttft_s")
# Work per step -> the rate it comes to.
RATES = {
    "tokens": "tokens_per_s",
    "samples": "samples_per_s",
    "flop": "flop_per_s",
    "output_tokens": "output_tokens_per_s",
}

# How the figures of several ranks become one: a step takes as long as its slowest rank, work adds up.
_OVER: Mapping[str, Callable[[list[float]], float]] = {"time": max, "work": sum, "rate": sum}


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
    steady: bool = True  # whether it settled; if not, no figure here is to be trusted

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One metric of one case over a run: its typical value with a 90 % interval, and its tails where they are known."""

    case: str
    metric: Metric
    value: float  # median of times and levels, Σwork/Σtime of rates, the highest of memory
    low: float | None  # None: too few samples to say
    high: float | None
    n: int
    dropped: int
    spread: float
    steady: bool
    p90: float | None = None  # None: fewer samples than a tail needs
    p99: float | None = None
    p10: float | None = None  # nine in ten are no lower
    p01: float | None = None


def summarise(run: Run) -> tuple[CaseSummary, ...]:
    """Every case of a run that was timed as repetitions, in the run's order."""
    timed = {s.of: s for s in run.of(TIME)}
    return tuple(_one(case, timed[case.name]) for case in run.cases if case.name in timed)


def steady_part(series: Series) -> tuple[Floats, bool]:
    """What remains of a series without its warm-up, and whether it had settled at all.

    What was marked as warm-up by whoever took it stays out; MSER-5 finds the rest of it. Where nothing settles
    everything is returned: there is no steady part to choose.
    """
    kept = series.kept
    cut = stats.settled_after(kept) if len(kept) else None
    return kept[cut or 0 :], cut is not None


def figures(run: Run) -> tuple[Figure, ...]:
    """Every metric of every case, and the rates that work and time come to, in the order of the run."""
    found: list[Figure] = []
    kinds = {case.name: case.kind for case in run.cases}
    for case in dict.fromkeys(s.of for s in run.series):
        ranks = finite(s for s in run.series if s.of == case)
        begins_s, steady = settled_at(ranks, kinds.get(case, ""))
        names = dict.fromkeys(s.metric for s in ranks)
        found += [_figure(case, name, [s for s in ranks if s.metric == name], begins_s, steady) for name in names]
        known = {f.metric.name for f in found if f.case == case}
        if kinds.get(case) == "request":
            found += [f for f in _served(case, ranks, levels(run.settings)) if f.metric.name not in known]
        found += [f for f in _rates(case, ranks, begins_s, steady) if f.metric.name not in known]
    return tuple(found)


def main_time(names: Sequence[str] | Mapping[str, object]) -> str | None:
    """The metric that times a case, where it has one."""
    return next((name for name in TIMES if name in names), None)


def settled_at(ranks: Sequence[Series], kind: str) -> tuple[float, bool]:
    """When the slowest rank of a case had warmed up, and whether all of them settled; by the case's main time."""
    begins_s, steady = -math.inf, True
    if kind == "request":  # their window is known and marked: what looks like a warm-up within it may be a stall
        return begins_s, steady
    name = main_time([s.metric for s in ranks])
    for series in (s for s in ranks if s.metric == name):
        rest, settled = steady_part(series)
        steady = steady and settled
        first = len(series) - len(rest)
        if settled and 0 < first < len(series):
            begins_s = max(begins_s, float(series.at_s[first]))
    return begins_s, steady


def _after(series: Series, begins_s: float) -> Floats:
    kept: Floats = series.value[(series.at_s >= begins_s) & ~series.warmup]
    return kept


def _figure(case: str, name: str, ranks: Sequence[Series], begins_s: float, steady: bool) -> Figure:
    """Over ranks: times are the slowest's, work and rates add up, memory is the fullest's, all else is the mean."""
    import numpy as np

    told = metric(name)
    parts = [kept for kept in (_after(s, begins_s) for s in ranks) if len(kept)] or [s.value for s in ranks]
    folded = [_fold(told, part) for part in parts]
    chosen = parts[int(np.argmax([f.value for f in folded]))]
    over: Callable[[list[float]], float] = _OVER.get(told.kind, max if told.unit == "bytes" else fmean)
    value, low, high = (over([getattr(f, end) for f in folded]) for end in ("value", "low", "high"))
    sure = len(chosen) >= stats.FEWEST and told.unit != "bytes"  # of memory the most counts, and it has no tail
    return Figure(
        case=case, metric=told, value=value, low=low if sure else None, high=high if sure else None,
        n=sum(map(len, parts)), dropped=sum(map(len, ranks)) - sum(map(len, parts)), spread=stats.spread(chosen),
        steady=steady, **(_tails(chosen) if told.unit != "bytes" else {}),
    )  # fmt: skip


def _tails(values: Floats) -> dict[str, float | None]:
    return {f"p{p:02}": stats.percentile(values, p / 100) for p in (90, 99, 10, 1)}


def _fold(told: Metric, values: Floats) -> stats.Interval:
    """One rank's figure: rates fold as Σwork/Σtime (each report being equal work: a harmonic mean)."""
    import numpy as np

    if told.kind == "rate" and np.all(values > 0):
        slow = stats.mean_interval(1 / values)
        return stats.Interval(1 / slow.value, 1 / slow.high, 1 / slow.low)
    if told.kind == "work":
        return stats.mean_interval(values)
    if told.unit == "bytes":
        peak = float(values.max())
        return stats.Interval(peak, peak, peak)
    return stats.median_interval(values)


def _rates(case: str, ranks: Sequence[Series], begins_s: float, steady: bool) -> list[Figure]:
    """Σwork/Σtime over the steps that count, all ranks' work over the time of one."""
    import numpy as np

    clock = main_time([s.metric for s in ranks])
    times = [s for s in ranks if s.metric == clock]
    found = []
    for name, rate in RATES.items():
        work = [s for s in ranks if s.metric == name]
        if not (clock in ("step_s", "interval_s", "time_s") and work and times):
            continue
        amounts, spans = _matched(work, times[0], begins_s)
        if not len(spans) or spans.sum() <= 0:
            continue
        typical = stats.mean_interval(spans)
        mean = float(np.mean(amounts))
        sure = len(spans) >= stats.FEWEST
        found.append(Figure(
            case=case, metric=metric(rate), value=stats.rate(amounts, spans), n=len(spans), steady=steady,
            low=mean / typical.high if sure else None, high=mean / typical.low if sure else None,
            dropped=len(times[0]) - len(spans), spread=stats.spread(spans), **_tails(amounts / spans),
        ))  # fmt: skip
    return found


def _served(case: str, ranks: Sequence[Series], asked: Mapping[str, float]) -> list[Figure]:
    """What a load came to, and what of it met the levels that were asked for."""
    told = goodput(ranks, **asked)
    if told is None:
        return []
    rates = {"requests_per_s": told.requests_per_s, "output_tokens_per_s": told.output_tokens_per_s}
    if asked:
        rates["goodput_requests_per_s"] = told.goodput_requests_per_s
    return [
        Figure(case=case, metric=metric(name), value=value, low=None, high=None, n=told.answered_requests, dropped=0,
               spread=0.0, steady=True)
        for name, value in rates.items() if value > 0 or name == "goodput_requests_per_s"
    ]  # fmt: skip


def _matched(work: Sequence[Series], clock: Series, begins_s: float) -> tuple[Floats, Floats]:
    """The work of all ranks and the time of each step that has both."""
    import numpy as np

    kept = (clock.at_s >= begins_s) & ~clock.warmup
    steps, spans = clock.index[kept], clock.value[kept]
    amounts = np.zeros(len(steps))
    whole = np.ones(len(steps), dtype=bool)
    for series in work:
        place = {int(step): float(value) for step, value in zip(series.index, series.value, strict=True)}
        found = [place.get(int(step)) for step in steps]
        whole &= np.array([f is not None for f in found], dtype=bool)
        amounts += np.array([f or 0.0 for f in found])
    return amounts[whole], spans[whole]


def _one(case: Case, series: Series) -> CaseSummary:
    times, steady = steady_part(series)
    if not len(times):
        times, steady = series.value, False
    typical, mean = stats.median_interval(times), stats.mean_interval(times)
    work, unit = work_of(case)
    sure = len(times) >= stats.FEWEST
    return CaseSummary(
        case=case,
        n=len(times),
        dropped=len(series) - len(times),
        time_s=typical.value,
        low_s=typical.low if sure else None,
        high_s=typical.high if sure else None,
        best_s=float(min(times)),
        spread=stats.spread(times),
        rate=None if work is None else stats.rate([work] * len(times), times),
        rate_low=work / mean.high if work is not None and sure else None,
        rate_high=work / mean.low if work is not None and sure else None,
        rate_unit=unit,
        steady=steady,
    )


def work_of(case: Case) -> tuple[float | None, str]:
    """The work one sample of a case does, and the unit of its rate: operations first, else bytes."""
    if case.flop is not None:
        return case.flop, "flop_per_s"
    return (case.size_bytes, "bytes_per_s") if case.size_bytes is not None else (None, "")
