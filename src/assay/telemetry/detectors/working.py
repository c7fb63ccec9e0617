"""Whether a device really did something in a window, by whatever tells it best there."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from assay.observed import Window
from assay.telemetry.board import Board
from assay.telemetry.split import STEPS

if TYPE_CHECKING:
    from assay.series import Floats

_ENOUGH, _FEWEST = 0.5, 10.0  # of the usual number of steps; steps that a window must have room for
# Sensors, the one that tells most first, and from what share of its usual on it says "works".
_SENSORS = {"accel.power_w": 0.65, "accel.core.active": 0.5, "accel.matrix.active": 0.5, "accel.busy": 0.7}


def works(board: Board, of: str, window: Window, without: Collection[str] = ()) -> bool | None:
    """Whether power (else cores, matrix units, or last `busy`) was near its usual; None where no sensor tells."""
    import numpy as np

    inside = board.grid.within(window)
    for name, least in _SENSORS.items():
        level = None if name in without else board.level(of, name)
        if level is not None and np.isfinite(level[inside]).any():
            return float(np.nanmean(level[inside])) >= least * float(np.nanquantile(level, 0.75))
    return None


def goes_on(board: Board, window: Window) -> bool | None:
    """Whether the run's steps went on at no less than half of their usual pace; None where too few would fit."""
    import numpy as np

    steps = steps_of(board)
    if steps is None or len(steps) < 20:
        return None
    room = window.length_s / max(float(np.median(np.diff(steps))), 1e-9)
    if room < _FEWEST:
        return None
    return float(((steps >= window.begin_s) & (steps <= window.end_s)).sum()) > _ENOUGH * room


def steps_of(board: Board) -> Floats | None:
    """When the steps of the run's first rank ended, in order."""
    import numpy as np

    for name in STEPS:
        told = [s for s in board.stream if s.metric == name]
        if told:
            rank = min(s.rank for s in told)
            return np.sort(np.concatenate([s.at_s for s in told if s.rank == rank]))
    return None
