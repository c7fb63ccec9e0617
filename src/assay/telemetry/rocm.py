"""AMD's library amdsmi, asked once a tick: every GPU or partition, by one call that holds most of its sensors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from assay.errors import MeasureError
from assay.machine import Device
from assay.telemetry.reading import Raw, number
from assay.telemetry.tools import told

SLOW_S = 60.0

# Key of the answer -> function, arguments as "Enum.MEMBER", and how often it is asked.
Call = tuple[str, str, tuple[str, ...], float]
CALLS: tuple[Call, ...] = (
    ("metrics", "amdsmi_get_gpu_metrics_info", (), 0.0),
    ("energy", "amdsmi_get_energy_count", (), 0.0),
    ("vram", "amdsmi_get_gpu_vram_usage", (), 0.0),
    ("processes", "amdsmi_get_gpu_process_list", (), 5.0),
    ("cap", "amdsmi_get_power_cap_info", (), SLOW_S),
    ("ecc", "amdsmi_get_gpu_total_ecc_count", (), SLOW_S),
)
# … and where the first is not answered (guests, old chips), its parts. Never asked: amdsmi_get_violation_status, which
# looks twice and sleeps 100 ms between; the counters of the first call say the same.
PARTS: tuple[Call, ...] = (
    ("activity", "amdsmi_get_gpu_activity", (), 0.0),
    ("power", "amdsmi_get_power_info", (), 0.0),
    ("clock_core", "amdsmi_get_clock_info", ("AmdSmiClkType.GFX",), 0.0),
    ("clock_memory", "amdsmi_get_clock_info", ("AmdSmiClkType.MEM",), 0.0),
    ("temp.hotspot", "amdsmi_get_temp_metric",
     ("AmdSmiTemperatureType.HOTSPOT", "AmdSmiTemperatureMetric.CURRENT"), 0.0),
    ("temp.edge", "amdsmi_get_temp_metric", ("AmdSmiTemperatureType.EDGE", "AmdSmiTemperatureMetric.CURRENT"), 0.0),
    ("temp.memory", "amdsmi_get_temp_metric", ("AmdSmiTemperatureType.VRAM", "AmdSmiTemperatureMetric.CURRENT"), 0.0),
)  # fmt: skip
# What is kept of the first call: it holds some hundred values.
KEPT = (
    "temperature_edge", "temperature_hotspot", "temperature_mem", "average_gfx_activity", "average_umc_activity",
    "average_socket_power", "current_socket_power", "current_gfxclk", "current_gfxclks", "current_uclk",
    "xgmi_read_data_acc", "xgmi_write_data_acc", "accumulation_counter", "prochot_residency_acc", "ppt_residency_acc",
    "socket_thm_residency_acc", "vr_thm_residency_acc", "hbm_thm_residency_acc",
)  # fmt: skip
LIMITERS = {
    "power": ("ppt_residency_acc",),
    "thermal": ("socket_thm_residency_acc", "vr_thm_residency_acc", "hbm_thm_residency_acc", "prochot_residency_acc"),
}


class Residency:
    """How long a GPU was throttled: the firmware counts its loops, and those in which a limiter was at work.

    Limiters of one kind may be at work in the same loop; the one that was longest counts, so a time is never too long.
    """

    def __init__(self) -> None:
        self._before: tuple[float, Mapping[str, Any]] | None = None
        self._so_far = dict.fromkeys(LIMITERS, 0.0)

    def since(self, at_s: float, now: Mapping[str, Any]) -> dict[str, float]:
        """Whether each kind of limiter was at work since the last look, and for how many seconds so far."""
        before, self._before = self._before, (at_s, now)
        if before is None or not (loops := _grown(now, before[1], "accumulation_counter")):
            return {}
        said: dict[str, float] = {}
        for kind, counters in LIMITERS.items():
            held = [grown for counter in counters if (grown := _grown(now, before[1], counter)) is not None]
            if held:
                self._so_far[kind] += min(1.0, max(held) / loops) * (at_s - before[0])
                said |= {kind: float(max(held) > 0), f"{kind}_s": self._so_far[kind]}
        return said


def _grown(now: Mapping[str, Any], before: Mapping[str, Any], key: str) -> float | None:
    new, old = number(now.get(key)), number(before.get(key))
    return new - old if new is not None and old is not None and new >= old else None


class Gpu:
    """One GPU or partition, and the calls that it answers."""

    def __init__(self, amdsmi: Any, handle: Any) -> None:
        self.amdsmi, self.handle = amdsmi, handle
        self.residency = Residency()
        self.calls = self._answered(CALLS)
        if "metrics" not in [key for key, *_ in self.calls]:
            self.calls += self._answered(PARTS)
        self.due_s = [0.0] * len(self.calls)
        self.part = int(number(self.say("amdsmi_get_gpu_kfd_info", {}).get("current_partition_id")) or 0)

    def _answered(self, calls: Sequence[Call]) -> list[tuple[str, Callable[[], Any], float]]:
        found: list[tuple[str, Callable[[], Any], float]] = []
        for key, name, words, every_s in calls:
            with suppress(self.amdsmi.AmdSmiException, AttributeError):  # of a chip, or a library that is older
                pairs = [word.split(".") for word in words]
                given = [getattr(getattr(self.amdsmi, enum), member) for enum, member in pairs]
                call = partial(getattr(self.amdsmi, name), self.handle, *given)
                call()
                found.append((key, call, every_s))
        return found

    def say(self, name: str, otherwise: Any) -> Any:
        """What one function of the library says of this GPU, or something else where it does not."""
        try:
            return getattr(self.amdsmi, name)(self.handle)
        except (self.amdsmi.AmdSmiException, AttributeError):
            return otherwise

    def read(self, now_s: float) -> dict[str, Any]:
        """What the GPU says now."""
        raw: dict[str, Any] = {"partition_id": self.part}
        for place, (key, call, every_s) in enumerate(self.calls):
            if now_s >= self.due_s[place]:
                self.due_s[place] = now_s + every_s
                with suppress(self.amdsmi.AmdSmiException):
                    group, _, name = key.partition(".")
                    said = call()
                    raw[group] = {**raw.get(group, {}), name: said} if name else said
        if isinstance(processes := raw.get("processes"), list):
            raw["processes"] = len(processes)
        if metrics := raw.get("metrics"):
            raw["metrics"] = {key: metrics[key] for key in KEPT if metrics.get(key, "N/A") != "N/A"}
            raw["throttled"] = self.residency.since(now_s, raw["metrics"])
        return raw


def readings(amdsmi: Any) -> Iterator[Raw]:
    """One raw answer a call, of all GPUs that the library shows."""
    try:
        amdsmi.amdsmi_init()
        gpus = [Gpu(amdsmi, handle) for handle in amdsmi.amdsmi_get_processor_handles()]
    except amdsmi.AmdSmiException as error:
        hint = "check that amd-smi works, and that you are in the groups render and video"
        raise MeasureError(f"amdsmi does not start: {error}", hint=hint) from None
    try:
        devices = described(gpus)
        news: Raw = {"about": told(devices)}
        while True:
            now_s = time.monotonic()
            answers = [{"id": device.id, **gpu.read(now_s)} for device, gpu in zip(devices, gpus, strict=True)]
            yield {"devices": answers, **news}
            news = {}
    finally:
        with suppress(amdsmi.AmdSmiException):
            amdsmi.amdsmi_shut_down()


def described(gpus: Sequence[Gpu]) -> list[Device]:
    """What the GPUs are. Partitions of one are told apart by their number, and hang on the first of them."""
    found: list[Device] = []
    first: dict[str, str] = {}
    for gpu in gpus:
        chip, mode = gpu.say("amdsmi_get_gpu_asic_info", {}), gpu.say("amdsmi_get_gpu_compute_partition", "")
        address = str(gpu.say("amdsmi_get_gpu_device_bdf", "")).lower()
        identity = gpu.say("amdsmi_get_gpu_device_uuid", "") or address
        if identity in {device.id for device in found}:
            identity = f"{identity}/{gpu.part}"
        card = first.setdefault(address.partition(".")[0], identity)
        memory = number(gpu.say("amdsmi_get_gpu_vram_usage", {}).get("vram_total"))
        version = gpu.say("amdsmi_get_gpu_driver_info", {}).get("driver_version")
        found.append(
            Device(
                id=identity,
                name=str(chip.get("market_name") or "AMD GPU"),
                vendor="AMD",
                parent=card if gpu.part else "",
                partition=f"{mode} {gpu.part}" if mode not in ("", "N/A", "SPX") else "",
                memory_bytes=memory * 2**20 if memory else None,
                driver=f"amdgpu {version}" if version else None,
                address=address,
                found_by="amdsmi",
            )
        )
    return found
