"""Charts of one figure a row, with its interval: the ranking, the levers, what a machine was measured to do."""

from __future__ import annotations

from collections.abc import Sequence

from assay.report.axes import Spec, log_ticks, scale, span
from assay.report.chart import TIP, TOP, Chart, Key, Layout, at, chart, fixed, layer, raw
from assay.report.palette import LIGHT
from assay.report.rows import rows
from assay.report.study import Option, clean, positive
from assay.report.text import between, capital, figure, interval, percent, rest
from assay.result import Metric, Value
from assay.summary import CaseSummary
from assay.units import show, suffix

LOG_FROM = 20  # values further apart than this factor need a log axis
_CHANGE = "datum.value ? replace(format(100 * datum.value, '+.1~f'), '-', '−') + ' %' : '0'"


def ranking(options: Sequence[Option], metric: Metric) -> Chart | None:
    """The leading systems by the metric that ranks them, each with its 90 % interval."""
    found = [(o, v) for o in options if (v := o.value(metric.name)) is not None]
    first = found[:TOP]
    if not first:
        return None
    leaders = {first[0][0].label, *first[0][0].tied}
    data = [_ranked(o, v, suffix(metric.name), o.label in leaders) for o, v in first]
    notes = {o.label: figure(v.mean, metric.name) for o, v in first}

    def build(layout: Layout) -> Spec:
        axis, scaled = _axis(data, suffix(metric.name), metric.title)
        strong = [n for n in notes if n in leaders]
        return rows(layout, notes, axis, dots(scaled), under=[_band(scaled[0])], strong=strong)

    alt = f"{metric.title}, {metric.better} is better. " + "; ".join(d["tip"] for d in data[:5])
    keys = [
        Key("90 % interval and middle", "faint", "line"),
        Key("the leader and what ties with it", "accent", "line"),
        Key("reach of the leader's interval", "soft", "band"),
    ]
    unknown = sum(o.value(metric.name) is None for o in options)
    caption = rest(len(found) - len(first), f"{unknown} more have no known {metric.title}." if unknown else "")
    title = f"{capital(metric.title)}: {metric.better} is better"
    return chart("ranking", title, alt, build, keys=keys, caption=caption)


def _ranked(option: Option, value: Value, unit: str, leads: bool) -> Spec:
    ends = {"low": value.low, "mean": value.mean, "high": value.high}
    tip = f"{option.label}: {interval(value, unit)}"
    return {"row": option.label, **ends, "tip": tip, "fill": LIGHT["accent" if leads else "faint"]}


def levers(option: Option) -> Chart | None:
    """What ten per cent more of each lever would do to the step time."""
    change = {name: 1.1**elasticity - 1 for name, elasticity in list(option.levers.items())[:8]}
    if not change:
        return None
    data = [_lever(name, c) for name, c in change.items()]
    low, high = min(0.0, *change.values()), max(0.0, *change.values())
    room = max(high - low, 0.01) * 0.03

    def build(layout: Layout) -> Spec:
        axis = linear("change of step time", low - room, high + room, _CHANGE)
        ends = {"x": at("start"), "x2": at("end"), "color": raw("fill"), "description": TIP}
        return rows(layout, {n: percent(c) for n, c in change.items()}, axis, [layer("bar", data, ends)])

    alt = "; ".join(d["tip"] for d in data)
    return chart("levers", f"What ten per cent more of each would do for {option.label}", alt, build)


def _lever(name: str, change: float) -> Spec:
    tip = f"10 % more {name}: step time {percent(change)}"
    return {"row": name, "start": 0.0, "end": change, "tip": tip, "fill": LIGHT["good" if change < 0 else "bad"]}


def measured(
    cases: Sequence[CaseSummary], unit: str, title: str, name: str, *, half: bool = True
) -> Chart | None:  # fmt: skip
    """What a machine did, case by case: its rate, or its time where it does no countable work."""
    data = [row for c in cases[: 2 * TOP] if (row := _case(c, unit)) is not None]
    if not data:
        return None

    def build(layout: Layout) -> Spec:
        axis, scaled = _axis(data, unit, title)
        return rows(layout, {d["row"]: d["note"] for d in data}, axis, dots(scaled))

    keys = [Key("figure and its 90 % interval", "accent", "line")]
    if any(not c.steady for c in cases):
        keys.append(Key("never settled: not used", "bad", "line"))
    alt = "; ".join(d["tip"] for d in data[:8])
    return chart(name, title, alt, build, keys=keys, caption=rest(len(cases) - 2 * TOP), half=half)


def _case(case: CaseSummary, unit: str) -> Spec | None:
    times, rates = (case.time_s, case.low_s, case.high_s), (case.rate, case.rate_low, case.rate_high)
    mean, *ends = times if unit == "s" else rates
    if mean is None or not positive(mean):
        return None
    low, high = (end if end is not None and positive(end) else mean for end in ends)
    name, remark = clean(case.name), "" if case.steady else ", never settled"
    tip = f"{name}: {show(mean, unit)} ({between(low, high, unit)}){remark}"
    fill = LIGHT["accent" if case.steady else "bad"]
    return {"row": name, "low": low, "mean": mean, "high": high, "fill": fill, "note": show(mean, unit), "tip": tip}


def dots(data: Sequence[Spec]) -> list[Spec]:
    """A figure a row, with its interval."""
    told = {"color": raw("fill"), "description": TIP}
    line = {"x": at("low"), "x2": at("high"), **told}
    return [
        layer("rule", data, line, strokeWidth=3, strokeCap="round", opacity=0.55),
        layer("point", data, {"x": at("mean"), **told}, filled=True, size=90, opacity=1),
    ]


def _band(leader: Spec) -> Spec:
    return layer("rect", [leader], {"x": at("low"), "x2": at("high"), "color": fixed("soft")}, opacity=1)


def _axis(data: Sequence[Spec], unit: str, title: str) -> tuple[Spec, list[Spec]]:
    """An axis in a readable unit and the rows in that unit: linear from zero, log where they lie far apart."""
    ends = [d[end] for d in data for end in ("low", "high")]
    told = scale(ends, unit)
    scaled = [{**d, **{end: d[end] / told.factor for end in ("low", "mean", "high")}} for d in data]
    low, high = min(ends) / told.factor, max(ends) / told.factor
    if low <= 0 or high / low <= LOG_FROM:
        return linear(told.title(title), min(0.0, low), high * 1.03, told.expression), scaled
    reach = span([low, high])
    ticks = {"values": log_ticks(*reach), "title": f"{told.title(title)}, log scale", "labelExpr": told.expression}
    log = {"type": "log", "domain": list(reach), "nice": False}
    return {"type": "quantitative", "scale": log, "axis": ticks}, scaled


def linear(title: str, low: float, high: float, expression: str) -> Spec:
    """A linear axis from one end to the other."""
    axis = {"title": title, "labelExpr": expression, "tickCount": 6}
    return {"type": "quantitative", "scale": {"domain": [low, high], "nice": False}, "axis": axis}
