"""Training that goes wrong by its own account: a loss that is no number, or that climbs and stays up."""

from __future__ import annotations

from collections.abc import Iterator

from assay.observed import Trouble, Window
from assay.series import Series
from assay.telemetry.board import Board
from assay.telemetry.changes import jump, rolling, scatter

_BLOCK = 20  # steps
_CLIMBS, _SIGMAS = 0.20, 8.0  # over its lowest, relative; in deviations from block to block
_STAYS = 5  # blocks up to the end


def find(board: Board) -> Iterator[Trouble]:
    """Every loss that left the numbers, every gradient norm and every loss that left its way down for good."""
    for s in board.stream:
        if s.metric in ("loss", "eval_loss", "grad_norm"):
            yield from _no_number(s)
        if s.metric == "loss":
            yield from _diverged(s)


def _no_number(s: Series) -> Iterator[Trouble]:
    import numpy as np

    odd = ~np.isfinite(s.value)
    if s.metric == "grad_norm":  # a step whose scaled gradients overflow is skipped, and the next is well again
        odd &= np.logical_and.accumulate(odd[::-1])[::-1]
    bad = np.flatnonzero(odd)
    if len(bad):
        window = Window(begin_s=float(s.at_s[bad[0]]), end_s=float(s.at_s[bad[-1]]))
        text = f"{s.metric} is not a number in {len(bad)} of {len(s)} reports, first in step {s.index[bad[0]]}"
        yield Trouble(kind="non-finite", of=s.of or f"rank {s.rank}", window=window, text=text, metrics=(s.metric,))


def _diverged(s: Series) -> Iterator[Trouble]:
    import numpy as np

    good = np.isfinite(s.value)
    at, value, index = s.at_s[good], s.value[good], s.index[good]
    blocks = len(value) // _BLOCK
    if blocks < 4 * _STAYS:
        return
    level = np.median(value[: blocks * _BLOCK].reshape(blocks, _BLOCK), axis=1)
    lowest = np.minimum.accumulate(rolling(level, 3))
    noise = scatter(np.diff(level))
    up = level - lowest > np.maximum(_CLIMBS * np.abs(lowest), _SIGMAS * noise)
    if not up[-_STAYS:].all():
        return
    down = np.flatnonzero(~up)
    first = (int(down[-1]) + 1 if len(down) else 0) * _BLOCK
    begin = max(0, first - 2 * _BLOCK)
    k = begin + jump(value[begin : first + 2 * _BLOCK], float(lowest[-1]), float(level[-_STAYS:].mean()))
    text = f"loss climbed from {lowest[-1]:.3g} to {level[-1]:.3g} from step {index[k]} on, and stayed up"
    window = Window(begin_s=float(at[k]), end_s=float(at[-1]))
    yield Trouble(kind="diverged", of=s.of or f"rank {s.rank}", window=window, text=text, metrics=("loss",))
