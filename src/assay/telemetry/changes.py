"""When something changed: episodes of a condition, the ramp that fits a series best, slopes that bear outliers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.stats import SIGMA_PER_MAD
from assay.telemetry.levels import middle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assay.series import Flags, Floats, Ints
    from assay.telemetry.board import Grid

# For two degrees of freedom (both ends of a ramp are sought) it is 4.61; of series that also wander a little, an
# interval of that width holds the truth 7 times in 10, one of this width 9 times.
_CHI2_90 = 9.2
_MOST = 500  # points a ramp is searched on: every pair of them is tried


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """A level, a straight way to another level, and that level: a step is a short ramp, a drift a long one."""

    begin_s: float
    end_s: float
    early_s: float  # 90 % interval of where it begins
    late_s: float
    before: float
    after: float
    left: float  # standard deviation of what it leaves unexplained, neighbours' likeness counted in
    gain: float  # by how much it explains the series better than a constant, in chi-square

    @property
    def length_s(self) -> float:
        """How long the way takes."""
        return self.end_s - self.begin_s

    @property
    def grown(self) -> float:
        """From level to level."""
        return self.after - self.before


def stretches(flag: Flags) -> tuple[Ints, Ints]:
    """First and one-past-last index of each run of true values."""
    import numpy as np

    edge = np.diff(np.concatenate([[0], flag.astype(np.int8), [0]]))
    return np.flatnonzero(edge == 1), np.flatnonzero(edge == -1)


def episodes(flag: Flags, grid: Grid, *, join_s: float, least_s: float) -> Iterator[tuple[int, int]]:
    """Stretches of a condition as grid indices; nearer than `join_s` they are one, shorter than `least_s` none."""
    first, last = stretches(flag)
    if not len(first):
        return
    apart = (first[1:] - last[:-1]) * grid.width_s > join_s
    begins, ends = [first[0], *first[1:][apart]], [*last[:-1][apart], last[-1]]
    for begin, end in zip(begins, ends, strict=True):
        if (end - begin) * grid.width_s >= least_s:
            yield int(begin), int(end)


def spells(flag: Flags, known: Flags, grid: Grid, *, join_s: float, least_s: float) -> Iterator[tuple[int, int]]:
    """Episodes of a condition that is known at times only: what is not known does not end one."""
    import numpy as np

    where = np.flatnonzero(known)
    for first, last in episodes(flag[where], grid, join_s=join_s, least_s=least_s):
        yield int(where[first]), int(where[last - 1]) + 1


def scatter(values: Floats) -> float:
    """Standard deviation by the median absolute deviation: half of the values may be anything."""
    import numpy as np

    values = values[np.isfinite(values)]
    return SIGMA_PER_MAD * float(np.median(np.abs(values - np.median(values)))) if len(values) else 0.0


def rolling(values: Floats, width: int) -> Floats:
    """The median of the values around each one, NaN left out; at the ends of as many as there are."""
    import numpy as np

    half = width // 2
    padded = np.concatenate([np.full(half, np.nan), values, np.full(half, np.nan)])
    return middle(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1))


def thinned(at: Floats, values: Floats, most: int = _MOST) -> tuple[Floats, Floats]:
    """At most `most` points, each the median of its neighbours: what a spike does not move."""
    import numpy as np

    width = -(-len(at) // most)
    if width <= 1:
        return at, values
    rows = -(-len(at) // width)
    columns = []
    for column in (at, values):
        padded = np.full(rows * width, np.nan)
        padded[: len(column)] = column
        columns.append(middle(padded.reshape(rows, width)))
    return columns[0], columns[1]


def theil_sen(at: Floats, values: Floats) -> float:
    """The median of the slopes between all pairs of points (Theil 1950, Sen 1968), per second."""
    import numpy as np

    at, values = thinned(at, values, 300)
    if len(at) < 2:
        return 0.0
    i, j = np.triu_indices(len(at), 1)
    return float(np.median((values[j] - values[i]) / (at[j] - at[i])))


def fit_ramp(at: Floats, values: Floats) -> Ramp | None:
    """The ramp with the least squares of all that begin and end within the series; None for fewer than 8 points."""
    import numpy as np

    if len(at) < 8:
        return None
    at, values = thinned(at, _tamed(values))
    mean, origin = float(values.mean()), float(at[0])
    t, y = at - origin, values - mean
    i, j, gain = _gains(t, y)
    best = int(np.argmax(gain))
    begins, ends, fine = _refined(t, y, float(t[i[best]]), float(t[j[best]]))
    k, m = divmod(int(np.argmax(fine)), len(ends))
    begin, end = float(begins[k]), float(max(ends[m], begins[k]))
    before, after, left = _levels(t, y, begin, end)
    total = float(y @ y)
    noise = max((total - float(fine[k, m])) / max(1, len(t) - 4) * _alike(left), 1e-12 * total, 1e-300)
    near = begins[(fine[k, m] - fine.max(axis=1)) / noise <= _CHI2_90]
    return Ramp(
        begin_s=origin + begin, end_s=origin + end, early_s=origin + float(near.min()),
        late_s=origin + float(near.max()), before=mean + before, after=mean + after, left=float(np.sqrt(noise)),
        gain=float(fine[k, m]) / noise,
    )  # fmt: skip


def _gains(t: Floats, y: Floats) -> tuple[Ints, Ints, Floats]:
    """For each pair of kinks, what Σ(y - ȳ)² loses by a ramp between them. `t` begins at 0, `y` has mean 0.

    r = clip((t - tᵢ)/(tⱼ - tᵢ), 0, 1); loss of squares = (Σ r·y)² / (Σ r² - (Σ r)²/n), all by prefix sums.
    """
    import numpy as np

    n = len(t)
    i, j = np.triu_indices(n, 1)
    t1, t2, y1, ty = (np.cumsum(c) for c in (t, t * t, y, t * y))
    d, m, beyond = t[j] - t[i], j - i, n - 1 - j
    sum1 = (t1[j] - t1[i]) - t[i] * m
    sum2 = (t2[j] - t2[i]) - 2 * t[i] * (t1[j] - t1[i]) + t[i] ** 2 * m
    sum_r = sum1 / d + beyond
    sum_rr = sum2 / d**2 + beyond
    sum_ry = ((ty[j] - ty[i]) - t[i] * (y1[j] - y1[i])) / d + (y1[-1] - y1[j])
    spread = sum_rr - sum_r**2 / n
    return i, j, np.where(spread > 1e-9, sum_ry**2 / np.maximum(spread, 1e-9), 0.0)


def _refined(t: Floats, y: Floats, begin: float, end: float) -> tuple[Floats, Floats, Floats]:
    """Begins and ends between the points, near the best pair of points, and what each pair gains."""
    import numpy as np

    point, last = float(t[-1]) / len(t), float(t[-1])
    reach = max(4 * point, 0.3 * (end - begin))
    begins = np.linspace(max(0.0, begin - reach), min(last, begin + reach), 41)
    around = max(4 * point, 0.15 * (end - begin))
    ends = np.linspace(end - around, min(last, end + around), 17)
    k, m = divmod(int(np.argmax(_gain(t, y, begins, ends))), len(ends))
    near = np.linspace(begins[max(k - 1, 0)], begins[min(k + 1, 40)], 21)
    close = np.linspace(ends[max(m - 1, 0)], ends[min(m + 1, 16)], 9)
    begins, ends = np.unique(np.concatenate([begins, near])), np.unique(np.concatenate([ends, close]))
    return begins, ends, _gain(t, y, begins, ends)


def _gain(t: Floats, y: Floats, begins: Floats, ends: Floats) -> Floats:
    import numpy as np

    b, e = begins[:, None, None], np.maximum(ends[None, :, None], begins[:, None, None] + 1e-9)
    r = ((t - b) / (e - b)).clip(0.0, 1.0)
    r -= r.mean(axis=2, keepdims=True)
    power = (r * r).sum(axis=2)
    return np.where(power > 1e-9, (r @ y) ** 2 / np.maximum(power, 1e-9), 0.0)


def _levels(t: Floats, y: Floats, begin: float, end: float) -> tuple[float, float, Floats]:
    """Level before and after a given ramp, by least squares, and what it leaves."""
    import numpy as np

    r = ((t - begin) / max(end - begin, 1e-9)).clip(0.0, 1.0)
    centred = r - r.mean()
    power = float(centred @ centred)
    slope = float(centred @ y) / power if power else 0.0
    before = float(y.mean()) - slope * float(r.mean())
    return before, before + slope, np.asarray(y - before - slope * r)


def _alike(left: Floats) -> float:
    """By how much less the points say than if each were independent: (1 + ρ)/(1 - ρ) of a first-order process."""
    import numpy as np

    power = float(left @ left)
    rho = float(np.clip(left[1:] @ left[:-1] / power, 0.0, 0.95)) if power else 0.0
    return (1 + rho) / (1 - rho)


def _tamed(values: Floats) -> Floats:
    """Spikes cut to four deviations from the values around them."""
    import numpy as np

    around = rolling(values, 9)
    reach = 4 * max(scatter(values - around), 1e-12)
    return np.asarray(np.clip(values, around - reach, around + reach))


def jump(values: Floats, before: float, after: float) -> int:
    """The first value on the new level, by least squares; values that resemble their neighbours are counted as such.

    With x a first-order process of coefficient φ around its level, e = x - φ·x₋₁ is white, and a jump by Δ shows as Δ
    at its first value and as (1 - φ)·Δ after it.
    """
    import numpy as np

    n, delta, up = len(values), abs(after - before), np.sign(after - before)
    x = up * (rolling(np.where(np.isfinite(values), values, (before + after) / 2), 3) - before)
    x = x.clip(-delta, 2 * delta)
    rough = int(np.argmin(np.concatenate([[0.0], np.cumsum(x - delta / 2)])))
    left = x - np.where(np.arange(n) >= rough, delta, 0.0)
    phi = float(np.clip(left[1:] @ left[:-1] / max(float(left @ left), 1e-300), 0.0, 0.98))
    e = x - phi * np.concatenate([[x[0]], x[:-1]])
    rest = np.concatenate([np.cumsum(e[::-1])[::-1][1:], [0.0]])  # the sum of all that come after each
    gain = 2 * delta * (e + (1 - phi) * rest) - delta**2 * (1 + (1 - phi) ** 2 * np.arange(n - 1, -1, -1))
    return int(np.argmax(gain))
