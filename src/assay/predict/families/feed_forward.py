"""The part of a layer that treats each token alone: an MLP, or experts of which a token visits a few.

E experts, k visited, e devices they are spread over, t tensor-parallel size, h hidden size, f width of one.
"""

from __future__ import annotations

import numpy as np

from assay.model import FeedForward
from assay.predict.families.attention import Seen
from assay.predict.ops import Number, Op, both_ways, bytes_of, operand_bytes, pointwise, with_gradients
from assay.workload import Workload

# Kernels that route a token: top-k, softmax, sort, counts, permutation and their opposites (Megatron-LM's MoE layer).
_ROUTING_LAUNCHES = 20.0


def feed_forward_ops(ffn: FeedForward, on: Seen, job: Workload) -> list[Op]:
    """An MLP, or router, exchange, experts and shared experts."""
    if not ffn.experts:
        return _mlp("", ffn, float(ffn.hidden), on)
    shared = _mlp("shared ", ffn, float(ffn.shared_hidden), on) if ffn.shared_hidden else []
    return [*_routing(ffn, on), *_exchange(ffn, on, job), *_experts(ffn, on, job), *shared]


def kept_bytes(ffn: FeedForward, on: Seen, *, cheap: bool = True) -> Number:
    """What it keeps for its backward pass: what enters the activation and the last matrix; experts' rows too.

    Without what is `cheap` to compute again, what enters the last matrix is not kept.
    """
    size, t, wide = bytes_of(on.dtype), on.layout.tensor, 3.0 if ffn.gated else 2.0
    wide -= on.rank is not None or not cheap  # a frozen matrix needs no copy of its input
    if not ffn.experts:
        return on.tokens * size * ffn.hidden / t * wide
    rows = on.tokens * ffn.experts_per_token / t
    shared = on.tokens * size * ffn.shared_hidden / t * wide
    return rows * size * (2.0 * on.hidden + wide * ffn.hidden) + shared + 4.0 * on.tokens / t * ffn.experts


def weights(ffn: FeedForward, hidden: int, *, active: bool = True) -> float:
    """Weights a token is multiplied with (`active`), or all of them."""
    matrices = 3.0 if ffn.gated else 2.0
    if not ffn.experts:
        return matrices * hidden * ffn.hidden
    visited = ffn.experts_per_token if active else ffn.experts
    return hidden * (matrices * (visited * ffn.hidden + ffn.shared_hidden) + ffn.experts + ffn.shared_gate)


def load(ffn: FeedForward, job: Workload) -> float:
    """Rows of the fullest device over the mean: uneven routing, up to where tokens are dropped."""
    return min(job.expert_imbalance, job.expert_capacity or np.inf) if ffn.experts else 1.0


def _mlp(kind: str, ffn: FeedForward, width: float, on: Seen) -> list[Op]:
    wide, frozen, own = 2.0 if ffn.gated else 1.0, on.rank is not None, width / on.layout.tensor
    return [
        *with_gradients(f"{kind}up", on.tokens, wide * own, on.hidden, on.dtype, frozen=frozen),
        *pointwise(
            f"{kind}activation", bytes_of(on.dtype) * on.tokens * own * (wide + 1.0), 1.0,
            again=on.layout.flash_attention,
        ),
        *with_gradients(f"{kind}down", on.tokens, on.hidden, own, on.dtype, frozen=frozen),
    ]  # fmt: skip


def _routing(ffn: FeedForward, on: Seen) -> list[Op]:
    """Scores for every expert, and tokens put in the order of theirs and back."""
    rows = on.tokens / on.layout.tensor
    moved = bytes_of(on.dtype) * rows * ffn.experts_per_token * on.hidden
    return [
        *with_gradients("router", rows, float(ffn.experts), on.hidden, on.dtype, narrow=False),
        *pointwise("routing", 4.0 * moved + 16.0 * rows * ffn.experts, _ROUTING_LAUNCHES, backward=1.0),
        *both_ways(Op(name="routing", kind="elementwise", phase="forward", bytes=1.0, waits=1.0)),
    ]


def _exchange(ffn: FeedForward, on: Seen, job: Workload) -> list[Op]:
    """Tokens sent to the devices of their experts, at the precision they are computed in, and back in 16 bits."""
    e = np.asarray(on.layout.expert)
    rows = np.where(e > 1, on.tokens / on.layout.tensor * ffn.experts_per_token * load(ffn, job), 0.0)
    there = Op(
        name="experts", kind="alltoall", phase="forward", over="expert",
        message_bytes=rows * on.hidden * operand_bytes(on.dtype),
    )  # fmt: skip
    back = Op(
        name="experts", kind="alltoall", phase="forward", over="expert",
        message_bytes=rows * on.hidden * bytes_of(on.dtype),
    )  # fmt: skip
    return [*both_ways(there), *both_ways(back)]


def _experts(ffn: FeedForward, on: Seen, job: Workload) -> list[Op]:
    """Products of every expert here side by side; with fewer expert than tensor ranks, experts are cut as well."""
    t, e = np.asarray(on.layout.tensor), np.asarray(on.layout.expert)
    cut = np.maximum(t / e, 1.0)
    groups = np.maximum(ffn.experts / e, 1.0)
    spread = np.where(e > 1, load(ffn, job), 1.0)  # where every device has all experts none is fuller
    rows = on.tokens * ffn.experts_per_token * cut / t * spread
    each, width, wide = rows / groups, ffn.hidden / cut, 2.0 if ffn.gated else 1.0
    frozen = on.rank is not None
    return [
        *with_gradients("experts up", each, wide * width, on.hidden, on.dtype, groups=groups, frozen=frozen),
        *pointwise(
            "activation", bytes_of(on.dtype) * rows * width * (wide + 1.0), 1.0, again=on.layout.flash_attention
        ),
        *with_gradients("experts down", each, on.hidden, width, on.dtype, groups=groups, frozen=frozen),
    ]
