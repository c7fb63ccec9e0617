"""How much a model holds: parameters, active parameters, and the key/value cache a token leaves behind.

Formulas follow the layers as their papers write them; tests/test_counting.py checks each against published totals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

from assay.model import (
    Attention,
    Block,
    ConvShape,
    DiffusionShape,
    DlrmShape,
    FeedForward,
    LstmLayer,
    RecurrentShape,
    Shape,
    TokenStage,
    TracedShape,
    TransformerShape,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Lengths = TypeVar("Lengths", float, npt.NDArray[np.float64])
else:
    Lengths = TypeVar("Lengths")


def parameters(shape: Shape) -> int:
    """All parameters that are stored; a matrix used twice (tied embeddings) counts once.

    >>> gpt2 = Block(count=12, attention=Attention(heads=12, kv_heads=12, head_dim=64, qkv_bias=True, out_bias=True),
    ...              ffn=FeedForward(hidden=3072, gated=False, bias=True))
    >>> parameters(TransformerShape(hidden=768, vocab=50257, blocks=(gpt2,), tied=True, positions=1024, norm_bias=True))
    124439808
    """
    if isinstance(shape, ConvShape):
        return _convolutions(shape)
    if isinstance(shape, DlrmShape):
        return _recommender(shape)
    if isinstance(shape, TracedShape):  # counted where it was traced
        return shape.parameters
    if isinstance(shape, DiffusionShape):
        return _diffusion(shape)
    if isinstance(shape, RecurrentShape):
        return sum(c.count * lstm_parameters(c) for c in shape.layers) + sum(recurrent_ends(shape))
    return _transformer(shape, active=False)


def active_parameters(shape: Shape) -> int:
    """Parameters one token meets: all but the experts it does not visit; with the embedding (Mixtral: 12.9 B)."""
    return _transformer(shape, active=True) if isinstance(shape, TransformerShape) else parameters(shape)


def embedding_parameters(shape: TransformerShape) -> int:
    """What is looked up rather than multiplied: token, position and token-type vectors."""
    tokens = shape.vocab * shape.hidden if shape.embedding_params is None else shape.embedding_params
    return tokens + (shape.positions + shape.token_types) * shape.hidden


def head_parameters(shape: TransformerShape) -> int:
    """The output matrix over the vocabulary, where it is not the embedding again; its bias in any case."""
    matrix = 0 if shape.tied or not shape.head else shape.vocab * shape.hidden
    return matrix + (shape.vocab if shape.head_bias else 0)


def layer_parameters(block: Block, hidden: int, *, norm_bias: bool = False, active: bool = False) -> int:
    """One layer of a block: attention, MLP or experts (`active`: only those a token visits), and its norms."""
    cross = attention_parameters(block.cross_attention, hidden) if block.cross_attention else 0
    mlp = ffn_parameters(block.ffn, hidden, active=active)
    return attention_parameters(block.attention, hidden) + cross + mlp + block.norms * hidden * (1 + norm_bias)


def attention_parameters(a: Attention, hidden: int) -> int:
    """The projections of one attention, with biases, norms and sinks.

    Queries h·a·d, keys h·k·d, values h·k·v, output a·v·h for a heads and k key/value heads (arXiv 2305.13245).

    >>> attention_parameters(Attention(heads=32, kv_heads=8, head_dim=128), hidden=4096)
    41943040
    """
    if a.kind == "none":
        return a.extra_params
    if a.kind == "mla":
        return _latent_parameters(a, hidden)
    if a.kind == "linear":
        return _linear_parameters(a, hidden)
    queries, keys, values = a.heads * a.head_dim, a.kv_heads * a.head_dim, a.kv_heads * _value_dim(a)
    out = a.heads * _value_dim(a)
    weights = hidden * (queries * (1 + a.out_gate) + keys + values + out)
    biases = a.qkv_bias * (queries * (1 + a.out_gate) + keys + values) + a.out_bias * hidden
    return weights + biases + a.qk_norm * 2 * a.head_dim + a.sinks * a.heads + a.extra_params


def ffn_parameters(ffn: FeedForward, hidden: int, *, active: bool = False) -> int:
    """One MLP, or router, experts and shared experts (arXiv 2401.06066).

    >>> ffn_parameters(FeedForward(hidden=14336), hidden=4096)
    176160768
    """
    matrices = 3 if ffn.gated else 2
    one = matrices * hidden * ffn.hidden + ffn.bias * ((matrices - 1) * ffn.hidden + hidden)
    if not ffn.experts:
        return one
    router = ffn.experts * (hidden + ffn.router_bias)
    shared = matrices * hidden * ffn.shared_hidden + ffn.shared_gate * hidden
    return (ffn.experts_per_token if active else ffn.experts) * one + router + shared


def kv_bytes(
    shape: TransformerShape, context_len: Lengths, bytes_per_value: float = 2.0, source_len: float = 0
) -> Lengths:
    """The key/value cache of one sequence of `context_len` tokens (a number, or a NumPy array of them).

    A full layer keeps every token, a windowed one the last `window`, MLA one latent for all heads, linear attention
    nothing that grows; an encoder alone keeps nothing. An encoder-decoder also keeps `source_len` tokens of its source.
    """
    kept = [b.count * kv_values(b.attention) * _kept(b.attention, context_len) for b in _cached(shape)]
    source = sum(b.count * kv_values(b.cross_attention) for b in _cached(shape) if b.cross_attention) * source_len
    return sum(kept, context_len * 0.0 + source) * bytes_per_value


def kv_bytes_per_token(shape: TransformerShape, context_len: Lengths, bytes_per_value: float = 2.0) -> Lengths:
    """Cache bytes a token costs on average over a context of this length."""
    return kv_bytes(shape, context_len, bytes_per_value) / context_len


def kv_values(a: Attention) -> int:
    """Numbers one token leaves in one layer's cache: 2·k·d, or MLA's latent and rope key (arXiv 2405.04434 §2.1.3).

    >>> kv_values(Attention(heads=32, kv_heads=8, head_dim=128))
    2048
    """
    if a.kind in ("linear", "none"):
        return 0
    if a.kind == "mla":
        return (a.kv_rank or 0) + (a.rope_dim or 0) + (a.index_dim or 0)
    return a.kv_heads * (a.head_dim + _value_dim(a))


def state_bytes(shape: TransformerShape) -> float:
    """What linear attention keeps of one sequence, however long it is."""
    return sum(b.count * (b.attention.state_bytes or 0.0) for b in _cached(shape))


def classifier_parameters(s: ConvShape) -> int:
    """The matrix and the bias over the classes, where there is one."""
    return (s.features + 1) * s.classes if s.features else 0


def stage_parameters(s: TokenStage) -> int:
    """One block of a stage: attention, MLP, norms, and what a text or a condition is multiplied with.

    A block of Stable Diffusion 2's highest resolution, 320 wide, which reads vectors of 1024:

    >>> stage_parameters(TokenStage(count=1, tokens=4096, hidden=320, heads=5, head_dim=64, ffn_hidden=1280, gated=True,
    ...                             norms=3, context_tokens=77, context_dim=1024))
    2504000
    """
    inner = s.heads * s.head_dim
    crossed = 2 * s.hidden * inner + 2 * s.context_dim * inner + s.hidden if s.context_dim else 0
    own = attention_parameters(s.attention, s.hidden) + ffn_parameters(s.ffn, s.hidden)
    return own + crossed + 2 * s.norms * s.hidden + s.modulation * s.hidden * (s.hidden + 1) + s.extra_params


def lstm_parameters(c: LstmLayer) -> int:
    """One LSTM layer of all its directions: 4h·(i + r + 2) for a state of width r, and what projects it (PyTorch's).

    >>> lstm_parameters(LstmLayer(count=1, inputs=240, hidden=1024, steps=1))
    5185536
    """
    state = c.projection or c.hidden
    return c.directions * (4 * c.hidden * (c.inputs + state + 2) + c.projection * c.hidden)


def recurrent_ends(s: RecurrentShape) -> tuple[int, int]:
    """What is looked up, and what scores the outputs: a joint network or a matrix with its bias."""
    table, last = s.embedding_rows * s.embedding_dim, s.layers[-1]
    if s.joint is None:
        return table, ((last.projection or last.hidden) * last.directions + 1) * s.outputs
    j = s.joint
    return table, (j.encoder + 1) * j.hidden + (j.prediction + 1) * j.hidden + (j.hidden + 1) * s.outputs


def _diffusion(s: DiffusionShape) -> int:
    blocks = sum(stage.count * stage_parameters(stage) for stage in s.stages)
    return blocks + sum(c.count * c.weights for c in s.convs) + s.extra_params


def _transformer(s: TransformerShape, *, active: bool) -> int:
    layers = sum(
        b.count * layer_parameters(b, s.hidden, norm_bias=s.norm_bias, active=active) for b in (*s.encoder, *s.blocks)
    )
    norms = s.final_norms * s.hidden * (1 + s.norm_bias)
    return embedding_parameters(s) + head_parameters(s) + layers + norms + s.extra_params


def _latent_parameters(a: Attention, hidden: int) -> int:
    """MLA (arXiv 2405.04434 §2.1): queries and keys/values through low-rank bottlenecks with a norm in each."""
    kv, rope, value = a.kv_rank or 0, a.rope_dim or 0, _value_dim(a)
    q_in, queries = a.q_rank or hidden, a.heads * a.head_dim
    down = a.q_rank * (hidden + 1) if a.q_rank else 0
    up = kv * a.heads * (a.head_dim - rope + value)
    biases = a.qkv_bias * ((a.q_rank or 0) + kv + rope) + a.out_bias * hidden
    return down + q_in * queries + hidden * (kv + rope) + kv + up + a.heads * value * hidden + biases + a.extra_params


def _linear_parameters(a: Attention, hidden: int) -> int:
    """Gated DeltaNet (arXiv 2412.06464): queries, keys, values and their gate, two numbers a head, and the output."""
    keys, values = a.kv_heads * a.head_dim, a.heads * _value_dim(a)
    return hidden * (2 * keys + 2 * values + 2 * a.heads) + values * hidden + a.extra_params


def _value_dim(a: Attention) -> int:
    return a.head_dim if a.value_dim is None else a.value_dim


def _cached(shape: TransformerShape) -> Sequence[Block]:
    return shape.blocks if shape.causal else ()


def _kept(a: Attention, context_len: Lengths) -> Lengths:
    """min(context, window), written so that arrays pass without importing NumPy."""
    if a.window is None:
        return context_len
    return (context_len + a.window - abs(context_len - a.window)) / 2


def _convolutions(s: ConvShape) -> int:
    return sum(c.count * c.weights for c in s.layers) + s.norm_params + classifier_parameters(s)


def _recommender(s: DlrmShape) -> int:
    """DLRM (arXiv 1906.00091): tables, two MLPs, dot products between; or DCNv2's cross layers (arXiv 2008.13535)."""
    d, features = s.embedding_dim, len(s.tables_rows) + 1
    crossed = features * d if s.cross_layers else d + features * (features - 1) // 2
    cross = s.cross_layers * (2 * s.cross_rank + 1) * crossed
    return sum(s.tables_rows) * d + _mlp((s.dense_features, *s.bottom_mlp)) + cross + _mlp((crossed, *s.top_mlp))


def _mlp(widths: Iterable[int]) -> int:
    return sum(i * o + o for i, o in pairwise(widths))
