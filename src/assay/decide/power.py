"""Power to a rack: what a breaker may carry, what is left when one part fails, and how a load lies on three phases."""

from __future__ import annotations

import math
from collections.abc import Sequence

from assay.pilot import Site
from assay.siting import FailureState

_HAIR = 1e-9  # of a load: rounding is no overload


def breaker_w(v: float, a: float, *, phases: int = 3, derating: float = 0.8, power_factor: float = 1.0) -> float:
    """What a breaker may carry all day: P = √3 V I · derating · pf, on one phase V I · derating · pf.

    NEC 210.20: a continuous load, of 3 h or more, is at most 80 % of the breaker; those rated for 100 % and much of
    IEC practice allow all of it. V is line to line: 230/400 V as 3 · 230 V is `line_v(230)`.

    >>> round(breaker_w(415, 60)), round(breaker_w(208, 60)), round(breaker_w(line_v(230), 32, derating=1.0))
    (34502, 17293, 22080)
    """
    return (math.sqrt(3) if phases == 3 else 1.0) * v * a * derating * power_factor


def line_v(phase_v: float) -> float:
    """The voltage between two lines, from that of one line to neutral: √3 V.

    >>> round(line_v(230))
    398
    """
    return math.sqrt(3) * phase_v


def chain(*efficiencies: float) -> float:
    """Share of power that comes through parts in a row: η = Π ηᵢ.

    Frontier's rectifiers and converters (ExaDigiT RAPS):

    >>> round(chain(0.96, 0.98), 3)
    0.941
    """
    return math.prod(efficiencies)


def feed_w(site: Site) -> float:
    """What one feed of a rack may carry."""
    return breaker_w(site.feed_v, site.feed_a, phases=site.phases, derating=site.derating)


def groups(site: Site) -> tuple[int, int]:
    """Into how many groups a rack's feeds fall, and how many are in each: a group stands the loss of one of its own.

    N is groups of one, 2N of two, 3-to-make-2 of three; N+1 is a single group with one feed more than work needs.

    >>> groups(Site(name="", feeds=2, redundancy="2N")), groups(Site(name="", feeds=3, redundancy="N+1"))
    ((2, 2), (1, 4))
    """
    feeds = max(1, site.feeds)
    return {
        "N": (feeds, 1),
        "N+1": (1, feeds + 1),
        "2N": (feeds, 2),
        "3-to-make-2": ((feeds + 1) // 2, 3),
    }[site.redundancy]


def usable_w(site: Site) -> float:
    """What a rack may draw so that no feed is overloaded when any one has failed: 2N one of two, N+1 k-1 of k.

    Never more than the feeds that were stated for work.

    >>> one, two = Site(name="", redundancy="2N"), Site(name="", redundancy="3-to-make-2", feeds=2)
    >>> round(usable_w(one)), round(usable_w(two))
    (34502, 69005)
    """
    count, size = groups(site)
    return min(count * max(1, size - 1), max(1, site.feeds)) * feed_w(site)


def nodes_carried(node_w: float, site: Site) -> int:
    """How many machines a rack's feeds carry in every state of one failure.

    Machines are dealt out over the groups; one that is larger than a group draws on all of them.

    >>> nodes_carried(10_200, Site(name="")), nodes_carried(20_000, Site(name="", feeds=2))
    (3, 2)
    """
    count, size = groups(site)
    group_w = max(1, size - 1) * feed_w(site)
    if node_w > group_w * (1 + _HAIR):
        return math.floor(count * group_w / node_w + _HAIR)
    return count * math.floor(group_w / node_w + _HAIR)


def states(nodes: int, node_w: float, site: Site) -> tuple[FailureState, ...]:
    """What each feed of a rack carries when all are well, when any one has failed, and when one side of all has.

    Within a group the load is even. What hangs on a group of one goes dark with it: N has no spare.
    """
    count, size = groups(site)
    loads = _dealt(nodes, node_w, count, max(1, size - 1) * feed_w(site))
    feeds = [(group, side) for group in range(count) for side in range(size)]
    lost = [(_name(feed, count, size), {feed}) for feed in feeds]
    if count > 1 and size > 1:
        lost += [(f"side {chr(65 + side)}", {(group, side) for group in range(count)}) for side in range(size)]
    shared = node_w > max(1, size - 1) * feed_w(site) * (1 + _HAIR)
    return tuple(
        FailureState(failed=name, load_w=_carried(loads, count, size, gone, shared), limit_w=feed_w(site))
        for name, gone in [("none", set[tuple[int, int]]()), *lost]
    )


def _carried(
    loads: Sequence[float], count: int, size: int, gone: set[tuple[int, int]], shared: bool
) -> dict[str, float]:
    dark = size == 1 and shared and bool(gone)  # without one of its feeds a machine that needs all of them is off
    alive = {group: [side for side in range(size) if (group, side) not in gone] for group in range(count)}
    return {
        _name((group, side), count, size): 0.0 if dark else loads[group] / len(alive[group])
        for group in range(count)
        for side in alive[group]
    }


def _dealt(nodes: int, node_w: float, count: int, group_w: float) -> list[float]:
    """The load of each group."""
    if node_w > group_w * (1 + _HAIR):
        return [nodes * node_w / count] * count
    return [node_w * (nodes // count + (group < nodes % count)) for group in range(count)]


def _name(feed: tuple[int, int], count: int, size: int) -> str:
    group, side = feed
    if size == 1:
        return f"feed {chr(65 + group)}" if count <= 26 else f"feed {group + 1}"
    return f"feed {chr(65 + side)}{group + 1 if count > 1 else ''}"


def phase_loads_w(nodes: int, node_w: float, supplies: int) -> tuple[float, float, float]:
    """The load of each of three phases, where each machine's single-phase power supplies are dealt to them in turn.

    Four machines of one supply each put two of them on the first phase:

    >>> phase_loads_w(4, 3000.0, 1), phase_loads_w(4, 3000.0, 6)
    ((6000.0, 3000.0, 3000.0), (4000.0, 4000.0, 4000.0))
    """
    all_of_them = nodes * max(1, supplies)
    each_w = nodes * node_w / all_of_them if all_of_them else 0.0
    first, second, third = (each_w * (all_of_them // 3 + (phase < all_of_them % 3)) for phase in range(3))
    return first, second, third
