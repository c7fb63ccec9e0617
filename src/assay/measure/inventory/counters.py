"""What the kernel counts of hard times: waiting for memory and disks, heat, quotas, swapping, processes killed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from assay.measure.inventory.cgroup import groups, throttled
from assay.measure.inventory.facts import named, number, said

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096

# Counter -> the fact its growth becomes, and whether that is told per second (a share, where it counts seconds).
# A difference between runs in any of them is part of the surroundings, never of what was asked.
TOLD: dict[str, tuple[str, bool]] = {
    "memory_pressure_s": ("memory_pressure_share", True),
    "io_pressure_s": ("io_pressure_share", True),
    "switches": ("context_switches_per_s", True),
    "swapped_bytes": ("swapped_bytes", False),
    "heat": ("heat_throttles", False),
    "killed": ("oom_kills", False),
}


def counters(root: Path = Path("/")) -> dict[str, float]:
    """Every counter this machine has, since boot; one that it hides is not there."""
    quota = throttled(root)
    found = {
        "quota_periods": quota[0] if quota else None,
        "quota_held": quota[1] if quota else None,
        "memory_pressure_s": pressure_s(said(root / "proc/pressure/memory")),
        "io_pressure_s": pressure_s(said(root / "proc/pressure/io")),
        "switches": _word(said(root / "proc/stat"), "ctxt"),
        "swapped_bytes": _swapped(said(root / "proc/vmstat")),
        "heat": _heat(root),
        "killed": _killed(root),
    }
    return {name: value for name, value in found.items() if value is not None}


def grown(start: Mapping[str, float], end: Mapping[str, float], span: float) -> dict[str, object]:
    """What happened between two moments; None where it was not counted."""
    facts: dict[str, object] = {}
    for counter, (fact, each_second) in TOLD.items():
        both = counter in start and counter in end
        growth = max(0.0, end[counter] - start[counter]) if both else None
        facts[fact] = None if growth is None else round(growth / span, 4) if each_second else growth
    periods = end.get("quota_periods", 0.0) - start.get("quota_periods", 0.0)
    held = end.get("quota_held", 0.0) - start.get("quota_held", 0.0)
    facts["quota_share"] = round(held / periods, 4) if periods > 0 else None  # of the periods: no quota, no periods
    return facts


def warnings(told: Mapping[str, object]) -> tuple[str, ...]:
    """What of it a reader must know before trusting the figures."""
    heat, quota, swapped, killed, memory = (
        _figure(told.get(fact))
        for fact in ("heat_throttles", "quota_share", "swapped_bytes", "oom_kills", "memory_pressure_share")
    )
    lines = {
        f"the processor throttled for heat {heat:.0f} times": heat > 0,
        f"the container's CPU quota held it in {100 * quota:.0f} % of its periods": quota > 0.01,
        f"{swapped / 2**20:.0f} MiB were swapped: memory was short": swapped > 2**20,
        f"{killed:.0f} processes were killed for want of memory": killed > 0,
        f"something waited for memory in {100 * memory:.0f} % of the time": memory > 0.05,
    }
    return tuple(line for line, holds in lines.items() if holds)


def pressure_s(text: str) -> float | None:
    """Seconds in which something waited: `total` of the `some` line (Documentation/accounting/psi.rst), in µs."""
    words = next((line.split() for line in text.splitlines() if line.startswith("some")), [])
    total = next((word.removeprefix("total=") for word in words if word.startswith("total=")), "")
    return int(total) / 1e6 if total.isdecimal() else None


def _figure(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _word(text: str, name: str) -> float | None:
    """The number behind a name in one of the kernel's tables."""
    pairs = (line.split() for line in text.splitlines())
    return next((float(p[1]) for p in pairs if len(p) > 1 and p[0] == name and p[1].isdecimal()), None)


def _swapped(vmstat: str) -> float | None:
    pages = [_word(vmstat, name) for name in ("pswpin", "pswpout")]
    return None if None in pages else sum(filter(None, pages)) * _PAGE_BYTES


def _heat(root: Path) -> float | None:
    """Times that a core or a package was slowed for heat (Intel; other processors do not count them here)."""
    each = [path / "thermal_throttle" for path in named(root / "sys/devices/system/cpu")]
    cores = [count for path in each if (count := number(path / "core_throttle_count")) is not None]
    packages = [count for path in each if (count := number(path / "package_throttle_count")) is not None]
    return sum(cores) + max(packages, default=0.0) if cores or packages else None


def _killed(root: Path) -> float | None:
    """In this process's own group where there are groups, else on the machine."""
    for group in groups(root, "memory"):
        kills = _word(said(group / "memory.events"), "oom_kill")
        if kills is not None:
            return kills
    return _word(said(root / "proc/vmstat"), "oom_kill")
