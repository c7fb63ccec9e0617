"""Charts of named rows: names at the left (above each row, on a phone), a short note at the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from assay.report.axes import Spec, fit, text_width
from assay.report.chart import SIZE, Layout, base, fixed, layer
from assay.report.palette import LIGHT

GAP: Final = 0.4  # share of a row that is left free
STEP: Final = 31.0  # height of a row
PHONE_STEP: Final = 46.0  # … of one with its name above it
BELOW: Final = 7.0  # how far below a row's middle its marks stand then


def rows(
    layout: Layout,
    notes: Mapping[str, str],  # a row's name -> what is written at its right
    x: Spec,
    layers: Sequence[Spec],
    *,
    under: Sequence[Spec] = (),  # across all rows, behind them
    over: Sequence[Spec] = (),  # … and in front
    strong: Sequence[str] = (),
    step: float = STEP,
) -> Spec:
    """Layers over named rows; each layer's data says in `row` where it belongs."""
    narrow, size = layout.narrow, SIZE
    left = 2 if narrow else min(250.0, max(text_width(n, size + 0.5) for n in notes) + 22)
    right = 18 if narrow else max(text_width(n, size) for n in notes.values()) + 16
    inner = layout.width - left - right
    scale = {"type": "band", "domain": list(notes), "paddingInner": GAP, "paddingOuter": GAP / 2}
    y = {"field": "row", "type": "nominal", "axis": None, "scale": scale}
    drawn = [*(_across(a, x) for a in under), *(_row(a, x, y, narrow) for a in layers), *(_across(a, x) for a in over)]
    texts = [*_names(notes, strong, y, left, inner, narrow), _notes(notes, y, inner, narrow)]
    height = len(notes) * (PHONE_STEP if narrow else step)
    return {**base(inner, height, left=left, right=right, top=6), "layer": [*drawn, *texts]}


def _row(drawn: Spec, x: Spec, y: Spec, narrow: bool) -> Spec:
    mark, encoding = drawn["mark"], drawn["encoding"]
    lower = {"yOffset": BELOW} if narrow and "yOffset" not in encoding else {}
    tall = {"height": 15} if mark["type"] == "bar" else {}
    return _across({**drawn, "mark": {**mark, **tall, **lower}, "encoding": {**encoding, "y": y}}, x)


def _across(drawn: Spec, x: Spec) -> Spec:
    encoding = drawn["encoding"]
    return {**drawn, "encoding": {**encoding, "x": {**x, **encoding["x"]}}}


def _names(
    names: Mapping[str, str], strong: Sequence[str], y: Spec, left: float, inner: float, narrow: bool
) -> list[Spec]:
    mark = {"align": "left" if narrow else "right", "dy": -10 if narrow else 0}
    room = inner * 0.68 if narrow else left - 14
    named = [{"row": n, "name": fit(n, room, SIZE + 0.5)} for n in names]
    place = {"y": y, "x": {"value": 0 if narrow else -12}, "text": {"field": "name"}, "color": fixed("ink")}
    plain = layer("text", [d for d in named if d["row"] not in strong], place, **mark)
    bold = layer("text", [d for d in named if d["row"] in strong], place, **mark, fontWeight=600)
    return [plain, bold]


def _notes(notes: Mapping[str, str], y: Spec, inner: float, narrow: bool) -> Spec:
    place = {
        "y": y,
        "x": {"value": inner if narrow else inner + 10},
        "text": {"field": "note"},
        "color": fixed("muted"),
    }
    data = [{"row": row, "note": note} for row, note in notes.items()]
    halo = {"stroke": LIGHT["surface"], "strokeWidth": 3}  # so that a line behind it does not strike it out
    return layer("text", data, place, align="right" if narrow else "left", dy=-10 if narrow else 0, **halo)
