"""What we count of a model beside what PyTorch counts of the same model written by hand, without memory."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from assay.catalog.models import models
from assay.counting import parameters
from assay.model import (
    Attention,
    Block,
    DlrmShape,
    FeedForward,
    LstmLayer,
    Model,
    RecurrentShape,
    Shape,
    TransformerShape,
)
from assay.plan import Plan
from assay.predict.families import family
from assay.predict.layers import axes_of, layout_columns, layout_of
from assay.workload import Workload

TORCH = os.environ.get("ASSAY_TORCH_PYTHON", "")
pytestmark = pytest.mark.skipif(not TORCH, reason="set ASSAY_TORCH_PYTHON to an interpreter with PyTorch")
MODELS = Path(__file__).parent / "torch_models"

# The small models of torch_models/sequences.py and recommenders.py, in our words.
HIDDEN, VOCAB, LENGTH, WRITES = 256, 1000, 64, 40
GROUPED = Attention(heads=4, kv_heads=2, head_dim=64)
LATENT = Attention(
    kind="mla", heads=4, kv_heads=4, head_dim=96, value_dim=64, q_rank=128, kv_rank=64, rope_dim=32
)  # fmt: skip
BIASED = Attention(heads=4, kv_heads=4, head_dim=64, qkv_bias=True, out_bias=True)
PLAIN = Attention(heads=4, kv_heads=4, head_dim=64)
RELU = FeedForward(hidden=1024, gated=False)
EXPERTS = FeedForward(hidden=512, experts=8, experts_per_token=2, shared_hidden=512)


def decoder(attention: Attention, ffn: FeedForward) -> TransformerShape:
    return TransformerShape(hidden=HIDDEN, vocab=VOCAB, blocks=(Block(count=2, attention=attention, ffn=ffn),))


def lstm(inputs: int) -> LstmLayer:
    return LstmLayer(count=1, inputs=inputs, hidden=256, steps=LENGTH, projection=64, directions=2)


def recommender(**crosses: int) -> DlrmShape:
    return DlrmShape(
        tables_rows=(100,) * 26, embedding_dim=128, dense_features=13, bottom_mlp=(512, 256, 128),
        top_mlp=(1024, 1024, 512, 256, 1), **crosses,
    )  # fmt: skip


SMALL: dict[str, Shape] = {
    "decoder": decoder(GROUPED, FeedForward(hidden=1024)),
    "experts": decoder(GROUPED, EXPERTS),
    "latent": decoder(LATENT, FeedForward(hidden=1024)),
    "bert": TransformerShape(
        hidden=HIDDEN, vocab=VOCAB, causal=False, head=False, positions=512, token_types=2, norm_bias=True,
        blocks=(Block(count=2, attention=BIASED, ffn=FeedForward(hidden=1024, gated=False, bias=True)),),
        extra_params=HIDDEN * (HIDDEN + 1),
    ),
    "t5": TransformerShape(
        hidden=HIDDEN, vocab=VOCAB, tied=True, final_norms=2, extra_params=2 * 32 * 4,
        encoder=(Block(count=2, attention=PLAIN, ffn=RELU),),
        blocks=(Block(count=2, attention=PLAIN, ffn=RELU, cross_attention=PLAIN, norms=3),),
    ),
    "lstm": RecurrentShape(
        layers=(lstm(128), lstm(128)), outputs=VOCAB, embedding_rows=VOCAB, embedding_dim=128, embedding_steps=LENGTH
    ),
    "dlrm": recommender(),
    "dcnv2": recommender(cross_layers=3, cross_rank=512),
}  # fmt: skip
LENGTHS = {"t5": {"target_len": WRITES}, "vit-b-16": {"seq_len": 197}}
WHOLE = [
    "resnet-50", "efficientnet-b0", "unet-3d", "ssd-retinanet-resnext50", "mask-r-cnn-r50-fpn", "stable-diffusion-v2",
    "stable-diffusion-v1.5", "dit-xl-2", "dit-b-2", "dit-s-2", "swin-base", "vit-b-16", "rnn-t",
]  # fmt: skip


@pytest.fixture(scope="module")
def counted() -> dict[str, dict[str, float]]:
    """What PyTorch counts, of all models in one start."""
    done = subprocess.run([TORCH, MODELS / "count.py"], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def shape(name: str) -> Shape:
    return SMALL[name] if name in SMALL else models()[name].shape


def flop(name: str) -> dict[str, float]:
    """FLOP of a batch of 2 by phase: every operation, with attention as matrices in memory."""
    model = models()[name] if name in WHOLE else Model(name=name, family="transformer", shape=shape(name))
    job = Workload(name="", model=model, **{"seq_len": LENGTH, "global_batch": 2, **LENGTHS.get(name, {})})
    layout = layout_of(axes_of(*layout_columns(Plan(micro_batch=2, flash_attention=0))))
    writes, found = family(model), {"forward": 0.0, "backward": 0.0}
    for layer in (*writes.layers(model.shape, job, layout), writes.ends(model.shape, job, layout)):
        for op in layer.ops:
            found[op.phase] += layer.count * op.repeats * float(np.ravel(op.flop)[0])
    return found


@pytest.mark.parametrize("name", [*SMALL, *WHOLE])
def test_a_model_has_exactly_the_parameters_that_pytorch_counts(name, counted):
    assert parameters(shape(name)) == counted[name]["parameters"]


@pytest.mark.parametrize("name", [*SMALL, *WHOLE])
def test_a_step_is_as_much_work_as_pytorch_counts(name, counted):
    ours, theirs = flop(name), counted[name]
    assert sum(ours.values()) == pytest.approx(theirs["forward"] + theirs["backward"], rel=0.005)
    assert ours["forward"] == pytest.approx(theirs["forward"], rel=0.006)


def test_every_model_that_is_written_by_hand_is_compared(counted):
    assert set(counted) == {*SMALL, *WHOLE}
