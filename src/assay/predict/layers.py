"""What one layer costs on one device, for every distinct way a plan grid cuts it: priced once, then gathered.

A layer depends on tensor and context parallelism, micro-batch, sequence parallelism and the attention kernel only: a
few hundred combinations stand behind a million plans.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from assay.calibration import Constants
from assay.hardware import Accelerator, System
from assay.model import TransformerShape
from assay.plan import Plan
from assay.predict.families import transformer
from assay.predict.network import Fabric, allreduce_seconds, fabric, p2p_seconds
from assay.predict.ops import Array, Op
from assay.predict.roofline import op_seconds
from assay.result import Point
from assay.workload import Workload

# A layer's time by what it is spent on; each has a forward and a backward column.
COMPUTE = ("matmul", "attention", "elementwise")
TERMS = (*COMPUTE, "launch", "tensor", "context")
_TERM_OF = {"allreduce": "tensor", "p2p": "context"}

Columns = Mapping[str, Array]


Index = np.ndarray[tuple[int, ...], np.dtype[np.intp]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """The distinct values of a few whole-number columns; their product is a table, and each plan has a row in it."""

    values: tuple[Index, ...]

    def mesh(self) -> list[Array]:
        """Every combination: one array an axis, as long as the table."""
        return [axis.ravel().astype(np.float64) for axis in np.meshgrid(*self.values, indexing="ij")]

    def rows(self, *columns: object) -> Index:
        """The table row of each plan, in time linear in their number.

        >>> axes = axes_of(np.array([8, 1, 8]), 2)
        >>> axes.mesh()[0][axes.rows(np.array([8, 1, 8]), 2)].tolist()
        [8.0, 1.0, 8.0]
        """
        row, stride = np.zeros(1, dtype=np.intp), 1
        for values, column in zip(reversed(self.values), reversed(columns), strict=True):
            if len(values) > 1:
                place = np.zeros(int(values[-1]) + 1, dtype=np.intp)
                place[values] = stride * np.arange(len(values))
                row = row + place[np.asarray(column, dtype=np.intp)]
                stride *= len(values)
        return row


def axes_of(*columns: object) -> Axes:
    """The axes that hold every value of these columns."""
    return Axes(values=tuple(np.flatnonzero(np.bincount(np.atleast_1d(np.asarray(c, dtype=np.intp)))) for c in columns))


def layout_columns(plan: Plan) -> tuple[object, ...]:
    """What a layer's cost depends on, of a plan: the columns of its layout axes."""
    return (plan.tensor, plan.context, plan.micro_batch, plan.sequence_parallel, plan.flash_attention)


def layout_of(axes: Axes) -> transformer.Layout:
    """All layouts of a table."""
    t, c, b, sp, flash = axes.mesh()
    return transformer.Layout(tensor=t, context=c, micro_batch=b, sequence_parallel=sp, flash_attention=flash)


def micro_batch(columns: Columns) -> dict[str, Array]:
    """Both passes of one layer by term, for each recomputation level: arrays of shape (3, layouts).

    Full recomputation adds the whole forward pass again, selective its attention core (Korthikanti et al. 2022, §5).
    `compute_forward` and `compute_backward` are what communication can hide behind, waiting for the host included;
    `head` is the ends of the model.
    """
    table = {}
    for term in TERMS:
        once = columns[f"forward_{term}"] + columns[f"backward_{term}"]
        table[term] = np.stack([once, once + columns[f"core_forward_{term}"], once + columns[f"forward_{term}"]])
    behind = (*COMPUTE, "launch")
    forward = sum((columns[f"forward_{term}"] for term in behind), np.zeros(()))
    table["compute_forward"] = np.stack([forward] * 3)
    table["compute_backward"] = sum((table[term] for term in behind), np.zeros(())) - forward
    head = sum((columns[f"head_{phase}_{term}"] for phase in ("forward", "backward") for term in TERMS), np.zeros(()))
    table["head"] = np.stack([head] * 3)
    return table


def layer_seconds(
    job: Workload,
    shape: TransformerShape,
    layout: transformer.Layout,
    chip: Accelerator,
    net: Fabric,
    constants: Constants,
) -> Columns:
    """Seconds of the mean layer and of the ends (embedding, logits, loss) per micro-batch, by term and phase."""
    columns: dict[str, Array] = {}
    for block in shape.blocks:
        share = block.count / shape.layers
        _add(
            columns,
            "",
            transformer.layer_ops(block, shape, job.seq_len, job.precision, layout),
            share,
            job,
            layout,
            chip,
            net,
            constants,
        )
        core = transformer.core_ops(block, shape, job.seq_len, job.precision, layout)
        _add(columns, "core_", core, share, job, layout, chip, net, constants)
    _add(
        columns,
        "head_",
        transformer.head_ops(shape, job.seq_len, job.precision, layout),
        1.0,
        job,
        layout,
        chip,
        net,
        constants,
    )
    return columns


def _add(
    columns: dict[str, Array], prefix: str, ops: list[Op], share: float, job: Workload, layout: transformer.Layout,
    chip: Accelerator, net: Fabric, constants: Constants,
) -> None:  # fmt: skip
    for phase in ("forward", "backward"):
        for term in TERMS:
            columns.setdefault(f"{prefix}{phase}_{term}", np.zeros_like(layout.tensor))
    for phase in ("forward", "backward"):
        spent: dict[str, Array] = {}
        launches = np.zeros_like(layout.tensor)
        for op in (o for o in ops if o.phase == phase):
            term = _TERM_OF.get(op.kind, op.kind)
            spent[term] = spent.get(term, 0.0) + _seconds(op, layout, job.precision, chip, net, constants)
            launches = launches + op.launches * op.repeats * np.where(
                np.asarray(op.flop) + op.bytes + op.message_bytes > 0, 1, 0
            )
        # The host launches ahead of the device; where it cannot keep up, the device waits for it.
        computing = sum((spent.get(term, np.zeros(())) for term in COMPUTE), np.zeros(()))
        spent["launch"] = np.maximum(0.0, launches * constants.launch_s - computing)
        # Gathering while multiplying needs sequence parallelism, and software of the age of fused attention
        # (Transformer Engine's user buffers; XLA's collective matmul, Wang et al. 2023, ASPLOS); it hides no more than
        # there is computing, or waiting for the host, to hide behind.
        hidden = constants.overlap_tensor * np.asarray(layout.sequence_parallel) * layout.flash_attention
        exchange = spent.get("tensor", np.zeros(()))
        spent["tensor"] = exchange - hidden * np.minimum(exchange, computing + spent["launch"])
        for term, seconds in spent.items():
            key = f"{prefix}{phase}_{term}"
            columns[key] = columns[key] + share * seconds


def _seconds(
    op: Op, layout: transformer.Layout, dtype: str, chip: Accelerator, net: Fabric, constants: Constants
) -> Array:
    if op.kind == "allreduce":
        return op.repeats * allreduce_seconds(op.message_bytes, layout.tensor, 1.0, net)
    if op.kind == "p2p":
        crosses = np.asarray(layout.context) * layout.tensor > net.domain
        alone = np.asarray(layout.context) <= 1
        return np.where(alone, 0.0, p2p_seconds(op.message_bytes, crosses, net)) * (1.0 - constants.overlap_data)
    return op_seconds(op, chip, dtype, constants)


def points(
    job: Workload, shape: TransformerShape, plan: Plan, system: System, constants: Constants
) -> tuple[Point, ...]:
    """Each kind of operation of one plan, summed over a step on one device: its work, its bytes, its time."""
    layout, net, chip = layout_of(axes_of(*layout_columns(plan))), fabric(system, constants), system.accelerator
    stage = shape.layers / float(np.asarray(plan.pipeline).ravel()[0])
    runs = job.global_batch / float(np.asarray(plan.data * plan.micro_batch).ravel()[0])
    work = [
        (stage * b.count / shape.layers, transformer.layer_ops(b, shape, job.seq_len, job.precision, layout))
        for b in shape.blocks
    ]
    work.append((1.0, transformer.head_ops(shape, job.seq_len, job.precision, layout)))
    totals: dict[str, list[float]] = {}
    for times, ops in work:
        for op in (o for o in ops if o.kind in COMPUTE):
            seconds = _seconds(op, layout, job.precision, chip, net, constants)
            row = totals.setdefault(op.name, [0.0, 0.0, 0.0])
            for i, amount in enumerate((op.repeats * op.flop, op.repeats * op.bytes, seconds)):
                row[i] += runs * times * float(np.asarray(amount).ravel()[0])
    return tuple(
        Point(name=n, flop=f, bytes=b, time_s=t, dtype=job.precision)
        for n, (f, b, t) in totals.items()
        if t > 0 and b > 0
    )
