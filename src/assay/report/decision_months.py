"""Cash flow: a pane a candidate, a bar a month; a bar too tall for the scale of a month is cut and says its sum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from assay.decision import Judged
from assay.report.axes import Spec, fit, text_width
from assay.report.chart import TIP, Chart, Key, Layout, base, chart, fixed, layer, raw
from assay.report.decision_words import money, name
from assay.report.palette import LIGHT
from assay.worth import Month, Worth

MOST: Final = 4  # panes; the table has them all
LEFT: Final = 58.0
HEAD, TALL, FOOT, AXIS = 30.0, 74.0, 14.0, 44.0
_ROOM: Final = 1.45  # times an ordinary month: so that the sum of a cut bar stands above the others
_CUT: Final = 1.6  # times the scale from which a bar is cut
_FLOWS: Final = (("capital", "compute-1"), ("running", "network-2"), ("rent", "memory-1"))


def months_chart(found: Sequence[tuple[Judged, Worth]]) -> Chart:
    """What is paid in each month, upwards; what comes back, downwards."""
    shown = found[:MOST]
    top, low = _reach([m for _, w in shown for m in w.months])
    last = max(m.month for _, w in shown for m in w.months)

    def build(layout: Layout) -> Spec:
        wide, layers, head = layout.width - LEFT - 12, list[Spec](), 0.0
        for c, w in shown:
            pane = _Pane(name(c), w.months, head + HEAD, wide, last + 1, top, low)
            layers += [*pane.ground(), *pane.bars()]
            head += HEAD + TALL + FOOT
        layers += list(_axis(wide, last, head - FOOT, 12 if layout.narrow or last > 60 else 6))
        spec = base(wide, head - FOOT, left=LEFT, right=12, top=2, bottom=AXIS)
        return {**spec, "layer": [one for one in layers if one["data"]["values"]]}

    alt = "; ".join(f"{name(c)}: {money(w.months[0].net_usd)} before it begins, then month by month" for c, w in shown)
    keys = [Key("bought", "compute-1"), Key("running", "network-2"), Key("rent", "memory-1"), Key("comes back", "good")]
    caption = "One scale for all. A bar that is cut says its whole sum."
    if len(found) > MOST:
        caption += f" And {len(found) - MOST} more in the table."
    return chart("cash", "Cash by month", alt, build, keys=keys, caption=caption)


def _reach(months: Sequence[Month]) -> tuple[float, float]:
    """The highest sum that is drawn whole, and the lowest: an ordinary month sets the scale, not a purchase."""
    ordinary = max((m.running_usd + m.rent_usd for m in months), default=0.0)
    highest = max((m.net_usd + m.resale_usd for m in months), default=0.0)
    back = max((m.resale_usd for m in months), default=0.0)
    top = ordinary * _ROOM if 0 < ordinary * _CUT < highest else highest * 1.05
    top = top or back or 1.0
    return top, min(back, 0.45 * top)


@dataclass(frozen=True, slots=True)
class _Pane:
    """One candidate's months with its place, in pixels."""

    title: str
    months: tuple[Month, ...]
    top: float
    wide: float
    slots: int
    highest: float  # in US dollars, at the pane's upper edge
    lowest: float

    def y(self, usd: float) -> float:
        inside = min(max(usd, -self.lowest), self.highest)
        return round(self.top + TALL * (self.highest - inside) / (self.highest + self.lowest), 1)

    def x(self, month: int) -> tuple[float, float]:
        slot = self.wide / self.slots
        return round(slot * (month + 0.12), 1), round(slot * (month + 0.88), 1)

    def ground(self) -> Iterator[Spec]:
        """The title, the line of nothing, the scale."""
        step = self.highest / _ROOM
        grid = [{"x": 0, "x2": self.wide, "y": self.y(step)}]
        yield layer("rule", grid, {**_across(), "color": fixed("grid")})
        yield layer("rule", [{"x": 0, "x2": self.wide, "y": self.y(0)}], {**_across(), "color": fixed("rule")})
        said = [{"x": -8, "y": self.y(0), "text": "$0"}, {"x": -8, "y": self.y(step), "text": money(step)}]
        yield layer("text", said, _text("muted"), align="right", fontSize=10.5, baseline="middle")
        title = [{"x": 0, "y": self.top - 12, "text": fit(self.title, self.wide, 12)}]
        yield layer("text", title, _text("ink"), align="left", fontSize=11.5, fontWeight=600)

    def bars(self) -> Iterator[Spec]:
        """Each month's sums one on the other; what is cut says what it is."""
        data = [bar for m in self.months for bar in self._bars(m)]
        place = {"x": _px("x"), "x2": {"field": "x2"}, "y": _px("y"), "y2": {"field": "y2"}, "color": raw("fill")}
        yield layer("rect", [d for d in data if d["y"] != d["y2"]], {**place, "description": TIP})
        for right in (True, False):
            cut = [d for d in data if d["cut"] and (d["x"] < self.wide / 2) is right]
            told = [{"x": d["x2"] + 5 if right else d["x"] - 5, "y": d["word"], "text": d["cut"]} for d in cut]
            halo = {"stroke": LIGHT["surface"], "strokeWidth": 3}
            yield layer("text", told, _text("ink"), align="left" if right else "right", fontSize=10.5,
                        baseline="middle", fontWeight=600, **halo)  # fmt: skip

    def _bars(self, m: Month) -> Iterator[Spec]:
        x, x2 = self.x(m.month)
        start = 0.0
        for flow, token in _FLOWS:
            usd = float(getattr(m, f"{flow}_usd"))
            over = start + usd > self.highest and flow == "capital"
            tip = f"{self.title}, month {m.month}: {money(usd)} {flow}"
            yield {"x": x, "x2": x2, "y": self.y(start + usd), "y2": self.y(start), "fill": LIGHT[token], "tip": tip,
                   "cut": f"↑ {money(usd)}" if over else "", "word": self.top + 5}  # fmt: skip
            start += usd
        over = m.resale_usd > self.lowest * 1.001
        yield {"x": x, "x2": x2, "y": self.y(0), "y2": self.y(-m.resale_usd), "fill": LIGHT["good"],
               "tip": f"{self.title}, month {m.month}: {money(m.resale_usd)} comes back",
               "cut": f"↓ {money(m.resale_usd)}" if over else "", "word": self.y(-m.resale_usd) - 5}  # fmt: skip


def _axis(wide: float, last: int, y: float, step: int) -> Iterator[Spec]:
    slot = wide / (last + 1)
    said = [{"x": slot * (m + 0.5), "y": y + 15, "text": str(m)} for m in range(0, last + 1, step)]
    title = "month; 0 is before operation begins"
    yield layer("text", said, _text("muted"), align="center", fontSize=10.5)
    where = max(wide / 2, text_width(title, 11) / 2)
    yield layer("text", [{"x": where, "y": y + 35, "text": title}], _text("muted"), align="center", fontSize=11)


def _px(field: str) -> Spec:
    return {"field": field, "type": "quantitative", "scale": None, "axis": None}


def _across() -> Spec:
    return {"x": _px("x"), "x2": {"field": "x2"}, "y": _px("y")}


def _text(token: str) -> Spec:
    return {"x": _px("x"), "y": _px("y"), "text": {"field": "text"}, "color": fixed(token)}
