"""Charts of what a whole is made of: a step's time, a device's memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.report.axes import Spec
from assay.report.chart import TIP, TOP, Chart, Key, Layout, at, chart, fixed, layer, raw
from assay.report.palette import LIGHT, shade, text_on
from assay.report.rows import rows
from assay.report.study import Option
from assay.report.text import percent, rest, signed
from assay.result import Part
from assay.units import show

# The model's state in teal, what a batch needs in blue, what is held back in grey.
_MEMORY = {
    "weights": "memory-1",
    "gradients": "memory-2",
    "optimizer": "memory-3",
    "activations": "compute-1",
    "logits": "compute-2",
    "reserve": "wait-2",
    "fragmentation": "wait-3",
}
_OTHER = ("network-2", "network-3", "compute-3", "wait-1")
_ORDER = ("compute", "memory", "network")


def time(options: Sequence[Option]) -> Chart | None:
    """Where a step's time goes, as shares, for the leading systems; the step's length at the right."""
    found = [o for o in options if o.parts]
    first = found[:TOP]
    if not first:
        return None
    colors = part_colors([o.parts for o in first])
    data = [row for o in first for row in _shares(o, colors)]
    steps = {o.label: o.value("step_s") for o in first}
    notes = {name: show(None if v is None else v.mean, "s") for name, v in steps.items()}

    def build(layout: Layout) -> Spec:
        axis = share_axis("share of step time; the step's length at the right")
        return rows(layout, notes, axis, stack(data, 0.09 if layout.narrow else 0.03))

    alt = "Longest part of a step: " + "; ".join(f"{o.label} {_longest(o.parts)}" for o in first[:6])
    keys = [Key(name, token) for name, token in colors.items()]
    caption = rest(len(found) - len(first))
    return chart("time", "Share of each part in one step", alt, build, keys=keys, caption=caption)


def memory(options: Sequence[Option]) -> Chart | None:
    """The fullest device's memory by what fills it, as a share of what it has; signed headroom at the right."""
    found = [o for o in options if o.memory]
    first = found[:TOP]
    if not first:
        return None
    colors = _memory_colors(list(dict.fromkeys(p.name for o in first for p in o.memory)))
    data = [row for o in first for row in _sizes(o, colors)]
    notes = {o.label: signed(capacity(o) - used(o)) for o in first}
    top = max(1.0, *(row["end"] for row in data)) * 1.015

    def build(layout: Layout) -> Spec:
        line = {"x": at("at"), "color": fixed("bad"), "description": TIP}
        full = layer("rule", [{"at": 1.0, "tip": "all the memory there is"}], line, strokeDash=[4, 3], strokeWidth=1.5)
        axis = share_axis("share of the device's memory", top)
        return rows(layout, notes, axis, stack(data, 0.09 if layout.narrow else 0.03), over=[full])

    alt = "Memory left on the fullest device: " + "; ".join(f"{name} {note}" for name, note in notes.items())
    keys = [*(Key(name, token) for name, token in colors.items()), Key("capacity", "bad", "dash")]
    caption = rest(len(found) - len(first), "At the right: what is left (+) or missing (−).")
    return chart("memory", "Memory of the fullest device against its capacity", alt, build, keys=keys, caption=caption)


def _memory_colors(names: Sequence[str]) -> dict[str, str]:
    others = [n for n in names if n not in _MEMORY]
    return {n: _MEMORY.get(n) or _OTHER[min(others.index(n), len(_OTHER) - 1)] for n in names}


def used(option: Option) -> float:
    """Memory the job takes on the fullest device."""
    return sum(p.size_bytes for p in option.memory)


def capacity(option: Option) -> float:
    """Memory there is for the job on one device: what it uses and what is left, or the device's memory."""
    left = option.value("headroom_bytes")
    room = used(option) + left.mean if left is not None else 0.0
    return room if room > 0 else option.result.system.accelerator.memory_bytes


def part_colors(steps: Sequence[Sequence[Part]]) -> dict[str, str]:
    """A shade for each part's name: the hue of what bounds it most, the longest of a hue darkest, hues side by side."""
    weight: dict[str, dict[str, float]] = {}
    for parts in steps:
        whole = sum(p.time_s for p in parts) or 1.0
        for p in parts:
            bounds = weight.setdefault(p.name, {})
            bounds[p.bound] = bounds.get(p.bound, 0.0) + p.time_s / whole
    bound = {name: max(found, key=lambda b: found[b]) for name, found in weight.items()}
    hue = {name: b if b in _ORDER else "wait" for name, b in bound.items()}
    names = sorted(hue, key=lambda n: ([*_ORDER, "wait"].index(hue[n]), -sum(weight[n].values())))
    return {name: shade(hue[name], [n for n in names if hue[n] == hue[name]].index(name)) for name in names}


def _shares(option: Option, colors: Mapping[str, str]) -> list[Spec]:
    times: dict[str, float] = dict.fromkeys(colors, 0.0)
    for p in option.parts:
        times[p.name] += p.time_s
    total = sum(times.values()) or 1.0
    tips = {n: f"{option.label}, {n}: {percent(t / total, sign=False)} = {show(t, 's')}" for n, t in times.items()}
    return segments(option.label, {n: t / total for n, t in times.items()}, colors, tips)


def _sizes(option: Option, colors: Mapping[str, str]) -> list[Spec]:
    room = capacity(option)
    shares = {p.name: p.size_bytes / room for p in option.memory}
    tips = {p.name: f"{option.label}, {p.name}: {show(p.size_bytes, 'bytes')}" for p in option.memory}
    return segments(option.label, shares, colors, tips)


def segments(row: str, shares: Mapping[str, float], colors: Mapping[str, str], tips: Mapping[str, str]) -> list[Spec]:
    """One row's parts, one after the other."""
    start, found = 0.0, list[Spec]()
    for name, share in shares.items():
        place = {"row": row, "start": start, "middle": start + share / 2, "end": start + share, "share": share}
        look = {"fill": LIGHT[colors[name]], "ink": text_on(colors[name]), "text": f"{100 * share:.0f}"}
        found.append({**place, **look, "tip": tips[name]})
        start += share
    return found


def stack(data: Sequence[Spec], cut: float) -> list[Spec]:
    """Segments with a seam between them, and their share in per cent where they are wide enough."""
    ends = {"x": at("start"), "x2": at("end"), "color": raw("fill"), "description": TIP}
    told = {"x": at("middle"), "text": at("text"), "color": raw("ink")}
    bars = layer("bar", [d for d in data if d["share"] > 0], ends, stroke=LIGHT["surface"], strokeWidth=1)
    return [bars, layer("text", [d for d in data if d["share"] >= cut], told, fontSize=10)]


def share_axis(title: str, top: float = 1.0) -> Spec:
    """An axis of shares in per cent."""
    axis = {"title": title, "labelExpr": "format(100 * datum.value, '.0f') + ' %'", "tickCount": 6}
    return {"type": "quantitative", "scale": {"domain": [0, top], "nice": False}, "axis": axis}


def _longest(parts: Sequence[Part]) -> str:
    return max(parts, key=lambda p: p.time_s).name
