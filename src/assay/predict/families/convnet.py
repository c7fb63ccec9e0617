"""Convolutional networks (ResNet, EfficientNet, detectors, U-Nets) as implicit matrix products, channel groups apart.

A convolution with C inputs, D outputs, a k×k kernel and P output places is a product of (b·P × C·k²) by (C·k² × D) for
a micro-batch of b (Chetlur et al. 2014, cuDNN); its gradients are two more.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from assay.counting import parameters
from assay.model import ConvLayer, ConvShape
from assay.predict.ops import Kept, Layer, Layout, Limits, Number, Op, Sizes, bytes_of, pointwise, with_gradients
from assay.workload import Workload

# Per number of a convolution's output: batch norm reads it for the statistics and again to scale it, and writes the
# result; the activation goes with it. Backward: output gradient and input read twice, input gradient written.
_NORM_PASSES, _NORM_BACKWARD = 3.0, 5.0 / 3.0


def limits(shape: ConvShape, job: Workload) -> Limits:
    """Only batch and layers can be cut."""
    return Limits(layers=_count(shape))


def layers(shape: ConvShape, job: Workload, layout: Layout) -> list[Layer]:
    """One layer a convolution, with the norm and the activation behind it."""
    return [_layer(c, job, layout) for c in shape.layers]


def ends(shape: ConvShape, job: Workload, layout: Layout) -> Layer:
    """The classifier and its loss."""
    size = bytes_of(job.precision)
    return Layer(
        count=1.0,
        ops=[
            *with_gradients("classifier", layout.micro_batch, float(shape.classes), float(shape.features),
                            job.precision, narrow=False),
            *pointwise("loss", 4.0 * size * layout.micro_batch * shape.classes, 4.0),
        ],
    )  # fmt: skip


@cache
def sizes(shape: ConvShape) -> Sizes:
    """Parameters of the mean convolution; the classifier's are the head."""
    head = shape.features * shape.classes + shape.classes
    return Sizes(layer=(parameters(shape) - head) / _count(shape), head=float(head))


def model_flop(shape: ConvShape, job: Workload) -> float:
    """FLOP of one picture, forward and backward: 2 per multiplication, three products a convolution."""
    each = sum(c.count * (6.0 if c.trained else 4.0) * c.positions * _weights(c) for c in shape.layers)
    return each + 6.0 * shape.features * shape.classes


def handed_on(shape: ConvShape, job: Workload) -> float:
    """Numbers that one picture takes from one stage to the next, on average."""
    return sum(c.count * c.positions * c.channels_out for c in shape.layers) / _count(shape)


def _layer(c: ConvLayer, job: Workload, layout: Layout) -> Layer:
    size = bytes_of(job.precision)
    written = layout.micro_batch * c.positions * c.channels_out * size
    kept = 2.0 * written  # the convolution's output, which the norm needs again, and what the next layer reads
    return Layer(
        count=c.count, ops=[*conv_ops(c, layout.micro_batch, job.precision),
                            *pointwise("norms", _NORM_PASSES * written, 2.0, backward=_NORM_BACKWARD)],
        kept=Kept(everything=kept, without_core=kept, inputs=written),
    )  # fmt: skip


def conv_ops(c: ConvLayer, micro_batch: Number, dtype: str) -> list[Op]:
    """A convolution and its gradients. Unlike a product's, its left operand is smaller than M·K: places overlap."""
    m, n, k = micro_batch * c.positions, c.channels_out / c.groups, c.channels_in / c.groups * float(c.kernel**c.dims)
    size = bytes_of(dtype)
    # As many places go in as come out, times the stride in each direction; what is not known is taken as 1.
    moved = size * (micro_batch * c.positions * (c.channels_in + c.channels_out) + _weights(c))
    products = with_gradients("convolution", m, n, k, dtype, groups=float(c.groups), narrow=False, frozen=not c.trained)
    return [replace(op, kind="conv", bytes=moved) for op in products]


def _weights(c: ConvLayer) -> float:
    return float(c.kernel**c.dims * (c.channels_in // c.groups) * c.channels_out)


def _count(shape: ConvShape) -> int:
    return sum(c.count for c in shape.layers)
