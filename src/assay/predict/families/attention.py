"""How tokens look at each other, as operations: MHA, GQA, MQA, windows, latent (MLA) and linear attention.

Letters as in Narayanan et al. 2021 and Korthikanti et al. 2022: s sequence length, b micro-batch, h hidden size,
a heads, t tensor-parallel size, c context-parallel size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from assay.model import Attention
from assay.plan import ContextKind
from assay.predict.ops import Layout, Number, Op, both_ways, bytes_of, pointwise, product, where, with_gradients

# Unfused attention, per score: written by QKᵀ, read and written by the masked softmax, read and written by dropout (and
# its mask), read by the product with V (Korthikanti et al. 2022, figure 3).
_SCORE_PASSES = 6.5
_FLASH_BACKWARD = 2.5  # five matrix multiplies instead of two (Dao 2023, §3.1)
_CHUNK = 64.0  # tokens that linear attention treats at a time (Yang et al. 2024, gated linear attention)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What cross-attention looks at: so many vectors of another width; frozen ones need no gradient."""

    tokens: Number
    hidden: Number
    learns: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one device works on of a micro-batch: so many tokens, of sequences of this length."""

    tokens: Number
    length: float  # of the sequence whose tokens ask
    keys: float  # of the sequence that is looked at
    causal: bool
    dtype: str
    hidden: float
    rotary: bool
    rank: int | None  # of adapters, where only they learn
    layout: Layout
    source: Source | None = None  # None: the tokens look at their own like


def attention_ops(a: Attention, on: Seen) -> list[Op]:
    """All of one attention: projections, core, and what context parallelism exchanges."""
    if a.kind == "none":
        return []
    return [*_PROJECTIONS.get(a.kind, _plain)(a, on), *core_ops(a, on), *_context_ops(a, on)]


def core_ops(a: Attention, on: Seen) -> list[Op]:
    """Scores and their product with V: one fused kernel that skips what the mask hides, or matrices in memory."""
    if a.kind == "linear":
        return _linear_core(a, on)
    heads, value, size = a.heads / on.layout.tensor, value_dim(a), bytes_of(on.dtype)
    fused, plain = on.layout.flash_attention, 1.0 - np.asarray(on.layout.flash_attention)
    flop = 2.0 * on.tokens * heads * _looked_at(a, on) * (a.head_dim + value)
    moved = size * on.tokens * heads * 2.0 * (a.head_dim + value)
    # In a ring keys come in one part from each device that a query looks at.
    parts = np.minimum(on.layout.context, 1.0 + np.ceil(span(a, on.keys) * np.asarray(on.layout.context) / on.keys))
    parts = np.where(np.asarray(on.layout.context_kind) == ContextKind.RING, parts, 1.0)
    shape = on.length, 2.0 * _looked_at(a, on) / parts, 0.5 * (a.head_dim + value)
    ops = [
        Op(name="attention", kind="attention", phase="forward", flop=fused * flop, bytes=fused * moved, shape=shape),
        Op(
            name="attention", kind="attention", phase="backward", flop=_FLASH_BACKWARD * fused * flop,
            bytes=2.0 * fused * moved, shape=shape,
        ),
    ]  # fmt: skip
    if not np.any(plain > 0):
        return ops
    # Without a fused kernel a window is a mask: every score is computed.
    groups = plain * on.tokens * heads / on.length
    scores = groups * on.length * on.keys
    return [
        *ops,
        *_batched("scores", on.length, on.keys, float(a.head_dim), groups, on.dtype),
        *_batched("context", on.length, float(value), on.keys, groups, on.dtype),
        *_cheap(pointwise("softmax", scores * size * (_SCORE_PASSES - 2.0), 3.0)),
    ]


def kept_bytes(a: Attention, on: Seen, dropout: float) -> tuple[Number, Number]:
    """What attention keeps for its backward pass: inputs and outputs of its core; and scores, where they are stored."""
    if a.kind == "none":
        return 0.0, 0.0
    t, size = on.layout.tensor, bytes_of(on.dtype)
    heads, kv, value = a.heads / t, np.maximum(a.kv_heads / t, 1.0), value_dim(a)
    if a.kind == "mla":
        kv, latent = heads, (a.q_rank or 0) + (a.kv_rank or 0) + (a.rope_dim or 0)
    else:
        latent = 0
    shown = on.source.tokens if on.source else on.tokens
    vectors = size * (on.tokens * (heads * (a.head_dim + value) + latent) + shown * kv * (a.head_dim + value))
    plain = 1.0 - np.asarray(on.layout.flash_attention)
    scores = 0.0 if a.kind == "linear" else plain * on.tokens * heads * on.keys * (size + dropout * (1.0 + size))
    return vectors, scores


def output_bytes(a: Attention, on: Seen) -> Number:
    """What attention's core writes."""
    return 0.0 if a.kind == "none" else bytes_of(on.dtype) * on.tokens * a.heads / on.layout.tensor * value_dim(a)


def weights(a: Attention, hidden: int) -> float:
    """Weights of the projections: what each token is multiplied with."""
    if a.kind == "none":
        return 0.0
    value = value_dim(a)
    out = a.heads * value * hidden
    if a.kind == "mla":
        kv, rope = a.kv_rank or 0, a.rope_dim or 0
        down = hidden * ((a.q_rank or 0) + kv + rope)
        return down + (a.q_rank or hidden) * a.heads * a.head_dim + kv * a.heads * (a.head_dim - rope + value) + out
    if a.kind == "linear":
        return float(hidden * (2 * a.kv_heads * a.head_dim + 2 * a.heads * value + 2 * a.heads) + out)
    return float(hidden * (a.heads * a.head_dim * (1 + a.out_gate) + a.kv_heads * (a.head_dim + value)) + out)


def cross_flop(a: Attention, hidden: int, length: float, source: float, width: int, *, learns: bool = True) -> float:
    """Model FLOP of one sequence's cross-attention, both passes: queries of its tokens, keys of the source's."""
    told = width * a.kv_heads * (a.head_dim + value_dim(a))
    asked = weights(a, hidden) - hidden * a.kv_heads * (a.head_dim + value_dim(a))
    made = (6.0 if learns else 4.0) * told * source  # no gradient for a source that is frozen
    return 6.0 * asked * length + made + core_flop_per_token(a, source) * length


def core_flop_per_token(a: Attention, length: float) -> float:
    """Model FLOP of the core a token, forward and backward: 12·s·a·d, the mask not taken off (PaLM, appendix B)."""
    if a.kind == "none":
        return 0.0
    if a.kind == "linear":
        return 3.0 * a.heads * _linear_flop(a)
    return 6.0 * a.heads * (a.head_dim + value_dim(a)) * span(a, length)


def span(a: Attention, length: float) -> float:
    """Tokens that one can see at most."""
    return min(length, a.window) if a.kind in ("sliding", "chunked") and a.window else length


def value_dim(a: Attention) -> int:
    """Width of a head's values."""
    return a.head_dim if a.value_dim is None else a.value_dim


def _looked_at(a: Attention, on: Seen) -> float:
    """Mean keys per query under a causal window."""
    most = span(a, on.keys)
    if on.causal and a.kind == "chunked":  # half of its own chunk, wherever it stands in it
        return 0.5 * most
    return most * (1.0 - 0.5 * most / on.keys) if on.causal else most


def _plain(a: Attention, on: Seen) -> list[Op]:
    t, h, size = on.layout.tensor, on.hidden, bytes_of(on.dtype)
    heads, kv = a.heads / t, np.maximum(a.kv_heads / t, 1.0)  # more ranks than KV heads: each keeps a copy
    value, frozen = value_dim(a), on.rank is not None
    queries = heads * a.head_dim * (1 + a.out_gate)
    rotate = 2.0 * size * on.tokens * (heads + kv) * a.head_dim if on.rotary else 0.0 * on.tokens
    return [
        *_asked(queries, kv * (a.head_dim + value), on),
        *pointwise("rotary", rotate * (1.0 + a.qk_norm), 2.0 + 2.0 * a.qk_norm),
        *with_gradients("projection", on.tokens, h, heads * value, on.dtype, frozen=frozen),
        *adapters(on, h, queries + kv * (a.head_dim + value)), *adapters(on, heads * value, h),
    ]  # fmt: skip


def _asked(queries: Number, keys_values: Number, on: Seen) -> list[Op]:
    """Queries, keys and values as one product; where keys and values are made of a source, as two."""
    h, frozen, source = on.hidden, on.rank is not None, on.source
    if source is None:
        return with_gradients("qkv", on.tokens, queries + keys_values, h, on.dtype, frozen=frozen)
    made = with_gradients("kv", source.tokens, keys_values, source.hidden, on.dtype, frozen=frozen)
    needed = made if source.learns else [made[0], *made[2:]]
    return [*with_gradients("q", on.tokens, queries, h, on.dtype, frozen=frozen), *needed]


def _latent(a: Attention, on: Seen) -> list[Op]:
    """MLA (DeepSeek-V2, §2.1): queries, keys and values through bottlenecks that tensor parallelism does not cut."""
    kv, rope, value, h = float(a.kv_rank or 0), a.rope_dim or 0, value_dim(a), on.hidden
    heads, q_in, size = a.heads / on.layout.tensor, float(a.q_rank or on.hidden), bytes_of(on.dtype)
    frozen = on.rank is not None
    down = [*with_gradients("q down", on.tokens, q_in, h, on.dtype, frozen=frozen)] if a.q_rank else []
    moved = size * on.tokens * (2.0 * (heads * a.head_dim * 2.0) + 2.0 * (q_in + kv))
    return [
        *down,
        *with_gradients("q up", on.tokens, heads * a.head_dim, q_in, on.dtype, frozen=frozen),
        *with_gradients("kv down", on.tokens, kv + rope, h, on.dtype, frozen=frozen),
        *with_gradients("kv up", on.tokens, heads * (a.head_dim - rope + value), kv, on.dtype, frozen=frozen),
        *pointwise("rotary", moved, 6.0),  # two norms, two rotations, and the rope key copied to every head
        *with_gradients("projection", on.tokens, h, heads * value, on.dtype, frozen=frozen),
    ]


def _recurrent(a: Attention, on: Seen) -> list[Op]:
    """Linear attention's projections, gates and short convolutions (Yang et al. 2024, gated DeltaNet)."""
    t, value, size = on.layout.tensor, value_dim(a), bytes_of(on.dtype)
    width = (2.0 * a.kv_heads * a.head_dim + 2.0 * a.heads * value + 2.0 * a.heads) / t
    return [
        *with_gradients("qkv", on.tokens, width, on.hidden, on.dtype, frozen=on.rank is not None),
        *pointwise("gates", 3.0 * size * on.tokens * width, 6.0),
        *with_gradients("projection", on.tokens, on.hidden, a.heads * value / t, on.dtype, frozen=on.rank is not None),
    ]


_PROJECTIONS: dict[str, Callable[[Attention, Seen], list[Op]]] = {"mla": _latent, "linear": _recurrent}


def _linear_flop(a: Attention) -> float:
    """FLOP a head and token, forward: inside a chunk, into the state and out of it."""
    return _CHUNK * (a.head_dim + value_dim(a)) + 4.0 * a.head_dim * value_dim(a)


def _linear_core(a: Attention, on: Seen) -> list[Op]:
    heads, size = a.heads / on.layout.tensor, bytes_of(on.dtype)
    flop, moved = on.tokens * heads * _linear_flop(a), size * on.tokens * heads * 3.0 * (a.head_dim + value_dim(a))
    once = Op(name="attention", kind="attention", phase="forward", flop=flop, bytes=moved, launches=4.0)
    return [once, replace(once, phase="backward", flop=2.0 * flop, bytes=2.0 * moved)]


def _batched(name: str, m: float, n: float, k: float, groups: Number, dtype: str) -> list[Op]:
    """A product per sequence and head, and its two gradients."""
    shapes = (("forward", m, n, k), ("backward", m, k, n), ("backward", k, n, m))
    return _cheap([
        product(name, phase, rows, columns, depth, dtype, groups=groups, narrow=False)  # type: ignore[arg-type]
        for phase, rows, columns, depth in shapes
    ])  # fmt: skip


def _cheap(ops: list[Op]) -> list[Op]:
    return [replace(op, again=1.0) for op in ops]


def adapters(on: Seen, wide_in: Number, wide_out: Number) -> list[Op]:
    """Two thin products beside a frozen matrix, and their sum with it (LoRA; Hu et al. 2021)."""
    if on.rank is None:
        return []
    return [
        *with_gradients("adapter", on.tokens, float(on.rank), wide_in, on.dtype, narrow=False),
        *with_gradients("adapter", on.tokens, wide_out, float(on.rank), on.dtype, narrow=False),
        *pointwise("adapter", 3.0 * bytes_of(on.dtype) * on.tokens * wide_out, 2.0),
    ]


def _context_ops(a: Attention, on: Seen) -> list[Op]:
    """Keys and values of the other devices: passed round, gathered at once, or exchanged for heads."""
    c, kind, size = np.asarray(on.layout.context), np.asarray(on.layout.context_kind), bytes_of(on.dtype)
    if a.kind == "linear" or not np.any(c > 1):
        return []
    own = size * on.tokens * np.maximum(a.kv_heads / on.layout.tensor, 1.0) * (a.head_dim + value_dim(a))
    # Queries and outputs, keys and values; of those, at least one head for each device.
    kv = np.minimum(np.maximum(a.kv_heads / on.layout.tensor, c), a.heads / on.layout.tensor)
    heads = size * on.tokens * (a.heads / on.layout.tensor + kv) * (a.head_dim + value_dim(a))
    ring, hops = where((kind == ContextKind.RING) & (c > 1), own), np.maximum(c - 1.0, 1.0)
    gathered = where((kind == ContextKind.GATHER) & (c > 1), own * c / 2.0)  # half of an all-reduce of the whole
    moved = where((kind == ContextKind.ULYSSES) & (c > 1), heads)
    return [
        Op(name="context", kind="p2p", phase="forward", message_bytes=ring, repeats=hops, over="context", hidden=True),
        Op(
            name="context", kind="p2p", phase="backward", message_bytes=2.0 * ring, repeats=hops, over="context",
            hidden=True,
        ),
        Op(name="context", kind="allreduce", phase="forward", message_bytes=gathered, over="context"),
        Op(name="context", kind="allreduce", phase="backward", message_bytes=2.0 * gathered, over="context"),
        *both_ways(Op(name="context", kind="alltoall", phase="forward", message_bytes=moved, over="context")),
    ]  # fmt: skip
