"""The sampler's journal: what sensors said, as plain lines that a kill cannot spoil. Anybody may read along.

    {"n": 0, "device": {"id": "GPU-1", …}}                    number 0 stands for this device from here on
    {"n": 0, "metrics": [["accel.power_w", "average"], …]}    the columns of its ticks from here on
    [12.001, 0, [572.1, null, …]]                             at 12.001 s; null: the sensor did not answer
    {"event": {"at_s": 13.0, "kind": "gap", "text": …, "of": …}}

A device's values are dropped from a tick when its sensor is silent: nothing is ever repeated, and nothing is held.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any, NamedTuple

from assay.machine import Device
from assay.run import Event
from assay.series import Quality

Column = tuple[str, Quality]  # metric and how its values come about


class Tick(NamedTuple):
    """What one device's sensors said at one moment."""

    at_s: float
    of: str
    columns: tuple[Column, ...]
    values: tuple[float | None, ...]


class Writer:
    """Turns devices, readings and events into lines; what was said once is not said again."""

    def __init__(self, first: int = 0) -> None:
        self._first = first  # several writers share a journal: each numbers its devices from its own first on
        self._numbers: dict[str, int] = {}
        self._devices: dict[str, Device] = {}
        self._columns: dict[str, dict[str, Quality]] = {}

    def about(self, device: Device) -> str:
        """Lines that make a device known; nothing when it was known as such."""
        if self._devices.get(device.id) == device:
            return ""
        self._devices[device.id] = device
        number = self._numbers.setdefault(device.id, self._first + len(self._numbers))
        known = asdict(device).items()
        told = {key: value for key, value in known if key in ("name", "vendor", "id") or value not in ("", None)}
        return _line({"n": number, "device": told})

    def tick(self, of: str, at_s: float, readings: Iterable[tuple[str, float, Quality]]) -> str:
        """Lines that say what a device's sensors said; columns are added as new metrics appear."""
        columns = self._columns.setdefault(of, {})
        said = {metric: (value, quality) for metric, value, quality in readings}
        text = "" if of in self._devices else self.about(Device(name=of, vendor="", id=of))
        if any(columns.get(metric) != quality for metric, (_, quality) in said.items()):
            columns.update({metric: quality for metric, (_, quality) in said.items()})
            text += _line({"n": self._numbers[of], "metrics": list(columns.items())})
        values = [said[metric][0] if metric in said else None for metric in columns]
        return text + _line([round(at_s, 3), self._numbers[of], values])

    def event(self, event: Event) -> str:
        """A line that says what happened."""
        return _line({"event": asdict(event)})


class Reader:
    """Turns lines back; a line that is cut or is no line of a journal says nothing."""

    def __init__(self) -> None:
        self._devices: dict[int, str] = {}
        self._columns: dict[int, tuple[Column, ...]] = {}

    def take(self, line: str | bytes) -> Device | Event | Tick | None:
        """What a line says."""
        try:
            said = json.loads(line)
            if isinstance(said, list):
                at_s, number, values = said
                return Tick(float(at_s), self._devices[number], self._columns.get(number, ()), tuple(values))
            return self._told(said)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def _told(self, said: dict[str, Any]) -> Device | Event | None:
        if "event" in said:
            return Event(**said["event"])
        if "metrics" in said:
            self._columns[said["n"]] = tuple((metric, quality) for metric, quality in said["metrics"])
            return None
        known = {f.name for f in fields(Device)}
        device = Device(**{key: value for key, value in said["device"].items() if key in known})
        self._devices[said["n"]] = device.id
        return device


def _line(said: object) -> str:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"
