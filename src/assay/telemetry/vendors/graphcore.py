"""Graphcore: IPUs by the library gcipuinfo of the Poplar SDK, else by the tool gc-monitor. All values are texts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.errors import MeasureError
from assay.machine import Device
from assay.telemetry.places import driver, nodes
from assay.telemetry.reading import Field, Imported, Raw, Reading, table
from assay.telemetry.tools import Tool, asked, library, parsed, told

NAME = "graphcore"

# The attributes as gcipuinfo calls them (docs.graphcore.ai, command-line tools, device attributes). There is no memory
# sensor (a program's memory is fixed when it is compiled), no energy counter and no throttle state; power is "N/A" on
# many boards, and the traffic of a link is not told, only its speed.
FIELDS = (
    Field("accel.busy", "ipu utilisation", 0.01, "average", 0, 1),
    Field("accel.power_w", "ipu power", 1.0, "instant", 0.1, 5000),
    Field("accel.temp.core_celsius", "average die temp", lowest=-20, highest=130),
    Field("accel.clock.core_hz", "clock", 1e6),
    Field("link.errors", "link correctable error count", 1.0, "counter"),
    Field("accel.errors.uncorrected", "parity error count", 1.0, "counter"),
)
PROMETHEUS: Mapping[str, Imported] = {}  # Graphcore publishes no exporter

NEEDED = ("ipu utilisation", "average die temp")  # by which a device's table is known in whatever holds it
WELL, UNWELL = {"no errors"}, {"error", "errors", "unavailable", "needs reset"}
IDENTITIES = ("serial number", "pci id", "id")
HINT = "source the Poplar SDK's enable.sh in this shell"


def probe(root: Path, environment: Mapping[str, str]) -> tuple[Device, ...]:
    """IPUs by their nodes, or the address of a server that lends them over the network."""
    like = Device(name="Graphcore IPU", vendor="Graphcore", driver=driver(root, "ipu_driver"))
    found = tuple(nodes(root, like, "dev/ipu[0-9]*"))
    if not found and environment.get("IPUOF_VIPU_API_HOST"):
        address = "$IPUOF_VIPU_API_HOST"
        return (Device(name=like.name, vendor=like.vendor, id=address, address=address, found_by="environment"),)
    return found


def read(devices: Sequence[Device]) -> Iterator[Raw]:
    """What gcipuinfo says, once a call; where it does not load, what gc-monitor prints."""
    try:
        module = library("gcipuinfo", hint=HINT)
        inventory = module.gcipuinfo(module.DiscoverActivePartitionIPUs)
        inventory.setUpdateMode(True)  # read the sensors anew each time
    except Exception as error:  # the library's own, or none at all
        try:
            yield from asked(Tool(("gc-monitor", "--json")), lambda text: _raw(parsed(text, "gc-monitor")))
        except MeasureError as second:
            raise MeasureError(f"gcipuinfo does not start: {error}; {second.what}", hint=HINT) from None
    else:
        while True:
            yield _raw(json.loads(inventory.getDevicesAsJSON()))


def _raw(answered: Any) -> Raw:
    devices = []
    for place, entry in enumerate(_tables(answered)):
        names = (str(entry[key]) for key in IDENTITIES if entry.get(key) not in (None, "", "N/A"))
        devices.append({"id": f"ipu-{next(names, place)}", **{k: v for k, v in entry.items() if k != "id"}})
    about = [
        Device(
            id=entry["id"], name=str(entry.get("board type") or "Graphcore IPU"), vendor="Graphcore",
            address=str(entry.get("pci id", "")).lower(), driver=str(entry.get("driver version", "")) or None,
        )
        for entry in devices
    ]  # fmt: skip
    return {"devices": devices, "about": told(about)}


def _tables(answered: Any) -> Iterator[dict[str, Any]]:
    """The tables of devices, in a flat list or inside of cards and partitions: SDK versions differ."""
    if isinstance(answered, dict) and any(key in answered for key in NEEDED):
        yield answered
    elif isinstance(answered, (dict, list)):
        for inner in answered.values() if isinstance(answered, dict) else answered:
            yield from _tables(inner)


def normalise(raw: Raw) -> Iterator[Reading]:
    """Readings of every IPU."""
    for device in raw["devices"]:
        yield from table(device, FIELDS)
        if (state := device.get("ipu error state")) in WELL | UNWELL:
            yield Reading(device["id"], "accel.health", float(state in WELL), "instant")
