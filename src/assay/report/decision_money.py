"""Money: the bill of a year by line, what one unit costs, each against the others, gains, and what moves the figure."""

from __future__ import annotations

from collections.abc import Sequence

from assay.decision import Decision, Judged
from assay.report.axes import Spec, text_width
from assay.report.bars import linear
from assay.report.chart import TOP, Key, Layout, chart
from assay.report.decision_cash import breakeven, cash, cumulative
from assay.report.decision_cells import cell, count, plain, remarks, words
from assay.report.decision_tornado import importance, tornado
from assay.report.decision_words import YEAR_S, axis, leader, money, name
from assay.report.palette import LIGHT, text_on
from assay.report.rows import rows
from assay.report.sections import Figure, Section
from assay.report.stacks import stack
from assay.report.study import clean
from assay.report.table import Cell, Column, Table, figures
from assay.worth import Against, Line, Worth

# What is bought is blue, what runs is orange, then grey, what is rented is teal; the largest of a kind is darkest.
COLORS = {
    "capital": ("compute-1", "compute-2", "compute-3"),
    "running": ("network-1", "network-2", "network-3", "wait-2", "wait-3"),
    "rent": ("memory-1", "memory-2", "memory-3"),
}
LEAD = (
    "All sums are in US dollars. A used hour is an hour of one accelerator in which it did paid work; an available "
    "hour is one in which it could have. What nobody priced is unknown and counted nowhere as zero."
)

Priced = tuple[Judged, Worth]


def section(decision: Decision) -> Section | None:
    """All money of all candidates."""
    found = [(c, c.worth) for c in decision.candidates if c.worth is not None]
    if not found:
        return None
    first = leader(decision) or found[0][0]
    drawn = (_bill(found), cash(decision), cumulative(decision), breakeven(decision), tornado(first))
    near, pairs = _against(found, first)
    tables = (_sums(decision), _units(found), near, _gains(found))
    notes = remarks("money-notes-table", "How the money was reckoned", [(c.name, n) for c, w in found for n in w.notes])
    return Section(id="money", title="Money", lead=LEAD, figures=tuple(f for f in drawn if f is not None),
                   tables=tuple(t for t in tables if t.rows),
                   more=tuple(t for t in (pairs, *importance(first), notes) if t.rows))  # fmt: skip


def _sums(decision: Decision) -> Table:
    columns = (
        Column("Candidate", "candidate"), figures("A year", "year_usd"), figures("Per used hour", "used_usd_per_s"),
        figures("Per available hour", "available_usd_per_s"), figures("Share used", "used_share"),
        figures("Work carried", "carried_share", "cost of the work is a year's cost over this"),
        figures("Money up front", "capex_usd"), figures("Accelerators", "accelerators"), Column("Unknown", "unknown"),
    )  # fmt: skip
    return Table(id="sums-table", caption="What each candidate costs", columns=columns,
                 rows=tuple(_sum_row(c) for c in decision.candidates))  # fmt: skip


def _sum_row(c: Judged) -> tuple[Cell, ...]:
    w, missing = c.worth, words(", ".join(c.unknown))
    if w is None:
        return (Cell(c.name), *(Cell("unknown", tone="quiet") for _ in range(7)), missing)
    return (
        Cell(c.name), cell(w.year_usd, "usd"), cell(w.used_usd_per_s, "usd_per_s"),
        Cell("—") if c.elastic else cell(w.available_usd_per_s, "usd_per_s"), cell(w.used_share, "share"),
        cell(w.carried_share, "share"), cell(w.capex_usd, "usd"),
        Cell(f"{w.accelerators:,}", sort=w.accelerators), missing,
    )  # fmt: skip


def _bill(found: Sequence[Priced]) -> Figure | None:
    shown = [(c, w) for c, w in found if any(line.usd > 0 for line in w.lines)][:TOP]
    if not shown:
        return None
    colors = _colors([line for _, w in shown for line in w.lines])
    data = [row for c, w in shown for row in _segments(c, w, colors)]
    notes = {name(c): f"{money(w.year_usd.mean)} a year" for c, w in shown}
    top = max(d["end"] for d in data)
    told = axis([top], "usd")

    def build(layout: Layout) -> Spec:
        x = linear("US dollars a year", 0.0, top * 1.06, told.expression)
        room = layout.width * (0.86 if layout.narrow else 0.58) / top
        fitting = [{**d, "text": d["text"] if text_width(d["text"], 10) + 8 < d["share"] * room else ""} for d in data]
        return rows(layout, notes, x, stack(fitting, 0.0))

    alt = "The bill of a year. " + "; ".join(f"{row} {note}" for row, note in notes.items())
    drawn = chart("bill", "What a year costs, line by line", alt, build,
                  keys=[Key(line, token) for line, token in colors.items()],
                  caption="Blue is bought and spread over its life, orange and grey run, teal is rent.")  # fmt: skip
    return Figure(drawn, _bill_table(found))


def _colors(lines: Sequence[Line]) -> dict[str, str]:
    """A colour for each of the largest lines of a kind; the smaller ones share the last."""
    size: dict[tuple[str, str], float] = {}
    for line in lines:
        size[line.kind, line.name] = size.get((line.kind, line.name), 0.0) + line.usd
    found = dict[str, str]()
    for kind, tokens in COLORS.items():
        of_kind = [n for k, n in size if k == kind and size[k, n] > 0]
        names = sorted(of_kind, key=lambda n: -size[kind, n])
        keep = len(tokens) - (len(names) > len(tokens))
        found |= {clean(n): token for n, token in zip(names[:keep], tokens, strict=False)}
        if names[keep:]:
            found[f"other {kind}"] = tokens[-1]
    return found


def _segments(c: Judged, w: Worth, colors: dict[str, str]) -> list[Spec]:
    sums = dict.fromkeys(colors, 0.0)
    for line in w.lines:
        key = clean(line.name) if clean(line.name) in colors else f"other {line.kind}"
        sums[key] = sums.get(key, 0.0) + max(line.usd, 0.0)
    start, found = 0.0, list[Spec]()
    for line_name, usd in sums.items():
        if usd > 0:
            place = {"row": name(c), "start": start, "middle": start + usd / 2, "end": start + usd, "share": usd}
            look = {"fill": LIGHT[colors[line_name]], "ink": text_on(colors[line_name]), "text": money(usd)}
            found.append({**place, **look, "tip": f"{name(c)}, {line_name}: {money(usd)} a year"})
            start += usd
    return found


def _bill_table(found: Sequence[Priced]) -> Table:
    columns = (
        Column("Candidate", "candidate"), Column("Line", "line"), Column("Kind", "kind"), figures("A year", "usd"),
        figures("Per used hour", "used_usd_per_s"), figures("Share", "share"),
    )  # fmt: skip
    rows_ = []
    for c, w in found:
        whole, hours = sum(line.usd for line in w.lines), w.accelerators * w.used_share.mean * YEAR_S
        rows_ += [(Cell(c.name), Cell(line.name), Cell(line.kind), plain(line.usd, "usd"),
                   plain(line.usd / hours if hours else None, "usd_per_s"),
                   plain(line.usd / whole if whole else None, "share")) for line in w.lines]  # fmt: skip
    return Table(id="bill-table", caption="The bill of a year, line by line", columns=columns, rows=tuple(rows_),
                 filtered="candidate")  # fmt: skip


def _units(found: Sequence[Priced]) -> Table:
    """One row a kind of work and unit, one column a candidate."""
    kinds = list(dict.fromkeys((u.workload, u.unit) for _, w in found for u in w.units))
    held = [{(u.workload, u.unit): u.usd for u in w.units} for _, w in found]
    columns = (Column("Workload", "workload"), Column("One", "unit"),
               *(Column(c.name, f"{c.name} usd", number=True, named=True) for c, _ in found))  # fmt: skip
    rows_ = tuple((Cell(work), Cell(unit), *(cell(of.get((work, unit)), "usd") for of in held)) for work, unit in kinds)
    return Table(id="units-table", caption="What one unit of work costs", columns=columns, rows=rows_)


def _against(found: Sequence[Priced], first: Judged) -> tuple[Table, Table]:
    """The leader beside each other one and the other way round; and all pairs."""
    pairs = [(c, a) for c, w in found for a in w.against]
    near = [(c, a) for c, a in pairs if first.name in (c.name, a.other)]
    caption = f"Each beside {first.name}"
    more = pairs if len(near) < len(pairs) else []
    return _pairs("against-table", caption, near), _pairs("pairs-table", "Each beside each other", more)


def _pairs(id: str, caption: str, pairs: Sequence[tuple[Judged, Against]]) -> Table:  # noqa: A002
    columns = (
        Column("Candidate", "candidate"), Column("Instead of", "other"),
        figures("Present value saved", "npv_usd", "over the horizon, discounted; a minus sign is a loss"),
        figures("Pays back in month", "payback_months"), figures("Cheaper in", "cheaper_share", "share of the draws"),
        figures("Break-even at used share", "breakeven_utilization"),
    )  # fmt: skip
    rows_ = tuple(
        (Cell(c.name), Cell(a.other), cell(a.npv_usd, "usd"), _payback(a.payback_months) if _invests(c) else Cell("—"),
         plain(a.cheaper_share, "share"), plain(a.breakeven_utilization, "share", absent=_absent(c, a)))
        for c, a in pairs
    )  # fmt: skip
    return Table(id=id, caption=caption, columns=columns, rows=rows_, filtered="candidate")


def _absent(c: Judged, a: Against) -> str:
    """What is said where no use breaks even: it can only where one is paid for all day and the other by the hour."""
    return "at none" if a.hourly and not c.elastic else "—"


def _invests(c: Judged) -> bool:
    """Whether money is paid first that has to come back."""
    return c.via != "rent"


def _payback(month: int | None) -> Cell:
    """The month, "at once" where nothing more is paid first, "never" within the horizon."""
    if month is None:
        return Cell("never", tone="quiet")
    return count(month) if month else Cell("at once", sort=0.0)


def _gains(found: Sequence[Priced]) -> Table:
    columns = (Column("Candidate", "candidate"), Column("Gain", "gain"), figures("A year", "usd"),
               Column("How it is reckoned", "how"))  # fmt: skip
    rows_ = tuple((Cell(c.name), Cell(g.name), cell(g.usd, "usd"), words(g.how)) for c, w in found for g in w.gains)
    return Table(id="gains-table", caption="What better hardware brings besides a smaller bill", columns=columns,
                 rows=rows_, filtered="candidate")  # fmt: skip
