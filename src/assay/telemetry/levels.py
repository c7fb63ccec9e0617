"""Readings folded into the intervals of a grid: what a sensor said in each, as one number."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.metrics import Kind
    from assay.series import Floats, Ints
    from assay.telemetry.board import Grid


def level(kind: Kind, at: Floats, value: Floats, grid: Grid) -> Floats:
    """The median of a gauge, the mean of a state, the increase per second of a counter; NaN where nothing was read."""
    fold = _rate if kind == "counter" else _mean if kind == "state" else _median
    return fold(at, value, grid)


def middle(rows: Floats) -> Floats:
    """The median of each row, NaN left out; NaN for a row of nothing else."""
    import numpy as np

    rows = np.sort(rows, axis=1)  # NaN sorts to the end
    n = np.isfinite(rows).sum(axis=1)
    row, low, high = np.arange(len(rows)), np.maximum(n - 1, 0) // 2, n // 2
    high = np.minimum(high, rows.shape[1] - 1)
    return np.where(n > 0, (rows[row, low] + rows[row, high]) / 2, np.nan)


def coarse(level: Floats, bins: int) -> Floats:
    """The level on a coarser grid: the median of each `bins` intervals."""
    import numpy as np

    rows = -(-len(level) // bins)
    padded = np.full(rows * bins, np.nan)
    padded[: len(level)] = level
    return middle(padded.reshape(rows, bins))


def _median(at: Floats, value: Floats, grid: Grid) -> Floats:
    import numpy as np

    place, value = _placed(at, value, grid)
    if not len(place):
        return np.full(grid.bins, np.nan)
    count = np.bincount(place, minlength=grid.bins)
    first = np.cumsum(count) - count
    rows = np.full((grid.bins, max(1, int(count.max()))), np.nan)
    rows[place, np.arange(len(place)) - first[place]] = value
    return middle(rows)


def _mean(at: Floats, value: Floats, grid: Grid) -> Floats:
    import numpy as np

    place, value = _placed(at, value, grid)
    count = np.bincount(place, minlength=grid.bins)
    total = np.bincount(place, weights=value, minlength=grid.bins)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _rate(at: Floats, value: Floats, grid: Grid) -> Floats:
    """Increase per second in each interval, by interpolation between readings; a reset counts as no increase."""
    import numpy as np

    if len(at) < 2:
        return np.full(grid.bins, np.nan)
    grown = np.concatenate([[0.0], np.cumsum(np.diff(value).clip(min=0.0))])
    edges = grid.edges_s
    rate = np.diff(np.interp(edges, at, grown)) / grid.width_s
    outside = (edges[1:] <= at[0]) | (edges[:-1] >= at[-1])
    return np.where(outside, np.nan, rate)


def _placed(at: Floats, value: Floats, grid: Grid) -> tuple[Ints, Floats]:
    import numpy as np

    place = np.floor((at - grid.begin_s) / grid.width_s).astype(np.int64)
    inside = (place >= 0) & (place < grid.bins)
    return place[inside], value[inside]
