"""Energy: by the device's own counter where it has one, else by adding up power; each with how sure it is.

Sources of the errors: a counter that is updated each 100 ms against a load that changes each 0.5 s, simulated: 95 % of
differences are off by less than 12 % over 1 s, 6 % over 2 s, 2.2 % over 5 s, 0.6 % over 20 s, which is 0.12 s over the
window. Power of single instants, against the same load: up to 81 % off when read each 0.5 s or more seldom (the reading
beats with the step), 3.7 % at 0.1 s, 0.4 % at 0.02 s. A sensor's own calibration comes on top and is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from assay.machine import Device
from assay.observed import Energy, Window
from assay.telemetry.board import Board, Track
from assay.telemetry.utilization import mean
from assay.units import show

COUNTER, POWER, LIMIT = "accel.energy_j", "accel.power_w", "accel.power.limit_w"
HOST = {"host.energy_j": "processors", "host.dram.energy_j": "host memory"}
_EDGE_S = 0.12  # times the window's inverse: relative error of a counter's difference (above)
_BETWEEN = 0.2  # … and so much of a reading's period at each end, where the window begins between two readings
_INSTANT = ((0.5, 0.81), (0.1, 0.037), (0.0, 0.004))  # reading period from … on: relative error (above)
_CHECKED_S, _DISAGREE = 60.0, 0.10
_PLAUSIBLE = 1.2  # times the limit: no device draws more on the mean
_GAP = 3.0  # periods: power is not carried over a longer gap
_BUSY = 0.05
_MOST_W = 1e5  # where no limit is known


_Method = Literal["counter", "integral", "none"]


class _Found(NamedTuple):
    """Energy by one way, the interval, and what is to be said of it."""

    energy_j: float
    low_j: float
    high_j: float
    doubt: str


def energy(board: Board, of: str, window: Window) -> Energy:
    """What one device drew in a window."""
    counter, power = board.track(of, COUNTER), board.track(of, POWER)
    limit, _ = mean(board.track(of, LIMIT), window)
    counted = _counted(counter, window, limit)
    added = _added(power, window, limit)
    estimated = "estimated" in {t.quality for t in (counter, power) if t is not None}
    best, method, doubt = _chosen(counted, added, window, limit)
    if best is None or _elsewhere(board, of, best, window):
        why = "no sensor tells its power" if best is None else "its sensor shows 0: another device of its card has it"
        return Energy(device=of, window=window, energy_j=None, method="none", doubt=doubt or why)
    return Energy(
        device=of, window=window, energy_j=best.energy_j, method=method, low_j=best.low_j, high_j=best.high_j,
        estimated=estimated, doubt=doubt,
    )  # fmt: skip


def node(board: Board, window: Window, found: Sequence[Energy]) -> Energy:
    """Accelerators, processor packages and host memory together; what is estimated or has no sensor is only named.

    Partitions of one card that each show the whole card are counted once.
    """
    kept, left = _shared_out(found, board.about)
    rest = [e for host in board.hosts for name in HOST if (e := _host(board, host, name, window)) is not None]
    named = [f"no sensor: {', '.join(left)}: not in the total"] if left else []
    absent = [] if rest else ["host: no energy counter"]
    measured = [*kept, *rest]
    if not measured:
        return Energy(device="node", window=window, energy_j=None, method="none", doubt="; ".join([*named, *absent]))
    method: _Method = "counter" if all(e.method == "counter" for e in measured) else "integral"
    return Energy(
        device="node", window=window, energy_j=sum(e.energy_j or 0.0 for e in measured), method=method,
        low_j=sum(e.low_j or 0.0 for e in measured), high_j=sum(e.high_j or 0.0 for e in measured),
        doubt="; ".join([*named, *absent]),
    )  # fmt: skip


def _counted(track: Track | None, window: Window, limit: float | None) -> _Found | None:
    """The counter's growth over the window; intervals in which it was reset, or leapt beyond reason, are left out."""
    import numpy as np

    if track is None or len(track.value) < 2 or window.length_s <= 0:
        return None
    at, growth, length = track.at_s, np.diff(track.value), np.diff(track.at_s)
    most = _PLAUSIBLE * (limit or _MOST_W) * 2 * np.maximum(length, track.period_s) + 1.0
    overlap = (np.minimum(at[1:], window.end_s) - np.maximum(at[:-1], window.begin_s)).clip(min=0.0)
    reset, leapt = (growth < 0) & (overlap > 0), (growth > most) & (overlap > 0)
    good = ~(reset | leapt)
    covered = float(overlap[good].sum())
    if covered <= 0:
        return None
    value = float((growth * overlap / length)[good].sum())
    error = min(1.0, (_EDGE_S + _BETWEEN * track.period_s) / window.length_s)
    missing = max(0.0, window.length_s - covered)
    more = missing * (limit or 2 * value / covered)
    doubts = [f"the counter was reset {int(reset.sum())} times"] if reset.any() else []
    doubts += [f"the counter leapt {int(leapt.sum())} times"] if leapt.any() else []
    if missing > max(0.01 * window.length_s, 2 * track.period_s):
        doubts.append(f"{show(missing, 's')} of {show(window.length_s, 's')} are not in it")
    return _Found(value, value * (1 - error), value * (1 + error) + more, "; ".join(doubts))


def _added(track: Track | None, window: Window, limit: float | None) -> _Found | None:
    """Power added up by trapezoids; nothing is held over a gap: it is missing, and the interval says so."""
    import numpy as np

    if track is None or not len(track.value) or window.length_s <= 0:
        return None
    value, covered = _trapezoids(track, window)
    if covered <= 0:
        return None
    error = _power_error(track, window)
    missing = max(0.0, window.length_s - covered)
    more = missing * (limit or float(np.max(track.value)))
    low, high = value * (1 - error), value * (1 + error) + more
    if limit:
        high = max(value, min(high, _PLAUSIBLE * limit * window.length_s))
    doubt = ""
    if missing > max(0.01 * window.length_s, 2 * track.period_s):
        doubt = f"{show(missing, 's')} of {show(window.length_s, 's')} are not in it"
    return _Found(value, low, high, doubt)


def _trapezoids(track: Track, window: Window) -> tuple[float, float]:
    """∫P dt over what lies between readings no more than three periods apart, and how long that is."""
    import numpy as np

    at, value = track.at_s, track.value
    begin, end = np.maximum(at[:-1], window.begin_s), np.minimum(at[1:], window.end_s)
    near = (at[1:] - at[:-1] <= _GAP * track.period_s) & (end > begin)
    if not near.any():
        return 0.0, 0.0
    middle = np.interp((begin + end) / 2, at, value)
    length = (end - begin)[near]
    edge = _edges(track, window)
    return float(middle[near] @ length) + edge[0], float(length.sum()) + edge[1]


def _edges(track: Track, window: Window) -> tuple[float, float]:
    """The window before the first and after the last reading, up to half a period: the reading stands for it."""
    before = min(max(track.at_s[0] - window.begin_s, 0.0), track.period_s / 2)
    after = min(max(window.end_s - track.at_s[-1], 0.0), track.period_s / 2)
    return float(before * track.value[0] + after * track.value[-1]), float(before + after)


def _power_error(track: Track, window: Window) -> float:
    """Means over a window of the sensor's own err at the ends only; instants miss what is between them."""
    if track.quality == "average":
        return min(1.0, (_EDGE_S + _BETWEEN * track.period_s) / window.length_s)
    return next(error for period, error in _INSTANT if track.period_s >= period)


def _chosen(
    counted: _Found | None, added: _Found | None, window: Window, limit: float | None
) -> tuple[_Found | None, _Method, str]:
    """Counter first; where both disagree, whichever can be true."""
    if counted is None:
        return (added, "integral", added.doubt) if added else (None, "none", "")
    if added is None or window.length_s < _CHECKED_S:
        return counted, "counter", counted.doubt
    apart = abs(counted.energy_j - added.energy_j) / max(abs(counted.energy_j), 1e-9)
    if apart <= _DISAGREE or counted.doubt or added.doubt:
        return counted, "counter", counted.doubt
    both = f"counter ({show(counted.energy_j, 'j')}) and power ({show(added.energy_j, 'j')})"
    told = f"{both} disagree by {100 * apart:.0f} %"
    if not _plausible(counted, window, limit) and _plausible(added, window, limit):
        return added, "integral", told + "; the counter's cannot be true"
    return counted, "counter", told


def _plausible(found: _Found, window: Window, limit: float | None) -> bool:
    return 0 < found.energy_j <= _PLAUSIBLE * (limit or _MOST_W) * window.length_s


def _elsewhere(board: Board, of: str, found: _Found, window: Window) -> bool:
    """Nothing at all, while it was busy: of two devices on one card, one shows the power of both."""
    busy, _ = mean(board.track(of, "accel.busy"), window)
    return found.energy_j == 0 and busy is not None and busy > _BUSY


def _host(board: Board, host: str, name: str, window: Window) -> Energy | None:
    found = _counted(board.track(host, name), window, None)
    if found is None:
        return None
    return Energy(
        device=f"{host} {HOST[name]}", window=window, energy_j=found.energy_j, method="counter", low_j=found.low_j,
        high_j=found.high_j, doubt=found.doubt,
    )  # fmt: skip


def _shared_out(found: Sequence[Energy], devices: Mapping[str, Device]) -> tuple[list[Energy], list[str]]:
    """Each card once, and the devices that have nothing to add."""
    cards: dict[str, list[Energy]] = {}
    for one in found:
        device = devices.get(one.device)
        cards.setdefault(device.parent if device and device.parent else one.device, []).append(one)
    kept, left = list[Energy](), list[str]()
    for card, parts in cards.items():
        told = [e for e in parts if e.energy_j is not None and not e.estimated]
        whole = [e for e in told if e.device == card]
        left += [] if told else [e.device for e in parts]
        kept += whole or ([told[0]] if _same(told) else told)
    return kept, left


def _same(parts: Sequence[Energy]) -> bool:
    """Whether all parts of a card show the same, which is then the card's."""
    values = [e.energy_j or 0.0 for e in parts]
    return len(values) > 1 and max(values) - min(values) <= 0.01 * max(values)
