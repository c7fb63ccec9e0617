"""Transformers of every kind as work: what attention and experts cost, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.counting import attention_parameters
from assay.model import Attention, Block, FeedForward, Model, TransformerShape
from assay.plan import Plan
from assay.predict.families import family
from assay.predict.layers import axes_of, layout_columns, layout_of
from assay.predict.ops import Layer

from .conftest import training

HIDDEN, SEQ = 1024, 2048
FULL = Attention(heads=8, kv_heads=2, head_dim=128)
LATENT = Attention(
    kind="mla", heads=8, kv_heads=8, head_dim=192, value_dim=128, q_rank=768, kv_rank=512, rope_dim=64
)  # fmt: skip
LINEAR = Attention(kind="linear", heads=8, kv_heads=8, head_dim=128)
MLP = FeedForward(hidden=4096)
ALONE = Plan()
CORE = ("attention", "scores", "context")  # operations of attention's core, fused or not


def model(attention: Attention = FULL, ffn: FeedForward = MLP, *, causal: bool = True) -> Model:
    block = Block(count=2, attention=attention, ffn=ffn)
    shape = TransformerShape(hidden=HIDDEN, vocab=1000, blocks=(block,), causal=causal)
    return Model(name="mine", family="transformer", shape=shape)


def layer(of: Model, *, seq_len: int = SEQ, flash: bool = True, plan: Plan = ALONE, **said: object) -> Layer:
    """One layer's operations for one sequence on one device."""
    job = training(of, seq_len=seq_len, global_batch=8, **said)
    layout = layout_of(axes_of(*layout_columns(replace(plan, flash_attention=flash))))
    return family(of).layers(of.shape, job, layout)[0]


def flop(of: Layer, *, phase: str = "forward", core: bool | None = None) -> float:
    return sum(
        op.repeats * float(np.ravel(op.flop)[0])
        for op in of.ops
        if op.phase == phase and (core is None or (op.name in CORE) == core)
    )


# --- attention's core -----------------------------------------------------------------------------------------------


def test_a_causal_core_looks_at_half_of_the_square_and_an_encoder_at_all():
    """Two products of 2·s·s·d a head (Vaswani et al. 2017), of which a mask hides half."""
    whole = 2 * 2.0 * SEQ * SEQ * 8 * 128
    assert flop(layer(model(causal=False)), core=True) == pytest.approx(whole)
    assert flop(layer(model()), core=True) == pytest.approx(whole / 2)


def test_an_unfused_core_computes_what_its_mask_hides():
    fused, plain = (flop(layer(model(), flash=flash), core=True) for flash in (True, False))
    assert plain == pytest.approx(2 * fused)


@given(st.integers(1, 8192), st.integers(1, 8192))
def test_a_window_costs_what_lies_in_it_and_never_more_than_all(window, seq_len):
    """Of w keys at most, a query in the first window sees as many as there are before it: w·(1 - w/2s) in the mean."""
    cut, whole = (
        flop(layer(model(a), seq_len=seq_len), core=True) for a in (replace(FULL, kind="sliding", window=window), FULL)
    )
    w = min(window, seq_len)
    assert cut == pytest.approx(2 * 2.0 * seq_len * w * (1 - w / (2 * seq_len)) * 8 * 128)
    assert cut <= whole * (1 + 1e-12)


def test_grouped_keys_save_projections_and_none_of_the_core():
    many, few = (layer(model(replace(FULL, kv_heads=k))) for k in (8, 2))
    assert flop(many, core=True) == flop(few, core=True)
    assert flop(many) - flop(few) == pytest.approx(2.0 * SEQ * HIDDEN * 2 * 6 * 128)


def test_latent_attention_multiplies_by_each_of_its_matrices_once_and_its_core_is_wider():
    """DeepSeek-V2, §2.1: 192 a head for scores (128 and 64 that carry positions), 128 for values."""
    found = layer(model(LATENT))
    assert flop(found, core=True) == pytest.approx(2.0 * SEQ * SEQ / 2 * 8 * (192 + 128))
    norms = 768 + 512  # parameters of the bottlenecks' norms multiply nothing
    mlp = 3 * HIDDEN * MLP.hidden
    weights = attention_parameters(LATENT, HIDDEN) - norms + mlp
    assert flop(found, core=False) == pytest.approx(2.0 * SEQ * weights)


@given(st.integers(6, 14))
def test_linear_attention_grows_with_the_length_and_full_attention_with_its_square(power):
    n = 2**power
    linear, full = (
        flop(layer(model(a), seq_len=2 * n), core=True) / flop(layer(model(a), seq_len=n), core=True)
        for a in (LINEAR, FULL)
    )
    assert linear == pytest.approx(2.0)
    assert full == pytest.approx(4.0)


def test_linear_attention_costs_what_its_state_and_its_chunks_do():
    """A chunk of 64 and a state of d × d a head: 64·(d + d) inside, 4·d·d through (Yang et al. 2024)."""
    assert flop(layer(model(LINEAR)), core=True) == SEQ * 8 * (64 * 256 + 4 * 128 * 128)


@pytest.mark.parametrize("attention", [FULL, LATENT, LINEAR], ids=["full", "mla", "linear"])
def test_a_backward_pass_multiplies_twice_as_much_as_a_forward(attention):
    found = layer(model(attention))
    assert flop(found, phase="backward", core=False) == pytest.approx(2 * flop(found, core=False))
    fused = 2.5 if attention.kind != "linear" else 2.0  # scores are computed again (Dao 2023, §3.1)
    assert flop(found, phase="backward", core=True) == pytest.approx(fused * flop(found, core=True))


@pytest.mark.parametrize("attention", [FULL, LATENT, LINEAR], ids=["full", "mla", "linear"])
def test_model_flop_is_six_a_weight_and_the_core_without_its_mask(attention):
    of = model(attention)
    said = family(of).model_flop(of.shape, training(of, seq_len=SEQ, global_batch=8))
    found = layer(of)
    unmasked = (1.0 if attention.kind == "linear" else 2.0) * flop(found, core=True)
    assert said == pytest.approx(2 * 3 * (flop(found, core=False) + unmasked) + 6.0 * SEQ * 1000 * HIDDEN)


def test_heads_over_devices_share_the_core_and_a_sequence_over_devices_its_tokens():
    whole, heads, tokens = (
        flop(layer(model(), plan=plan), core=True) for plan in (Plan(), Plan(tensor=4), Plan(context=4))
    )
    assert whole == pytest.approx(4 * heads) == pytest.approx(4 * tokens)


# --- experts, adapters, padding -------------------------------------------------------------------------------------


def test_experts_multiply_what_one_mlp_as_wide_as_those_visited_does_and_a_router():
    sparse = layer(model(ffn=FeedForward(hidden=1024, experts=16, experts_per_token=4)))
    assert flop(sparse) - flop(layer(model())) == pytest.approx(2.0 * SEQ * HIDDEN * 16)


@given(st.sampled_from([1, 2, 4, 8, 16]), st.sampled_from([1, 2, 4, 8]))
def test_however_experts_are_spread_each_device_multiplies_its_share(spread, tensor):
    ffn = FeedForward(hidden=1024, experts=16, experts_per_token=4)
    found = layer(model(ffn=ffn), plan=Plan(data=16, tensor=tensor, expert=spread))
    mine = sum(float(np.ravel(op.flop)[0]) for op in found.ops if op.name.startswith("experts"))
    assert mine == pytest.approx(3 * 2.0 * SEQ * HIDDEN * 3 * 4 * 1024 / tensor)


def test_adapters_save_the_gradients_of_weights_and_add_their_own():
    """LoRA (Hu et al. 2021): forward and the inputs' gradients stay; of 3 products a matrix, 2 are left."""
    full, adapted = layer(model()), layer(model(), adapter_rank=8)
    thin = sum(float(np.ravel(op.flop)[0]) for op in adapted.ops if op.name == "adapter" and op.phase == "backward")
    frozen = flop(adapted, phase="backward", core=False) - thin
    assert frozen == pytest.approx(flop(full, core=False))
    assert 0 < thin < 0.03 * frozen
    assert float(np.ravel(adapted.kept.everything)[0]) < float(np.ravel(full.kept.everything)[0])


@given(st.floats(1, SEQ))
def test_tokens_of_padding_that_are_left_out_cost_nothing(mean):
    packed, whole = layer(model(), mean_len=mean), layer(model())
    assert flop(packed, core=False) == pytest.approx(flop(whole, core=False) * mean / SEQ)
    assert flop(packed, core=True) <= flop(whole, core=True)
