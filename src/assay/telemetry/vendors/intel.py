"""Intel GPUs: energy, limits, clocks and temperatures from the kernel (i915, xe); utilization by xpu-smi if there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.errors import MeasureError
from assay.machine import Device
from assay.telemetry.places import driver, on_bus, text
from assay.telemetry.reading import Field, Imported, Raw, Reading, number, table
from assay.telemetry.tools import Tool, parsed, told

NAME = "intel"

PER_CENT, MIB, MHZ = 0.01, 2.0**20, 1e6

# The kernel's files: Documentation/ABI/testing/sysfs-driver-intel-{i915,xe}-hwmon (µJ, µW, m°C) and those of the clocks
# (MHz); then xpu-smi's names. A card without its own energy counter has one of the chip (energy2).
FIELDS = (
    Field("accel.busy", "stats.XPUM_STATS_GPU_UTILIZATION", PER_CENT, "average", 0, 1),
    Field("accel.core.active", "stats.XPUM_STATS_EU_ACTIVE", PER_CENT, "average", 0, 1),
    Field("accel.memory.active", "stats.XPUM_STATS_MEMORY_BANDWIDTH", PER_CENT, "average", 0, 1),
    Field("accel.mem.used_bytes", "stats.XPUM_STATS_MEMORY_USED", MIB),
    Field("accel.mem.total_bytes", "memory_bytes", lowest=1),
    Field("accel.power_w", "stats.XPUM_STATS_POWER", 1.0, "average", 0.1, 5000),
    Field("accel.power.limit_w", "hwmon.power1_max", 1e-6, lowest=1, highest=5000),
    Field("accel.power.limit_w", "hwmon.power2_max", 1e-6, lowest=1, highest=5000),
    Field("accel.energy_j", "hwmon.energy1_input", 1e-6, "counter"),
    Field("accel.energy_j", "hwmon.energy2_input", 1e-6, "counter"),
    Field("accel.temp.core_celsius", "hwmon.temp2_input", 1e-3, lowest=-20, highest=150),  # xe: the chip
    Field("accel.temp.core_celsius", "hwmon.temp1_input", 1e-3, lowest=-20, highest=150),
    Field("accel.temp.core_celsius", "stats.XPUM_STATS_GPU_CORE_TEMPERATURE", lowest=-20, highest=150),
    Field("accel.temp.mem_celsius", "hwmon.temp3_input", 1e-3, lowest=-20, highest=150),  # xe
    Field("accel.temp.mem_celsius", "stats.XPUM_STATS_MEMORY_TEMPERATURE", lowest=1, highest=150),
    Field("accel.clock.core_hz", "clock_mhz", MHZ),
    Field("accel.throttle.power", "throttle.power", highest=1),
    Field("accel.throttle.thermal", "throttle.thermal", highest=1),
)

# Intel XPU Manager, version 1 (the temperature's name is misspelt there, too) and xpumd, which writes OpenTelemetry's
# names: those are read as such.
PROMETHEUS: Mapping[str, Imported] = {
    "xpum_engine_ratio": Imported("accel.busy", labels={"type": "compute"}),
    "xpum_memory_bandwidth_ratio": Imported("accel.memory.active"),
    "xpum_memory_used_bytes": Imported("accel.mem.used_bytes", 1.0, "instant"),
    "xpum_power_watts": Imported("accel.power_w"),
    "xpum_energy_joules": Imported("accel.energy_j", 1.0, "counter"),
    "xpum_temeperature_celsius": Imported("accel.temp.core_celsius", 1.0, "instant", {"location": "gpu"}),
    "xpum_temperature_celsius": Imported("accel.temp.core_celsius", 1.0, "instant", {"location": "gpu"}),
    "xpum_frequency_mhz": Imported("accel.clock.core_hz", MHZ, "instant", {"type": "actual", "location": "gpu"}),
}

HWMON = ("energy1_input", "energy2_input", "power1_max", "power2_max", "temp1_input", "temp2_input", "temp3_input")
# Below the device, the first of each that is there: xe, then i915.
CLOCKS = ("tile*/gt*/freq*/act_freq", "drm/card*/gt/gt*/rps_act_freq_mhz")
REASONS = {
    "power": ("tile*/gt*/freq*/throttle/reason_pl[124]", "drm/card*/gt/gt*/throttle_reason_pl[124]"),
    "thermal": (
        "tile*/gt*/freq*/throttle/reason_*therm*", "tile*/gt*/freq*/throttle/reason_prochot",
        "drm/card*/gt/gt*/throttle_reason_*therm*", "drm/card*/gt/gt*/throttle_reason_prochot",
    ),
}  # fmt: skip
INTEGRATED = "0000:00:02.0"
EVERY_S = 10.0  # xpu-smi needs seconds of a processor to start


def probe(root: Path, environment: Mapping[str, str]) -> tuple[Device, ...]:
    """Intel's GPUs on the bus, but for a processor's own graphics, which always has the same place there."""
    system = driver(root, "xe") or driver(root, "i915")
    found = on_bus(root, Device(name="Intel GPU", vendor="Intel", driver=system), "0x8086")
    return tuple(device for device in found if device.address != INTEGRATED)


def read(devices: Sequence[Device], root: Path = Path("/")) -> Iterator[Raw]:
    """What the kernel's files say, once a call, and xpu-smi now and then."""
    cards = [Card(root / "sys/bus/pci/devices" / device.address, device) for device in devices]
    news: dict[str, Any] = {"about": told(devices)}
    try:
        while True:
            answers = []
            for card in cards:
                try:
                    answers.append(card.read() | card.stats())
                except MeasureError as error:  # not installed, most likely
                    card.tool = None
                    answers.append(card.read())
                    news["warnings"] = [f"no utilization of Intel GPUs: {error.what}"]
            yield {"devices": answers, **news}
            news = {}
    finally:
        for card in cards:
            if card.tool:
                card.tool.close()


class Card:
    """The files of one GPU, found once."""

    def __init__(self, folder: Path, device: Device) -> None:
        self.device = device
        self.tool: Tool | None = Tool(("xpu-smi", "stats", "-d", device.address, "-j"), EVERY_S)
        self.hwmon = [path for name in HWMON for path in sorted(folder.glob(f"hwmon/hwmon*/{name}"))]
        self.clocks = next((found for pattern in CLOCKS if (found := sorted(folder.glob(pattern)))), [])
        self.reasons = {key: [p for it in patterns for p in folder.glob(it)] for key, patterns in REASONS.items()}

    def read(self) -> dict[str, Any]:
        """What they say now."""
        clocks = [value for path in self.clocks if (value := number(text(path))) is not None]
        states = {key: [text(path) for path in paths] for key, paths in self.reasons.items() if paths}
        raw = {
            "id": self.device.id,
            "address": self.device.address,
            "hwmon": {path.name: said for path in self.hwmon if (said := text(path))},
            "clock_mhz": max(clocks, default=None),
            "throttle": {key: int("1" in said) for key, said in states.items()},
        }
        return raw | ({"memory_bytes": self.device.memory_bytes} if self.device.memory_bytes else {})

    def stats(self) -> dict[str, Any]:
        """What xpu-smi has said since the last look."""
        if self.tool is None or (told_now := self.tool.news()) is None:
            return {}
        said = parsed(told_now, "xpu-smi stats")
        level = said.get("device_level", ()) if isinstance(said, dict) else ()
        return {"stats": {str(it.get("metrics_type")): it.get("value") for it in level if isinstance(it, dict)}}


def normalise(raw: Raw) -> Iterator[Reading]:
    """Readings of every GPU."""
    for device in raw["devices"]:
        yield from table(device, FIELDS)
