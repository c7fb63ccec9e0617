"""A clock that is lower than the device's own and nobody says why; one that swings; a power limit that was lowered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assay.observed import Trouble, Window
from assay.telemetry.board import Board, Track
from assay.telemetry.changes import episodes, rolling, scatter, spells, stretches
from assay.telemetry.detectors.throttle import CLOCK, lost_s, throttled
from assay.telemetry.levels import coarse
from assay.units import show

if TYPE_CHECKING:
    from assay.series import Flags, Floats

LIMIT, POWER, TEMPERATURE = "accel.power.limit_w", "accel.power_w", "accel.temp.core_celsius"
_LOW = 0.95  # of its own 95th percentile under load
_UNREST = 3.0  # … and by so many deviations from the ten minutes around
_LEAST_S, _JOIN_S = 60.0, 60.0
_NEAR = 0.20  # how far activity may be from its usual for the work to be the same, and its clock to be comparable
_WORK = {"accel.matrix.active": 1, "accel.memory.active": 1, "accel.core.active": 1, POWER: 3}
_PHASES = 5  # times that it happens for no reason: then it is the work that comes and goes
_HOT = 3.0  # degrees below the hottest it ever was
_AT_LIMIT = 0.98
_LOWERED = 0.02  # of the limit
_SWING, _TIMES, _MINUTES = 0.015, 6.0, 2.0  # change from reading to reading; over its usual; for so long


def find(board: Board) -> Iterator[Trouble]:
    """Slow and swinging clocks, lowered limits."""
    for of in board.devices:
        yield from _limit(board, of)
        clock = board.level(of, CLOCK)
        if clock is not None:
            yield from _slow(board, of, clock)
            yield from _swinging(board, of)


def _limit(board: Board, of: str) -> Iterator[Trouble]:
    """A limit that was lowered while the run went on, until it was raised again."""
    import numpy as np

    track = board.track(of, LIMIT)
    if track is None or len(track.value) < 2:
        return
    first = float(np.median(track.value[:3]))
    for begin, end in zip(*stretches(track.value < (1 - _LOWERED) * first), strict=True):
        to_s = track.at_s[end] if end < len(track.at_s) else board.window.end_s
        new = float(np.median(track.value[begin:end]))
        if end - begin < 2 or begin == 0:
            continue
        window = Window(begin_s=float(track.at_s[begin]), end_s=float(to_s))
        text = f"the power limit of {board.name(of)} was lowered from {show(first, 'w')} to {show(new, 'w')}"
        lost, clock = _cost(board, of, window)
        if clock is not None and lost:
            text += f"; its clock fell to {show(clock, 'hz')}"
        yield Trouble(kind="power cap", of=of, window=window, text=text, lost_s=lost, metrics=(LIMIT, POWER, CLOCK))


def _cost(board: Board, of: str, window: Window) -> tuple[float | None, float | None]:
    import numpy as np

    clock = board.level(of, CLOCK)
    if clock is None:
        return None, None
    inside = board.grid.within(window)
    free = clock[board.loaded(of) & ~inside & np.isfinite(clock)]
    where = np.flatnonzero(inside)
    usual = float(np.median(free)) if len(free) >= 6 else None
    return lost_s(board, of, int(where[0]), int(where[-1]) + 1, usual) if len(where) else (None, None)


def _slow(board: Board, of: str, clock: Floats) -> Iterator[Trouble]:
    import numpy as np

    steady = _steady(board.loaded(of)) & np.isfinite(clock)
    if steady.sum() < 30 or not np.median(clock[steady]):
        return
    comparable = steady & _same_work(board, of, clock / float(np.median(clock[steady])))
    if comparable.sum() < 30:
        return
    usual = float(np.quantile(clock[comparable], 0.95))
    alone = np.where(comparable, clock, np.nan)
    unrest = scatter(alone - rolling(alone, max(3, round(600.0 / board.grid.width_s))))
    comparable &= ~_widened(throttled(board, of) | capped(board, of))
    low = rolling(np.where(comparable, clock, np.nan), 3) < _LOW * usual - _UNREST * unrest
    least_s = max(_LEAST_S, 4 * board.grid.width_s)
    found = [
        _named(board, of, first, last, usual)
        for first, last in spells(low, comparable, board.grid, join_s=_JOIN_S, least_s=least_s)
    ]
    if sum(trouble.kind == "slow clock" for trouble in found) < _PHASES:
        yield from found


def _named(board: Board, of: str, first: int, last: int, usual: float) -> Trouble:
    """The cause, by what power and temperature did meanwhile."""
    import numpy as np

    lost, clock = lost_s(board, of, first, last, usual)
    part = slice(first, last)
    kind, cause = "slow clock", ""
    power, limit, hot = board.level(of, POWER), _held(board, of, LIMIT), board.level(of, TEMPERATURE)
    use = None if power is None or limit is None else _mid(power[part] / limit[part])
    warm = None if hot is None else _mid(hot[part])
    if use is not None and use >= _AT_LIMIT:
        kind, cause = "power throttle", "at its power limit"
    elif hot is not None and warm is not None and warm >= float(np.nanmax(hot)) - _HOT and _hotter(hot, first, last):
        kind, cause = "thermal throttle", f"at {warm:.0f} °C, the hottest of this run, and with power to spare"
    text = f"{board.name(of)} ran at {show(clock, 'hz')} for {show((last - first) * board.grid.width_s, 's')}"
    text += f" where it runs at {show(usual, 'hz')} else" + (f": {cause}" if cause else "; no sensor says why")
    metrics = (CLOCK, POWER, TEMPERATURE)
    return Trouble(kind=kind, of=of, window=board.grid.window(first, last), text=text, lost_s=lost, metrics=metrics)


def _hotter(hot: Floats, first: int, last: int) -> bool:
    """Whether it was warmer than its usual, by more than its usual ups and downs."""
    import numpy as np

    rest = np.concatenate([hot[:first], hot[last:]])
    rest, warm = rest[np.isfinite(rest)], _mid(hot[first:last])
    return warm is not None and (len(rest) < 6 or warm > float(np.median(rest)) + 1.0)


def _swinging(board: Board, of: str) -> Iterator[Trouble]:
    """A clock that goes up and down by the second, under constant load, as it did not before."""
    import numpy as np

    track = board.track(of, CLOCK)
    if track is None or len(track.value) < 600:
        return
    per = max(1, round(60.0 / board.grid.width_s))
    swing = _swing(board, track, per)
    fair = _steady(board.loaded(of)) & ~throttled(board, of)
    steady = coarse(np.where(fair, 1.0, 0.0), per) > 0.9
    usual = swing[steady & np.isfinite(swing)]
    if len(usual) < 10:
        return
    least = max(_SWING, _TIMES * float(np.median(usual)))
    flag = np.repeat(steady & (swing > least), per)[: board.grid.bins]
    for first, last in episodes(flag, board.grid, join_s=120.0, least_s=_MINUTES * 60.0):
        size = float(np.nanmedian(swing[first // per : max(first // per + 1, last // per)]))
        text = (
            f"the clock of {board.name(of)} changes by {100 * size:.1f} % from one reading to the next under constant"
            f" load, {100 * np.median(usual):.1f} % else"
        )
        window = board.grid.window(first, last)
        yield Trouble(kind="unsteady clock", of=of, window=window, text=text, metrics=(CLOCK,))


def _swing(board: Board, track: Track, per: int) -> Floats:
    """Mean change from one reading to the next in each minute, relative to the clock; one change of level is little."""
    import numpy as np

    rows = -(-board.grid.bins // per)
    place = np.floor((track.at_s[1:] - board.grid.begin_s) / (per * board.grid.width_s)).astype(np.int64)
    place = place.clip(0, rows - 1)
    n = np.bincount(place, minlength=rows)
    change = np.bincount(place, weights=np.abs(np.diff(track.value)), minlength=rows)
    total = np.bincount(place, weights=track.value[1:], minlength=rows)
    return np.where((n >= 10) & (total > 0), change / np.maximum(total, 1.0), np.nan)


def _steady(flag: Flags) -> Flags:
    """Without the first and last interval of each stretch: work began or ended within them."""
    import numpy as np

    padded = np.concatenate([[True], flag, [True]])
    inner: Flags = flag & padded[:-2] & padded[2:]
    return inner


def _widened(flag: Flags) -> Flags:
    import numpy as np

    padded = np.concatenate([[False, False], flag, [False, False]])
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, 5).any(axis=1))


def _same_work(board: Board, of: str, clock: Floats) -> Flags:
    """Where the chip did what it mostly does: another kernel mix has another clock, and nothing is wrong.

    `clock` is relative to its usual. Activity may change by as much as the clock did, power (which goes with its square
    to cube) by more: that is the effect of a slow clock and no other work. A higher clock at less power is other work.
    """
    import numpy as np

    same, loaded = np.ones(board.grid.bins, dtype=bool), board.loaded(of)
    for name, power in _WORK.items():
        level = board.level(of, name)
        if level is None or not (loaded & np.isfinite(level)).any():
            continue
        usual = float(np.nanmedian(level[loaded]))
        if usual > 0.02:
            with np.errstate(invalid="ignore", divide="ignore"):
                low, high = np.minimum(1 - _NEAR, 0.9 * clock**power), np.maximum(1 + _NEAR, 1.1 / clock)
                if name == POWER:
                    low = np.where(clock > 1.02, 0.95, low)
                same &= ~((level < low * usual) | (level > high * usual))
    return same


def capped(board: Board, of: str) -> Flags:
    """Where a lowered limit explains the clock."""
    import numpy as np

    flag = np.zeros(board.grid.bins, dtype=bool)
    for trouble in _limit(board, of):
        flag |= board.grid.within(trouble.window)
    return flag


def _held(board: Board, of: str, name: str) -> Floats | None:
    """A sensor that is read rarely, held until it is read again."""
    import numpy as np

    level = board.level(of, name)
    if level is None or not np.isfinite(level).any():
        return None
    last = np.maximum.accumulate(np.where(np.isfinite(level), np.arange(len(level)), 0))
    return np.asarray(level[last])


def _mid(values: Floats) -> float | None:
    import numpy as np

    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else None
