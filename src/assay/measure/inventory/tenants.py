"""Who else is here: processes on the processors, and processes that hold an accelerator."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from assay.machine import Device
from assay.measure.inventory.accelerators import of
from assay.measure.inventory.cgroup import owner
from assay.measure.inventory.devices import MAKERS
from assay.measure.inventory.facts import Part, said

LOUD = 0.25  # threads used by one process, above which it is told: over the tenth of a second of a capture
_TICK_S = 1 / (os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100)
_PATIENCE_S = 0.1  # for the open files of all processes: thousands of them are no reason to wait

# Nodes that belong to no device alone, beside those of the makers: a process that computes has them open.
SHARED = ("dev/kfd", "dev/nvidiactl", "dev/nvidia-uvm")


class Ticks(NamedTuple):
    """Processor time of every process that may be seen, at one moment."""

    at_s: float
    used_s: Mapping[int, tuple[float, str]]  # pid -> processor time, and the name of the process


def ticks(root: Path = Path("/")) -> Ticks:
    """Read once what every other process has used so far."""
    used = {}
    for pid in _pids(root):
        # The name is in brackets and may hold anything; user and system time are fields 14 and 15 (proc_pid_stat(5)).
        head, _, tail = said(root / f"proc/{pid}/stat").rpartition(")")
        words = tail.split()
        if not _ours(pid, words[1:2]) and len(words) > 12 and words[11].isdecimal() and words[12].isdecimal():
            used[pid] = (int(words[11]) + int(words[12])) * _TICK_S, head.partition("(")[2]
    return Ticks(time.monotonic(), used)


def busy(start: Ticks, end: Ticks, root: Path = Path("/")) -> list[str]:
    """Processes that used more than a quarter of a thread between two moments: "make 0.95, container 3f2a…"."""
    span = max(end.at_s - start.at_s, 1e-9)
    shares = {pid: (used - start.used_s.get(pid, (0.0, ""))[0]) / span for pid, (used, _) in end.used_s.items()}
    loud = sorted(((share, pid) for pid, share in shares.items() if share > LOUD), reverse=True)
    return [f"{end.used_s[pid][1]} {share:.2f}{whose(pid, root)}" for share, pid in loud[:8]]


def whose(pid: int, root: Path = Path("/")) -> str:
    """Which job, pod, container or service a process belongs to, and whether another user's; empty: nothing to tell."""
    group = owner(said(root / f"proc/{pid}/cgroup"))
    try:
        other = (root / f"proc/{pid}").stat().st_uid not in (os.getuid(), 0)
    except (OSError, AttributeError):  # it has ended meanwhile; or a system without users
        other = False
    told = [word for word in (group, "another user's" if other else "") if word]
    return "".join(f", {word}" for word in told)


def tenants(root: Path, devices: Sequence[Device], nvml: Mapping[str, Any]) -> Part:
    """Processes that hold an accelerator: from the driver where it tells, else whoever has a device's node open."""
    told = list(_told(root, devices, nvml))
    known = {entry["pid"] for entry in told}
    opened, missing = _opened(root)
    # Inside a container the driver may speak of processes by the numbers they have outside.
    told += [entry for entry in opened if entry["pid"] not in known]
    return Part({"accelerator_processes": told}, missing)


def _told(root: Path, devices: Sequence[Device], nvml: Mapping[str, Any]) -> Iterator[dict[str, object]]:
    for device in devices:
        for process in of(nvml, device).get("processes", ()):
            pid = int(process["pid"])
            if not _ours(pid, _parent(root, pid)):
                yield {
                    "device": device.id, "pid": pid, "name": said(root / f"proc/{pid}/comm") or "not seen from here",
                    "memory_bytes": process.get("memory_bytes"),
                }  # fmt: skip


def _parent(root: Path, pid: int) -> list[str]:
    return said(root / f"proc/{pid}/stat").rpartition(")")[2].split()[1:2]


def _ours(pid: int, parent: list[str]) -> bool:
    """This process, and what it has started itself, such as its sampler."""
    return pid == os.getpid() or parent == [str(os.getpid())]


def _opened(root: Path) -> tuple[list[dict[str, object]], tuple[str, ...]]:
    nodes = _nodes(root)
    if not nodes:
        return [], ()
    found: list[dict[str, object]] = []
    refused, end_s = 0, time.monotonic() + _PATIENCE_S
    for pid in _pids(root):
        if time.monotonic() > end_s:
            return found, ("processes on the accelerators: too many processes to look at all",)
        held, hidden = _held(root / f"proc/{pid}/fd", nodes)
        refused += hidden
        if held and not _ours(pid, _parent(root, pid)):
            found.append({"device": held, "pid": pid, "name": said(root / f"proc/{pid}/comm"), "memory_bytes": None})
    why = f"processes on the accelerators: {refused} processes of others may not be looked into"
    return found, (why,) if refused else ()


def _held(folder: Path, nodes: set[str]) -> tuple[str, bool]:
    """The first device node that a process has open, and whether one may look at all."""
    try:
        entries = list(os.scandir(folder))
    except PermissionError:
        return "", True
    except OSError:
        return "", False
    return next((target for target in map(_target, entries) if target in nodes), ""), False


def _target(entry: os.DirEntry[str]) -> str:
    try:
        return str(Path(entry.path).readlink())
    except OSError:
        return ""


def _nodes(root: Path) -> set[str]:
    """Device nodes of accelerators, as a link to them reads."""
    patterns = [pattern for maker in MAKERS for pattern in maker.nodes] + list(SHARED)
    paths = (path for pattern in patterns for path in root.glob(pattern))
    return {f"/{path.relative_to(root)}" for path in paths if _is_node(path)}


def _is_node(path: Path) -> bool:
    try:
        return not stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False


def _pids(root: Path) -> list[int]:
    try:
        return [int(path.name) for path in (root / "proc").iterdir() if path.name.isdecimal()]
    except OSError:
        return []
