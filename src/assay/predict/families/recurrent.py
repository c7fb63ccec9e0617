"""Stacks of LSTM layers as operations: what all steps read at once as one product, what each step needs as one of many.

b samples, T steps, h hidden width, i input width, r width of the state: 4h·i products of a step do not wait for the
step before and are done together (Appleyard et al. 2016, §3); 4h·r do. A transducer pairs T steps with U labels
(Graves 2012, RNN-T): its joint network makes a vector of every pair.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from assay.counting import lstm_parameters, recurrent_ends
from assay.model import Joint, LstmLayer, RecurrentShape
from assay.predict.ops import (
    Kept,
    Layer,
    Layout,
    Limits,
    Number,
    Op,
    Sizes,
    bytes_of,
    pointwise,
    product,
    with_gradients,
)
from assay.workload import Workload

# Numbers that a step's gates move per number of the state: four sums read twice (of input and state), four gates and
# two states written, one read.
_CELL_PASSES = 15.0
_CELL_BACKWARD = 1.0  # the gates and both states are read, four gradients written
_LATTICE_BYTES = 16.0  # of a scored output in the transducer's loss: widened, its softmax, its gradient, in 32 bits


def limits(shape: RecurrentShape, job: Workload) -> Limits:
    """Only batch and layers can be cut."""
    return Limits(layers=_count(shape))


def layers(shape: RecurrentShape, job: Workload, layout: Layout) -> list[Layer]:
    """Every LSTM layer, in the order of the shape."""
    return [_layer(c, job, layout) for c in shape.layers]


def ends(shape: RecurrentShape, job: Workload, layout: Layout) -> Layer:
    """What is looked up, and what scores the outputs: the joint network or a matrix; with the loss."""
    size = bytes_of(job.precision)
    rows = layout.micro_batch * shape.embedding_steps * shape.embedding_dim
    look_up = pointwise("embedding", 2.0 * size * rows, 2.0)
    if shape.joint is None:
        return _scored(shape, look_up, job, layout)
    return _paired(shape.joint, shape.outputs, look_up, job, layout)


@cache
def sizes(shape: RecurrentShape) -> Sizes:
    """Parameters of the mean layer, of the table, and of what scores the outputs."""
    table, head = recurrent_ends(shape)
    stacked = sum(c.count * lstm_parameters(c) for c in shape.layers)
    return Sizes(layer=stacked / _count(shape), embedding=float(table), head=float(head))


def model_flop(shape: RecurrentShape, job: Workload) -> float:
    """FLOP of one sample, forward and backward: 6 per weight and step, the joint network's for every pair."""
    stacked = sum(6.0 * c.count * c.steps * c.directions * _step_weights(c) for c in shape.layers)
    if shape.joint is None:
        return stacked + 6.0 * shape.layers[-1].steps * _last_width(shape) * shape.outputs
    j = shape.joint
    planes = j.steps * j.labels * j.hidden * shape.outputs
    return stacked + 6.0 * (j.steps * j.encoder * j.hidden + j.labels * j.prediction * j.hidden + planes)


def handed_on(shape: RecurrentShape, job: Workload) -> float:
    """Numbers that one sample takes from one stage to the next, on average."""
    return sum(c.count * c.steps * c.directions * _state(c) for c in shape.layers) / _count(shape)


def _layer(c: LstmLayer, job: Workload, layout: Layout) -> Layer:
    """Both directions run side by side: the same steps, twice the products."""
    size, b = bytes_of(job.precision), layout.micro_batch
    states = b * c.steps * c.directions * c.hidden * size
    # Input, four gates, both states.
    kept = b * c.steps * c.inputs * size + 6.0 * states
    ops = [*_input_ops(c, b, job), *_step_ops(c, b, job)]
    return Layer(
        count=c.count, ops=ops, kept=Kept(everything=kept, without_cheap=kept, inputs=b * c.steps * c.inputs * size)
    )  # fmt: skip


def _input_ops(c: LstmLayer, b: Number, job: Workload) -> list[Op]:
    """What all steps read, as one product."""
    gates = 4.0 * c.hidden * c.directions
    forward, of_input, of_weights = with_gradients(
        "input", b * c.steps, gates, float(c.inputs), job.precision, narrow=False
    )  # fmt: skip
    return [forward, of_weights] if c.reads_data else [forward, of_input, of_weights]


def _step_ops(c: LstmLayer, b: Number, job: Workload) -> list[Op]:
    """What waits for the step before, once a step; the weights' gradient waits for none and is one product."""
    dtype, directions = job.precision, float(c.directions)
    products = _waiting("step", b, 4.0 * c.hidden, float(_state(c)), c, dtype)
    if c.projection:
        products += _waiting("projection", b, float(c.projection), float(c.hidden), c, dtype)
    cell = pointwise(
        "cell", _CELL_PASSES * bytes_of(dtype) * b * c.hidden * directions, 1.0, backward=_CELL_BACKWARD
    )  # fmt: skip
    return [*products, *(replace(op, repeats=float(c.steps)) for op in cell)]


def _waiting(name: str, b: Number, n: float, k: float, c: LstmLayer, dtype: str) -> list[Op]:
    groups, steps = float(c.directions), float(c.steps)
    forward = product(name, "forward", b, n, k, dtype, groups=groups, narrow=False)
    back = product(name, "backward", b, k, n, dtype, groups=groups, narrow=False)
    gradient = product(name, "backward", k, n, b * steps, dtype, groups=groups, narrow=False)
    return [replace(forward, repeats=steps), replace(back, repeats=steps), gradient]


def _scored(shape: RecurrentShape, look_up: list[Op], job: Workload, layout: Layout) -> Layer:
    """Every step of the last layer scored over all outputs."""
    size, steps, width = bytes_of(job.precision), layout.micro_batch * shape.layers[-1].steps, _last_width(shape)
    outputs = with_gradients("outputs", steps, float(shape.outputs), width, job.precision, narrow=False)
    loss = pointwise("loss", (size + 12.0) * steps * shape.outputs, 4.0)
    held = steps * (shape.outputs * (8.0 + size) + width * size)
    return Layer(
        count=1.0, ops=[*look_up, *outputs, *loss], kept=Kept(everything=held, without_cheap=held, inputs=held)
    )  # fmt: skip


def _paired(j: Joint, outputs: int, look_up: list[Op], job: Workload, layout: Layout) -> Layer:
    """Steps and labels to one width each, their sums for every pair, and a score for every output of each."""
    b, dtype, size, hidden = layout.micro_batch, job.precision, bytes_of(job.precision), float(j.hidden)
    pairs = b * j.steps * j.labels
    ops = [
        *with_gradients("joint", b * j.steps, hidden, float(j.encoder), dtype, narrow=False),
        *with_gradients("joint", b * j.labels, hidden, float(j.prediction), dtype, narrow=False),
        *pointwise("pairs", 2.0 * size * pairs * hidden, 3.0),
        *with_gradients("outputs", pairs, float(outputs), hidden, dtype, narrow=False),
        *pointwise("loss", (size + _LATTICE_BYTES) * pairs * outputs, 4.0, backward=0.5),
    ]
    held = pairs * (hidden * size + outputs * (size + 4.0))
    return Layer(count=1.0, ops=[*look_up, *ops], kept=Kept(everything=held, without_cheap=held, inputs=held))


def _state(c: LstmLayer) -> int:
    """Width of what a layer hands on, in each direction."""
    return c.projection or c.hidden


def _step_weights(c: LstmLayer) -> float:
    """Weights that one step of one direction is multiplied with."""
    return 4.0 * c.hidden * (c.inputs + _state(c)) + c.projection * c.hidden


def _last_width(shape: RecurrentShape) -> float:
    last = shape.layers[-1]
    return float(_state(last) * last.directions)


def _count(shape: RecurrentShape) -> int:
    return sum(c.count for c in shape.layers)
