"""Detectors: one file a kind of trouble, each with `find(board)`, which yields what it saw and when it began.

First those that ask whether sensors can be believed; what cannot is taken off the board before the others look at it,
so that a dead clock sensor is no slow device. Every threshold is a constant at the top of its file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from assay.observed import Trouble
from assay.telemetry.board import Board
from assay.telemetry.detectors import (
    clock,
    dead_sensor,
    drift,
    errors,
    heat,
    leak,
    loss,
    neighbour,
    peers,
    readings,
    stalls,
    straggler,
    throttle,
)

Find = Callable[[Board], Iterable[Trouble]]

SENSORS: tuple[Find, ...] = (dead_sensor.find, readings.find)
MACHINE: tuple[Find, ...] = (
    throttle.find, clock.find, drift.find, leak.find, straggler.find, peers.find, stalls.find, heat.find, errors.find,
    neighbour.find, loss.find,
)  # fmt: skip
_BLIND = frozenset({"dead sensor", "noise"})  # what a sensor says is then of no use


def detect(board: Board) -> tuple[Trouble, ...]:
    """All that went wrong, in the order it began."""
    broken = [trouble for find in SENSORS for trouble in find(board)]
    sound = trusted(board, broken)
    found = [*broken, *(trouble for find in MACHINE for trouble in find(sound))]
    return tuple(sorted(found, key=lambda t: t.window.begin_s))


def trusted(board: Board, troubles: Iterable[Trouble]) -> Board:
    """The board without what broken sensors said."""
    return board.without((t.of, t.metrics, t.window) for t in troubles if t.kind in _BLIND)


def remarks(board: Board) -> list[str]:
    """What is worth knowing and no trouble."""
    return [*readings.notes(board), *stalls.notes(board)]
