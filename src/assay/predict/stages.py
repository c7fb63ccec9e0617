"""Where a model's parameters lie when it is cut: on the first stage, on the last, and over how many devices each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.predict.ops import Array, Sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """Per plan: shares of the model's layers on a stage, parameters per device, and what shards them."""

    first_share: Array  # of all layers: on the first stage, in the middle, and on the last
    middle_share: Array
    last_share: Array
    first: Array  # parameters per device, without experts
    middle: Array
    last: Array
    experts: Array  # parameters of experts per device of the fullest stage
    layer: Array  # parameters per device of one whole layer
    adapters: Array  # parameters that learn on the fullest stage, where only adapters do
    replicas: Array  # of dense weights, and of each expert's
    expert_replicas: Array
    sharding: Array  # devices that the state of dense weights is cut over where it is cut, and of experts'
    expert_sharding: Array
    sparse: bool


def stages(
    size: Sizes, layers: int, rank: int | None, *, tensor: Array, pipeline: Array, virtual: Array, data: Array,
    context: Array, expert: Array, shard: Array,
) -> Stages:  # fmt: skip
    """The stages of every plan. Where layers do not divide, embedding and output count as one each (Megatron-LM)."""
    chunks = pipeline * virtual
    even = layers % chunks == 0
    middle = np.where(even, 1.0 / pipeline, (layers + 2.0) / (pipeline * layers))
    ended = np.where(even, middle, middle - 1.0 / layers)
    # Stages that hold unequal numbers of layers: the fullest sets the pace, and both ends have the fewest.
    uneven = ~even & ((layers + 2) % chunks != 0)
    middle = np.where(uneven, np.ceil(layers / chunks) * virtual / layers, middle)
    ended = np.where(uneven, np.floor(layers / chunks) * virtual / layers, ended)
    # Two stages are two ends.
    half = np.where(uneven, np.ceil(layers / chunks) * virtual / layers, 0.5)
    middle, ended = (np.where(pipeline == 2, half, share) for share in (middle, ended))
    alone = pipeline == 1
    ended = np.where(alone, 1.0, ended)
    middle = np.where(alone, 1.0, middle)
    head = 0.0 if size.tied else size.head  # with one stage a tied head is not stored twice
    body = size.layer * layers
    first = (ended * body + size.embedding + np.where(alone, head, 0.0)) / tensor
    spread = np.maximum(expert, 1.0 if size.sparse else tensor)
    replicas = data * context
    expert_replicas = np.maximum(replicas * tensor / spread, 1.0)
    sharding = np.where(shard > 0, np.minimum(shard, replicas), replicas)
    return Stages(
        first_share=ended, middle_share=middle, last_share=ended, first=first,
        middle=middle * body / tensor, last=np.where(alone, first, (ended * body + size.head) / tensor),
        experts=size.experts * layers * middle / spread, layer=size.layer / tensor + size.experts / spread,
        adapters=size.adapters * float(rank or 0) * layers * middle / tensor, replicas=replicas,
        expert_replicas=expert_replicas, sharding=sharding,
        expert_sharding=np.minimum(np.where(shard > 0, shard, np.inf), expert_replicas), sparse=size.sparse,
    )  # fmt: skip
