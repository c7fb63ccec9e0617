"""What the runs that were added to a pilot prove: figures of each, and those that only several together give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from assay import stats, store
from assay.api.observing import observe
from assay.decide.gates import Witness
from assay.errors import AssayError
from assay.observed import Observation
from assay.pilot import Pilot, Work
from assay.result import Result
from assay.run import Run
from assay.store import pilots
from assay.store.pilots import Added
from assay.summary import Figure, figures, main_time, settled_at

if TYPE_CHECKING:
    from assay.series import Floats

RATES = ("tokens_per_s", "samples_per_s", "output_tokens_per_s", "requests_per_s", "bytes_per_s", "flop_per_s")
_QUARTER = 4
_SEEN = frozenset({"throttled", "errors", "goodput_share", "mfu"})  # what needs a run's sensors to be looked at
_THROTTLES = tuple(f"accel.throttle.{name}" for name in ("thermal", "power", "other", "score", "thermal.time_s"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Everything that is known of a pilot's candidates, who says so, and what could not be read."""

    witnesses: tuple[Witness, ...]
    added: tuple[Added, ...]
    answers: Mapping[str, Mapping[str, str]]
    runs: Mapping[str, Run]  # id -> the run behind an entry
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """An added run, and what it says."""

    added: Added
    run: Run
    path: Path
    told: Mapping[str, Figure]  # metric -> figure, of the case that stands for the run


def known(pilot: Pilot, folder: Path) -> Known:
    """What the folder's runs and the pilot's own stated figures say of its candidates."""
    kept = pilots.kept(folder, pilots.names(tuple(c.name for c in pilot.candidates)))
    entries, bad = list[_Entry](), list(kept.unreadable)
    for added in kept.added:
        work = pilot.workload(added.workload)
        if work is None or pilot.candidate(added.candidate) is None:
            bad.append(f"{added.id[:8]}: {added.candidate} at {added.workload} is no longer in the pilot")
            continue
        try:
            path = pilots.where(folder, added)
            run = store.load(path)
            entries.append(_Entry(added=added, run=run, path=path, told=_told(run, work)))
        except AssayError as error:
            bad.append(str(error))
    wanted = {gate.metric for gate in pilot.gates}
    return Known(
        witnesses=(*stated(pilot), *_single(entries, wanted), *_together(entries)), added=kept.added,
        answers=kept.answers, runs={one.run.id: one.run for one in entries}, unreadable=tuple(bad),
    )  # fmt: skip


def stated(pilot: Pilot) -> tuple[Witness, ...]:
    """The figures that somebody else published or promised."""
    return tuple(
        Witness(
            candidate=one.candidate, workload=one.workload, metric=one.metric, value=one.value.value,
            low=one.value.low, high=one.value.high, origin=one.origin, at=one.value.date, source=one.value.source,
        )
        for one in pilot.figures
    )  # fmt: skip


def predicted(candidate: str, workload: str, result: Result) -> tuple[Witness, ...]:
    """What a prediction says, metric by metric."""
    return tuple(
        Witness(
            candidate=candidate, workload=workload, metric=name, value=value.mean, low=value.low, high=value.high,
            origin="predicted", source="assay predict",
        )
        for name, value in result.values.items()
    )  # fmt: skip


def _told(run: Run, work: Work) -> dict[str, Figure]:
    """The figures of the case that stands for a run: the fastest that keeps the service level that was asked for."""
    cases: dict[str, dict[str, Figure]] = {}
    for figure in figures(run):
        cases.setdefault(figure.case, {})[figure.metric.name] = figure
    if not cases:
        return {}
    levels = {"ttft_s": work.ttft_s, "tpot_s": work.tpot_s}
    good = [told for told in cases.values() if all(_kept(told.get(name), level) for name, level in levels.items())]
    found = max(good or list(cases.values()), key=_speed)
    if work.task == "serve" and "output_tokens_per_s" in found:  # what is served is counted as what is learnt from is
        found.setdefault("tokens_per_s", found["output_tokens_per_s"])
    return found


def _kept(figure: Figure | None, level: float | None) -> bool:
    return figure is None or level is None or (figure.p99 or figure.value) <= level


def _speed(told: Mapping[str, Figure]) -> float:
    return next((told[name].value for name in RATES if name in told), 0.0)


def _witness(
    one: _Entry, name: str, value: float, *, low: float | None = None, high: float | None = None,
    p90: float | None = None, p99: float | None = None,
) -> Witness:  # fmt: skip
    added = one.added
    return Witness(
        candidate=added.candidate, workload=added.workload, metric=name, value=value, low=low, high=high, p90=p90,
        p99=p99, stage=added.stage, duration_s=one.run.duration_s, whole=added.whole, at=added.at,
        source=f"run {added.id[:8]}",
    )  # fmt: skip


def _exact(one: _Entry, name: str, value: float) -> Witness:
    return _witness(one, name, value, low=value, high=value)


def _single(entries: Sequence[_Entry], wanted: set[str]) -> Iterator[Witness]:
    """What each run says for itself."""
    for one in entries:
        for name, figure in one.told.items():
            ends = (figure.low, figure.high) if figure.steady else (None, None)
            yield _witness(one, name, figure.value, low=ends[0], high=ends[1], p90=figure.p90, p99=figure.p99)
        checks = [event.text.startswith("passed") for event in one.run.events if event.kind == "check"]
        if checks:
            yield _exact(one, "checks_passed", sum(checks) / len(checks))
        yield from _steps(one)
        if wanted & _SEEN:
            yield from _seen(one)


def _steps(one: _Entry) -> Iterator[Witness]:
    """How a run's steps went on: slower towards the end, and how long the longest took beside the usual one."""
    name = main_time(one.told)
    if name is None:
        return
    figure = one.told[name]
    if figure.p99 is not None and figure.value > 0:
        ends = [None if end is None else figure.p99 / end for end in (figure.high, figure.low)]
        yield _witness(one, "tail_ratio", figure.p99 / figure.value, low=ends[0], high=ends[1])
    times = _times(one.run, figure.case, name)
    quarter = len(times) // _QUARTER
    if quarter >= stats.FEWEST:
        first, last = stats.median_interval(times[:quarter]), stats.median_interval(times[-quarter:])
        yield _witness(
            one, "slowdown", last.value / first.value - 1, low=last.low / first.high - 1, high=last.high / first.low - 1
        )  # fmt: skip


def _times(run: Run, case: str, name: str) -> Floats:
    """The times of the slowest rank's steps, in their order, from where all had warmed up."""
    import numpy as np

    ranks = [s for s in run.of(name, case) if len(s)]
    kind = next((c.kind for c in run.cases if c.name == case), "")
    begins_s, _ = settled_at(ranks, kind)
    parts = [s.value[(s.at_s >= begins_s) & ~s.warmup & np.isfinite(s.value)] for s in ranks]
    return max(parts, key=lambda part: float(part.sum()), default=np.zeros(0))


def _seen(one: _Entry) -> Iterator[Witness]:
    """What the sensors beside a run say. What no sensor tells is not said to be 0."""
    seen = observe(one.path)
    told = sum(event.kind in ("oom", "xid", "error") for event in one.run.events)
    yield _exact(one, "errors", float(told + sum(trouble.kind == "error" for trouble in seen.troubles)))
    if "mfu" in seen.figures:
        yield _exact(one, "mfu", seen.figures["mfu"])
    if seen.split is not None and seen.split.wall_s > 0:
        lost = seen.split.input_s + seen.split.checkpoint_s
        yield _exact(one, "goodput_share", 1 - lost / seen.split.wall_s)
    if one.run.duration_s > 0 and store.telemetry(one.path, metrics=_THROTTLES):
        yield _exact(one, "throttled", min(1.0, _throttled_s(seen) / one.run.duration_s))


def _throttled_s(seen: Observation) -> float:
    """How long any device was throttled, counted once where several were."""
    spans = sorted((t.window.begin_s, t.window.end_s) for t in seen.troubles if t.kind.endswith("throttle"))
    total, until = 0.0, 0.0
    for begin, end in spans:
        total += max(0.0, end - max(begin, until))
        until = max(until, end)
    return total


def _together(entries: Sequence[_Entry]) -> Iterator[Witness]:
    """What several runs of one candidate at one kind of work come to."""
    groups: dict[tuple[str, str], list[_Entry]] = {}
    for one in entries:
        groups.setdefault((one.added.candidate, one.added.workload), []).append(one)
    for group in groups.values():
        for stage in sorted({one.added.stage for one in group}):
            runs = [one for one in group if one.added.stage == stage]
            done = sum(not one.run.partial and not one.run.exit_code for one in runs)
            source = f"{len(runs)} runs of stage {stage}" if len(runs) > 1 else f"run {runs[0].added.id[:8]}"
            yield replace(_exact(runs[-1], "completed", done / len(runs)), source=source)
        yield from _over(group, "scaling_efficiency", _ranks, "ranks", _efficiency)
        yield from _over(group, "batch_fall", _batch, "micro_batch", _fall)


Way = Callable[[Mapping[int, Figure]], tuple[float, float | None, float | None]]


def _over(
    group: Sequence[_Entry], name: str, number: Callable[[_Entry], int | None], key: str, way: Way
) -> Iterator[Witness]:  # fmt: skip
    """A figure over runs that differ in one number alone; of the largest set of such runs."""
    alike: dict[tuple[object, ...], dict[int, tuple[_Entry, Figure]]] = {}
    for one in group:
        rate, n = next((one.told[r] for r in RATES if r in one.told), None), number(one)
        if rate is not None and n is not None:
            same = (
                one.added.stage,
                one.run.name,
                rate.metric.name,
                *(one.run.settings.get(k) for k in _ALIKE if k != key),
            )
            alike.setdefault(same, {})[n] = (one, rate)
    found = max(alike.values(), key=len, default={})
    if len(found) > 1:
        value, low, high = way({n: rate for n, (_, rate) in found.items()})
        last = max((one for one, _ in found.values()), key=lambda one: one.added.at)
        source = f"runs {', '.join(one.added.id[:8] for one, _ in found.values())}"
        yield replace(_witness(last, name, value, low=low, high=high), source=source)


_ALIKE = ("model", "seq_len", "precision", "micro_batch", "ranks", "data")


def _ranks(one: _Entry) -> int | None:
    told = one.run.settings.get("ranks") or str(one.added.accelerators or "")
    return int(told) if told.isdigit() and int(told) else None


def _batch(one: _Entry) -> int | None:
    told = one.run.settings.get("micro_batch", "")
    return int(told) if told.isdigit() else None


def _efficiency(rates: Mapping[int, Figure]) -> tuple[float, float | None, float | None]:
    few, many = min(rates), max(rates)
    return _ratio(rates[many], rates[few], few / many)


def _fall(rates: Mapping[int, Figure]) -> tuple[float, float | None, float | None]:
    worst, best = (pick(rates.values(), key=lambda f: f.value) for pick in (min, max))
    value, low, high = _ratio(worst, best, 1.0)
    return 1 - value, None if high is None else 1 - high, None if low is None else 1 - low


def _ratio(over: Figure, under: Figure, factor: float) -> tuple[float, float | None, float | None]:
    value = factor * over.value / under.value
    if over.low is None or over.high is None or under.low is None or under.high is None:
        return value, None, None
    return value, factor * over.low / under.high, factor * over.high / under.low
