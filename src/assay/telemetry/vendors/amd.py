"""AMD: Instinct and Radeon GPUs by amdsmi, else by the tool amd-smi, which says the same in another shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.errors import MeasureError
from assay.machine import Device
from assay.series import Quality
from assay.telemetry.places import driver, on_bus
from assay.telemetry.reading import Field, Imported, Raw, Reading, dig, number, table, total
from assay.telemetry.tools import Tool, answer, asked, library, parsed, told

NAME = "amd"

PER_CENT, MHZ = 0.01, 1e6
MIB, KIB = 2.0**20, 1024.0  # what AMD writes MB and KB for: an MI300X of 192 GiB has 196,592 "MB"
TOOL_EVERY_S = 10.0  # amd-smi is a Python program: asked every second it would keep a core busy
ROCM = Path("/opt/rocm/share/amd_smi")  # the binding that fits the driver


def _fields(
    metric: str, paths: str, scales: Sequence[float], lowest: float, highest: float, quality: Quality = "instant"
) -> list[Field]:
    return [Field(metric, path, scale, quality, lowest, highest) for path in paths.split() for scale in scales]


# A device's answer holds amdsmi's own under `metrics`, `energy`, `vram`, …, or is one entry of `amd-smi metric --json`.
# Power is in W, but in µW on a hypervisor's host; temperatures in °C, but in m°C from some libraries; the cap in µW,
# but in W from older ones: of two scales that one counts which makes a possible value. Exactly 0 W or 0 J is no
# reading: it is what the second die of an MI250 says, a partition, or an APU that does not tell.
FIELDS = (
    *_fields(
        "accel.busy",
        "metrics.average_gfx_activity activity.gfx_activity usage.gfx_activity",
        (PER_CENT,), 0, 1, "average",
    ),
    *_fields(
        "accel.memory.active",
        "metrics.average_umc_activity activity.umc_activity usage.umc_activity",
        (PER_CENT,), 0, 1, "average",
    ),
    *_fields("accel.mem.used_bytes", "vram.vram_used mem_usage.used_vram", (MIB,), 0, 1e14),
    *_fields("accel.mem.total_bytes", "vram.vram_total mem_usage.total_vram", (MIB,), 1, 1e14),
    *_fields("accel.power_w", "metrics.current_socket_power power.current_socket_power", (1.0, 1e-6), 0.5, 5000),
    *_fields(
        "accel.power_w",
        "metrics.average_socket_power power.average_socket_power power.socket_power",
        (1.0, 1e-6), 0.5, 5000, "average",
    ),
    *_fields("accel.power.limit_w", "cap.power_cap", (1e-6, 1.0), 1, 5000),
    Field("accel.energy_j", "energy_uj", 1e-6, "counter", 1e-9),
    Field("accel.energy_j", "energy.total_energy_consumption", 1.0, "counter", 1e-9),
    *_fields(
        "accel.temp.core_celsius",
        "metrics.temperature_hotspot temp.hotspot temperature.hotspot "
        "metrics.temperature_edge temp.edge temperature.edge",
        (1.0, 1e-3), 1, 200,
    ),
    *_fields("accel.temp.mem_celsius", "metrics.temperature_mem temp.memory temperature.mem", (1.0, 1e-3), 1, 200),
    *_fields(
        "accel.clock.core_hz",
        "metrics.current_gfxclk metrics.current_gfxclks.0 clock_core.clk clock.gfx_0.clk",
        (MHZ,), 0, 1e10,
    ),
    *_fields("accel.clock.mem_hz", "metrics.current_uclk clock_memory.clk clock.mem_0.clk", (MHZ,), 0, 1e10),
    *_fields("accel.throttle.power", "throttled.power", (1.0,), 0, 1),
    *_fields("accel.throttle.thermal", "throttled.thermal", (1.0,), 0, 1),
    Field("accel.throttle.power.time_s", "throttled.power_s", 1.0, "counter"),
    Field("accel.throttle.thermal.time_s", "throttled.thermal_s", 1.0, "counter"),
    Field("accel.errors.corrected", "ecc.correctable_count", 1.0, "counter"),
    Field("accel.errors.corrected", "ecc.total_correctable_count", 1.0, "counter"),
    Field("accel.errors.uncorrected", "ecc.uncorrectable_count", 1.0, "counter"),
    Field("accel.errors.uncorrected", "ecc.total_uncorrectable_count", 1.0, "counter"),
    Field("accel.processes", "processes"),
    Field("link.fabric.tx_bytes", "xgmi_write_kb", KIB, "counter"),
    Field("link.fabric.rx_bytes", "xgmi_read_kb", KIB, "counter"),
)  # fmt: skip

NO_VALUE = 0xFFFF  # in the 16 bits of most of these; newer libraries write N/A

# Of a GPU that is cut into partitions only the first has a word for the whole: the others say 0, or nothing, of all but
OF_A_PARTITION = frozenset({"accel.mem.used_bytes", "accel.mem.total_bytes", "accel.processes"})

# Limiters that the firmware tells apart, and `amd-smi metric` after it.
THERMAL = ("socket_thermal", "vr_thermal", "hbm_thermal", "prochot")

# AMD's device-metrics-exporter (docs/configuration/metricslist.md), and rocm_* of Omnistat. The gpu_prof_* are off
# unless a site has switched them on.
PROMETHEUS: Mapping[str, Imported] = {
    "gpu_gfx_activity": Imported("accel.busy", PER_CENT),
    "gpu_umc_activity": Imported("accel.memory.active", PER_CENT),
    "gpu_prof_sm_active": Imported("accel.core.active", PER_CENT),
    "gpu_prof_occupancy_percent": Imported("accel.occupancy", PER_CENT),
    "gpu_prof_tensor_active_percent": Imported("accel.matrix.active", PER_CENT),
    "gpu_used_vram": Imported("accel.mem.used_bytes", MIB, "instant"),
    "gpu_total_vram": Imported("accel.mem.total_bytes", MIB, "instant"),
    "gpu_package_power": Imported("accel.power_w", 1.0, "instant"),
    "gpu_average_package_power": Imported("accel.power_w"),
    "gpu_power_usage": Imported("accel.power_w"),
    "gpu_energy_consumed": Imported("accel.energy_j", 1e-6, "counter"),
    "gpu_junction_temperature": Imported("accel.temp.core_celsius", 1.0, "instant"),
    "gpu_memory_temperature": Imported("accel.temp.mem_celsius", 1.0, "instant"),
    "gpu_clock": Imported(
        "accel.clock.core_hz", MHZ, "instant", {"clock_type": "GPU_CLOCK_TYPE_SYSTEM", "clock_index": "0"}
    ),
    "gpu_ecc_correct_total": Imported("accel.errors.corrected", 1.0, "counter"),
    "gpu_ecc_uncorrect_total": Imported("accel.errors.uncorrected", 1.0, "counter"),
    "gpu_health": Imported("accel.health", 1.0, "instant"),
    "rocm_energy_joules": Imported("accel.energy_j", 1.0, "counter"),
}


def probe(root: Path, environment: Mapping[str, str]) -> tuple[Device, ...]:
    """GPUs on the bus, where the compute driver has made its node; a display adapter alone is no accelerator."""
    if not (root / "dev/kfd").exists():
        return ()
    return tuple(on_bus(root, Device(name="AMD GPU", vendor="AMD", driver=driver(root, "amdgpu")), "0x1002"))


def read(devices: Sequence[Device]) -> Iterator[Raw]:
    """What amdsmi says, once a call; where it does not load, what amd-smi says, every ten seconds."""
    from assay.telemetry.rocm import readings

    hint = "install amd-smi-lib of the ROCm that is in place"
    try:
        amdsmi = library("amdsmi", hint=hint, folders=(ROCM,))
    except MeasureError as error:
        try:
            listed = _entries(parsed(answer(("amd-smi", "list", "--json")), "amd-smi list"))
        except MeasureError as second:
            raise MeasureError(f"{error.what}; {second.what}", hint=hint) from None
        tool = Tool(("amd-smi", "metric", "--json"), TOOL_EVERY_S)
        yield from asked(tool, lambda text: _by_tool(text, listed, devices))
    else:
        yield from readings(amdsmi)


def _by_tool(text: str, listed: list[dict[str, Any]], devices: Sequence[Device]) -> Raw:
    entries = _entries(parsed(text, "amd-smi metric"))
    found = {device.address: device for device in devices}
    known = {entry.get("gpu"): entry for entry in listed}
    answers, about = [], []
    for entry in entries:
        it = known.get(entry.get("gpu"), {})
        address, part = str(it.get("bdf", "")).lower(), number(it.get("partition_id"))
        named = next((v for v in (it.get("uuid"), address) if v and v != "N/A"), f"gpu-{entry.get('gpu')}")
        like = found.get(address, Device(name="AMD GPU", vendor="AMD"))
        about.append(Device(id=named, name=like.name, vendor="AMD", driver=like.driver, address=address))
        answers.append({"id": named, "partition_id": int(part or 0), **entry})
    return {"devices": answers, "about": told(about)}


def _entries(answered: Any) -> list[dict[str, Any]]:
    """One table a GPU: a list of them, which since some ROCm 7 is kept under "gpu_data"."""
    if isinstance(answered, dict):
        answered = answered.get("gpu_data")
    return [entry for entry in answered if isinstance(entry, dict)] if isinstance(answered, list) else []


def normalise(raw: Raw) -> Iterator[Reading]:
    """Readings of every GPU or partition."""
    for device in raw["devices"]:
        part = bool(number(device.get("partition_id")))
        for reading in table({**device, **_made(device)}, FIELDS):
            if not part or reading.metric in OF_A_PARTITION:
                yield reading


def _made(device: Raw) -> dict[str, Any]:
    """What several values of an answer make together."""
    metrics = device.get("metrics")
    made: dict[str, Any] = {
        "metrics": {k: v for k, v in metrics.items() if v != NO_VALUE} if isinstance(metrics, dict) else None,
        "xgmi_read_kb": total(dig(device, "metrics.xgmi_read_data_acc")),
        "xgmi_write_kb": total(dig(device, "metrics.xgmi_write_data_acc")),
    }
    ticks = number(dig(device, "energy.energy_accumulator")) or number(dig(device, "energy.power"))  # its older name
    resolution = number(dig(device, "energy.counter_resolution"))  # in µJ
    if ticks and resolution:
        made["energy_uj"] = ticks * resolution
    if isinstance(device.get("throttle"), dict):
        power, thermal = (_active(device["throttle"], limiters) for limiters in (("ppt",), THERMAL))
        made["throttled"] = {"power": power, "thermal": thermal}
    return made


def _active(throttle: Raw, limiters: Sequence[str]) -> int | None:
    """Whether one of these limiters holds the clock down: 1 or 0; None where the tool does not say."""
    said = [throttle.get(f"{limiter}_violation_status") for limiter in limiters]
    return int("ACTIVE" in said) if {"ACTIVE", "NOT ACTIVE"} & set(map(str, said)) else None
