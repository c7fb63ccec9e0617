"""The plots of the page: predicted against measured, the error against what may cause it, intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from benchmarks.accuracy.drawing import axis, dots, legend, line, plot, standing
from benchmarks.accuracy.figures import Accuracy, Held, checked, evenly, faster_ln, grouped, mfu, speeds, whole

from assay.report.axes import Spec, log_ticks
from assay.report.chart import HALF, at, fixed, layer, raw
from assay.report.palette import LIGHT
from assay.report.rows import rows as named_rows

WIDE = 760.0
TOKENS: Mapping[str, str] = {
    "dense": "compute-1", "moe": "network-1", "adapter": "network-2", "encoder": "memory-1", "convnet": "compute-2",
    "recurrent": "bad", "dlrm": "good", "diffusion": "memory-2", "swin": "wait-1",
}  # fmt: skip
_PERCENT = "format(100 * datum.value, '.3~g') + ' %'"
_TIMES = "'× ' + format(datum.value, '.3~g')"
_PLAIN = "format(datum.value, '.3~s')"
_REACH = 4.0  # an error beyond this factor is drawn at the edge
_POINTS = 400  # that one of the small plots shows; its line and band rest on all
_HOST = ("launch", "host", "offload")
Read = Callable[[Held], float]


def plots(found: Accuracy) -> Mapping[str, str]:
    """Every plot by the name of its file."""
    rows = [one for one in evenly(speeds(found)) if one.terms_s]
    if not rows:
        return {}
    drawn = {"parity.svg": parity(rows), "coverage.svg": coverage(rows), "widths.svg": widths(rows)}
    return drawn | {f"error-{name}.svg": error(rows, title, read, words) for name, (title, read, words) in _BY.items()}


def parity(rows: Sequence[Held]) -> str:
    """Model FLOP utilization, predicted against measured, sources left out."""
    data = [{"x": m, "y": p, "fill": LIGHT[_token(one)]} for one in rows for m, p in [mfu(one)] if m > 0 and p > 0]
    low, high = max(1e-4, min(min(d["x"], d["y"]) for d in data) / 1.3), 1.0
    ticks = log_ticks(low, high, 8)
    x = axis("measured share of the device's peak (MFU), log scale", (low, high), ticks, _PERCENT)
    y = axis("predicted, its source left out", (low, high), ticks, _PERCENT)
    ends = [[(low, 1.25 * low), (high / 1.25, high)], [(1.25 * low, low), (high, high / 1.25)]]
    near = [line(pair, "faint", strokeDash=[4, 4], strokeWidth=1) for pair in ends]
    used = {name: token for name, token in TOKENS.items() if any(one.facts.regime == name for one in rows)}
    equal = line([(low, low), (high, high)], "faint", strokeWidth=1.5)
    drawn = plot(WIDE, 430, x, y, [equal, *near, dots(data), *legend(used)])
    return standing(drawn, f"Predicted against measured MFU of {len(data)} rows; dashed: 25 % off")


def _token(one: Held) -> str:
    return TOKENS.get(one.facts.regime, "wait-2")


_BY: Mapping[str, tuple[str, Read, str]] = {
    "parameters": ("parameters", lambda one: float(one.facts.parameters), _PLAIN),
    "devices": ("devices", lambda one: float(one.facts.devices), _PLAIN),
    "length": ("tokens of a sequence (1: not made of tokens)", lambda one: float(one.facts.seq_len), _PLAIN),
    "host": ("share of the step that is launches and host", lambda one: max(1e-3, host_share(one)), _PERCENT),
    "assumed": ("things a row does not state, and one", lambda one: 1.0 + len(one.source.assumed), _PLAIN),
}


def host_share(one: Held) -> float:
    """Share of the predicted step that the host takes."""
    return sum(one.terms_s.get(name, 0.0) for name in _HOST) / sum(one.terms_s.values())


def error(rows: Sequence[Held], title: str, read: Read, words: str) -> str:
    """Predicted over measured speed against one thing; the line is the median, the band holds eight in ten."""
    data = [
        {"x": read(one), "y": math.exp(max(-1, min(1, faster_ln(one) / math.log(_REACH))) * math.log(_REACH)),
         "fill": LIGHT[_token(one)]}
        for one in rows
    ]  # fmt: skip
    low, high = min(d["x"] for d in data) / 1.1, max(d["x"] for d in data) * 1.1
    x = axis(f"{title}, log scale", (low, high), log_ticks(low, high, 6), words)
    y = axis("speed: predicted / measured", (1 / _REACH, _REACH), [0.25, 0.5, 1, 2, 4], _TIMES)
    bins = binned([(d["x"], d["y"]) for d in data])
    band = layer("area", bins, {"x": at("x"), "y": at("low"), "y2": at("high"), "color": fixed("soft")}, opacity=0.9)
    middle = line([(b["x"], b["middle"]) for b in bins], "ink", strokeWidth=2)
    one = line([(low, 1.0), (high, 1.0)], "faint", strokeWidth=1.5)
    drawn = plot(HALF.width, 250, x, y, [band, one, dots(data[:: -(-len(data) // _POINTS)], 14, 0.4), middle])
    return standing(drawn, f"Predicted over measured speed against {title}: median and the middle eight tenths")


def binned(points: Sequence[tuple[float, float]], most: int = 8) -> list[Spec]:
    """Median, 10th and 90th percentile of runs of neighbouring places, as many places in each; none is parted."""
    ordered = sorted(points)
    places = sorted({x for x, _ in ordered})
    cuts = {places[round(i * (len(places) - 1) / most)] for i in range(1, most)} if len(places) > most else {*places}
    groups: dict[int, list[tuple[float, float]]] = {}
    for point in ordered:
        groups.setdefault(sum(point[0] > cut for cut in cuts), []).append(point)
    out = []
    for mine in groups.values():
        low, middle, high = np.quantile([y for _, y in mine], (0.1, 0.5, 0.9))
        place = math.exp(float(np.mean([math.log(x) for x, _ in mine])))
        out.append({"x": place, "low": float(low), "middle": float(middle), "high": float(high)})
    return out


def coverage(rows: Sequence[Held]) -> str:
    """How often the 90 % interval held the measured figure, by kind; the band is what chance allows."""
    groups = {name: mine for name, mine in grouped(rows, lambda one: one.facts.regime).items() if len(mine) >= 5}
    data = [
        {"row": name, "x": s.coverage, "fill": LIGHT["accent" if 0.87 <= s.coverage <= 0.95 else "bad"], "n": s.n}
        for name, mine in groups.items()
        if (s := whole(checked(mine)))
    ]
    notes = {d["row"]: f"{100 * d['x']:.0f} % of {d['n']}" for d in data}
    goal = layer("rect", [{"x": 0.87, "x2": 0.95}], {"x": at("x"), "x2": at("x2"), "color": fixed("soft")}, opacity=1)
    points = layer("point", data, {"x": at("x"), "color": raw("fill")}, filled=True, size=90, opacity=1)
    low = min([0.5, *(d["x"] for d in data)]) - 0.05
    shares = {"title": "inside the 90 % interval, source left out (band: the goal)", "tickCount": 6,
              "labelExpr": _PERCENT}  # fmt: skip
    x = {"type": "quantitative", "scale": {"domain": [max(0.0, low), 1.0], "nice": False}, "axis": shares}
    return standing(named_rows(HALF, notes, x, [points], under=[goal]), "Coverage of the 90 % interval by kind of job")


def widths(rows: Sequence[Held]) -> str:
    """How wide the intervals are, by whether others published results of the accelerator."""
    known = {"its accelerator has other sources": "accent", "it has none": "faint"}
    edges = np.geomspace(1.0, 16.0, 25)
    bars, top = [], np.zeros(len(edges) - 1)
    for (_, token), mine in zip(known.items(), (True, False), strict=True):
        ratios = [_ratio(one) for one in rows if (one.source.evidence == "B") == mine]
        counts, _ = np.histogram(np.clip(ratios, 1.0, 15.99), edges)
        for i, n in enumerate(counts):
            if n:
                bars.append({"x": edges[i], "x2": edges[i + 1] / 1.012, "y": top[i], "y2": top[i] + n,
                             "fill": LIGHT[token]})  # fmt: skip
        top += counts
    high = max(1.0, float(top.max())) * 1.08
    x = axis("high / low of the 90 % interval, log scale", (1.0, 16.0), [1, 1.5, 2, 3, 5, 8, 16], _TIMES)
    ticks = [tick for i in range(5) if (tick := _round(high / 4) * i) <= high]
    y = axis("rows", (0.0, high), ticks, _PLAIN, log=False)
    ends = {"x": at("x"), "x2": at("x2"), "y": at("y"), "y2": at("y2"), "color": raw("fill")}
    drawn = plot(HALF.width, 250, x, y, [layer("rect", bars, ends, opacity=1), *legend(known, x=230)])
    return standing(drawn, "How wide the intervals are")


def _round(step: float) -> float:
    """A step of 1, 2 or 5 times a power of ten that is at least as large."""
    power = 10.0 ** math.floor(math.log10(max(step, 1.0)))
    return next(by * power for by in (1, 2, 5, 10) if by * power >= step)


def _ratio(one: Held) -> float:
    return (one.source.high or 1.0) / (one.source.low or 1.0)
