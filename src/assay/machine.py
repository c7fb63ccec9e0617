"""A machine as data: what was found on this computer, and nothing that was not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """One cache level: the size of one instance, and how many instances the machine has."""

    level: int
    kind: str  # data | instruction | unified
    size_bytes: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """The processor as the operating system tells it; None where it does not."""

    model: str
    architecture: str  # x86_64, aarch64, …
    sockets: int | None
    cores: int | None  # physical, all sockets
    threads: int  # hardware threads the system shows
    usable_threads: int  # … that this process may use (affinity, container quota)
    isa: tuple[str, ...]  # vector and matrix extensions: "AVX-512", "AMX bf16", "SVE2"
    max_hz: float | None = None
    governor: str | None = None
    caches: tuple[Cache, ...] = ()

    @property
    def last_cache_bytes(self) -> float | None:
        """Size of the last-level cache, all instances together."""
        top = max((c.level for c in self.caches), default=0)
        return sum(c.size_bytes * c.count for c in self.caches if c.level == top) or None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """An accelerator (or the host itself) that the operating system or its driver shows."""

    name: str
    vendor: str
    id: str = ""  # what readings call it, the same tomorrow: a UUID, a serial number, else its address
    parent: str = ""  # the id of the device that a partition (MIG, CPX, a core) is cut from
    partition: str = ""  # "1g.10gb", "core 3"; empty: a whole device
    memory_bytes: float | None = None
    driver: str | None = None
    address: str = ""  # PCI address or device node
    found_by: str = ""  # nvml, sysfs, device node, environment
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """A framework in one interpreter: its version and what it can reach, or why it could not say."""

    name: str
    status: Literal["works", "absent", "fails", "hangs"]
    version: str | None = None
    build: str | None = None  # "CUDA 12.8", "ROCm 7.0", "CPU"
    devices: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python interpreter and the libraries a workload would use in it."""

    path: str
    version: str | None = None
    prefix: str = ""
    numpy: str | None = None
    blas: str | None = None  # the library behind NumPy's matrix multiplication
    frameworks: tuple[Framework, ...] = ()
    problem: str = ""  # why it could not be asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What one computer is: processor, memory, accelerators, and the software that can use them."""

    cpu: Cpu
    memory_bytes: float
    available_bytes: float
    memory_limit_bytes: float | None = None  # a container's limit, where it is below the machine's memory
    numa_bytes: Mapping[str, float] = field(default_factory=dict)  # by node
    system: str = ""  # "Debian GNU/Linux 12 (bookworm)"
    kernel: str = ""
    hypervisor: str | None = None  # None: none seen
    container: str | None = None
    devices: tuple[Device, ...] = ()
    interpreters: tuple[Interpreter, ...] = ()
