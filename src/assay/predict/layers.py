"""What one micro-batch costs on one device, for every distinct way a grid cuts a model: priced once, then gathered.

A layer depends on tensor, context and expert parallelism, micro-batch, sequence parallelism and the kernels only: a few
hundred combinations stand behind a million plans.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from assay.calibration import Constants
from assay.hardware import System
from assay.plan import Plan
from assay.predict.book import COMPUTE, MESSAGES, Book, Index, book, work_of
from assay.predict.device import as_run, device
from assay.predict.families import family
from assay.predict.ops import Array, Layout
from assay.predict.roofline import KINDS, seconds
from assay.result import Point
from assay.workload import Workload

TERMS = (*COMPUTE, "launch", *MESSAGES)
# Of a backward pass's products, those that make weight gradients: what a zero-bubble schedule can put off.
_WEIGHT_SHARE = 0.5

Columns = Mapping[str, Array]


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
    return (
        plan.tensor, plan.context, plan.expert, plan.micro_batch, plan.sequence_parallel, plan.flash_attention,
        plan.fused, plan.context_kind,
    )  # fmt: skip


def layout_of(axes: Axes) -> Layout:
    """All layouts of a table."""
    t, c, e, b, sp, flash, fused, kind = axes.mesh()
    return Layout(
        tensor=t, context=c, expert=e, micro_batch=b, sequence_parallel=sp, flash_attention=flash, fused=fused,
        context_kind=kind,
    )  # fmt: skip


def book_of(job: Workload, layout: Layout) -> Book:
    """A job's operations for all layouts."""
    writes, shape = family(job.model), job.model.shape
    return book(writes.layers(shape, job, layout), writes.ends(shape, job, layout), layout)


def micro_batch(columns: Columns) -> dict[str, Array]:
    """Both passes of the whole model by term, for each recomputation level: arrays of shape (4, rows).

    Full recomputation adds the whole forward pass again, selective what is cheap (Korthikanti et al. 2022, §5), per-op
    every second product too.
    `compute_forward` and `compute_backward` are what other exchanges can hide behind, waiting for the host included;
    `weight_gradients` what of it a zero-bubble schedule puts off; `head` is the ends of the model.
    """
    table = {}
    for term in TERMS:
        once = columns[f"forward_{term}"] + columns[f"backward_{term}"]
        cheap, forward = columns[f"again_{term}"], columns[f"forward_{term}"]
        half = 0.5 * forward if term == "matmul" else 0.0
        table[term] = np.stack([once, once + cheap, once + forward, once + cheap + half])
    behind = (*COMPUTE, "launch")
    whole = sum((columns[f"forward_{term}"] for term in behind), np.zeros(()))
    forward = whole - columns["forward_taken"]
    table["compute_forward"] = np.stack([forward] * 4)
    table["compute_backward"] = sum((table[term] for term in behind), np.zeros(())) - whole - columns["backward_taken"]
    table["weight_gradients"] = np.stack([_WEIGHT_SHARE * columns["backward_matmul"]] * 4)
    head = sum((columns[f"head_{phase}_{term}"] for phase in ("forward", "backward") for term in TERMS), np.zeros(()))
    table["head"] = np.stack([head] * 4)
    return table


def points(job: Workload, plan: Plan, system: System, constants: Constants) -> tuple[Point, ...]:
    """Each kind of operation of one plan, summed over a step on one device: its work, its bytes, its time."""
    writes, shape, on = family(job.model), job.model.shape, device(system, job.precision, job.attention_pace)
    layout = layout_of(axes_of(*layout_columns(plan)))
    job = as_run(job, system)
    runs = job.global_batch / float(np.asarray(plan.data * plan.micro_batch).ravel()[0])
    stages = float(np.asarray(plan.pipeline).ravel()[0])
    runs_of = [(layer.count / stages, layer) for layer in writes.layers(shape, job, layout)]
    totals: dict[str, list[float]] = {}
    for count, layer in [*runs_of, (1.0, writes.ends(shape, job, layout))]:
        for op in (o for o in layer.ops if o.kind in KINDS):
            work = work_of(op)
            row = totals.setdefault(op.name, [0.0, 0.0, 0.0])
            amounts = (work.repeats * work.flop, work.repeats * work.bytes, seconds(work, on, constants))
            for i, amount in enumerate(amounts):
                row[i] += runs * count * float(amount[0])
    return tuple(
        Point(name=n, flop=f, bytes=b, time_s=t, dtype=job.precision)
        for n, (f, b, t) in totals.items()
        if t > 0 and b > 0
    )
