"""How operations become a step: one formula for each way a machine executes a model.

kernels            a pipeline of micro-batches (GPipe, 1F1B, interleaved, zero-bubble), kernel by kernel
weight-streaming   the batch waits on the wafer while each layer's weights stream through it
tile-pipeline      the layers lie side by side in SRAM and micro-batches flow through them
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.calibration import Constants
from assay.hardware import Execution
from assay.plan import Schedule
from assay.predict.book import COMPUTE
from assay.predict.device import Device
from assay.predict.layers import TERMS, Columns
from assay.predict.network import Gather, Reached, p2p_seconds
from assay.predict.ops import Array, Number
from assay.predict.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanges:
    """Networks that gradients and weights travel on, per plan: the replicas of dense weights and of experts."""

    shards: Gather  # among the devices that one copy of the weights is sharded over
    copies: Gather  # between such groups (HSDP); nothing where there is one
    experts: Gather  # among devices that hold the same experts


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a schedule needs to know of a grid of plans, per plan: sizes, counts and the columns of `layers`."""

    layers: Number
    columns: Columns  # of the whole model, gathered: one value per plan
    middle: Array  # share of the model's layers on a stage that has neither end, and on the stage with the output
    last: Array
    data: Array
    tensor: Array
    pipeline: Array
    virtual: Array
    schedule: Array
    context: Array
    zero_stage: Array
    micro_batches: Array
    parameters: Array  # that learn on the fullest stage's device, without experts; and those of experts
    experts: Array
    weights: Array  # all parameters there
    stored_experts: Array
    replicas: Array  # of dense weights, and of each expert's
    expert_replicas: Array
    sharding: Array  # devices that state is cut over where it is cut
    expert_sharding: Array
    boundary_bytes: Array  # a micro-batch's activation between two stages, as sent
    kept_bytes: Array  # activations that leave the device and come back, of one micro-batch
    state_away: Array  # 1: the optimizer's state lies with the host; 2: on its drives
    state: State


Terms = dict[str, Array]


def kernels(job: Job, on: Device, net: Reached, exchanges: Exchanges, constants: Constants) -> Terms:
    """Kernel by kernel: m · (slowest stage) + what filling and draining the pipeline costs (Narayanan 2021, §2.2)."""
    m, p = job.micro_batches, job.pipeline
    # The slowest stage: a middle one, or the last with its logits.
    body = sum((job.columns[term] for term in TERMS), np.zeros(()))
    ends = job.columns["head"]
    heavy = np.where((p > 1) & (job.middle * body > job.last * body + ends), job.middle, job.last)
    terms = {term: m * heavy * job.columns[term] for term in TERMS}
    terms["bubble"] = _bubble(job, body)
    terms["head"] = np.where(heavy == job.last, m * ends, 0.0)
    hop = p2p_seconds(job.boundary_bytes, job.tensor * job.context * job.data * p, net)
    # An interleaved schedule sends one chunk's output while it computes another's (Narayanan 2021, §4.1).
    shown = np.where(job.virtual > 1, 1.0 - constants.overlap_data, 1.0)
    terms["pipeline"] = np.where(p > 1, 2.0 * (m * job.virtual * shown + p - 1.0) * hop, 0.0)
    terms["data"] = _data_parallel(job, exchanges, constants)
    terms["optimizer"] = _optimizer(job, on, constants)
    terms["offload"] = _offloading(job, on, terms, constants)
    terms["host"] = constants.step_overhead_s + np.zeros_like(m)
    nodes = np.maximum(1.0, on.per_node * on.nodes / np.maximum(net.tiers[0].domain, on.per_node))
    terms["stragglers"] = constants.straggler * np.log2(nodes) * sum(terms.values(), np.zeros(()))
    return terms


def weight_streaming(job: Job, on: Device, net: Reached, exchanges: Exchanges, constants: Constants) -> Terms:
    """Layer by layer on a wafer: compute, or wait for the weights (forward, backward) and the gradients going out.

    Each of the n systems works on its share of the batch; SwarmX broadcasts weights and sums gradients on the way, so
    neither grows with n (Lie, "Wafer-scale AI", Hot Chips 2022).
    """
    tier = net.tiers[-1]
    streaming = np.asarray(on.streaming_bytes_per_s, dtype=np.float64)
    rate = np.where(streaming > 0, constants.outer_link * streaming, tier.bytes_per_s)
    m = job.micro_batches
    compute = {term: m * job.columns[term] for term in COMPUTE}
    # Out of the store once forward and once backward, gradients back once: two bytes a parameter each way.
    streamed = m * 3.0 * job.state.weight_bytes * job.parameters / rate
    terms = compute | {"head": m * job.columns["head"]}
    terms["streaming"] = np.maximum(0.0, streamed - sum(compute.values(), np.zeros(())))
    terms["data"] = np.where(job.data > 1, tier.latency_s * np.log2(np.maximum(job.data, 2.0)) * job.layers, 0.0)
    terms["host"] = constants.step_overhead_s + np.zeros_like(m)
    return terms


def tile_pipeline(job: Job, on: Device, net: Reached, exchanges: Exchanges, constants: Constants) -> Terms:
    """A pipeline of SRAM-resident stages: (m + p - 1) beats of the slowest stage, then one gradient exchange.

    The optimizer's state streams from memory beside the chip where it is large (Graphcore, "Pipelining and gradient
    accumulation").
    """
    m, p = job.micro_batches, job.pipeline
    beat = {term: job.columns[term] / p for term in COMPUTE}
    hop = np.where(p > 1, 2.0 * p2p_seconds(job.boundary_bytes, p, net), 0.0)
    terms = {term: m * seconds for term, seconds in beat.items()}
    terms["head"] = m * job.columns["head"]
    terms["pipeline"] = m * hop
    terms["bubble"] = (p - 1.0) * (sum(beat.values(), np.zeros(())) + hop)
    terms["data"] = np.where(job.data > 1, 2.0 * exchanges.shards.seconds(2.0 * job.parameters), 0.0)
    streaming = np.asarray(on.streaming_bytes_per_s, dtype=np.float64)
    small = job.state.optimizer_bytes * job.parameters < _BESIDE * np.asarray(on.memory_bytes)
    off_chip = np.where((streaming > 0) & ~small, streaming, on.bandwidth_bytes_per_s)
    terms["optimizer"] = job.state.traffic_bytes * job.parameters / (off_chip * constants.memory)
    terms["host"] = constants.step_overhead_s + np.zeros_like(m)
    return terms


_BESIDE = 0.25  # of a device's SRAM that the optimizer's state may take; more lies in the memory beside it

SCHEDULES = {"kernels": kernels, "weight-streaming": weight_streaming, "tile-pipeline": tile_pipeline}


def step_terms(
    execution: Execution, job: Job, on: Device, net: Reached, exchanges: Exchanges, constants: Constants
) -> Terms:
    """Seconds of a step by term, by the schedule of this way to execute, all of them over the speed that is reached."""
    terms = SCHEDULES[execution](job, on, net, exchanges, constants)
    return {name: seconds / constants.speed for name, seconds in terms.items()}


def _bubble(job: Job, body: Array) -> Array:
    """Stages that wait at both ends of a step: (p-1)/v of a stage's passes; less what weight gradients fill.

    Zero-bubble H1 leaves (p-1)·(t_f + t_b - 2·t_w) (Qi et al. 2023, table 1; t_b holds t_w).
    """
    filled = np.where(job.schedule == Schedule.ZERO_BUBBLE, 2.0 * job.columns["weight_gradients"], 0.0)
    return (job.pipeline - 1.0) / job.virtual * job.middle * np.maximum(body - filled, 0.0)


def _data_parallel(job: Job, exchanges: Exchanges, constants: Constants) -> Array:
    """Gradient reduction and weight gathering over data parallelism that computing does not hide.

    ZeRO 0: all-reduce. 1, 2: reduce-scatter gradients, all-gather weights. 3: gather in both passes and reduce-scatter,
    for every micro-batch (Rajbhandari et al. 2020, §7). HSDP: copies of a shard sum their gradients once a step. What
    is hidden slows down the computing it hides behind.
    """
    m, zero, state = job.micro_batches, job.zero_stage, job.state
    whole = zero >= 3  # every weight is gathered, else those that were updated
    calls = np.where(whole, job.layers * job.middle, np.maximum(1.0, job.parameters / _BUCKET))
    reduce = _among(exchanges, state.gradient_wire_bytes, job.parameters, job.experts, calls)
    gather = _among(
        exchanges, state.weight_wire_bytes, np.where(whole, job.weights, job.parameters),
        np.where(whole, job.stored_experts, job.experts), calls,
    )  # fmt: skip
    again = np.where(zero >= 2, m, 1.0)  # reductions a step: one, or one for every micro-batch
    whole_reduce = exchanges.shards.reduce_seconds(state.gradient_wire_bytes * job.parameters, calls)
    whole_reduce = whole_reduce + np.where(
        job.experts > 0, exchanges.experts.reduce_seconds(state.gradient_wire_bytes * job.experts), 0.0
    )
    sharded = again * reduce + np.where(whole, 2.0 * m, 1.0) * gather
    spent = np.where(zero == 0, whole_reduce, sharded)
    copies = exchanges.copies.reduce_seconds(state.gradient_wire_bytes * job.parameters / job.sharding)
    spent = spent + np.where(job.replicas > job.sharding, copies, 0.0)
    backward, forward = (job.middle * job.columns[f"compute_{phase}"] for phase in ("backward", "forward"))
    window = again * (backward + np.where(zero == 0, 0.0, forward))
    return spent - constants.overlap_data * (1.0 - constants.contention) * np.minimum(spent, window)


# Parameters whose gradients are exchanged in one call (Megatron-LM's and DeepSpeed's buckets are of that order).
_BUCKET = 50e6


def _among(exchanges: Exchanges, size: Number, dense: Array, experts: Array, calls: Array) -> Array:
    """Seconds to gather (or reduce and scatter) so many parameters, those of experts among their own replicas."""
    own = np.where(experts > 0, exchanges.experts.seconds(size * experts, calls), 0.0)
    return exchanges.shards.seconds(size * dense, calls) + own


def _optimizer(job: Job, on: Device, constants: Constants) -> Array:
    """An optimizer is bound by memory: state is read and written once, each rank its shard."""
    owned = _owned(job)
    rate = on.bandwidth_bytes_per_s * constants.memory
    computed = job.state.update_flop * owned / (on.wide_flop_per_s * constants.matmul)
    return job.state.traffic_bytes * owned / rate + computed + constants.launch_s


def _owned(job: Job) -> Array:
    cut = job.zero_stage >= 1
    dense = job.parameters / np.where(cut, job.sharding, 1.0)
    return dense + job.experts / np.where(cut, job.expert_sharding, 1.0)


def _offloading(job: Job, on: Device, terms: Terms, constants: Constants) -> Array:
    """Activations go out and come back while the device computes; gradients go to the host's optimizer, weights return.

    The host updates at the speed of its link or, from drives, at what a node's NVMe gives each device; and no faster
    than the device would have.
    """
    link = np.where(np.asarray(on.host_bytes_per_s) > 0, on.host_bytes_per_s, _HOST_LINK)
    computing = sum((terms[term] for term in COMPUTE), np.zeros(()))
    moved = 2.0 * job.micro_batches * job.kept_bytes / link
    shown = np.maximum(0.0, moved - computing)
    slow = np.where(job.state_away > 1, _NVME_BYTES_PER_S / np.maximum(on.per_node, 1.0), link)
    own = job.state.traffic_bytes / (on.bandwidth_bytes_per_s * constants.memory)
    away = np.maximum(0.0, job.state.away_bytes / slow - own) * _owned(job)
    return shown + np.where(job.state_away > 0, away, 0.0)


_HOST_LINK = 25e9  # PCIe 4 × 16 as copies reach it, where a device's own is not known
_NVME_BYTES_PER_S = 12e9  # of a node's drives together (two PCIe 4 drives; storage of the catalog says the rest)
