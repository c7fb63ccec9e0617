"""Gating: two commands (or one in two interpreters) measured in turns, and judged without crying wolf."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from assay import stats, store
from assay.api.measuring import measure
from assay.comparison import Change, Comparison, compare, reach
from assay.errors import AssayError, InputError, MeasureError
from assay.history import History, judge
from assay.judged import demand
from assay.measure.lock import for_several
from assay.run import Run
from assay.store.folders import safe

TOLERATED = 0.10  # a regression up to this need not be excluded for the gate to pass

Outcome = Literal["pass", "fail", "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What the gate says: fail where something is worse, undecided where too much could hide in the noise."""

    outcome: Outcome
    line: str  # the verdict in one line
    comparison: Comparison
    tolerated: float


def gate(
    old: str | Sequence[str], new: str | Sequence[str], *, pairs: int = 10, allow: Sequence[str] = (),
    least: float = stats.LEAST, tolerated: float = TOLERATED, metrics: Sequence[str] = (),
    old_options: Mapping[str, object] | None = None, new_options: Mapping[str, object] | None = None,
    out: Path | str = "runs", progress: Callable[[str], None] | None = None, seed: int = 0, **options: object,
) -> Ruling:  # fmt: skip
    """Measure both sides in turns, `pairs` times each, and rule. The order within each pair is drawn by lot.

    Commands are lists of words, workloads are names; `options` go to `measure`, those of one side in their own table.
    """
    tell = progress or (lambda _: None)
    taken: dict[bool, list[Run]] = {True: [], False: []}
    sides = {True: (old, {**options, **(old_options or {})}), False: (new, {**options, **(new_options or {})})}
    try:
        with for_several("assay gate", together=bool(options.get("together"))):
            for number, first in enumerate(stats.order(pairs, seed), start=1):
                for is_old in (first, not first):
                    taken[is_old].append(_measured(*sides[is_old], is_old=is_old, out=out))
                    demand(taken[is_old][-1], metrics)  # what is found missing after the last pair has cost hours
                tell(f"[{number}/{pairs}] {_pair(taken[True][-1], taken[False][-1])}")
    except KeyboardInterrupt:
        with suppress(OSError):  # the terminal may be what has gone
            tell(_so_far(taken, pairs, out))
        raise
    tested = () if isinstance(old, str) and isinstance(new, str) else ("workload", "command")
    return ruling(taken[True], taken[False], allow=_present(taken, [*allow, *tested], allow), least=least,
                  tolerated=tolerated, metrics=metrics)  # fmt: skip


def _measured(what: str | Sequence[str], options: Mapping[str, object], *, is_old: bool, out: Path | str) -> Run:
    run = measure(what, out=out, **options)  # type: ignore[arg-type]
    if run.stopped == "interrupted":  # by whoever started us, not by a fault of the command
        raise KeyboardInterrupt
    if run.partial:
        what = f"the {'old' if is_old else 'new'} one failed: {run.stopped}"
        raise MeasureError(what, hint=f"see {store.find(run.id, out)}/log.txt")
    return run


def _so_far(taken: Mapping[bool, Sequence[Run]], pairs: int, out: Path | str) -> str:
    """What an interrupted gate leaves, and how it can still be judged."""
    whole = list(zip(taken[True], taken[False], strict=False))
    told = f"{len(whole)} of {pairs} pairs are finished"
    if not whole:
        return told
    words = " ".join(f"--old {old.id[:8]} --new {new.id[:8]}" for old, new in whole)
    return f"{told}, in {out}; to judge them: assay gate {words} --out {shlex.quote(str(out))}"


def ruling(
    old: Sequence[Run], new: Sequence[Run], *, allow: Sequence[str] = (), least: float = stats.LEAST,
    tolerated: float = TOLERATED, metrics: Sequence[str] = (),
) -> Ruling:  # fmt: skip
    """Rule on runs that are there already."""
    found = compare(old, new, allow, least=least, metrics=metrics)
    outcome, line = _rule(found, tolerated)
    return Ruling(outcome=outcome, line=line, comparison=found, tolerated=tolerated)


def history(
    root: Path | str, *, metrics: Sequence[str] = (), allow: Sequence[str] = (), name: str = "",
    least: float = stats.LEAST,
) -> History:  # fmt: skip
    """Lasting changes among the runs of a folder (or those of one name) that are like the newest.

    What cannot be read, such as a run of an older version, is skipped and named.
    """
    runs, skipped = list[Run](), list[str]()
    for path in store.list_runs(root):
        if name and path.name.partition("-")[2].rpartition("-")[0] != safe(name):
            continue
        try:
            runs.append(store.load(path))
        except AssayError as error:
            skipped.append(f"{path.name}: {error.what}")
    if not runs:
        of = f" of {name}" if name else ""
        what = (
            f"none of {len(skipped)} runs{of} can be read: {skipped[-1]}" if skipped else f"there are no runs{of} here"
        )
        raise InputError(what, where=str(root), hint="assay measure -- COMMAND keeps them in runs/")
    demand(max(runs, key=lambda run: run.started), metrics)
    return replace(judge(runs, metrics, allow=allow, least=least), skipped=tuple(skipped))


def _rule(found: Comparison, tolerated: float) -> tuple[Outcome, str]:
    if found.worse:
        worst = max(found.worse, key=badness)
        more = f", and {len(found.worse) - 1} more" if len(found.worse) > 1 else ""
        return "fail", f"REGRESSION: {told(worst)}{more}"
    if found.common:
        return "undecided", f"CANNOT TELL: {found.common}"
    if not found.turns:
        return "undecided", "CANNOT TELL: the runs were not taken in turns, and an hour may differ from the next"
    open_ = [c for c in found.changes if c.verdict == "cannot tell" and worst_case(c) > 1 + tolerated]
    if open_:
        worst = max(open_, key=worst_case)
        needs = f"; needs about {worst.more} more pairs" if worst.more else ""
        bound = worst_case(worst)
        far = f"up to {100 * (bound - 1):.0f} % worse" if math.isfinite(bound) else "any amount worse"
        return "undecided", f"CANNOT TELL: {name_of(worst)} may be {far}{needs}"
    if found.better:
        best = min(found.better, key=badness)
        return "pass", f"BETTER: {told(best)}"
    widest = max((worst_case(c) - 1 for c in found.changes), default=0.0)
    figures = "1 figure, not" if len(found.changes) == 1 else f"{len(found.changes)} figures, none"
    return "pass", f"NO REGRESSION: {figures} more than {100 * widest:.1f} % worse"


def badness(change: Change) -> float:
    """How many times worse: above 1 is worse, whichever way is better."""
    return 1 / change.ratio if change.metric.better == "higher" else change.ratio


def worst_case(change: Change) -> float:
    """The bad end of the interval, as many times worse; beyond all bounds where nothing was excluded."""
    if change.low is None or change.high is None:
        return math.inf
    return 1 / max(change.low, 1e-12) if change.metric.better == "higher" else change.high


def name_of(change: Change) -> str:
    """A figure by its case and metric."""
    return f"{change.case}: {change.metric.title}" if change.case else change.metric.title


def told(change: Change) -> str:
    """One change in words and numbers."""
    found = f"{name_of(change)} {100 * (change.ratio - 1):+.1f} %"
    return f"{found} (99 % interval {reach(change)}, {change.pairs} pairs, p = {change.p:.2g})"


def _present(taken: Mapping[bool, Sequence[Run]], wanted: Sequence[str], asked: Sequence[str]) -> tuple[str, ...]:
    """What is under test anyway is allowed where it differs; what somebody asked for is passed on as it is."""
    from assay.likeness import differences

    keys = {d.key for d in differences(taken[True], taken[False])[0]}
    return tuple(key for key in dict.fromkeys(wanted) if key in asked or key in keys)


def _pair(old: Run, new: Run) -> str:
    from assay.units import show

    return f"old {show(old.duration_s, 's')}, new {show(new.duration_s, 's')}"
