"""Time in which nothing happened: a collective that never ends, a run that hangs, a device left out, regular stops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assay.observed import Trouble, Window
from assay.telemetry.board import Board
from assay.telemetry.changes import episodes
from assay.telemetry.detectors.working import goes_on, steps_of, works
from assay.telemetry.utilization import stalled_bins
from assay.units import show

if TYPE_CHECKING:
    from assay.series import Flags, Floats

_STALLED_S, _JOIN_S = 120.0, 60.0
_SAVES_S, _LEAD_S = 1.0, 30.0  # a save that is shorter keeps nobody waiting; some wait for it so long before
_HANGS_S, _HANGS_STEPS = 600.0, 20.0
_IDLE, _PEERS_BUSY, _IDLE_S = 0.05, 0.5, 300.0
_LONG = 3.0  # a step of so many usual ones is a stop …
_LONG_S = 2.0  # … if it is longer by this, too
_COSTS = 0.03  # of the run: stops that cost less are only remarked on
_REGULAR, _FEWEST = 0.15, 4  # spread of the time between stops; stops


def find(board: Board) -> Iterator[Trouble]:
    """Stalled devices, hung runs, devices without work while their peers have it, and stops that come again."""
    stalled = list(_stalled(board))
    yield from stalled
    yield from (t for t in _hung(board) if all(s.window.end_s < board.window.end_s - 60.0 for s in stalled))
    for of in board.devices:
        yield from _left_out(board, of)
    stops = _stops(board)
    if stops is not None and stops[3] >= _COSTS:
        yield _stopping(board, *stops)


def notes(board: Board) -> list[str]:
    """Regular stops that cost too little to be a trouble."""
    stops = _stops(board)
    return [_stopping(board, *stops).text] if stops is not None and stops[3] < _COSTS else []


def _stalled(board: Board) -> Iterator[Trouble]:
    """Busy by its own account, and nothing moves: the device waits in a kernel, mostly for another one."""
    import numpy as np

    told = {of: flag for of in board.devices if (flag := stalled_bins(board, of)) is not None}
    if not told:
        return
    number = np.sum(np.array(list(told.values())), axis=0)
    most = number >= max(2.0, len(told) / 2)
    saving = _saving(board)
    for first, last in episodes(most & ~saving, board.grid, join_s=_JOIN_S, least_s=_STALLED_S):
        yield from _still(board, "", f"{np.median(number[first:last]):.0f} devices", first, last)
    for of, flag in told.items():
        for first, last in episodes(flag & ~most & ~saving, board.grid, join_s=_JOIN_S, least_s=_STALLED_S):
            yield from _still(board, of, board.name(of), first, last)


def _still(board: Board, of: str, who: str, first: int, last: int) -> Iterator[Trouble]:
    """A stall, unless steps went on all the while: then it is the sensors that are odd."""
    window = board.grid.window(first, last)
    if goes_on(board, window):
        return
    text = (
        f"{who} showed 100 % busy for {show(window.length_s, 's')} and did nothing: cores, matrix units, memory and"
        " power were far below their usual, as in a collective that somebody does not join"
    )
    metrics = ("accel.busy", "accel.matrix.active", "accel.memory.active", "accel.power_w")
    yield Trouble(kind="stalled", of=of, window=window, text=text, lost_s=window.length_s, metrics=metrics)


def _saving(board: Board) -> Flags:
    """Where a checkpoint is told to be under way: ranks that wait for it do so for a reason."""
    import numpy as np

    grid, count = board.grid, np.zeros(board.grid.bins + 1, dtype=np.int64)
    for s in board.stream:
        if s.metric == "checkpoint_s":
            long = s.value >= _SAVES_S
            begin_s, end_s = s.at_s[long] - s.value[long] - _LEAD_S, s.at_s[long]
            first = np.floor((begin_s - grid.begin_s) / grid.width_s).astype(np.int64).clip(0, grid.bins)
            last = np.ceil((end_s - grid.begin_s) / grid.width_s).astype(np.int64).clip(0, grid.bins)
            np.add.at(count, first, 1)
            np.add.at(count, last, -1)
    flag: Flags = np.cumsum(count[:-1]) > 0
    return flag


def _hung(board: Board) -> Iterator[Trouble]:
    import numpy as np

    steps = steps_of(board)
    if steps is None or len(steps) < 20 or not board.tracks:
        return
    since = Window(begin_s=float(steps[-1]), end_s=board.window.end_s)
    usual = float(np.median(np.diff(steps)))
    if since.length_s < max(_HANGS_S, _HANGS_STEPS * usual):
        return
    at_work = [board.loaded(of)[board.grid.within(since)].mean() > 0.5 for of in board.devices]
    if any(loaded and works(board, of, since) for of, loaded in zip(board.devices, at_work, strict=True)):
        return  # it evaluates, or does something else that it does not speak of
    text = f"no step ended in the last {show(since.length_s, 's')}, where one took {show(usual, 's')} before"
    yield Trouble(kind="hung", of="", window=since, text=text, lost_s=since.length_s, metrics=("step_s",))


def _left_out(board: Board, of: str) -> Iterator[Trouble]:
    """One device has nothing to do while most of its peers do."""
    import numpy as np

    busy = board.level(of, "accel.busy")
    peers = [level for p in board.peers[of] if (level := board.level(p, "accel.busy")) is not None]
    if busy is None or not peers:
        return
    with np.errstate(invalid="ignore"):
        idle = (busy < _IDLE) & (np.mean(np.array(peers) > _PEERS_BUSY, axis=0) > 0.5)
    for first, last in episodes(idle, board.grid, join_s=_JOIN_S, least_s=_IDLE_S):
        window = board.grid.window(first, last)
        text = f"{board.name(of)} had no work for {show(window.length_s, 's')} while its peers did"
        yield Trouble(
            kind="idle device", of=of, window=window, text=text, lost_s=window.length_s, metrics=("accel.busy",)
        )


def _stops(board: Board) -> tuple[Floats, Floats, float | None, float] | None:
    """When the steps stood still for long, by how much, how regularly, and what share of the run that is.

    What checkpoints explain is left out, and so is time in which devices worked: an evaluation is no stop.
    """
    import numpy as np

    steps, work = steps_of(board), _work(board)
    if steps is None or len(steps) < 50 or work is None:
        return None
    wait = np.diff(steps)
    usual = float(np.median(wait))
    wait = wait - _checkpoints(board, steps)[1:]
    long = np.flatnonzero((wait > _LONG * usual) & (wait - usual > _LONG_S))
    long = np.array([k for k in long.tolist() if not _worked(board, work, steps[k], steps[k + 1])], dtype=int)
    if len(long) < _FEWEST:
        return None
    at, extra = steps[long], wait[long] - usual
    return at, extra, _every(at), float(extra.sum()) / max(board.window.length_s, 1e-9)


def _work(board: Board) -> Floats | None:
    """Share of the devices' time that they worked, interval by interval; NaN where none of them tells."""
    import numpy as np

    busy = [level for of in board.devices if (level := board.level(of, "accel.busy")) is not None]
    stalled = [flag for of in board.devices if (flag := stalled_bins(board, of)) is not None]
    if not busy:
        return None
    known = np.isfinite(np.array(busy))
    total = np.where(known, np.array(busy), 0.0).sum(axis=0)
    mean = np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)
    return mean - np.mean(np.array(stalled), axis=0) if stalled else mean


def _worked(board: Board, work: Floats, begin: float, end: float) -> bool:
    """Whether devices mostly worked in between, or nobody can say; intervals that lie in it whole are asked first."""
    import numpy as np

    edges = board.grid.edges_s
    inside = (edges[:-1] >= begin) & (edges[1:] <= end)
    if not inside.any():
        inside = board.grid.within(Window(begin_s=float(begin), end_s=float(end)))
    told = work[inside & np.isfinite(work)]
    return not len(told) or float(told.mean()) > 0.5


def _checkpoints(board: Board, steps: Floats) -> Floats:
    """Checkpoint time told with each step."""
    import numpy as np

    told = [s for s in board.stream if s.metric == "checkpoint_s"]
    found = np.zeros(len(steps))
    if told:
        first = min(told, key=lambda s: s.rank)
        place = np.searchsorted(steps, first.at_s).clip(0, len(steps) - 1)
        np.add.at(found, place, first.value)
    return found


def _every(at: Floats) -> float | None:
    """The time between stops, where it is always the same (one may be missing); None where it is not."""
    import numpy as np

    gaps = np.diff(at)
    gaps = gaps[gaps > 0]
    if len(gaps) < _FEWEST - 1:
        return None
    usual = float(np.median(gaps))
    times = np.maximum(np.round(gaps / usual), 1)
    return usual if float(np.mean(np.abs(gaps / (times * usual) - 1) < _REGULAR)) > 0.8 else None


def _stopping(board: Board, at: Floats, extra: Floats, every: float | None, share: float) -> Trouble:
    import numpy as np

    size = show(float(np.median(extra)), "s")
    when = f"every {show(every, 's')}" if every else f"{len(at)} times, at no regular distance,"
    text = f"{when} the steps stand still for {size} and the devices wait: {100 * share:.1f} % of the run"
    if every:
        text += "; something that is done at regular times, as saving, logging or collecting garbage"
    window = Window(begin_s=float(at[0]), end_s=float(at[-1] + extra[-1]))
    kind = "periodic stall" if every else "stalls"
    return Trouble(kind=kind, of="", window=window, text=text, lost_s=float(extra.sum()), metrics=("step_s",))
