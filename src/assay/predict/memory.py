"""What must lie in the fullest device's memory, by part.

State: Rajbhandari et al. 2020 (ZeRO), §3.1. Activations: Korthikanti et al. 2022, §4. P parameters on this device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from assay.calibration import Constants
from assay.counting import embedding_parameters, layer_parameters
from assay.model import TransformerShape
from assay.predict.families import transformer
from assay.predict.ops import Array, Number
from assay.workload import Workload

WEIGHT_BYTES = 2.0
GRADIENT_BYTES = 4.0  # accumulated in fp32, as Megatron-LM and DeepSpeed do by default
OPTIMIZER_BYTES = 12.0  # Adam: fp32 master weight and two moments
_PREFETCHED_LAYERS = 2.0  # gathered at a time by ZeRO-3: the one at work and the next (Zhao et al. 2023, FSDP §4.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What memory depends on, per plan; `columns` are those of `activation_columns`, gathered."""

    columns: Mapping[str, Array]
    replicas: Array  # of the weights: what ZeRO cuts state by
    tensor: Array
    pipeline: Array
    virtual: Array
    zero_stage: Array
    micro_batches: Array
    first: Array  # parameters per device of the first stage, and of the last
    last: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Parameters of the whole model by where they lie."""

    layer: float  # mean layer
    embedding: float
    head: float  # a matrix of its own, or 0 when tied


@cache
def sizes(shape: TransformerShape) -> Sizes:
    """Parameters of the mean layer, of the embedding and of an untied output matrix."""
    layers = sum(b.count * layer_parameters(b, shape.hidden, norm_bias=shape.norm_bias) for b in shape.blocks)
    head = shape.vocab * shape.hidden if shape.head else 0
    return Sizes(layer=layers / shape.layers, embedding=float(embedding_parameters(shape)), head=float(head))


def stage_parameters(shape: TransformerShape, tensor: Number, pipeline: Number) -> tuple[Array, Array]:
    """Parameters per device on the first stage and on the last; with one stage a tied head is not stored twice."""
    size = sizes(shape)
    body = size.layer * shape.layers / np.asarray(pipeline, dtype=np.float64)
    alone = np.asarray(pipeline) == 1
    extra = 0.0 if shape.tied else size.head
    first = (body + size.embedding + np.where(alone, extra, 0.0)) / tensor
    return first, np.where(alone, first, (body + size.head) / tensor)


def activation_columns(job: Workload, shape: TransformerShape, layout: transformer.Layout) -> Mapping[str, Array]:
    """Activation bytes of the mean layer and of the head per micro-batch: (recomputation level, layout)."""
    total = np.zeros((3, len(layout.tensor)))  # type: ignore[arg-type]
    for block in shape.blocks:
        kept = transformer.activation_bytes(block, shape, job.seq_len, job.precision, layout)
        total += block.count / shape.layers * np.array([kept.everything, kept.without_core, kept.inputs])
    head = transformer.head_activation_bytes(shape, job.precision, job.seq_len, layout)
    working = np.stack([0.0 * total[0], 0.0 * total[0], total[0]])  # the layer being recomputed holds everything
    return {"kept": total, "working": working, "head": np.stack([np.asarray(head)] * 3)}


def memory_parts(job: Held, shape: TransformerShape, constants: Constants) -> dict[str, Array]:
    """Bytes on the fullest device by part; the sum is the peak.

    A first stage keeps the activations of min(m, p) micro-batches (Narayanan et al. 2021, §2.2), 1 + (p-1)/(p·v)
    times as many when interleaved (Korthikanti et al. 2022, §4.2.3); the last keeps one, and the logits.
    """
    p, v, zero, kept, head = job.pipeline, job.virtual, job.zero_stage, job.columns["kept"], job.columns["head"]
    first, last, alone = job.first, job.last, p == 1
    in_flight = np.minimum(job.micro_batches, p) * np.where(v > 1, 1.0 + (p - 1.0) / (p * v), 1.0)
    weights, gradients, optimizer = bytes_per_parameter(job.replicas, zero)
    stage = kept * (shape.layers / p)
    more_state = (last - first) * (weights + gradients + optimizer)
    at_end = ~alone & (more_state + stage + head > stage * in_flight)
    parameters = np.where(at_end, last, first)
    gathered = np.where(zero >= 3, _PREFETCHED_LAYERS * WEIGHT_BYTES * sizes(shape).layer / job.tensor, 0.0)
    activations = stage * np.where(at_end, 1.0, in_flight) + job.columns["working"]
    logits = np.where(at_end | alone, head, 0.0)
    return {
        "weights": weights * parameters + gathered,
        "gradients": gradients * parameters,
        "optimizer": optimizer * parameters,
        "activations": activations,
        "logits": logits,
        "fragmentation": constants.fragmentation * (activations + logits),
        "reserve": np.full_like(activations, constants.reserve_bytes),
    }


def bytes_per_parameter(replicas: Array, zero: Array) -> tuple[Array, Array, Array]:
    """Bytes of weight, gradient and optimizer state per parameter, each cut over replicas from its ZeRO stage on.

    >>> float(sum(bytes_per_parameter(np.array(8.0), np.array(0.0))))
    18.0
    """
    share = 1.0 / replicas
    return (
        np.where(zero >= 3, WEIGHT_BYTES * share, WEIGHT_BYTES),
        np.where(zero >= 2, GRADIENT_BYTES * share, GRADIENT_BYTES),
        np.where(zero >= 1, OPTIMIZER_BYTES * share, OPTIMIZER_BYTES),
    )
