"""Any module as a trace of it saw it: operations whose sizes are lines in the batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from assay.model.sizes import above_zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A size that is a line in the batch: a fixed part, and a part for each sample of a micro-batch."""

    fixed: float = 0.0
    per_sample: float = 0.0

    def at(self, samples: float) -> float:
        """The size at so many samples; an array of them gives an array.

        >>> Line(fixed=2.0, per_sample=3.0).at(4)
        14.0
        """
        return self.fixed + self.per_sample * samples


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedOp:
    """`count` equal operations of a traced module: a product of `groups` times M × K with K × N, or bytes that move.

    `flop` are those of products, two a multiply-add, and of attention every score, masked or not; an elementwise
    operation or a look-up has none, and `m` is then its number of elements. What is not known of a product is 0.
    `moved_bytes` are read and written as if nothing were fused or cached. Each of `count` has these sizes.
    """

    name: str  # "layers.*.mlp.fc1 addmm": where in the module, equal layers under one name; and PyTorch's operation
    kind: Literal["matmul", "conv", "attention", "elementwise", "lookup"]
    phase: Literal["forward", "backward"]
    dtype: str = ""  # of the numbers it works on, as PyTorch calls it
    causal: bool = False  # attention under a causal mask: a fused kernel skips about half of `flop`
    count: Line = Line(fixed=1.0)
    flop: Line = Line()
    moved_bytes: Line = Line()
    m: Line = Line()
    n: Line = Line()
    k: Line = Line()
    groups: Line = Line(fixed=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedShape:
    """Any module, as a trace of it saw its operations: one micro-batch forward and backward, on one device."""

    parameters: int  # a shared one counts once
    trained_parameters: int
    parameter_bytes: float
    buffers: int = 0  # numbers that a module holds and does not train
    buffer_bytes: float = 0.0
    dtype: str = "float32"  # of most of its parameters, as it was traced
    batch: int  # samples it was traced at; and at twice and three times as many
    kept_bytes: Line = Line()  # activations that the backward pass needs; without inputs and parameters
    input_bytes: Line = Line()
    output_bytes: Line = Line()
    ops: tuple[TracedOp, ...] = ()  # in the order in which each is first met
    flagged: tuple[str, ...] = ()  # what is not counted exactly, in words

    def __post_init__(self) -> None:
        above_zero(self, "batch")
        if not self.ops:
            raise ValueError("ops: none is there; a module that computes nothing is not priced")
        if not 0 <= self.trained_parameters <= self.parameters:
            raise ValueError(f"trained_parameters: {self.trained_parameters} of {self.parameters} cannot be")
