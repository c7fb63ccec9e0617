"""Where the wall time of a run went, by what its ranks say of each step: input, communication, checkpoint, compute.

The parts sum to wall time by construction: each mark is cut to the time its step really took, and what no mark claims
is "other". Marks come from the program (`assay.phase`, `assay.batches`, or its log), never from a device's gauges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from assay.observed import Split, Window
from assay.series import Series

if TYPE_CHECKING:
    from assay.series import Floats

STEPS = ("step_s", "interval_s", "time_s")
PARTS = ("input_wait_s", "communication_s", "checkpoint_s")
COMPUTE = "compute_s"
_LONGEST_S = 1e9  # of a mark: what is longer is no time
_OVER = 0.02  # of a step: marks that exceed it by less are rounding


def split(
    stream: Iterable[Series], window: Window | None = None, case: str | None = None
) -> tuple[Split | None, dict[int, Split], list[str]]:
    """The split of a window (of all that was measured in steady state, where none is given): mean over ranks, and each.

    None, with the reason among the notes, where the program says nothing of its steps or of their parts.
    """
    told = [s for s in stream if len(s) and (case is None or s.of == case)]
    steps = _steps(told)
    if not steps:
        return None, {}, ["no step was reported: where the time went is told by device sensors only"]
    told = [s for s in told if s.of == next(iter(steps.values())).of]
    marks = [s for s in told if s.metric in (*PARTS, COMPUTE)]
    if not marks:
        return None, {}, [
            "no part of a step was marked (assay.phase, assay.batches): input, communication and checkpoint cannot be"
            " told apart; device sensors tell idle, stalled and working"
        ]  # fmt: skip
    window = window or _steady(steps)
    found = {
        rank: _of_rank(step, {s.metric: s for s in marks if s.rank == rank}, window) for rank, step in steps.items()
    }
    ranks, cut = {rank: one for rank, (one, _) in found.items()}, sum(over for _, over in found.values())
    notes = [f"the marks of {cut} steps are longer than the steps (nested, or overlapping): cut to them"] if cut else []
    return _mean(list(ranks.values())), ranks, notes


def _steps(told: list[Series]) -> dict[int, Series]:
    """For each rank the series that says when steps ended, all by one name and of one case."""
    for name in STEPS:
        named = [s for s in told if s.metric == name]
        if named:
            return {s.rank: s for s in sorted(named, key=lambda s: s.rank) if s.of == named[0].of}
    marked = [s for s in told if s.metric in (*PARTS, COMPUTE)]
    return {s.rank: s for s in sorted(marked, key=lambda s: s.rank, reverse=True) if s.of == marked[0].of}


def _steady(steps: Mapping[int, Series]) -> Window:
    """From the begin of the first step that counts to the end of the last; all ranks together."""
    import numpy as np

    begins, ends = [], []
    for step in steps.values():
        kept = np.flatnonzero(~step.warmup) if (~step.warmup).any() else np.arange(len(step))
        begins.append(_spans(step)[0][kept].min())
        ends.append(step.at_s[kept].max())
    return Window(begin_s=float(min(begins)), end_s=float(max(ends)))


def _spans(step: Series) -> tuple[Floats, Floats]:
    """Begin and end of each step: from the end of the one before; the first by its own time, where it tells it."""
    import numpy as np

    end = np.maximum.accumulate(step.at_s)
    first = step.value[0] if step.metric in STEPS and 0 < step.value[0] < _LONGEST_S else 0.0
    begin = np.concatenate([[end[0] - first], end[:-1]])
    return begin, end


def _of_rank(step: Series, marks: Mapping[str, Series], window: Window) -> tuple[Split, int]:
    """One rank's split, and the number of steps whose marks had to be cut."""
    import numpy as np

    begin, end = _spans(step)
    inside = (np.minimum(end, window.end_s) - np.maximum(begin, window.begin_s)).clip(min=0.0)
    whole = np.maximum(end - begin, 1e-12)
    share = inside / whole  # of each step that lies in the window
    said = {name: _by_step(marks.get(name), end) for name in (*PARTS, COMPUTE)}
    apart = sum(said[name] for name in PARTS)
    fits = np.minimum(1.0, whole / np.maximum(apart, 1e-12))  # marks that exceed their step shrink alike
    parts = {name: float((said[name] * fits * share).sum()) for name in PARTS}
    left = (whole - apart).clip(min=0.0)
    compute = float((np.minimum(said[COMPUTE], left) * share).sum()) if COMPUTE in marks else None
    over = (apart + (said[COMPUTE] if COMPUTE in marks else 0.0) > whole * (1 + _OVER)) & (inside > 0)
    return _summed(window, int((inside > 0).sum()), parts, compute), int(over.sum())


def _by_step(mark: Series | None, end: Floats) -> Floats:
    """What was marked in each step, by when it was told: up to its end; nothing is negative."""
    import numpy as np

    found = np.zeros(len(end))
    if mark is not None:
        place = np.searchsorted(end, mark.at_s)
        told = place < len(end)
        np.add.at(found, place[told], np.nan_to_num(mark.value[told], posinf=0.0, neginf=0.0).clip(0.0, _LONGEST_S))
    return found


def _summed(window: Window, steps: int, parts: Mapping[str, float], compute: float | None) -> Split:
    rest = window.length_s - sum(parts.values()) - (compute or 0.0)
    return Split(
        window=window, steps=steps, input_s=parts["input_wait_s"], communication_s=parts["communication_s"],
        checkpoint_s=parts["checkpoint_s"], compute_s=compute, other_s=max(0.0, rest),
    )  # fmt: skip


def _mean(ranks: list[Split]) -> Split:
    """The mean over ranks; each sums to the same wall time, and so does it."""
    n = len(ranks)
    compute = [r.compute_s for r in ranks if r.compute_s is not None]
    known = sum(compute) / n if len(compute) == n else None
    parts = {
        "input_wait_s": sum(r.input_s for r in ranks) / n,
        "communication_s": sum(r.communication_s for r in ranks) / n,
        "checkpoint_s": sum(r.checkpoint_s for r in ranks) / n,
    }
    return replace(_summed(ranks[0].window, 0, parts, known), steps=max(r.steps for r in ranks))
