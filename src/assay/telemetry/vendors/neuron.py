"""AWS Trainium and Inferentia: by neuron-monitor, which prints one JSON document a second."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.machine import Device
from assay.telemetry.places import driver, nodes, on_bus
from assay.telemetry.reading import Field, Imported, Raw, Reading, dig, number, table, total
from assay.telemetry.tools import latest, told

NAME = "neuron"

# Of a device and its cores, as `_cards` and `_cores` gather them from the document. There is no sensor for power,
# temperature or clock that a user may read.
FIELDS = (
    Field("accel.busy", "utilization_percent", 0.01, "average", 0, 1.5, most=1),
    Field("accel.flop_per_s", "flops", 1.0, "average", 0),
    Field("accel.mem.used_bytes", "memory_bytes"),
    Field("accel.exec.total_s", "total_latency_s", 1.0, "average", 0),
    Field("accel.exec.device_s", "device_latency_s", 1.0, "average", 0),
    Field("accel.processes", "processes"),
    Field("accel.errors.corrected", "ecc_corrected", 1.0, "counter"),
    Field("accel.errors.uncorrected", "ecc_uncorrected", 1.0, "counter"),
    Field("accel.mem.total_bytes", "device_memory_bytes", lowest=1),
)

# neuron-monitor-prometheus: here a utilization is a share, where the tool itself says per cent.
PROMETHEUS: Mapping[str, Imported] = {
    "neuroncore_utilization_ratio": Imported("accel.busy"),
    "neuron_runtime_memory_used_bytes": Imported(
        "accel.mem.used_bytes", 1.0, "instant", {"memory_location": "neuron_device"}, summed=True
    ),
    "execution_latency_seconds": Imported("accel.exec.total_s", 1.0, "average", {"percentile": "p50"}),
    "neurondevice_hw_ecc_events_total": Imported(
        "accel.errors.uncorrected", 1.0, "counter", {"event_type": "mem_ecc_uncorrected"}
    ),
}

CONFIG = {
    "period": "1s",
    "neuron_runtimes": [
        {
            "tag_filter": ".*",
            "metrics": [{"type": "neuroncore_counters"}, {"type": "memory_used"}, {"type": "execution_stats"}],
        }
    ],
    "system_metrics": [{"period": "5s", "type": "neuron_hw_counters"}],
}
ECC = ("mem_ecc_{}", "sram_ecc_{}")


def probe(root: Path, environment: Mapping[str, str]) -> tuple[Device, ...]:
    """Neuron devices by their nodes, or on the bus."""
    like = Device(name="AWS Neuron device", vendor="AWS", driver=driver(root, "neuron"))
    return tuple(nodes(root, like, "dev/neuron[0-9]*")) or tuple(on_bus(root, like, "0x1d0f", ("0x12", "0x0880")))


def read(devices: Sequence[Device]) -> Iterator[Raw]:
    """Every document that neuron-monitor prints, as it comes."""
    hint = "install aws-neuronx-tools, and put /opt/aws/neuron/bin on the path"
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:
        config = Path(folder, "neuron-monitor.json")
        config.write_text(json.dumps(CONFIG), encoding="utf-8")
        known: list[dict[str, Any]] = []
        for line in latest(("neuron-monitor", "-c", str(config)), hint=hint):
            try:
                document = json.loads(line)
                about = told([*_described(document)])
            except (ValueError, TypeError, AttributeError) as error:
                yield {"devices": [], "warnings": [f"neuron-monitor said what was not understood: {error}"]}
                continue
            raw = {"devices": [{"id": device["id"]} for device in about], "document": document}
            yield raw | ({"about": about} if about != known else {})
            known = about


def _cards(document: Raw) -> list[dict[str, Any]]:
    """Whole devices: what the hardware itself counts, and how much memory one has."""
    cards: dict[str, dict[str, Any]] = {}
    hardware = document.get("neuron_hardware_info") or {}
    for index in range(int(number(hardware.get("neuron_device_count")) or 0)):
        cards[f"neuron{index}"] = {"device_memory_bytes": hardware.get("neuron_device_memory_size")}
    counters = dig(document, "system_data.neuron_hw_counters.neuron_devices") or ()
    for entry in counters:
        card = cards.setdefault(f"neuron{entry.get('neuron_device_index')}", {})
        for kind in ("corrected", "uncorrected"):
            card[f"ecc_{kind}"] = total([entry.get(name.format(kind)) for name in ECC])
    return [{"id": identity, **card} for identity, card in cards.items()]


def _cores(document: Raw) -> list[dict[str, Any]]:
    """Cores in use. The document goes by process, and a core may stand under several: their shares add up."""
    cores: dict[str, dict[str, Any]] = {}
    for runtime in document.get("neuron_runtime_data") or ():
        report = runtime.get("report") or {}
        latency = dig(report, "execution_stats.latency_stats") or {}
        memory = dig(report, "memory_used.neuron_runtime_used_bytes.usage_breakdown.neuroncore_memory_usage") or {}
        for index, counters in (dig(report, "neuroncore_counters.neuroncores_in_use") or {}).items():
            core = cores.setdefault(index, {"id": f"neuroncore{index}", "processes": 0})
            core["processes"] += number(counters.get("neuroncore_utilization")) is not None
            _add(core, "utilization_percent", counters.get("neuroncore_utilization"))
            _add(core, "flops", counters.get("flops"))
            _add(core, "memory_bytes", total(list((memory.get(index) or {}).values())))
            for kind in ("total", "device"):
                core.setdefault(f"{kind}_latency_s", dig(latency, f"{kind}_latency.p50"))
    return [core for core in cores.values() if core["processes"]]


def _add(core: dict[str, Any], key: str, value: Any) -> None:
    if (told := number(value)) is not None:
        core[key] = core.get(key, 0.0) + told


def _described(document: Raw) -> Iterator[Device]:
    hardware = document.get("neuron_hardware_info") or {}
    each = int(number(hardware.get("neuroncore_per_device_count")) or 0)
    name = f"AWS {dig(document, 'instance_info.instance_type') or 'Neuron'}".strip()
    for answer in _cards(document) + _cores(document):
        identity = answer["id"]
        core = identity.removeprefix("neuroncore") if identity.startswith("neuroncore") else ""
        parent = f"neuron{int(core) // each}" if core.isdecimal() and each else ""
        yield Device(
            id=identity, name=f"{name} {'core' if core else 'device'}", vendor="AWS", parent=parent,
            partition=f"core {core}" if core else "", memory_bytes=number(answer.get("device_memory_bytes")),
            address="" if core else f"/dev/{identity}", found_by="neuron-monitor",
        )  # fmt: skip


def normalise(raw: Raw) -> Iterator[Reading]:
    """Readings of every device and of every core that a process uses."""
    document = raw.get("document") or {}
    for device in _cards(document) + _cores(document):
        yield from table(device, FIELDS)
