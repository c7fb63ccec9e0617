"""What NVML says, once a call: of the GPUs that are there, of their slices, and of what has happened since."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from assay.errors import MeasureError
from assay.machine import Device
from assay.telemetry.nvml.gpm import SHARES
from assay.telemetry.nvml.target import SLOW_S, Target, decoded
from assay.telemetry.nvml.xids import Xids
from assay.telemetry.reading import Raw
from assay.telemetry.tools import library, told


def readings(devices: Sequence[Device]) -> Iterator[Raw]:
    """One raw answer a call, of the devices that were found, or of all that NVML knows where it knows none of those."""
    nvml = library("pynvml", hint="pip install nvidia-ml-py")
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        hint = "check that nvidia-smi works; after a driver update, restart the machine or the container"
        raise MeasureError(f"NVML does not start: {error}", hint=hint) from None
    try:
        while True:  # once, and again whenever somebody has cut the GPUs anew
            yield from _until_cut_anew(nvml, devices)
    finally:
        with suppress(nvml.NVMLError):
            nvml.nvmlShutdown()


def _until_cut_anew(nvml: Any, devices: Sequence[Device]) -> Iterator[Raw]:
    targets, problems = _targets(nvml, devices)
    xids = Xids(nvml, targets)
    slices, checked_s = _slices(nvml, targets), time.monotonic()
    news: Raw = {"about": told([target.device for target in targets]), "warnings": problems}
    try:
        while True:
            now_s = time.monotonic()
            events = xids.since()
            answers = [_read(target, now_s, events, xids.last.get(target.device.id)) for target in targets]
            warnings = [*news.get("warnings", ()), *(text for answer in answers for text in _doubts(answer))]
            raw = {"devices": answers, **news, "warnings": warnings, "events": events}
            yield {key: value for key, value in raw.items() if value or key == "devices"}
            news = {}
            if now_s - checked_s > SLOW_S:
                checked_s = now_s
                if _slices(nvml, targets) != slices:
                    return
    finally:
        xids.close()
        for target in targets:
            target.close()


def _read(target: Target, now_s: float, events: list[dict[str, Any]], xid: int | None) -> dict[str, Any]:
    raw = {"id": target.device.id, "lost": True} if target.lost else target.read(now_s)
    if target.lost and not target.mourned:
        target.mourned = True
        text = f"{target.device.name} no longer answers: the driver has lost it"
        events.append({"kind": "lost", "of": target.device.id, "text": text})
    elif xid is not None and not target.lost:
        raw["xid"] = xid
    return raw


def _doubts(answer: dict[str, Any]) -> Iterator[str]:
    """What in an answer is worth a word beside it."""
    shares = answer.get("gpm", {})
    if any(shares.get(key, 0.0) > 101.0 for key in SHARES):  # seen on MIG (NVIDIA/DCGM issue 152); it is told as 1
        yield f"{answer['id']}: the driver tells more than 100 % of a share"
    _, _, pending, failed = answer.get("remapped_rows", (0, 0, 0, 0))
    if failed or pending:
        state = "has failed: the GPU is to be replaced" if failed else "waits for the GPU to be reset"
        yield f"{answer['id']}: remapping of a faulty memory row {state}"


def _targets(nvml: Any, devices: Sequence[Device]) -> tuple[list[Target], list[str]]:
    targets, problems = [], []
    wanted = {name for device in devices for name in (device.id, device.address)}
    driver = f"nvidia {decoded(nvml.nvmlSystemGetDriverVersion())}"
    found = []
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            found.append((handle, _device(nvml, handle, driver), f"/dev/nvidia{index}"))
        except nvml.NVMLError as error:
            problems.append(f"NVIDIA GPU {index} is not read: {error}")
    ours = [f for f in found if {f[1].id, f[1].address, f[2]} & wanted] or found
    for handle, device, _ in ours:
        targets.append(Target(nvml, handle, device))
        for part in _parts(nvml, handle):
            try:
                instance = nvml.nvmlDeviceGetGpuInstanceId(part)
                targets.append(Target(nvml, part, _slice(nvml, part, device), instance, handle))
            except nvml.NVMLError as error:
                problems.append(f"a MIG slice of {device.id} is not read: {error}")
    return targets, [*problems, *(text for target in targets for text in target.problems)]


def _device(nvml: Any, handle: Any, driver: str) -> Device:
    bus = decoded(nvml.nvmlDeviceGetPciInfo(handle).busId).lower()
    return Device(
        id=decoded(nvml.nvmlDeviceGetUUID(handle)),
        name=decoded(nvml.nvmlDeviceGetName(handle)),
        vendor="NVIDIA",
        memory_bytes=_memory(nvml, handle),
        driver=driver,
        address=re.sub(r"^0000(?=[0-9a-f]{4}:)", "", bus),
        found_by="nvml",
    )


def _slice(nvml: Any, handle: Any, card: Device) -> Device:
    name = decoded(nvml.nvmlDeviceGetName(handle))
    return Device(
        id=decoded(nvml.nvmlDeviceGetUUID(handle)),
        name=name,
        vendor=card.vendor,
        parent=card.id,
        partition=name.rpartition("MIG ")[2],
        memory_bytes=_memory(nvml, handle),
        driver=card.driver,
        address=card.address,
        found_by="nvml",
    )


def _memory(nvml: Any, handle: Any) -> float | None:
    try:
        return float(nvml.nvmlDeviceGetMemoryInfo(handle).total)
    except nvml.NVMLError:  # it shares the host's memory
        return None


def _parts(nvml: Any, handle: Any) -> list[Any]:
    """Handles of the MIG slices of a GPU; none where it is whole."""
    found = []
    try:
        if nvml.nvmlDeviceGetMigMode(handle)[0] != 1:
            return []
        for index in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
            try:
                found.append(nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index))
            except nvml.NVMLError:  # a place that is not taken
                continue
    except nvml.NVMLError:
        return []
    return found


def _slices(nvml: Any, targets: Sequence[Target]) -> list[str]:
    cards = [target for target in targets if not target.device.parent and not target.lost]
    return [decoded(nvml.nvmlDeviceGetUUID(part)) for card in cards for part in _parts(nvml, card.handle)]
