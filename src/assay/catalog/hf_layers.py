"""From a config's keys and a family's traits to the layers of a decoder: one path for every decoder-only family."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from assay.catalog.hf_keys import Keys
from assay.model import Attention, Block, FeedForward, TransformerShape

Kind = Literal["full", "sliding", "chunked", "linear"]

_LAYER_TYPES: Final[dict[str, Kind]] = {
    "full_attention": "full",
    "attention": "full",
    "sliding_attention": "sliding",
    "chunked_attention": "chunked",
    "linear_attention": "linear",
    "indexed_attention": "full",  # DeepSeek-V3.2: MLA over the tokens that an indexer picks; the cache keeps all
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a family's code fixes and its config does not say. The defaults are Llama's."""

    qkv_bias: bool = False
    out_bias: bool = False
    mlp_bias: bool = False
    gated: bool = True
    qk_norm: bool = False
    wide_qk_norm: bool = False  # OLMo 2: one norm over all heads together
    out_gate: bool = False
    sinks: bool = False
    norms: int = 2
    norm_bias: bool = False
    outer_norms: int = 1
    parallel: bool = False
    tied: bool = False  # where the config says nothing of tie_word_embeddings
    head_bias: bool = False
    positions: int = 0
    embedding_width: int | None = None  # narrower than hidden, with a matrix in and one out (OPT-350M)
    kv_heads: int | None = None  # fixed by the family, whatever the config says (falcon-7b says 71 and has 1)
    head_dim: int | None = None  # where the config says nothing: hidden / heads
    ffn_times: int | None = None  # MLP width over hidden, where the config gives none
    windowed: bool = True  # a window in the config is used unless use_sliding_window says no
    late_window: bool = False  # Qwen: only layers from max_window_layers on slide
    other: Kind = "sliding"  # what a layer is that is not full
    period: int | None = None  # every so many-th layer is full; None: all of them are `other`
    router_bias: bool = False
    shared_experts: int = 0
    shared_gate: bool = False


def decoder(c: Keys, t: Traits) -> TransformerShape:
    """The shape of a decoder-only transformer."""
    hidden, layers, vocab = c.number("hidden"), c.number("layers"), c.number("vocab")
    kinds = _kinds(c, t, layers)
    attention = {kind: _attention(c, t, hidden, kind) for kind in dict.fromkeys(kinds)}
    equal = Counter(zip((attention[kind] for kind in kinds), _feed_forwards(c, t, hidden, layers), strict=True))
    return TransformerShape(
        hidden=hidden,
        vocab=vocab,
        blocks=tuple(
            Block(count=n, attention=a, ffn=f, norms=t.norms, parallel=t.parallel) for (a, f), n in equal.items()
        ),
        tied=c.flag("tie_word_embeddings", t.tied),
        head_bias=t.head_bias,
        positions=t.positions,
        norm_bias=t.norm_bias,
        final_norms=t.outer_norms,
        embedding_params=vocab * t.embedding_width if t.embedding_width else None,
        extra_params=2 * t.embedding_width * hidden if t.embedding_width else 0,
        max_seq_len=c.maybe("positions"),
    )


def heads_of(c: Keys, hidden: int, given: int | None = None) -> tuple[int, int]:
    """Heads and the width of one: explicit, or hidden / heads where that is whole."""
    heads = c.number("heads")
    width = c.maybe("head_dim") or given
    if width is None and hidden % heads:
        what = f"{heads} heads do not divide a hidden width of {hidden}"
        raise c.refuse("heads", what, 'correct one of them, or add "head_dim"')
    return heads, width or hidden // heads


def _attention(c: Keys, t: Traits, hidden: int, kind: Kind) -> Attention:
    if kind == "linear":
        return _linear(c)
    if c.maybe("kv_lora_rank"):
        return _latent(c)
    heads, width = heads_of(c, hidden, t.head_dim)
    said = c.number("kv_heads", heads)
    kv_heads = t.kv_heads or said
    if heads % kv_heads:
        what = f"{kv_heads} key/value heads cannot be shared by {heads} heads"
        raise c.refuse("kv_heads", what, f"a divisor of {heads} is wanted")
    window = {"full": None, "sliding": "window", "chunked": "attention_chunk_size"}[kind]
    return Attention(
        kind=kind,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=width,
        window=c.number(window) if window else None,
        qkv_bias=t.qkv_bias,
        out_bias=t.out_bias,
        qk_norm=t.qk_norm,
        out_gate=t.out_gate,
        sinks=t.sinks,
        extra_params=(heads + kv_heads) * width if t.wide_qk_norm else 0,
    )


def _latent(c: Keys) -> Attention:
    """Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434 §2.1)."""
    heads, rope = c.number("heads"), c.number("qk_rope_head_dim")
    bias, index = c.flag("attention_bias"), c.maybe("index_head_dim")
    c.maybe("kv_heads")  # said in every file, and without meaning here: the cache holds one latent for all heads
    c.maybe("head_dim")
    return Attention(
        kind="mla",
        heads=heads,
        kv_heads=heads,
        head_dim=c.number("qk_nope_head_dim") + rope,
        value_dim=c.number("v_head_dim"),
        q_rank=c.maybe("q_lora_rank"),
        kv_rank=c.number("kv_lora_rank"),
        rope_dim=rope,
        qkv_bias=bias,
        out_bias=bias,
        index_dim=index,
        extra_params=_indexer(c, index) if index else 0,
    )


def _indexer(c: Keys, index: int) -> int:
    """What picks the tokens to look at (DeepSeek-V3.2): queries from the latent, one normed key, a weight a head."""
    hidden, heads = c.number("hidden"), c.number("index_n_heads")
    c.maybe("index_topk")
    return c.number("q_lora_rank") * heads * index + hidden * index + 2 * index + hidden * heads


def _linear(c: Keys) -> Attention:
    """Gated DeltaNet (qwen3_next): a state of key x value per head, and a short convolution before it."""
    heads, key_heads = c.number("linear_num_value_heads"), c.number("linear_num_key_heads")
    key, value, kernel = (c.number(f"linear_{n}") for n in ("key_head_dim", "value_head_dim", "conv_kernel_dim"))
    channels = 2 * key_heads * key + heads * value
    return Attention(
        kind="linear",
        heads=heads,
        kv_heads=key_heads,
        head_dim=key,
        value_dim=value,
        extra_params=channels * kernel + 2 * heads + value,  # convolution; A and dt of each head; the output's norm
        state_bytes=4.0 * heads * key * value + 2.0 * channels * kernel,  # float32 state, bf16 convolution window
    )


def _kinds(c: Keys, t: Traits, layers: int) -> list[Kind]:
    """What kind of attention each layer has, first to last."""
    named, period = c.words("layer_types"), c.maybe("period") or t.period
    window, used = c.maybe("window", least=0), c.flag("use_sliding_window", t.windowed)
    first = c.number("max_window_layers", 0, least=0) if t.late_window else 0
    if named is not None:
        return _named_kinds(c, named, layers)
    if t.other == "sliding" and not (window and used):
        return ["full"] * layers
    if t.other == "chunked" and (roped := c.numbers("no_rope_layers")):  # Llama 4: 1 = has positions, and is chunked
        return ["chunked" if i < len(roped) and roped[i] else "full" for i in range(layers)]
    return ["full" if i < first or (period and (i + 1) % period == 0) else t.other for i in range(layers)]


def _named_kinds(c: Keys, named: Sequence[str], layers: int) -> list[Kind]:
    strange = [name for name in named if name not in _LAYER_TYPES]
    if strange:
        raise c.refuse("layer_types", f'"{strange[0]}" is not known here', f"known: {', '.join(_LAYER_TYPES)}")
    if len(named) != layers:
        raise c.refuse("layer_types", f"{len(named)} named, {layers} layers said", "one word a layer is wanted")
    return [_LAYER_TYPES[name] for name in named]


def _feed_forwards(c: Keys, t: Traits, hidden: int, layers: int) -> list[FeedForward]:
    """The MLP or the experts of each layer, first to last."""
    experts = c.number("experts", 0, least=0)
    sparse = _sparse(c, layers) if experts else [False] * layers
    wide = None if all(sparse) else _dense(c, t, hidden)
    routed = _routed(c, t, hidden, experts) if any(sparse) else None
    return [ffn for is_sparse in sparse if (ffn := routed if is_sparse else wide)]


def _dense(c: Keys, t: Traits, hidden: int) -> FeedForward:
    return FeedForward(hidden=c.maybe("dense_ffn") or _width(c, t, hidden), gated=t.gated, bias=t.mlp_bias)


def _routed(c: Keys, t: Traits, hidden: int, experts: int) -> FeedForward:
    visited = c.number("experts_per_token")
    if visited > experts:
        raise c.refuse(
            "experts_per_token", f"{visited} of {experts} experts cannot be", f"{experts} or fewer are wanted"
        )
    c.maybe("ffn"), c.maybe("dense_ffn")  # the width of dense layers, which some files carry though they have none
    width = c.maybe("expert_ffn") or _width(c, t, hidden)
    shared = c.number("shared_experts", t.shared_experts, least=0) * width
    return replace(
        FeedForward(hidden=width, gated=t.gated, bias=t.mlp_bias, experts=experts, experts_per_token=visited),
        shared_hidden=c.number("shared_expert_intermediate_size", shared, least=0),
        shared_gate=t.shared_gate,
        router_bias=t.router_bias,
    )


def _width(c: Keys, t: Traits, hidden: int) -> int:
    return c.number("ffn", t.ffn_times * hidden if t.ffn_times else None)


def _sparse(c: Keys, layers: int) -> list[bool]:
    """Which layers have experts. qwen2_moe: layer ∉ mlp_only_layers and (layer + 1) % decoder_sparse_step == 0."""
    named, listed = c.words("mlp_layer_types"), c.numbers("moe_layers")
    first, step = c.number("first_sparse", 0, least=0), c.number("sparse_step", 1)
    dense = set(c.numbers("mlp_only_layers") or ())
    if named is not None or listed is not None:
        sparse = {i for i, name in enumerate(named or ()) if name == "sparse"} | set(listed or ())
        return [i in sparse for i in range(layers)]
    return [i >= first and i not in dense and (i + 1) % step == 0 for i in range(layers)]
