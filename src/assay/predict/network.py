"""How long a collective takes on a hierarchy of links. Bandwidths are per device and one way.

n devices, S bytes, α latency of a step, B bandwidth (Thakur, Rabenseifner, Gropp 2005; NCCL's ring and tree):
    all-gather, reduce-scatter   (n-1)/n · S/B + min(n-1, 2 log₂ n) α
    all-reduce                   twice that
    all-to-all                   (n-1)/n · S/B + min(n-1, 2 log₂ n) α, S what one device sends
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from assay.calibration import Constants
from assay.hardware import Link, System
from assay.predict.ops import Array, Number

_TIERS = 3  # inside a bridge or a socket, inside a node or a rack, between them
_TORUS_LINKS = 4.0  # that a device of a two-dimensional torus has
_NO_LINK = Link(name="none", bandwidth_bytes_per_s=1e-9, latency_s=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One level of a network: what joins so many devices."""

    domain: Number
    bytes_per_s: Number
    latency_s: Number
    links: Number = 1.0  # a device has to others here; 1 where a switch lets it use all of its bandwidth with any one
    outer: Number = 0.0  # 1: what joins nodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Fabric:
    """The levels a placement sees, from the inside out; datasheet figures, always as many (a level may add nothing)."""

    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A fabric with what collectives reach of it."""

    tiers: tuple[Tier, ...]


def fabric(system: System) -> Fabric:
    """A system's links as tiers. An oversubscribed network is one more link, with what is left above its leaves."""
    n = float(system.accelerators)
    links = _chosen(system.links) or (_NO_LINK,)
    found = [_tier(link, n, outer=_joins_nodes(links, i, system)) for i, link in enumerate(links)]
    return Fabric(tiers=tuple(found + [found[-1]] * (_TIERS - len(found))))


def _joins_nodes(links: tuple[Link, ...], i: int, system: System) -> bool:
    """The outermost link, and any outside of one that joins a whole node: leaves of an oversubscribed network."""
    return i > 0 and (i == len(links) - 1 or (links[i - 1].domain or 0) >= system.count_per_node)


def _chosen(links: tuple[Link, ...]) -> tuple[Link, ...]:
    """At most as many links as there are tiers: the innermost and the outermost ones."""
    return links if len(links) <= _TIERS else (*links[: _TIERS - 1], links[-1])


def _tier(link: Link, n: float, *, outer: bool) -> Tier:
    domain = min(float(link.domain or n), n)
    links = {"mesh": (link.domain or n) - 1.0, "torus": _TORUS_LINKS}.get(link.topology, 1.0)
    return Tier(
        domain=domain, bytes_per_s=link.bandwidth_bytes_per_s, latency_s=link.latency_s, links=max(links, 1.0),
        outer=float(outer),
    )  # fmt: skip


def reached(net: Fabric, c: Constants) -> Reached:
    """The fabric as collectives find it: the innermost tiers by one share and latency, the outermost by another."""
    return Reached(
        tiers=tuple(
            replace(
                tier,
                bytes_per_s=tier.bytes_per_s * np.where(np.asarray(tier.outer) > 0, c.outer_link, c.inner_link),
                latency_s=tier.latency_s + np.where(np.asarray(tier.outer) > 0, c.outer_latency_s, c.inner_latency_s),
            )
            for tier in net.tiers
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gather:
    """Time of an all-gather (or reduce-scatter) as a line in its size: per_byte_s · bytes + fixed_s a call."""

    per_byte_s: Array
    fixed_s: Array  # of a ring's n-1 steps, the only algorithm that libraries have for these at any size
    tree_s: Array  # … and of a tree's 2 log₂(n), which all-reduces have too

    def seconds(self, size: Number, calls: Number = 1.0) -> Array:
        """Time to gather buffers that are `size` bytes in all, in so many calls."""
        return self.per_byte_s * size + self.fixed_s * calls

    def reduce_seconds(self, size: Number, calls: Number = 1.0) -> Array:
        """Time of as many all-reduces."""
        return 2.0 * (self.per_byte_s * size + np.minimum(self.fixed_s, self.tree_s) * calls)


def members(n: Number, stride: Number, net: Fabric | Reached) -> Iterator[tuple[Tier, Array, Array]]:
    """Each tier with how many of a group of n it joins, below it and including it; neighbours are `stride` apart.

    >>> net = Fabric(tiers=(Tier(domain=8.0, bytes_per_s=1.0, latency_s=0.0),
    ...                     Tier(domain=64.0, bytes_per_s=1.0, latency_s=0.0)))
    >>> [(float(below), float(here)) for _, below, here in members(16, 4, net)]
    [(1.0, 2.0), (2.0, 16.0)]
    """
    n = np.asarray(n, dtype=np.float64)
    below = np.ones_like(n)
    for i, tier in enumerate(net.tiers):
        room = np.maximum(below, np.floor(np.asarray(tier.domain) / stride))
        here = n if i == len(net.tiers) - 1 else np.minimum(n, room)
        yield tier, below, here
        below = here


def gather(n: Number, stride: Number, net: Reached) -> Gather:
    """All-gather or reduce-scatter over n devices `stride` apart: inside each tier, then a share of it across.

    (f-1)/f of what is left passes each device of a tier that joins f groups.
    """
    per_byte, fixed, tree = np.zeros(()), np.zeros(()), np.zeros(())
    for (tier, below, here), unit in zip(members(n, stride, net), _units(n, stride, net), strict=True):
        f = here / below
        per_byte = per_byte + (f - 1.0) / f / (below * _rate(tier, f))
        fixed = fixed + (here - below) / unit * tier.latency_s
        tree = tree + 2.0 * np.log2(f) * tier.latency_s
    return Gather(per_byte_s=per_byte, fixed_s=fixed, tree_s=tree)


def allreduce_seconds(size: Number, n: Number, stride: Number, net: Reached) -> Array:
    """All-reduce of `size` bytes: reduce-scatter, then all-gather."""
    return gather(n, stride, net).reduce_seconds(size)


def alltoall_seconds(size: Number, n: Number, stride: Number, net: Reached) -> Array:
    """Each of n devices sends `size` bytes in all, an equal part to each; the tiers work side by side.

    What leaves a node passes its leaf, wherever it goes.
    """
    n = np.asarray(n, dtype=np.float64)
    slowest, fixed = np.zeros(()), np.zeros(())
    for (tier, below, here), unit in zip(members(n, stride, net), _units(n, stride, net), strict=True):
        passing = np.where((np.asarray(tier.outer) > 0) & (here > below), n, here) - below
        slowest = np.maximum(slowest, passing / n / _rate(tier, here / below))
        fixed = fixed + (_steps(here / unit) - _steps(below / unit)) * tier.latency_s
    return slowest * size + fixed


def p2p_seconds(size: Number, reach: Number, net: Reached) -> Array:
    """One message to a neighbour that is `reach` devices away, over the first tier that joins so many."""
    size, reach = np.asarray(size, dtype=np.float64), np.asarray(reach, dtype=np.float64)
    seconds = np.zeros(())
    for i, tier in enumerate(reversed(net.tiers)):
        here = size * tier.links / tier.bytes_per_s + tier.latency_s
        seconds = here if i == 0 else np.where(reach <= tier.domain, here, seconds)
    return np.asarray(seconds)


def _units(n: Number, stride: Number, net: Reached) -> Iterator[Array]:
    """What takes a step at a time in each tier: the groups of the tier below. A ring through leaves and spines has no
    fewer steps than one through leaves alone: there, it is a node.
    """
    unit, was_outer = np.ones(()), np.zeros(())
    for tier, below, _ in members(n, stride, net):
        outer = np.asarray(tier.outer)
        unit = np.where((outer > 0) & (was_outer > 0), unit, below)
        was_outer = outer
        yield unit


def _rate(tier: Tier, n: Array) -> Array:
    """Bandwidth of a group of n: a mesh's device has a link to each other, and uses those to the group's members."""
    return tier.bytes_per_s * np.minimum(1.0, np.maximum(n - 1.0, 1.0) / tier.links)


def _steps(n: Array) -> Array:
    return np.minimum(n - 1.0, 2.0 * np.log2(np.maximum(n, 1.0)))
