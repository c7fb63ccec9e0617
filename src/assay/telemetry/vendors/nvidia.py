"""NVIDIA: GPUs and MIG slices by NVML, with profiling counters (GPM) from Hopper on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from assay.machine import Device
from assay.telemetry.places import driver, nodes, on_bus, text
from assay.telemetry.reading import Field, Imported, Raw, Reading, living, number, table

NAME = "nvidia"

PER_CENT, MIB, MHZ = 0.01, 2.0**20, 1e6


def _share(metric: str, path: str, quality: str = "average") -> Field:
    # A little above 1 is rounding, or MIG (NVIDIA/DCGM issue 152); far above it is another quantity.
    return Field(metric, path, PER_CENT, quality, 0.0, 1.5, most=1.0)  # type: ignore[arg-type]


FIELDS = (
    _share("accel.busy", "utilization.gpu"),
    _share("accel.busy", "gpm.graphics"),  # a MIG slice has no other
    _share("accel.core.active", "gpm.sm"),
    _share("accel.occupancy", "gpm.occupancy"),
    _share("accel.matrix.active", "gpm.tensor"),
    _share("accel.memory.active", "gpm.dram"),
    _share("accel.memory.active", "utilization.memory", "estimated"),  # time with any access at all: it overstates
    Field("accel.mem.used_bytes", "memory.used"),
    Field("accel.mem.total_bytes", "memory.total", lowest=1.0),
    Field("accel.power_w", "power_average", 1e-3, "average", 0.0, 1e4),
    Field("accel.power_w", "power_instant", 1e-3, "instant", 0.0, 1e4),
    Field("accel.power.limit_w", "power_limit", 1e-3, lowest=1.0),
    Field("accel.energy_j", "energy", 1e-3, "counter"),
    Field("accel.temp.core_celsius", "temperature", lowest=-20, highest=150),
    Field("accel.temp.mem_celsius", "memory_temperature", lowest=1, highest=150),  # 0: a card without the sensor
    Field("accel.temp.margin_celsius", "margin", lowest=-50, highest=150),
    Field("accel.clock.core_hz", "clock_sm", MHZ),
    Field("accel.clock.mem_hz", "clock_memory", MHZ),
    Field("accel.throttle.power.time_s", "throttled_power_ns", 1e-9, "counter"),
    Field("accel.throttle.thermal.time_s", "throttled_thermal_ns", 1e-9, "counter"),
    Field("accel.errors.corrected", "ecc_corrected", 1.0, "counter"),
    Field("accel.errors.uncorrected", "ecc_uncorrected", 1.0, "counter"),
    Field("accel.event.code", "xid"),
    Field("accel.processes", "processes"),
    Field("link.pcie.tx_bytes_per_s", "gpm.pcie_tx", MIB, "average"),
    Field("link.pcie.rx_bytes_per_s", "gpm.pcie_rx", MIB, "average"),
    Field("link.fabric.tx_bytes", "nvlink_tx", 1024.0, "counter"),
    Field("link.fabric.rx_bytes", "nvlink_rx", 1024.0, "counter"),
    Field("link.fabric.tx_bytes_per_s", "gpm.nvlink_tx", MIB, "average"),
    Field("link.fabric.rx_bytes_per_s", "gpm.nvlink_rx", MIB, "average"),
)

# Where there are profiling counters, what overstates does not stand in for them, not even while they begin.
_PROFILED = tuple(field for field in FIELDS if field.quality != "estimated")

# Bits of the clocks' event reasons (nvml.h, nvmlClocksEventReason*). Idle, fixed clocks and a display are no
# throttling; 0x8, "HW slowdown", says the same as 0x40 or 0x80 wherever one of these is set.
THERMAL, POWER, SLOWDOWN, SYNC_BOOST = 0x20 | 0x40, 0x4 | 0x80, 0x8, 0x10
STATES = (
    ("accel.throttle.thermal", THERMAL),
    ("accel.throttle.power", POWER),
    ("accel.throttle.other", SLOWDOWN | SYNC_BOOST),
)
LINK_ERRORS = ("nvlink_crc_errors", "nvlink_replays", "nvlink_recoveries")

# dcgm-exporter: `etc/*.csv` and dcgm_fields.h, names up to DCGM 4.4 and those of 4.5. The PROF_* traffic is bytes per
# second, whatever its name and the comments say: it must not be differenced. GPU_UTIL_RATIO is left out, for it is not
# established whether it goes to 1 or to 100; GR_ENGINE stands in.
_RATIOS = {
    "accel.busy": ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO"),
    "accel.core.active": ("DCGM_FI_PROF_SM_ACTIVE", "DCGM_FI_PROF_SM_UTIL_RATIO"),
    "accel.occupancy": ("DCGM_FI_PROF_SM_OCCUPANCY",),
    "accel.matrix.active": ("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "DCGM_FI_PROF_TENSOR_UTIL_RATIO"),
    "accel.memory.active": ("DCGM_FI_PROF_DRAM_ACTIVE", "DCGM_FI_PROF_DRAM_UTIL_RATIO"),
}
PROMETHEUS: Mapping[str, Imported] = {
    **{name: Imported(metric) for metric, names in _RATIOS.items() for name in names},
    "DCGM_FI_DEV_GPU_UTIL": Imported("accel.busy", PER_CENT),
    "DCGM_FI_DEV_MEM_COPY_UTIL": Imported("accel.memory.active", PER_CENT, "estimated"),
    "DCGM_FI_DEV_FB_USED": Imported("accel.mem.used_bytes", MIB, "instant"),
    "DCGM_FI_DEV_FB_TOTAL": Imported("accel.mem.total_bytes", MIB, "instant"),
    "DCGM_FI_DEV_POWER_USAGE": Imported("accel.power_w"),
    "DCGM_FI_DEV_BOARD_POWER_WATTS": Imported("accel.power_w"),
    "DCGM_FI_DEV_POWER_USAGE_INSTANT": Imported("accel.power_w", 1.0, "instant"),
    "DCGM_FI_DEV_BOARD_POWER_RAW_WATTS": Imported("accel.power_w", 1.0, "instant"),
    "DCGM_FI_DEV_ENFORCED_POWER_LIMIT": Imported("accel.power.limit_w", 1.0, "instant"),
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": Imported("accel.energy_j", 1e-3, "counter"),
    "DCGM_FI_DEV_GPU_TEMP": Imported("accel.temp.core_celsius", 1.0, "instant"),
    "DCGM_FI_DEV_GPU_TEMP_CELSIUS": Imported("accel.temp.core_celsius", 1.0, "instant"),
    "DCGM_FI_DEV_MEMORY_TEMP": Imported("accel.temp.mem_celsius", 1.0, "instant"),
    "DCGM_FI_DEV_SM_CLOCK": Imported("accel.clock.core_hz", MHZ, "instant"),
    "DCGM_FI_DEV_MEM_CLOCK": Imported("accel.clock.mem_hz", MHZ, "instant"),
    "DCGM_FI_DEV_POWER_VIOLATION": Imported("accel.throttle.power.time_s", 1e-9, "counter"),
    "DCGM_FI_DEV_THERMAL_VIOLATION": Imported("accel.throttle.thermal.time_s", 1e-9, "counter"),
    "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL": Imported("accel.errors.corrected", 1.0, "counter"),
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": Imported("accel.errors.uncorrected", 1.0, "counter"),
    "DCGM_FI_DEV_XID_ERRORS": Imported("accel.event.code", 1.0, "instant"),
    "DCGM_FI_DEV_XID_ERROR": Imported("accel.event.code", 1.0, "instant"),
    "DCGM_FI_PROF_PCIE_TX_BYTES": Imported("link.pcie.tx_bytes_per_s"),
    "DCGM_FI_PROF_PCIE_RX_BYTES": Imported("link.pcie.rx_bytes_per_s"),
    "DCGM_FI_PROF_NVLINK_TX_BYTES": Imported("link.fabric.tx_bytes_per_s"),
    "DCGM_FI_PROF_NVLINK_RX_BYTES": Imported("link.fabric.rx_bytes_per_s"),
}


def probe(root: Path, environment: Mapping[str, str]) -> tuple[Device, ...]:
    """GPUs by what the driver writes in /proc, else by their nodes, else on the bus, where there is no driver yet."""
    like = Device(name="NVIDIA GPU", vendor="NVIDIA", driver=driver(root, "nvidia"))
    by_driver = (_told(path, like) for path in sorted((root / "proc/driver/nvidia/gpus").glob("*/information")))
    for way in (by_driver, nodes(root, like, "dev/nvidia[0-9]*"), on_bus(root, like, "0x10de")):
        if found := tuple(way):
            return found
    return ()


def _told(path: Path, like: Device) -> Device:
    pairs = (line.partition(":") for line in text(path).splitlines())
    told = {key.strip(): value.strip() for key, _, value in pairs}
    address = path.parent.name.lower()
    return replace(
        like, id=told.get("GPU UUID") or address, name=told.get("Model") or like.name, address=address, found_by="proc"
    )


def read(devices: Sequence[Device]) -> Iterator[Raw]:
    """What NVML says, once a call."""
    from assay.telemetry.nvml.readings import readings

    yield from readings(devices)


def normalise(raw: Raw) -> Iterator[Reading]:
    """Readings of every GPU and slice; one that the driver has lost says only that it is not well."""
    for device in raw["devices"]:
        if device.get("lost") is True:
            yield Reading(device["id"], "accel.health", 0.0, "instant")
            continue
        yield from living(table(device, _PROFILED if "gpm" in device else FIELDS))
        yield from _throttle(device)
        errors = [value for key in LINK_ERRORS if (value := number(device.get(key))) is not None]
        if errors:
            yield Reading(device["id"], "link.errors", sum(errors), "counter")


def _throttle(device: Raw) -> Iterator[Reading]:
    bits = number(device.get("reasons"))
    if bits is None:
        return
    of, reasons = device["id"], int(bits)
    if reasons & (THERMAL | POWER):
        reasons &= ~SLOWDOWN
    for metric, mask in STATES:
        yield Reading(of, metric, 1.0 if reasons & mask else 0.0, "instant")
