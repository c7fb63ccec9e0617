"""Three passes at batches b, 2b and 3b become one: every size as a line in the batch, and what is no line by name.

Standard library only: it runs in the user's interpreter, and its tests need no PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

SIZES = ("flop", "moved_bytes", "m", "n", "k", "groups")
HEAD = ("phase", "name", "kind", "dtype", "causal")
Key = tuple[Any, ...]
Sizes = tuple[float, ...]

_SLACK = 1e-6  # of a size: what is off its line by less was rounded
_NOTHING = 1e-12  # of a size: a fixed part this small is rounding


def line(batches: Sequence[int], values: Sequence[float]) -> tuple[float, float, bool]:
    """Fixed part, part per sample, and whether the third value lies on the line through the first two.

    What does not is held to grow with the batch from 0, and is right at the first batch.

    >>> line((2, 4, 6), (7, 11, 15))
    (3.0, 2.0, True)
    >>> line((2, 4, 6), (4, 16, 36))
    (0.0, 2.0, False)
    """
    slope = (values[1] - values[0]) / (batches[1] - batches[0])
    fixed = values[0] - slope * batches[0]
    largest = max(map(abs, values))
    straight = abs(fixed + slope * batches[2] - values[2]) <= _SLACK * largest
    if not straight:
        return 0.0, values[0] / batches[0], False
    return 0.0 if abs(fixed) <= _NOTHING * largest else float(fixed), float(slope), True


def table(batches: Sequence[int], values: Sequence[float]) -> dict[str, float]:
    """A line of bytes as a file holds it: never below 0, and what is 0 is left out."""
    fixed, slope, _ = line(batches, values)
    if fixed < 0:
        fixed, slope = 0.0, values[0] / batches[0]
    return {key: value for key, value in (("fixed", fixed), ("per_sample", slope)) if value}


def joined(
    batches: Sequence[int], passes: Sequence[Sequence[tuple[Key, Sizes]]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """One list of operations, equal ones counted together, and in words which sizes are no lines."""
    met = [_by_key(one) for one in passes]
    found: dict[tuple[Any, ...], list[float]] = {}
    bent: dict[str, str] = {}
    for key in dict.fromkeys(key for one in met for key in one):
        rows = [one.get(key, []) for one in met]
        if len({len(row) for row in rows}) == 1:
            for sizes in zip(*rows, strict=True):
                found.setdefault((key, _lines(key, batches, sizes, bent)), [0.0, 0.0])[0] += 1
        else:  # it runs once a sample, or once a part of the batch
            fixed, slope, straight = line(batches, [len(row) for row in rows])
            if not straight:
                bent.setdefault(_of(key), "how often it runs")
            means = [_mean(row) for row in rows]
            known = next(mean for mean in means if mean)
            lines = _lines(key, batches, [mean or known for mean in means], bent)
            found[key, lines] = [fixed, slope]
    ops = [_op(key, lines, count) for (key, lines), count in found.items()]
    right = f"no line in the batch, and right at {batches[0]} samples only"
    return ops, [f"{where}: {what} is {right}" for where, what in bent.items()]


def _by_key(ops: Iterable[tuple[Key, Sizes]]) -> dict[Key, list[Sizes]]:
    found: dict[Key, list[Sizes]] = {}
    for key, sizes in ops:
        found.setdefault(key, []).append(sizes)
    return found


def _lines(
    key: Key, batches: Sequence[int], sizes: Sequence[Sizes], bent: dict[str, str]
) -> tuple[tuple[float, float], ...]:
    """Each size of one operation as (fixed, per sample)."""
    lines = []
    for name, values in zip(SIZES, zip(*sizes, strict=True), strict=True):
        fixed, slope, straight = line(batches, values)
        if not straight:
            bent.setdefault(_of(key), name.replace("_", " "))
        lines.append((fixed, slope))
    return tuple(lines)


def _mean(rows: Sequence[Sizes]) -> Sizes:
    return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True)) if rows else ()


def _of(key: Key) -> str:
    return f"{key[1]} ({key[0]})"


def _op(key: Key, lines: tuple[tuple[float, float], ...], count: Sequence[float]) -> dict[str, Any]:
    op = {name: value for name, value in zip(HEAD, key, strict=True) if value not in (False, "")}
    for name, (fixed, slope) in zip(("count", *SIZES), (tuple(count), *lines), strict=True):
        told = {part: value for part, value in (("fixed", fixed), ("per_sample", slope)) if value}
        if told and not (name in ("count", "groups") and told == {"fixed": 1.0}):  # what a file need not say
            op[name] = told
    return op
