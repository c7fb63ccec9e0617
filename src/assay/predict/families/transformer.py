"""Transformers as operations per layer and micro-batch: decoders, encoders and both, dense or with experts.

Letters as in Narayanan et al. 2021 and Korthikanti et al. 2022: s sequence length, b micro-batch, h hidden size,
a heads, t tensor-parallel size, c context-parallel size, V vocabulary.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from assay.counting import embedding_parameters, ffn_parameters, layer_parameters
from assay.model import Block, TransformerShape
from assay.predict.families import attention, feed_forward
from assay.predict.families.attention import Seen, Source
from assay.predict.ops import (
    Kept,
    Layer,
    Layout,
    Limits,
    Number,
    Op,
    Sizes,
    both_ways,
    bytes_of,
    pointwise,
    with_gradients,
)  # fmt: skip
from assay.predict.state import PACKED_BYTES
from assay.workload import Workload

# Bytes per element of the residual stream that the pointwise operations of a layer move, in units of an activation:
# two norms (read, write) and two residual adds with dropout (read both, write, 1-byte mask).
_STREAM_PASSES = 11.0
_NORMS = 4.0 / _STREAM_PASSES  # of these, what norms alone move
_MATRICES = 7.0  # of a gated layer: four of attention, three of the MLP
_MASKED_SHARE = 0.15  # of positions that a masked language model predicts (Devlin et al. 2019)


def limits(shape: TransformerShape, job: Workload) -> Limits:
    """What parallel sizes must divide: heads that all blocks have in common, layers, experts, positions."""
    blocks = (*shape.encoder, *shape.blocks)
    heads = [b.attention.heads for b in blocks if b.attention.kind != "none"]
    experts = [b.ffn.experts for b in blocks if b.ffn.experts]
    return Limits(
        layers=shape.layers, heads=int(np.gcd.reduce(heads)) if heads else 1,
        experts=int(np.gcd.reduce(experts)) if experts else 1, positions=job.seq_len,
        scored=job.seq_len if shape.head else 0,
        recompute=(0, 1, 2, 3),
    )  # fmt: skip


def layers(shape: TransformerShape, job: Workload, layout: Layout) -> list[Layer]:
    """Every block, the encoder's first."""
    parts = [(block, False) for block in shape.encoder] + [(block, bool(shape.encoder)) for block in shape.blocks]
    return [
        Layer(
            count=block.count, ops=_block_ops(block, shape, job, layout, writes),
            kept=_kept(block, shape, job, layout, writes),
        )
        for block, writes in parts
    ]  # fmt: skip


def ends(shape: TransformerShape, job: Workload, layout: Layout) -> Layer:
    """Embedding look-up, output matrix and loss: what only the first and last pipeline stages do."""
    dtype, size = _wide(job), bytes_of(job.precision)
    tokens = _tokens(job, layout, writes=bool(shape.encoder))
    look_up = pointwise("embedding", 3.0 * size * tokens * shape.hidden, 3.0)
    exchange = both_ways(_exchange(size * tokens * shape.hidden, 1.0, layout.tensor))
    if not shape.head:
        return Layer(count=1.0, ops=[*look_up, *exchange], kept=_same(size * tokens * shape.hidden))
    scored = tokens if shape.causal else _MASKED_SHARE * tokens
    columns = shape.vocab / layout.tensor
    # The loss in fp32: logits widened, exponentiated and summed, gradient written back in the activation's type.
    loss = pointwise("loss", (size + 12.0) * scored * columns, 4.0)
    logits = with_gradients("logits", scored, columns, float(shape.hidden), dtype, narrow=False)
    # Fused, the loss holds one copy of the logits in fp32 beside them, else two: their exponentials, and the gradient.
    wide = np.where(np.asarray(layout.fused) > 0, 4.0, 8.0)
    read = scored * 2.0 * size * shape.hidden
    held = read + scored * columns * (wide + size)
    kept = Kept(everything=held, without_cheap=held, inputs=read)
    return Layer(count=1.0, ops=[*look_up, *exchange, *logits, *loss], kept=kept)


@cache
def sizes(shape: TransformerShape) -> Sizes:
    """Parameters of the mean layer, without and with its experts, of the embedding and of the output matrix."""
    blocks = (*shape.encoder, *shape.blocks)
    whole = sum(b.count * layer_parameters(b, shape.hidden, norm_bias=shape.norm_bias) for b in blocks)
    experts = sum(b.count * _expert_parameters(b, shape.hidden) for b in blocks)
    head = shape.vocab * shape.hidden if shape.head else 0
    return Sizes(
        layer=(whole - experts) / shape.layers, experts=experts / shape.layers,
        embedding=float(embedding_parameters(shape)), head=float(head), tied=shape.tied,
        adapters=sum(b.count * _adapted_widths(b, shape.hidden) for b in blocks) / shape.layers,
    )  # fmt: skip


def model_flop(shape: TransformerShape, job: Workload) -> float:
    """Model FLOP of one sequence, forward and backward, of the tokens that are no padding."""
    writes = _length(job, bool(shape.encoder))
    body = sum(b.count * _flop(b, shape.hidden, job.real_len, 0.0) for b in shape.encoder)
    body += sum(b.count * _flop(b, shape.hidden, writes, job.real_len) for b in shape.blocks)
    scored = (1.0 if shape.causal else _MASKED_SHARE) * writes if shape.head else 0.0
    return body + 6.0 * shape.vocab * shape.hidden * scored


def handed_on(shape: TransformerShape, job: Workload) -> float:
    """Numbers that one sequence takes from one pipeline stage to the next."""
    return job.real_len * shape.hidden


def _flop(block: Block, hidden: int, length: float, source: float) -> float:
    """6 per weight that multiplies, plus 12·s·a·d a token for attention (Chowdhery et al. 2022, PaLM, appendix B)."""
    multiplied = attention.weights(block.attention, hidden) + feed_forward.weights(block.ffn, hidden)
    own = length * (6.0 * multiplied + attention.core_flop_per_token(block.attention, length))
    crossed = block.cross_attention
    return own + (attention.cross_flop(crossed, hidden, length, source, hidden) if crossed else 0.0)


def _block_ops(block: Block, shape: TransformerShape, job: Workload, layout: Layout, writes: bool) -> list[Op]:
    on = _seen(shape, job, layout, writes)
    crossed = attention.attention_ops(block.cross_attention, _across(on, job, layout)) if block.cross_attention else []
    return [
        *attention.attention_ops(block.attention, on), *crossed,
        *feed_forward.feed_forward_ops(block.ffn, on, job),
        *_stream_ops(block, shape, on), *_tensor_ops(block, on), *_unpacking(block, shape, job, layout),
    ]  # fmt: skip


def _kept(block: Block, shape: TransformerShape, job: Workload, layout: Layout, writes: bool) -> Kept:
    """What one layer keeps of one micro-batch for its backward pass (Korthikanti et al. 2022, equations 1 to 6).

    With multi-head attention, a 4h MLP and dropout this is s·b·h·(10 + 24/t + 5·a·s/(h·t)) bytes.
    """
    on, size = _seen(shape, job, layout, writes), bytes_of(job.precision)
    drop = 1.0 if shape.norm_bias else 0.0  # models with LayerNorm are of the age of dropout: one mask byte each time
    spread = np.where(np.asarray(layout.sequence_parallel) > 0, layout.tensor, 1.0)
    # A frozen matrix needs no copy of its input; norms and the core keep theirs.
    copies = 4.0 if job.adapter_rank is None else 3.0
    stream = on.tokens * shape.hidden * (copies * size + 2.0 * drop) / spread
    vectors, scores = attention.kept_bytes(block.attention, on, drop)
    if block.cross_attention:
        more, cross_scores = attention.kept_bytes(block.cross_attention, _across(on, job, layout), drop)
        vectors, scores = vectors + more, scores + cross_scores
    rest = stream + vectors + feed_forward.kept_bytes(block.ffn, on)
    # Where scores are stored they are what is cheap (equation 6); else norms and activations are, of which there are
    # two and one.
    bare = stream * (copies - 2.0) / copies + vectors + feed_forward.kept_bytes(block.ffn, on, cheap=False)
    cheap = np.where(np.asarray(layout.flash_attention) > 0, bare, rest)
    inputs, core = on.tokens * shape.hidden * size / spread, attention.output_bytes(block.attention, on)
    half = 0.5 * (bare + core + inputs)  # of the products' outputs; all of the core's and of the layer's input
    return Kept(everything=rest + scores, without_cheap=cheap, inputs=inputs, half=half)


def _same(size: Number) -> Kept:
    return Kept(everything=size, without_cheap=size, inputs=size)


def _length(job: Workload, writes: bool) -> float:
    return float(job.target_len) if writes and job.target_len else job.real_len


def _tokens(job: Workload, layout: Layout, writes: bool) -> Number:
    return layout.micro_batch * _length(job, writes) / layout.context


def _seen(shape: TransformerShape, job: Workload, layout: Layout, writes: bool) -> Seen:
    length = _length(job, writes)
    return Seen(
        tokens=_tokens(job, layout, writes), length=length, keys=length, dtype=job.precision,
        causal=shape.causal and (writes or not shape.encoder), hidden=float(shape.hidden),
        rotary=not shape.positions, rank=job.adapter_rank, layout=layout,
    )  # fmt: skip


def _across(on: Seen, job: Workload, layout: Layout) -> Seen:
    read = layout.micro_batch * job.real_len / layout.context
    return replace(on, keys=job.real_len, causal=False, source=Source(tokens=read, hidden=on.hidden))


def _wide(job: Workload) -> str:
    """Logits stay in 16 bits where the layers run in 8 or 4."""
    return job.precision if bytes_of(job.precision) > 2.0 else "bf16"


def _expert_parameters(block: Block, hidden: int) -> int:
    """Parameters of a layer that are spread over expert parallelism."""
    one = replace(block.ffn, experts=0, experts_per_token=0)
    return block.ffn.experts * ffn_parameters(one, hidden)


def _adapted_widths(block: Block, hidden: int) -> float:
    """Adapter parameters of a layer per rank: in and out widths of attention's matrices, where they are put."""
    a, value = block.attention, attention.value_dim(block.attention)
    qkv = a.heads * a.head_dim + a.kv_heads * (a.head_dim + value)
    return 2.0 * hidden + qkv + a.heads * value


def _stream_ops(block: Block, shape: TransformerShape, on: Seen) -> list[Op]:
    """Norms, dropout, residual adds; sequence parallelism spreads them over the tensor group (Korthikanti, §4.2.2)."""
    spread = np.where(np.asarray(on.layout.sequence_parallel) > 0, on.layout.tensor, 1.0)
    passes = _STREAM_PASSES * max(1.0, block.norms / 2.0)
    moved = passes * bytes_of(on.dtype) * on.tokens * shape.hidden / spread
    return pointwise("norms and residuals", moved, 6.0, again=_NORMS * np.asarray(on.layout.flash_attention))


def _unpacking(block: Block, shape: TransformerShape, job: Workload, layout: Layout) -> list[Op]:
    """Frozen weights in 4 bits are brought to 16 before every product that reads them (Dettmers et al. 2023, §3)."""
    if job.stored != "nf4":
        return []
    experts = _expert_parameters(block, shape.hidden)
    shared = layer_parameters(block, shape.hidden) - experts
    here = shared / layout.tensor + experts / np.maximum(layout.expert, layout.tensor)
    return pointwise("unpacking", (PACKED_BYTES + 2.0) * here, _MATRICES, backward=1.0)


def _tensor_ops(block: Block, on: Seen) -> list[Op]:
    """Two all-reduces of the layer's output each way, or as many reduce-scatter + all-gather pairs (Shoeybi 2019).

    Experts that are spread over more devices than a layer is cut over take their tokens as they lie: one pair less.
    """
    pairs = 1.0 if block.parallel else 2.0
    if block.cross_attention:
        pairs += 1.0
    message = bytes_of(on.dtype) * on.tokens * on.hidden
    if block.ffn.experts and not block.ffn.shared_hidden:
        fewer = np.asarray(on.layout.expert) >= np.asarray(on.layout.tensor)
        message = message * np.where(fewer & (np.asarray(on.layout.expert) > 1), (pairs - 1.0) / pairs, 1.0)
    return both_ways(_exchange(message, pairs, on.layout.tensor))


def _exchange(message: Number, repeats: float, t: Number) -> Op:
    """An all-reduce over the tensor group; none where a device is its own group."""
    size = np.where(np.asarray(t) > 1, message, 0.0)
    return Op(name="tensor", kind="allreduce", phase="forward", message_bytes=size, repeats=repeats)
