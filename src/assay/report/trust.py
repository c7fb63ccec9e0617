"""Charts of how far off we are: predicted against measured, and the error of every point by group."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from assay.report.axes import Scale, Spec, scale, span
from assay.report.chart import TIP, Chart, Key, Layout, at, chart, fixed, layer, raw
from assay.report.palette import LIGHT
from assay.report.plane import Plane, frame
from assay.report.rows import BELOW, GAP, PHONE_STEP, STEP, rows
from assay.report.study import ParityPoint, clean, positive
from assay.report.text import between, listed, percent
from assay.units import show

GROUPS = 14
KEYS = (
    Key("held out, inside its interval", "accent", "circle"),
    Key("used in the fit", "accent", "ring"),
    Key("outside its interval", "bad", "diamond"),
)
_ERROR = "datum.value ? replace(format(100 * datum.value, '+.0f'), '-', '−') + ' %' : '0'"


def usable(points: Sequence[ParityPoint]) -> list[ParityPoint]:
    """The points that a ratio can be made of."""
    return [p for p in points if positive(p.measured, p.predicted, p.low, p.high)]


def parity(points: Sequence[ParityPoint]) -> Chart | None:
    """Predicted against measured, with the interval each prediction stated."""
    found = usable(points)
    if not found:
        return None
    units = {p.unit for p in found}
    told = scale([median(p.measured for p in found)], units.pop()) if len(units) == 1 else Scale(1.0, "")
    data = [{**_mark(p), **_place(p, told.factor)} for p in found]
    ends = span([v for d in data for v in (d["x"], d["y1"], d["y2"])], 1.25)

    def build(layout: Layout) -> Spec:
        plane = Plane(layout.width - 68, 330 if layout.narrow else 400, ends, ends)
        dots = _dots(data, {"x": at("x"), "y": at("y")})
        layers = [*_diagonals(ends), _intervals(data), dots]
        return frame(layout, plane, (told.title("measured"), told), (told.title("predicted"), told), layers)

    caption = "The line is perfect agreement, the dashed ones 25 % either way."
    return chart("parity", "Predicted against measured", _summary(found), build, keys=KEYS, half=True, caption=caption)


def residuals(points: Sequence[ParityPoint]) -> Chart | None:
    """The error of each point, by group: where predictions lean, and how far."""
    found = usable(points)
    if not found:
        return None
    groups = list(dict.fromkeys(clean(p.group) for p in found))[:GROUPS]
    data = [_error(p, i) for i, p in enumerate(found) if clean(p.group) in groups]
    reach = max(0.3, *(abs(d["error"]) for d in data)) * 1.08
    size = {g: median(abs(d["error"]) for d in data if d["row"] == g) for g in groups}

    def build(layout: Layout) -> Spec:
        axis = {"title": "error; its median size at the right", "labelExpr": _ERROR, "tickCount": 6}
        x = {"type": "quantitative", "scale": {"domain": [-reach, reach], "nice": False}, "axis": axis}
        step = PHONE_STEP if layout.narrow else min(2 * STEP, max(STEP, 330 / len(groups)))
        low = step * (1 - GAP) * 0.2 + (BELOW if layout.narrow else 0)
        spread = {"domain": [0, 1], "range": [low, low + step * (1 - GAP) * 0.6]}
        jitter = {"field": "jitter", "type": "quantitative", "scale": spread}
        zero = layer("rule", [{"at": 0}], {"x": at("at"), "color": fixed("rule")}, strokeWidth=1.5)
        notes = {g: f"±{percent(s, sign=False)}" for g, s in size.items()}
        return rows(layout, notes, x, [_dots(data, {"x": at("error"), "yOffset": jitter})], under=[zero], step=step)

    return chart("residuals", "Error by group", _summary(found), build, keys=KEYS, half=True)


def _error(point: ParityPoint, index: int) -> Spec:
    """A point of the strip; points of a row are spread by the golden ratio so that none hides another."""
    return {**_mark(point), "row": clean(point.group), "error": point.error, "jitter": index * 0.618 % 1}


def _place(p: ParityPoint, factor: float) -> Spec:
    return {"x": p.measured / factor, "y": p.predicted / factor, "y1": p.low / factor, "y2": p.high / factor}


def _mark(p: ParityPoint) -> Spec:
    color = LIGHT["accent" if p.covered else "bad"]
    said = f"measured {show(p.measured, p.unit)}, predicted {show(p.predicted, p.unit)}"
    said += f" ({between(p.low, p.high, p.unit)}), error {percent(p.error)}"
    tip = f"{p.label} ({p.group}): {said}, {'held out' if p.held_out else 'used in the fit'}"
    fill = color if p.held_out else LIGHT["surface"]
    return {"tip": clean(tip), "stroke": color, "fill": fill, "shape": "circle" if p.covered else "diamond"}


def _summary(points: Sequence[ParityPoint]) -> str:
    inside = sum(p.covered for p in points)
    groups = listed(list(dict.fromkeys(clean(p.group) for p in points))[:6])
    size = percent(median(abs(p.error) for p in points), sign=False)
    return f"{len(points)} points ({groups}); median error {size}; {inside} inside their stated 90 % interval."


def _dots(data: Sequence[Spec], place: Spec) -> Spec:
    look = {"fill": raw("fill"), "stroke": raw("stroke"), "shape": raw("shape"), "description": TIP}
    return layer("point", data, {**place, **look}, size=62, strokeWidth=1.5, opacity=1)


def _intervals(data: Sequence[Spec]) -> Spec:
    place = {"x": at("x"), "y": at("y1"), "y2": at("y2"), "color": raw("stroke")}
    return layer("rule", data, place, strokeWidth=1.25, opacity=0.5)


def _diagonals(ends: tuple[float, float]) -> list[Spec]:
    low, high = ends
    found = []
    looks: dict[float, Spec] = {1.0: {"strokeWidth": 1.5}, 1.25: {"strokeDash": [4, 3]}, 0.8: {"strokeDash": [4, 3]}}
    for ratio, look in looks.items():
        line = [{"x": v, "y": v * ratio} for v in (max(low, low / ratio), min(high, high / ratio))]
        found.append(layer("line", line, {"x": at("x"), "y": at("y")}, color=LIGHT["rule"], **look))
    return found
