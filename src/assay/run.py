"""A run: what one command measured on one machine, raw, never edited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One reading: `case` says what was tried ("numpy fp32 128x128x64"), `metric` what was read, in the name's unit."""

    case: str
    metric: str  # time_s, bandwidth_bytes_per_s, …
    value: float
    index: int  # order in which it was taken within its case
    warmup: bool = False  # taken before steady state; kept, but left out of every summary
    at_s: float | None = None  # when it was taken, seconds since the run began


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a case did, in numbers a prediction can use: work, bytes, shape."""

    name: str
    kind: str  # matmul | copy | triad | read | write | dispatch | …
    dtype: str = ""
    flop: float | None = None
    size_bytes: float | None = None
    shape: tuple[int, ...] = ()  # matmul: (M, N, K)
    steady: bool = True  # False: it never settled, and no figure of it is to be trusted
    library: str = ""  # numpy | torch | python | the operating system
    device: str = "cpu"  # cpu, cuda:0, …: where it ran
    threads: int | None = None  # threads that worked on it
    note: str = ""  # what a reader must know: "page cache bypassed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One measurement on disk: its cases, every raw sample, the machine and its software at that moment."""

    id: str  # hash of all the rest; empty until the store has written it
    name: str  # matmul, memory, storage, dispatch, or the command's own
    command: tuple[str, ...]
    started: str  # ISO 8601, UTC
    duration_s: float
    environment: Mapping[str, object]
    settings: Mapping[str, str] = field(default_factory=dict)
    cases: tuple[Case, ...]
    samples: tuple[Sample, ...]
    events: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    partial: bool = False  # interrupted: what is here is true, but not all that was asked
    stopped: str = ""  # why it is partial: "interrupted", or what the probe died of
    log: tuple[str, ...] = ()  # what the probe said, line by line, as it said it
    schema: int = SCHEMA
