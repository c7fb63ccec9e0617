"""Many readings as few: each stretch of time by its lowest, mean and highest reading. A gap stays a gap."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.metrics import Metric, metric
from assay.report.study import LARGEST

if TYPE_CHECKING:
    from assay.series import Flags, Floats, Ints, Series

MOST = 384  # points of a curve on a page; a third of them on a phone
_GAP = 3.0  # periods without a reading
_SEEN = 0.5  # of a point's stretch: a shorter gap is none that a chart of this width can show
_ABSURD = 100.0  # times what 99 in 100 readings reach: a fault of the sensor that would flatten all the rest
_LEVELS = ("w", "celsius", "hz", "bytes")  # units of what has no such peaks
SHARES = frozenset({
    "accel.busy", "accel.core.active", "accel.occupancy", "accel.matrix.active", "accel.memory.active",
    "host.cpu.busy", "host.cpu.iowait", "host.cpu.steal", "mfu", "hfu",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """One sensor over time: arrays of equal length, one value for each stretch of time that has a reading."""

    bucket: Ints
    at_s: Floats
    low: Floats
    mid: Floats
    high: Floats
    joined: Flags  # whether the line goes on to the next point: no gap lies between
    short_gaps: int = 0  # that are not drawn
    left_out: int = 0  # readings that no sensor can mean

    def __len__(self) -> int:
        return len(self.at_s)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Folded:
    """One metric of several devices: their median, the lowest and highest reading of any, and each for itself."""

    middle: Curve
    each: Mapping[str, Curve]
    odd: tuple[str, ...] = ()  # at most two that are unlike the others, the oddest first


def curve(found: Series, length_s: float, most: int = MOST) -> Curve | None:
    """A series in stretches of equal length; None where it has no reading."""
    import numpy as np

    at, value, left_out = readings(found, length_s)
    if not len(at):
        return None
    width = length_s / most
    bucket = np.floor(at / width).astype(np.int64)
    first = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
    count = np.diff(first, append=len(at))
    gap = np.diff(at, append=at[-1])
    period = float(np.median(gap[:-1])) if len(at) > 1 else 0.0
    long = gap > _GAP * period
    shown = np.maximum.reduceat(gap, first) > max(_GAP * period, _SEEN * width)
    return Curve(
        bucket=bucket[first], at_s=np.add.reduceat(at, first) / count, low=np.minimum.reduceat(value, first),
        mid=np.add.reduceat(value, first) / count, high=np.maximum.reduceat(value, first), joined=~shown,
        short_gaps=int(long.sum() - shown.sum()), left_out=left_out,
    )  # fmt: skip


def is_share(name: str) -> bool:
    """Whether a metric goes from 0 to 1 and is read in per cent; of a state it is how many devices are in it."""
    return name in SHARES or metric(name).kind == "state"


def readings(found: Series, length_s: float = math.inf) -> tuple[Floats, Floats, int]:
    """Times in order and values, and how many were left out; of a counter its rate, where it was not reset."""
    import numpy as np

    told, order = metric(found.metric), np.argsort(found.at_s, kind="stable")
    at, value = found.at_s[order], found.value[order]
    good = np.isfinite(at) & np.isfinite(value) & (at >= 0) & (at <= length_s)
    good &= _possible(told, np.where(good, value, 0.0))
    at, value, left_out = at[good], value[good], int((~good).sum())
    if told.kind != "counter":
        return at, value, left_out
    step, growth = np.diff(at), np.diff(value)
    period = float(np.median(step)) if len(step) else 0.0
    kept = (growth >= 0) & (step > 0) & (step <= _GAP * period)
    return at[1:][kept], growth[kept] / step[kept], left_out


def _possible(told: Metric, value: Floats) -> Flags:
    """What a chart can show without all else becoming a flat line at its foot."""
    import numpy as np

    size: Floats = np.abs(value)
    if is_share(told.name):
        return np.asarray((value >= 0) & (value <= 1.05))
    if told.group in ("device", "host") and told.unit in _LEVELS and told.kind != "counter" and len(size):
        usual = float(np.quantile(size, 0.99, method="lower"))
        return np.asarray(size <= _ABSURD * usual) if usual > 0 else np.asarray(size < LARGEST)
    return np.asarray(size < LARGEST)


def coarse(fine: Curve, by: int) -> Curve:
    """The same with so many points as one: for a phone."""
    import numpy as np

    bucket = fine.bucket // by
    first = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
    count = np.diff(first, append=len(bucket))
    return Curve(
        bucket=bucket[first], at_s=np.add.reduceat(fine.at_s, first) / count,
        low=np.minimum.reduceat(fine.low, first), mid=np.add.reduceat(fine.mid, first) / count,
        high=np.maximum.reduceat(fine.high, first), joined=np.logical_and.reduceat(fine.joined, first),
        short_gaps=fine.short_gaps, left_out=fine.left_out,
    )  # fmt: skip


def fold(curves: Mapping[str, Curve], suspects: Sequence[str] = (), *, mean: bool = False) -> Folded:
    """Devices together, by their median or their mean; of those unlike the others the suspects come first."""
    import numpy as np

    if len(curves) == 1:
        return Folded(middle=next(iter(curves.values())), each=curves)
    rows = list(curves.values())
    bucket = np.unique(np.concatenate([c.bucket for c in rows]))
    table = {name: _table(rows, bucket, name) for name in ("at_s", "low", "mid", "high")}
    ends = np.zeros((len(rows), len(bucket)), dtype=bool)
    for row, c in zip(ends, rows, strict=True):
        row[np.searchsorted(bucket, c.bucket)] = c.joined
    middle = Curve(
        bucket=bucket, at_s=np.nanmean(table["at_s"], axis=0), low=np.nanmin(table["low"], axis=0),
        mid=(np.nanmean if mean else np.nanmedian)(table["mid"], axis=0), high=np.nanmax(table["high"], axis=0),
        joined=np.asarray(ends.any(axis=0)),
        short_gaps=sum(c.short_gaps for c in rows), left_out=sum(c.left_out for c in rows),
    )  # fmt: skip
    return Folded(middle=middle, each=curves, odd=_odd(list(curves), table["mid"], middle.mid, suspects))


def _table(rows: Sequence[Curve], bucket: Ints, name: str) -> Floats:
    import numpy as np

    found = np.full((len(rows), len(bucket)), np.nan)
    for row, c in zip(found, rows, strict=True):
        row[np.searchsorted(bucket, c.bucket)] = getattr(c, name)
    return found


def _odd(names: list[str], table: Floats, middle: Floats, suspects: Sequence[str]) -> tuple[str, ...]:
    """Who differs from the median three times as much as is usual, and by more than a fiftieth of all there is."""
    import numpy as np

    apart = np.nanmean(np.abs(table - middle), axis=1)
    reach = float(np.nanmax(table) - np.nanmin(table))
    usual = float(np.median(apart))
    unlike = [i for i in np.argsort(-apart, kind="stable") if apart[i] > max(3 * usual, 0.02 * reach) and reach > 0]
    order = [*(n for n in suspects if n in names), *(names[i] for i in unlike)]
    return tuple(dict.fromkeys(order))[:2]


def spread(curves: Sequence[Curve]) -> tuple[float, float]:
    """The lowest and the highest reading of all."""
    return min(float(c.low.min()) for c in curves), max(float(c.high.max()) for c in curves)
