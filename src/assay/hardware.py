"""Machines as data: an accelerator, the links between accelerators, a system built of them, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

# How a machine executes a model; each has one schedule formula in `predict/schedule.py`.
#   kernels           one kernel after another from device memory (GPU, CPU, TPU, Trainium, Gaudi, …)
#   weight-streaming  activations stay on a wafer, weights stream in layer by layer (Cerebras)
#   tile-pipeline     the model lies in the SRAM of many tiles and samples flow through it (Graphcore, Groq)
Execution = Literal["kernels", "weight-streaming", "tile-pipeline"]

# Architecture class: which prior constants apply until something was measured.
Architecture = Literal["gpu", "cpu", "systolic", "dataflow", "tiles", "wafer"]

DTYPES = ("fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "int8", "fp4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Software:
    """The software a buyer gets with an accelerator, and how mature it is."""

    stack: str
    frameworks: Mapping[str, str] = field(default_factory=dict)  # "pytorch" -> first-class | supported | beta | …
    maturity: Literal["first-class", "supported", "beta", "limited", "frozen", "unknown"] = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One device that computes: what its maker says of it. Peaks are dense, per device, at the rated clock."""

    name: str
    vendor: str
    architecture: Architecture
    execution: Execution = "kernels"
    aliases: tuple[str, ...] = ()
    year: int | None = None
    status: str = ""
    peak_flop_per_s: Mapping[str, float]  # by dtype, matrix units where there are any
    memory_bytes: float  # the memory a model's state lives in
    bandwidth_bytes_per_s: float  # of that memory
    on_chip_bytes: float | None = None  # last on-chip level: L2, SRAM, wafer memory
    on_chip_bandwidth_bytes_per_s: float | None = None
    streaming_bytes: float | None = None  # off-chip store that weights stream from (MemoryX, streaming DDR)
    streaming_bandwidth_bytes_per_s: float | None = None
    compute_units: int | None = None  # SMs, CUs, cores, tiles: what waves of work are spread over
    host_bandwidth_bytes_per_s: float | None = None  # one way, to the host
    power_w: float | None = None  # rated (TDP) or, where its maker gives none, an estimate
    idle_w: float | None = None
    software: Software = Software(stack="unknown")

    def __post_init__(self) -> None:
        unknown = sorted(set(self.peak_flop_per_s) - set(DTYPES))
        if unknown:
            raise ValueError(f"peak: {unknown[0]} is not a dtype known here; write one of {', '.join(DTYPES)}")
        if any(peak <= 0 for peak in self.peak_flop_per_s.values()):
            raise ValueError("peak: a peak must be above 0; leave out a dtype the device does not have")
        if self.memory_bytes <= 0 or self.bandwidth_bytes_per_s <= 0:
            raise ValueError("memory and bandwidth must be above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What joins accelerators at one level. Bandwidth is per accelerator and one way."""

    name: str
    bandwidth_bytes_per_s: float
    latency_s: float
    topology: str = "switch"  # switch | mesh | torus | ring | fat-tree | dragonfly | point-to-point | broadcast-tree
    domain: int | None = None  # accelerators joined at this level; None = as many as there are
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.bandwidth_bytes_per_s <= 0:
            raise ValueError("bandwidth must be above 0")
        if self.domain is not None and self.domain < 1:
            raise ValueError(f"domain: {self.domain} accelerators cannot be joined; write 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A price somebody asks, at a date. Unknown prices have no offer: they are never 0."""

    kind: Literal["rent", "buy"]
    provider: str
    date: str
    price_usd_per_s: float | None = None  # rent, per accelerator
    price_usd: float | None = None  # buy, per system node
    term: str = "on-demand"  # on-demand | spot | reserved-1y | reserved-3y | list | street
    region: str = ""
    source: str = ""
    confidence: Literal["high", "medium", "low"] = "medium"


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Nodes full of accelerators, joined by links from the inside out: what is bought or rented."""

    name: str
    vendor: str
    accelerator: Accelerator
    count_per_node: int
    nodes: int = 1
    links: tuple[Link, ...]  # inner → outer; empty for a single device
    spare_per_node: int = 0  # accelerators of each node that a job leaves idle: paid for, not used
    aliases: tuple[str, ...] = ()
    host: str = ""
    host_memory_bytes: float | None = None
    storage_bytes: float | None = None
    power_w: float | None = None  # one whole node, most it draws
    typical_power_w: float | None = None
    idle_w: float | None = None
    rack_units: float | None = None
    cooling: str = ""
    offers: tuple[Offer, ...] = ()

    def __post_init__(self) -> None:
        if self.count_per_node < 1 or self.nodes < 1:
            raise ValueError("a system has at least one accelerator per node and one node")
        if self.rack_units is not None and self.rack_units < 0:
            raise ValueError("rack_units: below 0 cannot be; leave out what is unknown")
        if self.count_per_node > 100_000 or self.nodes > 1_000_000:
            raise ValueError("a node has at most 100,000 accelerators, and a system at most a million nodes")

    @property
    def accelerators(self) -> int:
        """How many accelerators there are in all."""
        return self.count_per_node * self.nodes

    @property
    def paid(self) -> int:
        """Accelerators that are paid for: those a job uses and those it leaves idle."""
        return (self.count_per_node + self.spare_per_node) * self.nodes

    def with_nodes(self, nodes: int) -> System:
        """The same system with this many nodes."""
        return replace(self, nodes=nodes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Where training data and checkpoints lie: one unit of it, as it is bought or rented."""

    name: str
    tier: Literal["local", "parallel", "cloud", "object", "memory"]
    unit: str  # what one unit is: a drive, an appliance, a connection
    aliases: tuple[str, ...] = ()
    capacity_bytes: float | None = None  # None: as much as one wants
    read_bytes_per_s: float | None = None
    write_bytes_per_s: float | None = None
    random_read_hz: float | None = None  # small reads a second
    random_write_hz: float | None = None
    latency_s: float | None = None
    power_w: float | None = None
    price_usd_per_byte: float | None = None  # to buy
    rent_usd_per_byte_per_s: float | None = None  # to rent
