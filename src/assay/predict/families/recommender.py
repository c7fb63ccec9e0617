"""Recommenders (DLRM, DCNv2) as operations: tables spread over devices, small MLPs copied to each.

b samples a device and micro-batch, T tables of width d, L rows looked up a sample in all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import numpy as np

from assay.counting import parameters
from assay.model import DlrmShape
from assay.predict.ops import (
    Kept,
    Layer,
    Layout,
    Limits,
    Number,
    Op,
    Sizes,
    both_ways,
    bytes_of,
    pointwise,
    product,
    with_gradients,
)  # fmt: skip
from assay.workload import Workload

# A looked-up row's gradient is read, and the row read and written (sparse SGD).
_UPDATE_PASSES = 3.0
# A table of so many bytes stays in a device's last cache while others pass; its rows cost this much of one from memory.
_IN_CACHE, _CACHED = 4e6, 0.2
_ALL_DEVICES = 0  # tables can be cut by rows and columns: any number of devices will do


def limits(shape: DlrmShape, job: Workload) -> Limits:
    """Tables spread over any number of devices; nothing else can be cut but the batch."""
    return Limits(layers=1, experts=_ALL_DEVICES, recompute=(0,))


def layers(shape: DlrmShape, job: Workload, layout: Layout) -> list[Layer]:
    """The whole model is one layer: look-up and exchange, MLPs, interaction."""
    b, size = layout.micro_batch, bytes_of(job.precision)
    crossed = crossed_width(shape)
    kept = b * size * (sum(shape.bottom_mlp) + sum(shape.top_mlp) + (2.0 + 2.0 * shape.cross_layers) * crossed)
    return [
        Layer(
            count=1.0,
            ops=[
                *_look_ups(shape, b, size, layout),
                *_mlp_ops("bottom", (shape.dense_features, *shape.bottom_mlp), b, job),

                *_interaction_ops(shape, b, job), *_mlp_ops("top", (crossed, *shape.top_mlp), b, job),
            ],
            kept=Kept(everything=kept, without_cheap=kept, inputs=b * size * crossed),
        )
    ]  # fmt: skip


def ends(shape: DlrmShape, job: Workload, layout: Layout) -> Layer:
    """The loss: one number a sample."""
    return Layer(count=1.0, ops=pointwise("loss", 16.0 * layout.micro_batch, 4.0))


@cache
def sizes(shape: DlrmShape) -> Sizes:
    """Dense parameters, and those of the tables, whose gradients are as sparse as what is looked up."""
    tables = float(sum(shape.tables_rows) * shape.embedding_dim)
    return Sizes(layer=parameters(shape) - tables, experts=tables, sparse=True)


def model_flop(shape: DlrmShape, job: Workload) -> float:
    """FLOP of one sample, forward and backward: 6 per dense weight, and the interaction's dot products."""
    features = len(shape.tables_rows) + 1
    dots = 0.0 if shape.cross_layers else 6.0 * features * features * shape.embedding_dim
    return 6.0 * sizes(shape).layer + dots


def handed_on(shape: DlrmShape, job: Workload) -> float:
    """Nothing is handed on: there is one stage."""
    return 0.0


def look_ups(shape: DlrmShape) -> float:
    """Rows that one sample reads from memory: all of large tables; small ones stay in the cache."""
    each = shape.lookups_per_table or (1,) * len(shape.tables_rows)
    row = shape.embedding_dim * 2.0
    return sum(n if rows * row > _IN_CACHE else _CACHED * n for n, rows in zip(each, shape.tables_rows, strict=True))


def crossed_width(shape: DlrmShape) -> int:
    """Width of what enters the top MLP."""
    features = len(shape.tables_rows) + 1
    if shape.cross_layers:
        return features * shape.embedding_dim
    return shape.embedding_dim + features * (features - 1) // 2


def _look_ups(shape: DlrmShape, b: Number, size: float, layout: Layout) -> list[Op]:
    """A device looks up its tables' rows for the samples of all, and sends each the sums of its own."""
    rows = b * look_ups(shape) * shape.embedding_dim * size
    e = np.asarray(layout.expert)
    pooled = np.where(e > 1, b * len(shape.tables_rows) * shape.embedding_dim * size, 0.0)
    exchange = Op(name="tables", kind="alltoall", phase="forward", message_bytes=pooled, over="expert")
    return [
        Op(name="look-up", kind="lookup", phase="forward", bytes=rows, launches=2.0),
        Op(name="look-up", kind="lookup", phase="backward", bytes=_UPDATE_PASSES * rows, launches=4.0),
        *both_ways(exchange),
    ]


def _mlp_ops(name: str, widths: Sequence[int], b: Number, job: Workload) -> list[Op]:
    ops: list[Op] = []
    for k, n in pairwise(widths):
        ops += with_gradients(name, b, float(n), float(k), job.precision, narrow=False)
        ops += pointwise(name, 2.0 * bytes_of(job.precision) * b * n, 1.0)
    return ops


def _interaction_ops(shape: DlrmShape, b: Number, job: Workload) -> list[Op]:
    """Dot products of every pair of features, or low-rank cross layers (Wang et al. 2021, DCN V2)."""
    width, size = float(crossed_width(shape)), bytes_of(job.precision)
    if not shape.cross_layers:
        features, d = float(len(shape.tables_rows) + 1), float(shape.embedding_dim)
        pair = [("forward", features, features, d), *[("backward", features, d, features)] * 2]
        return [
            product("interaction", phase, m, n, k, job.precision, groups=b, narrow=False)  # type: ignore[arg-type]
            for phase, m, n, k in pair
        ] + pointwise("interaction", 2.0 * size * b * (features * d + width), 2.0)
    ops: list[Op] = []
    for _ in range(shape.cross_layers):
        ops += with_gradients("cross", b, float(shape.cross_rank), width, job.precision, narrow=False)
        ops += with_gradients("cross", b, width, float(shape.cross_rank), job.precision, narrow=False)
        ops += pointwise("cross", 5.0 * size * b * width, 2.0)
    return ops
