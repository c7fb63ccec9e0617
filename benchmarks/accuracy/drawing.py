"""Charts that stand alone: the report's look on a ground of their own, so that a page of either theme can show them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from assay.report.axes import Spec
from assay.report.chart import FONT, at, base, layer, raw
from assay.report.palette import LIGHT, TOKENS
from assay.report.svg import draw

# A point as Vega writes it: a path of four arcs or two, moved to its place.
_POINT = re.compile(
    r'<path transform="translate\(([-\d.]+),([-\d.]+)\)" d="M([\d.]+),0A[^"]*"([^>]*?)(?:class="m")?(?:/>|></path>)'
)
_UNSTROKED = re.compile(r' stroke-width="[^"]*"')
_LONG = re.compile(r"(\d+\.\d)\d{2,}")


def standing(spec: Spec, title: str) -> str:
    """A spec as an SVG file with its own ground and both themes; points as circles, places to a tenth of a pixel."""
    text = draw(spec, title)
    text = _POINT.sub(lambda m: f'<circle cx="{m[1]}" cy="{m[2]}" r="{m[3]}"{_UNSTROKED.sub("", m[4])}/>', text)
    text = _LONG.sub(r"\1", text)
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text)
    room = f'width="{size[1]}" height="{size[2]}" ' if size else ""
    look = f"<style>text{{font-family:{FONT};paint-order:stroke}}{_dark(text)}</style>"
    ground = f'<rect width="100%" height="100%" rx="6" fill="{LIGHT["surface"]}"/>'
    text = re.sub(r"(<svg )([^>]*>)", lambda m: f"{m[1]}{room}{m[2]}{look}{ground}", text, count=1)
    return re.sub(r' style="max-width:[^"]*"', "", text, count=1) + "\n"


def _dark(text: str) -> str:
    """The dark twin of every colour that is used, for a viewer whose system is dark; without variables, which programs
    that turn an SVG into something else often do not know.
    """
    used = {light: dark for light, dark in TOKENS.values() if f'"{light}"' in text or light == LIGHT["surface"]}
    rules = "".join(
        f'[{what}="{light}"]{{{what}:{dark}}}' for light, dark in used.items() for what in ("fill", "stroke")
    )
    return f"@media (prefers-color-scheme:dark){{{rules}}}"


def axis(title: str, domain: tuple[float, float], ticks: Sequence[float], words: str, *, log: bool = True) -> Spec:
    """A scale and its axis; `words` is how Vega writes a tick."""
    scale = {"type": "log" if log else "linear", "domain": list(domain), "nice": False, "clamp": True}
    return {
        "type": "quantitative", "scale": scale,
        "axis": {"title": title, "values": list(ticks), "labelExpr": words},
    }  # fmt: skip


def plot(width: float, height: float, x: Spec, y: Spec, layers: Sequence[Spec]) -> Spec:
    """Layers over two axes; the y title stands flat above its axis."""
    up = {**y["axis"], "titleAngle": 0, "titleAlign": "left", "titleAnchor": "end", "titleX": -46, "titleY": -12,
          "titleBaseline": "bottom", "domain": False}  # fmt: skip
    channels = {"x": x, "y": {**y, "axis": up}}
    drawn = [_placed(each, channels) for each in layers]
    return {**base(width - 72, height, left=58, right=14, top=32), "layer": drawn}


def _placed(drawn: Spec, channels: Mapping[str, Spec]) -> Spec:
    own = drawn["encoding"]
    placed = {
        name: {**channels[name[0]], **own[name]} if name in channels else own[name]
        for name in own
        if "scale" not in own[name]
    }
    return {**drawn, "encoding": {**own, **placed}}


def dots(data: Sequence[Spec], size: float = 22, opacity: float = 0.5) -> Spec:
    return layer(
        "point", data, {"x": at("x"), "y": at("y"), "color": raw("fill")}, filled=True, size=size, opacity=opacity
    )  # fmt: skip


def line(points: Sequence[tuple[float, float]], token: str, **look: object) -> Spec:
    data = [{"x": x, "y": y} for x, y in points]
    return layer("line", data, {"x": at("x"), "y": at("y")}, color=LIGHT[token], **look)


def legend(names: Mapping[str, str], x: float = 12, y: float = 10, step: float = 17) -> list[Spec]:
    """Names beside dots of their colour, down from a place in pixels."""
    here = {"type": "quantitative", "scale": None, "axis": None}
    data = [
        {"px": x, "tx": x + 9, "py": y + i * step, "name": name, "fill": LIGHT[token]}
        for i, (name, token) in enumerate(names.items())
    ]
    place = {"y": {"field": "py", **here}}
    point = {**place, "x": {"field": "px", **here}, "color": raw("fill")}
    text = {**place, "x": {"field": "tx", **here}, "text": at("name"), "color": {"value": LIGHT["muted"]}}
    return [
        layer("point", data, point, filled=True, size=50, opacity=1),
        layer("text", data, text, align="left", baseline="middle", fontSize=11),
    ]
