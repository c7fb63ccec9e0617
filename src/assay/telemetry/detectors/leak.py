"""Memory that only grows: a leak, with the time at which it will be full; and memory that is held but not used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from assay.observed import Trouble, Window
from assay.telemetry.board import Board
from assay.telemetry.changes import Ramp, fit_ramp, theil_sen
from assay.units import show

if TYPE_CHECKING:
    from assay.series import Floats

_BIN_S, _PER_BIN = 20.0, 4  # the least of so much time and so many readings: what is left when a step has let go
_LEAST = 0.01  # of the memory there is (of what is held, where nobody says how much there is: five times as much)
_LEAST_S = 1800.0  # growth over less is a job that starts
_PARTS = 6  # the growth is cut into so many parts, and each must show it …
_EVEN = 0.25  # … by at least this share of what it would be if it were even
_TIRES = 0.5  # growth of the last third over that of the first: what fills up slows down
_SURE = 200.0  # chi-square against memory that stays as it is
_STILL = 0.15  # of its length: growth that ended longer ago has ended
_LEAP = 0.05  # of its median, from one bin to the next


class _Memory(NamedTuple):
    """One thing that holds memory: what is left of it at its emptiest, bin by bin."""

    of: str
    who: str
    metric: str
    at_s: Floats
    value: Floats
    total_bytes: float | None


def find(board: Board) -> Iterator[Trouble]:
    """Leaks of devices, ranks and the command itself; memory that a framework's allocator cannot give out again."""
    for memory in _memories(board):
        yield from _leak(memory)
    for of, rank in dict.fromkeys((s.of, s.rank) for s in board.stream if s.metric == "memory_reserved_bytes"):
        yield from _fragmentation(board, of, rank)


def _memories(board: Board) -> Iterator[_Memory]:
    for of in board.devices:
        track = board.track(of, "accel.mem.used_bytes")
        if track is not None:
            yield _least(of, board.name(of), track.metric, track.at_s, track.value, _total(board, of))
    for of in board.hosts:
        track = board.track(of, "proc.mem.used_bytes")
        if track is not None:
            yield _least(of, "the command", track.metric, track.at_s, track.value, _host_total(board))
    for s in board.stream:
        if s.metric == "memory_allocated_bytes":
            total = _total(board, board.devices[0]) if board.devices else None
            yield _least(s.of or f"rank {s.rank}", f"rank {s.rank}", s.metric, s.at_s, s.value, total)


def _total(board: Board, of: str) -> float | None:
    device, track = board.about.get(of), board.track(of, "accel.mem.total_bytes")
    if track is not None and len(track.value):
        return float(track.value[-1])
    return device.memory_bytes if device else None


def _host_total(board: Board) -> float | None:
    told = [t for of in board.hosts if (t := board.track(of, "host.mem.total_bytes")) is not None and len(t.value)]
    return float(told[0].value[-1]) if told else None


def _least(of: str, who: str, name: str, at: Floats, value: Floats, total: float | None) -> _Memory:
    """The smallest value of each bin, at the bin's middle."""
    import numpy as np

    order = np.argsort(at, kind="stable")
    order = order[np.isfinite(value[order])]
    at, value = at[order], value[order]
    if len(at) < 2:
        return _Memory(of, who, name, at, value, total)
    width = max(_BIN_S, _PER_BIN * float(np.median(np.diff(at))))
    place = ((at - at[0]) // width).astype(np.int64)
    starts = np.flatnonzero(np.diff(place, prepend=-1) != 0)
    return _Memory(
        of, who, name, at[0] + width * (place[starts] + 0.5), np.minimum.reduceat(value, starts), total
    )  # fmt: skip


def _leak(memory: _Memory) -> Iterator[Trouble]:
    fit = _growth(memory.at_s, memory.value, memory.total_bytes)
    if fit is None:
        return
    end = float(memory.at_s[-1])
    inside = memory.at_s >= fit.begin_s
    slope = theil_sen(memory.at_s[inside], memory.value[inside])
    text = f"memory of {memory.who} grows by {show(slope * 3600, 'bytes')} an hour, {show(fit.grown, 'bytes')} so far"
    if memory.total_bytes:
        left = (memory.total_bytes - float(memory.value[-1])) / slope
        text += f"; at this rate it is full in {show(max(left, 0.0), 's')}"
    text += _began(fit)
    window = Window(begin_s=fit.begin_s, end_s=end)
    yield Trouble(kind="leak", of=memory.of, window=window, text=text, metrics=(memory.metric,))


def _began(fit: Ramp) -> str:
    return f"; it began between {show(fit.early_s, 's')} and {show(fit.late_s, 's')} (90 % interval)"


def _growth(at: Floats, value: Floats, total: float | None) -> Ramp | None:
    """The ramp that memory is on, if it is steady, long, large enough, and has not ended."""
    import numpy as np

    if len(at) < 50:
        return None
    leapt = np.flatnonzero(np.abs(np.diff(value)) > _LEAP * max(float(np.median(value)), 1.0))
    start = int(leapt[-1]) + 1 if len(leapt) else 0  # since memory was last set up, or let go of
    at, value = at[start:], value[start:]
    low = float(np.quantile(value, 0.1))
    least = _LEAST * total if total else 5 * _LEAST * abs(low)
    if len(at) < 50 or float(np.median(value[-10:])) - low < least:
        return None
    fit = fit_ramp(at, value)
    if fit is None or fit.gain < _SURE:
        return None
    ended = at[-1] - fit.end_s > _STILL * fit.length_s
    if fit.grown < least or fit.length_s < _LEAST_S or ended or not _even(at, value, fit):
        return None
    return fit


def _even(at: Floats, value: Floats, fit: Ramp) -> bool:
    """Whether it grew in each part of the way: a staircase of two steps, or growth that tires, is no leak."""
    import numpy as np

    edges = np.linspace(fit.begin_s, float(at[-1]), _PARTS + 1)
    near = (edges[1] - edges[0]) / 4
    middles = edges.clip(edges[0] + near, edges[-1] - near)
    growth = np.diff([np.median(value[np.abs(at - middle) <= near]) for middle in middles])
    third = _PARTS // 3
    tires = growth[-third:].sum() < _TIRES * growth[:third].sum()
    return bool((growth > _EVEN * fit.grown / _PARTS).all()) and not tires


def _fragmentation(board: Board, of: str, rank: int) -> Iterator[Trouble]:
    import numpy as np

    found = {s.metric: s for s in board.stream if (s.of, s.rank) == (of, rank)}
    held, used = found["memory_reserved_bytes"], found.get("memory_allocated_bytes")
    if used is None:
        return
    _, mine, theirs = np.intersect1d(held.index, used.index, return_indices=True)
    who, total = f"rank {rank}", _total(board, board.devices[0]) if board.devices else None
    gap = _least(of, who, held.metric, held.at_s[mine], held.value[mine] - used.value[theirs], total)
    fit = _growth(gap.at_s, gap.value, total)
    kept = _least(of, who, used.metric, used.at_s, used.value, total)
    if fit is None or _growth(kept.at_s, kept.value, total) is not None:
        return
    text = (
        f"{who} holds {show(fit.after, 'bytes')} that it does not use, {show(fit.before, 'bytes')} before: its memory"
        f" is in pieces that are too small" + _began(fit)
    )
    window = Window(begin_s=fit.begin_s, end_s=float(gap.at_s[-1]))
    yield Trouble(
        kind="fragmentation", of=of or who, window=window, text=text, metrics=(held.metric, used.metric)
    )  # fmt: skip
