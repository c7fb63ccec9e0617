"""How fast a job's samples reach its devices, by the narrowest part of their way, and how long a step waits for them.

Each part takes so many samples a second: what it moves a second over what a sample costs it. Samples are fetched while
the device computes, so a step takes max(C, B / r) for C to compute it, B samples and the narrowest part's r; what C
leaves is a stall (Mohan et al., "Analyzing and Mitigating Data Stalls in DNN Training", VLDB 2021).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from assay.assumption import Assumption, exactly
from assay.feed import Feed, Store
from assay.hardware import System
from assay.plan import Plan
from assay.result import Value
from assay.units import show

# A storage's sheet is its best: jobs reach from half to all of it (from memory of IOR and MLPerf Storage results).
SHEET_REACHED = 0.5
_PARTLY = 5e-4  # of a step: less is no wait
_PLENTY = 100  # times what is needed: more is not worth a figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One part of the way, and the samples a second of the whole job that get through it."""

    name: str  # storage | reads | network | cache | decoding | host link
    what: str  # which: "2 × ddn-ai400x2"
    bound: str  # storage | network | host
    samples_per_s: float
    low_samples_per_s: float
    high_samples_per_s: float
    cost: float  # what a sample takes of it, in the unit
    unit: str  # of what it has: bytes_per_s, hz (of reads), or cores
    parts: int  # equal ones that it is made of: units, nodes or devices
    part: str  # what one of them is called where more are needed
    whole: bool = False  # … and can be had in whole numbers only
    sure: bool = False  # all of it was stated, nothing is a data sheet's or a usual figure

    def of(self, samples_per_s: float) -> str:
        """So many samples a second in what this part is measured in."""
        amount = samples_per_s * self.cost
        if self.unit == "cores":
            return f"{math.ceil(amount - 1e-9):,} cores"
        return f"{show(amount)} reads/s" if self.unit == "hz" else show(amount, self.unit)

    def enough(self, samples_per_s: float) -> str:
        """How much of this part would not be narrow any more."""
        if self.whole:
            return f"{math.ceil(samples_per_s / self.samples_per_s * self.parts - 1e-9):,} × {self.part}"
        return f"{self.of(samples_per_s / self.parts)}{self.part}"


def ways(feed: Feed, system: System, plan: Plan) -> tuple[Way, ...]:
    """Every part of the way that something is known of."""
    found = (*_stores(feed, system), *_network(feed, system), *_cache(feed, system), *_decoding(feed, system))
    return (*found, *_host_link(feed, system, plan))


def narrowest(found: Sequence[Way]) -> Way:
    """The part that lets least through."""
    return min(found, key=lambda way: way.samples_per_s)


def fed_step(step: Value, samples: int, found: Sequence[Way]) -> Value:
    """The time of a step with its wait for data: max(C, B / r), each end by itself."""
    slow, usual, fast = (
        min(getattr(way, name) for way in found)
        for name in ("low_samples_per_s", "samples_per_s", "high_samples_per_s")
    )
    mean = max(step.mean, samples / usual)
    evidence = step.evidence if mean == step.mean or narrowest(found).sure else "D"
    return Value(
        mean=mean, low=max(step.low, samples / fast), high=max(step.high, samples / slow), evidence=evidence
    )  # fmt: skip


def told(step_s: float, samples: int, found: Sequence[Way]) -> str:
    """In a sentence: what is needed, what the narrowest part gives, how much of a step waits, what would do."""
    need, way = samples / step_s, narrowest(found)
    share = 1.0 - way.samples_per_s / need
    if share > _PARTLY:
        return f"{_gap(need, way)}: {100 * share:.0f} % of every step waits; {_remedy(need, found)}"
    times = way.samples_per_s / need
    many = f"{show(times, digits=2)} times" if times < _PLENTY else f"more than {_PLENTY} times"
    said = f"data keep up: the narrowest part is {way.what}, with {many}"
    doubtful = min(found, key=lambda w: w.low_samples_per_s)
    risk = 1.0 - doubtful.low_samples_per_s / need
    doubt = f"; at the low end of what is known of {doubtful.what} {100 * risk:.0f} % of every step would wait"
    return f"{said} what is needed{doubt if risk > _PARTLY else ''}"


def uncounted(feed: Feed) -> Iterator[str]:
    """What was said of the way and cannot be counted, since something about it is unknown."""
    for store in (feed.store, feed.cache):
        if store is not None and store.read_bytes_per_s is None:
            yield f"how fast {store} reads is unknown, so it is not counted"
    if feed.decode_s is not None and feed.decode_s.value and feed.cores is None:
        yield "decoding is not counted: how many cores a node has for it is not said (--cores)"


def _gap(need: float, way: Way) -> str:
    verb = "has" if way.unit == "cores" else "gives"
    return f"at full speed it needs {way.of(need)}, {way.what} {verb} {way.of(way.samples_per_s).split(' cores')[0]}"


def _remedy(need: float, found: Sequence[Way]) -> str:
    short = sorted((w for w in found if w.samples_per_s < need * (1 - _PARTLY)), key=lambda w: w.samples_per_s)
    told_once = {w.name: w.enough(need) for w in reversed(short)}
    return " and ".join(reversed(told_once.values())) + " would be enough"


def _stores(feed: Feed, system: System) -> Iterator[Way]:
    store, share = feed.store, 1.0 - feed.cached
    if store is None or not share:
        return
    yield from _read("storage", store, store.read_bytes_per_s, feed.sample_bytes, share, system)
    if not feed.packed:
        yield from _read("reads", store, store.read_hz, exactly(1.0), share, system)


def _cache(feed: Feed, system: System) -> Iterator[Way]:
    if feed.cache is not None and feed.cached:
        store = feed.cache
        yield from _read("cache", store, store.read_bytes_per_s, feed.sample_bytes, feed.cached, system)


def _read(
    name: str, store: Store, rate: float | None, size: Assumption, share: float, system: System
) -> Iterator[Way]:  # fmt: skip
    whole = store.whole(rate, system.nodes)
    if whole is None:
        return
    reached = 1.0 if store.stated else SHEET_REACHED
    part = f" of {name}" if store.stated else str(store).partition(" × ")[2]
    yield Way(
        name=name, what=str(store), bound="storage", samples_per_s=whole / (share * size.value),
        low_samples_per_s=reached * whole / (share * size.high), high_samples_per_s=whole / (share * size.low),
        cost=share * size.value, unit="hz" if name == "reads" else "bytes_per_s",
        parts=1 if store.stated else store.units, part=part, whole=not store.stated, sure=store.stated and size.exact,
    )  # fmt: skip


def network_bytes_per_s(system: System, stated: float | None) -> float | None:
    """What a node reads from shared storage: as stated, or all that its ports to other nodes carry, if it has any."""
    if stated is not None or not system.links:
        return stated
    outer = system.links[-1]
    joins = outer.domain is None or outer.domain > system.count_per_node
    return outer.bandwidth_bytes_per_s * system.count_per_node if joins else None


def _network(feed: Feed, system: System) -> Iterator[Way]:
    rate, share = network_bytes_per_s(system, feed.network_bytes_per_s), 1.0 - feed.cached
    if rate is None or not share or feed.store is None or feed.store.own:
        return
    what = "the network to it" if feed.network_bytes_per_s else f"{system.links[-1].name} of its nodes"
    yield _line("network", what, "network", rate * system.nodes, feed.sample_bytes, share, system.nodes, " a node")


def _host_link(feed: Feed, system: System, plan: Plan) -> Iterator[Way]:
    """One device of each replica takes a sample and hands it on: dp links carry all of them."""
    rate, copies = system.accelerator.host_bandwidth_bytes_per_s, int(np.asarray(plan.data).ravel()[0])
    if rate is not None and feed.sent_bytes is not None and feed.sent_bytes.low > 0:
        what = f"the host's links to {copies:,} devices" if copies > 1 else "the host's link to one device"
        yield _line("host link", what, "host", rate * copies, feed.sent_bytes, 1.0, copies, " a device")


def _line(
    name: str, what: str, bound: str, rate: float, size: Assumption, share: float, parts: int, part: str
) -> Way:  # fmt: skip
    return Way(
        name=name, what=what, bound=bound, samples_per_s=rate / (share * size.value),
        low_samples_per_s=rate / (share * size.high), high_samples_per_s=rate / (share * size.low),
        cost=share * size.value, unit="bytes_per_s", parts=parts, part=part, sure=size.exact,
    )  # fmt: skip


def _decoding(feed: Feed, system: System) -> Iterator[Way]:
    """Cores that each finish a sample every so often."""
    each = feed.decode_s
    if each is None or feed.cores is None or each.low <= 0:
        return
    cores = float(feed.cores * system.nodes)
    yield Way(
        name="decoding", what=f"{system.nodes} × {feed.cores} cores" if system.nodes > 1 else "the host",
        bound="host", samples_per_s=cores / each.value, low_samples_per_s=cores / each.high,
        high_samples_per_s=cores / each.low, cost=each.value, unit="cores", parts=system.nodes, part=" a node",
        sure=each.exact,
    )  # fmt: skip
