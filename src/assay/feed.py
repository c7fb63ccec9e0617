"""What flows into a job and out of it: the data it learns from, and the checkpoints it can begin again from."""

from __future__ import annotations

from dataclasses import dataclass

from assay.assumption import Assumption


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Storage as one job has it: so many units of a kind, in every node or shared by all; rates are those of a unit."""

    name: str
    units: int = 1
    own: bool = False  # each node has so many of its own, and reads them past any network
    stated: bool = False  # its rates are what somebody has or was promised, and not what a data sheet says
    read_bytes_per_s: float | None = None
    write_bytes_per_s: float | None = None
    read_hz: float | None = None  # small reads

    def __post_init__(self) -> None:
        if not 1 <= self.units <= 1_000_000:
            raise ValueError("units of storage are from 1 to a million")

    def __str__(self) -> str:
        where = " in each node" if self.own else ""
        return (self.name if self.stated else f"{self.units} × {self.name}") + where

    def whole(self, rate: float | None, nodes: int) -> float | None:
        """A rate of one unit as the rate of all that a job on so many nodes has; None where nobody knows it."""
        return None if rate is None else rate * self.units * (nodes if self.own else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """How samples get from where they lie to the devices; what is None is not known, and then not counted."""

    sample_bytes: Assumption  # as it lies there: compressed, or tokens
    store: Store | None = None
    packed: bool = True  # many samples in a file, read in sequence; else each is a small read of its own
    network_bytes_per_s: float | None = None  # of a node, to storage that is shared
    cache: Store | None = None  # what holds samples that were read before
    cached: float = 0.0  # share of reads that it answers
    decode_s: Assumption | None = None  # of one core: decode and augment a sample
    cores: int | None = None  # of a node, that do so
    sent_bytes: Assumption | None = None  # of a sample as it goes to its device

    def __post_init__(self) -> None:
        if self.sample_bytes.low <= 0:
            raise ValueError("sample_bytes: a sample has more than 0 bytes")
        if not 0.0 <= self.cached <= 1.0:
            raise ValueError(f"cached: a cache answers from 0 to 100 % of all reads, not {100 * self.cached:g} %")
        if self.cached and self.cache is None:
            raise ValueError("cached: which cache answers them is not said")
        if self.cores is not None and self.cores < 1:
            raise ValueError("cores: a node has 1 or more")
        if self.network_bytes_per_s is not None and self.network_bytes_per_s <= 0:
            raise ValueError("network: a rate above 0 is wanted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How a job saves itself and how often it is stopped: what its time on the clock depends on beside its steps."""

    store: Store | None = None  # None: unknown, so that a save takes `save_s`
    behind: bool = False  # saves are copied to the hosts' memory and written while training goes on
    period_s: float | None = None  # of work between two saves; None: as long as loses least (Young 1974)
    failure_hz: Assumption  # unplanned stops per device
    restart_s: Assumption  # from a stop to training again
    save_s: Assumption  # a save, as long as training waits for it, where its storage is unknown

    def __post_init__(self) -> None:
        if self.period_s is not None and self.period_s <= 0:
            raise ValueError("every: a time above 0 is wanted")
