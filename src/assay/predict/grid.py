"""The grid of a search: every plan that is legal and sensible, in blocks of columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.hardware import System
from assay.plan import Offload, Plan, Recompute, Schedule
from assay.predict.families import family
from assay.predict.ops import Bools
from assay.workload import Workload

if TYPE_CHECKING:
    from assay.plan import Ints

_BLOCK = 32_768  # plans priced at a time: the working set stays in cache
_KEPT_BYTES = 31 * 2**20  # under glibc's limit of 32 MiB for what its allocator keeps
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
    fused: tuple[bool, ...] = (True,)
    schedule: tuple[int, ...] = (Schedule.ONE_F_ONE_B,)
    offload_optimizer: tuple[int, ...] = (Offload.NONE,)
    offload_activations: tuple[int, ...] = (Offload.NONE,)
    again: tuple[float, ...] = (1.0,)  # shares of a stage's layers that full recomputation may apply to
    room: float = 1.0  # of a device's memory that a plan may take; above 1 where what ran is looked for
    uneven: bool = False  # pipeline stages need not hold equally many layers
    # What is not searched keeps these values: sharding group, kind of context parallelism …
    kept: Plan = field(default_factory=Plan)


def blocks(job: Workload, system: System, options: Options) -> Iterator[Plan]:
    """The legal grid in blocks of plans: cells (t, c, p, v, b) times options (ZeRO, recomputation, …)."""
    _keep_freed_memory()
    sizes = dict(zip(_SIZES, cells(job, system, options), strict=True))
    chosen = _choices(job, options)
    depth = family(job.model).limits(job.model.shape, job).layers
    per_block = max(1, _BLOCK // len(chosen["zero_stage"]))
    for start in range(0, len(sizes["tensor"]), per_block):
        some = {name: column[start : start + per_block] for name, column in sizes.items()}
        i, o = np.nonzero(_sensible({n: x[:, None] for n, x in some.items()} | chosen, job.seq_len))
        if len(i):
            yield _block({n: x[i] for n, x in some.items()}, {n: x[o] for n, x in chosen.items()}, options, depth)


def _block(sizes: Mapping[str, Any], chosen: Mapping[str, Any], options: Options, depth: int) -> Plan:
    """Plans of these sizes and choices; what has one value for all stays that value."""
    again = chosen["again"]
    picked = {n: x if len(getattr(options, n)) > 1 else x[0].item() for n, x in chosen.items() if n in _CHOICES}
    found = replace(options.kept, **sizes, **picked | {"zero_stage": chosen["zero_stage"]})
    if np.all(again == 1.0):
        return found
    layers = np.maximum(1, np.round(again * depth / sizes["pipeline"])).astype(np.int64)
    return replace(found, recompute_layers=np.where(again < 1.0, layers, options.kept.recompute_layers))


_SIZES = ("tensor", "context", "expert", "pipeline", "virtual", "micro_batch", "data")
_CHOICES = ("zero_stage", "recompute", "flash_attention", "sequence_parallel", "fused", "schedule",
            "offload_optimizer", "offload_activations")  # fmt: skip


def _choices(job: Workload, options: Options) -> dict[str, Any]:
    """Every combination of what is chosen beside sizes; only levels of recomputation that change something."""
    levels = family(job.model).limits(job.model.shape, job).recompute
    values: dict[str, Any] = {name: getattr(options, name) for name in (*_CHOICES, "again")}
    values["recompute"] = [r for r in options.recompute if r in levels] or [Recompute.NONE]
    columns = [x.ravel() for x in np.meshgrid(*values.values(), indexing="ij")]
    chosen = dict(zip(values, columns, strict=True))
    some = (chosen["again"] == 1.0) | (chosen["recompute"] == Recompute.FULL)
    return {name: column[some] for name, column in chosen.items()}


def _keep_freed_memory() -> None:
    """Have malloc keep what one block frees for the next, where half the time would go to page faults.

    Its threshold is the largest mapped chunk it ever freed (mallopt(3), M_MMAP_THRESHOLD); this one is never touched.
    """
    np.empty(_KEPT_BYTES, dtype=np.uint8)


def every_value(job: Workload, system: System, options: Options) -> Plan:
    """A grid in which every value of every dimension occurs: what the table must hold."""
    columns = dict(zip(_SIZES, cells(job, system, options), strict=True))
    more = {name: np.asarray(getattr(options, name)) for name in _CHOICES}
    return replace(options.kept, **columns, **more)  # type: ignore[arg-type]


def take(plan: Plan, index: Bools | np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> Plan:
    """The plans of a grid at these places (a mask or indices)."""
    return each(plan, lambda name, column: column[index])


def row(plan: Plan, i: int) -> Plan:
    """One plan of a grid, as plain numbers."""
    found = each(plan, lambda name, column: column[i].item())
    return replace(found, recompute=Recompute(int(found.recompute)))


def each(plan: Plan, change: Callable[[str, Any], Any]) -> Plan:
    """A grid with its columns changed; what is the same for all plans stays one value."""
    columns = {f.name: getattr(plan, f.name) for f in fields(Plan)}
    return Plan(**{n: change(n, np.asarray(v)) if np.ndim(v) else v for n, v in columns.items()})


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
    ok = in_stages(at.layers, P, V) | ((at.layers >= P * V) & options.uneven)
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


def in_stages(layers: int, pipeline: Ints, virtual: Ints) -> Bools:
    """Whether layers divide into equal chunks; embedding and output may count as a layer each, as in Megatron-LM, where
    that leaves one on every stage.
    """
    chunks = np.asarray(pipeline) * np.asarray(virtual)
    ok: Bools = (layers % chunks == 0) | (((layers + 2) % chunks == 0) & (layers + 2 >= 2 * np.asarray(pipeline)))
    return ok


def _axis(allowed: tuple[int, ...] | None, whole: int) -> list[int]:
    return divisors(whole) if allowed is None else [x for x in allowed if x > 0 and whole % x == 0]


def _sensible(plan: Mapping[str, Any], seq_len: int) -> Bools:
    """Options that mean something: no sharding over one replica, no sequence parallelism without tensor parallelism, no
    schedule without stages, and none interleaved that has no such form.
    """
    z, p, t, s = (plan[name] for name in ("zero_stage", "pipeline", "tensor", "sequence_parallel"))
    replicas = plan["data"] * plan["context"]
    whole = (s == 0) | ((t > 1) & (seq_len % t == 0))
    usual = plan["schedule"] == Schedule.ONE_F_ONE_B
    in_order = usual | ((p > 1) & ((plan["virtual"] == 1) | (plan["schedule"] != Schedule.GPIPE)))
    ok: Bools = ((z == 0) | (replicas > 1)) & ((z < 2) | (p == 1)) & whole & in_order
    return ok


def divisors(n: int) -> list[int]:
    """All divisors, ascending.

    >>> divisors(12)
    [1, 2, 3, 4, 6, 12]
    """
    small = [i for i in range(1, int(n**0.5) + 1) if n % i == 0]
    return small + [n // i for i in reversed(small) if i * i != n]


def nearest_divisor(n: int, asked: int) -> int:
    """The divisor of n that is nearest to what was asked; of two, the smaller."""
    return min(divisors(n), key=lambda d: (abs(d - asked), d))
