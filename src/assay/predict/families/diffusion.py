"""Models of pictures with convolutions and tokens at several resolutions: latent-diffusion UNets, DiT, Swin.

Rombach et al. 2022 (UNet with cross-attention), Peebles and Xie 2023 (DiT, adaLN-Zero), Liu et al. 2021 (windows).
Its tokens are as many for every picture, so a job's sequence length says nothing here.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from assay.counting import parameters
from assay.model import ConvLayer, DiffusionShape, TokenStage
from assay.predict.families import attention, convnet, feed_forward
from assay.predict.families.attention import Seen, Source
from assay.predict.ops import Kept, Layer, Layout, Limits, Number, Op, Sizes, bytes_of, pointwise, with_gradients
from assay.workload import Workload

# Before a convolution with a kernel of 3 stand a group norm (read for the statistics, read, written) and a SiLU that
# goes with it; behind it a bias, the condition or the residual (read both, written). Backward as after a batch norm.
_NORM_PASSES, _ADD_PASSES, _NORM_BACKWARD = 3.0, 3.0, 5.0 / 3.0
# A norm and the residual around what it feeds, per number of the stream; and scaling, shifting and gating it (adaLN).
_STREAM_PASSES, _MODULATED_PASSES = 5.0, 4.0
_STORED_BYTES = 2.0  # of a frozen parameter


def limits(shape: DiffusionShape, job: Workload) -> Limits:
    """Only batch and layers can be cut."""
    return Limits(layers=_count(shape))


def layers(shape: DiffusionShape, job: Workload, layout: Layout) -> list[Layer]:
    """Every convolution, then every stage's blocks."""
    convs = [_conv_layer(c, job, layout, learns) for c, learns in convnet.with_learning(shape.convs)]
    return [*convs, *(_stage_layer(stage, job, layout) for stage in shape.stages)]


def ends(shape: DiffusionShape, job: Workload, layout: Layout) -> Layer:
    """What is frozen (a text encoder's forward pass, and its weights), noise added to the input, and the loss."""
    latent = layout.micro_batch * _latent_numbers(shape) * bytes_of(job.precision)
    passes = [
        replace(op, repeats=op.repeats * stage.count)
        for stage in shape.frozen
        for op in _stage_ops(stage, job, layout)
        if op.phase == "forward"
    ]
    held = 3.0 * latent + _STORED_BYTES * shape.frozen_params
    kept = Kept(everything=held, without_cheap=held, inputs=held)
    return Layer(count=1.0, ops=[*passes, *pointwise("loss", 8.0 * latent, 6.0)], kept=kept)


@cache
def sizes(shape: DiffusionShape) -> Sizes:
    """Parameters of the mean layer; what is frozen is held beside them."""
    return Sizes(layer=parameters(shape) / _count(shape))


def model_flop(shape: DiffusionShape, job: Workload) -> float:
    """FLOP of one picture: what learns forward and backward, what is frozen forward alone."""
    learning = sum(stage.count * _block_flop(stage) for stage in shape.stages)
    frozen = sum(stage.count * _block_flop(stage) for stage in shape.frozen)
    return convnet.conv_flop(shape.convs) + learning + frozen / 3.0


def handed_on(shape: DiffusionShape, job: Workload) -> float:
    """Numbers that one picture takes from one stage to the next, on average; skip connections go the same way."""
    convs = sum(c.count * c.positions * c.channels_out for c in shape.convs)
    return (convs + sum(s.count * s.tokens * s.hidden for s in shape.stages)) / _count(shape)


def _conv_layer(c: ConvLayer, job: Workload, layout: Layout, learns: bool) -> Layer:
    """A convolution with the norm before it. A kernel of 1 has neither norm nor activation of its own."""
    each = layout.micro_batch * c.positions * bytes_of(job.precision)
    read, written, normed = each * c.channels_in, each * c.channels_out, 1.0 if c.kernel == 3 else 0.0
    kept = read * (1.0 + normed)  # its input, for the weights' gradient; and the norm's
    ops = [
        *convnet.conv_ops(c, layout.micro_batch, job.precision, learns=learns),
        *pointwise("norms", normed * _NORM_PASSES * read, 2.0, backward=_NORM_BACKWARD),
        *pointwise("residuals", _ADD_PASSES * written, 1.0, backward=1.0 / _ADD_PASSES),
    ]
    return Layer(count=c.count, ops=ops, kept=Kept(everything=kept, without_cheap=kept, inputs=read))


def _stage_layer(stage: TokenStage, job: Workload, layout: Layout) -> Layer:
    on, size = _seen(stage, job, layout), bytes_of(job.precision)
    vectors, scores = attention.kept_bytes(stage.attention, on, 0.0)
    if stage.context_tokens:
        more, cross_scores = attention.kept_bytes(stage.attention, _across(stage, on), 0.0)
        vectors, scores = vectors + more, scores + cross_scores
    stream = on.tokens * stage.hidden * size
    # The input and the output of each norm.
    rest = vectors + feed_forward.kept_bytes(stage.ffn, on) + 2.0 * _parts(stage) * stream
    kept = Kept(everything=rest + scores, without_cheap=rest, inputs=stream)
    return Layer(count=stage.count, ops=_stage_ops(stage, job, layout), kept=kept)


def _stage_ops(stage: TokenStage, job: Workload, layout: Layout) -> list[Op]:
    """One block: attention, cross-attention, MLP, the vectors of the condition, norms and residuals."""
    on = _seen(stage, job, layout)
    crossed = attention.attention_ops(stage.attention, _across(stage, on)) if stage.context_tokens else []
    return [
        *attention.attention_ops(stage.attention, on), *crossed, *feed_forward.feed_forward_ops(stage.ffn, on, job),
        *_stream_ops(stage, on, layout.micro_batch),
    ]  # fmt: skip


def _stream_ops(stage: TokenStage, on: Seen, samples: Number) -> list[Op]:
    passes = _parts(stage) * (_STREAM_PASSES + (_MODULATED_PASSES if stage.modulation else 0.0))
    moved = passes * bytes_of(on.dtype) * on.tokens * stage.hidden
    streamed = pointwise("norms and residuals", moved, 2.0 * _parts(stage) * (2.0 if stage.modulation else 1.0))
    if not stage.modulation:
        return streamed
    vectors = float(stage.modulation * stage.hidden)
    return [*with_gradients("condition", samples, vectors, float(stage.hidden), on.dtype, narrow=False), *streamed]


def _seen(stage: TokenStage, job: Workload, layout: Layout) -> Seen:
    """Tokens of a micro-batch; those of a window are a sequence of their own."""
    length = float(stage.window or stage.tokens)
    return Seen(
        tokens=layout.micro_batch * stage.tokens, length=length, keys=length, causal=False, dtype=job.precision,
        hidden=float(stage.hidden), rotary=False, rank=None, layout=layout,
    )  # fmt: skip


def _across(stage: TokenStage, on: Seen) -> Seen:
    """The same tokens before a text, whose encoder is frozen."""
    texts = on.tokens / stage.tokens
    source = Source(tokens=texts * stage.context_tokens, hidden=float(stage.context_dim), learns=False)
    return replace(on, length=float(stage.tokens), keys=float(stage.context_tokens), source=source)


def _parts(stage: TokenStage) -> float:
    """What has a norm before it and a residual around it."""
    return 3.0 if stage.context_tokens else 2.0


def _block_flop(stage: TokenStage) -> float:
    """FLOP of one block and picture, forward and backward."""
    a, length = stage.attention, float(stage.window or stage.tokens)
    multiplied = attention.weights(a, stage.hidden) + feed_forward.weights(stage.ffn, stage.hidden)
    own = stage.tokens * (6.0 * multiplied + attention.core_flop_per_token(a, length))
    condition = 6.0 * stage.modulation * stage.hidden**2
    if not stage.context_tokens:
        return own + condition
    text = float(stage.context_tokens)
    return own + condition + attention.cross_flop(
        a, stage.hidden, float(stage.tokens), text, stage.context_dim, learns=False
    )  # fmt: skip


def _latent_numbers(shape: DiffusionShape) -> float:
    channels = shape.convs[0].channels_in if shape.convs else 1
    return float(channels * shape.latent_px**2)


def _count(shape: DiffusionShape) -> int:
    return sum(c.count for c in shape.convs) + sum(stage.count for stage in shape.stages)
