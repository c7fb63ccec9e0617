"""What metrics are called elsewhere: in OpenTelemetry, in Prometheus, and as NVIDIA's dcgm-exporter would call them.

A name of ours becomes OpenTelemetry's own where its conventions have one, else it stays, with the unit said apart. From
there on OpenTelemetry's rules lead to the Prometheus name, so a collector that takes our OTLP and an agent that scrapes
our page end with the same series: `accel.power_w` → `hw.power` in W → `hw_power_watts`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, NamedTuple

from assay import metrics
from assay.machine import Device
from assay.telemetry import plugins
from assay.telemetry.reading import Imported, Snapshot

Shape = Literal["gauge", "counter", "updown"]  # updown: OpenTelemetry adds these up over devices, it does not average


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """One metric of ours as others know it."""

    otel: str  # name in OpenTelemetry
    unit: str  # as UCUM writes it: W, By, 1, {error}
    prometheus: str
    shape: Shape
    meaning: str
    attributes: Mapping[str, str] = field(default_factory=dict)


class Old(NamedTuple):
    """A name of dcgm-exporter's and how many of its units make one of ours."""

    name: str
    scale: float


# Unit of a name of ours -> (UCUM, the word that OpenTelemetry's rules put into a Prometheus name).
# https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/ (metric metadata: unit)
_UNITS = {
    "s": ("s", "seconds"),
    "bytes": ("By", "bytes"),
    "w": ("W", "watts"),
    "j": ("J", "joules"),
    "hz": ("Hz", "hertz"),
    "celsius": ("Cel", "celsius"),
    "bytes_per_s": ("By/s", "bytes_per_second"),
    "flop_per_s": ("{operation}/s", "per_second"),
}
# What has no unit and is no share of something either, and what it counts.
_COUNTS = {
    "accel.errors.corrected": "{error}",
    "accel.errors.uncorrected": "{error}",
    "link.errors": "{error}",
    "host.ib.wait": "{tick}",
    "accel.event.code": "{code}",
    "accel.processes": "{process}",
    "accel.health": "{state}",
    "host.load": "{process}",
}
# What the conventions declare as an UpDownCounter (semantic conventions 1.44, hardware and system metrics).
_ADDED_UP = {"hw.gpu.memory.usage", "hw.gpu.memory.limit", "system.memory.usage", "system.memory.limit"}

# What dashboards made for dcgm-exporter ask for: the names of its default counters and of the commonest profiling ones,
# as they were up to DCGM 4.4. What one of their units is in ours stands in NVIDIA's import table.
DCGM = (
    "DCGM_FI_DEV_SM_CLOCK",
    "DCGM_FI_DEV_MEM_CLOCK",
    "DCGM_FI_DEV_GPU_TEMP",
    "DCGM_FI_DEV_MEMORY_TEMP",
    "DCGM_FI_DEV_POWER_USAGE",
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
    "DCGM_FI_DEV_GPU_UTIL",
    "DCGM_FI_DEV_MEM_COPY_UTIL",
    "DCGM_FI_DEV_XID_ERRORS",
    "DCGM_FI_DEV_POWER_VIOLATION",
    "DCGM_FI_DEV_THERMAL_VIOLATION",
    "DCGM_FI_DEV_FB_USED",
    "DCGM_FI_DEV_FB_TOTAL",
    "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL",
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL",
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
    "DCGM_FI_PROF_SM_ACTIVE",
    "DCGM_FI_PROF_SM_OCCUPANCY",
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
    "DCGM_FI_PROF_DRAM_ACTIVE",
    "DCGM_FI_PROF_PCIE_TX_BYTES",
    "DCGM_FI_PROF_PCIE_RX_BYTES",
    "DCGM_FI_PROF_NVLINK_TX_BYTES",
    "DCGM_FI_PROF_NVLINK_RX_BYTES",
)
DCGM_FREE = Old("DCGM_FI_DEV_FB_FREE", 2.0**20)  # memory that is left: dashboards add it to FB_USED for the total


@cache
def exported(name: str) -> Exported:
    """How a metric is called outside.

    >>> exported("accel.energy_j").prometheus, exported("accel.core.active").prometheus
    ('hw_energy_joules_total', 'accel_core_active_ratio')
    """
    metric = metrics.metric(name)
    shape: Shape = "counter" if metric.kind == "counter" else "updown" if metric.otel in _ADDED_UP else "gauge"
    otel = metric.otel or _apart(name, metric.unit)
    unit, word = _UNITS.get(metric.unit, ("1", ""))
    if not metric.unit and (metric.kind != "gauge" or name in _COUNTS):
        unit = _COUNTS.get(name, "{state}" if metric.kind == "state" else "{count}")
    elif unit == "1":
        word = "ratio"
    words = [re.sub(r"[^a-zA-Z0-9]+", "_", otel), word, "total" if shape == "counter" else ""]
    return Exported(
        otel=otel,
        unit=unit,
        prometheus="_".join(filter(None, words)),
        shape=shape,
        meaning=metric.meaning or metric.title,
        attributes=metric.attributes,
    )


def _apart(name: str, unit: str) -> str:
    """Our name without its unit; a rate says so, for there may be a counter of the same thing beside it."""
    bare = name.removesuffix(f"_{unit}") if unit else name
    if bare == name:  # accel.flop_per_s: the unit is the whole last word
        return name.removesuffix("_per_s")
    return f"{bare}.rate" if unit.endswith("_per_s") else bare


@cache
def families() -> Mapping[str, tuple[str, ...]]:
    """Every Prometheus name that an exporter of ours can write, and the metrics that share it."""
    found: dict[str, tuple[str, ...]] = {}
    for name in (*metrics.group("device"), *metrics.group("host")):
        family = exported(name).prometheus
        found[family] = (*found.get(family, ()), name)
    return found


@cache
def meaning(name: str) -> str:
    """What a name means outside, where several metrics of ours may share it and differ in a label."""
    shared = families().get(exported(name).prometheus, ())
    if len(shared) < 2:
        return exported(name).meaning
    return "; ".join(f"{other}: {exported(other).meaning}" for other in shared)


@cache
def own() -> Mapping[str, tuple[Imported, ...]]:
    """Our names (and those of whoever keeps to OpenTelemetry) read backwards: Prometheus name → metrics, by labels."""
    return {family: tuple(_backwards(name) for name in names) for family, names in families().items()}


def _backwards(name: str) -> Imported:
    known = exported(name)
    labels = {label(key): value for key, value in known.attributes.items()}
    return Imported(name, quality="counter" if known.shape == "counter" else "instant", labels=labels or None)


@cache
def dcgm() -> Mapping[str, tuple[Old, ...]]:
    """Metric → the names that dcgm-exporter would give it: NVIDIA's import table read backwards."""
    table: Mapping[str, Imported] = plugins.load("nvidia").PROMETHEUS
    found: dict[str, tuple[Old, ...]] = {}
    for name in DCGM:
        told = table.get(name)
        if told is not None:
            found[told.metric] = (*found.get(told.metric, ()), Old(name, told.scale))
    return found


def label(attribute: str) -> str:
    """An attribute's name as a label's.

    >>> label("hw.sensor_location")
    'hw_sensor_location'
    """
    return re.sub(r"[^a-zA-Z0-9]+", "_", attribute)


def attributes(device: Device) -> dict[str, str]:
    """What is said of a device beside each of its values, in OpenTelemetry's words; what is not known is left out."""
    told = {
        "hw.id": device.id,
        "hw.name": device.name,
        "hw.vendor": device.vendor,
        "hw.parent": device.parent,
        "partition": device.partition,
    }
    return {key: value for key, value in told.items() if value}


def dcgm_labels(snapshot: Snapshot) -> Iterator[tuple[str, dict[str, str]]]:
    """For each accelerator, by id, the labels that dcgm-exporter puts on its values; partitions as MIG slices."""
    hosts = {reading.of for reading in snapshot.readings if reading.metric in metrics.group("host")}
    whole = {device.id: device for device in snapshot.devices if not device.parent and device.id not in hosts}
    index = {identity: str(number) for number, identity in enumerate(whole)}
    slices: dict[str, int] = {}
    for device in snapshot.devices:
        card = whole.get(device.parent or device.id)
        if card is None:
            continue
        told = {
            "gpu": index[card.id],
            "UUID": card.id,
            "pci_bus_id": card.address,
            "device": f"accel{index[card.id]}",
            "modelName": card.name,
            "Hostname": snapshot.host,
            "DCGM_FI_DRIVER_VERSION": card.driver or "",
            "vendor": card.vendor,
        }
        if device.parent:
            slices[card.id] = slices.get(card.id, 0) + 1
            told |= {"GPU_I_PROFILE": device.partition, "GPU_I_ID": str(slices[card.id])}
        yield device.id, {key: value for key, value in told.items() if value}
