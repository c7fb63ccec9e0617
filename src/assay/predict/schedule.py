"""How operations become a step: one formula for each way a machine executes a model.

kernels            1F1B or interleaved pipeline of micro-batches, kernel by kernel
weight-streaming   the batch waits on the wafer while each layer's weights stream through it
tile-pipeline      the layers lie side by side in SRAM and micro-batches flow through them
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.calibration import Constants
from assay.hardware import Accelerator, System
from assay.predict.layers import COMPUTE, TERMS, Columns
from assay.predict.memory import GRADIENT_BYTES, WEIGHT_BYTES
from assay.predict.network import Fabric, Gather, p2p_seconds
from assay.predict.ops import Array

# Bytes that Adam moves per parameter: gradient read twice (norm, step), master and moments read and written, weight
# written.
ADAM_BYTES = 34.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a schedule needs to know of a grid of plans, per plan: sizes, counts and the columns of `layers`."""

    layers: float
    columns: Columns  # gathered: one value per plan
    replicas: Array  # of the weights: data × context
    data: Array
    tensor: Array
    pipeline: Array
    virtual: Array
    context: Array
    zero_stage: Array
    micro_batches: Array
    exchange: Gather  # over the replicas
    parameters: Array  # on the fullest stage's device
    layer_parameters: float  # of one whole layer
    boundary_bytes: Array  # a micro-batch's activation between two stages, as sent


Terms = dict[str, Array]


def kernels(job: Job, system: System, net: Fabric, constants: Constants) -> Terms:
    """Kernel by kernel: m·(slowest stage) + (p-1)/v·(a stage) + what shows of communication (Narayanan 2021, §2.2)."""
    m, p, v = job.micro_batches, job.pipeline, job.virtual
    depth = job.layers / p
    runs = m * depth
    terms = {term: runs * job.columns[term] for term in TERMS}
    terms["bubble"] = (p - 1.0) / (m * v) * sum(terms.values(), np.zeros(()))
    terms["head"] = m * job.columns["head"]
    crosses = job.tensor * job.context * job.data * p > net.domain
    hop = p2p_seconds(job.boundary_bytes, crosses, net)
    terms["pipeline"] = np.where(p > 1, 2.0 * (m * v + p - 1.0) * hop, 0.0)
    terms["data"] = _data_parallel(job, depth, constants)
    terms["optimizer"] = _optimizer(job, system.accelerator, constants)
    terms["host"] = np.full_like(m, constants.step_overhead_s)
    nodes = max(1.0, system.accelerators / max(net.domain, system.count_per_node))
    terms["stragglers"] = constants.straggler * np.log2(nodes) * sum(terms.values(), np.zeros(()))
    return terms


def weight_streaming(job: Job, system: System, net: Fabric, constants: Constants) -> Terms:
    """Layer by layer on a wafer: compute, or wait for the weights (forward, backward) and the gradients going out.

    Each of the n systems works on its share of the batch; SwarmX broadcasts weights and sums gradients on the way, so
    neither grows with n (Lie, "Wafer-scale AI", Hot Chips 2022).
    """
    chip = system.accelerator
    rate = constants.outer_link * (chip.streaming_bandwidth_bytes_per_s or net.outer_bytes_per_s / constants.outer_link)
    m, depth = job.micro_batches, job.layers
    compute = {term: m * depth * job.columns[term] for term in COMPUTE}
    # Out of the store once forward and once backward, gradients back once: two bytes a parameter each way.
    streamed = m * 3.0 * WEIGHT_BYTES * job.layer_parameters * depth / rate
    terms = compute | {"head": m * job.columns["head"]}
    terms["streaming"] = np.maximum(0.0, streamed - sum(compute.values(), np.zeros(())))
    terms["data"] = np.where(job.data > 1, net.outer_latency_s * np.log2(np.maximum(job.data, 2.0)) * depth, 0.0)
    terms["host"] = np.full_like(m, constants.step_overhead_s)
    return terms


def tile_pipeline(job: Job, system: System, net: Fabric, constants: Constants) -> Terms:
    """A pipeline of SRAM-resident stages: (m + p - 1) beats of the slowest stage, then one gradient exchange.

    The optimizer's state streams from memory beside the chip (Graphcore, "Pipelining and gradient accumulation").
    """
    chip = system.accelerator
    m, p = job.micro_batches, job.pipeline
    depth = job.layers / p
    beat = {term: depth * job.columns[term] for term in COMPUTE}
    hop = np.where(p > 1, 2.0 * p2p_seconds(job.boundary_bytes, p > net.domain, net), 0.0)
    terms = {term: m * seconds for term, seconds in beat.items()}
    terms["head"] = m * job.columns["head"]
    terms["pipeline"] = m * hop
    terms["bubble"] = (p - 1.0) * (sum(beat.values(), np.zeros(())) + hop)
    terms["data"] = np.where(job.data > 1, 2.0 * job.exchange.seconds(2.0 * job.parameters), 0.0)
    off_chip = chip.streaming_bandwidth_bytes_per_s or chip.bandwidth_bytes_per_s
    terms["optimizer"] = ADAM_BYTES * job.parameters / (off_chip * constants.memory)
    terms["host"] = np.full_like(m, constants.step_overhead_s)
    return terms


SCHEDULES = {"kernels": kernels, "weight-streaming": weight_streaming, "tile-pipeline": tile_pipeline}


def _data_parallel(job: Job, depth: Array, constants: Constants) -> Array:
    """Gradient reduction and weight gathering over data parallelism that computing does not hide.

    ZeRO 0: all-reduce. 1, 2: reduce-scatter gradients, all-gather weights. 3: gather in both passes and reduce-scatter,
    for every micro-batch (Rajbhandari et al. 2020, §7). Gradients travel in fp32, weights in 16 bits.
    """
    m, zero = job.micro_batches, job.zero_stage
    reduce, gather = (job.exchange.seconds(size * job.parameters) for size in (GRADIENT_BYTES, WEIGHT_BYTES))
    again = np.where(zero >= 2, m, 1.0)  # reductions a step: one, or one for every micro-batch
    spent = again * reduce + np.where(zero == 0, reduce, np.where(zero >= 3, 2.0 * m, 1.0) * gather)
    backward, forward = depth * job.columns["compute_backward"], depth * job.columns["compute_forward"]
    window = again * (backward + np.where(zero == 0, 0.0, forward))
    return spent - constants.overlap_data * np.minimum(spent, window)


def _optimizer(job: Job, chip: Accelerator, constants: Constants) -> Array:
    """Adam is bound by memory: every parameter's state is read and written once, each rank its shard."""
    owned = job.parameters / np.where(job.zero_stage >= 1, job.replicas, 1.0)
    return ADAM_BYTES * owned / (chip.bandwidth_bytes_per_s * constants.memory) + constants.launch_s
