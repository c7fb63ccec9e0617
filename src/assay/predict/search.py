"""Which plans fit, and which are best: all of the grid, masked by memory before anything is priced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from assay.calibration import Constants
from assay.errors import InputError
from assay.hardware import System
from assay.plan import Plan
from assay.predict import estimate
from assay.predict.grid import Options, blocks, cells, divisors, each, every_value, row, take
from assay.predict.ops import Array, Bools
from assay.workload import Workload

# A search and the grid it goes through are asked for by one name.
__all__ = [
    "Found", "Options", "blocks", "cells", "default_data", "divisors", "every_value", "pareto", "row", "search",
    "take", "usable",
]  # fmt: skip

_MOST_SPARE = 1000  # accelerators of a node that may stand idle


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The best plans of a search, fastest first, and how much was looked at."""

    plans: tuple[Plan, ...]
    considered: int
    fitting: int
    shortest_bytes: float  # least memory any legal plan needs
    pareto: tuple[Plan, ...] = ()  # no other plan is both faster and leaves more memory


def usable(job: Workload, system: System, options: Options = Options()) -> list[System]:
    """The system, or where all its accelerators allow no legal plan, every way to use fewer of each node.

    A rack of 72 trains a batch of 512 on 64 of them; the other 8 stand idle, and are paid for.
    """
    most = system.count_per_node
    sizes = range(most, max(most // 2, most - _MOST_SPARE), -1)
    parts = (replace(system, count_per_node=n, spare_per_node=most - n) for n in sizes)
    legal = (part for part in parts if len(cells(job, part, options)[0]))
    first = next(legal, system)
    return [first] if first.spare_per_node == 0 else [first, *legal]


def default_data(system: System, plan: Plan) -> Plan:
    """The plan with data parallelism filled in from the number of accelerators, where dp was not said."""
    model_parallel = plan.tensor * plan.pipeline * plan.context
    return replace(plan, data=max(1, system.accelerators // model_parallel))


def search(
    job: Workload, system: System, constants: Constants, *, options: Options = Options(), top: int = 5,
) -> Found:  # fmt: skip
    """The fastest plans of the whole legal grid that fit in memory; raises InputError when no plan is legal at all."""
    capacity = options.room * estimate.capacity_bytes(system)
    keep: list[tuple[Plan, Array, Array]] = []
    considered = fitting = 0
    least, table = np.inf, None
    for block in blocks(job, system, options):
        table = table or estimate.table_of(job, system, every_value(job, system, options), constants)
        parts = estimate.resident(estimate.memory_of(job, block, constants, table), system)
        peak = sum(parts.values(), np.zeros(()))
        considered += len(peak)
        least = min(least, float(peak.min()))
        inside = peak <= capacity
        if not inside.any():
            continue
        fitting += int(inside.sum())
        chosen = take(block, inside)
        step = sum(estimate.terms_of(job, system, chosen, constants, table).values(), np.zeros(()))
        order = _best(step, peak[inside], top)
        keep.append((take(chosen, order), step[order], peak[inside][order]))
    if not considered:
        raise InputError(
            f"{job.model.name} has no legal plan on {system.accelerators} × {system.accelerator.name}",
            hint=f"the global batch of {job.global_batch} must divide over the devices; try other nodes or batches",
        )
    return _found(keep, top, considered, fitting, least)


def pareto(costs: Array) -> Bools:
    """Rows that no other row beats in every column (smaller is better); equal rows all stay. n log n for two columns.

    >>> pareto(np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 3.0]])).tolist()
    [True, True, False]
    """
    order = np.lexsort(costs.T[::-1])
    ranked = costs[order]
    if costs.shape[1] == 2:
        best_before = np.minimum.accumulate(np.concatenate(([np.inf], ranked[:-1, 1])))
        same = np.concatenate(([False], (ranked[1:] == ranked[:-1]).all(axis=1)))
        good = ranked[:, 1] < best_before
        for i in np.flatnonzero(same):
            good[i] = good[i - 1]
    else:
        good = np.array([not np.any((ranked <= r).all(1) & (ranked < r).any(1)) for r in ranked])
    out = np.zeros(len(costs), dtype=bool)
    out[order] = good
    return out


def _best(step: Array, peak: Array, top: int) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
    count = min(len(step), top)
    fastest = np.argpartition(step, count - 1)[:count]
    front = np.flatnonzero(pareto(np.column_stack([step, peak])))
    return np.unique(np.concatenate([fastest, front]))


def _found(keep: Sequence[tuple[Plan, Array, Array]], top: int, considered: int, fitting: int, least: float) -> Found:
    if not keep:
        return Found(plans=(), considered=considered, fitting=0, shortest_bytes=least)
    grids, steps, peaks = zip(*keep, strict=True)
    grid = each(grids[0], lambda name, column: np.concatenate([getattr(g, name) for g in grids]))
    step, peak = np.concatenate(steps), np.concatenate(peaks)
    # Equal times: the plan with fewer moving parts, then the one that leaves more memory.
    parts = np.asarray(grid.tensor) * np.asarray(grid.pipeline) * np.asarray(grid.virtual)
    order = np.lexsort((peak, parts, np.round(step, 9)))
    front = pareto(np.column_stack([step, peak]))
    return Found(
        plans=tuple(row(grid, int(i)) for i in order[:top]), considered=considered, fitting=fitting,
        shortest_bytes=least, pareto=tuple(row(grid, int(i)) for i in order if front[i]),
    )  # fmt: skip
