"""Asks NVIDIA's library everything a record needs, in a process of its own: a broken driver hangs that one, not us.

As a script it prints one JSON object: the driver, and each device with whatever it answers. What it does not answer is
not there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__)
TIMEOUT_S = 10.0

# Where any of these is, there is a driver to ask; elsewhere nothing is started.
SIGNS = ("dev/nvidiactl", "dev/nvidia0", "proc/driver/nvidia/version", "dev/dxg")

NVLINKS = 36  # the most a device has: NVML_NVLINK_MAX_LINKS
_UNKNOWN = 1 << 60  # NVML writes numbers next to 2^64 for "not available"


def told(root: Path = Path("/"), timeout_s: float = TIMEOUT_S) -> tuple[dict[str, Any], str]:
    """What NVML says of this machine; an empty table, and why, where there is something to ask but no answer."""
    if root != Path("/") or not any((root / sign).exists() for sign in SIGNS):
        return {}, ""
    from assay.measure.inventory.tools import ask

    text, why = ask([sys.executable, "-P", str(SCRIPT)], timeout_s)
    try:
        answer = json.loads((text or "").strip().rpartition("\n")[2])
    except ValueError:
        return {}, f"NVML: {why or 'the answer was not understood'}"
    problem = str(answer.pop("problem", "")) if isinstance(answer, dict) else "the answer was not understood"
    return (answer, "") if not problem else ({}, f"NVML: {problem}")


def _answer() -> dict[str, Any]:
    try:
        import pynvml as n
    except ImportError:
        return {"problem": "nvidia-ml-py is not installed"}
    try:
        n.nvmlInit()
    except n.NVMLError as error:
        return {"problem": str(error)}
    try:
        handles = [n.nvmlDeviceGetHandleByIndex(i) for i in range(n.nvmlDeviceGetCount())]
        devices = [_device(n, handle, i) for i, handle in enumerate(handles)]
        cuda = _try(n.nvmlSystemGetCudaDriverVersion_v2)
        driver = _try(lambda: _text(n.nvmlSystemGetDriverVersion()))
        shown = f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None
    except n.NVMLError as error:
        return {"problem": str(error)}
    return {"driver": driver, "cuda": shown, "devices": devices}


def _device(n: Any, handle: Any, index: int) -> dict[str, Any]:
    """Everything of one device; powers in W, clocks in Hz."""
    ask: dict[str, Callable[[], Any]] = {
        "name": lambda: _text(n.nvmlDeviceGetName(handle)),
        "uuid": lambda: _text(n.nvmlDeviceGetUUID(handle)),
        "address": lambda: _text(n.nvmlDeviceGetPciInfo(handle).busId),
        "memory_bytes": lambda: _known(n.nvmlDeviceGetMemoryInfo(handle).total),
        "vbios": lambda: _text(n.nvmlDeviceGetVbiosVersion(handle)),
        "power_cap_w": lambda: n.nvmlDeviceGetEnforcedPowerLimit(handle) / 1e3,
        "power_default_w": lambda: n.nvmlDeviceGetPowerManagementDefaultLimit(handle) / 1e3,
        "power_max_w": lambda: n.nvmlDeviceGetPowerManagementLimitConstraints(handle)[1] / 1e3,
        "max_hz": lambda: n.nvmlDeviceGetMaxClockInfo(handle, n.NVML_CLOCK_SM) * 1e6,
        "application_hz": lambda: n.nvmlDeviceGetApplicationsClock(handle, n.NVML_CLOCK_GRAPHICS) * 1e6,
        "default_hz": lambda: n.nvmlDeviceGetDefaultApplicationsClock(handle, n.NVML_CLOCK_GRAPHICS) * 1e6,
        "persistence": lambda: bool(n.nvmlDeviceGetPersistenceMode(handle)),
        "compute_mode": lambda: n.nvmlDeviceGetComputeMode(handle),
        "ecc": lambda: bool(n.nvmlDeviceGetEccMode(handle)[0]),
        "mig": lambda: bool(n.nvmlDeviceGetMigMode(handle)[0]),
        "pcie_generation": lambda: n.nvmlDeviceGetMaxPcieLinkGeneration(handle),
        "pcie_width": lambda: n.nvmlDeviceGetMaxPcieLinkWidth(handle),
        "pcie_width_now": lambda: n.nvmlDeviceGetCurrPcieLinkWidth(handle),
        "numa_node": lambda: _lowest(n.nvmlDeviceGetMemoryAffinity(handle, 1, n.NVML_AFFINITY_SCOPE_NODE)[0]),
        "nvlinks": lambda: _nvlinks(n, handle),
        "partitions": lambda: _partitions(n, handle),
        "processes": lambda: _processes(n, handle),
    }
    answers = {key: _try(question) for key, question in ask.items()}
    return {"index": index, **{key: value for key, value in answers.items() if value is not None}}


def _lowest(mask: int) -> int | None:
    """The first node of a set of them, given as bits."""
    return (mask & -mask).bit_length() - 1 if mask else None


def _nvlinks(n: Any, handle: Any) -> list[str]:
    """Where each active link ends: the address of a device, or of the switch that joins all."""
    ends = []
    for link in range(NVLINKS):
        state = _try(lambda link=link: n.nvmlDeviceGetNvLinkState(handle, link))  # type: ignore[misc]
        if state is None:
            break
        if state:
            end = _try(lambda link=link: _text(n.nvmlDeviceGetNvLinkRemotePciInfo(handle, link).busId))  # type: ignore[misc]
            kind = _try(lambda link=link: n.nvmlDeviceGetNvLinkRemoteDeviceType(handle, link))  # type: ignore[misc]
            ends.append("switch" if kind == 2 or end is None else end)  # 2: NVML_NVLINK_DEVICE_TYPE_SWITCH
    return ends


def _partitions(n: Any, handle: Any) -> list[dict[str, Any]]:
    found = []
    for i in range(n.nvmlDeviceGetMaxMigDeviceCount(handle)):
        part = _try(lambda i=i: n.nvmlDeviceGetMigDeviceHandleByIndex(handle, i))  # type: ignore[misc]
        if part is not None:
            ask = {
                "uuid": lambda part=part: _text(n.nvmlDeviceGetUUID(part)),
                "name": lambda part=part: _text(n.nvmlDeviceGetName(part)),
                "memory_bytes": lambda part=part: _known(n.nvmlDeviceGetMemoryInfo(part).total),
            }
            found.append({key: _try(question) for key, question in ask.items()})
    return found


def _processes(n: Any, handle: Any) -> list[dict[str, Any]]:
    running = n.nvmlDeviceGetComputeRunningProcesses(handle)
    return [{"pid": p.pid, "memory_bytes": _known(p.usedGpuMemory)} for p in running]


def _try(question: Callable[[], Any]) -> Any:
    """The answer, or None: libraries and drivers differ in what they know."""
    try:
        return question()
    except Exception:  # not supported, not permitted, not in this version of the library
        return None


def _known(value: Any) -> Any:
    return value if value is not None and 0 <= value < _UNKNOWN else None


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(_answer()) + "\n")
