"""Transformers as data: how tokens look at each other, what treats each alone, and the blocks made of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from assay.model.sizes import above_zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """How the tokens of one layer look at each other.

    `kind`: full (every earlier token), sliding (the last `window`), chunked, mla (DeepSeek's latent attention),
    linear (constant state: no KV cache), none.
    """

    kind: Literal["full", "sliding", "chunked", "mla", "linear", "none"] = "full"
    heads: int
    kv_heads: int
    head_dim: int  # of queries and keys
    value_dim: int | None = None  # of values, where it differs from head_dim
    window: int | None = None
    q_rank: int | None = None  # MLA: rank of the compressed query, None = not compressed
    kv_rank: int | None = None  # MLA: rank of the compressed key/value
    rope_dim: int | None = None  # MLA: the part of head_dim that carries positions, cached once for all heads
    index_dim: int | None = None  # MLA with an indexer (DeepSeek-V3.2): width of the key it caches for each token
    qkv_bias: bool = False
    out_bias: bool = False
    qk_norm: bool = False  # a norm of head_dim on queries and on keys
    out_gate: bool = False  # a learned gate on what attention hands on, as wide as the queries (qwen3_next)
    sinks: bool = False  # one learned sink logit a head (gpt-oss)
    extra_params: int = 0  # parameters of this layer's attention that the fields above do not say (with the reason)
    state_bytes: float | None = None  # linear: recurrent state per sequence, of one layer

    def __post_init__(self) -> None:
        above_zero(self, "heads", "kv_heads", "head_dim", "value_dim", "window", "q_rank", "kv_rank", "rope_dim",
                    "index_dim")  # fmt: skip
        if self.kind in ("sliding", "chunked") and self.window is None:
            raise ValueError(f"window: {self.kind} attention needs one")
        if self.kind == "mla" and None in (self.kv_rank, self.rope_dim, self.value_dim):
            raise ValueError("kv_rank: mla attention needs kv_rank, rope_dim and value_dim")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedForward:
    """The part of a layer that treats each token alone: one MLP, or experts of which each token visits a few."""

    hidden: int  # width of one expert, or of the MLP
    gated: bool = True  # SwiGLU and its like: three matrices instead of two
    bias: bool = False
    experts: int = 0  # 0 = dense
    experts_per_token: int = 0
    shared_hidden: int = 0  # total width of the experts every token visits
    shared_gate: bool = False  # a learned gate on the shared expert (qwen2_moe)
    router_bias: bool = False

    def __post_init__(self) -> None:
        above_zero(self, "hidden")
        if not 0 <= self.experts_per_token <= self.experts:
            raise ValueError(f"experts_per_token: {self.experts_per_token} of {self.experts} experts cannot be")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """`count` equal layers in a row."""

    count: int
    attention: Attention
    ffn: FeedForward
    cross_attention: Attention | None = None  # a decoder that looks at an encoder
    norms: int = 2  # norm vectors of the hidden width per layer
    parallel: bool = False  # attention and MLP side by side (gpt_neox, falcon, phi): one all-reduce less

    def __post_init__(self) -> None:
        above_zero(self, "count")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformerShape:
    """A transformer as its blocks see it. Blocks stand in order of execution; order inside a mix does not matter."""

    hidden: int
    vocab: int
    blocks: tuple[Block, ...]
    encoder: tuple[Block, ...] = ()  # T5 and its like; empty for decoder-only and encoder-only models
    causal: bool = True  # False: every token sees every token (BERT, ViT)
    tied: bool = False  # the output matrix is the embedding
    head: bool = True  # there is an output matrix over the vocabulary
    head_bias: bool = False
    positions: int = 0  # learned position vectors
    token_types: int = 0
    norm_bias: bool = False  # LayerNorm (weight and bias) rather than RMSNorm (weight)
    final_norms: int = 1  # norms outside the layers, wherever they stand (BLOOM: after the embedding and at the end)
    extra_params: int = 0  # patch embedding, pooler, MLM transform …: what the fields above do not say
    embedding_params: int | None = None  # overrides vocab × hidden where the embedding is not that (ViT: 0)
    max_seq_len: int | None = None

    def __post_init__(self) -> None:
        above_zero(self, "hidden", "vocab")

    @property
    def layers(self) -> int:
        """Number of layers, the encoder's included."""
        return sum(block.count for block in (*self.encoder, *self.blocks))
