"""What else went on while it was measured: others' work, stolen time, pressure, clocks. From counters, at both ends."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from assay.measure.cpu import read

# Above these shares of the machine a measurement is marked as contended: the spread within a run does not show it
# (two runs minutes apart, each within 5 %, have been seen to differ fivefold).
OTHERS_SHARE = 0.10
STEAL_SHARE = 0.05


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


def snapshot(root: Path = Path("/")) -> Snapshot:
    """Read everything once."""
    import psutil

    cpu = psutil.cpu_times()
    idle = cpu.idle + getattr(cpu, "iowait", 0.0)
    guest = getattr(cpu, "guest", 0.0) + getattr(cpu, "guest_nice", 0.0)  # counted in user and nice as well
    steal = getattr(cpu, "steal", 0.0)
    own = os.times()
    return Snapshot(
        at_s=time.monotonic(),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        busy_s=sum(cpu) - idle - guest - steal,
        steal_s=steal,
        own_s=own.user + own.system + own.children_user + own.children_system,
        pressure_s=_pressure(read(root / "proc/pressure/cpu")),
        hz=_hz(),
        governor=read(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip() or None,
        processes_s=_processes(),
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
    return tuple(lines)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _percent(value: object) -> str:
    return f"{100 * value:.1f} %" if isinstance(value, float) else "an unknown share"


def _busiest(start: Snapshot, end: Snapshot, span: float) -> list[str]:
    """Other processes that used more than a tenth of a thread, busiest first."""
    used = {key: value - start.processes_s.get(key, 0.0) for key, value in end.processes_s.items()}
    loud = sorted((-share / span, name) for (_, name), share in used.items() if share / span > 0.1)
    return [f"{name} {-share:.2f}" for share, name in loud[:8]]


def _processes() -> dict[tuple[int, str], float]:
    """Processor time of every process that may be seen, but this one."""
    import psutil

    found = {}
    for process in psutil.process_iter(["pid", "name", "cpu_times"]):
        times = process.info["cpu_times"]
        if times is not None and process.info["pid"] != os.getpid():
            found[process.info["pid"], process.info["name"] or "?"] = times.user + times.system
    return found


def _pressure(text: str) -> float | None:
    """Microseconds of the `some` line in /proc/pressure/cpu."""
    words = next((line.split() for line in text.splitlines() if line.startswith("some")), [])
    total = next((word.removeprefix("total=") for word in words if word.startswith("total=")), "")
    return int(total) / 1e6 if total.isdecimal() else None


def _hz() -> float | None:
    import psutil

    try:
        told = psutil.cpu_freq()
    except (OSError, NotImplementedError, AttributeError):
        return None
    return told.current * 1e6 if told and told.current else None
