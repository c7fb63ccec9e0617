"""Jobs side by side, laid out once: constants are tried on all of them at a time.

Each row is one job under one plan on one machine. What constants cannot change is kept as columns; a trial prices every
row with constants of its own, by the same formulas that price a grid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np

from assay.calibration import Constants
from assay.hardware import Execution, System
from assay.plan import Plan
from assay.predict import estimate, layers
from assay.predict.book import Book, Index, bind, layer_seconds
from assay.predict.device import Device
from assay.predict.network import Fabric, gather, reached
from assay.predict.ops import Array
from assay.predict.schedule import Exchanges, Job, step_terms
from assay.workload import Workload

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One job under one plan on one machine, laid out."""

    execution: Execution
    book: Book
    device: Device
    fabric: Fabric
    job: Job
    recompute: int
    again: float  # share of the layers that this applies to


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows side by side; one way to execute each."""

    execution: Execution
    book: Book
    device: Device
    fabric: Fabric
    job: Job
    level: Index
    again: Array


def row(job: Workload, system: System, plan: Plan) -> Row:
    """A job under one plan, laid out."""
    laid = estimate.lay_out(job, system, plan)
    again, scheduled = estimate.scheduled(job, plan, laid)
    return Row(
        execution=system.accelerator.execution, book=laid.book, device=laid.device, fabric=laid.fabric, job=scheduled,
        recompute=int(plan.recompute), again=float(again[0]),
    )  # fmt: skip


def side_by_side(rows: Sequence[Row]) -> Rows:
    """Rows as columns; all of one way to execute."""
    return Rows(
        execution=rows[0].execution, book=bind([r.book for r in rows]), device=columns([r.device for r in rows]),
        fabric=columns([r.fabric for r in rows]), job=columns([r.job for r in rows]),
        level=np.array([r.recompute for r in rows], dtype=np.intp), again=np.array([r.again for r in rows]),
    )  # fmt: skip


def step_seconds(rows: Rows, constants: Constants) -> Array:
    """Seconds of a step of every row; each constant is a number, or a column of one for each row."""
    return sum(terms(rows, constants).values(), np.zeros(()))


def terms(rows: Rows, constants: Constants) -> Mapping[str, Array]:
    """Seconds of a step of every row, by term."""
    net = reached(rows.fabric, constants)
    table = layers.micro_batch(layer_seconds(rows.book, rows.device, net, constants))
    every = np.arange(len(rows.level))
    columns = {
        name: rows.again * column[rows.level, every] + (1.0 - rows.again) * column[0, every]
        for name, column in table.items()
    }
    job = replace(rows.job, columns=columns)
    exchanges = Exchanges(
        shards=gather(job.sharding, job.tensor, net),
        copies=gather(job.replicas / job.sharding, job.tensor * job.sharding, net),
        experts=gather(job.expert_replicas, job.tensor * job.replicas / job.expert_replicas, net),
    )
    return step_terms(rows.execution, job, rows.device, net, exchanges, constants)


def columns(records: Sequence[T]) -> T:
    """Records of numbers as one record of columns, nested ones too."""
    first: Any = records[0]
    joined: T = replace(first, **{f.name: _column([getattr(r, f.name) for r in records]) for f in fields(first)})
    return joined


def _column(values: Sequence[Any]) -> Any:
    first = values[0]
    if is_dataclass(first):
        return columns(values)
    if isinstance(first, tuple):
        return tuple(_column(list(each)) for each in zip(*values, strict=True))
    if isinstance(first, Mapping):
        return {}
    return np.concatenate([np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in values])
