"""What else went on while it was measured: others' work, stolen time, pressure, clocks. From counters, at both ends."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from assay.measure.inventory import counters
from assay.measure.inventory.cpu import read
from assay.measure.inventory.tenants import whose

# Above these shares of the machine a measurement is marked as contended: the spread within a run does not show it
# (two runs minutes apart, each within 5 %, have been seen to differ fivefold).
OTHERS_SHARE = 0.10
STEAL_SHARE = 0.05

_WORKED_S = 0.5  # of processor time in its life: who has less, has kept nobody from working


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Counters and states of one moment."""

    at_s: float
    load: float | None  # runnable processes, mean of the last minute
    busy_s: float  # processor time of everything, since boot
    steal_s: float  # processor time that the hypervisor gave to others
    own_s: float  # processor time of this process and of its ended children
    pressure_s: float | None  # time in which something waited for a processor
    hz: float | None
    governor: str | None
    processes_s: Mapping[tuple[int, str], float]  # (pid, name) -> processor time
    counted: Mapping[str, float] = field(default_factory=dict)  # as `counters` names them
    whose: Mapping[int, str] = field(default_factory=dict)  # pid -> the job, pod or container it belongs to


def snapshot(root: Path = Path("/")) -> Snapshot:
    """Read everything once."""
    import psutil

    cpu = psutil.cpu_times()
    idle = cpu.idle + getattr(cpu, "iowait", 0.0)
    guest = getattr(cpu, "guest", 0.0) + getattr(cpu, "guest_nice", 0.0)  # counted in user and nice as well
    steal = getattr(cpu, "steal", 0.0)
    own = os.times()
    processes = _processes()
    return Snapshot(
        at_s=time.monotonic(),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        busy_s=sum(cpu) - idle - guest - steal,
        steal_s=steal,
        own_s=own.user + own.system + own.children_user + own.children_system,
        pressure_s=counters.pressure_s(read(root / "proc/pressure/cpu")),
        hz=_hz(),
        governor=read(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip() or None,
        processes_s=processes,
        counted=counters.counters(root),
        whose={pid: whose(pid, root) for (pid, _), used in processes.items() if used > _WORKED_S},
    )


def describe(start: Snapshot, end: Snapshot, threads: int) -> dict[str, object]:
    """The surroundings of a run as plain figures, and whether they were too loud."""
    span = max(end.at_s - start.at_s, 1e-9)
    others = max(0.0, (end.busy_s - start.busy_s) - (end.own_s - start.own_s)) / span
    steal = max(0.0, end.steal_s - start.steal_s) / span / threads
    pressed = None if start.pressure_s is None or end.pressure_s is None else (end.pressure_s - start.pressure_s) / span
    return {
        "load_start": start.load,
        "load_end": end.load,
        "others_cores": round(others, 3),
        "steal_share": round(steal, 4),
        "pressure_share": None if pressed is None else round(pressed, 3),
        "hz_start": start.hz,
        "hz_end": end.hz,
        "governor": end.governor,
        "busy_processes": _busiest(start, end, span),
        "tenants": _tenants(start, end, span),
        **counters.grown(start.counted, end.counted, span),
        "contended": others > OTHERS_SHARE * threads or steal > STEAL_SHARE,
    }


def warnings(told: Mapping[str, object], threads: int) -> tuple[str, ...]:
    """What a reader must know before trusting the figures."""
    lines = []
    if told["contended"]:
        busy = ", ".join(str(name) for name in _list(told["busy_processes"])[:3])
        lines.append(
            f"contended: others used {told['others_cores']} of {threads} threads, the hypervisor took "
            f"{_percent(told['steal_share'])}{f' (busy: {busy})' if busy else ''}; measure again when it is quiet"
        )
    if told["governor"] not in (None, "performance"):
        lines.append(f'the CPU governor is "{told["governor"]}": clocks follow the load; "performance" holds them')
    return (*lines, *counters.warnings(told))


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _percent(value: object) -> str:
    return f"{100 * value:.1f} %" if isinstance(value, float) else "an unknown share"


def _busiest(start: Snapshot, end: Snapshot, span: float) -> list[str]:
    """Other processes that used more than a tenth of a thread, busiest first."""
    return [f"{name} {share:.2f}" for share, _, name in _loud(start, end, span)]


def _tenants(start: Snapshot, end: Snapshot, span: float) -> list[str]:
    """The same, with the job, pod, container or service that each belongs to."""
    return [f"{name} {share:.2f}{end.whose.get(pid, '')}" for share, pid, name in _loud(start, end, span)]


def _loud(start: Snapshot, end: Snapshot, span: float) -> list[tuple[float, int, str]]:
    # By number alone: the kernel's own workers are named anew with every piece of work.
    before = {pid: value for (pid, _), value in start.processes_s.items()}
    used = {(pid, name): (value - before.get(pid, 0.0)) / span for (pid, name), value in end.processes_s.items()}
    return sorted(((share, *key) for key, share in used.items() if share > 0.1), reverse=True)[:8]


def _processes() -> dict[tuple[int, str], float]:
    """Processor time of every process that may be seen, but this one."""
    import psutil

    found = {}
    for process in psutil.process_iter(["pid", "name", "cpu_times"]):
        times = process.info["cpu_times"]
        if times is not None and process.info["pid"] != os.getpid():
            found[process.info["pid"], process.info["name"] or "?"] = times.user + times.system
    return found


def _hz() -> float | None:
    import psutil

    try:
        told = psutil.cpu_freq()
    except (OSError, NotImplementedError, AttributeError):
        return None
    return told.current * 1e6 if told and told.current else None
