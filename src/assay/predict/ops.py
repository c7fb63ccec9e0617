"""`Op`: the only thing that passes from models to machines. Its numbers are floats, or arrays over plans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Number: TypeAlias = float | Array
Bools: TypeAlias = NDArray[np.bool_]

Kind = Literal["matmul", "attention", "elementwise", "allreduce", "p2p"]
Phase = Literal["forward", "backward"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """Work of one kind in one layer, for one micro-batch on one device."""

    name: str
    kind: Kind
    phase: Phase
    flop: Number = 0.0
    bytes: Number = 0.0  # moved between the device's memory and its compute units
    shape: tuple[Number, Number, Number] | None = None  # matmul: M × K times K × N
    message_bytes: Number = 0.0  # collectives: size of the whole buffer
    launches: float = 1.0  # kernels this stands for
    repeats: float = 1.0  # equal operations in a row


def bytes_of(dtype: str) -> float:
    """Bytes an activation of this compute precision takes in memory; 8-bit formats keep 16-bit activations.

    >>> bytes_of("bf16"), bytes_of("tf32"), bytes_of("fp8")
    (2.0, 4.0, 2.0)
    """
    return {"fp64": 8.0, "fp32": 4.0, "tf32": 4.0}.get(dtype, 2.0)


def matmul(name: str, phase: Phase, m: Number, n: Number, k: Number, size: float, repeats: float = 1.0) -> Op:
    """C[M,N] = A[M,K] B[K,N]: 2MNK operations; both operands read, the product written once."""
    return Op(
        name=name, kind="matmul", phase=phase, flop=2.0 * m * n * k, bytes=size * (m * k + k * n + m * n),
        shape=(m, n, k), repeats=repeats,
    )  # fmt: skip


def with_gradients(name: str, m: Number, n: Number, k: Number, size: float) -> list[Op]:
    """A trained matrix multiply: the product, the gradient of its input (M,K,N) and of its weight (K,N,M)."""
    return [
        matmul(name, "forward", m, n, k, size),
        matmul(name, "backward", m, k, n, size),
        matmul(name, "backward", k, n, m, size),
    ]
