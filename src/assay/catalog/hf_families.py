"""One short function per model family: what its code fixes, read beside the few keys that steer it.

Sources: each family's modelling code in Hugging Face transformers, and its paper where one is named; checked by
counting the parameters which that code makes on the meta device (tests/catalog/test_huggingface.py has the counts).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from assay.catalog.hf_classics import CLASSICS
from assay.catalog.hf_encoders import bert, distilbert, t5, vit
from assay.catalog.hf_keys import Keys
from assay.catalog.hf_layers import Traits, decoder
from assay.model import TransformerShape


def llama(c: Keys) -> Traits:
    """Llama and all that kept its code (arXiv 2302.13971)."""
    bias = c.flag("attention_bias")
    return Traits(qkv_bias=bias, out_bias=bias, mlp_bias=c.flag("mlp_bias"))


def mistral(c: Keys) -> Traits:
    """Mistral, Mixtral, Phi-3, DeepSeek-V2: no biases; a window over all layers where the file gives one."""
    return Traits()


def internlm(c: Keys) -> Traits:
    """InternLM: one switch for the biases of attention, on unless said in its first version."""
    bias = c.flag("bias", c.model_type == "internlm")
    return Traits(qkv_bias=bias, out_bias=bias)


def qwen2(c: Keys) -> Traits:
    """Qwen 1.5, 2, 2.5 and their experts: biases on queries, keys and values alone."""
    shared = c.flag("qkv_bias", True)
    return Traits(qkv_bias=shared, windowed=False, late_window=True, shared_gate=True)


def qwen3(c: Keys) -> Traits:
    """Qwen 3 and its experts: no biases, norms on queries and keys."""
    bias = c.flag("attention_bias")
    return Traits(qkv_bias=bias, out_bias=bias, qk_norm=True, windowed=False, late_window=True)


def qwen3_next(c: Keys) -> Traits:
    """Qwen 3 Next and 3.5: three layers of linear attention to one of gated full attention."""
    bias = c.flag("attention_bias")
    return Traits(qkv_bias=bias, out_bias=bias, qk_norm=True, out_gate=True, other="linear", period=4, shared_gate=True)


def gemma(c: Keys) -> Traits:
    """Gemma 1: heads wider than hidden / heads."""
    bias = c.flag("attention_bias")
    return Traits(qkv_bias=bias, out_bias=bias, tied=True, head_dim=256)


def gemma2(c: Keys) -> Traits:
    """Gemma 2: four norms a layer, every other layer full (arXiv 2408.00118)."""
    bias = c.flag("attention_bias")
    return Traits(qkv_bias=bias, out_bias=bias, tied=True, head_dim=256, norms=4, period=2)


def gemma3(c: Keys) -> Traits:
    """Gemma 3: norms on queries and keys, every sixth layer full (arXiv 2503.19786)."""
    bias = c.flag("attention_bias")
    return Traits(qkv_bias=bias, out_bias=bias, tied=True, head_dim=256, norms=4, period=6, qk_norm=True)


def gpt_oss(c: Keys) -> Traits:
    """gpt-oss: experts with biases, a sink logit a head, a window on every other layer."""
    bias = c.flag("attention_bias", True)
    return Traits(qkv_bias=bias, out_bias=bias, mlp_bias=True, sinks=True, router_bias=True, period=2)


def deepseek_v3(c: Keys) -> Traits:
    """DeepSeek-V3, R1 and Kimi K2: a bias that balances the router (arXiv 2412.19437 §2.1.2)."""
    return Traits(router_bias=True)


def glm4_moe(c: Keys) -> Traits:
    """GLM-4.5 and on: DeepSeek-V3's experts under grouped-query attention."""
    return Traits(qkv_bias=c.flag("attention_bias"), qk_norm=c.flag("use_qk_norm"), router_bias=True)


def llama4(c: Keys) -> Traits:
    """Llama 4's text half: one shared expert, chunked attention in three layers of four."""
    bias = c.flag("attention_bias")
    c.flag("use_qk_norm")  # a norm without parameters
    return Traits(qkv_bias=bias, out_bias=bias, other="chunked", period=4, shared_experts=1)


def olmo2(c: Keys) -> Traits:
    """OLMo 2 and 3: norms behind attention and MLP, and one over all query heads and all key heads."""
    bias = c.flag("attention_bias")
    return Traits(qkv_bias=bias, out_bias=bias, wide_qk_norm=True, period=4)


def cohere(c: Keys) -> Traits:
    """Command R, R7B and A: side by side behind one norm, output tied to the embedding."""
    bias, qk_norm = c.flag("attention_bias"), c.flag("use_qk_norm")
    return Traits(qkv_bias=bias, out_bias=bias, wide_qk_norm=qk_norm, norms=1, parallel=True, tied=True, period=4)


def glm(c: Keys) -> Traits:
    """GLM 4 of 2024, Seed-OSS, Helium: a switch of its own for the output's bias."""
    qkv, out = c.flag("attention_bias"), c.flag("attention_out_bias")
    return Traits(qkv_bias=qkv, out_bias=out, mlp_bias=c.flag("mlp_bias"))


def glm4(c: Keys) -> Traits:
    """GLM 4 of 2025: four norms a layer."""
    return Traits(qkv_bias=c.flag("attention_bias"), norms=4)


def olmo(c: Keys) -> Traits:
    """OLMo 1: norms without parameters."""
    bias = c.flag("attention_bias")
    return Traits(qkv_bias=bias, out_bias=bias, norms=0, outer_norms=0)


def exaone4(c: Keys) -> Traits:
    """EXAONE 4: norms on queries and keys."""
    return Traits(qk_norm=True, period=4)


def minimax_m2(c: Keys) -> Traits:
    """MiniMax M2: one norm over all query heads and all key heads, a balanced router."""
    return Traits(wide_qk_norm=True, router_bias=True)


def phimoe(c: Keys) -> Traits:
    """Phi-3.5 MoE: LayerNorm, and a bias on the output where the file says so."""
    bias = c.flag("attention_bias")
    return Traits(qkv_bias=bias, out_bias=bias, norm_bias=True, head_bias=c.flag("lm_head_bias"))


def ernie(c: Keys) -> Traits:
    """ERNIE 4.5 and its experts."""
    bias = c.model_type == "ernie4_5" and c.flag("use_bias")
    return Traits(qkv_bias=bias, out_bias=bias, mlp_bias=bias, tied=True, router_bias=True)


_DECODERS: Final[dict[str, Callable[[Keys], Traits]]] = {
    **CLASSICS,
    "baichuan": mistral, "cohere": cohere, "cohere2": cohere, "deepseek_v2": mistral,
    "deepseek_v3": deepseek_v3, "deepseek_v32": deepseek_v3, "ernie4_5": ernie, "ernie4_5_moe": ernie,
    "exaone4": exaone4, "gemma": gemma, "gemma2": gemma2, "gemma3": gemma3, "gemma3_text": gemma3, "glm": glm,
    "glm4": glm4, "glm4_moe": glm4_moe, "gpt_oss": gpt_oss, "granite": llama, "granitemoe": llama, "helium": glm,
    "internlm": internlm, "internlm2": internlm, "internlm3": internlm, "kimi_k2": deepseek_v3, "llama": llama,
    "llama4_text": llama4, "minicpm3": llama, "minimax_m2": minimax_m2, "mistral": mistral, "mixtral": mistral,
    "olmo": olmo, "olmo2": olmo2, "olmo3": olmo2, "olmoe": olmo2, "phi3": mistral, "phimoe": phimoe, "qwen2": qwen2,
    "qwen2_5_vl": qwen2, "qwen2_moe": qwen2, "qwen2_vl": qwen2, "qwen3": qwen3, "qwen3_5_moe_text": qwen3_next,
    "qwen3_5_text": qwen3_next, "qwen3_moe": qwen3, "qwen3_next": qwen3_next, "seed_oss": glm, "smollm3": llama,
}  # fmt: skip

_OTHERS: Final[dict[str, Callable[[Keys], TransformerShape]]] = {
    "bert": bert, "roberta": bert, "xlm-roberta": bert, "camembert": bert, "distilbert": distilbert,
    "vit": vit, "t5": t5, "mt5": t5,
}  # fmt: skip

FAMILIES: Final = tuple(sorted([*_DECODERS, *_OTHERS]))


def shape_of(c: Keys) -> TransformerShape:
    """The shape that a config of a known or unknown family describes; an unknown one is read as if it were a Llama."""
    if c.model_type in _OTHERS:
        return _OTHERS[c.model_type](c)
    return decoder(c, _DECODERS.get(c.model_type, _unknown)(c))


def _unknown(c: Keys) -> Traits:
    return Traits(
        qkv_bias=c.flag("attention_bias"),
        out_bias=c.flag("attention_bias"),
        mlp_bias=c.flag("mlp_bias"),
        qk_norm=c.flag("use_qk_norm"),
    )
