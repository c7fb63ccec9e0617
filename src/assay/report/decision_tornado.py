"""What moves the leader's cost: input by input, and all at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from assay.decision import Judged
from assay.report.axes import Spec
from assay.report.bars import linear
from assay.report.chart import TIP, TOP, Key, Layout, at, chart, fixed, layer, raw
from assay.report.decision_cells import plain
from assay.report.decision_words import axis, name, reach, said, shared
from assay.report.palette import LIGHT
from assay.report.rows import rows
from assay.report.sections import Figure
from assay.report.study import clean, real
from assay.report.table import Cell, Column, Table, figures
from assay.report.text import percent
from assay.worth import Swing, Worth

LEAST: Final = 0.01  # of the widest swing: a smaller one would be no bar


def tornado(c: Judged) -> Figure | None:
    """Each input at both ends of its range, all others at their usual value."""
    w = c.worth
    swings = [s for s in w.tornado if real(s.at_low, s.at_high)] if w is not None else []
    if w is None or not swings:
        return None
    middle = w.used_usd_per_s.mean if w.moved_usual is None else w.moved_usual
    if not real(middle):
        return None
    shown = [s for s in swings[:TOP] if s.size >= LEAST * swings[0].size]
    told = axis([v for s in shown for v in (s.at_low, s.at_high)], w.moved_unit)
    usual = middle / told.factor
    data = [end for swing in shown for end in _swing(swing, usual, told.factor, w.moved_unit)]
    notes = {clean(s.name): _range(s) for s in shown}
    ends = [usual, *(d["end"] for d in data)]
    room = max(max(ends) - min(ends), 0.01 * abs(usual), 1e-9) * 0.14  # for the figures at the ends

    def build(layout: Layout) -> Spec:
        side = room * (1.6 if layout.narrow else 1.0)
        x = linear(_axis_title(w, told.symbol), min(ends) - side, max(ends) + side, told.expression)
        place = {"x": at("start"), "x2": at("end"), "color": raw("fill"), "description": TIP}
        line = layer("rule", [{"at": usual}], {"x": at("at"), "color": fixed("ink")}, strokeWidth=1.25)
        texts = [_ends(data, side) for side in ("left", "right")]
        return rows(layout, notes, x, [layer("bar", data, place), *texts], over=[line])

    held = f"all inputs at their usual value: {said(middle, w.moved_unit)}"
    keys = [Key("input at its low end", "compute-1"), Key("input at its high end", "network-2"),
            Key(held, "ink", "dash")]  # fmt: skip
    alt = "; ".join(d["tip"] for d in data[:8])
    title = f"What moves the figure of {name(c)}, {w.moved}"
    return Figure(
        chart("tornado", title, alt, build, keys=keys, caption=_caption(w, len(swings) - len(shown))), _tornado_table(w)
    )


def _caption(w: Worth, more: int) -> str:
    left = f"And {more} more in the table, none of which moves it by a hundredth of the first." if more else ""
    return " ".join(filter(None, (w.explained, left)))


def _axis_title(w: Worth, symbol: str) -> str:
    money = w.moved_unit.startswith("usd")
    return f"{'US dollars ' if money else ''}{w.moved}" + (f" ({symbol})" if symbol and not money else "")


def _swing(s: Swing, usual: float, factor: float, of: str) -> list[Spec]:
    unit, found = shared(s.unit, s.low, s.high), []
    for which, value, figure, token in (
        ("low", s.low, s.at_low, "compute-1"),
        ("high", s.high, s.at_high, "network-2"),
    ):
        end = figure / factor
        tip = f"{clean(s.name)} at its {which} end, {said(value, unit)}: {said(figure, of)}"
        look = {
            "fill": LIGHT[token],
            "tip": tip,
            "text": "" if abs(end - usual) < 0.002 * abs(usual) else said(figure, of).replace("/h", ""),
        }
        side = "left" if end < usual else "right"
        found.append({"row": clean(s.name), "start": usual, "end": end, "side": side, **look})
    return found


def _ends(data: Sequence[Spec], side: str) -> Spec:
    place = {"x": at("end"), "text": at("text"), "color": fixed("muted")}
    look = {"align": "right" if side == "left" else "left", "dx": -4 if side == "left" else 4, "fontSize": 10}
    return layer("text", [d for d in data if d["side"] == side], place, **look, baseline="middle")


def _range(s: Swing) -> str:
    return reach(s.low, s.high, shared(s.unit, s.low, s.high))


def _tornado_table(w: Worth) -> Table:
    of = w.moved_unit
    columns = (Column("Input", "input"), figures("Low end", "low"), figures("Figure there", f"at_low_{of}"),
               figures("High end", "high"), figures("Figure there", f"at_high_{of}"),
               figures("It moves by", f"size_{of}"))  # fmt: skip
    rows_ = []
    for s in w.tornado:
        unit = shared(s.unit, s.low, s.high)
        rows_.append((Cell(s.name), plain(s.low, unit), plain(s.at_low, of), plain(s.high, unit),
                      plain(s.at_high, of), plain(s.size, of)))  # fmt: skip
    return Table(id="tornado-table", caption=f"What moves the figure of {w.candidate}, {w.moved}", columns=columns,
                 rows=tuple(rows_))  # fmt: skip


def importance(c: Judged) -> tuple[Table, ...]:
    """How strongly the year's cost follows each input when all of them vary at once."""
    if c.worth is None or not c.worth.importance:
        return ()
    columns = (Column("Input", "input"), figures("Rank correlation with the year's cost", "correlation"))
    strongest = sorted(c.worth.importance.items(), key=lambda item: -abs(item[1]))
    rows_ = tuple((Cell(key), Cell(percent(value), sort=value)) for key, value in strongest)
    caption = f"What the year's cost of {c.name} follows when all inputs vary at once"
    return (Table(id="importance-table", caption=caption, columns=columns, rows=rows_),)
