"""One metric of a run's own over time as a pane: samples or lines, warm-up, cases, median and tails, troubles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from assay.metrics import metric
from assay.report.buckets import Curve, fold
from assay.report.chart import Layout
from assay.report.panes import DASHES, HUES, Dots, Level, Pane, Span, Stroke
from assay.report.run_study import RunStudy, case_name
from assay.report.run_text import axis_of, said
from assay.report.study import real
from assay.report.timelines import bands, numbered
from assay.report.tracks import Track, domain, several, tips
from assay.series import Series
from assay.summary import Figure, settled_at

if TYPE_CHECKING:
    from assay.observed import Trouble

FEW = 400  # samples that are drawn as points
TAILS = (("median", "value"), ("p90", "p90"), ("p99", "p99"))  # each with the dash of its place
_LOG_FROM = 8.0  # times the median: a spike that would flatten all the rest


class Part(NamedTuple):
    """One case of a metric: its ranks as curves, and its series."""

    case: str
    ranks: Mapping[str, Curve]
    series: tuple[Series, ...]

    @property
    def samples(self) -> int:
        """Samples of all its ranks."""
        return sum(map(len, self.series))


class Strip(NamedTuple):
    """One metric over time, of all cases that are shown."""

    metric: str
    parts: tuple[Part, ...]
    requests: bool  # between two of them there is nothing to join
    timed: bool  # its median and tails are drawn
    first: bool  # it names what happened

    @property
    def dotted(self) -> bool:
        """Whether samples are drawn one by one."""
        return self.requests or sum(part.samples for part in self.parts) <= FEW

    @property
    def thinned(self) -> bool:
        """Whether some case has too many for that, and is a line."""
        return self.dotted and any(part.samples > FEW for part in self.parts)


def pane(study: RunStudy, strip: Strip, odd: Sequence[str], layout: Layout) -> Pane:
    """A strip as it is drawn for a page or a phone."""
    tracks = [Track(strip.metric, fold(part.ranks)) for part in strip.parts]
    low, high = domain(tracks, zero=False)
    least = min(float(t.found.middle.low.min()) for t in tracks)
    usual = max((f.value for f in study.figures if f.metric.name == strip.metric), default=0.0)
    log = strip.timed and high > _LOG_FROM * usual > 0 and least > 0
    ends = (0.9 * least, high) if log else (min(0.0, least) if least < 0.6 * high else low, high)
    told, name = axis_of(strip.metric, max(map(abs, ends))), metric(strip.metric).title
    words = [tip for t in tracks for tip in tips([t], name, study.length_s, layout)]
    return Pane(
        title=told.title(name) + (", log scale" if log else ""), scale=told, domain=ends, log=log,
        strokes=_strokes(strip, odd, layout), dots=_dots(strip), levels=levels(study, strip),
        spans=(*_spans(study, strip, layout), *_troubles(strip, numbered(study), layout)),
        tips=tuple(tip for tip in words if not tip[2].endswith("no reading")),
    )  # fmt: skip


def _strokes(strip: Strip, odd: Sequence[str], layout: Layout) -> tuple[Stroke, ...]:
    drawn = [part for part in strip.parts if not strip.dotted or part.samples > FEW]
    return tuple(stroke for part in drawn for stroke in several(part.ranks, odd, layout))


def _dots(strip: Strip) -> tuple[Dots, ...]:
    """Each sample, those of the warm-up hollow."""
    import numpy as np

    found = []
    for part in strip.parts if strip.dotted else ():
        for place, s in enumerate(part.series if part.samples <= FEW else ()):
            token = HUES[min(place, len(HUES) - 1)]
            good = np.isfinite(s.value) & np.isfinite(s.at_s)
            kept, early = good & ~s.warmup, good & s.warmup
            found.append(Dots(at_s=s.at_s[kept], value=s.value[kept], token=token))
            found.append(Dots(at_s=s.at_s[early], value=s.value[early], token="faint", hollow=True))
    return tuple(d for d in found if len(d.at_s))


def levels(study: RunStudy, strip: Strip) -> tuple[Level, ...]:
    """Median and tails, each over the stretch it was made of; with words where there is one case only."""
    named, found = len(strip.parts) == 1, []
    for part in strip.parts if strip.timed else ():
        told = figure_of(study, part.case, strip.metric)
        if told is None:
            continue
        begin, end = warm_until(part.series), max(float(s.at_s[-1]) for s in part.series)
        for (word, field), dash in zip(TAILS, DASHES, strict=False):
            value = getattr(told, field)
            if value is not None and real(value) and (named or word != "p90"):
                label = f"{word} {said(value, strip.metric)}" if named else ""
                found.append(Level(value=value, label=label, dash=dash, begin_s=begin, end_s=end))
    return tuple(found)


def figure_of(study: RunStudy, case: str, name: str) -> Figure | None:
    """One figure of a run, where it has it."""
    return next((f for f in study.figures if f.case == case and f.metric.name == name), None)


def warm_until(series: Sequence[Series]) -> float:
    """When the slowest rank had warmed up; where none had to, or none settled, when the first sample was taken."""
    return max(settled_at(series, "")[0], min(float(s.at_s[0]) for s in series))


def _spans(study: RunStudy, strip: Strip, layout: Layout) -> list[Span]:
    """The warm-up, and which case was under way."""
    found, words = list[Span](), strip.first and not layout.narrow
    for place, part in enumerate(strip.parts):
        begin, end = min(float(s.at_s[0]) for s in part.series), max(float(s.at_s[-1]) for s in part.series)
        warm = warm_until(part.series) if strip.timed and not strip.requests else begin
        if warm > begin:
            found.append(Span(begin_s=begin, end_s=warm, label="warm-up" if words else "", token="wait-2", opacity=0.25,
                              tip="warm-up, left out of every figure"))  # fmt: skip
        if len(strip.parts) > 1:
            found.append(Span(begin_s=begin, end_s=end, label=case_name(part.case) if words else "", token="wait-2",
                              opacity=0.14 if place % 2 else 0.0, tip=case_name(part.case)))  # fmt: skip
    return found


def _troubles(strip: Strip, troubles: Sequence[tuple[int, Trouble]], layout: Layout) -> list[Span]:
    """On the first pane of the time everything that cost time; else what the metric itself shows."""
    told = [(i, t) for i, t in troubles if t.lost_s] if strip.timed and strip.first else []
    names = {strip.metric} | {n for _, t in told for n in t.metrics}
    return bands(told or troubles, sorted(names), layout, words=strip.first)
