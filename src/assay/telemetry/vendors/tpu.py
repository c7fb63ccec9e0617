"""Google TPU: by the monitoring part of libtpu, which answers while a program uses the chips, in lists of texts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.machine import Device
from assay.telemetry.places import nodes, on_bus
from assay.telemetry.reading import Field, Imported, Raw, Reading, number, table
from assay.telemetry.tools import library, told

NAME = "tpu"

# Lists with a value a chip (or several a chip: its cores), gathered by chip in `_chips`. A TPU tells no power, energy,
# temperature or clock.
FIELDS = (
    Field("accel.busy", "duty_cycle_pct", 0.01, "average", 0, 1),
    Field("accel.matrix.active", "tensorcore_util", 0.01, "average", 0, 1),
    Field("accel.memory.active", "runtime_hbm_utilization", 0.01, "average", 0, 1),
    Field("accel.mem.used_bytes", "hbm_capacity_usage"),
    Field("accel.mem.total_bytes", "hbm_capacity_total", lowest=1),
    Field("accel.throttle.score", "tpu_throttle_score", 0.1, "instant", 0, 1),
    Field("accel.exec.device_s", "hlo_execution_timing", 1e-6, "average", 0),
    Field("accel.idle_s", "idle_total_s", 1.0, "counter"),
    Field("link.health", "ici_link_health", 1.0, "instant", 0, 1),
)

# GKE writes these by container; whoever scrapes them gives per cent.
PROMETHEUS: Mapping[str, Imported] = {
    "kubernetes_io:container_accelerator_duty_cycle": Imported("accel.busy", 0.01),
    "kubernetes_io:container_accelerator_memory_used": Imported("accel.mem.used_bytes", 1.0, "instant"),
    "kubernetes_io:container_accelerator_memory_total": Imported("accel.mem.total_bytes", 1.0, "instant"),
}

MEANS = ("duty_cycle_pct", "tensorcore_util", "runtime_hbm_utilization")
SUMS = ("hbm_capacity_usage", "hbm_capacity_total")
OTHERS = ("tpu_throttle_score", "hlo_execution_timing", "ici_link_health", "idle_duration")


def probe(root: Path, environment: Mapping[str, str]) -> tuple[Device, ...]:
    """Chips by their nodes (older generations), or on the bus; a machine that only lends its name has none here."""
    like = Device(name=environment.get("TPU_ACCELERATOR_TYPE", "Google TPU"), vendor="Google")
    return tuple(nodes(root, like, "dev/accel[0-9]*")) or tuple(
        on_bus(root, like, "0x1ae0", ("0x12", "0x0880", "0xff"))
    )


def read(devices: Sequence[Device]) -> Iterator[Raw]:
    """What libtpu says, once a call; lists are empty while no program uses the chips."""
    os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")  # or it asks a cloud's server thirty times, where there is none
    monitoring = library("libtpu.sdk", hint="pip install libtpu, 0.0.11 or later").tpumonitoring
    supported = set(monitoring.list_supported_metrics())
    wanted = [name for name in (*MEANS, *SUMS, *OTHERS) if name in supported]
    chips = [device.id for device in devices]
    idle = Idle()
    news: Raw = {"about": told(devices)}
    while True:
        metrics = {}
        for name in wanted:
            try:
                metrics[name] = [str(value) for value in monitoring.get_metric(name).data()]
            except Exception as error:  # whatever it raises, one metric fewer
                wanted = [other for other in wanted if other != name]
                news = {**news, "warnings": [f"libtpu does not tell {name}: {error}"]}
        raw = {"devices": [{"id": chip} for chip in chips], "metrics": metrics}
        yield {**raw, "idle_total_s": idle.since(metrics.get("idle_duration", [])), **news}
        news = {}


class Idle:
    """Idle time as a counter: libtpu's own starts from 0 whenever the chip gets work."""

    def __init__(self) -> None:
        self._before: list[float | None] = []
        self._so_far: list[float] = []

    def since(self, told_s: Sequence[Any]) -> list[float]:
        """Seconds of idleness so far, by chip, from how long each has been idle now."""
        now = [number(value) for value in told_s]
        if len(now) != len(self._before):
            self._so_far = [0.0] * len(now)
        else:
            for chip, (new, old) in enumerate(zip(now, self._before, strict=True)):
                if new is not None and old is not None:
                    self._so_far[chip] += new - old if new >= old else new
        self._before = now
        return list(self._so_far)


def normalise(raw: Raw) -> Iterator[Reading]:
    """Readings of every chip."""
    for chip in _chips(raw):
        yield from table(chip, FIELDS)


def _chips(raw: Raw) -> list[dict[str, Any]]:
    """What the lists say, by chip."""
    chips: list[dict[str, Any]] = [{"id": device["id"]} for device in raw["devices"]]
    metrics: Mapping[str, Sequence[str]] = raw.get("metrics") or {}
    for name in (*MEANS, *SUMS):
        for place, values in enumerate(_shared_out(metrics.get(name, ()), len(chips))):
            if values:
                chips[place][name] = sum(values) / (len(values) if name in MEANS else 1)
    for place, values in enumerate(_shared_out(raw.get("idle_total_s") or (), len(chips))):
        if values:
            chips[place]["idle_total_s"] = min(values)
    for text in metrics.get("tpu_throttle_score", ()):  # "chip-score"
        if (match := re.fullmatch(r"(\d+)-(\d+)", str(text).strip())) and int(match[1]) < len(chips):
            chips[int(match[1])]["tpu_throttle_score"] = int(match[2])
    for parts in _parted(metrics.get("hlo_execution_timing", ()), r"tensorcore_(\d+)"):
        # core, mean, p50, p90, p95, p999 in µs; chips of two cores say so by a longer list of utilizations
        core, median = int(parts[0]), parts[2] if len(parts) > 2 else None
        cores = max(1, len(metrics.get("tensorcore_util", ())) // max(1, len(chips)))
        if core // cores < len(chips):
            chips[core // cores].setdefault("hlo_execution_timing", median)
    _links(metrics.get("ici_link_health", ()), chips)
    return chips


def _shared_out(values: Sequence[Any], chips: int) -> list[list[float]]:
    """A list's values by chip; nothing where it is not of as many, or so many times as many, values."""
    told = [number(value) for value in values]
    if not chips or not told or len(told) % chips:
        return []
    each = len(told) // chips
    return [[v for v in told[i * each : (i + 1) * each] if v is not None] for i in range(chips)]


def _parted(texts: Sequence[str], head: str) -> Iterator[list[str]]:
    for text in texts:
        first, *rest = (part.strip() for part in str(text).strip("[]").split(","))
        if match := re.fullmatch(head, first):
            yield [match[1], *rest]


def _links(texts: Sequence[str], chips: list[dict[str, Any]]) -> None:
    """Share of a chip's links that are up and well; "tray1.chip3.ici0.int: 0", where 0 is well and 10 is down."""
    links: dict[int, list[bool]] = {}
    for text in texts:
        if (match := re.search(r"chip(\d+).*:\s*(\d+)", str(text))) and int(match[1]) < len(chips):
            links.setdefault(int(match[1]), []).append(int(match[2]) == 0)
    for chip, well in links.items():
        chips[chip]["ici_link_health"] = sum(well) / len(well)
