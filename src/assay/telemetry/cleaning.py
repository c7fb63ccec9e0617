"""Readings as they came, made fit for sums: what no sensor can mean is taken out, and said to have been there.

Nothing is put in the place of what is taken out: it is a gap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from assay.metrics import Metric

if TYPE_CHECKING:
    from assay.series import Flags, Floats, Series

# What a reading can be, lowest and highest, by metric or else by unit. What lies outside is a fault of the sensor, of
# the driver, or of the program that read it. Below the third number nothing but 0 is meant: a clock of 1,980 Hz is one
# of 1,980 MHz that somebody forgot to multiply.
_RANGES: dict[str, tuple[float, float, float]] = {
    "w": (0.0, 1e5, 0.0),  # a wafer draws 23 kW
    "celsius": (-20.0, 130.0, 0.0),
    "accel.temp.margin_celsius": (-60.0, 150.0, 0.0),
    "hz": (0.0, 2e10, 1e6),
    "accel.mem.used_bytes": (0.0, 1e15, 1e6),
    "accel.mem.total_bytes": (0.0, 1e15, 1e6),
}
_SHARES = frozenset({
    "accel.busy", "accel.core.active", "accel.occupancy", "accel.matrix.active", "accel.memory.active",
    "accel.throttle.score", "accel.health", "link.health", "host.cpu.busy", "host.cpu.iowait", "host.cpu.steal",
})  # fmt: skip
_OVER = 1.05  # a share may be over 1 by the width of its window; on slices of a device by more, and then it is wrong
_APART = 500.0  # levels of power, clock or temperature no device has both of: one of them is in another unit
_FIRST = 300  # readings that say which level was there first
_FACTORS = (100.0, 1e3, 1024.0, 1e6, 1024.0**2, 1e9, 1024.0**3)  # between the units one value is written in
_BLANK = 140737488355328.0  # DCGM's "there is none" begins here (dcgm_structs.h)
_BEYOND = 20.0  # times what nine in ten readings span
_PERSISTS = 30  # wrong readings in a row that are a change of unit and no accident


class Fault(NamedTuple):
    """Readings that were left out, and why."""

    kind: Literal["order", "twice", "bad", "unit"]
    begin_s: float
    end_s: float
    readings: int
    text: str


def clean(series: Series, metric: Metric, total_bytes: float | None = None) -> tuple[Floats, Floats, tuple[Fault, ...]]:
    """Times (strictly increasing) and values (finite, possible) of a series, and what was left out of it."""
    import numpy as np

    at, value, faults = series.at_s, series.value, list[Fault]()
    wrong = _impossible(value, metric, total_bytes)
    if wrong.any():
        faults += _told(at, value, wrong)
        if _persists(wrong):  # then what looks possible in between is no better
            wrong[np.flatnonzero(wrong)[0] : np.flatnonzero(wrong)[-1] + 1] = True
        at, value = at[~wrong], value[~wrong]
    lost = stray(at)
    if lost.any():
        begin = _before(at, lost)
        faults.append(Fault("order", begin, begin, int(lost.sum()), "by years, or to no time at all"))
        at, value = at[~lost], value[~lost]
    kept, disorder = _in_order(at)
    if disorder:
        faults += disorder
        at, value = at[kept], value[kept]
    if metric.name in _SHARES:
        value = value.clip(max=1.0)
    return at, value, tuple(faults)


def _impossible(value: Floats, metric: Metric, total_bytes: float | None) -> Flags:
    import numpy as np

    low, high, least = _RANGES.get(metric.name) or _RANGES.get(metric.unit) or (-np.inf, np.inf, 0.0)
    if metric.name in _SHARES or metric.kind == "state":
        low, high = 0.0, _OVER
    if metric.kind == "counter":
        low = 0.0
    if metric.name == "accel.mem.used_bytes" and total_bytes:
        high = 1.02 * total_bytes
    with np.errstate(invalid="ignore", over="ignore"):
        wrong = ~((value >= low) & (value <= high))  # NaN compares false: it is wrong as well
        wrong |= ((value >= _BLANK) & (value < _BLANK + 16)) | (np.abs(value) >= 9.2e18)
        if least:
            wrong |= (value > 0) & (value < least)
        if metric.unit in ("w", "hz", "celsius"):
            wrong |= _far_off(value, wrong)
    return np.asarray(wrong)


def _far_off(value: Floats, wrong: Flags) -> Flags:
    """Hundreds of times more or less than the level that was there first."""
    import numpy as np

    first = np.abs(value[~wrong & (value != 0)][:_FIRST])
    if not len(first):
        return np.zeros(len(value), dtype=bool)
    level, size = float(np.median(first)), np.abs(value)
    return np.asarray((size > _APART * level) | ((size > 0) & (size * _APART < level)))


def _told(at: Floats, value: Floats, wrong: Flags) -> list[Fault]:
    """A lasting run of wrong readings that is a constant factor off is a change of unit; all else is bad readings."""
    import numpy as np

    where = np.flatnonzero(wrong)
    begin, end = float(at[where[0]]), float(at[where[-1]])
    factor = _factor(value, wrong)
    if factor is not None:
        grew = "more" if factor > 1 else "less"
        times = f"{max(factor, 1 / factor):,.0f}"
        return [Fault("unit", begin, end, len(where), f"{times} times {grew} from one reading to the next")]
    seen = value[where]
    shown = ", ".join(f"{v:.4g}" for v in dict.fromkeys(seen[:3].tolist()))
    return [Fault("bad", begin, end, len(where), f"such as {shown}")]


def _factor(value: Floats, wrong: Flags) -> float | None:
    """By how much the wrong readings are off, if that is a factor between two units and they come in one piece."""
    import numpy as np

    where = np.flatnonzero(wrong)
    sound = value[~wrong & (value != 0)]
    if not _persists(wrong) or not len(sound):
        return None
    ratio = float(np.median(value[where]) / np.median(sound))
    if not np.isfinite(ratio) or ratio <= 0:
        return None
    near = min(_FACTORS, key=lambda factor: abs(np.log(max(ratio, 1 / ratio) / factor)))
    if not 0.7 < max(ratio, 1 / ratio) / near < 1.3:
        return None
    return near if ratio > 1 else 1 / near


def _before(at: Floats, lost: Flags) -> float:
    """The last good time before the first that is none."""
    import numpy as np

    good = np.flatnonzero(~lost)
    first = int(np.flatnonzero(lost)[0])
    return float(at[good[max(int(np.searchsorted(good, first)) - 1, 0)]]) if len(good) else 0.0


def stray(at: Floats) -> Flags:
    """Time stamps that are none, or that lie far beyond all the others."""
    import numpy as np

    none = ~np.isfinite(at)
    if len(at) < 10 or none.all():
        return np.asarray(none)
    low, high = np.quantile(at[~none], [0.05, 0.95])
    reach = _BEYOND * (high - low + 60.0)
    return np.asarray(none | (np.nan_to_num(at) < low - reach) | (np.nan_to_num(at) > high + reach))


def _persists(wrong: Flags) -> bool:
    """Whether wrong readings are a stretch of the run, and not strays."""
    import numpy as np

    where = np.flatnonzero(wrong)
    return len(where) >= _PERSISTS and bool(np.mean(wrong[where[0] : where[-1] + 1]) > 0.5)


def _in_order(at: Floats) -> tuple[Flags, list[Fault]]:
    """Which readings to keep so that time only grows, and what the others were."""
    import numpy as np

    step = np.diff(at)
    if (step > 0).all():
        return np.ones(len(at), dtype=bool), []
    twice, back = np.flatnonzero(step == 0), np.flatnonzero(step < 0)
    kept = _longest_growing(at) if len(back) else np.concatenate([[True], step > 0])
    faults = []
    if len(twice):
        faults.append(Fault("twice", float(at[twice[0]]), float(at[twice[-1]]), len(twice), ""))
    if len(back):
        most = float(-step[back].min())
        begin, end = float(at[back[0]]), float(at[back].max())
        faults.append(Fault("order", begin, end, int((~kept).sum()), f"back by up to {most:.3g} s"))
    return kept, faults


def _longest_growing(at: Floats) -> Flags:
    """The most readings that are in order: one stray time stamp must not cost all that follow it.

    Longest increasing subsequence by patience sorting (Fredman 1975).
    """
    from bisect import bisect_left

    import numpy as np

    tails, places, before = list[float](), list[int](), np.full(len(at), -1)
    for i, time in enumerate(at.tolist()):
        k = bisect_left(tails, time)
        before[i] = places[k - 1] if k else -1
        tails[k : k + 1], places[k : k + 1] = [time], [i]
    kept, i = np.zeros(len(at), dtype=bool), places[-1]
    while i >= 0:
        kept[i] = True
        i = int(before[i])
    return kept
