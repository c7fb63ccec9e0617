"""A device that slows itself down and says so: by a counter, by a flag, or by a score."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from assay.observed import Trouble
from assay.telemetry.board import Board
from assay.telemetry.changes import episodes
from assay.units import show

if TYPE_CHECKING:
    from assay.series import Flags, Floats


class _Kind(NamedTuple):
    """One reason to slow down, and the sensors that tell it: seconds per second, or a state."""

    kind: str
    sensors: tuple[str, ...]
    words: str


KINDS = (
    _Kind(
        "thermal throttle", ("accel.throttle.thermal.time_s", "accel.throttle.thermal"), "slowed itself down for heat"
    ),
    _Kind("power throttle", ("accel.throttle.power.time_s", "accel.throttle.power"), "was held by its power limit"),
    _Kind("other throttle", ("accel.throttle.other",), "slowed itself down, its driver does not say why"),
    _Kind("throttle", ("accel.throttle.score",), "says that it was throttled"),
)
CLOCK = "accel.clock.core_hz"
_SHARE = 0.05  # of an interval: below it a throttle is no more than a blink
_JOIN_S, _LEAST_S = 120.0, 10.0  # what comes again so soon is one episode; seconds throttled that make it one
_ALWAYS = 0.8  # of its loaded time: then this is how the device runs, and there is nothing to compare it with


def find(board: Board) -> Iterator[Trouble]:
    """Every episode of every kind on every device."""
    for of in board.devices:
        for kind in KINDS:
            yield from _episodes(board, of, kind)


def throttled(board: Board, of: str) -> Flags:
    """Where a device says of itself that it is slowed down, for whatever reason."""
    import numpy as np

    flag = np.zeros(board.grid.bins, dtype=bool)
    for kind in KINDS:
        flag |= np.nan_to_num(_share(board, of, kind)) > _SHARE
    return flag


def usual_clock(board: Board, of: str, flag: Flags) -> float | None:
    """The clock of a device that has work and is not slowed down; None where that is never seen."""
    import numpy as np

    clock = board.level(of, CLOCK)
    if clock is None:
        return None
    free = clock[board.loaded(of) & ~flag & np.isfinite(clock)]
    return float(np.median(free)) if len(free) >= 6 else None


def _share(board: Board, of: str, kind: _Kind) -> Floats:
    """Share of each interval that the device was slowed down, as whichever sensor shows more of it."""
    import numpy as np

    levels = [level for name in kind.sensors if (level := board.level(of, name)) is not None]
    if not levels:
        return np.full(board.grid.bins, np.nan)
    most: Floats = np.fmax.reduce(levels).clip(0.0, 1.0)
    return most


def _episodes(board: Board, of: str, kind: _Kind) -> Iterator[Trouble]:
    import numpy as np

    share = np.nan_to_num(_share(board, of, kind))
    flag = share > _SHARE
    if not flag.any():
        return
    loaded = board.loaded(of)
    always = loaded.any() and float(np.mean(flag[loaded])) > _ALWAYS
    usual = None if always else usual_clock(board, of, throttled(board, of))
    found = list(episodes(flag, board.grid, join_s=_JOIN_S, least_s=0.0))
    for first, last in [(found[0][0], found[-1][1])] if always else found:
        seconds = float(share[first:last].sum()) * board.grid.width_s
        if seconds >= _LEAST_S:
            yield _trouble(board, of, kind, first, last, seconds, usual)


def _trouble(
    board: Board, of: str, kind: _Kind, first: int, last: int, seconds: float, usual: float | None
) -> Trouble:  # fmt: skip
    lost, clock = lost_s(board, of, first, last, usual)
    text = f"{board.name(of)} {kind.words} for {show(seconds, 's')}"
    if usual and clock and clock < usual:
        text += f": {show(clock, 'hz')} where it runs at {show(usual, 'hz')} else"
    there = tuple(name for name in kind.sensors if board.track(of, name))
    return Trouble(
        kind=kind.kind, of=of, window=board.grid.window(first, last), text=text, lost_s=lost, metrics=(*there, CLOCK)
    )


def lost_s(board: Board, of: str, first: int, last: int, usual: float | None) -> tuple[float | None, float | None]:
    """Time that a low clock cost, ∫(1 - clock/usual)dt, and the clock it had."""
    import numpy as np

    clock = board.level(of, CLOCK)
    if clock is None or usual is None:
        return None, None
    part = clock[first:last]
    part = part[np.isfinite(part) & board.loaded(of)[first:last]]
    if not len(part):
        return None, None
    missing = (1 - part / usual).clip(0.0, 1.0)
    return float(missing.mean()) * (last - first) * board.grid.width_s, float(np.median(part))
