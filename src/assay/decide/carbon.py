"""Carbon of running machines, by the hours in which they run, and of making them."""

from __future__ import annotations

from collections.abc import Sequence

from assay.assumption import Assumption, exactly
from assay.climate import Grid
from assay.decide.ranges import product
from assay.result import Value

_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def mean_kg_per_j(grid: Grid, load: Sequence[float] = ()) -> float:
    """Carbon of the power that a load draws: Σ L(m,h) d(m) I(m,h) / Σ L(m,h) d(m), over months and hours of the day.

    `load` is 24 hours of a day (UTC) or 288 of a year, in any unit; empty: the same at all hours.

    >>> night = Grid(name="", carbon_kg_per_j=(((1.0,) * 12 + (3.0,) * 12),) * 12)
    >>> mean_kg_per_j(night), mean_kg_per_j(night, [1.0] * 12 + [0.0] * 12)
    (2.0, 1.0)
    """
    drawn = _shape(load)
    weight = [[drawn[24 * m + h] * _DAYS[m] for h in range(24)] for m in range(12)]
    whole = sum(map(sum, weight))
    return sum(weight[m][h] * grid.carbon_kg_per_j[m][h] for m in range(12) for h in range(24)) / whole


def operation_kg(
    energy_j: Value, grid: Grid | None, region: Assumption | None = None, load: Sequence[float] = ()
) -> Value | None:
    """Carbon of a year's energy: by the grid's hours where they are known, else by the region's mean, else unknown."""
    if grid is not None:
        return product(energy_j, exactly(mean_kg_per_j(grid, load)))
    return None if region is None else product(energy_j, region)


def embodied_kg(accelerators: int, server: Assumption | None) -> Value | None:
    """Carbon of making the servers, each of eight accelerators; unknown where nobody says what one takes."""
    return None if server is None else product(exactly(accelerators / 8), server)


def _shape(load: Sequence[float]) -> Sequence[float]:
    if not any(load):
        return [1.0] * 288
    if len(load) not in (24, 288):
        raise ValueError(f"a load has 24 hours of a day or 288 of a year, not {len(load)}")
    return list(load) * (288 // len(load))
