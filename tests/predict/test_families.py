"""What holds for every family of models: work grows with the batch, time with the machine, frozen parts cost less."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.catalog import system
from assay.catalog.models import models
from assay.counting import parameters
from assay.hardware import System
from assay.model import ConvLayer, ConvShape, DiffusionShape, Joint, LstmLayer, Model, RecurrentShape, TokenStage
from assay.plan import Plan
from assay.predict import estimate
from assay.predict.families import family
from assay.predict.layers import axes_of, layout_columns, layout_of
from assay.predict.ops import Layer

from .conftest import training
from .test_laws import FREE

NAMED = models()
BATCH = {
    "resnet-50": 64, "efficientnet-b0": 64, "efficientnet-b4-g16": 32, "unet-3d": 1, "ssd-retinanet-resnext50": 8,
    "mask-r-cnn-r50-fpn": 4, "stable-diffusion-v2": 8, "stable-diffusion-v1.5": 8, "dit-xl-2": 16, "dit-b-2": 16,
    "dit-s-2": 16, "swin-base": 32, "rnn-t": 32, "dlrm-dcnv2": 1024,
}  # fmt: skip


def named(name: str, nodes: int = 1) -> tuple[object, System, Plan]:
    job = training(NAMED[name], seq_len=1, global_batch=8 * BATCH[name])
    return job, system("hgx-h100", nodes=nodes), Plan(data=8, micro_batch=BATCH[name])


def written(model: Model, micro_batch: int = 1, *, flash: bool = False) -> list[Layer]:
    """A model's layers and its ends for a micro-batch."""
    job = training(model, seq_len=1, global_batch=8)
    layout = layout_of(axes_of(*layout_columns(Plan(micro_batch=micro_batch, flash_attention=int(flash)))))
    writes = family(model)
    return [*writes.layers(model.shape, job, layout), writes.ends(model.shape, job, layout)]


def flop(layers: list[Layer], phase: str = "") -> float:
    return sum(
        x.count * op.repeats * float(np.ravel(op.flop)[0]) for x in layers for op in x.ops if phase in ("", op.phase)
    )


def kept(layer: Layer) -> float:
    return float(np.ravel(layer.kept.everything)[0])


def of(shape: object, name: str = "mine") -> Model:
    kinds = {ConvShape: "convnet", DiffusionShape: "diffusion", RecurrentShape: "recurrent"}
    return Model(name=name, family=kinds[type(shape)], shape=shape)  # type: ignore[arg-type]


# --- all of them --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("machine", ["hgx-h100", "gaudi2-8"])
@pytest.mark.parametrize("name", BATCH)
def test_every_model_is_priced_on_machines_of_every_maker(name, machine):
    job, _, plan = named(name)
    priced = estimate.price(job, system(machine), plan, FREE)
    assert 0 < float(priced.step_s[0]) < 10
    assert 0 < float(priced.peak_memory_bytes[0]) < 80e9


@pytest.mark.parametrize("name", BATCH)
def test_twice_the_batch_is_twice_the_work(name):
    once, twice = written(NAMED[name]), written(NAMED[name], 2)
    assert flop(twice) == pytest.approx(2 * flop(once), rel=1e-9)
    # An encoder that is frozen lies there once, however large the batch.
    held = 2 * getattr(NAMED[name].shape, "frozen_params", 0)
    sums = [sum(x.count * kept(x) for x in layers) - held for layers in (once, twice)]
    assert sums[1] == pytest.approx(2 * sums[0], rel=1e-9)


@pytest.mark.parametrize("name", BATCH)
def test_half_of_every_rate_is_twice_the_time(name):
    job, box, plan = named(name)
    chip = box.accelerator
    slower = replace(
        box,
        accelerator=replace(
            chip, peak_flop_per_s={d: p / 2 for d, p in chip.peak_flop_per_s.items()},
            bandwidth_bytes_per_s=chip.bandwidth_bytes_per_s / 2,
        ),
        links=tuple(
            replace(x, bandwidth_bytes_per_s=x.bandwidth_bytes_per_s / 2, latency_s=2 * x.latency_s) for x in box.links
        ),
    )  # fmt: skip
    fast, slow = (float(estimate.price(job, b, plan, FREE).step_s[0]) for b in (box, slower))
    assert slow == pytest.approx(2 * fast, rel=1e-9)


@pytest.mark.parametrize("name", BATCH)
def test_model_flop_is_what_a_step_does(name):
    """But for the picture's own gradient, which is counted and never needed: the first convolution's share of it."""
    model = NAMED[name]
    said = family(model).model_flop(model.shape, training(model, seq_len=1, global_batch=8))
    assert flop(written(model)) == pytest.approx(said, rel=0.02)
    assert flop(written(model)) <= said * (1 + 1e-6)


@pytest.mark.parametrize(
    ("name", "multiply_adds"),
    [
        ("dit-xl-2", 118.6),  # Peebles and Xie 2023, table 1
        ("dit-b-2", 23.0),
        ("dit-s-2", 6.06),
        ("swin-base", 15.4),  # Liu et al. 2021, table 1
        ("efficientnet-b0", 0.39),  # Tan and Le 2019, table 2
        ("efficientnet-b4", 4.4),  # torchvision
    ],
)
def test_a_forward_pass_is_as_much_work_as_its_paper_says(name, multiply_adds):
    assert flop(written(NAMED[name]), "forward") / 2e9 == pytest.approx(multiply_adds, rel=0.02)


# --- convolutions -------------------------------------------------------------------------------------------------


def convs(*layers: ConvLayer) -> Model:
    return of(ConvShape(image_px=32, layers=layers))


def conv(**changes: object) -> ConvLayer:
    return ConvLayer(**({"count": 1, "channels_in": 64, "channels_out": 64, "kernel": 3, "out_px": 32} | changes))  # type: ignore[arg-type]


def test_nothing_is_worked_backward_below_the_first_convolution_that_learns():
    still, first, later = written(convs(conv(trained=False), conv(), conv()))[:3]
    forward = flop([later], "forward")
    assert [flop([x], "backward") for x in (still, first, later)] == [0.0, forward, 2 * forward]
    assert {op.phase for op in still.ops} == {"forward"}
    assert kept(still) == 0.0


def test_frozen_convolutions_above_what_learns_still_pass_the_gradient_down():
    above = written(convs(conv(), conv(trained=False)))[1]
    assert flop([above], "backward") == flop([above], "forward")


def test_up_sampling_by_two_reads_each_place_once():
    """A transposed convolution with a kernel of 2 is a product of its input's places by 4 times the channels."""
    up = written(convs(conv(), conv(kernel=2, transposed=True)))[1]
    assert flop([up], "forward") == 2 * 32**2 * 64 * 64
    assert [float(np.ravel(x)[0]) for x in up.ops[0].shape] == [16**2, 4 * 64, 64]
    assert parameters(convs(conv(kernel=2, transposed=True)).shape) == 4 * 64 * 64


def test_norms_that_are_frozen_move_and_keep_less():
    plain = ConvShape(image_px=32, layers=(conv(), conv()))
    learnt, still = (written(of(replace(plain, frozen_norms=x)))[1] for x in (False, True))
    assert kept(learnt) == 2 * kept(still)
    moved = [sum(float(np.ravel(op.bytes)[0]) for op in x.ops if op.name == "norms") for x in (learnt, still)]
    assert moved[1] < 0.7 * moved[0]


# --- tokens in stages ---------------------------------------------------------------------------------------------

CORE = ("attention", "scores", "context")  # operations of attention's core, fused or not
STAGE = TokenStage(count=2, tokens=64, hidden=128, heads=4, head_dim=32, ffn_hidden=512)


def test_a_frozen_text_encoder_works_forward_alone_and_is_not_counted_as_the_models_own():
    alone = DiffusionShape(latent_px=8, stages=(STAGE,))
    told = replace(alone, frozen=(STAGE,), frozen_params=1_000_000)
    assert parameters(alone) == parameters(told)
    more = [flop(written(of(told)), p) - flop(written(of(alone)), p) for p in ("forward", "backward")]
    assert more == [pytest.approx(flop(written(of(alone)), "forward")), 0.0]
    assert kept(written(of(told))[-1]) - kept(written(of(alone))[-1]) == 2_000_000


def test_windows_bound_what_attention_costs():
    """Four windows of 16 look at a quarter of 64 tokens."""
    whole, cut = (written(of(DiffusionShape(latent_px=8, stages=(replace(STAGE, window=w),)))) for w in (None, 16))
    core = [sum(float(np.ravel(op.flop)[0]) for op in x[0].ops if op.name in CORE) for x in (whole, cut)]
    assert core[0] == 4 * core[1] > 0


@given(st.integers(1, 512), st.integers(1, 2048))
def test_a_text_of_any_length_and_width_adds_its_own_keys_and_values(tokens, width):
    told = replace(STAGE, context_tokens=tokens, context_dim=width)
    shape = DiffusionShape(latent_px=8, stages=(told,))
    made = 2.0 * 2 * tokens * width * 128 * 2  # blocks, tokens × width × (keys, values), 2 FLOP each
    found = [op for op in written(of(shape))[0].ops if op.name == "kv"]
    assert flop([Layer(count=2, ops=found)], "forward") == made
    assert len(found) == 2  # no gradient for a text whose encoder is frozen
    assert parameters(shape) - parameters(DiffusionShape(latent_px=8, stages=(STAGE,))) == 2 * (
        2 * 128 * 128 + 128 + 2 * width * 128
    )


# --- step by step -------------------------------------------------------------------------------------------------

LSTM = LstmLayer(count=1, inputs=240, hidden=512, steps=100)
PAIRS = Joint(encoder=512, prediction=512, hidden=256, steps=100, labels=20)


def test_a_step_waits_for_the_step_before_and_its_products_are_as_small_as_the_batch():
    layer = written(of(RecurrentShape(layers=(LSTM,), outputs=10)), 4)[0]
    step = next(op for op in layer.ops if op.name == "step")
    assert step.repeats == 100
    assert [float(np.ravel(x)[0]) for x in step.shape] == [4, 4 * 512, 512]
    inputs = next(op for op in layer.ops if op.name == "input")
    assert (inputs.repeats, float(np.ravel(inputs.shape[0])[0])) == (1.0, 400)


@given(st.integers(1, 500), st.integers(1, 2), st.sampled_from([0, 64]))
def test_twice_the_steps_are_twice_the_work_and_the_same_parameters(steps, directions, projection):
    short, long = (
        of(
            RecurrentShape(
                layers=(replace(LSTM, steps=s, directions=directions, projection=projection),), outputs=10
            )
        )
        for s in (steps, 2 * steps)
    )  # fmt: skip
    assert parameters(short.shape) == parameters(long.shape)
    assert flop(written(long)) == pytest.approx(2 * flop(written(short)), rel=1e-9)


def test_a_transducer_holds_a_score_for_every_pair_of_step_and_label():
    shape = RecurrentShape(layers=(LSTM,), outputs=1000, joint=PAIRS)
    ends = written(of(shape))[-1]
    assert kept(ends) == 100 * 20 * (256 * 2 + 1000 * 6)
    longer = written(of(replace(shape, joint=replace(PAIRS, labels=40))))[-1]
    assert kept(longer) == 2 * kept(ends)


@pytest.mark.parametrize(
    ("noun", "wrong"),
    [
        (STAGE, {"context_tokens": 77}),
        (STAGE, {"window": 15}),
        (STAGE, {"heads": 0}),
        (DiffusionShape(latent_px=8, stages=(STAGE,)), {"stages": ()}),
        (LSTM, {"steps": 0}),
        (PAIRS, {"labels": 0}),
        (RecurrentShape(layers=(LSTM,), outputs=10), {"layers": ()}),
    ],
)
def test_a_shape_that_cannot_be_is_refused(noun, wrong):
    with pytest.raises(ValueError, match=r"^\w+: "):
        replace(noun, **wrong)
