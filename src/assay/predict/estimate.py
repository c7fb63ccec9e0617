"""From a job, a machine and a grid of plans to time, memory, energy and cost of every plan: one formula, broadcast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from assay.calibration import Constants
from assay.errors import InputError
from assay.hardware import System
from assay.model import TransformerShape
from assay.plan import Plan, Recompute
from assay.predict import layers, memory
from assay.predict.families import transformer
from assay.predict.network import Gather, fabric, gather
from assay.predict.ops import Array, bytes_of
from assay.predict.power import node_power_w
from assay.predict.roofline import peak_flop_per_s
from assay.predict.schedule import SCHEDULES, Job
from assay.workload import Workload

COMPUTING = (*layers.COMPUTE, "head", "optimizer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """What every plan of a grid costs; arrays of one length. `terms` add up to the step, `parts` to the peak memory."""

    terms: Mapping[str, Array]
    parts: Mapping[str, Array]
    step_s: Array
    peak_memory_bytes: Array
    power_w: Array | None  # None: the system's power is unknown


def shape_of(job: Workload) -> TransformerShape:
    """The transformer shape of a job, or a plain refusal."""
    shape = job.model.shape
    if not isinstance(shape, TransformerShape):
        raise InputError(
            f"{job.model.name}: {job.model.family} models are not priced yet", hint="try a dense transformer"
        )
    reason = transformer.unsupported(shape)
    if reason:
        raise InputError(f"{job.model.name}: {reason}", hint="try a dense decoder or encoder")
    return shape


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
class Table:
    """What a grid's plans are composed of, priced once for every value its dimensions take."""

    layouts: layers.Axes
    seconds: Mapping[str, Array]  # (recomputation level, layout)
    held: Mapping[str, Array]
    groups: layers.Axes  # replicas of the weights, and the stride between them
    exchange: Gather


def table_of(job: Workload, system: System, plan: Plan, constants: Constants) -> Table:
    """The table for all values that occur in a grid of plans."""
    shape, chip, net = shape_of(job), system.accelerator, fabric(system, constants)
    if peak_flop_per_s(chip, job.precision) is None:
        raise InputError(f"{chip.name} has no {job.precision} peak", hint=f"known: {', '.join(chip.peak_flop_per_s)}")
    layouts, groups = layers.axes_of(*layers.layout_columns(plan)), layers.axes_of(_replicas(plan), plan.tensor)
    layout = layers.layout_of(layouts)
    columns = layers.layer_seconds(job, shape, layout, chip, net, constants)
    size, stride = groups.mesh()
    return Table(
        layouts=layouts, seconds=layers.micro_batch(columns), held=memory.activation_columns(job, shape, layout),
        groups=groups, exchange=gather(size, stride, net),
    )  # fmt: skip


def memory_of(job: Workload, plan: Plan, constants: Constants, table: Table | None = None) -> dict[str, Array]:
    """Memory by part of every plan, wherever it lies; needs no machine."""
    layouts = table.layouts if table else layers.axes_of(*layers.layout_columns(plan))
    held = table.held if table else memory.activation_columns(job, shape_of(job), layers.layout_of(layouts))
    return _memory(job, _grid(job, plan), _gathered(held, _level(plan, layouts)), constants)


def price(job: Workload, system: System, plan: Plan, constants: Constants, table: Table | None = None) -> Priced:
    """Time, memory and power of every plan of a grid. Plans are taken as legal: `search.problem` says if one is not."""
    table = table or table_of(job, system, plan, constants)
    grid, level = _grid(job, plan), _level(plan, table.layouts)
    terms = _terms(job, system, grid, level, table, constants)
    parts = resident(_memory(job, grid, _gathered(table.held, level), constants), system)
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
    return _terms(job, system, _grid(job, plan), _level(plan, table.layouts), table, constants)


def _terms(
    job: Workload, system: System, grid: Mapping[str, Array], level: layers.Index, table: Table, constants: Constants
) -> dict[str, Array]:
    shape, net = shape_of(job), fabric(system, constants)
    place = table.groups.rows(grid["replicas"], grid["tensor"])
    unit = bytes_of(job.precision) * job.seq_len * shape.hidden
    schedule = Job(
        layers=float(shape.layers), columns=_gathered(table.seconds, level),
        exchange=Gather(per_byte_s=table.exchange.per_byte_s[place], fixed_s=table.exchange.fixed_s[place]),
        replicas=grid["replicas"], data=grid["data"], tensor=grid["tensor"], pipeline=grid["pipeline"],
        virtual=grid["virtual"], context=grid["context"], zero_stage=grid["zero_stage"],
        micro_batches=grid["micro_batches"], parameters=np.maximum(grid["first"], grid["last"]),
        layer_parameters=memory.sizes(shape).layer,
        boundary_bytes=unit * grid["micro_batch"] / (grid["context"] * grid["tensor"]),
    )  # fmt: skip
    return SCHEDULES[system.accelerator.execution](schedule, system, net, constants)


def _memory(
    job: Workload, grid: Mapping[str, Array], columns: Mapping[str, Array], constants: Constants
) -> dict[str, Array]:
    held = memory.Held(
        columns=columns, replicas=grid["replicas"], tensor=grid["tensor"], pipeline=grid["pipeline"],
        virtual=grid["virtual"], zero_stage=grid["zero_stage"], micro_batches=grid["micro_batches"],
        first=grid["first"], last=grid["last"],
    )  # fmt: skip
    return memory.memory_parts(held, shape_of(job), constants)


def _grid(job: Workload, plan: Plan) -> dict[str, Array]:
    """A grid's columns as floats, and what both time and memory need to know of its stages."""
    names = ("data", "tensor", "pipeline", "virtual", "context", "micro_batch", "zero_stage")
    grid = {n: np.atleast_1d(np.asarray(getattr(plan, n), dtype=np.float64)) for n in names}
    first, last = memory.stage_parameters(shape_of(job), grid["tensor"], grid["pipeline"])
    return grid | {
        "micro_batches": job.global_batch / (grid["data"] * grid["micro_batch"]),
        "replicas": grid["data"] * grid["context"], "first": first, "last": last,
    }  # fmt: skip


def _gathered(table: Mapping[str, Array], level: layers.Index) -> dict[str, Array]:
    return {name: column.ravel()[level] for name, column in table.items()}


def _replicas(plan: Plan) -> object:
    """Devices that hold the same weights and sum their gradients: data and context parallelism together."""
    return np.asarray(plan.data) * np.asarray(plan.context)


def _level(plan: Plan, layouts: layers.Axes) -> layers.Index:
    """Place of each plan in a table of (recomputation level, layout)."""
    many = int(np.prod([len(v) for v in layouts.values]))
    rows: layers.Index = np.asarray(plan.recompute, dtype=np.intp) * many + layouts.rows(*layers.layout_columns(plan))
    return rows


def layer_step_s(job: Workload, system: System, plan: Plan, constants: Constants) -> tuple[float, float]:
    """Forward and backward seconds of the mean layer for one micro-batch; the backward with what it recomputes."""
    layout = layers.layout_of(layers.axes_of(*layers.layout_columns(plan)))
    net = fabric(system, constants)
    table = layers.layer_seconds(job, shape_of(job), layout, system.accelerator, net, constants)
    forward, backward, core = (
        sum(float(table[f"{prefix}_{term}"][0]) for term in layers.TERMS)
        for prefix in ("forward", "backward", "core_forward")
    )
    again = {Recompute.FULL: forward, Recompute.SELECTIVE: core}.get(Recompute(int(plan.recompute)), 0.0)
    return forward, backward + again


def executed(plan: Plan) -> float:
    """FLOP executed for each model FLOP of one plan: 4/3 where every layer's forward pass runs twice.

    What selective recomputation adds is a few per cent (Korthikanti et al. 2022, §5) and is not counted.
    """
    return 4.0 / 3.0 if int(np.asarray(plan.recompute).ravel()[0]) == Recompute.FULL else 1.0


def kept_per_layer_bytes(job: Workload, plan: Plan) -> float:
    """Bytes the mean layer keeps of one micro-batch under this plan's recomputation."""
    layout = layers.layout_of(layers.axes_of(*layers.layout_columns(plan)))
    kept = memory.activation_columns(job, shape_of(job), layout)["kept"]
    return float(kept[int(np.asarray(plan.recompute)), 0])
