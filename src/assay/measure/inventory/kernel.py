"""How the operating system is set, where that makes work faster or slower: memory, clock source, mitigations."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from assay.measure.inventory.facts import Part, look, named, number, said

# Arguments of the kernel that make work faster or slower (Documentation/admin-guide/kernel-parameters.txt).
FLAGS = (
    "mitigations", "nospectre*", "spectre*", "spec_*", "nopti", "pti", "retbleed", "l1tf", "mds", "tsx*", "isolcpus",
    "nohz*", "rcu_nocb*", "irqaffinity", "nosmt*", "maxcpus", "nr_cpus", "hugepages*", "hugepagesz",
    "default_hugepagesz", "transparent_hugepage", "numa", "numa_balancing", "intel_pstate", "amd_pstate", "cpufreq.*",
    "cpuidle*", "intel_idle.*", "processor.*", "idle", "clocksource", "tsc", "iommu*", "intel_iommu", "amd_iommu",
    "pci", "pcie_*", "swiotlb", "preempt", "init_on_alloc", "init_on_free", "page_poison", "slub_debug", "audit",
    "nvidia*", "amdgpu.*", "amdttm.*", "ttm.*", "mem",
)  # fmt: skip


def kernel(root: Path = Path("/")) -> Part:
    """The settings of the system, and which of them it does not show."""
    command_line, hidden = look(root / "proc/cmdline")
    meminfo = _meminfo(root)
    cpus = root / "sys/devices/system/cpu"
    idle = [said(cpus / "cpuidle" / name) for name in ("current_driver", "current_governor", "current_governor_ro")]
    facts = {
        "kernel_flags": None if hidden else [w for w in command_line.split() if _matters(w.partition("=")[0])],
        "transparent_hugepages": _chosen(said(root / "sys/kernel/mm/transparent_hugepage/enabled")),
        "hugepages_bytes": _product(meminfo.get("HugePages_Total"), meminfo.get("Hugepagesize")),
        "swap_bytes": meminfo.get("SwapTotal"),
        "swappiness": number(root / "proc/sys/vm/swappiness"),
        "numa_balancing": _flag(said(root / "proc/sys/kernel/numa_balancing")),
        "smt": said(cpus / "smt/control") or None,
        "offline_cpus": said(cpus / "offline") or None,
        "idle": ", ".join(dict.fromkeys(word for word in idle if word)) or None,
        "clocksource": said(root / "sys/devices/system/clocksource/clocksource0/current_clocksource") or None,
        "mitigated": _mitigated(cpus / "vulnerabilities"),
        "shm_bytes": _size(root / "dev/shm"),
        "libc": _libc(root),
        "booted": _booted(root),
        **_allowed(root),
    }
    why = f"kernel flags: {hidden}" if hidden else ""
    unseen = [f"{word}: not shown by this system" for key, word in _NEEDED.items() if facts[key] is None]
    return Part(facts, (*([why] if why else []), *unseen))


_NEEDED = {"transparent_hugepages": "transparent huge pages", "swap_bytes": "swap", "clocksource": "clock source"}


def _mitigated(folder: Path) -> list[str] | None:
    """Flaws of the processor that the kernel works round, at a price in speed."""
    known = named(folder)
    return [flaw.name for flaw in known if said(flaw).startswith("Mitigation")] if known else None


def _matters(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in FLAGS)


def _chosen(text: str) -> str | None:
    """The word in brackets, which is how the kernel marks what is in force."""
    match = re.search(r"\[(\w+)\]", text)
    return match[1] if match else None


def _flag(text: str) -> bool | None:
    return text != "0" if text.isdecimal() else None


def _product(pages: float | None, size: float | None) -> float | None:
    return None if pages is None or size is None else pages * size


def _meminfo(root: Path) -> dict[str, float]:
    """/proc/meminfo in bytes, and counts of pages as they are."""
    found = {}
    for line in said(root / "proc/meminfo").splitlines():
        words = line.split()
        if len(words) > 1 and words[1].isdecimal():
            found[words[0].rstrip(":")] = float(words[1]) * (1024 if words[2:] == ["kB"] else 1)
    return found


def _size(folder: Path) -> float | None:
    """What fits into /dev/shm: loaders that hand over batches through it die where a container has 64 MB."""
    try:
        told = os.statvfs(folder)
    except OSError:
        return None
    return float(told.f_blocks * told.f_frsize)


def _libc(root: Path) -> str | None:
    if root != Path("/") or "CS_GNU_LIBC_VERSION" not in getattr(os, "confstr_names", {}):
        return None
    return os.confstr("CS_GNU_LIBC_VERSION")


def _booted(root: Path) -> str | None:
    match = re.search(r"^btime (\d{1,11})$", said(root / "proc/stat"), re.MULTILINE)
    return datetime.fromtimestamp(int(match[1]), UTC).isoformat(timespec="seconds") if match else None


def _allowed(root: Path) -> dict[str, object]:
    status = said(root / "proc/self/status")
    keys = {"cpus_allowed": "Cpus_allowed_list", "memory_nodes_allowed": "Mems_allowed_list"}
    found = {key: re.search(rf"^{name}:\s*(\S+)$", status, re.MULTILINE) for key, name in keys.items()}
    return {key: match[1] if match else None for key, match in found.items()}
