"""What was made of each device: utilization by name, energy, and what was paid for and not used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.observed import Energy, Usage, Waste
from assay.report.axes import Spec
from assay.report.chart import TIP, Chart, Key, Layout, at, chart, layer, raw
from assay.report.palette import LIGHT
from assay.report.rows import rows
from assay.report.run_study import RunStudy
from assay.report.run_text import NO_SENSOR, amount, around, share_of
from assay.report.stacks import share_axis
from assay.report.study import clean
from assay.report.table import Cell, Column, Table, figures
from assay.report.text import percent
from assay.report.tracks import unlike
from assay.units import show

MOST = 16
# Which share is which mark: shape and colour say the same.
MARKS: Mapping[str, tuple[str, str, str]] = {
    "busy": ("busy", "accent", "circle"),
    "core": ("cores active", "network-1", "square"),
    "memory": ("memory interface active", "memory-1", "triangle-up"),
    "matrix": ("matrix units active", "ink", "diamond"),
}
_KEY_SHAPES = {"square": "box"}


def usage_chart(study: RunStudy) -> Chart | None:
    """Busy says that a kernel ran; the other marks say what it made of the chip."""
    names = study.devices
    found = [u for u in study.observation.usage if any(getattr(u, field) is not None for field in MARKS)]
    rated = {one.device: [getattr(one, field) for field in MARKS] for one in found}
    chosen = unlike(rated, MOST)
    shown = [one for one in found if one.device in chosen]
    if not shown:
        return None
    data = [mark for one in shown for mark in _marks(names[one.device], one)]
    notes = {names[one.device]: _note(one) for one in shown}

    def build(layout: Layout) -> Spec:
        place = {"x": at("share"), "color": raw("fill"), "shape": raw("shape"), "description": TIP}
        span = {"x": at("low"), "x2": at("high"), "color": {"value": LIGHT["rule"]}}
        reach = layer("rule", [_reach(names[one.device], one) for one in shown], span, strokeWidth=2)
        dots = layer("point", data, place, filled=True, size=80, opacity=1)
        return rows(layout, notes, share_axis("share of the time"), [reach, dots])

    keys = [
        Key(text, token, _KEY_SHAPES.get(shape, shape))
        for field, (text, token, shape) in MARKS.items() if any(getattr(u, field) is not None for u in shown)
    ]  # fmt: skip
    alt = "; ".join(d["tip"] for d in data[:16])
    more = len(found) - len(shown)
    caption = "At the right: what holds the device up, as its sensors say."
    caption += f" Those that differ most; {more} more are in the table." if more else ""
    return chart("usage", "Busy, and what came of it", alt, build, keys=keys, caption=caption)


def _note(one: Usage) -> str:
    """What holds a device up; where its sensors do not say, its MFU."""
    if one.bound:
        return clean(one.bound)
    return "" if one.mfu is None else f"MFU {percent(one.mfu, sign=False)}"


def _marks(name: str, one: Usage) -> list[Spec]:
    return [
        {"row": name, "share": share, "fill": LIGHT[token], "shape": shape,
         "tip": f"{name}: {text} {percent(share, sign=False)}"}
        for field, (text, token, shape) in MARKS.items() if (share := getattr(one, field)) is not None
    ]  # fmt: skip


def _reach(name: str, one: Usage) -> Spec:
    told = [share for field in MARKS if (share := getattr(one, field)) is not None]
    return {"row": name, "low": min(told), "high": max(told)}


def usage_table(study: RunStudy) -> Table:
    """Every share of every device, each by its own name."""
    heads = (
        Column("Device", "device"),
        figures("Busy", "busy", "a kernel ran"),
        figures("Cores active", "core", "cores had work resident"),
        figures("Matrix units", "matrix", "matrix units worked"),
        figures("Memory i/o", "memory", "the memory interface moved data"),
        figures("Working", "working", "busy, and not stalled"),
        figures("Stalled", "stalled", "busy, and neither matrix units nor memory did much"),
        figures("MFU", "mfu", "model FLOP over what the peak allows"),
        figures("Power", "power_w", "mean"),
        figures("Memory peak", "memory_peak_bytes"),
        Column("Bound", "bound"),
        figures("Coverage", "coverage", "share of the window that readings cover"),
    )
    body = tuple(_usage_row(study, one) for one in study.observation.usage)
    return Table(id="usage-table", caption="Utilization by device", columns=heads, rows=body)


def _usage_row(study: RunStudy, one: Usage) -> tuple[Cell, ...]:
    about = study.about(one.device)
    size = about.memory_bytes if about else None
    note = f"of {show(size, 'bytes')}" if size and one.memory_peak_bytes is not None else ""
    memory = amount(one.memory_peak_bytes, "accel.mem.used_bytes")
    return (
        Cell(study.devices[one.device], note=about.name if about else one.device),
        *(share_of(getattr(one, field)) for field in ("busy", "core", "matrix", "memory")),
        share_of(one.working, "unknown"), share_of(one.stalled, "unknown"), share_of(one.mfu, "unknown"),
        amount(one.power_w, "accel.power_w"),
        Cell(memory.text, sort=memory.sort, note=note, tone=memory.tone),
        Cell(one.bound or "sensors do not say", tone="" if one.bound else "quiet"),
        Cell(percent(one.coverage, sign=False), sort=one.coverage, tone="bad" if one.coverage < 0.9 else ""),
    )  # fmt: skip


def energy_table(study: RunStudy, found: Sequence[Energy]) -> Table:
    """Energy of each device and of all, how it was found, and why it may be wrong."""
    heads = (
        Column("Device", "device"), figures("Energy", "energy_j"), figures("In kWh", "energy_kwh"),
        Column("Found by", "method", hint="a counter of the device, or power added up over time"),
        Column("What is in doubt", "doubt"),
    )  # fmt: skip
    return Table(
        id="energy-table", caption="Energy", columns=heads, rows=tuple(_energy_row(study, one) for one in found)
    )


def _energy_row(study: RunStudy, one: Energy) -> tuple[Cell, ...]:
    name = study.devices.get(one.device, "all of the node" if one.device == "node" else one.device)
    way = {"counter": "its counter", "integral": "power added up", "none": NO_SENSOR}[one.method]
    doubt = Cell(one.doubt or "nothing", tone="long" if one.doubt else "quiet")
    if one.energy_j is None:
        return (Cell(name), Cell(NO_SENSOR, tone="quiet"), Cell("—", tone="quiet"), Cell(way, tone="quiet"), doubt)
    note = around(one.energy_j, one.low_j, one.high_j, "energy_j")
    kwh = one.energy_j / 3.6e6
    return (
        Cell(name), Cell(show(one.energy_j, "j"), sort=one.energy_j, low=one.low_j, high=one.high_j, note=note),
        Cell(show(kwh), sort=kwh), Cell(way + (", estimated by a model" if one.estimated else "")), doubt,
    )  # fmt: skip


def waste_table(found: Sequence[Waste]) -> Table:
    """Time, energy and money of devices that idled or were busy with nothing."""
    heads = (
        Column("What", "kind"), figures("Device-hours", "device_s"), figures("Energy (kWh)", "energy_j"),
        figures("Money", "cost_usd"), Column("Formula", "formula"),
    )  # fmt: skip
    words = {"idle": "idle: no work", "stalled": "stalled: not working, or busy with nothing"}
    rows_ = tuple(
        (
            Cell(words[one.kind]), Cell(show(one.device_s / 3600), sort=one.device_s),
            _cell(one.energy_j, show((one.energy_j or 0.0) / 3.6e6), NO_SENSOR),
            _cell(one.cost_usd, show(one.cost_usd, "usd"), "no price is known"),
            Cell(one.formula, tone="long"),
        )
        for one in found
    )  # fmt: skip
    return Table(id="waste-table", caption="Paid for and not used", columns=heads, rows=rows_)


def _cell(value: float | None, text: str, absent: str) -> Cell:
    return Cell(absent, tone="quiet") if value is None else Cell(text, sort=value)
