"""Figures of a run as they are read: shares in per cent, degrees as degrees, who stands out by name."""

from __future__ import annotations

from assay.metrics import metric
from assay.report.axes import Scale, scale
from assay.report.buckets import is_share
from assay.report.study import real
from assay.report.table import Cell
from assay.report.text import between, percent
from assay.units import show

NO_SENSOR = "no sensor"


def said(value: float | None, name: str) -> str:
    """A metric's value in words.

    >>> said(0.981, "accel.busy"), said(71.0, "accel.temp.core_celsius"), said(2.4e9, "link.fabric.rx_bytes")
    ('98.1 %', '71 °C', '2.4 GB/s')
    """
    if value is not None and not real(value):
        return "no number"
    if value is not None and is_share(name):
        return percent(value, sign=False)
    return show(value, unit(name))


def reach(low: float, high: float, name: str) -> str:
    """From the lowest to the highest, the unit once.

    >>> reach(0.03, 0.99, "accel.busy"), reach(60.5, 71.0, "accel.temp.core_celsius")
    ('3 to 99 %', '60.5 to 71 °C')
    """
    if is_share(name):
        return f"{percent(low, sign=False).removesuffix(' %')} to {percent(high, sign=False)}"
    return between(low, high, unit(name))


def around(value: float, low: float | None, high: float | None, name: str) -> str:
    """The 90 % interval of a figure; where both ends read like the figure itself, how near they are.

    >>> around(8.22, 8.0, 8.5, "step_s"), around(8.22, 8.2199, 8.2201, "step_s")
    ('8 to 8.5 s', '± under 0.1 %')
    """
    if low is None or high is None or low == high or not real(low, value, high):
        return ""
    if said(low, name) == said(high, name):
        apart = max(abs(high - value), abs(value - low)) / (abs(value) or 1.0)
        return "± under 0.1 %" if apart < 1e-3 else f"± {percent(apart, sign=False)}"
    return reach(low, high, name)


def unit(name: str) -> str:
    """The unit a metric is shown in: of a counter that of its rate."""
    told = metric(name)
    if told.kind == "counter":
        return "" if told.unit in ("s", "") else f"{told.unit}_per_s"
    return told.unit


def axis_of(name: str, top: float) -> Scale:
    """The unit an axis is read in."""
    if is_share(name):
        return scale([1.0], "")
    one = unit(name)
    return scale([top], one) if one else Scale(1.0, "")


def level(value: float | None, low: float | None, high: float | None, name: str, absent: str = "—") -> Cell:
    """A figure with the lowest and highest beneath it."""
    if value is None:
        return Cell(absent, tone="quiet")
    if not real(value):
        return Cell(said(value, name), tone="bad")
    if low is None or high is None or not real(low, high):
        return Cell(said(value, name), sort=value)
    note = reach(low, high, name) if said(low, name) != said(high, name) else ""
    return Cell(said(value, name), sort=value, low=low, high=high, note=note)


def share_of(value: float | None, absent: str = NO_SENSOR) -> Cell:
    """A share in per cent; what no sensor tells is not zero."""
    return Cell(absent, tone="quiet") if value is None else Cell(percent(value, sign=False), sort=value)


def amount(value: float | None, name: str, absent: str = NO_SENSOR) -> Cell:
    """A quantity; what no sensor tells is not zero."""
    return level(value, None, None, name, absent)
