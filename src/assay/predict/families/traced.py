"""Any module that was traced (`assay trace`): its operations are stated, each size a line in the batch."""

from __future__ import annotations

import numpy as np

from assay.model import Line, TracedOp, TracedShape
from assay.predict.ops import Kept, Layer, Layout, Limits, Number, Op, Sizes, bytes_of
from assay.workload import Workload

_STORED = {"float64": 8.0, "float32": 4.0, "float16": 2.0, "bfloat16": 2.0}  # bytes a number as traced
_UNMASKED = 0.5  # of all scores, what a causal kernel computes


def limits(shape: TracedShape, job: Workload) -> Limits:
    """One stage that cannot be cut: only the batch is spread over devices."""
    return Limits(layers=1, recompute=(0,))


def layers(shape: TracedShape, job: Workload, layout: Layout) -> list[Layer]:
    """The whole module as one layer."""
    kept = _at(shape.kept_bytes, layout.micro_batch) * _rescaled(shape.dtype, job)
    inputs = _at(shape.input_bytes, layout.micro_batch)
    return [
        Layer(
            count=1.0, ops=[_op(op, job, layout.micro_batch) for op in shape.ops],
            kept=Kept(everything=kept, without_cheap=kept, inputs=inputs),
        )
    ]  # fmt: skip


def ends(shape: TracedShape, job: Workload, layout: Layout) -> Layer:
    """What a trace holds is whole; beside it lie weights that do not learn."""
    frozen = bytes_of(job.precision) * (shape.parameters - shape.trained_parameters) + 0.0 * layout.micro_batch
    return Layer(count=1.0, ops=[], kept=Kept(everything=frozen, without_cheap=frozen, inputs=frozen))


def sizes(shape: TracedShape) -> Sizes:
    """All parameters that learn, on the one stage."""
    return Sizes(layer=float(shape.trained_parameters))


def model_flop(shape: TracedShape, job: Workload) -> float:
    """FLOP of one sample, forward and backward, at the traced batch."""
    return sum(op.count.at(shape.batch) * op.flop.at(shape.batch) for op in shape.ops) / shape.batch


def handed_on(shape: TracedShape, job: Workload) -> float:
    """Nothing is handed on: there is one stage."""
    return 0.0


def _op(op: TracedOp, job: Workload, samples: Number) -> Op:
    seen = _UNMASKED if op.causal else 1.0
    sides = tuple(_at(side, samples) for side in (op.m, op.n, op.k))
    return Op(
        name=op.name, kind=op.kind, phase=op.phase, flop=seen * _at(op.flop, samples),
        bytes=_at(op.moved_bytes, samples) * _rescaled(op.dtype, job),
        shape=sides if op.kind in ("matmul", "conv") else None,  # type: ignore[arg-type]
        groups=_at(op.groups, samples), repeats=_at(op.count, samples), narrow=op.kind == "matmul",
    )  # fmt: skip


def _at(line: Line, samples: Number) -> Number:
    """A size at this batch; a line through two points may pass below nothing left of them."""
    return np.maximum(line.fixed + line.per_sample * np.asarray(samples), 0.0)


def _rescaled(dtype: str, job: Workload) -> float:
    """Bytes at the job's precision for each byte as traced; whole numbers stay what they are."""
    return bytes_of(job.precision) / _STORED[dtype] if dtype in _STORED else 1.0
