"""Cerebras: whether each wafer-scale system of the cluster is well, by csctl. No more is shown to those who use it.

Neither utilization nor power of a wafer is documented for users. What a job does there is told by the job itself: its
rate, and the times of its iterations, which are samples of the command and no sensor's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.errors import MeasureError
from assay.machine import Device
from assay.telemetry.reading import Field, Imported, Raw, Reading
from assay.telemetry.tools import Tool, asked, told

NAME = "cerebras"
FIELDS: tuple[Field, ...] = ()  # the only reading is a state in words
PROMETHEUS: Mapping[str, Imported] = {}  # the names of the cluster's own Grafana are not public

VARIABLES = ("CEREBRAS_CS_IP", "CEREBRAS_CLUSTER")
SILENT = "a wafer-scale engine shows its users neither utilization nor power; the job's own rates are all there is"
WELL, UNWELL = frozenset({"ok", "healthy", "up", "ready"}), frozenset({"error", "down", "unhealthy", "degraded"})
EVERY_S = 30.0  # a question to the cluster's manager


def probe(root: Path, environment: Mapping[str, str]) -> tuple[Device, ...]:
    """A cluster that the environment names; nothing of it is in this machine."""
    key = next((key for key in VARIABLES if environment.get(key)), None)
    like = Device(name="Cerebras wafer-scale engine", vendor="Cerebras", id=f"${key}", address=f"${key}")
    return (like,) if key else ()


def read(devices: Sequence[Device]) -> Iterator[Raw]:
    """The systems as csctl lists them, every half minute; without csctl, that there is nothing to read."""
    try:
        answers = asked(Tool(("csctl", "get", "cluster", "--system-only"), EVERY_S), _systems)
        first = next(answers)
    except MeasureError as error:
        about = {"about": told(devices), "warnings": [SILENT, str(error)]}
        yield {"devices": [{"id": device.id} for device in devices], **about}
        while True:
            yield {"devices": []}
    yield {**first, "warnings": [SILENT]}
    yield from answers


def _systems(text: str) -> Raw:
    """The table of csctl: a line of names in capitals, then a line a system."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    header = [word.upper() for word in rows[0]] if rows else []
    systems: list[dict[str, Any]] = [
        {"id": row[0], **dict(zip(header, row, strict=False))} for row in rows[1:] if len(row) == len(header)
    ]
    about = [Device(id=s["id"], name="Cerebras wafer-scale engine", vendor="Cerebras") for s in systems]
    return {"devices": systems, "about": told(about)}


def normalise(raw: Raw) -> Iterator[Reading]:
    """Whether each system is well; nothing of one whose state is a word we do not know."""
    for system in raw["devices"]:
        words = {str(system[key]).casefold() for key in ("STATE", "STATUS", "HEALTH") if key in system}
        if words & (WELL | UNWELL):
            yield Reading(system["id"], "accel.health", float(not words & UNWELL), "instant")
