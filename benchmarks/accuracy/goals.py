"""The goals, what came out, and whether it is met."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from benchmarks.accuracy import yard
from benchmarks.accuracy.figures import (
    Held,
    checked,
    evenly,
    language,
    others,
    speeds,
    spread,
    whole,
)  # fmt: skip
from benchmarks.accuracy.words import ln, percent, table

from assay.api.accuracy import Accuracy
from assay.predict.score import ANYTHING, BATCHES, PLANS, SCALES, by_source, mean_rank, ranked, score

PERFORMANCE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
SWEEPS = {
    "of one source, model, accelerator": ANYTHING, "over plans: devices and batch stay": PLANS,
    "over batches: devices and plan stay": BATCHES, "over devices: parallel sizes stay": SCALES,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One figure against its goal."""

    what: str
    wanted: str
    figure: str
    met: bool | None  # None: there is nothing to judge


def goals(found: Accuracy) -> list[Goal]:
    """All of them, in the order of the page."""
    return [
        *_yardstick(found), *_language(found), *_others(found), *_sweeps(found), *_memory(found), *_intervals(found),
        *_speed(PERFORMANCE.read_text(encoding="utf-8")),
    ]  # fmt: skip


def goals_table(found: Sequence[Goal]) -> str:
    """The table at the top of the page."""
    says = {True: "met", False: "**not met**", None: ""}
    return table(("what", "goal", "figure", ""), [(g.what, g.wanted, g.figure, says[g.met]) for g in found])


def _most(what: str, figure: float | None, most: float, told: str, n: str = "") -> Goal:
    known = figure is not None and math.isfinite(figure)
    said = f"{told}{n}" if known else "none"
    return Goal(
        what=what, wanted=f"≤ {most:g}" if "%" not in told else f"≤ {100 * most:g} %", figure=said,
        met=figure <= most if known and figure is not None else None,
    )  # fmt: skip


def _yardstick(found: Accuracy) -> Iterator[Goal]:
    for way, name in zip(yard.WAYS, ("beside its table's other models", "by its device's constants"), strict=False):
        both = yard.errors(found, way)
        average, largest = yard.ends([*both[yard.EIGHT], *both[yard.TEN]])
        n = f" (n = {len(found.yardstick)})"
        what = f"18 steps of the Megatron papers, one model left out, {name}"
        yield _most(f"{what}: mean", average, 0.04, percent(average, 1), n)
        yield _most(f"{what}: largest", largest, 0.09, percent(largest, 1), n)


def _language(found: Accuracy) -> Iterator[Goal]:
    for way in ("source", "publisher"):
        yield from _spread(f"language models on GPUs, one {way} left out", language(found), way, 0.08, 0.25)
    tuned = language(found, tuning=True)
    yield from list(_spread("… fine-tuning and flagged rows too, one source left out", tuned, "source", 0.08, 0.25))[:2]


def _spread(what: str, rows: Sequence[Held], way: str, median: float, p90: float) -> Iterator[Goal]:
    s = spread(rows, way)
    if s is None:
        yield Goal(what=what, wanted=f"≤ {median} / ≤ {p90}", figure="none", met=None)
        return
    n, thin = f" (n = {s.n})", f" (n = {s.even.n})"
    yield _most(f"{what}: median, all rows", s.pooled.median_ln, median, ln(s.pooled.median_ln), n)
    yield _most(f"{what}: p90, all rows", s.pooled.p90_ln, p90, ln(s.pooled.p90_ln), n)
    yield _most(f"{what}: median, 60 rows a source and device", s.even.median_ln, median, ln(s.even.median_ln), thin)
    yield _most(f"{what}: p90, 60 rows a source and device", s.even.p90_ln, p90, ln(s.even.p90_ln), thin)
    n = f" (of {s.sources} sources)"
    yield _most(f"{what}: median, median source", s.median_of_sources, median, ln(s.median_of_sources), n)
    yield _most(f"{what}: p90, median source", s.p90_of_sources, p90, ln(s.p90_of_sources), n)


def left_out(rows: Sequence[Held]) -> str:
    """What is left out of these rows: a source, or an accelerator where there is only one source."""
    sources, devices = ({f(one) for one in rows} for f in (lambda one: one.row.source, lambda one: one.facts.device))
    return "device" if len(sources) == 1 and len(devices) > 1 else "source"


def _others(found: Accuracy) -> Iterator[Goal]:
    for name, rows in others(found).items():
        way = left_out(rows)
        s = whole(checked(rows, way))
        told = "accelerator" if way == "device" else "source"
        if s is not None:
            n = f" (n = {s.n})"
            yield _most(f"{name}, one {told} left out: median", s.median_ln, 0.20, ln(s.median_ln), n)
            yield _most(f"{name}, one {told} left out: p90", s.p90_ln, 0.50, ln(s.p90_ln), n)


def sweeps(found: Accuracy) -> Mapping[str, tuple[int, float | None, float | None]]:
    """By kind of sweep: how many, mean rank correlation, and that of sweeps which span more than 10 %."""
    rows = checked(speeds(found))
    out = {}
    for name, key in SWEEPS.items():
        all_of_it = [one for one in ranked(rows, key) if one.different > 2]
        wide = [one for one in all_of_it if one.spread_ln > math.log(1.1)]
        out[name] = len(all_of_it), mean_rank(all_of_it), mean_rank(wide)
    return out


def _sweeps(found: Accuracy) -> Iterator[Goal]:
    for name, (n, rank, _) in sweeps(found).items():
        met = rank >= 0.97 if rank is not None else None
        yield Goal(what=f"mean rank correlation in sweeps {name}", wanted="≥ 0.97",
                   figure=f"{ln(rank)} ({n} sweeps)" if rank is not None else "none", met=met)  # fmt: skip


def _memory(found: Accuracy) -> Iterator[Goal]:
    rows = [one for one in found.held if one.row.metric_name == "peak_mem_GB"]
    s = whole(checked(rows))
    if s is None:
        yield Goal(what="peak memory", wanted="≤ 4 % / ≤ 12 %", figure="none", met=None)
        return
    middle, far = math.expm1(s.median_ln), math.expm1(s.p90_ln)
    yield _most("peak memory: median", middle, 0.04, percent(middle, 1), f" (n = {s.n})")
    yield _most("peak memory: p90", far, 0.12, percent(far, 1), f" (n = {s.n})")


def _intervals(found: Accuracy) -> Iterator[Goal]:
    rows = speeds(found)
    s, even, each = whole(checked(rows)), whole(checked(evenly(rows))), score(checked(rows), by_source)
    if s is None or even is None:
        return
    over_sources = mean(one.coverage for one in each)
    for name, share, n in (
        ("all rows", s.coverage, s.n), ("60 rows a source and device", even.coverage, even.n),
        ("mean over sources", over_sources, len(each)),
    ):  # fmt: skip
        yield Goal(what=f"inside the 90 % interval, source left out: {name}", wanted="87 to 95 %",
                   figure=f"{percent(share, 1)} (n = {n})", met=0.87 <= share <= 0.95)  # fmt: skip
    known = [one for one in evenly(rows) if one.source.evidence == "B"]
    shipped = [one for one in evenly(rows) if one.shipped.evidence == "B"]
    for name, way, mine in (("source left out", "source", known), ("shipped", "shipped", shipped)):
        s = whole(checked(mine, way))
        wide = math.exp(s.width_ln) if s is not None and s.width_ln is not None else None
        yield _most(f"high/low where the accelerator has published rows, {name}: median", wide, 1.5, ln(wide, 2),
                    f" (n = {len(mine)})")  # fmt: skip


def _speed(page: str) -> Iterator[Goal]:
    """As docs/performance.md has it."""
    rate = re.search(r"time, memory, cost, energy \|.*\| ([\d.]+) M \|", page)
    space = re.search(r"\| ([\d,]+) settings, everything included \| ([\d.]+) \|", page)
    if rate:
        yield Goal(what="plans priced per CPU-second (docs/performance.md)", wanted="≥ 5 M", figure=f"{rate[1]} M",
                   met=float(rate[1]) >= 5)  # fmt: skip
    if space:
        what = f"CPU-seconds for {space[1]} settings (docs/performance.md)"
        yield Goal(what=what, wanted="Calculon: 8.5 h", figure=space[2], met=None)
