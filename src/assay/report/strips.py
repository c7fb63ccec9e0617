"""What a run said of itself over time: its steps or requests, what they waited for, its loss, its memory."""

from __future__ import annotations

from collections.abc import Sequence

from assay.metrics import metric
from assay.report.axes import Spec
from assay.report.buckets import curve, fold
from assay.report.chart import Key, Layout, chart
from assay.report.clock import clock, digits_for
from assay.report.panes import DASHES
from assay.report.plotted import panes
from assay.report.run_study import RunStudy, case_name
from assay.report.run_text import level, reach, said
from assay.report.sections import Figure
from assay.report.strip_panes import FEW, TAILS, Part, Strip, figure_of, levels, pane
from assay.report.table import Cell, Column, Table, figures
from assay.report.text import listed
from assay.report.timelines import numbered, shaded
from assay.report.tracks import KEYS, Track, legend, table
from assay.series import Series
from assay.summary import TIMES

REQUESTS = ("ttft_s", "tpot_s", "request_s")
_PARTS = ("input_wait_s", "communication_s", "checkpoint_s")
_LEARNING = ("loss", "eval_loss")
_MEMORY = ("memory_reserved_bytes", "memory_allocated_bytes", "memory_resident_bytes")
_TALL = 130.0  # of the first pane: it is what the run is about
_LISTED = 60  # samples that are written out one by one
_LONG_S = 30.0  # a case that went on for so long is one to look at over time
_MOST_CASES = 24


def strips(study: RunStudy) -> list[Figure]:
    """The run's own series over time: times first, then learning, then memory."""
    shown = _cases(study)
    requests = any(study.case(name).kind == "request" for name in shown)
    series = [s for s in study.run.series if s.of in shown and len(s)]
    times = [n for n in (REQUESTS if requests else TIMES) if any(s.metric == n for s in series)]
    timed = times if requests else times[:1]  # those whose median and tails are drawn
    waits = [n for n in _PARTS if any(s.value.any() for s in series if s.metric == n)]
    title = (
        "Latency of each request"
        if requests
        else "Time of each repetition"
        if timed == ["time_s"]
        else "Time of each step"
    )
    title += ", and what it waited for" if waits else ""
    groups = (
        ("steps-time", title, [*timed, *waits]), ("learning", "Learning", _LEARNING),
        ("stream-memory", "Memory, as the program tells it", _MEMORY),
    )  # fmt: skip
    found = [
        (key, title, {n: parts for n in names if (parts := _parts(study, series, n))}) for key, title, names in groups
    ]
    return [
        _figure(study, key, title, [
            Strip(name, parts, requests, name in timed, place == 0) for place, (name, parts) in enumerate(names.items())
        ]) for key, title, names in found if names
    ]  # fmt: skip


def _cases(study: RunStudy) -> list[str]:
    """Cases that are steps or requests, or that went on for long, in the order of the run."""
    spans: dict[str, float] = {}
    for s in study.run.series:
        if s.metric in (*TIMES, *_LEARNING) and len(s):
            spans[s.of] = max(spans.get(s.of, 0.0), float(s.at_s[-1] - s.at_s[0]))
    found = [n for n, span in spans.items() if study.case(n).kind in ("step", "request", "") or span >= _LONG_S]
    return found if len(found) <= _MOST_CASES else []


def _parts(study: RunStudy, series: Sequence[Series], name: str) -> tuple[Part, ...]:
    parts = []
    for case in dict.fromkeys(s.of for s in series):
        mine = tuple(s for s in series if s.of == case and s.metric == name)
        curves = {f"rank {s.rank}": c for s in mine if (c := curve(s, study.length_s)) is not None}
        if curves:
            parts.append(Part(case, curves, mine))
    return tuple(parts)


def _figure(study: RunStudy, key: str, title: str, found: Sequence[Strip]) -> Figure:
    odd = _odd(found)

    def build(layout: Layout) -> Spec:
        drawn = [pane(study, strip, odd, layout) for strip in found]
        return panes(drawn, study.length_s, layout, first=_TALL)

    told = chart(
        key, title, _alt(study, found), build, keys=_keys(study, found, odd), caption=_caption(study, found)
    )  # fmt: skip
    return Figure(told, _table(study, f"{key}-table", title, found))


def _odd(found: Sequence[Strip]) -> list[str]:
    folded = [fold(part.ranks).odd for strip in found for part in strip.parts]
    return list(dict.fromkeys(odd[i] for i in (0, 1) for odd in folded if len(odd) > i))[:2]


def _keys(study: RunStudy, found: Sequence[Strip], odd: Sequence[str]) -> list[Key]:
    keys, dotted = list[Key](), [strip for strip in found if strip.dotted]
    if dotted:
        keys.append(Key("one request" if dotted[0].requests else "one sample", "accent", "circle"))
    few = [s for strip in dotted for part in strip.parts if part.samples <= FEW for s in part.series]
    if any(s.warmup.any() for s in few):
        keys.append(Key("one of the warm-up", "faint", "ring"))
    if len(dotted) < len(found) or any(strip.thinned for strip in dotted):
        ranks = dict.fromkeys(rank for strip in found for part in strip.parts for rank in part.ranks)
        keys += legend(list(ranks), odd, "rank")
    drawn = [level for strip in found for level in levels(study, strip)]
    lines = {level.dash: level.label for level in reversed(drawn)}
    words = zip(TAILS, DASHES, KEYS, strict=False)
    return keys + [Key(lines[dash] or word, "muted", shape) for (word, _), dash, shape in words if dash in lines]


def _caption(study: RunStudy, found: Sequence[Strip]) -> str:
    names, timed = {strip.metric for strip in found}, any(strip.timed for strip in found)
    shown = [(i, t) for i, t in numbered(study) if (timed and t.lost_s) or names & set(t.metrics)]
    odd = list(dict.fromkeys(case_name(f.case) for f in study.figures if not f.steady and f.metric.name in names))
    never = f"Never settled: {listed(odd, 4)}; no figure of it is to be trusted." if odd else ""
    return " ".join(filter(None, (shaded(shown), never)))


def _together(strip: Strip) -> Track:
    """All cases and ranks of a metric as one: only for words and tables."""
    ranks = {f"{part.case} {rank}": one for part in strip.parts for rank, one in part.ranks.items()}
    return Track(strip.metric, fold(ranks))


def _alt(study: RunStudy, found: Sequence[Strip]) -> str:
    said_ = []
    for strip in found:
        c = _together(strip).found.middle
        told = [f for part in strip.parts if (f := figure_of(study, part.case, strip.metric)) is not None]
        usual = told[0].value if told else float(c.mid.mean())
        ends = reach(float(c.low.min()), float(c.high.max()), strip.metric)
        said_.append(f"{metric(strip.metric).title} {said(usual, strip.metric)}, from {ends}")
    return "; ".join(said_) + "."


def _table(study: RunStudy, id: str, title: str, found: Sequence[Strip]) -> Table:  # noqa: A002
    """Few samples one by one, many by stretches of time."""
    series = [s for strip in found for part in strip.parts for s in part.series]
    if len({s.rank for s in series}) == 1 and max(map(len, series)) <= _LISTED:
        return _one_by_one(id, title, found)
    columns = [(metric(strip.metric).title, _together(strip)) for strip in found]
    return table(id, f"{title}, by stretches of time", columns, study.length_s)


def _one_by_one(id: str, title: str, found: Sequence[Strip]) -> Table:  # noqa: A002
    rows: dict[tuple[str, int], dict[str, tuple[float, float, bool]]] = {}
    for strip in found:
        for part in strip.parts:
            for sample in part.series[0]:
                told = (sample.at_s, sample.value, sample.warmup)
                rows.setdefault((part.case, sample.index), {})[strip.metric] = told
    ends = [at for row in rows.values() for at, _, _ in row.values()]
    digits = digits_for((max(ends) - min(ends)) / max(1, len(rows)))
    columns = [figures(metric(strip.metric).title, strip.metric) for strip in found]
    heads = (Column("Case", "case"), figures("Sample", "index"), figures("Read at", "at_s"), *columns,
             Column("Counts", "counts"))  # fmt: skip
    body = []
    for (case, index), row in rows.items():
        at, _, warmup = next(iter(row.values()))
        cells = [level(row[s.metric][1] if s.metric in row else None, None, None, s.metric) for s in found]
        body.append((Cell(case_name(case)), Cell(str(index), sort=index), Cell(clock(at, digits), sort=at), *cells,
                     Cell("no, warm-up" if warmup else "yes")))  # fmt: skip
    return Table(id=id, caption=f"{title}, sample by sample", columns=heads, rows=tuple(body))
