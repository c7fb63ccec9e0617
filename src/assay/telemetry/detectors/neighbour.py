"""Somebody else on the machine: time stolen by a hypervisor, processors, storage or a device that are shared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from assay.observed import Trouble
from assay.telemetry.board import Board
from assay.telemetry.changes import episodes, rolling


class _Sign(NamedTuple):
    """A sensor of the host, from what share on it is a trouble, for how long, and what it says.

    `over`: what it must be above its usual as well, because some of it is the work itself.
    """

    metric: str
    least: float
    over: float
    least_s: float
    words: str


SIGNS = (
    _Sign("host.cpu.steal", 0.05, 0.0, 120.0, "of the host's processor time went to other virtual machines"),
    _Sign("host.cpu.iowait", 0.30, 0.20, 300.0, "of the host's processors waited for storage"),
    _Sign("host.pressure.cpu_s", 0.60, 0.30, 300.0, "of the time processes waited for a processor"),
    _Sign("host.pressure.io_s", 0.60, 0.40, 300.0, "of the time processes waited for storage"),
    _Sign("host.pressure.memory_s", 0.10, 0.05, 60.0, "of the time processes waited for memory"),
)
_JOIN_S, _STAYS_S = 60.0, 60.0


def find(board: Board) -> Iterator[Trouble]:
    """Hosts that are short of something for long, and devices that got company."""
    for of in board.hosts:
        for sign in SIGNS:
            yield from _short(board, of, sign)
    for of in board.devices:
        yield from _company(board, of)


def _short(board: Board, of: str, sign: _Sign) -> Iterator[Trouble]:
    import numpy as np

    level = board.level(of, sign.metric)
    if level is None or not np.isfinite(level).any():
        return
    usual = float(np.nanmedian(level))
    if usual >= sign.least and sign.over:
        return  # the work itself needs more than there is
    least = max(sign.least, usual + sign.over) if usual < sign.least else sign.least
    with np.errstate(invalid="ignore"):
        high = rolling(level, 3) > least
    for first, last in episodes(high, board.grid, join_s=_JOIN_S, least_s=sign.least_s):
        share = float(np.nanmean(level[first:last]))
        text = f"{100 * share:.0f} % {sign.words}" + (
            f", {100 * usual:.0f} % else" if usual < sign.least else ", all the time"
        )
        window = board.grid.window(first, last)
        yield Trouble(kind="noisy neighbour", of=of, window=window, text=text, metrics=(sign.metric,))


def _company(board: Board, of: str) -> Iterator[Trouble]:
    """More processes on a device than the run put there itself."""
    import numpy as np

    level = board.level(of, "accel.processes")
    loaded = board.loaded(of)
    if level is None or not np.isfinite(level[loaded]).any():
        return
    usual = float(np.nanmedian(level[loaded]))
    with np.errstate(invalid="ignore"):
        more = level > usual + 0.5
    for first, last in episodes(more, board.grid, join_s=_JOIN_S, least_s=_STAYS_S):
        most = float(np.nanmedian(level[first:last]))
        text = f"{board.name(of)} was shared: {most:.0f} processes held memory on it, {usual:.0f} else"
        window = board.grid.window(first, last)
        yield Trouble(kind="noisy neighbour", of=of, window=window, text=text, metrics=("accel.processes",))
