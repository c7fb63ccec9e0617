"""A run: what one command measured on one machine, raw, never edited."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from assay.machine import Device
from assay.series import Sample, Series

# Kinds of cases whose shape each run looks for anew: alike by what is sought, and judged by their rate.
SOUGHT = frozenset({"peak", "sustained"})
PRODUCTS = frozenset({"matmul", "peak"})  # matrix products of a known shape

SCHEMA = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a case did, in numbers a prediction can use: work, bytes, shape."""

    name: str  # empty: the command as a whole
    kind: str  # matmul | copy | triad | read | write | dispatch | step | request | …
    dtype: str = ""
    flop: float | None = None
    size_bytes: float | None = None
    shape: tuple[int, ...] = ()  # matmul: (M, N, K)
    library: str = ""  # numpy | torch | python | the operating system
    device: str = "cpu"  # cpu, cuda:0, …: where it ran
    threads: int | None = None  # threads that worked on it
    note: str = ""  # what a reader must know: "page cache bypassed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened at a moment: a gap in the readings, an error code, a checkpoint, an out-of-memory."""

    at_s: float  # seconds since the run began
    kind: str  # gap | restart | sensor | xid | oom | clock | line | check | done | resumed | …
    text: str
    of: str = ""  # the device, case or rank it happened to


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One measurement on disk: its cases, every raw sample, the machine and its software at that moment.

    What sensors said beside it can be much: the store reads it in parts, as `Series` of each device.
    """

    id: str  # names the run; given by the store when it begins
    name: str  # gemm, membw, train-step, or the command's own
    command: tuple[str, ...]
    started: str  # ISO 8601, UTC
    duration_s: float
    environment: Mapping[str, object]
    settings: Mapping[str, str] = field(default_factory=dict)
    cases: tuple[Case, ...] = ()
    series: tuple[Series, ...] = ()
    devices: tuple[Device, ...] = ()  # whose sensors were read
    events: tuple[Event, ...] = ()
    warnings: tuple[str, ...] = ()
    partial: bool = False  # interrupted: what is here is true, but not all that was asked
    stopped: str = ""  # why it is partial: "interrupted", or what the command died of
    exit_code: int | None = None  # of the command; None: it was not seen to end
    schema: int = SCHEMA

    @property
    def accelerators(self) -> tuple[Device, ...]:
        """The devices that are whole accelerators: no slice of one, not the host, and not the watched command."""
        return tuple(d for d in self.devices if not d.parent and d.id not in ("host", "command"))

    @property
    def samples(self) -> Iterator[Sample]:
        """Every sample, series after series."""
        return (sample for series in self.series for sample in series)

    def of(self, metric: str, case: str | None = None) -> tuple[Series, ...]:
        """The series of a metric, of one case or of all."""
        return tuple(s for s in self.series if s.metric == metric and case in (None, s.of))
