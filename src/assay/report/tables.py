"""What the predictions say, as tables: options, time, memory, operations, levers."""

from __future__ import annotations

from collections.abc import Sequence

from assay.hardware import Accelerator
from assay.report.stacks import capacity, used
from assay.report.study import Option, positive
from assay.report.table import Cell, Column, Table, figures, share_cell, size_cell, value_cell
from assay.report.text import percent, signed
from assay.result import METRICS, Point
from assay.units import show

# The metrics a table of options shows, in this order, each where any option knows it.
COLUMNS = (
    "rent_usd",
    "purchase_usd",
    "capex_usd",
    "time_to_train_s",
    "step_s",
    "tokens_per_s",
    "samples_per_s",
    "device_tokens_per_s",
    "mfu",
    "headroom_bytes",
    "energy_j",
    "power_w",
)


def options_table(options: Sequence[Option]) -> Table:
    """Every option with every metric anybody knows."""
    metrics = [m for m in COLUMNS if any(o.value(m) is not None for o in options)]
    several = len({o.result.workload.name for o in options}) > 1
    columns = (
        figures("Rank", "rank", "= where options cannot be told apart"),
        Column("System", "system"),
        *((Column("Workload", "workload"),) if several else ()),
        Column("Vendor", "vendor"),
        figures("Devices", "devices", "accelerators in all"),
        *(figures(METRICS[m].title, m, METRICS[m].meaning) for m in metrics),
        Column("Class", "evidence", hint="how this row is founded, where a figure does not say otherwise"),
        Column("Bound by", "bound"),
        Column("Plan", "plan"),
    )
    rows = tuple(_option_row(o, metrics, several) for o in options)
    return Table(id="options-table", caption="Every option, best first", columns=columns, rows=rows, filtered="vendor")


def _option_row(o: Option, metrics: Sequence[str], several: bool) -> tuple[Cell, ...]:
    r = o.result
    return (
        Cell(f"{o.rank}{'=' if o.tied else ''}", sort=o.rank),
        Cell(o.label, note=r.system.accelerator.name),
        *((Cell(r.workload.name),) if several else ()),
        Cell(r.system.vendor),
        Cell(str(r.system.accelerators), sort=r.system.accelerators),
        *(value_cell(o.value(m), m, r.evidence) for m in metrics),
        Cell("", evidence=r.evidence),
        Cell(r.bound or "unknown"),
        Cell(str(r.plan), tone="quiet"),
    )


def metric_table(options: Sequence[Option], metrics: Sequence[str], id: str, caption: str) -> Table:  # noqa: A002
    """A few metrics of all options: what a chart of them shows."""
    columns = (Column("System", "system"), *(figures(METRICS[m].title, m, METRICS[m].meaning) for m in metrics))
    rows = tuple((Cell(o.label), *(value_cell(o.value(m), m) for m in metrics)) for o in options)
    return Table(id=id, caption=caption, columns=columns, rows=rows)


def time_table(options: Sequence[Option]) -> Table:
    """Seconds and share of every part of a step, for every option."""
    names = list(dict.fromkeys(p.name for o in options for p in o.parts))
    parts = (figures(n, f"{n} (s)") for n in names)
    columns = (Column("System", "system"), figures("Step", "step_s"), *parts, Column("Bound by", "bound"))
    rows = tuple(_time_row(o, names) for o in options if o.parts)
    return Table(id="time-table", caption="Time of each part of one step", columns=columns, rows=rows)


def _time_row(o: Option, names: Sequence[str]) -> tuple[Cell, ...]:
    total = sum(p.time_s for p in o.parts) or 1.0
    cells = []
    for name in names:
        found = [p for p in o.parts if p.name == name]
        took = sum(p.time_s for p in found)
        note = f"{percent(took / total, sign=False)}, {found[0].bound}" if found else ""
        cells.append(Cell(show(took, "s") if found else "—", sort=took if found else None, note=note))
    return (Cell(o.label), value_cell(o.value("step_s"), "step_s"), *cells, Cell(o.result.bound or "unknown"))


def memory_table(options: Sequence[Option]) -> Table:
    """Bytes of every part of the fullest device's memory, what it has, and what is left."""
    names = list(dict.fromkeys(p.name for o in options for p in o.memory))
    columns = (
        Column("System", "system"),
        *(figures(n, f"{n} (bytes)") for n in names),
        figures("Used", "used_bytes"),
        figures("Capacity", "capacity_bytes"),
        figures("Headroom", "headroom_bytes", METRICS["headroom_bytes"].meaning),
    )
    rows = tuple(_memory_row(o, names) for o in options if o.memory)
    return Table(id="memory-table", caption="Memory of the fullest device", columns=columns, rows=rows)


def _memory_row(o: Option, names: Sequence[str]) -> tuple[Cell, ...]:
    sizes = {p.name: p.size_bytes for p in o.memory}
    left, spare = o.value("headroom_bytes"), capacity(o) - used(o)
    plain = Cell(signed(spare), sort=spare, tone="bad" if spare < 0 else "")
    headroom = plain if left is None else value_cell(left, "headroom_bytes")
    parts = (size_cell(sizes.get(n)) for n in names)
    return (Cell(o.label), *parts, size_cell(used(o)), size_cell(capacity(o)), headroom)


def roofline_table(option: Option) -> Table:
    """The operations on the roofline; those that compute nothing are here too."""
    columns = (
        Column("Operation", "operation"),
        Column("Number format", "dtype"),
        figures("Time", "time_s"),
        figures("Work", "flop"),
        figures("Bytes moved", "bytes"),
        figures("FLOP per byte", "flop_per_byte"),
        figures("Speed", "flop_per_s"),
        figures("Of its roof", "share_of_roof"),
    )
    rows = tuple(_op_row(p, option.result.system.accelerator) for p in option.result.roofline)
    return Table(id="roofline-table", caption=f"Operations on {option.label}", columns=columns, rows=rows)


def _op_row(p: Point, device: Accelerator) -> tuple[Cell, ...]:
    rate = p.flop / p.time_s if positive(p.flop, p.time_s) else None
    deep = p.flop / p.bytes if positive(p.flop, p.bytes) else None
    peak = device.peak_flop_per_s.get(p.dtype)
    roof = None if deep is None or peak is None else min(peak, deep * device.bandwidth_bytes_per_s)
    return (
        Cell(p.name),
        Cell(p.dtype),
        Cell(show(p.time_s, "s"), sort=p.time_s),
        Cell(show(p.flop, "flop"), sort=p.flop),
        size_cell(p.bytes),
        Cell("—" if deep is None else show(deep), sort=deep),
        Cell("—" if rate is None else show(rate, "flop_per_s"), sort=rate),
        share_cell(None if rate is None or roof is None else rate / roof),
    )


def levers_table(option: Option) -> Table:
    """What moves the step time, as elasticities."""
    columns = (
        Column("Lever", "lever"),
        figures("10 % more of it", "step_time_change"),
        figures("Elasticity", "elasticity", "d ln(step time) / d ln(lever)"),
    )
    rows = tuple(_lever_row(name, e) for name, e in option.levers.items())
    return Table(id="levers-table", caption=f"Levers of {option.label}", columns=columns, rows=rows)


def _lever_row(name: str, elasticity: float) -> tuple[Cell, ...]:
    change = 1.1**elasticity - 1
    return (
        Cell(name),
        Cell(percent(change), sort=change),
        Cell(f"{elasticity:+.3f}".replace("-", "−"), sort=elasticity),
    )
