"""A sensor that died without saying so: it repeats its last value, shows 0, leaps, or contradicts the one beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assay.metrics import metric
from assay.observed import Trouble, Window
from assay.telemetry.board import Board, Track
from assay.telemetry.changes import episodes, scatter, stretches
from assay.telemetry.detectors.frozen import Dead, frozen
from assay.telemetry.detectors.working import goes_on, works
from assay.telemetry.levels import coarse
from assay.units import show

if TYPE_CHECKING:
    from assay.series import Floats

# A device that works has none of these at exactly 0. Matrix units may rest; then they do so on all devices alike.
_NEVER_ZERO = (
    "accel.power_w", "accel.temp.core_celsius", "accel.temp.mem_celsius", "accel.clock.core_hz", "accel.clock.mem_hz",
    "accel.mem.used_bytes", "accel.busy", "accel.core.active", "accel.occupancy", "accel.memory.active",
    "accel.flop_per_s", "accel.matrix.active",
)  # fmt: skip
_SHARES = frozenset({"accel.core.active", "accel.occupancy", "accel.memory.active", "accel.matrix.active"})
_ZERO_S = 60.0
_APART_S = 600.0
_APART = {"average": (0.85, 1.18), "instant": (0.4, 2.5)}  # energy counter over power, where they agree else
_AGREE = (0.8, 1.25)
_TEMPERATURES = ("accel.temp.core_celsius", "accel.temp.mem_celsius")
_LEAP, _AROUND, _SAME_POWER = 10.0, 30, 0.15  # degrees from one reading to the next; readings; change of power


def find(board: Board) -> Iterator[Trouble]:
    """Frozen, zero, leaping and contradicting sensors; those of one device that died together are one trouble."""
    dead = [*frozen(board), *_zero(board), *_leaping(board)]
    sound = board.without((d.of, (d.metric,), d.window) for d in dead)
    yield from _grouped(board, [*dead, *_contradicting(sound)])


def _zero(board: Board) -> Iterator[Dead]:
    for name in _NEVER_ZERO:
        for of in board.devices:
            track = board.track(of, name)
            if track is None or not (track.value == 0).any() or not (track.value != 0).any():
                continue
            for begin, end in zip(*stretches(track.value == 0), strict=True):
                window = Window(begin_s=float(track.at_s[begin]), end_s=float(track.at_s[end - 1]))
                worked_before = bool((track.value[:begin] != 0).any())
                if window.length_s >= _ZERO_S and worked_before and _contradicted(board, of, name, window):
                    yield Dead(of, name, window, "shows 0")


def _contradicted(board: Board, of: str, name: str, window: Window) -> bool:
    """Whether the device works all the same, by its power first; of matrix units, whether those of its peers do."""
    import numpy as np

    working = works(board, of, window, _SHARES if name in _SHARES else {name})
    if not (goes_on(board, window) if working is None else working):
        return False
    if name != "accel.matrix.active":
        return True
    inside = board.grid.within(window)
    alike = [level[inside] for peer in board.peers[of] if (level := board.level(peer, name)) is not None]
    if alike:
        return float(np.nan_to_num(np.concatenate(alike)).mean()) > 0.05
    return bool(goes_on(board, window))


def _leaping(board: Board) -> Iterator[Dead]:
    """A temperature that is suddenly another, at the same power: heat takes seconds to minutes."""
    for name in _TEMPERATURES:
        for of in board.devices:
            track, power = board.track(of, name), board.track(of, "accel.power_w")
            if track is not None and power is not None and len(track.value) > 2 * _AROUND:
                yield from _leaps(board, track, power)


def _leaps(board: Board, track: Track, power: Track) -> Iterator[Dead]:
    import numpy as np

    size = np.diff(track.value)
    near = np.diff(track.at_s) <= 3 * track.period_s
    found = [
        k
        for k in np.flatnonzero((np.abs(size) >= _LEAP) & near).tolist()
        if _lasts(track, k) and _calm(track, power, k)
    ]
    while found:
        k = found.pop(0)
        back = next((j for j in found if size[j] * size[k] < 0), None)
        found = [j for j in found if back is not None and j > back]
        end = board.window.end_s if back is None else float(track.at_s[back])
        window = Window(begin_s=float(track.at_s[k + 1]), end_s=end)
        yield Dead(track.of, track.metric, window, f"leapt by {size[k]:+.0f} °C at the same power")


def _lasts(track: Track, k: int) -> bool:
    import numpy as np

    before, after = track.value[max(0, k - _AROUND) : k + 1], track.value[k + 1 : k + 1 + _AROUND]
    size = abs(float(np.median(after)) - float(np.median(before)))
    return size >= max(_LEAP, 4 * scatter(before), 4 * scatter(after))


def _calm(track: Track, power: Track, k: int) -> bool:
    """Whether power was the same before and after."""
    import numpy as np

    at, reach = track.at_s[k], _AROUND * max(track.period_s, power.period_s)
    before = power.value[(power.at_s > at - reach) & (power.at_s <= at)]
    after = power.value[(power.at_s > at) & (power.at_s <= at + reach)]
    if not len(before) or not len(after):
        return False
    return abs(float(np.mean(after)) - float(np.mean(before))) <= _SAME_POWER * float(np.mean(before))


def _contradicting(board: Board) -> Iterator[Dead]:
    """Where the energy counter and the power sensor, which agree else, tell two tales."""
    import numpy as np

    per = max(1, round(60.0 / board.grid.width_s))
    for of in board.devices:
        energy, power = board.track(of, "accel.energy_j"), board.track(of, "accel.power_w")
        if energy is None or power is None:
            continue
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = coarse(energy.level, per) / coarse(power.level, per)
        usual = _agreement(ratio)
        if usual is None:
            continue
        low, high = _APART.get(power.quality, _APART["instant"])
        with np.errstate(invalid="ignore"):
            flag = np.repeat((ratio < low * usual) | (ratio > high * usual), per)[: board.grid.bins]
        for first, last in episodes(flag, board.grid, join_s=120.0, least_s=_APART_S):
            size = float(np.nanmedian(ratio[first // per : max(first // per + 1, last // per)]))
            how = f"the energy counter says {size:.2g} times what power says"
            for name in (energy.metric, power.metric):
                yield Dead(of, name, board.grid.window(first, last), how)


def _agreement(ratio: Floats) -> float | None:
    """What energy over power mostly is: of the halves of the run, the one in which they agree."""
    import numpy as np

    good = ratio[np.isfinite(ratio)]
    if len(good) < 20:
        return None
    halves = [float(np.median(half)) for half in (good[: len(good) // 2], good[len(good) // 2 :])]
    return next((usual for usual in halves if _AGREE[0] < usual < _AGREE[1]), None)


def _grouped(board: Board, dead: list[Dead]) -> Iterator[Trouble]:
    groups: list[list[Dead]] = []
    for one in sorted(dead, key=lambda d: (d.of, d.window.end_s)):
        if groups and _together(groups[-1][-1], one):
            groups[-1].append(one)
        else:
            groups.append([one])
    for group in groups:
        # One that happened to rest already when the others froze says nothing of when that was.
        window = Window(begin_s=max(d.window.begin_s for d in group), end_s=max(d.window.end_s for d in group))
        names = tuple(dict.fromkeys(d.metric for d in group))
        hows = dict.fromkeys(d.how if " says " in d.how else f"{metric(d.metric).title} {d.how}" for d in group)
        told = ", ".join(list(hows)[:3]) + (f" and {len(hows) - 3} more" if len(hows) > 3 else "")
        text = f"{board.name(group[0].of)}: {told} for {show(window.length_s, 's')}, while it worked"
        yield Trouble(kind="dead sensor", of=group[0].of, window=window, text=text, metrics=names)


def _together(one: Dead, other: Dead) -> bool:
    """Whether two sensors of a device died of the same: they came back together."""
    overlap = min(one.window.end_s, other.window.end_s) - max(one.window.begin_s, other.window.begin_s)
    longest = max(one.window.length_s, other.window.length_s)
    return one.of == other.of and abs(one.window.end_s - other.window.end_s) <= 60.0 and overlap > 0.5 * longest
