"""Which plans are legal, which fit, and which are best: exhaustive, masked by memory before anything is priced."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.calibration import Constants
from assay.errors import InputError
from assay.hardware import System
from assay.plan import ContextKind, Plan, Recompute, Schedule
from assay.predict import estimate
from assay.predict.families import family
from assay.predict.ops import Array, Bools
from assay.workload import Workload

if TYPE_CHECKING:
    from assay.plan import Ints

_BLOCK = 32_768  # plans priced at a time: the working set stays in cache
_KEPT_BYTES = 31 * 2**20  # under glibc's limit of 32 MiB for what its allocator keeps
_MOST_SPARE = 1000  # accelerators of a node that may stand idle
_LARGEST_MICRO_BATCH = 128  # sequences; beyond it nothing gets faster
_SMALL_SAMPLES = 65_536  # … or so many pictures or clicks, which are as small as a token


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the search may choose from; None is every legal value. One value fixes a dimension."""

    tensor: tuple[int, ...] | None = None
    context: tuple[int, ...] = (1,)
    expert: tuple[int, ...] | None = None
    pipeline: tuple[int, ...] | None = None
    virtual: tuple[int, ...] | None = None
    micro_batch: tuple[int, ...] | None = None
    zero_stage: tuple[int, ...] = (0, 1, 2, 3)
    recompute: tuple[int, ...] = (Recompute.NONE, Recompute.SELECTIVE, Recompute.FULL)
    flash_attention: tuple[bool, ...] = (True,)
    sequence_parallel: tuple[bool, ...] = (False, True)
    again: tuple[float, ...] = (1.0,)  # shares of a stage's layers that full recomputation may apply to
    room: float = 1.0  # of a device's memory that a plan may take; above 1 where what ran is looked for
    uneven: bool = False  # pipeline stages need not hold equally many layers
    kept: Plan = field(
        default_factory=Plan
    )  # what is not searched keeps these values: schedule, sharding group, offload, fusion …


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The best plans of a search, fastest first, and how much was looked at."""

    plans: tuple[Plan, ...]
    considered: int
    fitting: int
    shortest_bytes: float  # least memory any legal plan needs
    pareto: tuple[Plan, ...] = ()  # no other plan is both faster and leaves more memory


def problem(job: Workload, system: System, plan: Plan) -> str:
    """The rule one plan breaks, with the nearest legal value; empty when it is legal."""
    at, have = family(job.model).limits(job.model.shape, job), system.accelerators
    heads, depth = at.heads, at.layers
    chunks, batch = plan.pipeline * plan.virtual, plan.data * plan.micro_batch
    rules = [
        (heads % plan.tensor == 0, f"{heads} attention heads", "tp", heads, plan.tensor),
        (bool(_stages(depth, chunks)), f"{depth} layers", "pp × vp", depth, chunks),
        (job.global_batch % batch == 0, f"a global batch of {job.global_batch}", "dp × mbs", job.global_batch, batch),
        (at.positions % plan.context == 0, f"{at.positions} tokens", "cp", at.positions, plan.context),
    ]
    for holds, what, name, whole, asked in rules:
        if not holds:
            nearest, verb = _nearest_divisor(whole, int(asked)), "does" if what.startswith("a ") else "do"
            return f"{what} {verb} not divide by {name} = {asked}; nearest legal {name}: {nearest}"
    n = plan.data * plan.tensor * plan.pipeline * plan.context
    if n != have:
        each = int(n // plan.data)
        name, nearest = ("dp", have // each) if have % each == 0 else ("tp × pp × cp", _nearest_divisor(have, each))
        return f"dp × tp × pp × cp = {n}, but {have} accelerators are there; nearest legal {name}: {nearest}"
    broken = _expert_problem(job, plan, at.experts)
    if broken:
        return broken
    if plan.context_kind == ContextKind.ULYSSES and heads % (plan.tensor * plan.context):
        return (
            f"{heads} attention heads do not divide by tp × cp = {plan.tensor * plan.context}; nearest legal cpk: ring"
        )
    if plan.shard and (plan.data * plan.context) % plan.shard:
        nearest = _nearest_divisor(int(plan.data * plan.context), int(plan.shard))
        return (
            f"{plan.data * plan.context} replicas do not divide by shard = {plan.shard}; nearest legal shard: {nearest}"
        )
    if plan.schedule == Schedule.GPIPE and plan.virtual > 1:
        return "GPipe has no interleaved form; nearest legal vp: 1"
    if plan.virtual > 1 and (plan.pipeline == 1 or (job.global_batch // batch) % plan.pipeline):
        return "interleaving needs pp > 1 and micro-batches that divide by pp; nearest legal vp: 1"
    if plan.zero_stage >= 2 and plan.pipeline > 1:
        return f"ZeRO stage {plan.zero_stage} does not go with pipeline stages; nearest legal zero: 1"
    return ""


def _expert_problem(job: Workload, plan: Plan, experts: int) -> str:
    """The rule that expert parallelism breaks; empty when it breaks none."""
    if plan.expert == 1:
        return ""
    if experts == 1:
        return f"{job.model.name} has no experts to spread over ep={plan.expert}; nearest legal ep: 1"
    sharing = int(plan.data * plan.tensor * plan.context)
    if experts and experts % plan.expert:
        nearest = _nearest_divisor(math.gcd(experts, sharing), int(plan.expert))
        return f"{experts} experts do not divide by ep = {plan.expert}; nearest legal ep: {nearest}"
    if sharing % plan.expert:
        nearest = _nearest_divisor(math.gcd(experts, sharing), int(plan.expert))
        return f"dp × tp × cp = {sharing} does not divide by ep = {plan.expert}; nearest legal ep: {nearest}"
    return ""


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


def default_data(job: Workload, system: System, plan: Plan) -> Plan:
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


def blocks(job: Workload, system: System, options: Options) -> Iterator[Plan]:
    """The legal grid in blocks of plans: cells (t, c, p, v, b) times options (ZeRO, recomputation, …)."""
    _keep_freed_memory()
    t, c, e, p, v, b, d = cells(job, system, options)
    z, r, f, s, a = (x.ravel() for x in np.meshgrid(
        options.zero_stage, options.recompute, options.flash_attention, options.sequence_parallel, options.again,
        indexing="ij",
    ))  # fmt: skip
    some = (a == 1.0) | (r == Recompute.FULL)
    z, r, f, s, a = z[some], r[some], f[some], s[some], a[some]
    depth = family(job.model).limits(job.model.shape, job).layers
    per_block = max(1, _BLOCK // len(z))
    for start in range(0, len(t), per_block):
        cell = slice(start, start + per_block)
        every = Plan(
            tensor=t[cell, None], pipeline=p[cell, None], data=d[cell, None],
            zero_stage=z, recompute=r, flash_attention=f, sequence_parallel=s,
        )  # fmt: skip
        i, o = np.nonzero(_sensible(every, job.seq_len))
        if len(i):
            i += start
            found = replace(
                options.kept, tensor=t[i], context=c[i], expert=e[i], pipeline=p[i], virtual=v[i], micro_batch=b[i],
                data=d[i], zero_stage=z[o], recompute=r[o], flash_attention=f[o], sequence_parallel=s[o],
            )  # fmt: skip
            if np.all(a == 1.0):
                yield found
            else:
                layers = np.maximum(1, np.round(a[o] * depth / p[i])).astype(np.int64)
                yield replace(found, recompute_layers=np.where(a[o] < 1.0, layers, options.kept.recompute_layers))


def _keep_freed_memory() -> None:
    """Have malloc keep what one block frees for the next, where half the time would go to page faults.

    Its threshold is the largest mapped chunk it ever freed (mallopt(3), M_MMAP_THRESHOLD); this one is never touched.
    """
    np.empty(_KEPT_BYTES, dtype=np.uint8)


def every_value(job: Workload, system: System, options: Options) -> Plan:
    """A grid in which every value of every dimension occurs: what the table must hold."""
    t, c, e, p, v, b, d = cells(job, system, options)
    columns = {"tensor": t, "context": c, "expert": e, "pipeline": p, "virtual": v, "micro_batch": b, "data": d}
    more = {
        "zero_stage": options.zero_stage, "recompute": options.recompute,
        "flash_attention": options.flash_attention, "sequence_parallel": options.sequence_parallel,
    }  # fmt: skip
    return replace(options.kept, **columns, **{n: np.asarray(v) for n, v in more.items()})  # type: ignore[arg-type]


def take(plan: Plan, index: Bools | np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> Plan:
    """The plans of a grid at these places (a mask or indices)."""
    return _each(plan, lambda name, column: column[index])


def row(plan: Plan, i: int) -> Plan:
    """One plan of a grid, as plain numbers."""
    found = _each(plan, lambda name, column: column[i].item())
    return replace(found, recompute=Recompute(int(found.recompute)))


def _each(plan: Plan, change: Callable[[str, Any], Any]) -> Plan:
    """A grid with its columns changed; what is the same for all plans stays one value."""
    columns = {f.name: getattr(plan, f.name) for f in fields(Plan)}
    return Plan(**{n: change(n, np.asarray(v)) if np.ndim(v) else v for n, v in columns.items()})


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


def cells(
    job: Workload, system: System, options: Options
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.int64]], ...]:
    """Every (t, c, p, v, b, d) that divides devices, heads, layers and batch."""
    at, n = family(job.model).limits(job.model.shape, job), system.accelerators
    execution = system.accelerator.execution
    t = _axis(options.tensor, at.heads) if execution == "kernels" else [1]
    c = _axis(options.context, at.positions) if execution == "kernels" else [1]
    even = {*divisors(at.layers), *divisors(at.layers + 2)}
    depths = sorted({*range(1, at.layers + 1)} if options.uneven else even)
    p = [x for x in options.pipeline or depths if x in depths] if execution != "weight-streaming" else [1]
    v = [x for x in options.virtual or depths if x in depths] if execution == "kernels" else [1]
    b = _axis(options.micro_batch, job.global_batch)
    if not options.micro_batch and execution != "weight-streaming":  # a wafer takes its whole batch at once
        b = [x for x in b if x <= max(_LARGEST_MICRO_BATCH, _SMALL_SAMPLES // max(at.positions, 1))]
    T, C, P = (a.ravel() for a in np.meshgrid(t, c, p, indexing="ij"))
    whole = np.flatnonzero(n % (T * C * P) == 0)  # few; only these are crossed with the rest
    i, E, V, B = (a.ravel() for a in np.meshgrid(whole, _experts(at.experts, n, options), v, b, indexing="ij"))
    T, C, P = T[i], C[i], P[i]
    D = n // (T * C * P)
    ok = (at.layers >= P * V) if options.uneven else _stages(at.layers, P * V)
    ok &= (D * T * C) % E == 0
    ok &= job.global_batch % np.maximum(D * B, 1) == 0
    m = job.global_batch // np.maximum(D * B, 1)
    ok &= (V == 1) | ((P > 1) & (m % np.maximum(P, 1) == 0))
    return tuple(a[ok].astype(np.int64) for a in (T, C, E, P, V, B, D))


def _experts(experts: int, devices: int, options: Options) -> list[int]:
    """Sizes of expert parallelism: whatever divides the experts; tables lie on all devices unless one says else."""
    if experts == 0:
        return list(options.expert or (devices,))
    return _axis(options.expert, experts)


def _stages(layers: int, chunks: Ints) -> Bools:
    """Whether layers divide into equal chunks; embedding and output may count as a layer each, as in Megatron-LM."""
    ok: Bools = (layers % np.asarray(chunks) == 0) | ((layers + 2) % np.asarray(chunks) == 0)
    return ok


def _axis(allowed: tuple[int, ...] | None, whole: int) -> list[int]:
    return divisors(whole) if allowed is None else [x for x in allowed if x > 0 and whole % x == 0]


def _sensible(plan: Plan, seq_len: int) -> Bools:
    """Options that mean something: no sharding over one replica, no sequence parallelism without tensor parallelism."""
    z, d, p, t, s = (
        np.asarray(x) for x in (plan.zero_stage, plan.data, plan.pipeline, plan.tensor, plan.sequence_parallel)
    )
    whole = (s == 0) | ((t > 1) & (seq_len % t == 0))
    ok: Bools = ((z == 0) | (d > 1)) & ((z < 2) | (p == 1)) & whole
    return ok


def _best(step: Array, peak: Array, top: int) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
    count = min(len(step), top)
    fastest = np.argpartition(step, count - 1)[:count]
    front = np.flatnonzero(pareto(np.column_stack([step, peak])))
    return np.unique(np.concatenate([fastest, front]))


def _found(keep: Sequence[tuple[Plan, Array, Array]], top: int, considered: int, fitting: int, least: float) -> Found:
    if not keep:
        return Found(plans=(), considered=considered, fitting=0, shortest_bytes=least)
    grids, steps, peaks = zip(*keep, strict=True)
    grid = _each(grids[0], lambda name, column: np.concatenate([getattr(g, name) for g in grids]))
    step, peak = np.concatenate(steps), np.concatenate(peaks)
    # Equal times: the plan with fewer moving parts, then the one that leaves more memory.
    parts = np.asarray(grid.tensor) * np.asarray(grid.pipeline) * np.asarray(grid.virtual)
    order = np.lexsort((peak, parts, np.round(step, 9)))
    front = pareto(np.column_stack([step, peak]))
    return Found(
        plans=tuple(row(grid, int(i)) for i in order[:top]), considered=considered, fitting=fitting,
        shortest_bytes=least, pareto=tuple(row(grid, int(i)) for i in order if front[i]),
    )  # fmt: skip


def divisors(n: int) -> list[int]:
    """All divisors, ascending.

    >>> divisors(12)
    [1, 2, 3, 4, 6, 12]
    """
    small = [i for i in range(1, int(n**0.5) + 1) if n % i == 0]
    return small + [n // i for i in reversed(small) if i * i != n]


def _nearest_divisor(n: int, asked: int) -> int:
    return min(divisors(n), key=lambda d: (abs(d - asked), d))
