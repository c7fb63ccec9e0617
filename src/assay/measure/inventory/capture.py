"""The environment of a run, captured whole: looked up, never asked; what could not be seen is said beside it."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from assay.machine import Cache, Interpreter, Machine
from assay.measure.inventory import nvml, tenants
from assay.measure.inventory.accelerators import accelerators
from assay.measure.inventory.attached import attached
from assay.measure.inventory.container import container
from assay.measure.inventory.facts import Part, joined
from assay.measure.inventory.firmware import firmware
from assay.measure.inventory.git import git
from assay.measure.inventory.kernel import kernel
from assay.measure.inventory.power import power
from assay.measure.inventory.software import code, packages, toolkits, variables
from assay.measure.inventory.topology import topology

PACKAGES_S = 10.0  # an interpreter on a cold network disk is slow to start


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """What one machine and its software are at one moment."""

    facts: Mapping[str, object]  # flat names, values that JSON can hold
    missing: tuple[str, ...] = ()  # what could not be captured, each with the reason

    @property
    def environment(self) -> dict[str, object]:
        """The facts with what is missing among them, as `Run.environment` keeps both."""
        return {**self.facts, "not_captured": list(self.missing)}


def capture(
    machine: Machine,
    interpreter: Interpreter | None,
    *,
    cwd: Path,
    environ: Mapping[str, str],
    command: Sequence[str] = (),
    root: Path = Path("/"),
) -> Capture:
    """Everything that may explain a figure: hardware, how it is set, software, and who else is there.

    `environ` and `cwd` are those of the command. `root` may hold a copy of another machine's /proc and /sys. What fails
    is missing and nothing else is: a description never costs a measurement.
    """
    started, cwd, devices = tenants.ticks(root), cwd.resolve(), machine.devices
    with ThreadPoolExecutor(max_workers=4) as pool:
        asked = pool.submit(nvml.told, root)
        parts: dict[str, Callable[[], Part]] = {
            "packages": lambda: _packages(interpreter, environ),
            "git": lambda: git(cwd, dict(environ)),
            "hardware": lambda: Part(hardware(machine)),
            "power": lambda: power(root, machine.cpu.governor),
            "kernel": lambda: kernel(root),
            "firmware": lambda: firmware(root),
            "container": lambda: container(root, environ, machine.container),
            "attached": lambda: attached(root, cwd),
            "toolkits": lambda: toolkits(root),
            "variables": lambda: variables(environ),
            "code": lambda: code(command, cwd),
            "NVML": lambda: Part({}, tuple(filter(None, [asked.result()[1]]))),
            "accelerators": lambda: accelerators(root, devices, asked.result()[0]),
            "topology": lambda: topology(root, devices, asked.result()[0]),
            "tenants": lambda: tenants.tenants(root, devices, asked.result()[0]),
        }
        looked = list(pool.map(lambda name: _guarded(name, parts[name]), parts))
    here: dict[str, object] = {
        "host": platform.node(),
        "cwd": str(cwd),
        "busy_at_start": tenants.busy(started, tenants.ticks(root), root),
    }
    whole = joined([*looked, Part(_software(interpreter)), Part(here)])
    return Capture(facts=whole.facts, missing=whole.missing)


def hardware(machine: Machine) -> dict[str, object]:
    """What a machine is, flat and plain."""
    cpu = machine.cpu
    return {
        "cpu": cpu.model,
        "architecture": cpu.architecture,
        "sockets": cpu.sockets,
        "cores": cpu.cores,
        "threads": cpu.threads,
        "usable_threads": cpu.usable_threads,
        "isa": list(cpu.isa),
        "cpu_max_hz": cpu.max_hz,
        "caches": [_cache(cache) for cache in cpu.caches],
        "last_cache_bytes": cpu.last_cache_bytes,
        "memory_bytes": machine.memory_bytes,
        "numa_nodes": len(machine.numa_bytes) or None,
        "devices": [f"{d.name} ({d.driver or 'no driver seen'})" for d in machine.devices],
        "system": machine.system,
        "kernel": machine.kernel,
        "hypervisor": machine.hypervisor,
        "container": machine.container,
    }


def _guarded(name: str, look: Callable[[], Part]) -> Part:
    try:
        return look()
    except Exception as error:  # whatever a machine nobody has seen yet shows: hours of work must not hang on it
        return Part({}, (f"{name}: could not be read ({type(error).__name__}: {error})",))


def _packages(interpreter: Interpreter | None, environ: Mapping[str, str]) -> Part:
    if interpreter is None:
        return Part({"packages": None, "packages_digest": None}, ("packages: the command is no Python that is known",))
    return packages(interpreter.path, environ, PACKAGES_S)


def _software(interpreter: Interpreter | None) -> dict[str, object]:
    """What the interpreter said of itself; it overrules what the names of folders say."""
    if interpreter is None:
        return {}
    libraries = {f.name: f.version or "unknown version" for f in interpreter.frameworks if f.status != "absent"}
    told = {"interpreter": interpreter.path, "python": interpreter.version, "numpy": interpreter.numpy}
    return {**told, "blas": interpreter.blas, **libraries}


def _cache(cache: Cache) -> str:
    size = cache.size_bytes
    shown = f"{size / 2**20:g} MiB" if size >= 2**20 else f"{size / 2**10:g} KiB"
    return f"{cache.count} × {shown} L{cache.level} {cache.kind}"


def names(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Names of the person and the machine, to be left out of what leaves the house."""
    host = platform.node()
    told = (host, host.partition(".")[0], environ.get("USER", ""), environ.get("LOGNAME", ""))
    return tuple(dict.fromkeys(name for name in told if name))
