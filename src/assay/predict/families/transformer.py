"""Transformers (decoders and encoders, dense, MHA/GQA/MQA, sliding windows) as operations per layer and micro-batch.

Letters as in Narayanan et al. 2021 and Korthikanti et al. 2022: s sequence length, b micro-batch, h hidden size,
a heads, t tensor-parallel size, c context-parallel size, V vocabulary, f feed-forward width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.model import Attention, Block, FeedForward, TransformerShape
from assay.predict.ops import Number, Op, bytes_of, with_gradients

# Bytes per element of the residual stream that the pointwise operations of a layer move, in units of an activation:
# two norms (read, write) and two residual adds with dropout (read both, write, 1-byte mask).
_STREAM_PASSES = 11.0
# Unfused attention, per score: written by QKᵀ, read and written by the masked softmax, read and written by dropout (and
# its mask), read by the product with V (Korthikanti et al. 2022, figure 3).
_SCORE_PASSES = 6.5
_BACKWARD_PASSES = 1.5  # a pointwise gradient reads the gradient and one saved tensor, and writes one
_FLASH_BACKWARD = 2.5  # five matrix multiplies instead of two (Dao 2023, §3.1)
_MASKED_SHARE = 0.15  # of positions that a masked language model predicts (Devlin et al. 2019)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What one layer's work depends on: a sequence cut over c devices, a layer cut over t; scalars or arrays."""

    tensor: Number
    context: Number
    micro_batch: Number
    sequence_parallel: Number  # 0 or 1
    flash_attention: Number  # 0 or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Bytes a layer keeps: all of it, all but the attention core, or only the layer's input."""

    everything: Number
    without_core: Number
    inputs: Number


def unsupported(shape: TransformerShape) -> str:
    """Why this shape cannot be priced yet; empty when it can."""
    blocks = (*shape.encoder, *shape.blocks)
    if any(block.ffn.experts for block in blocks):
        return "mixture-of-experts layers are not priced yet"
    if shape.encoder or any(block.cross_attention for block in blocks):
        return "encoder-decoder models are not priced yet"
    kinds = {block.attention.kind for block in blocks} - {"full", "sliding", "chunked"}
    return f"{min(kinds)} attention is not priced yet" if kinds else ""


def layer_ops(block: Block, shape: TransformerShape, seq_len: int, dtype: str, layout: Layout) -> list[Op]:
    """Every operation of one layer, forward and backward, without recomputation."""
    size = bytes_of(dtype)
    tokens = layout.micro_batch * seq_len / layout.context
    return [
        *_attention_ops(block.attention, shape, seq_len, tokens, size, layout),
        *_feed_forward_ops(block.ffn, shape.hidden, tokens, size, layout.tensor),
        *_stream_ops(shape.hidden, tokens, size, layout),
        *_tensor_ops(shape.hidden, tokens, size, 1.0 if block.parallel else 2.0, layout.tensor),
    ]


def core_ops(block: Block, shape: TransformerShape, seq_len: int, dtype: str, layout: Layout) -> list[Op]:
    """The attention core alone, forward: what selective recomputation computes twice."""
    tokens = layout.micro_batch * seq_len / layout.context
    return [
        op
        for op in _core_ops(block.attention, shape, seq_len, tokens, bytes_of(dtype), layout)
        if op.phase == "forward"
    ]


def head_ops(shape: TransformerShape, seq_len: int, dtype: str, layout: Layout) -> list[Op]:
    """Embedding look-up, output matrix and loss: what only the first and last pipeline stages do."""
    size = bytes_of(dtype)
    tokens = layout.micro_batch * seq_len / layout.context
    look_up = _pointwise("embedding", 3.0 * size * tokens * shape.hidden, 3.0)
    whole = size * tokens * shape.hidden
    exchange = [_exchange("embedding", phase, whole, 1.0, layout.tensor) for phase in ("forward", "backward")]
    if not shape.head:
        return [*look_up, *exchange]
    scored = tokens if shape.causal else _MASKED_SHARE * tokens
    columns = shape.vocab / layout.tensor
    # The loss in fp32: logits widened, exponentiated and summed, gradient written back in the activation's type.
    loss = _pointwise("loss", (size + 12.0) * scored * columns, 4.0)
    return [*look_up, *exchange, *with_gradients("logits", scored, columns, shape.hidden, size), *loss]


def model_flop_per_token(shape: TransformerShape, seq_len: int) -> float:
    """Model FLOP per token, forward and backward, full attention counted (Chowdhery et al. 2022, PaLM, appendix B).

    6 per weight that multiplies, plus 12·s·a·d per layer.
    """
    weights = sum(block.count * _matmul_weights(block, shape.hidden) for block in shape.blocks)
    if shape.head:
        weights += shape.vocab * shape.hidden * (1.0 if shape.causal else _MASKED_SHARE)
    spans = sum(
        b.count * 12.0 * b.attention.heads * b.attention.head_dim * _span(b.attention, seq_len) for b in shape.blocks
    )
    return 6.0 * weights + spans


def activation_bytes(block: Block, shape: TransformerShape, seq_len: int, dtype: str, layout: Layout) -> Kept:
    """What one layer keeps of one micro-batch for its backward pass (Korthikanti et al. 2022, equations 1 to 6).

    With multi-head attention, a 4h MLP and dropout this is s·b·h·(10 + 24/t + 5·a·s/(h·t)) bytes.
    """
    att, ffn, size, t = block.attention, block.ffn, bytes_of(dtype), layout.tensor
    tokens = layout.micro_batch * seq_len / layout.context
    spread = np.where(layout.sequence_parallel > 0, t, 1.0)
    drop = 1.0 if shape.norm_bias else 0.0  # models with LayerNorm are of the age of dropout: one mask byte each time
    heads, kv = att.heads / t, np.maximum(att.kv_heads / t, 1.0)
    value = att.value_dim or att.head_dim
    stream = tokens * shape.hidden * (4.0 * size + 2.0 * drop) / spread
    qkv = tokens * size * (heads * att.head_dim + kv * (att.head_dim + value) + heads * value)
    mlp = tokens * size * ffn.hidden / t * (3.0 if ffn.gated else 2.0)
    scores = (1.0 - layout.flash_attention) * tokens * heads * seq_len * (size + drop * (1.0 + size))
    return Kept(
        everything=stream + qkv + mlp + scores,
        without_core=stream + qkv + mlp,
        inputs=tokens * shape.hidden * size / spread,
    )


def head_activation_bytes(shape: TransformerShape, dtype: str, seq_len: int, layout: Layout) -> Number:
    """What the last stage holds at once: logits in 16 bits and in fp32, their gradient, the head's input."""
    scored = layout.micro_batch * seq_len / layout.context * (1.0 if shape.causal else _MASKED_SHARE)
    wide = shape.vocab / layout.tensor if shape.head else 0.0 * layout.tensor
    return scored * (wide * (8.0 + bytes_of(dtype)) + 2.0 * bytes_of(dtype) * shape.hidden)


def _matmul_weights(block: Block, h: int) -> float:
    att, ffn = block.attention, block.ffn
    value = att.value_dim or att.head_dim
    projections = h * (att.heads * att.head_dim + att.kv_heads * (att.head_dim + value)) + att.heads * value * h
    return projections + (3.0 if ffn.gated else 2.0) * h * ffn.hidden


def _span(att: Attention, seq_len: int) -> float:
    return min(seq_len, att.window) if att.kind in ("sliding", "chunked") and att.window else seq_len


def _attention_ops(
    att: Attention, shape: TransformerShape, seq_len: int, tokens: Number, size: float, layout: Layout
) -> list[Op]:
    heads = att.heads / layout.tensor
    kv = np.maximum(att.kv_heads / layout.tensor, 1.0)  # more ranks than KV heads: each keeps a copy
    value = att.value_dim or att.head_dim
    rotate = 0.0 * tokens if shape.positions else 2.0 * size * tokens * (heads + kv) * att.head_dim
    return [
        *with_gradients("qkv", tokens, heads * att.head_dim + kv * (att.head_dim + value), float(shape.hidden), size),
        *_pointwise("rotary", rotate, 2.0),
        *_core_ops(att, shape, seq_len, tokens, size, layout),
        *with_gradients("projection", tokens, float(shape.hidden), heads * value, size),
        *_context_ops(kv * (att.head_dim + value) * size * tokens, layout.context),
    ]


def _core_ops(
    att: Attention, shape: TransformerShape, seq_len: int, tokens: Number, size: float, layout: Layout
) -> list[Op]:
    """Scores and their product with V: one fused kernel that skips what the mask hides, or matrices in memory."""
    heads = att.heads / layout.tensor
    value = att.value_dim or att.head_dim
    span = _span(att, seq_len)
    seen = span * (1.0 - 0.5 * span / seq_len) if shape.causal else span  # mean keys per query under a causal window
    fused, plain = layout.flash_attention, 1.0 - layout.flash_attention
    flop = 2.0 * tokens * heads * seen * (att.head_dim + value)
    moved = size * tokens * heads * 2.0 * (att.head_dim + value)
    scores = tokens * heads * seq_len
    ops = [
        Op(name="attention", kind="attention", phase="forward", flop=fused * flop, bytes=fused * moved),
        Op(
            name="attention", kind="attention", phase="backward",
            flop=_FLASH_BACKWARD * fused * flop, bytes=2.0 * fused * moved,
        ),
    ]  # fmt: skip
    if np.any(plain > 0):
        rows = plain * tokens * heads
        ops += [
            *_batched("scores", rows, float(seq_len), float(att.head_dim), size),
            *_batched("context", rows, float(value), float(seq_len), size),
            *_pointwise("softmax", plain * scores * size * (_SCORE_PASSES - 2.0), 3.0),
        ]
    return ops


def _batched(name: str, rows: Number, n: float, k: float, size: float) -> list[Op]:
    """A product per head (QKᵀ, scores·V) and its two gradients: each moves rows of scores and of heads once."""
    moved = size * rows * (max(n, k) + 2.0 * min(n, k))
    shapes = (("forward", (rows, n, k)), ("backward", (rows, k, n)), ("backward", (rows, k, n)))
    return [
        Op(name=name, kind="matmul", phase=phase, flop=2.0 * rows * n * k, bytes=moved, shape=shape)  # type: ignore[arg-type]
        for phase, shape in shapes
    ]


def _feed_forward_ops(ffn: FeedForward, h: int, tokens: Number, size: float, t: Number) -> list[Op]:
    wide = 2.0 if ffn.gated else 1.0
    return [
        *with_gradients("up", tokens, wide * ffn.hidden / t, float(h), size),
        *_pointwise("activation", size * tokens * ffn.hidden / t * (wide + 1.0), 1.0),
        *with_gradients("down", tokens, float(h), ffn.hidden / t, size),
    ]


def _stream_ops(h: int, tokens: Number, size: float, layout: Layout) -> list[Op]:
    """Norms, dropout, residual adds; sequence parallelism spreads them over the tensor group (Korthikanti, §4.2.2)."""
    spread = np.where(layout.sequence_parallel > 0, layout.tensor, 1.0)
    return _pointwise("norms and residuals", _STREAM_PASSES * size * tokens * h / spread, 6.0)


def _tensor_ops(h: int, tokens: Number, size: float, pairs: float, t: Number) -> list[Op]:
    """Two all-reduces of the layer's output each way, or as many reduce-scatter + all-gather pairs (Shoeybi 2019)."""
    return [_exchange("tensor", phase, size * tokens * h, pairs, t) for phase in ("forward", "backward")]


def _exchange(name: str, phase: str, message: Number, repeats: float, t: Number) -> Op:
    """An all-reduce over the tensor group; none where a device is its own group."""
    size = np.where(np.asarray(t) > 1, message, 0.0)
    return Op(name=name, kind="allreduce", phase=phase, message_bytes=size, repeats=repeats)  # type: ignore[arg-type]


def _context_ops(kv_bytes: Number, c: Number) -> list[Op]:
    """Ring attention: each device sees every other's keys and values once; and their gradients (Liu et al. 2023)."""
    return [
        Op(name="context", kind="p2p", phase="forward", message_bytes=kv_bytes * (c - 1.0)),
        Op(name="context", kind="p2p", phase="backward", message_bytes=2.0 * kv_bytes * (c - 1.0)),
    ]


def _pointwise(name: str, moved: Number, launches: float) -> list[Op]:
    return [
        Op(name=name, kind="elementwise", phase="forward", bytes=moved, launches=launches),
        Op(name=name, kind="elementwise", phase="backward", bytes=_BACKWARD_PASSES * moved, launches=launches),
    ]
