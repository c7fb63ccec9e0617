"""The yardstick on the page: 18 steps, other tools beside us, and each step with its prediction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from benchmarks.accuracy.anchors import ANCHORS
from benchmarks.accuracy.words import percent, table

from assay.api.accuracy import Accuracy, Held
from assay.api.yardstick import TABLES, Point

Says = Callable[[Point, Held], float]
# What predicts, and from what: the nearest to what the other tools had comes first.
WAYS: Mapping[str, Says] = {
    "its model left out; other models of its table teach that table's software": lambda point, held: point.beside_s,
    "its model left out; constants of its device only": lambda point, held: point.alone.predicted or np.nan,
    "its source left out": lambda point, held: held.source.predicted or np.nan,
    "its publisher left out": lambda point, held: held.publisher.predicted or np.nan,
    "the shipped constants": lambda point, held: held.shipped.predicted or np.nan,
}
EIGHT, TEN = TABLES.values()


def errors(found: Accuracy, way: str) -> Mapping[str, list[float]]:
    """|predicted/measured − 1| of every point, by table."""
    held = {one.row.id: one for one in found.held}
    out: dict[str, list[float]] = {EIGHT: [], TEN: []}
    for point in found.yardstick:
        predicted = WAYS[way](point, held[point.row.id])
        out[point.table].append(abs(predicted / point.row.metric_value - 1.0))
    return out


def compared(found: Accuracy) -> str:
    """Us and others on both tables."""
    rows = [("Assay: " + way, *_both(errors(found, way))) for way in WAYS]
    rows += [(f"{a.tool} ({i + 1})", *_pair(a.eight), *_pair(a.ten), "", "") for i, a in enumerate(ANCHORS)]
    sizes = {name: sum(point.table == name for point in found.yardstick) for name in (EIGHT, TEN)}
    head = ["what predicts", *(f"{what}, {name} (n = {n})" for name, n in sizes.items() for what in ("mean", "max"))]
    notes = "\n".join(f"{i + 1}. {a.tool}: {a.settings}." for i, a in enumerate(ANCHORS))
    return table([*head, "mean, all", "max, all"], rows) + "\n\n" + notes


def _both(found: Mapping[str, Sequence[float]]) -> list[str]:
    return [percent(x, 1) for name in (EIGHT, TEN) for x in ends(found[name])] + [
        percent(x, 1) for x in ends([*found[EIGHT], *found[TEN]])
    ]


def _pair(values: tuple[float, float]) -> list[str]:
    return [percent(value, 1) for value in values]


def ends(values: Sequence[float]) -> tuple[float, float]:
    """Mean and largest."""
    return (float(np.mean(values)), float(np.max(values))) if len(values) else (np.nan, np.nan)


def each(found: Accuracy) -> str:
    """Every point with what was said of it."""
    held = {one.row.id: one for one in found.held}
    rows = [
        (
            p.table, p.row.model, str(p.row.n_accel), p.row.recompute, f"{p.row.metric_value:.4g}",
            *(f"{says(p, held[p.row.id]):.4g}" for says in WAYS.values()),
        )
        for p in found.yardstick
    ]  # fmt: skip
    head = ("table", "model", "GPUs", "recompute", "measured, s", "beside", "alone", "source", "publisher", "shipped")
    return table(head, rows)
