"""Decoders in the manner of GPT-2: an MLP of two matrices, LayerNorm, and mostly biases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from assay.catalog.hf_keys import Keys
from assay.catalog.hf_layers import Traits


def gpt2(c: Keys) -> Traits:
    """GPT-2, GPT-3 and Megatron's GPT: learned positions, biases everywhere, output tied to the embedding."""
    return Traits(
        qkv_bias=True, out_bias=True, mlp_bias=True, gated=False, norm_bias=True, tied=True,
        positions=c.number("positions"), ffn_times=4,
    )  # fmt: skip


def gpt_bigcode(c: Keys) -> Traits:
    """StarCoder 1: GPT-2 with one key/value head."""
    return Traits(
        qkv_bias=True, out_bias=True, mlp_bias=True, gated=False, norm_bias=True, tied=True,
        positions=c.number("positions"), ffn_times=4, kv_heads=1 if c.flag("multi_query", True) else c.number("heads"),
    )  # fmt: skip


def gptj(c: Keys) -> Traits:
    """GPT-J: one norm, biases in the MLP and on the output."""
    return Traits(mlp_bias=True, gated=False, norms=1, norm_bias=True, parallel=True, head_bias=True, ffn_times=4)


def gpt_neox(c: Keys) -> Traits:
    """GPT-NeoX and Pythia: biases everywhere, untied."""
    bias = c.flag("attention_bias", True)
    side_by_side = c.flag("use_parallel_residual", True)
    return Traits(
        qkv_bias=bias, out_bias=bias, mlp_bias=True, gated=False, norm_bias=True, parallel=side_by_side, ffn_times=4
    )


def opt(c: Keys) -> Traits:
    """OPT: two positions more than it says, biases everywhere (arXiv 2205.01068)."""
    bias, width = c.flag("enable_bias", True), c.maybe("word_embed_proj_dim")
    return Traits(
        qkv_bias=bias, out_bias=bias, mlp_bias=bias, gated=False, norm_bias=True, tied=True,
        positions=c.number("positions") + 2, outer_norms=1 if c.flag("do_layer_norm_before", True) else 0,
        embedding_width=width if width != c.number("hidden") else None,
    )  # fmt: skip


def bloom(c: Keys) -> Traits:
    """BLOOM: ALiBi instead of positions, a norm after the embedding too (arXiv 2211.05100)."""
    return Traits(
        qkv_bias=True, out_bias=True, mlp_bias=True, gated=False, norm_bias=True, tied=True, outer_norms=2, ffn_times=4
    )


def falcon(c: Keys) -> Traits:
    """Falcon: one key/value head (7B) or a few (40B and on), side by side behind one norm or two (arXiv 2311.16867)."""
    bias, parallel, new = (
        c.flag("bias"),
        c.flag("parallel_attn", True),
        c.flag("new_decoder_architecture", c.model_type == "RefinedWeb"),
    )
    return Traits(
        qkv_bias=bias, out_bias=bias, mlp_bias=bias, gated=False, norm_bias=True, tied=True, ffn_times=4,
        parallel=parallel, norms=c.number("num_ln_in_parallel_attn", 2 if new or not parallel else 1),
        kv_heads=1 if c.flag("multi_query", True) and not new else None,
    )  # fmt: skip


def mpt(c: Keys) -> Traits:
    """MPT: no biases at all, output tied to the embedding; ALiBi, or learned positions where it is off."""
    bias, attention = not c.flag("no_bias", True), c.table("attn_config") or {}
    learned = c.flag("learned_pos_emb", True) and attention.get("alibi") is False
    return Traits(
        qkv_bias=bias, out_bias=bias, mlp_bias=bias, norm_bias=bias, gated=False, tied=True,
        positions=c.number("positions") if learned else 0, ffn_times=c.number("expansion_ratio", 4),
    )  # fmt: skip


def phi(c: Keys) -> Traits:
    """Phi 1, 1.5 and 2: attention and MLP side by side behind one norm, biases everywhere."""
    return Traits(
        qkv_bias=True, out_bias=True, mlp_bias=True, gated=False, norms=1, norm_bias=True, parallel=True, head_bias=True
    )


def starcoder2(c: Keys) -> Traits:
    """StarCoder 2: biases everywhere, a window over all layers (arXiv 2402.19173)."""
    bias = c.flag("use_bias", True)
    return Traits(qkv_bias=bias, out_bias=bias, mlp_bias=bias, gated=False, norm_bias=True, tied=True)


def nemotron(c: Keys) -> Traits:
    """Nemotron 3 and 4: LayerNorm and an MLP of two matrices."""
    bias = c.flag("attention_bias")
    return Traits(qkv_bias=bias, out_bias=bias, mlp_bias=c.flag("mlp_bias"), gated=False, norm_bias=True)


CLASSICS: Final[dict[str, Callable[[Keys], Traits]]] = {
    "bloom": bloom, "falcon": falcon, "gpt2": gpt2, "gpt_bigcode": gpt_bigcode, "gpt_neox": gpt_neox, "gptj": gptj,
    "mpt": mpt, "nemotron": nemotron, "opt": opt, "phi": phi, "RefinedWeb": falcon, "RefinedWebModel": falcon,
    "starcoder2": starcoder2,
}  # fmt: skip
