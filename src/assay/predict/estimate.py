"""From a job, a machine and a grid of plans to time, memory, energy and cost of every plan: one formula, broadcast.

What a job's operations are (`Table`) does not depend on constants: it is laid out once and timed as often as needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from assay.calibration import Constants
from assay.hardware import System
from assay.plan import Plan, Recompute
from assay.predict import layers, memory
from assay.predict.book import COMPUTE, Book, Index, layer_seconds
from assay.predict.device import Device, as_run, device
from assay.predict.families import family
from assay.predict.network import Fabric, Gather, Reached, fabric, gather, reached
from assay.predict.ops import Array, bytes_of
from assay.predict.power import node_power_w
from assay.predict.schedule import Exchanges, Job, step_terms
from assay.predict.stages import Stages, stages
from assay.predict.state import PACKED_BYTES, state_of
from assay.workload import Workload

COMPUTING = (*COMPUTE, "head", "optimizer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """What every plan of a grid costs; arrays of one length. `terms` add up to the step, `parts` to the peak memory."""

    terms: Mapping[str, Array]
    parts: Mapping[str, Array]
    step_s: Array
    peak_memory_bytes: Array
    power_w: Array | None  # None: the system's power is unknown


# What must lie in the memory that computes; the rest lies in the store beside it, where a machine has one.
_STREAMED = {"kernels": (), "weight-streaming": ("weights", "gradients", "optimizer"), "tile-pipeline": ("optimizer",)}


def capacity_bytes(system: System) -> float:
    """Memory that a device's share of the job must fit in."""
    return system.accelerator.memory_bytes


def streamed_parts(system: System) -> tuple[str, ...]:
    """Memory parts that lie off the device, in the store that its execution streams from."""
    chip = system.accelerator
    return _STREAMED[chip.execution] if chip.streaming_bytes or chip.streaming_bandwidth_bytes_per_s else ()


def resident(parts: Mapping[str, Array], system: System) -> dict[str, Array]:
    """The parts that the device's own memory must hold."""
    away = streamed_parts(system)
    return {name: part for name, part in parts.items() if name not in away}


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """What a grid's plans are composed of, laid out once for every value its dimensions take. Knows no constants."""

    layouts: layers.Axes
    book: Book
    held: Mapping[str, Array]
    groups: layers.Axes  # devices a shard spans, copies of it, stride, devices that hold the same experts
    device: Device
    fabric: Fabric


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The same with seconds, under one set of constants."""

    laid: Laid
    net: Reached
    seconds: Mapping[str, Array]  # (recomputation level, layout)
    shards: Gather
    copies: Gather
    experts: Gather


def lay_out(job: Workload, system: System, plan: Plan) -> Laid:
    """Operations, messages and activations for all values that occur in a grid of plans."""
    layouts = layers.axes_of(*layers.layout_columns(plan))
    layout, grid = layers.layout_of(layouts), _grid(plan)
    return Laid(
        layouts=layouts, book=layers.book_of(as_run(job, system), layout), held=memory.activation_columns(job, layout),
        groups=layers.axes_of(*_groups(grid["tensor"], _stages(job, grid))),
        device=device(system, job.precision, job.attention_pace),
        fabric=fabric(system),
    )  # fmt: skip


def time(laid: Laid, constants: Constants) -> Table:
    """What was laid out, in seconds."""
    net = reached(laid.fabric, constants)
    shards, copies, tensor, experts = laid.groups.mesh()
    return Table(
        laid=laid, net=net, seconds=layers.micro_batch(layer_seconds(laid.book, laid.device, net, constants)),
        shards=gather(shards, tensor, net), copies=gather(copies, tensor * shards, net),
        experts=gather(experts, tensor * shards * copies / experts, net),
    )  # fmt: skip


def table_of(job: Workload, system: System, plan: Plan, constants: Constants) -> Table:
    """The table for all values that occur in a grid of plans."""
    return time(lay_out(job, system, plan), constants)


def memory_of(job: Workload, plan: Plan, constants: Constants, table: Table | None = None) -> dict[str, Array]:
    """Memory by part of every plan, wherever it lies; needs no machine."""
    layouts = table.laid.layouts if table else layers.axes_of(*layers.layout_columns(plan))
    held = table.laid.held if table else memory.activation_columns(job, layers.layout_of(layouts))
    return _memory(job, _read(job, plan, layouts, held), constants)


def price(job: Workload, system: System, plan: Plan, constants: Constants, table: Table | None = None) -> Priced:
    """Time, memory and power of every plan of a grid. Plans are taken as legal: `legal.problem` says if one is not."""
    table = table or table_of(job, system, plan, constants)
    plans = _read(job, plan, table.laid.layouts, table.laid.held)
    terms = _terms(schedule_job(job, plans, _columns(plan, table, plans.again)), system, table, constants)
    parts = resident(_memory(job, plans, constants), system)
    step = sum(terms.values(), np.zeros(()))
    busy = sum((terms[name] for name in COMPUTING if name in terms), np.zeros(())) / step
    return Priced(
        terms=terms, parts=parts, step_s=step, peak_memory_bytes=sum(parts.values(), np.zeros(())),
        power_w=node_power_w(system, busy),
    )  # fmt: skip


def terms_of(
    job: Workload, system: System, plan: Plan, constants: Constants, table: Table | None = None
) -> dict[str, Array]:
    """Seconds of a step by term, of every plan of a grid; their sum is the step."""
    table = table or table_of(job, system, plan, constants)
    plans = _read(job, plan, table.laid.layouts, table.laid.held)
    return _terms(schedule_job(job, plans, _columns(plan, table, plans.again)), system, table, constants)


def scheduled(job: Workload, plan: Plan, laid: Laid) -> tuple[Array, Job]:
    """What a schedule needs to know of plans but their seconds, and the share of layers that each recomputes."""
    plans = _read(job, plan, laid.layouts, laid.held)
    return plans.again, schedule_job(job, plans, {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans:
    """A grid of plans as the formulas read it."""

    grid: Mapping[str, Array]  # its columns as floats
    on: Stages  # where parameters lie
    held: Mapping[str, Array]  # activations of each plan's level of recomputation
    again: Array  # share of a stage's layers that is recomputed


def _read(job: Workload, plan: Plan, layouts: layers.Axes, held: Mapping[str, Array]) -> Plans:
    grid = _grid(plan)
    on = _stages(job, grid)
    return Plans(grid=grid, on=on, held=_gathered(held, _level(plan, layouts)), again=_again(job, grid, on))


def _terms(job: Job, system: System, table: Table, constants: Constants) -> dict[str, Array]:
    place = table.laid.groups.rows(job.sharding, job.replicas / job.sharding, job.tensor, job.expert_replicas)
    exchanges = Exchanges(
        shards=_rows(table.shards, place), copies=_rows(table.copies, place), experts=_rows(table.experts, place)
    )
    return step_terms(system.accelerator.execution, job, table.laid.device, table.net, exchanges, constants)


def schedule_job(job: Workload, plans: Plans, columns: Mapping[str, Array]) -> Job:
    """What a schedule needs to know of every plan of a grid."""
    writes, shape, state = family(job.model), job.model.shape, state_of(job)
    grid, on = plans.grid, plans.on
    learn = on.adapters if job.adapter_rank else np.maximum(on.first, on.last)
    unit = bytes_of(job.precision) * writes.handed_on(shape, job)
    return Job(
        layers=float(writes.limits(shape, job).layers), columns=columns, middle=on.middle_share, last=on.last_share,
        data=grid["data"], tensor=grid["tensor"], pipeline=grid["pipeline"], virtual=grid["virtual"],
        schedule=grid["schedule"], context=grid["context"], zero_stage=grid["zero_stage"],
        micro_batches=job.global_batch / (grid["data"] * grid["micro_batch"]), parameters=learn,
        weights=np.maximum(on.first, on.last), experts=0.0 * learn if on.sparse or job.adapter_rank else on.experts,
        stored_experts=on.experts, replicas=on.replicas, sharding=on.sharding, expert_replicas=on.expert_replicas,
        expert_sharding=on.expert_sharding,
        boundary_bytes=unit * grid["micro_batch"] / (grid["context"] * grid["tensor"]),
        kept_bytes=np.where(
            grid["offload_activations"] > 0, memory.kept_of(plans.held, plans.again) * on.middle_share, 0.0
        ),
        kept_away=grid["offload_activations"], state_away=grid["offload_optimizer"], state=state,
    )  # fmt: skip


def _again(job: Workload, grid: Mapping[str, Array], on: Stages) -> Array:
    """Share of a stage's layers that a plan recomputes."""
    depth = family(job.model).limits(job.model.shape, job).layers * on.middle_share
    return memory.share_again(grid["recompute"], grid["recompute_layers"], depth)


def _columns(plan: Plan, table: Table, again: Array) -> Mapping[str, Array]:
    """Seconds of each plan's micro-batch; where only some layers are recomputed, a mean of both kinds."""
    layouts = table.laid.layouts
    found = _gathered(table.seconds, _level(plan, layouts))
    if np.all(again == 1.0):
        return found
    plain = _gathered(table.seconds, layouts.rows(*layers.layout_columns(plan)))
    return {name: again * column + (1.0 - again) * plain[name] for name, column in found.items()}


def _memory(job: Workload, plans: Plans, constants: Constants) -> dict[str, Array]:
    grid = plans.grid
    held = memory.Held(
        columns=plans.held, stages=plans.on, state=state_of(job), zero_stage=grid["zero_stage"],
        micro_batches=job.global_batch / (grid["data"] * grid["micro_batch"]), pipeline=grid["pipeline"],
        virtual=grid["virtual"], schedule=grid["schedule"],
        again=plans.again,
        offload_optimizer=grid["offload_optimizer"], offload_activations=grid["offload_activations"],
        loss_chunks=grid["loss_chunks"],
        frozen=job.adapter_rank is not None,
    )  # fmt: skip
    return memory.memory_parts(held, constants)


def _grid(plan: Plan) -> dict[str, Array]:
    """A grid's columns as floats."""
    return {f.name: np.atleast_1d(np.asarray(getattr(plan, f.name), dtype=np.float64)) for f in fields(Plan)}


def _stages(job: Workload, grid: Mapping[str, Array]) -> Stages:
    writes, shape = family(job.model), job.model.shape
    size = writes.sizes(shape)
    if job.stored == "nf4":  # what is looked up and the output matrix stay in 16 bits
        wider = 2.0 / PACKED_BYTES
        size = replace(size, embedding=wider * size.embedding, head=wider * size.head)
    names = ("tensor", "pipeline", "virtual", "data", "context", "expert", "shard")
    return stages(size, writes.limits(shape, job).layers, job.adapter_rank, **{name: grid[name] for name in names})


def _groups(tensor: Array, on: Stages) -> tuple[Array, ...]:
    """Devices a shard spans, copies of it, the stride of neighbours, devices that hold the same experts."""
    return on.sharding, on.replicas / on.sharding, tensor, on.expert_replicas


def _rows(group: Gather, place: Index) -> Gather:
    return Gather(per_byte_s=group.per_byte_s[place], fixed_s=group.fixed_s[place], tree_s=group.tree_s[place])


def _gathered(table: Mapping[str, Array], level: Index) -> dict[str, Array]:
    return {name: column.ravel()[level] for name, column in table.items()}


def _level(plan: Plan, layouts: layers.Axes) -> Index:
    """Place of each plan in a table of (recomputation level, layout)."""
    many = int(np.prod([len(v) for v in layouts.values]))
    rows: Index = np.asarray(plan.recompute, dtype=np.intp) * many + layouts.rows(*layers.layout_columns(plan))
    return rows


def layer_step_s(job: Workload, system: System, plan: Plan, constants: Constants) -> tuple[float, float]:
    """Forward and backward seconds of the mean layer for one micro-batch; the backward with what it recomputes."""
    laid = lay_out(job, system, plan)
    table = layer_seconds(laid.book, laid.device, reached(laid.fabric, constants), constants)
    count = family(job.model).limits(job.model.shape, job).layers
    forward, backward, cheap = (
        sum(float(table[f"{prefix}_{term}"][0]) for term in layers.TERMS) / count
        for prefix in ("forward", "backward", "again")
    )
    half = cheap + 0.5 * float(table["forward_matmul"][0]) / count
    again = (0.0, cheap, forward, half)[int(plan.recompute)]
    return forward / constants.speed, (backward + again) / constants.speed


def executed(job: Workload, plan: Plan) -> float:
    """FLOP executed for each model FLOP of one plan: 4/3 where every layer's forward pass runs twice, 7/6 where half
    does.

    What selective recomputation adds is a few per cent (Korthikanti et al. 2022, §5) and is not counted.
    """
    extra = {Recompute.FULL: 1.0 / 3.0, Recompute.PER_OP: 1.0 / 6.0}
    grid = _grid(plan)
    share = float(_again(job, grid, _stages(job, grid))[0])
    return 1.0 + share * extra.get(Recompute(int(grid["recompute"][0])), 0.0)


def kept_per_layer_bytes(job: Workload, plan: Plan) -> float:
    """Bytes the mean layer keeps of one micro-batch under this plan's recomputation."""
    layout = layers.layout_of(layers.axes_of(*layers.layout_columns(plan)))
    kept = memory.activation_columns(job, layout)["kept"]
    return float(kept[int(np.asarray(plan.recompute)), 0]) / family(job.model).limits(job.model.shape, job).layers
