"""What one added run says for itself: its figures, its checks, how its steps went on, what its sensors saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from assay import stats, store
from assay.decide.gates import Witness
from assay.observed import Observation
from assay.pilot import Work
from assay.run import Run
from assay.store.pilots import Added
from assay.summary import Figure, figures, main_time

if TYPE_CHECKING:
    from assay.series import Floats

RATES = ("tokens_per_s", "samples_per_s", "output_tokens_per_s", "requests_per_s", "bytes_per_s", "flop_per_s")
OPERATOR = "operator "  # what the name of a check begins with that is about one
_QUARTER, _TENTH = 4, 10
# What only a run's sensors say: a figure of its observation -> the metric it is of.
_USED = {
    "busy": "accel.busy", "core": "accel.core.active", "matrix": "accel.matrix.active",
    "memory": "accel.memory.active", "mfu": "mfu",
}  # fmt: skip
SENSED = frozenset({"throttled", "errors", "leaks", "goodput_share", *_USED.values()})
_THROTTLES = tuple(f"accel.throttle.{name}" for name in ("thermal", "power", "other", "score", "thermal.time_s"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An added run, and what it says."""

    added: Added
    run: Run
    path: Path
    told: Mapping[str, Figure]  # metric -> figure, of the case that stands for the run
    full: bool = True  # on as many accelerators as one cluster of the candidate has
    seen: Observation | None = None  # what was made of its sensors; None: nobody asked


def told_of(run: Run, work: Work) -> dict[str, Figure]:
    """The figures of the case that stands for a run: the fastest that keeps the service level that was asked for.

    Where none keeps it, or nobody measured whether, there is no speed: what is served too late does not count.
    """
    cases: dict[str, dict[str, Figure]] = {}
    for figure in figures(run):
        cases.setdefault(figure.case, {})[figure.metric.name] = figure
    if not cases:
        return {}
    levels = {"ttft_s": work.ttft_s, "tpot_s": work.tpot_s}
    good = [told for told in cases.values() if all(_kept(told.get(name), level) for name, level in levels.items())]
    found = max(good or list(cases.values()), key=_speed)
    if not good:
        found = {name: figure for name, figure in found.items() if name not in RATES}
    if work.task == "serve" and "output_tokens_per_s" in found:  # what is served is counted as what is learnt from is
        found.setdefault("tokens_per_s", found["output_tokens_per_s"])
    return found


def _kept(figure: Figure | None, level: float | None) -> bool:
    return level is None or (figure is not None and (figure.p99 or figure.value) <= level)


def _speed(told: Mapping[str, Figure]) -> float:
    return next((told[name].value for name in RATES if name in told), 0.0)


def witness(
    one: Entry, name: str, value: float, *, low: float | None = None, high: float | None = None
) -> Witness:  # fmt: skip
    """A figure of an added run."""
    added = one.added
    return Witness(
        candidate=added.candidate, workload=added.workload, metric=name, value=value, low=low, high=high,
        stage=added.stage, duration_s=one.run.duration_s, whole=added.whole and one.full, at=added.at,
        source=f"run {added.id[:8]}",
    )  # fmt: skip


def exact(one: Entry, name: str, value: float) -> Witness:
    """A figure that is counted or read off, and has no interval."""
    return witness(one, name, value, low=value, high=value)


def single(entries: Sequence[Entry], wanted: set[str]) -> Iterator[Witness]:
    """What each run says for itself."""
    for one in entries:
        for name, figure in one.told.items():
            ends = (figure.low, figure.high) if figure.steady else (None, None)
            found = witness(one, name, figure.value, low=ends[0], high=ends[1])
            yield replace(found, p90=figure.p90, p99=figure.p99, p10=figure.p10, p01=figure.p01)
        yield from _operators(one)
        checks = [event.text.startswith("passed") for event in one.run.events if event.kind == "check"]
        if checks:
            yield exact(one, "checks_passed", sum(checks) / len(checks))
        yield from _steps(one)
        if one.seen is not None and wanted & SENSED:
            yield from _seen(one, one.seen)


def _operators(one: Entry) -> Iterator[Witness]:
    """Operators that a trial says ran or did not: checks whose name is "operator NAME"."""
    for event in one.run.events:
        passed, _, text = event.text.partition(": ")
        if event.kind == "check" and text.startswith(OPERATOR):
            yield exact(one, text.split(":")[0].strip(), float(passed == "passed"))


def _steps(one: Entry) -> Iterator[Witness]:
    """How a run's steps went on: slower towards the end, and how long the longest took beside the usual one."""
    name = main_time(one.told)
    if name is None:
        return
    figure = one.told[name]
    if figure.p99 is not None and figure.value > 0:
        ends = [figure.p99 / end if end else None for end in (figure.high, figure.low)]
        yield witness(one, "tail_ratio", figure.p99 / figure.value, low=ends[0], high=ends[1])
    times = _times(one.run, figure.case, name)
    quarter = len(times) // _QUARTER
    if quarter >= stats.FEWEST:
        first, last = stats.median_interval(times[:quarter]), stats.median_interval(times[-quarter:])
        if first.low > 0:
            change = [last.value / first.value - 1, last.low / first.high - 1, last.high / first.low - 1]
            yield witness(one, "slowdown", change[0], low=change[1], high=change[2])


def _times(run: Run, case: str, name: str) -> Floats:
    """The times of the slowest rank's steps in their order, without what was marked as warm-up and what looks like it.

    No more than a tenth is taken for warm-up: in a run that gets slower all that is fast looks like one.
    """
    import numpy as np

    parts = []
    for one in (s for s in run.of(name, case) if len(s)):
        kept = one.kept[np.isfinite(one.kept)]
        parts.append(kept[min(stats.settled_after(kept) or 0, len(kept) // _TENTH) :] if len(kept) else kept)
    return max(parts, key=lambda part: float(part.sum()), default=np.zeros(0))


def _seen(one: Entry, seen: Observation) -> Iterator[Witness]:
    """What the sensors beside a run say. What no sensor tells is not said to be 0."""
    told = sum(event.kind in ("oom", "xid", "error") for event in one.run.events)
    yield exact(one, "errors", float(told + sum(trouble.kind == "error" for trouble in seen.troubles)))
    yield exact(one, "leaks", float(sum(trouble.kind in ("leak", "fragmentation") for trouble in seen.troubles)))
    for name, share in ((name, seen.figures.get(told)) for told, name in _USED.items()):
        if share is not None:
            yield exact(one, name, share)
    if seen.split is not None and seen.split.wall_s > 0:
        lost = seen.split.input_s + seen.split.checkpoint_s
        yield exact(one, "goodput_share", 1 - lost / seen.split.wall_s)
    if one.run.duration_s > 0 and store.telemetry(one.path, metrics=_THROTTLES):
        yield exact(one, "throttled", min(1.0, _throttled_s(seen) / one.run.duration_s))


def _throttled_s(seen: Observation) -> float:
    """How long any device was throttled, counted once where several were."""
    spans = sorted((t.window.begin_s, t.window.end_s) for t in seen.troubles if t.kind.endswith("throttle"))
    total, until = 0.0, 0.0
    for begin, end in spans:
        total += max(0.0, end - max(begin, until))
        until = max(until, end)
    return total
