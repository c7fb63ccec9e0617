"""A sensor that repeats its last value: what it says is old, and looks like a calm device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from assay.metrics import metric
from assay.observed import Window
from assay.telemetry.board import Board, Track
from assay.telemetry.detectors.working import goes_on, works
from assay.telemetry.utilization import mean
from assay.units import show

if TYPE_CHECKING:
    from assay.series import Floats


class Dead(NamedTuple):
    """A sensor that cannot be believed in a window, and why."""

    of: str
    metric: str
    window: Window
    how: str


class _Usual(NamedTuple):
    """How long a sensor stands still: at most, on average, and how much of its time was looked at."""

    longest_s: float
    mean_s: float
    known_s: float


# Sensors that move while there is work. Whether one does is read from itself and from its like on other devices.
_MOVES = (
    "accel.power_w", "accel.energy_j", "accel.temp.core_celsius", "accel.temp.mem_celsius", "accel.core.active",
    "accel.matrix.active", "accel.memory.active", "accel.occupancy", "accel.busy", "accel.clock.core_hz",
    "accel.flop_per_s", "host.cpu.busy", "host.energy_j",
)  # fmt: skip
_ALWAYS = ("accel.power_w", "accel.energy_j")  # … and these two even where there is nothing to compare them with
_FROZEN_S = 600.0
_FEWEST = 2  # of its like
_LONGER, _TIMES = 3.0, 20.0  # than it ever stood still else; than it does on average
_ORDINARY_S = 1800.0  # of ordinary readings, to know what is usual
_LONGER_ALONE = 6.0  # … one in whole degrees, that has no like to be compared with, or was not seen to move again
_FAR = 8.0  # … then no change of work explains it
_CHANGED = 0.15  # of power: other work
_BESIDE_S, _MOVED = 300.0, 10  # moves right before and after it stood still
_EDGE_S = 60.0  # where a standstill begins and ends it may be one side of a rise or a fall
_ALIKE, _MOST = 0.7, 0.8  # correlation with its like on other devices; share of them that must have moved
_AT_LIMIT = 0.98
_QUICK = 3.0  # readings it stands still for, on average


def frozen(board: Board) -> Iterator[Dead]:
    """Sensors that stood still as neither they nor their like do, while the device worked or the run went on."""
    import numpy as np

    for name in _MOVES:
        tracks = {of: t for (of, n), t in board.tracks.items() if n == name and len(t.value) > 1}
        stood = {of: _standstills(track) for of, track in tracks.items()}
        usual = {of: _usual(track, stood[of]) for of, track in tracks.items()}
        step = {of: _step(track) for of, track in tracks.items()}
        for of, track in tracks.items():
            alike = [
                p for p in board.peers.get(of, ()) if p in usual and step[of] / 2 <= step[p] <= 2 * (step[of] or 1e99)
            ]
            peers = [usual[p] for p in alike if usual[p].known_s >= _ORDINARY_S]
            for k in np.flatnonzero(stood[of][:, 1] - stood[of][:, 0] >= _FROZEN_S).tolist():
                begin, end, value = stood[of][k].tolist()
                window = Window(begin_s=begin, end_s=end)
                if _natural(board, track, window, value) or not (
                    goes_on(board, window) or works(board, of, window, {name})
                ):
                    continue
                if _missed(board, track, window) or _beyond(board, track, window, _usual(track, stood[of], k), peers):
                    yield Dead(of, name, window, f"stood at {_shown(value, name)}")


def _standstills(track: Track) -> Floats:
    """Begin, end and value of each time in which a sensor said exactly the same, one a row; gaps end it."""
    import numpy as np

    new = (np.diff(track.value) != 0) | (np.diff(track.at_s) > 10 * max(track.period_s, 1e-9))
    first = np.concatenate([[0], np.flatnonzero(new) + 1])
    last = np.concatenate([first[1:], [len(track.value)]]) - 1
    return np.stack([track.at_s[first], track.at_s[last] + track.period_s, track.value[first]], axis=1)


def _usual(track: Track, runs: Floats, asked: int | None = None) -> _Usual:
    """How long a sensor that is well stands still, at most and on average.

    The one that is `asked` about is no yardstick. Nor are others as long, if the sensor moves with nearly every
    reading; one that shows whole degrees rests now and then, and all its rests count.
    """
    import numpy as np

    length = np.delete(runs[:, 1] - runs[:, 0], [] if asked is None else [asked])
    short = length[length < _FROZEN_S]
    if len(short) and short.mean() < _QUICK * track.period_s:
        length = short
    return (
        _Usual(float(length.max()), float(length.mean()), float(length.sum())) if len(length) else _Usual(0.0, 0.0, 0.0)
    )


def _beyond(board: Board, track: Track, window: Window, own: _Usual, peers: list[_Usual]) -> bool:
    """Whether a sensor stood still as it does not by nature, and neither do its like on other devices."""
    import numpy as np

    if own.known_s < _ORDINARY_S and len(peers) < _FEWEST:
        return track.metric in _ALWAYS
    longest = max(own.longest_s, float(np.median([p.longest_s for p in peers])) if len(peers) >= _FEWEST else 0.0)
    mean_s = max(own.mean_s, float(np.median([p.mean_s for p in peers])) if len(peers) >= _FEWEST else 0.0)
    coarse = mean_s >= _QUICK * track.period_s
    open_ended = window.end_s + _BESIDE_S > track.at_s[-1] or window.begin_s - _BESIDE_S < track.at_s[0]
    longer = _LONGER_ALONE if coarse and (open_ended or len(peers) < _FEWEST) else _LONGER
    if window.length_s < max(longer * longest, _TIMES * mean_s):
        return False
    if not coarse:
        return True
    far = window.length_s >= _FAR * longest
    known = own.known_s >= max(_ORDINARY_S, window.length_s)  # by itself: one device shows calmer degrees than another
    return known and _abrupt(track, window) and (far or not _woken(board, track.of, window.end_s))


def _abrupt(track: Track, window: Window) -> bool:
    """Whether it moved often right before and right after. One that shows whole degrees comes to rest by and by."""
    moves = track.at_s[1:][track.value[1:] != track.value[:-1]]
    before = ((moves >= window.begin_s - _BESIDE_S) & (moves < window.begin_s)).sum()
    after = ((moves > window.end_s) & (moves <= window.end_s + _BESIDE_S)).sum()
    begins = window.begin_s - _BESIDE_S < track.at_s[0]
    ends = window.end_s + _BESIDE_S > track.at_s[-1]
    return bool((begins or before >= _MOVED) and (ends or after >= _MOVED))


def _woken(board: Board, of: str, time: float) -> bool:
    """Whether the device's work changed at a moment: a reason to move again for a sensor that rested by nature."""
    import numpy as np

    power = board.level(of, "accel.power_w")
    power = board.level(of, "accel.busy") if power is None else power
    if power is None:
        return False
    before = power[board.grid.within(Window(begin_s=time - _EDGE_S, end_s=time))]
    after = power[board.grid.within(Window(begin_s=time, end_s=time + _EDGE_S))]
    level = np.concatenate([before, after])
    level = level[np.isfinite(level)]
    return bool(len(level)) and float(np.ptp(level)) > _CHANGED * float(level.max())


def _missed(board: Board, track: Track, window: Window) -> bool:
    """Whether its like on the other devices all went up and down meanwhile, as they and it do else."""
    import numpy as np

    levels = [level for p in board.peers.get(track.of, ()) if (level := board.level(p, track.metric)) is not None]
    if len(levels) < _FEWEST:
        return False
    inside = board.grid.within(Window(begin_s=window.begin_s + _EDGE_S, end_s=window.end_s - _EDGE_S))
    mine, theirs = track.level, np.median(np.array(levels), axis=0)
    both = np.isfinite(mine) & np.isfinite(theirs)
    rest = both & ~inside
    if rest.sum() < 60 or (inside & both).sum() < 10 or not np.ptp(mine[rest]) or not np.ptp(theirs[rest]):
        return False
    least = max(3 * _step(track), 0.5 * float(np.ptp(np.quantile(theirs[rest], [0.05, 0.95]))))
    parts = [level[inside & both & np.isfinite(level)] for level in levels]
    moved = [len(part) > 0 and float(np.ptp(part)) > least for part in parts]
    alike = float(np.corrcoef(mine[rest], theirs[rest])[0, 1])
    return alike > _ALIKE and float(np.mean(moved)) >= _MOST and float(np.ptp(mine[inside & both])) == 0


def _step(track: Track) -> float:
    """The small differences that a sensor shows; of one in whole degrees, a degree."""
    import numpy as np

    moves = np.abs(np.diff(track.value))
    return float(np.quantile(moves[moves > 0], 0.05)) if (moves > 0).any() else 0.0


def _natural(board: Board, track: Track, window: Window, value: float) -> bool:
    """A share may well stand at 0 or 1, a clock at its highest, power at its limit, a counter of nothing at 0."""
    import numpy as np

    if track.metric == "accel.power_w":
        limit, _ = mean(board.track(track.of, "accel.power.limit_w"), window)
        return value == 0 or (limit is not None and value >= _AT_LIMIT * limit)
    if track.metric.endswith("_hz"):
        return value >= 0.999 * float(np.max(track.value))
    if metric(track.metric).unit == "":
        return value == 0 or value > 0.99
    return value == 0


def _shown(value: float, name: str) -> str:
    unit = metric(name).unit
    return show(value, unit) if unit else f"{100 * value:.1f} %"
