"""Samples of one sensor from several series, made one: series that follow each other, parts that add up, duplicates."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from assay.series import Floats, Ints


class Buffer(NamedTuple):
    """Samples as they come in, 16 bytes each."""

    at_ms: array[int]
    value: array[float]


def buffer() -> Buffer:
    """One that is empty."""
    return Buffer(array("q"), array("d"))


class Column(NamedTuple):
    """Samples in the order of time, each time once."""

    at_ms: Ints
    value: Floats


def together(buffers: Sequence[Buffer], *, summed: bool) -> tuple[Column, bool]:
    """One column of all; and whether two of them said different things at one moment, of which the first counts.

    Series that follow each other (a pod that moved on) are one sensor; at one moment they are parts, and add up, or the
    same thing said twice. A part that vanishes makes the sum fall, as a reset would: that is how a counter tells it.
    """
    import numpy as np

    at_ms = np.concatenate([np.frombuffer(b.at_ms, dtype=np.int64) for b in buffers])
    value = np.concatenate([np.frombuffer(b.value, dtype=np.float64) for b in buffers])
    order = np.argsort(at_ms, kind="stable")
    at_ms, value = at_ms[order], value[order]
    first = np.flatnonzero(np.concatenate([[True], at_ms[1:] != at_ms[:-1]]))
    if len(first) == len(at_ms):
        return Column(at_ms, value), False
    if summed:
        return Column(at_ms[first], np.add.reduceat(value, first)), False
    kept = value[first]
    differ = bool((np.repeat(kept, np.diff(np.append(first, len(value)))) != value).any())
    return Column(at_ms[first], kept), differ


def extended(column: Column, other: Column) -> Column:
    """A column, and before and after it what another source of the same has; between, its own samples are enough."""
    import numpy as np

    before, after = other.at_ms < column.at_ms[0], other.at_ms > column.at_ms[-1]
    pairs = zip(column, other, strict=True)
    return Column(*(np.concatenate([theirs[before], ours, theirs[after]]) for ours, theirs in pairs))


def added(first: Column, *others: Column) -> Column:
    """The sum of columns at the moments that the first two have in common; of more, what they have then."""
    import numpy as np

    at_ms = np.intersect1d(first.at_ms, others[0].at_ms) if others else first.at_ms
    value = np.zeros(len(at_ms))
    for column in (first, *others):
        _, here, there = np.intersect1d(at_ms, column.at_ms, return_indices=True)
        value[here] += column.value[there]
    return Column(at_ms, value)
