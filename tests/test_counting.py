"""What a model holds: parameter counts and key/value caches, against published totals and measured caches."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.counting import (
    active_parameters,
    embedding_parameters,
    ffn_parameters,
    head_parameters,
    kv_bytes,
    kv_bytes_per_token,
    kv_values,
    layer_parameters,
    parameters,
    state_bytes,
)
from assay.model import Attention, Block, ConvLayer, ConvShape, DlrmShape, FeedForward, TransformerShape

GIB = 2**30
LLAMA_3_8B = TransformerShape(
    hidden=4096,
    vocab=128_256,
    blocks=(Block(count=32, attention=Attention(heads=32, kv_heads=8, head_dim=128), ffn=FeedForward(hidden=14_336)),),
)


def mixed(*, full: int, sliding: int, window: int, **attention: int) -> TransformerShape:
    """A model of so many full and so many sliding layers, as Gemma is."""
    ffn = FeedForward(hidden=64)
    blocks = (
        Block(count=full, attention=Attention(**attention), ffn=ffn),
        Block(count=sliding, attention=Attention(kind="sliding", window=window, **attention), ffn=ffn),
    )
    return TransformerShape(hidden=64, vocab=100, blocks=blocks)


def mla(layers: int) -> TransformerShape:
    """DeepSeek-V3's attention, at so many layers."""
    latent = Attention(
        kind="mla", heads=128, kv_heads=128, head_dim=192, value_dim=128, q_rank=1536, kv_rank=512, rope_dim=64
    )
    return TransformerShape(
        hidden=7168, vocab=129_280, blocks=(Block(count=layers, attention=latent, ffn=FeedForward(hidden=2048)),)
    )


def test_llama_3_8b_has_the_8_030_261_248_parameters_of_its_model_card():
    assert parameters(LLAMA_3_8B) == 8_030_261_248


def test_tying_the_output_to_the_embedding_saves_one_matrix():
    tied = dataclasses.replace(LLAMA_3_8B, tied=True)
    assert parameters(LLAMA_3_8B) - parameters(tied) == 128_256 * 4096 == head_parameters(LLAMA_3_8B)


def test_a_model_is_its_embedding_its_layers_its_last_norm_and_its_head():
    layers = 32 * layer_parameters(LLAMA_3_8B.blocks[0], 4096)
    rest = embedding_parameters(LLAMA_3_8B) + head_parameters(LLAMA_3_8B) + 4096
    assert parameters(LLAMA_3_8B) == layers + rest


def test_experts_count_in_full_and_a_token_meets_only_those_it_visits():
    mixtral = FeedForward(hidden=14_336, experts=8, experts_per_token=2)
    one = ffn_parameters(FeedForward(hidden=14_336), 4096)
    assert ffn_parameters(mixtral, 4096) == 8 * one + 8 * 4096
    assert ffn_parameters(mixtral, 4096, active=True) == 2 * one + 8 * 4096


@given(experts=st.integers(1, 512), visited=st.integers(1, 512), shared=st.integers(0, 4096))
def test_a_token_never_meets_more_parameters_than_there_are(experts, visited, shared):
    ffn = FeedForward(
        hidden=128, experts=max(experts, visited), experts_per_token=min(experts, visited), shared_hidden=shared
    )
    block = Block(count=3, attention=Attention(heads=4, kv_heads=2, head_dim=16), ffn=ffn)
    shape = TransformerShape(hidden=64, vocab=100, blocks=(block,))
    assert active_parameters(shape) <= parameters(shape)
    if ffn.experts == ffn.experts_per_token:
        assert active_parameters(shape) == parameters(shape)


# --- the key/value cache ------------------------------------------------------------------------------------------


def test_llama_3_8b_leaves_128_kib_a_token():
    assert kv_bytes_per_token(LLAMA_3_8B, 8192) == 32 * 2 * 8 * 128 * 2 == 131_072


def test_sharing_key_value_heads_shrinks_the_cache_by_as_much():
    own, shared = (Attention(heads=32, kv_heads=kv, head_dim=128) for kv in (32, 8))
    assert kv_values(own) == 4 * kv_values(shared)


def test_deepseek_v3_keeps_one_latent_for_all_heads():
    """10.7 GiB at 163,840 tokens, where a tool that took it for something else said 2.1 (unslothai/unsloth#4757)."""
    assert kv_bytes_per_token(mla(61), 163_840) == 61 * (512 + 64) * 2
    assert kv_bytes(mla(61), 163_840) / GIB == pytest.approx(10.72, abs=0.01)


def test_gemma_3_27b_keeps_its_window_in_52_layers_of_62():
    """10.4 GiB at 131,072 tokens, where tools that ignore the window said 81.4 (unslothai/unsloth#4757)."""
    shape = mixed(full=10, sliding=52, window=1024, heads=32, kv_heads=16, head_dim=128)
    assert kv_bytes(shape, 131_072) / GIB == pytest.approx(10.41, abs=0.01)


def test_an_explicit_head_width_counts_and_not_hidden_over_heads():
    """Qwen3-0.6B: 4.4 GiB at 40,960 tokens; 1024 / 16 heads would say 2.2 (unslothai/unsloth#4757)."""
    block = Block(count=28, attention=Attention(heads=16, kv_heads=8, head_dim=128), ffn=FeedForward(hidden=3072))
    shape = TransformerShape(hidden=1024, vocab=151_936, blocks=(block,), tied=True)
    assert kv_bytes(shape, 40_960) / GIB == pytest.approx(4.375)


def test_linear_attention_keeps_a_state_that_does_not_grow():
    linear = Attention(kind="linear", heads=32, kv_heads=16, head_dim=128, value_dim=128, state_bytes=2e6)
    shape = TransformerShape(
        hidden=64, vocab=100, blocks=(Block(count=3, attention=linear, ffn=FeedForward(hidden=64)),)
    )
    assert kv_bytes(shape, 1_000_000) == 0
    assert state_bytes(shape) == 6e6


def test_an_encoder_keeps_nothing():
    assert kv_bytes(dataclasses.replace(LLAMA_3_8B, causal=False), 512) == 0


def test_an_encoder_decoder_keeps_its_source_too():
    attention = Attention(heads=12, kv_heads=12, head_dim=64)
    block = Block(count=12, attention=attention, ffn=FeedForward(hidden=3072), cross_attention=attention)
    shape = TransformerShape(hidden=768, vocab=100, blocks=(block,))
    assert kv_bytes(shape, 100, source_len=300) == 4 * kv_bytes(shape, 100)


@given(st.integers(1, 2**21), st.integers(1, 2**17))
def test_a_windowed_layer_keeps_the_smaller_of_context_and_window(context, window):
    shape = mixed(full=1, sliding=1, window=window, heads=4, kv_heads=2, head_dim=16)
    assert kv_bytes(shape, context) == pytest.approx(2 * 2 * 16 * 2 * (context + min(context, window)))


@given(st.floats(1, 1e6), st.floats(1, 10))
def test_a_longer_context_never_needs_less_and_a_token_never_costs_more(context, factor):
    shape = mixed(full=2, sliding=10, window=512, heads=4, kv_heads=2, head_dim=16)
    assert kv_bytes(shape, context * factor) >= kv_bytes(shape, context) * (1 - 1e-12)
    assert kv_bytes_per_token(shape, context * factor) <= kv_bytes_per_token(shape, context) * (1 + 1e-12)


def test_an_array_of_contexts_gives_what_each_gives_alone():
    shape = mixed(full=2, sliding=10, window=512, heads=4, kv_heads=2, head_dim=16)
    lengths = np.array([1.0, 511.0, 512.0, 513.0, 131_072.0])
    assert kv_bytes(shape, lengths).tolist() == [kv_bytes(shape, float(n)) for n in lengths]


def test_fewer_bytes_a_value_shrink_the_cache_by_as_much():
    assert kv_bytes(LLAMA_3_8B, 1000, bytes_per_value=1.0) * 2 == kv_bytes(LLAMA_3_8B, 1000)


# --- convolutions and recommenders --------------------------------------------------------------------------------


def test_grouped_convolutions_hold_as_many_times_less():
    def conv(groups: int) -> int:
        layer = ConvLayer(count=1, channels_in=128, channels_out=128, kernel=3, out_px=56, groups=groups)
        return parameters(ConvShape(image_px=224, layers=(layer,), classes=10, features=128)) - 1290

    assert conv(1) == 32 * conv(32) == 128 * 128 * 9


def test_a_recommender_is_mostly_its_tables():
    shape = DlrmShape(
        tables_rows=(1_000_000, 10),
        embedding_dim=16,
        dense_features=13,
        bottom_mlp=(32, 16),
        top_mlp=(8, 1),
    )
    bottom, interaction = 13 * 32 + 32 + 32 * 16 + 16, 16 + 3
    assert parameters(shape) == 1_000_010 * 16 + bottom + (interaction * 8 + 8 + 8 + 1)


@pytest.mark.parametrize(
    ("noun", "wrong"),
    [
        (Attention(heads=4, kv_heads=2, head_dim=16), {"heads": 0}),
        (Attention(heads=4, kv_heads=2, head_dim=16), {"head_dim": -1}),
        (Attention(heads=4, kv_heads=2, head_dim=16), {"kind": "sliding"}),
        (Attention(heads=4, kv_heads=2, head_dim=16), {"kind": "mla"}),
        (FeedForward(hidden=4), {"experts": 2, "experts_per_token": 3}),
        (ConvLayer(count=1, channels_in=8, channels_out=8, kernel=3, out_px=4), {"groups": 3}),
        (LLAMA_3_8B, {"vocab": 0}),
    ],
)
def test_a_shape_that_cannot_be_is_refused(noun, wrong):
    with pytest.raises(ValueError, match=r"^\w+: "):
        dataclasses.replace(noun, **wrong)
