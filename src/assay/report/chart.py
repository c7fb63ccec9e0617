"""A chart: Vega-Lite specs for a page and for a phone, its legend in words, a sentence for who cannot see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from assay.report.axes import Spec
from assay.report.palette import LIGHT

FONT: Final = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif"
SIZE: Final = 12.0  # of ordinary text, in pixels
TOP: Final = 12  # rows a chart shows; the table has them all

# One look for all: thin grid, no frame, text in ink and muted ink.
CONFIG: Final[Spec] = {
    "view": {"stroke": None},
    "text": {"font": FONT, "fontSize": SIZE, "color": LIGHT["ink"]},
    "axis": {
        "labelFont": FONT,
        "titleFont": FONT,
        "labelFontSize": 11,
        "titleFontSize": 11.5,
        "titleFontWeight": 500,
        "labelColor": LIGHT["muted"],
        "titleColor": LIGHT["muted"],
        "gridColor": LIGHT["grid"],
        "domainColor": LIGHT["rule"],
        "tickColor": LIGHT["rule"],
        "ticks": False,
        "labelPadding": 7,
        "titlePadding": 10,
        "labelOverlap": "greedy",
    },
}


@dataclass(frozen=True, slots=True)
class Layout:
    """The room a chart has, in pixels."""

    width: float
    narrow: bool


WIDE: Final = Layout(1016, narrow=False)
HALF: Final = Layout(496, narrow=False)
PHONE: Final = Layout(332, narrow=True)


@dataclass(frozen=True, slots=True)
class Key:
    """A line of the legend: what a colour and a shape mean."""

    text: str
    token: str
    shape: str = "square"  # square | band | line | dash | ring, or a point's: circle | box | triangle-up | diamond


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What the page needs to show one chart."""

    id: str
    title: str
    alt: str
    wide: Spec
    phone: Spec
    keys: tuple[Key, ...] = ()
    caption: str = ""
    half: bool = False


def chart(
    id: str,  # noqa: A002
    title: str,
    alt: str,
    build: Callable[[Layout], Spec],
    *,
    keys: Sequence[Key] = (),
    caption: str = "",
    half: bool = False,
) -> Chart:
    """Draw a chart for both widths."""
    wide, phone = build(HALF if half else WIDE), build(PHONE)
    return Chart(id=id, title=title, alt=alt, wide=wide, phone=phone, keys=tuple(keys), caption=caption, half=half)


def base(width: float, height: float, *, left: float, right: float, top: float = 10, bottom: float = 46) -> Spec:
    """The frame of every chart: fixed padding, so that what lies where is known here and not left to a font."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": round(width, 1),
        "height": round(height, 1),
        "autosize": "none",
        "padding": {"left": round(left, 1), "right": round(right, 1), "top": top, "bottom": bottom},
        "background": None,
        "config": CONFIG,
    }


def layer(kind: str, data: Sequence[Mapping[str, object]], encoding: Spec, **mark: object) -> Spec:
    """Marks of one kind, one for each row of the data; without a description they are decoration."""
    look = {"type": kind, "aria": "description" in encoding, **mark}
    return {"data": {"values": [dict(row) for row in data]}, "mark": look, "encoding": encoding}


def at(field: str) -> Spec:
    """A channel that takes its place from this column."""
    return {"field": field}


def fixed(token: str) -> Spec:
    """A channel of one colour."""
    return {"value": LIGHT[token]}


def raw(field: str) -> Spec:
    """A channel that takes its colour as written in the data."""
    return {"field": field, "type": "nominal", "scale": None, "legend": None}


TIP: Final[Spec] = {"field": "tip", "type": "nominal"}
