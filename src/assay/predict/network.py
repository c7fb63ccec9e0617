"""How long a collective takes on a hierarchy of links. Bandwidths are per device and one way.

n devices, S bytes, α latency of a step, B bandwidth (Thakur, Rabenseifner, Gropp 2005; NCCL's ring and tree):
    all-gather, reduce-scatter   (n-1)/n · S/B + min(n-1, 2 log₂ n) α
    all-reduce                   twice that
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.calibration import Constants
from assay.hardware import Link, System
from assay.predict.ops import Array, Bools, Number

_NO_LINK = Link(name="none", bandwidth_bytes_per_s=1e-9, latency_s=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fabric:
    """The two levels a placement sees: inside a domain of `domain` devices, and between domains."""

    domain: int
    inner_bytes_per_s: float
    outer_bytes_per_s: float
    inner_latency_s: float
    outer_latency_s: float


def fabric(system: System, constants: Constants) -> Fabric:
    """A system's innermost and outermost link with what collectives reach of them; levels between are passed over."""
    inner = system.links[0] if system.links else _NO_LINK
    outer = system.links[-1] if system.links else _NO_LINK
    single = len(system.links) < 2
    domain = inner.domain or system.accelerators
    return Fabric(
        domain=max(1, min(domain, system.accelerators)),
        inner_bytes_per_s=inner.bandwidth_bytes_per_s * constants.inner_link,
        outer_bytes_per_s=outer.bandwidth_bytes_per_s * (constants.inner_link if single else constants.outer_link),
        inner_latency_s=inner.latency_s + constants.inner_latency_s,
        outer_latency_s=outer.latency_s + constants.outer_latency_s,
    )


def split(n: Number, stride: Number, domain: int) -> tuple[Array, Array]:
    """Members of a group of n that lie in one domain, and how many domains it spans; neighbours are `stride` apart.

    >>> [float(x) for x in split(16, 4, 8)]
    [2.0, 8.0]
    """
    n = np.asarray(n, dtype=np.float64)
    inside = np.minimum(n, np.maximum(1.0, np.floor(domain / np.asarray(stride, dtype=np.float64))))
    return inside, np.ceil(n / inside)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gather:
    """Time of an all-gather (or reduce-scatter) as a line in its size: seconds = per_byte_s · bytes + fixed_s."""

    per_byte_s: Array
    fixed_s: Array

    def seconds(self, size: Number) -> Array:
        """Time to gather buffers that are `size` bytes in all."""
        return self.per_byte_s * size + self.fixed_s


def gather(n: Number, stride: Number, net: Fabric) -> Gather:
    """All-gather or reduce-scatter over n devices `stride` apart: inside each domain, then a share of it across.

    (n-1)/n bytes pass each device; steps are n-1 in a ring and log₂(n) up and down a tree, whichever is fewer.
    """
    inside, across = split(n, stride, net.domain)
    rates = net.inner_bytes_per_s, inside * net.outer_bytes_per_s
    return Gather(
        per_byte_s=(inside - 1.0) / inside / rates[0] + (across - 1.0) / across / rates[1],
        fixed_s=_steps(inside) * net.inner_latency_s + _steps(across) * net.outer_latency_s,
    )


def allreduce_seconds(size: Number, n: Number, stride: Number, net: Fabric) -> Array:
    """All-reduce of `size` bytes: reduce-scatter, then all-gather."""
    return 2.0 * gather(n, stride, net).seconds(size)


def p2p_seconds(size: Number, crosses: Number | Bools, net: Fabric) -> Array:
    """One message to a neighbour, inside a domain or (where `crosses`) between domains."""
    size = np.asarray(size, dtype=np.float64)
    return np.where(
        np.asarray(crosses) > 0,
        size / net.outer_bytes_per_s + net.outer_latency_s,
        size / net.inner_bytes_per_s + net.inner_latency_s,
    )


def _steps(n: Array) -> Array:
    return np.minimum(n - 1.0, 2.0 * np.log2(n))
