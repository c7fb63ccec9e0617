"""What the runs that were added to a pilot prove: figures of each, and those that only several together give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from assay import catalog, store
from assay.api.evidence_runs import RATES, SENSED, Entry, exact, single, told_of, witness
from assay.api.observing import observe
from assay.api.pilot_adding import unlikeness
from assay.catalog import checklists
from assay.decide.gates import Witness
from assay.errors import AssayError, did_you_mean, inert
from assay.observed import Observation
from assay.pilot import THIS_MACHINE, Candidate, Pilot
from assay.result import Result
from assay.run import Run
from assay.store import pilots
from assay.store.pilots import Added
from assay.summary import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Everything that is known of a pilot's candidates, who says so, and what could not be read."""

    witnesses: tuple[Witness, ...]
    added: tuple[Added, ...]
    answers: Mapping[str, Mapping[str, str]]
    runs: Mapping[str, Run]  # id -> the run behind an entry
    unreadable: tuple[str, ...] = ()
    seen: Mapping[str, Observation] = field(default_factory=dict)  # id -> what was made of its sensors


def known(pilot: Pilot, folder: Path, folders: Sequence[Path] = ()) -> Known:
    """What the folder's runs and the pilot's own stated figures say of its candidates."""
    kept = pilots.kept(folder)
    entries, bad = list[Entry](), list(kept.unreadable)
    answers = {name: told for name, told in kept.answers.items() if pilot.candidate(name) is not None}
    bad += _odd_answers(kept.answers, answers)
    wanted = {gate.metric for gate in pilot.gates}
    for added in kept.added:
        work, who = pilot.workload(added.workload), pilot.candidate(added.candidate)
        if work is None or who is None:
            bad.append(f"run {added.id[:8]}: {added.candidate} at {added.workload} is no longer in the pilot")
            continue
        try:
            path = pilots.where(folder, added)
            run = store.load(path)
            seen = observe(path) if run.accelerators or wanted & SENSED else None
        except AssayError as error:
            bad.append(str(error))
            continue
        if (unlike := unlikeness(run, work, who, folders)) and not added.anyway:  # the pilot was changed since
            bad.append(f"run {added.id[:8]} is no longer {work.name} on {who.name}: {'; '.join(unlike)}")
            continue
        full = _full(who, added, folders)
        entries.append(Entry(added=added, run=run, path=path, told=told_of(run, work), full=full, seen=seen))
    return Known(
        witnesses=(*stated(pilot), *single(entries, wanted), *_together(entries)), added=kept.added,
        answers=answers, runs={one.run.id: one.run for one in entries}, unreadable=tuple(bad),
        seen={one.run.id: one.seen for one in entries if one.seen is not None},
    )  # fmt: skip


def _odd_answers(all_: Mapping[str, Mapping[str, str]], kept: Mapping[str, object]) -> Iterator[str]:
    """Answers that nobody asked for: of a candidate that is not in the pilot, or to no question."""
    asked = [one.id for one in checklists.questions()]
    for name, told in all_.items():
        if name not in kept:
            yield f'answers of "{name}": it is no longer in the pilot'
            continue
        for key in (key for key in told if key not in asked):
            near = did_you_mean(key, asked) or "assay pilot rfp lists the questions"
            yield f'answers of "{name}": "{inert(key[:_SHOWN])}" is no question of the RFP; {near}'


def _full(who: Candidate, added: Added, folders: Sequence[Path]) -> bool:
    """Whether a run had as many accelerators as one cluster: fewer are not the speed of all."""
    if who.system == THIS_MACHINE:
        return added.accelerators is None or who.accelerators in (None, added.accelerators)
    return added.accelerators == catalog.system(who.system, who.nodes, folders).accelerators


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


def _together(entries: Sequence[Entry]) -> Iterator[Witness]:
    """What several runs of one candidate at one kind of work come to."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for one in entries:
        groups.setdefault((one.added.candidate, one.added.workload), []).append(one)
    for group in groups.values():
        for stage in sorted({one.added.stage for one in group}):
            runs = [one for one in group if one.added.stage == stage]
            done = sum(not one.run.partial and not one.run.exit_code for one in runs)
            source = f"{len(runs)} runs of stage {stage}" if len(runs) > 1 else f"run {runs[0].added.id[:8]}"
            yield replace(exact(runs[-1], "completed", done / len(runs)), source=source)
        yield from _over(group, "scaling_efficiency", _ranks, "ranks", _efficiency)
        yield from _over(group, "batch_fall", _batch, "micro_batch", _fall)


Way = Callable[[Mapping[int, Figure]], tuple[float, float | None, float | None]]


def _over(
    group: Sequence[Entry], name: str, number: Callable[[Entry], int | None], key: str, way: Way
) -> Iterator[Witness]:  # fmt: skip
    """A figure over runs that differ in one number alone; of the largest set of such runs."""
    alike: dict[tuple[object, ...], dict[int, tuple[Entry, Figure]]] = {}
    for one in group:
        rate, n = next((one.told[r] for r in RATES if r in one.told), None), number(one)
        if rate is not None and rate.value > 0 and n is not None:
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
        yield replace(witness(last, name, value, low=low, high=high), source=source)


_SHOWN = 60  # letters of an odd answer that are repeated
_ALIKE = ("model", "seq_len", "precision", "micro_batch", "ranks", "data")


def _ranks(one: Entry) -> int | None:
    told = one.run.settings.get("ranks") or str(one.added.accelerators or "")
    return int(told) if told.isdigit() and int(told) else None


def _batch(one: Entry) -> int | None:
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
    if over.low is None or over.high is None or not under.low or not under.high:
        return value, None, None
    return value, factor * over.low / under.high, factor * over.high / under.low
