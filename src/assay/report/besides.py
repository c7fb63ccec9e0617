"""Measured beside predicted: every figure as a multiple of its prediction."""

from __future__ import annotations

from collections.abc import Sequence

from assay.report.axes import Spec
from assay.report.bars import linear
from assay.report.chart import TIP, Chart, Key, Layout, at, chart, fixed, layer, raw
from assay.report.palette import LIGHT
from assay.report.rows import rows
from assay.report.run_study import Beside
from assay.report.run_tables import beside_name
from assay.report.run_text import said
from assay.report.study import positive
from assay.report.text import rest

MOST = 16
_TIMES = "format(datum.value, '.3~f') + '×'"


def beside_chart(found: Sequence[Beside]) -> Chart | None:
    """The line at 1 is the prediction; a mark outside the grey bar is one that it did not foresee."""
    usable = [one for one in found if positive(one.measured, one.predicted, one.low, one.high)]
    data = [_row(one) for one in usable[:MOST]]
    if not data:
        return None
    top = max(v for d in data for v in (d["high"], d["mean"], d["end"])) * 1.06
    notes = {d["row"]: f"{said(one.measured, one.metric)}" for d, one in zip(data, usable, strict=False)}

    def build(layout: Layout) -> Spec:
        axis = linear("measured, as a multiple of the prediction", 0.0, top, _TIMES)
        one = layer("rule", [{"at": 1.0}], {"x": at("at"), "color": fixed("rule")}, strokeWidth=1.5)
        reach = layer("rule", data, {"x": at("low"), "x2": at("high"), "color": fixed("rule")}, strokeWidth=9)
        sure = layer("rule", data, {"x": at("begin"), "x2": at("end"), "color": raw("fill")}, strokeWidth=2.5)
        place = {"x": at("mean"), "color": raw("fill"), "shape": raw("shape"), "description": TIP}
        return rows(layout, notes, axis, [reach, sure, layer("point", data, place, filled=True, size=90, opacity=1)],
                    under=[one])  # fmt: skip

    inside = sum(one.covered for one in usable)
    keys = [Key("90 % interval of the prediction", "rule", "band"), Key("measured, inside it", "accent", "circle"),
            Key("measured, outside it", "bad", "diamond")]  # fmt: skip
    alt = f"{inside} of {len(usable)} inside the predicted interval. " + "; ".join(d["tip"] for d in data[:8])
    return chart("beside", "What was measured, beside what was predicted", alt, build, keys=keys,
                 caption=rest(len(usable) - len(data)))  # fmt: skip


def _row(one: Beside) -> Spec:
    by = one.predicted
    tip = f"{beside_name(one)}: measured {said(one.measured, one.metric)}, predicted {said(one.predicted, one.metric)}"
    return {
        "row": beside_name(one), "low": one.low / by, "high": one.high / by, "mean": one.measured / by,
        "begin": (one.measured_low if one.measured_low is not None else one.measured) / by,
        "end": (one.measured_high if one.measured_high is not None else one.measured) / by,
        "fill": LIGHT["accent" if one.covered else "bad"], "shape": "circle" if one.covered else "diamond", "tip": tip,
    }  # fmt: skip
