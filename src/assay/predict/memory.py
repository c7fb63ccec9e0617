"""What must lie in the fullest device's memory, by part.

State: Rajbhandari et al. 2020 (ZeRO), §3.1. Activations: Korthikanti et al. 2022, §4. P parameters on this device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from assay.calibration import Constants
from assay.plan import Offload, Recompute, Schedule
from assay.predict.families import family
from assay.predict.ops import Array, Layout, Number
from assay.predict.stages import Stages
from assay.predict.state import State
from assay.workload import Workload

_PREFETCHED_LAYERS = 2.0  # gathered at a time by ZeRO-3: the one at work and the next (Zhao et al. 2023, FSDP §4.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What memory depends on, per plan; `columns` are those of `activation_columns`, gathered."""

    columns: Mapping[str, Array]
    stages: Stages
    state: State
    zero_stage: Array
    micro_batches: Array
    pipeline: Array
    virtual: Array
    schedule: Array
    again: Array  # share of a stage's layers that is recomputed, where layers are
    offload_optimizer: Array
    offload_activations: Array
    loss_chunks: Array
    frozen: bool  # only adapters learn


def activation_columns(job: Workload, layout: Layout) -> Mapping[str, Array]:
    """Activation bytes of the whole model and of its ends per micro-batch: (recomputation level, layout)."""
    writes, shape = family(job.model), job.model.shape
    total, most = np.zeros((len(Recompute), len(np.atleast_1d(layout.tensor)))), np.zeros(())
    for layer in writes.layers(shape, job, layout):
        total += layer.count * np.stack(np.broadcast_arrays(*layer.kept.levels, total[0])[:-1])
        most = np.maximum(most, layer.kept.everything)
    ends = writes.ends(shape, job, layout).kept
    head, read = (np.broadcast_to(held, total[0].shape) for held in (ends.everything, ends.inputs))
    working = np.zeros_like(total)
    working[Recompute.FULL] = most  # the layer being recomputed is whole
    return {
        "kept": total, "whole": np.broadcast_to(total[0], total.shape), "working": working,
        "layer": most + np.zeros_like(total), "head": np.broadcast_to(head, total.shape),
        "head_inputs": np.broadcast_to(read, total.shape),
    }  # fmt: skip


def memory_parts(job: Held, constants: Constants) -> dict[str, Array]:
    """Bytes on the fullest device by part; the sum is the peak.

    Which stage is the fullest differs: the first keeps most micro-batches, those in the middle most layers, the last
    the output matrix and the logits.
    """
    p, alone, on = job.pipeline, job.pipeline == 1, job.stages
    dense, experts = (bytes_per_parameter(n, job.zero_stage, job.state) for n in (on.sharding, on.expert_sharding))
    each = dense[0] if job.frozen else sum(dense, np.zeros(()))
    flying, second, final = _flying(job)
    whole = kept_of(job.columns, job.again)
    first, middle = (whole * share * n for share, n in ((on.first_share, flying), (on.middle_share, second)))
    last, logits = whole * on.last_share * final, _logits(job, final)
    at_first, at_middle = each * on.first + first, np.where(p > 2, each * on.middle + middle, 0.0)
    at_end = ~alone & (each * on.last + last + logits > np.maximum(at_first, at_middle))
    inside = ~at_end & (at_middle > at_first)
    held = np.where(at_end, on.last, np.where(inside, on.middle, on.first))
    learn = on.adapters if job.frozen else held
    learnt_experts = 0.0 if job.frozen else on.experts
    sharded = job.zero_stage >= 3
    gathered = np.where(sharded, _PREFETCHED_LAYERS * job.state.weight_wire_bytes * on.layer, 0.0)
    activations = np.where(at_end, last, np.where(inside, middle, first)) + job.columns["working"]
    # Of what goes to the host, the layer at work is here.
    here = np.minimum(activations, job.columns["layer"])
    activations = np.where(job.offload_activations > Offload.NONE, here, activations)
    logits = np.where(at_end | alone, logits, 0.0)
    optimizer = dense[2] * learn + experts[2] * learnt_experts * (0.0 if on.sparse else 1.0)
    return {
        "weights": dense[0] * held + experts[0] * on.experts + gathered,
        "gradients": dense[1] * learn + experts[1] * learnt_experts * (0.0 if on.sparse else 1.0),
        "optimizer": np.where(job.offload_optimizer > Offload.NONE, 0.0, optimizer),
        "activations": activations,
        "logits": logits,
        "fragmentation": constants.fragmentation * (activations + logits),
        "reserve": constants.reserve_bytes + np.zeros_like(activations),
    }


def _logits(job: Held, final: Array) -> Array:
    """What the loss holds: in GPipe of every micro-batch; made piece by piece, one piece, and what pieces read."""
    whole, read = job.columns["head"], job.columns["head_inputs"]
    flying = np.where(job.schedule == Schedule.GPIPE, final, 1.0)
    pieces = flying * read + (whole - read) / job.loss_chunks
    return np.where(job.loss_chunks > 1, pieces, flying * whole)


def _flying(job: Held) -> tuple[Array, Array, Array]:
    """Micro-batches whose activations the first, the second and the last stage keep at once.

    min(m, p), one less on each stage after it (Narayanan et al. 2021, §2.2); interleaved, 1 + (p-1)/(p·v) times as many
    on the first (Korthikanti et al. 2022, §4.2.3) and (p·(v-1)+1)/v on the last; in GPipe all m.
    """
    m, p, v = job.micro_batches, job.pipeline, job.virtual
    more = np.where(v > 1, 1.0 + (p - 1.0) / (p * v), 1.0)
    kept = np.minimum(m, p) * more, np.minimum(m, p - 1.0) * more, np.minimum(m, (p * (v - 1.0) + 1.0) / v)
    gpipe = job.schedule == Schedule.GPIPE
    first, second, last = (np.where(gpipe, m, n) for n in kept)
    return first, second, last


def kept_of(columns: Mapping[str, Array], again: Array) -> Array:
    """Activations of all layers when a share of them is recomputed and the others keep everything."""
    return again * columns["kept"] + (1.0 - again) * columns["whole"]


def share_again(recompute: Array, layers: Array, of: Array) -> Array:
    """Share of a stage's layers that a recomputation level applies to: all, or those of a per-block plan."""
    some = (layers > 0) & (recompute == Recompute.FULL)
    return np.where(some, np.minimum(1.0, layers / np.maximum(of, 1.0)), 1.0)


def bytes_per_parameter(replicas: Number, zero: Array, state: State) -> tuple[Array, Array, Array]:
    """Bytes of weight, gradient and optimizer state per parameter, each cut over replicas from its ZeRO stage on.

    >>> mixed = State(weight_bytes=2, gradient_bytes=4, optimizer_bytes=12, traffic_bytes=34, gradient_wire_bytes=4,
    ...               weight_wire_bytes=2, update_flop=0, away_bytes=6)
    >>> float(sum(bytes_per_parameter(np.array(8.0), np.array(0.0), mixed)))
    18.0
    """
    share = 1.0 / np.asarray(replicas)
    return (
        np.where(zero >= 3, state.weight_bytes * share, state.weight_bytes),
        np.where(zero >= 2, state.gradient_bytes * share, state.gradient_bytes),
        np.where(zero >= 1, state.optimizer_bytes * share, state.optimizer_bytes),
    )
