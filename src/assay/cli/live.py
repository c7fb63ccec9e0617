"""The live view: one line a device, what it really does under names that do not lie, and what happened last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from assay.cli.output import Row
from assay.units import show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from assay.machine import Device
    from assay.run import Event
    from assay.telemetry.reading import Snapshot

# Column -> the metrics of which the first that is there is shown.
_SHARES = {
    "busy": ("accel.busy", "host.cpu.busy"),
    "cores": ("accel.core.active",),
    "matrix": ("accel.matrix.active",),
    "memory i/o": ("accel.memory.active",),
}
_THROTTLES = {"accel.throttle.thermal": "heat", "accel.throttle.power": "power", "accel.throttle.other": "other"}


def cells(snapshot: Snapshot, device: Device) -> Row:
    """One device's line; blank where no sensor tells, "no answer" where it has fallen silent."""
    import time

    read = {r.metric: r.value for r in snapshot.readings if r.of == device.id}
    name = {"device": device.name, "id": device.id, **({"partition": device.partition} if device.partition else {})}
    if device.id not in snapshot.fresh(time.monotonic()):
        return {**name, "busy": "no answer"}
    return {
        **name,
        **{title: _share(_first(read, metrics)) for title, metrics in _SHARES.items()},
        "memory": _of(read, ("accel.mem.used_bytes", "host.mem.used_bytes", "proc.mem.used_bytes"),
                      ("accel.mem.total_bytes", "host.mem.total_bytes"), "bytes"),
        "power": _of(read, ("accel.power_w",), ("accel.power.limit_w",), "w"),
        "heat": _heat(_first(read, ("accel.temp.core_celsius", "host.temp_celsius"))),
        "clock": _shown(_first(read, ("accel.clock.core_hz", "host.clock_hz")), "hz"),
        "throttled by": ", ".join(word for metric, word in _THROTTLES.items() if read.get(metric)),
    }  # fmt: skip


def screen(snapshot: Snapshot, events: Iterable[Event], now_s: float) -> RenderableType:
    """All of it for a terminal."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    rows = [cells(snapshot, device) for device in snapshot.devices]
    columns = [c for c in dict.fromkeys(key for row in rows for key in row) if any(row.get(c) for row in rows)]
    table = Table(box=None, pad_edge=False, header_style="bold", title=Text(snapshot.host), title_justify="left")
    for column in columns:
        table.add_column(column, overflow="ellipsis", no_wrap=True)
    for row in rows:
        table.add_row(*(_coloured(column, row.get(column)) for column in columns))
    ago = now_s - snapshot.began_s
    last = [Text(f"{max(0.0, ago - e.at_s):5.0f} s ago  {e.of}: {e.text}", style="dim") for e in list(events)[-5:]]
    return Group(table, *last)


def _coloured(column: str, value: object) -> Any:
    from rich.text import Text

    text = "" if value is None else str(value)
    alarming = (column == "throttled by" and text) or text == "no answer"
    return Text(text, style="red" if alarming else "")


def _first(read: Mapping[str, float], metrics: Iterable[str]) -> float | None:
    return next((read[metric] for metric in metrics if metric in read), None)


def _share(value: float | None) -> str | None:
    return None if value is None else f"{100 * value:.0f} %"


def _shown(value: float | None, unit: str) -> str | None:
    return None if value is None else show(value, unit)


def _heat(value: float | None) -> str | None:
    return None if value is None else f"{value:.0f} °C"


def _of(read: Mapping[str, float], used: Iterable[str], most: Iterable[str], unit: str) -> str | None:
    value, limit = _first(read, used), _first(read, most)
    if value is None:
        return None
    return show(value, unit) if limit is None else f"{show(value, unit)} of {show(limit, unit)}"
