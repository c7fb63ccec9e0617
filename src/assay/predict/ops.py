"""`Op`: the only thing that passes from models to machines. Its numbers are floats, or arrays over layouts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Number: TypeAlias = float | Array
Bools: TypeAlias = NDArray[np.bool_]

Kind = Literal["matmul", "conv", "attention", "elementwise", "lookup", "allreduce", "alltoall", "p2p"]
Phase = Literal["forward", "backward"]
Group = Literal["tensor", "context", "expert"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """Work of one kind in one layer, for one micro-batch on one device."""

    name: str
    kind: Kind
    phase: Phase
    flop: Number = 0.0
    bytes: Number = 0.0  # moved between the device's memory and its compute units
    # Of a product or convolution M, N, K: M × K times K × N. Of attention its queries, twice the keys that each looks
    # at, and the width of a head; 0 where that is not known.
    shape: tuple[Number, Number, Number] | None = None
    groups: Number = 1.0  # equal products side by side in one kernel: experts, channel groups
    message_bytes: Number = 0.0  # collectives: size of the whole buffer
    over: Group = "tensor"  # collectives: the devices that take part
    launches: float = 1.0  # kernels this stands for
    repeats: Number = 1.0  # equal operations in a row
    narrow: bool = False  # runs at the job's precision where that is 8 or 4 bits; others stay at 16
    again: Number = 0.0  # share of it that selective recomputation does twice
    waits: float = 0.0  # times that the host and the device wait for each other: routing that depends on data
    hidden: bool = False  # a message that is sent while the layer computes


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What one layer's work depends on: a sequence cut over c devices, a layer over t, experts over e; scalars or
    arrays of one length.
    """

    tensor: Number
    context: Number
    expert: Number
    micro_batch: Number
    sequence_parallel: Number  # 0 or 1
    flash_attention: Number  # 0 or 1
    fused: Number  # 0 or 1
    context_kind: Number  # plan.ContextKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Bytes a layer keeps of one micro-batch: all of it, all but what is cheap to compute again, or only its input.

    `half` is what is left where every second product is computed again too; None where that level is not known.
    """

    everything: Number
    without_cheap: Number
    inputs: Number
    half: Number | None = None

    @property
    def levels(self) -> tuple[Number, ...]:
        """In the order of `plan.Recompute`."""
        return self.everything, self.without_cheap, self.inputs, self.without_cheap if self.half is None else self.half


NOTHING = Kept(everything=0.0, without_cheap=0.0, inputs=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """`count` equal layers in a row: what one does, forward and backward, and what it keeps in between."""

    count: float
    ops: Sequence[Op]
    kept: Kept = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Parameters of a whole model by where they lie."""

    layer: float  # of the mean layer, what every device that shares it needs
    experts: float = 0.0  # of the mean layer, what is spread over expert parallelism
    embedding: float = 0.0
    head: float = 0.0  # a matrix of its own, or the embedding's copy on the last stage
    tied: bool = False
    adapters: float = 0.0  # of the mean layer and a rank of 1, where only adapters learn
    sparse: bool = False  # experts are tables: only rows that were looked up have gradients


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What parallel sizes must divide."""

    layers: int  # pipeline × virtual
    heads: int = 1  # tensor; 1 = it cannot be cut
    experts: int = 1  # expert
    positions: int = 1  # context
    scored: int = 0  # loss_chunks: positions of a sample that logits are made of; 0 = there are none
    recompute: tuple[int, ...] = (0, 2)  # levels of recomputation (`plan.Recompute`) that change something


def bytes_of(dtype: str) -> float:
    """Bytes an activation of this compute precision takes in memory; 8- and 4-bit formats keep 16-bit activations.

    >>> bytes_of("bf16"), bytes_of("tf32"), bytes_of("fp8")
    (2.0, 4.0, 2.0)
    """
    return {"fp64": 8.0, "fp32": 4.0, "tf32": 4.0}.get(dtype, 2.0)


def operand_bytes(dtype: str) -> float:
    """Bytes of a matrix operand of this precision.

    >>> operand_bytes("fp8"), operand_bytes("bf16")
    (1.0, 2.0)
    """
    return {"fp64": 8.0, "fp32": 4.0, "tf32": 4.0, "fp8": 1.0, "int8": 1.0, "fp4": 0.5}.get(dtype, 2.0)


def product(
    name: str, phase: Phase, m: Number, n: Number, k: Number, dtype: str, *, groups: Number = 1.0, narrow: bool = True
) -> Op:
    """C[M,N] = A[M,K] B[K,N], `groups` times: 2MNK operations; both operands read, the product written once."""
    size, out = (operand_bytes(dtype) if narrow else bytes_of(dtype)), bytes_of(dtype)
    return Op(
        name=name, kind="matmul", phase=phase, flop=2.0 * groups * m * n * k,
        bytes=groups * (size * (m * k + k * n) + out * m * n), shape=(m, n, k), groups=groups, narrow=narrow,
    )  # fmt: skip


def with_gradients(
    name: str, m: Number, n: Number, k: Number, dtype: str, *, groups: Number = 1.0, narrow: bool = True,
    frozen: bool = False,
) -> list[Op]:  # fmt: skip
    """A matrix multiply with the gradient of its input (M,K,N) and, unless `frozen`, of its weight (K,N,M)."""
    ops = [
        product(name, "forward", m, n, k, dtype, groups=groups, narrow=narrow),
        product(name, "backward", m, k, n, dtype, groups=groups, narrow=narrow),
        *(_casts(m * k * groups, m * n * groups, dtype, frozen) if narrow and operand_bytes(dtype) < 2.0 else ()),
    ]
    return ops if frozen else [*ops, product(name, "backward", k, n, m, dtype, groups=groups, narrow=narrow)]


def _casts(forward: Number, backward: Number, dtype: str, frozen: bool) -> list[Op]:
    """Operands brought to 8 or 4 bits: read in 16, written as they are and, for a weight's gradient, transposed."""
    # What norms and activations write is cast where it is written: half of what is read is read for that alone.
    each = 0.5 * bytes_of(dtype) + (1.0 if frozen else 2.0) * operand_bytes(dtype)
    return [
        Op(name="casts", kind="elementwise", phase="forward", bytes=each * forward),
        Op(name="casts", kind="elementwise", phase="backward", bytes=each * backward),
    ]


# A pointwise gradient reads the gradient and one saved tensor, and writes one.
_BACKWARD_PASSES = 1.5


def pointwise(
    name: str, moved: Number, launches: float, backward: float = _BACKWARD_PASSES, again: Number = 0.0
) -> list[Op]:
    """Operations that only move bytes: `moved` forward, and `backward` times as many for the gradient."""
    return [
        Op(name=name, kind="elementwise", phase="forward", bytes=moved, launches=launches, again=again),
        Op(name=name, kind="elementwise", phase="backward", bytes=backward * moved, launches=launches),
    ]


def both_ways(op: Op) -> list[Op]:
    """An exchange that the backward pass repeats with gradients."""
    return [replace(op, phase="forward"), replace(op, phase="backward")]


def where(condition: Number | Bools, value: Number) -> Array:
    """`value` where the condition holds, else nothing."""
    return np.where(np.asarray(condition) > 0, value, 0.0)
