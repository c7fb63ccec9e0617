"""Convolutional networks (ResNet, EfficientNet, detectors, U-Nets) as implicit matrix products, channel groups apart.

A convolution with C inputs, D outputs, a k×k kernel and P output places is a product of (b·P × C·k²) by (C·k² × D) for
a micro-batch of b (Chetlur et al. 2014, cuDNN); its gradients are two more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

from assay.counting import classifier_parameters, parameters
from assay.model import ConvLayer, ConvShape
from assay.predict.ops import Kept, Layer, Layout, Limits, Number, Op, Sizes, bytes_of, pointwise, with_gradients
from assay.workload import Workload

# Per number of a convolution's output: batch norm reads it for the statistics and again to scale it, and writes the
# result; the activation goes with it. Backward: output gradient and input read twice, input gradient written. A frozen
# norm is read and written once; backward, the gradient and what the activation let through are read, one written.
_NORM_PASSES, _NORM_BACKWARD = 3.0, 5.0 / 3.0
_FROZEN_PASSES, _FROZEN_BACKWARD = 2.0, 3.0 / 2.0


def limits(shape: ConvShape, job: Workload) -> Limits:
    """Only batch and layers can be cut."""
    return Limits(layers=_count(shape))


def layers(shape: ConvShape, job: Workload, layout: Layout) -> list[Layer]:
    """One layer a convolution, with the norm and the activation behind it."""
    return [_layer(shape, c, job, layout, learns) for c, learns in with_learning(shape.layers)]


def ends(shape: ConvShape, job: Workload, layout: Layout) -> Layer:
    """The classifier, where there is one, and the loss."""
    size, width = bytes_of(job.precision), float(shape.features)
    scored = layout.micro_batch * shape.classes
    matrix = with_gradients("classifier", layout.micro_batch, float(shape.classes), width, job.precision, narrow=False)
    return Layer(count=1.0, ops=[*(matrix if width else []), *pointwise("loss", 4.0 * size * scored, 4.0)])


@cache
def sizes(shape: ConvShape) -> Sizes:
    """Parameters of the mean convolution; the classifier's are the head."""
    head = classifier_parameters(shape)
    return Sizes(layer=(parameters(shape) - head) / _count(shape), head=float(head))


def model_flop(shape: ConvShape, job: Workload) -> float:
    """FLOP of one picture, forward and backward: 2 per multiplication, three products a convolution.

    A frozen convolution needs two, or the first alone where nothing before it learns; the gradient of the picture is
    counted with the others', as the field does.
    """
    return conv_flop(shape.layers) + 6.0 * shape.features * shape.classes


def conv_flop(convs: Sequence[ConvLayer]) -> float:
    """Model FLOP of convolutions in the order of their execution, forward and backward, of one picture."""
    return sum(
        c.count * (6.0 if c.trained else 2.0 + 2.0 * learns) * multiplied(c) for c, learns in with_learning(convs)
    )


def handed_on(shape: ConvShape, job: Workload) -> float:
    """Numbers that one picture takes from one stage to the next, on average."""
    return sum(c.count * c.positions * c.channels_out for c in shape.layers) / _count(shape)


def with_learning(convs: Sequence[ConvLayer]) -> Iterator[tuple[ConvLayer, bool]]:
    """Each convolution, and whether its input needs a gradient: something before it learns."""
    learns = False
    for c in convs:
        if not c.trained or learns:
            yield c, learns and not c.reads_data
            continue
        learns = True
        yield replace(c, count=1), False
        if c.count > 1:
            yield replace(c, count=c.count - 1), True


def multiplied(c: ConvLayer) -> float:
    """Multiplications of one of these convolutions for one picture."""
    return float(c.positions * c.taps * (c.channels_in // c.groups) * c.channels_out)


def _layer(shape: ConvShape, c: ConvLayer, job: Workload, layout: Layout, learns: bool) -> Layer:
    written = layout.micro_batch * c.positions * c.channels_out * bytes_of(job.precision)
    passes, back = (_FROZEN_PASSES, _FROZEN_BACKWARD) if shape.frozen_norms else (_NORM_PASSES, _NORM_BACKWARD)
    norms = pointwise("norms", passes * written, 2.0, backward=back)
    ops = conv_ops(c, layout.micro_batch, job.precision, learns=learns)
    if not learns and not c.trained:
        return Layer(count=c.count, ops=[*ops, norms[0]])
    # The convolution's output, which a norm with statistics needs again, and what the next layer reads.
    kept = written * (1.0 if shape.frozen_norms else 2.0)
    return Layer(
        count=c.count, ops=[*ops, *norms], kept=Kept(everything=kept, without_cheap=kept, inputs=written)
    )  # fmt: skip


def conv_ops(c: ConvLayer, micro_batch: Number, dtype: str, *, learns: bool = True) -> list[Op]:
    """A convolution and the gradients of its input, where that `learns`, and of its weights, where they are trained.

    Unlike a product's, its left operand is smaller than M·K: places overlap.
    """
    places = float(c.kernel**c.dims) / c.taps  # of the output that one of the input makes, where it is transposed
    m, n, k = micro_batch * c.positions / places, c.channels_out / c.groups * places, c.channels_in / c.groups * c.taps
    # As many places go in as come out, times the stride in each direction; what is not known is taken as 1.
    moved = bytes_of(dtype) * (micro_batch * c.positions * (c.channels_in / places + c.channels_out) + c.weights)
    forward, of_input, of_weights = with_gradients(
        "convolution", m, n, k, dtype, groups=float(c.groups), narrow=False
    )  # fmt: skip
    ops = [forward, *([of_input] if learns else []), *([of_weights] if c.trained else [])]
    return [replace(op, kind="conv", bytes=moved) for op in ops]


def _count(shape: ConvShape) -> int:
    return sum(c.count for c in shape.layers)
