"""Readings: the one thing every vendor's plug-in yields, and the table that leads from a raw answer to them.

A raw answer is `{"devices": [{"id": …, …}, …]}`, anything JSON can hold inside. What is a sentinel, "N/A" or nothing
gives no reading: an absent sensor is absent, it never reads 0. Beside the devices an answer may hold, when there is
something new to say, and only then:

    about      what the devices are: [{"id", "name", "vendor", "parent", "partition", "memory_bytes", "driver", …}]
    warnings   what could not be read, and why: sentences
    events     what happened: [{"kind": "xid", "of": id, "text": …}]
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from assay.machine import Device
from assay.run import Event
from assay.series import Quality

Raw = Mapping[str, Any]


class Reading(NamedTuple):
    """One value of one sensor, in the unit of its metric's name."""

    of: str  # the device's id
    metric: str
    value: float
    quality: Quality


@dataclass(frozen=True, slots=True)
class Field:
    """Where a metric stands in a device's raw answer ("power.socket_power"), and what one of its units is in ours."""

    metric: str
    path: str
    scale: float = 1.0
    quality: Quality = "instant"
    lowest: float = -math.inf  # after scaling; what lies outside is no reading of this sensor
    highest: float = math.inf
    most: float = math.inf  # what lies between this and `highest` is read as this: 104 % of a share
    steps: tuple[str, ...] = field(init=False, compare=False)  # the path, ready to go

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.path.split(".")))


@dataclass(frozen=True, slots=True)
class Imported:
    """What a vendor's own Prometheus exporter means by one of its names."""

    metric: str
    scale: float = 1.0
    quality: Quality = "average"
    labels: Mapping[str, str] | None = None  # only series that carry these
    summed: bool = False  # the series of one device or host are parts (disks, sockets, links) to be added up


STALE_PERIODS = 3.0  # a device that has not answered for so many periods is not shown with its last values


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What every device last said, whole: what a screen or an exporter shows of this moment.

    Times are of the system's monotonic clock, which is one for all processes and never steps.
    """

    host: str
    devices: tuple[Device, ...]
    readings: tuple[Reading, ...]  # the last ones of silent devices too: who shows them asks `fresh`
    at_s: Mapping[str, float]  # by a device's id: when it was read
    began_s: float  # when watching began
    period_s: float = 1.0  # from one round of readings to the next

    def fresh(self, now_s: float) -> frozenset[str]:
        """The ids of the devices whose readings are of now: of the others nothing is known."""
        limit_s = STALE_PERIODS * self.period_s
        return frozenset(device for device, at_s in self.at_s.items() if now_s - at_s <= limit_s)


# Blank, not found, not supported, not permitted: DCGM writes them as numbers near 2^63, 2^47 or 2^31 (dcgm_structs.h).
_BLANK_INT64, _BLANK_FP64, _BLANK_INT32 = 9.2e18, 140737488355328.0, 2147483632
_NUMBER = re.compile(r"\s*([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*(.*)", re.DOTALL)

# Shares that a profiler counts; busy is told by another part of the driver.
PROFILED = frozenset({"accel.core.active", "accel.occupancy", "accel.matrix.active", "accel.memory.active"})


def table(device: Raw, fields: Sequence[Field]) -> Iterator[Reading]:
    """The readings of one device by a vendor's table; of several paths to one metric the first that answers counts."""
    of, seen = str(device["id"]), set()
    for told in fields:
        metric = told.metric
        if metric in seen:
            continue
        value: Any = device.get(told.path) if len(told.steps) == 1 else _at(device, told.steps)
        # This runs for every sensor at every tick: a plain number goes past the questions that others need.
        kind = type(value)
        if (kind is not int and kind is not float) or not (
            -_BLANK_INT32 < value < _BLANK_INT32 or 2**32 <= value < _BLANK_FP64
        ):
            value = number(value)
            if value is None:
                continue
        scaled = value * told.scale
        if told.lowest <= scaled <= told.highest:
            seen.add(metric)
            yield Reading(of, metric, scaled if scaled <= told.most else told.most, told.quality)


def dig(raw: Any, path: str) -> Any:
    """What lies at a dotted path; None where the path leads nowhere.

    >>> dig({"power": {"socket": [{"value": 239, "unit": "W"}]}}, "power.socket.0.value")
    239
    """
    return _at(raw, path.split("."))


def _at(raw: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        if isinstance(raw, dict):
            raw = raw.get(step)
        elif isinstance(raw, (list, tuple)) and step.isdecimal():
            raw = raw[int(step)] if int(step) < len(raw) else None
        else:
            return None
    return raw


def number(value: Any) -> float | None:
    """A raw value as a number, or None where it is none: "N/A", blanks, sentinels, NaN. A unit after it is passed over.

    >>> number("672 MiB"), number({"value": 47, "unit": "W"}), number("N/A"), number(9223372036854775794)
    (672.0, 47.0, None, None)
    """
    if isinstance(value, dict):
        value = value.get("value")
    if isinstance(value, str):
        match = _NUMBER.fullmatch(value)
        value = float(match[1]) if match else None
    if value is None or isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if -_BLANK_INT32 < value < _BLANK_INT32:  # most are, and NaN is not
        return float(value)
    return None if not math.isfinite(value) or blank(value) else float(value)


def blank(value: float) -> bool:
    """Whether a number is a driver's way of saying that there is none.

    >>> blank(9223372036854775794), blank(140737488355329.0), blank(4294967295), blank(700.0)
    (True, True, True, False)
    """
    return (
        abs(value) >= _BLANK_INT64
        or _BLANK_FP64 <= value < _BLANK_FP64 + 16
        or _BLANK_INT32 <= value < _BLANK_INT32 + 16
        or value == 2**32 - 1
    )


def total(values: Any) -> float | None:
    """The sum of a list's numbers, "N/A" passed over; None where it holds none.

    >>> total([3, "N/A", {"value": 4, "unit": "KB"}]), total(["N/A"]), total("N/A")
    (7.0, None, None)
    """
    told = [number(value) for value in values] if isinstance(values, (list, tuple)) else []
    known = [value for value in told if value is not None]
    return sum(known) if known else None


def living(readings: Iterable[Reading]) -> list[Reading]:
    """One device's readings without those of a profiler that has died: it says 0 of everything on a busy device.

    Seen after XID 31, where the driver's own figure says 100 % (NVIDIA/DCGM issue 303).
    """
    taken = list(readings)
    if any(r.metric == "accel.busy" and r.value > 0.9 for r in taken):
        profiled = [r.value for r in taken if r.metric in PROFILED]
        if len(profiled) > 1 and not any(profiled):
            return [r for r in taken if r.metric not in PROFILED]
    return taken


def about(raw: Raw) -> tuple[Device, ...]:
    """What a raw answer tells of the devices themselves; nothing where it tells nothing new."""
    known = Device.__dataclass_fields__
    told = ({key: value for key, value in entry.items() if key in known} for entry in raw.get("about", ()))
    return tuple(Device(**{"name": entry["id"], "vendor": "", **entry}) for entry in told)


def warnings(raw: Raw) -> tuple[str, ...]:
    """What a raw answer says could not be read, and why."""
    return tuple(str(text) for text in raw.get("warnings", ()))


def events(raw: Raw, at_s: float) -> tuple[Event, ...]:
    """What a raw answer says has happened, as events of that moment."""
    return tuple(
        Event(at_s=at_s, kind=str(told["kind"]), text=str(told["text"]), of=str(told.get("of", "")))
        for told in raw.get("events", ())
    )
