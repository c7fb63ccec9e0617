"""Cost against time: which candidates nothing beats on both."""

from __future__ import annotations

from assay.decision import Decision, Judged
from assay.report.axes import Spec
from assay.report.chart import Key, Layout, chart
from assay.report.decision_cells import cell
from assay.report.decision_lines import Axis, scatter
from assay.report.decision_words import FIGURES, axis, name, with_reach
from assay.report.palette import LIGHT
from assay.report.sections import Figure
from assay.report.study import positive
from assay.report.table import Cell, Column, Table, figures
from assay.report.text import capital, listed
from assay.result import Value
from assay.units import suffix

Placed = tuple[Judged, Value, Value]


def pareto(decision: Decision) -> Figure | None:
    """The two figures that a buyer weighs, each candidate a point with its intervals."""
    axes = decision.pareto_axes
    found = [(c, x, y) for c in decision.candidates if not c.ruled_out
             if (x := value_of(c, axes[1])) and (y := value_of(c, axes[0]))]  # fmt: skip
    if len(found) < 2:
        return None
    across, up = (
        axis([v.mean for _, v, _ in found], suffix(axes[1])),
        axis([v.mean for *_, v in found], suffix(axes[0])),
    )
    data = sorted(
        (_point(one, decision, across.factor, up.factor) for one in found), key=lambda d: (not d["front"], d["x"])
    )
    cost, time = (FIGURES.get(key, key) for key in axes)

    def build(layout: Layout) -> Spec:
        x = Axis(
            title=across.title(time), low=0.0, high=max(d["x2"] for d in data) * 1.08, expression=across.expression
        )
        y = Axis(title=up.title(cost), low=0.0, high=max(d["y2"] for d in data) * 1.08, expression=up.expression)
        return scatter(layout, data, x, y)

    keys = [Key("nothing is both faster and cheaper", "accent", "circle"), Key("another is both", "faint", "diamond"),
            Key("90 % intervals", "rule", "line")]  # fmt: skip
    missing = [c.name for c in decision.candidates if not any(c is one for one, *_ in found)]
    caption = f"Not drawn, ruled out or unknown: {listed(missing)}." if missing else ""
    alt = f"Nothing beats {listed(decision.pareto) or 'any'} on both. " + "; ".join(d["tip"] for d in data)
    title = f"{capital(cost)} against {time}: lower left is better"
    return Figure(chart("pareto", title, alt, build, keys=keys, caption=caption), _table(decision))


def value_of(c: Judged, figure: str) -> Value | None:
    """A candidate's figure by the name of its field."""
    for noun in (c, c.worth):
        found = getattr(noun, figure, None)
        if isinstance(found, Value) and positive(found.low, found.mean, found.high):
            return found
    return None


def _point(one: Placed, decision: Decision, across: float, up: float) -> Spec:
    c, x, y = one
    front, units = c.name in decision.pareto, [suffix(key) for key in decision.pareto_axes]
    tip = f"{name(c)}: {with_reach(y, units[0])}, {with_reach(x, units[1])}"
    look = {"shape": "circle" if front else "diamond", "fill": LIGHT["accent" if front else "faint"], "front": front}
    spot = {"x": x.mean / across, "x1": x.low / across, "x2": x.high / across}
    return {"name": name(c), "tip": tip, **look, **spot, "y": y.mean / up, "y1": y.low / up, "y2": y.high / up}


def _table(decision: Decision) -> Table:
    axes = decision.pareto_axes
    columns = (Column("Candidate", "candidate"), *(figures(FIGURES.get(key, key), key) for key in axes),
               Column("Nothing is better on both", "front"))  # fmt: skip
    rows = tuple(
        (Cell(c.name), *(cell(value_of(c, key), suffix(key)) for key in axes), Cell(_front(c, decision)))
        for c in decision.candidates
    )
    return Table(id="pareto-table", caption="Both figures of every candidate", columns=columns, rows=rows)


def _front(c: Judged, decision: Decision) -> str:
    return "yes" if c.name in decision.pareto else "ruled out" if c.ruled_out else "no"
