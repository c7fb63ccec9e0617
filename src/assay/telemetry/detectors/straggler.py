"""A rank that the others wait for: its own work takes longer, and their collectives fill the difference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assay.observed import Trouble, Window
from assay.stats import SIGMA_PER_MAD
from assay.telemetry.board import Board
from assay.telemetry.changes import jump, stretches
from assay.units import show

if TYPE_CHECKING:
    from assay.series import Floats, Ints

_EXCESS = 0.05  # over the others' median …
_MADS = 3.0  # … and by so many of their deviations (taken as a standard deviation: 1.48 median absolute deviations)
_STEPS = 20  # in a block: its median is compared
_BLOCKS = 5  # blocks in a row
_LEAST_SPREAD = 0.005  # of ranks that do the same; two or three say too little of it


def find(board: Board) -> Iterator[Trouble]:
    """Ranks whose own time stays above the others'."""
    for case in dict.fromkeys(s.of for s in board.stream):
        table = _own(board, case)
        if table is not None:
            yield from _behind(case, *table)


def _own(board: Board, case: str) -> tuple[list[int], Floats, Floats, tuple[str, ...]] | None:
    """Ranks, when each step ended, and each rank's own time in it: step less communication, or its compute."""
    import numpy as np

    told = {(s.metric, s.rank): s for s in board.stream if s.of == case}
    ranks = sorted({rank for _, rank in told})
    for names in (("step_s", "communication_s"), ("interval_s", "communication_s"), ("compute_s",)):
        if len(ranks) < 2 or not all((name, rank) in told for name in names for rank in ranks):
            continue
        index = _common([told[name, rank].index for name in names for rank in ranks])
        if len(index) < _STEPS * _BLOCKS:
            return None
        columns = {key: _at(told[key].index, told[key].value, index) for key in told if key[0] in names}
        first = told[names[0], ranks[0]]
        rest = names[1:]
        own = np.array([columns[names[0], r] - sum(columns[name, r] for name in rest) for r in ranks])
        good = np.isfinite(own).all(axis=0)
        return ranks, _at(first.index, first.at_s, index)[good], own[:, good], names
    return None


def _common(indices: list[Ints]) -> Ints:
    import numpy as np

    kept = np.unique(indices[0])
    for index in indices[1:]:
        kept = np.intersect1d(kept, index)
    return kept


def _at(index: Ints, values: Floats, wanted: Ints) -> Floats:
    """Values by step number; of a step that was told twice (a restart), the last."""
    import numpy as np

    order = np.argsort(index, kind="stable")
    place = np.searchsorted(index[order], wanted, side="right") - 1
    return np.asarray(values[order][place])


def _behind(case: str, ranks: list[int], at: Floats, own: Floats, names: tuple[str, ...]) -> Iterator[Trouble]:
    import numpy as np

    blocks = own.shape[1] // _STEPS
    cut = own[:, : blocks * _STEPS].reshape(len(ranks), blocks, _STEPS)
    level = np.median(cut, axis=2)
    for k, rank in enumerate(ranks):
        others = np.delete(level, k, axis=0)
        usual = np.median(others, axis=0)
        spread = np.maximum(SIGMA_PER_MAD * np.median(np.abs(others - usual), axis=0), _LEAST_SPREAD * usual)
        above = (usual > 0) & (level[k] > usual * (1 + _EXCESS)) & (level[k] > usual + _MADS * spread)
        run = _longest(above)
        if run is not None:
            yield _trouble(case, rank, at, own[k], np.median(np.delete(own, k, axis=0), axis=0), run, names)


def _longest(above: Floats) -> tuple[int, int] | None:
    """From the first of enough blocks in a row to the last of them; a block between that is not, does not end it."""
    import numpy as np

    calm = np.concatenate([[False], above, [False]])
    bridged = np.asarray(above) | (calm[:-2] & calm[2:])
    first, last = stretches(bridged)
    long = np.flatnonzero(last - first >= _BLOCKS)
    if not len(long) or float(np.mean(above[first[long[0]] : last[long[-1]]])) < 0.5:
        return None
    return int(first[long[0]]), int(last[long[-1]])


def _trouble(
    case: str, rank: int, at: Floats, own: Floats, others: Floats, run: tuple[int, int], names: tuple[str, ...]
) -> Trouble:
    import numpy as np

    first, last = run[0] * _STEPS, run[1] * _STEPS
    first = _onset(own / np.maximum(others, 1e-12) - 1, first)
    extra = own[first:last] - others[first:last]
    lost = float(np.median(extra)) * (last - first)
    share = float(np.median(own[first:last])) / max(float(np.median(others[first:last])), 1e-12) - 1
    usual = float(np.median(np.diff(at)))
    begin = max(float(at[first - 1]), float(at[first]) - 2 * usual) if first else float(at[0]) - usual
    window = Window(begin_s=begin, end_s=float(at[last - 1]))
    text = (
        f"rank {rank} needs {100 * share:.0f} % more time for its own work than the others"
        f" ({show(float(np.median(own[first:last])), 's')} a step): they wait for it, {show(lost, 's')} in all"
    )
    return Trouble(kind="straggler", of=f"rank {rank}", window=window, text=text, lost_s=lost, metrics=names)


def _onset(excess: Floats, first: int) -> int:
    """The step from which on it was behind."""
    import numpy as np

    begin, end = max(0, first - 2 * _STEPS), first + 2 * _STEPS
    if first == 0:
        return 0
    after = float(np.median(excess[first + _STEPS : first + 4 * _STEPS]))
    before = float(np.median(excess[max(0, first - 4 * _STEPS) : max(1, first - _STEPS)]))
    return begin + jump(excess[begin:end], before, after)
