"""Runs side by side: apples to apples, or refused with the reason. The run is the unit: one a side proves nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from assay import stats
from assay.errors import InputError
from assay.judged import WALL, demand, figures_of
from assay.likeness import Difference, differences, permitted
from assay.metrics import Metric, metric
from assay.run import Run

# Common mode: so many figures, so many of them the same way by about the same factor, point to the machine.
_COMMON_FEWEST, _COMMON_SHARE, _COMMON_ALIKE = 5, 0.8, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One metric of one case on both sides: what the new one is, as a multiple of the old."""

    case: str
    metric: Metric
    old: float  # typical run of each side
    new: float
    ratio: float  # new over old
    low: float | None  # 99 % interval; None: too few pairs, or no turns, to exclude anything
    high: float | None
    verdict: stats.Said
    pairs: int
    p: float  # probability of this by chance, had nothing changed
    noise: float  # what this host makes of no change, as a share
    more: int | None = None  # about how many more pairs would settle it
    why: str = ""
    figure: str = ""  # which figure of each run was compared: fastest | low | median | whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What changed between like runs."""

    old: tuple[str, ...]  # ids of the runs
    new: tuple[str, ...]
    changes: tuple[Change, ...]
    allowed: tuple[Difference, ...] = ()  # the differences under test
    suspects: tuple[Difference, ...] = ()  # other differences, which might explain a change
    unmatched: tuple[str, ...] = ()  # cases that only one side has
    notes: tuple[str, ...] = ()
    common: str = ""  # why it is the machine, not the code
    turns: bool = True  # whether the runs were taken in turns; only then is anything proven

    @property
    def worse(self) -> tuple[Change, ...]:
        """What has become worse beyond doubt."""
        return tuple(change for change in self.changes if change.verdict == "worse")

    @property
    def better(self) -> tuple[Change, ...]:
        """What has become better beyond doubt."""
        return tuple(change for change in self.changes if change.verdict == "better")

    @property
    def verdict(self) -> Literal["worse", "better", "cannot tell"]:
        """Of all together: one regression is a regression."""
        return "worse" if self.worse else "better" if self.better else "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The figures of one metric on both sides, a figure a run, in pairs."""

    case: str
    metric: str
    figures: dict[str, tuple[list[float], list[float]]] = field(default_factory=dict)


def reach(change: Change) -> str:
    """The interval of a change in words."""
    if change.low is None or change.high is None:
        return "unbounded"
    return f"{100 * (change.low - 1):+.1f} % to {100 * (change.high - 1):+.1f} %"


def compare(
    old: Run | Sequence[Run], new: Run | Sequence[Run], allow: Iterable[str] = (), *, least: float = stats.LEAST,
    metrics: Sequence[str] = (),
) -> Comparison:  # fmt: skip
    """How new runs stand against old ones, metric by metric; InputError where they are unlike.

    Each name in `allow` permits one difference: the thing that is tested ("torch"). With `metrics` these are judged,
    else the time of each case, latencies and memory. Runs count as pairs where they were measured in turns.
    """
    before, after = _runs(old), _runs(new)
    found, suspects = differences(before, after)
    allowed = permitted(list(allow), found)
    unlike = [difference for difference in found if difference.key not in allowed]
    if unlike:
        told = "; ".join(str(difference) for difference in unlike)
        hint = "if that is what you test, add " + " ".join(
            f"--allow {key}" for key in dict.fromkeys(d.key for d in unlike)
        )
        raise InputError(f"these runs are unlike: {told}", hint=hint)
    for run in (before[0], after[0]):
        demand(run, metrics)
    turns, pairs = _pairs(before, after)
    sides, unmatched = _sides(pairs, metrics)
    if not sides:
        what = f"of {', '.join(metrics)} " if metrics else ""
        raise InputError(f"these runs have no figure {what}in common", hint="measure the same cases in both")
    changes = _controlled([_change(side, turns, least) for side in sides])
    common = _common(changes, suspects)
    return Comparison(
        old=tuple(r.id for r in before), new=tuple(r.id for r in after),
        changes=tuple(replace(c, verdict="cannot tell", why=common) for c in changes) if common else changes,
        allowed=tuple(d for d in found if d.key in allowed), suspects=tuple(suspects), unmatched=unmatched,
        notes=tuple(_notes(before, after, turns)), common=common, turns=turns,
    )  # fmt: skip


def _runs(given: Run | Sequence[Run]) -> list[Run]:
    runs = [given] if isinstance(given, Run) else list(given)
    if not runs:
        raise InputError("there is no run on one side", hint="name at least one run a side")
    return sorted(runs, key=lambda r: r.started)


def _pairs(old: Sequence[Run], new: Sequence[Run]) -> tuple[bool, list[tuple[Run, Run]]]:
    """Couples of neighbours in time with one run of each side; whether the runs were taken in such turns."""
    mixed = sorted([(r.started, 0, r) for r in old] + [(r.started, 1, r) for r in new], key=lambda row: row[0])
    couples = [(mixed[i], mixed[i + 1]) for i in range(0, len(mixed) - 1, 2)]
    turns = len(old) == len(new) and all(a[1] != b[1] for a, b in couples)
    if turns:
        return True, [(a[2], b[2]) if a[1] == 0 else (b[2], a[2]) for a, b in couples]
    return False, list(zip(old, new, strict=False))


def _sides(pairs: Sequence[tuple[Run, Run]], metrics: Sequence[str]) -> tuple[list[Sides], tuple[str, ...]]:
    """What both runs of every pair have a figure of."""
    tables = [(figures_of(a, metrics), figures_of(b, metrics)) for a, b in pairs]
    keys = [key for key in tables[0][0] if all(key in a and key in b for a, b in tables)]
    every = {key for a, b in tables for key in (*a, *b)}
    missing = sorted({case or "the command" for case, _ in every - set(keys)} - {case for case, _ in keys})
    timed = [key for key in keys if key[1] != WALL]
    if timed and not metrics:  # the whole command is judged where nothing in it is
        keys = timed
    sides = []
    for case, name in keys:
        names = [
            n for n in tables[0][0][case, name] if all(n in a[case, name] and n in b[case, name] for a, b in tables)
        ]
        columns = {n: ([a[case, name][n] for a, _ in tables], [b[case, name][n] for _, b in tables]) for n in names}
        positive = {n: c for n, c in columns.items() if min((*c[0], *c[1])) > 0}
        if positive:
            sides.append(Sides(case=case, metric=name, figures=positive))
    return sides, tuple(missing)


def _change(side: Sides, turns: bool, least: float) -> Change:
    names = list(side.figures)
    chosen = names[stats.best_of([side.figures[n] for n in names])]
    old, new = side.figures[chosen]
    told, verdict = metric(side.metric), stats.paired(old, new, least=least)
    said, why = verdict.said, verdict.why
    if not turns:  # then the pairs are none, and neither their interval nor their number says anything
        verdict = replace(verdict, low=None, high=None, more=None)
    if not turns and len(old) > 1:
        said, why = "cannot tell", "not measured in turns: a difference of the hour looks the same (assay gate does it)"
    elif told.better == "higher" and said != "cannot tell":
        said = "better" if said == "worse" else "worse"
    elif told.better == "neither":
        said, why = "cannot tell", "neither way is better"
    return Change(
        case=side.case, metric=told, old=stats.median(old), new=stats.median(new), ratio=verdict.ratio,
        low=verdict.low, high=verdict.high, verdict=said, pairs=verdict.pairs, p=verdict.p, figure=chosen,
        noise=_share(verdict.noise_ln), more=verdict.more, why=why,
    )  # fmt: skip


def _share(ln: float) -> float:
    import math

    return math.expm1(min(ln, 50.0))


def _controlled(changes: Sequence[Change]) -> tuple[Change, ...]:
    """With many figures some look changed by chance: of those that are called so at most 1 % may be false."""
    believed = stats.believable([c.p for c in changes], stats.ALARM)
    why = f"one of {len(changes)} figures looks like this by chance; name the one that matters with --metric"
    return tuple(
        c if known or c.verdict == "cannot tell" else replace(c, verdict="cannot tell", why=why, more=c.more or 2)
        for c, known in zip(changes, believed, strict=True)
    )


def _common(changes: Sequence[Change], suspects: Sequence[Difference]) -> str:
    """Everything moved alike while the surroundings changed: then it was the machine."""
    import math

    if len(changes) < _COMMON_FEWEST or not suspects:
        return ""
    moves = sorted(math.log(c.ratio) * (-1 if c.metric.better == "higher" else 1) for c in changes)
    middle = moves[len(moves) // 2]
    alike = sum(m * middle > 0 and abs(m - middle) <= _COMMON_ALIKE * abs(middle) for m in moves)
    moved = sum(c.verdict != "cannot tell" for c in changes)
    if alike < _COMMON_SHARE * len(moves) or moved < _COMMON_SHARE * len(changes):
        return ""
    told = "; ".join(str(d) for d in suspects[:2])
    moved_by = f"{alike} of {len(moves)} figures moved by about {100 * math.expm1(middle):+.0f} %"
    return f"{moved_by} and {told}: the machine, not the code"


def _notes(old: Sequence[Run], new: Sequence[Run], turns: bool) -> list[str]:
    notes = []
    if len(old) == len(new) == 1:
        notes.append("one run a side cannot show how runs differ: assay gate measures several, in turns")
    elif not turns:
        notes.append("the runs were not taken in turns; only runs in turns (old, new, new, old, …) can prove a change")
    loud = sum(bool(r.environment.get("contended")) for r in (*old, *new))
    if loud:
        notes.append(f"{loud} of {len(old) + len(new)} runs were contended: others used the machine meanwhile")
    return [*notes, *(f"run {r.id[:8]} is partial: {r.stopped}" for r in (*old, *new) if r.partial)]
