"""The processor, from what Linux writes in /proc and /sys; elsewhere as far as the system tells."""

from __future__ import annotations

import math
import os
import platform
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from assay.machine import Cache, Cpu
from assay.measure.inventory.cgroup import cpu_quota

# Flag in /proc/cpuinfo -> what people call it; x86 "flags" and ARM "Features" do not clash.
ISA = {
    "sse4_2": "SSE4.2", "avx": "AVX", "avx2": "AVX2", "fma": "FMA", "avx_vnni": "AVX-VNNI",
    "avx512f": "AVX-512", "avx512_vnni": "AVX-512 VNNI", "avx512_bf16": "AVX-512 bf16", "avx512_fp16": "AVX-512 fp16",
    "avx10_1": "AVX10.1", "avx10_2": "AVX10.2",
    "amx_tile": "AMX", "amx_bf16": "AMX bf16", "amx_int8": "AMX int8", "amx_fp16": "AMX fp16",
    "asimd": "NEON", "asimdhp": "NEON fp16", "asimddp": "NEON dot", "bf16": "NEON bf16", "i8mm": "NEON int8 matmul",
    "sve": "SVE", "sve2": "SVE2", "svebf16": "SVE bf16", "svei8mm": "SVE int8 matmul", "sme": "SME", "sme2": "SME2",
}  # fmt: skip

# ARM tells (implementer, part) instead of a name: Linux, arch/arm64/include/asm/cputype.h.
ARM = {
    ("0x41", "0xd08"): "Arm Cortex-A72", ("0x41", "0xd0c"): "Arm Neoverse N1", ("0x41", "0xd40"): "Arm Neoverse V1",
    ("0x41", "0xd49"): "Arm Neoverse N2", ("0x41", "0xd4f"): "Arm Neoverse V2", ("0x41", "0xd8e"): "Arm Neoverse N3",
    ("0x41", "0xd84"): "Arm Neoverse V3", ("0xc0", "0xac3"): "Ampere-1", ("0xc0", "0xac4"): "Ampere-1a",
    ("0x46", "0x001"): "Fujitsu A64FX", ("0x48", "0xd01"): "HiSilicon Kunpeng 920",
    ("0x4e", "0x004"): "NVIDIA Carmel",
}  # fmt: skip


def cpu(root: Path = Path("/"), usable: int | None = None) -> Cpu:
    """What the processor is, read from the file system under `root` (another machine's copy reads as well)."""
    entries = _cpuinfo(read(root / "proc/cpuinfo"))
    first = entries[0] if entries else {}
    flags = set((first.get("flags") or first.get("features") or "").split())
    places = [(_number(c / "topology/physical_package_id"), _number(c / "topology/core_id")) for c in _cpus(root)]
    known = {place for place in places if None not in place}
    threads = len(entries) or os.cpu_count() or 1
    khz = _number(root / "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")
    return Cpu(
        model=_model(first, root),
        architecture=platform.machine(),
        sockets=len({socket for socket, _ in known}) or None,
        cores=len(known) or None,
        threads=threads,
        usable_threads=min(usable or _usable(root), threads),
        isa=tuple(name for flag, name in ISA.items() if flag in flags),
        max_hz=khz * 1e3 if khz else None,
        governor=read(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip() or None,
        caches=_caches(root),
    )


def read(path: Path) -> str:
    """A small text file of the system, or nothing where it is missing, hidden or has no answer."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""


def _cpuinfo(text: str) -> list[dict[str, str]]:
    """One table a hardware thread; keys in lower case."""
    entries = []
    for block in re.split(r"\n\s*\n", text):
        pairs = (line.partition(":") for line in block.splitlines() if ":" in line)
        entry = {key.strip().lower(): value.strip() for key, _, value in pairs}
        if "processor" in entry:
            entries.append(entry)
    return entries


def _model(entry: dict[str, str], root: Path) -> str:
    part = (entry.get("cpu implementer", ""), entry.get("cpu part", ""))
    named = entry.get("model name") or ARM.get(part) or (f"ARM implementer {part[0]} part {part[1]}" if part[0] else "")
    return named or (_sysctl("machdep.cpu.brand_string") if root == Path("/") else "") or "unknown"


def _sysctl(key: str) -> str:
    """What macOS keeps there, Linux keeps in /proc."""
    try:
        done = subprocess.run(["sysctl", "-n", key], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpus(root: Path) -> Iterable[Path]:
    return sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*"))


def _caches(root: Path) -> tuple[Cache, ...]:
    """Each distinct cache once: those that share a list of CPUs are one."""
    found: dict[tuple[int, str, float], set[str]] = {}
    for index in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cache/index[0-9]*"):
        level, size = _number(index / "level"), _size(read(index / "size"))
        if level and size:
            sharing = read(index / "shared_cpu_list").strip() or str(index)
            found.setdefault((level, read(index / "type").strip().lower(), size), set()).add(sharing)
    return tuple(Cache(level=k[0], kind=k[1], size_bytes=k[2], count=len(found[k])) for k in sorted(found))


def _usable(root: Path) -> int:
    """Threads this process may use: its affinity, cut down to the container's quota where there is one."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(root)
    return allowed if quota is None else min(allowed, max(1, math.ceil(quota)))


def _size(text: str) -> float:
    match = re.fullmatch(r"\s*(\d+)([KMG]?)\s*", text)
    return int(match[1]) * {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}[match[2]] if match else 0


def _number(path: Path) -> int | None:
    text = read(path).strip()
    return int(text) if text.isdecimal() else None
