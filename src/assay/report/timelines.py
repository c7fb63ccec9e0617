"""Devices over time: which sensors stand in which pane, and how those of several devices become a few lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from assay.metrics import known, metric
from assay.observed import Trouble
from assay.report import sparks
from assay.report.axes import Spec
from assay.report.buckets import Curve, curve, fold, is_share
from assay.report.chart import Key, Layout, chart
from assay.report.panes import DASHES, HUES, Level, Pane, Span, Stroke
from assay.report.plotted import panes
from assay.report.run_study import RunStudy
from assay.report.run_text import axis_of, reach, said
from assay.report.sections import Figure
from assay.report.study import clean
from assay.report.text import capital, listed
from assay.report.tracks import KEYS, Track, domain, fitted, legend, several, table, tips, traces

BANDS = 6  # troubles that a pane is shaded for, the most costly
# Troubles of the readings and not of the work: grey, and without a number.
OF_READINGS = frozenset({"gap", "bad reading", "unit change", "counter reset", "clock", "noise", "dead sensor"})


class Line(NamedTuple):
    """One quantity: the first of these metrics that was read."""

    metrics: tuple[str, ...]
    name: str = ""  # where a pane has several


class Row(NamedTuple):
    """A pane: what it shows, and what it may not exceed."""

    title: str
    lines: tuple[Line, ...]
    limit: str = ""  # the metric that says it
    zero: bool = False  # the axis begins at zero


class Sheet(NamedTuple):
    """The panes of one figure."""

    id: str
    title: str
    rows: tuple[Row, ...]
    noun: str = "device"


def _row(name: str, *, limit: str = "", zero: bool = False, title: str = "") -> Row:
    return Row(title or metric(name).title, (Line((name,)),), limit, zero)


def _both(title: str, stem: str) -> Row:
    ways = (("rx", "received"), ("tx", "sent"))
    told = {w: [n for n in (f"{stem}.{w}_bytes_per_s", f"{stem}.{w}_bytes") if n in known()] for w, _ in ways}
    return Row(title, tuple(Line(tuple(told[w]), name) for w, name in ways), zero=True)


def sheets() -> tuple[Sheet, ...]:
    """All figures over time that sensors can fill, in reading order."""
    held = (Line(("accel.throttle.thermal",), "by heat"), Line(("accel.throttle.power",), "by power"))
    waits = (Line(("host.cpu.iowait",), "waiting for storage"), Line(("host.cpu.steal",), "stolen by the hypervisor"))
    disk = (Line(("host.disk.read_bytes",), "read"), Line(("host.disk.write_bytes",), "written"))
    net = (Line(("host.net.rx_bytes",), "received"), Line(("host.net.tx_bytes",), "sent"))
    return (
        Sheet("utilization", "How busy devices were, and with what", (
            _row("accel.busy"), _row("accel.core.active"), _row("accel.matrix.active"), _row("accel.memory.active"),
        )),
        Sheet("power", "Power, heat and clock", (
            _row("accel.power_w", limit="accel.power.limit_w", zero=True), _row("accel.temp.core_celsius"),
            _row("accel.temp.mem_celsius"), _row("accel.clock.core_hz"),
            Row("share of devices throttled", held, zero=True),
        )),
        Sheet("device-memory", "Device memory", (
            _row("accel.mem.used_bytes", limit="accel.mem.total_bytes", zero=True),
        )),
        Sheet("links", "Link traffic", (_both("PCIe", "link.pcie"), _both("fabric", "link.fabric"))),
        Sheet("host", "The host", (
            _row("host.cpu.busy"), Row("processor time lost", waits, zero=True),
            _row("host.mem.used_bytes", limit="host.mem.total_bytes", zero=True),
            _row("proc.cpu_s", zero=True, title="processors kept busy by the command"),
            _row("proc.mem.used_bytes", zero=True), Row("storage", disk, zero=True), Row("network", net, zero=True),
        ), "host"),
    )  # fmt: skip


def sensors() -> tuple[str, ...]:
    """Every metric that the pages of a run draw: what is to be loaded of a day of readings."""
    rows = [row for sheet in sheets() for row in sheet.rows]
    return tuple(dict.fromkeys(n for r in rows for n in (*(m for o in r.lines for m in o.metrics), r.limit) if n))


def timelines(study: RunStudy) -> list[Figure]:
    """The figures that have something to show."""
    return [figure for sheet in sheets() if (figure := _figure(study, sheet)) is not None]


class _Filled(NamedTuple):
    row: Row
    tracks: list[Track]
    limit: Curve | None


def _figure(study: RunStudy, sheet: Sheet) -> Figure | None:
    rows = [found for row in sheet.rows if (found := _filled(study, row)) is not None]
    if not rows:
        return None
    odd, names = _odd(rows), _names(rows)
    troubles = numbered(study)

    def build(layout: Layout) -> Spec:
        return panes([_pane(study, f, odd, troubles, layout) for f in rows], study.length_s, layout)

    keys = legend(names, odd, sheet.noun)
    told = chart(
        sheet.id, sheet.title, _alt(rows, odd), build, keys=[*keys, *_more_keys(rows)], caption=_caption(study, rows)
    )
    columns = [(_column(f.row, t), t) for f in rows for t in f.tracks]
    return Figure(
        told, table(f"{sheet.id}-table", f"{sheet.title}, over time", columns, study.length_s),
        _single(sheet, rows, names),
    )  # fmt: skip


def _filled(study: RunStudy, row: Row) -> _Filled | None:
    tracks = []
    for line in row.lines:
        name = next((n for n in line.metrics if any(s.metric == n and len(s) for s in study.telemetry)), None)
        each = _curves(study, name) if name else {}
        if name and each:
            state = metric(name).kind == "state"
            tracks.append(Track(name, fold(each, _suspects(study, name), mean=state), line.name))
    if not tracks or (row.lines[0].name and all(not t.found.middle.high.any() for t in tracks)):
        return None  # several quantities that were nothing all the time are not worth a pane
    limits = _curves(study, row.limit) if row.limit else {}
    return _Filled(row, tracks, fold(limits).middle if limits else None)


def _curves(study: RunStudy, name: str) -> dict[str, Curve]:
    found, called = dict[str, Curve](), study.devices
    for series in study.telemetry:
        if series.metric == name and (one := curve(series, study.length_s)) is not None:
            found[called.get(series.of) or clean(series.of)] = one
    return found


def _suspects(study: RunStudy, name: str) -> list[str]:
    called = study.devices
    return [called[t.of] for t in study.observation.troubles if name in t.metrics and t.of in called]


def _names(rows: Sequence[_Filled]) -> list[str]:
    """Whose lines a reader has to tell apart: those of the pane that has most."""
    return max(([*t.found.each] for f in rows for t in f.tracks), key=len)


def _odd(rows: Sequence[_Filled]) -> list[str]:
    """Two devices at most that stand out in some pane; they are drawn in all of them, in one colour each."""
    firsts = [t.found.odd[i] for i in (0, 1) for f in rows for t in f.tracks if len(t.found.odd) > i]
    return list(dict.fromkeys(firsts))[:2]


def numbered(study: RunStudy) -> list[tuple[int, Trouble]]:
    """Troubles with the number they have in the table."""
    return list(enumerate(study.observation.troubles, start=1))


def bands(
    troubles: Sequence[tuple[int, Trouble]], metrics: Sequence[str], layout: Layout, *, words: bool
) -> list[Span]:
    """The stretches of the troubles that these metrics show."""
    found = [(i, t) for i, t in troubles if set(metrics) & set(t.metrics)][:BANDS]
    return [_band(i, t, words=words and not layout.narrow) for i, t in found]


def _band(place: int, t: Trouble, *, words: bool) -> Span:
    """A trouble of the readings says what happened only where it is pointed at."""
    name, begin, end = f"{place} {clean(t.kind)}", t.window.begin_s, t.window.end_s
    if t.kind in OF_READINGS:
        return Span(begin_s=begin, end_s=end, label="", tip=name, token="wait-2", opacity=0.2)
    return Span(begin_s=begin, end_s=end, label=name if words else str(place), tip=name)


def _pane(
    study: RunStudy, f: _Filled, odd: Sequence[str], troubles: Sequence[tuple[int, Trouble]], layout: Layout
) -> Pane:  # fmt: skip
    names = [t.metric for t in f.tracks]
    shares = all(map(is_share, names)) and not f.row.zero
    most = max(float(f.limit.high.max()), 0.0) if f.limit is not None else 0.0
    ends = (0.0, 1.0) if shares else domain(f.tracks, zero=f.row.zero, least=1.06 * most or _least(names))
    if metric(names[0]).kind == "state":  # how many of them, and not whether there was one
        ends = (0.0, max(0.05, *(1.06 * float(t.found.middle.mid.max()) for t in f.tracks)))
    told = axis_of(names[0], max(map(abs, ends)))
    one = len(f.tracks) == 1
    return Pane(
        title=_titled(f.row, f.tracks, told.symbol), scale=told, domain=ends,
        strokes=tuple(several(f.tracks[0].found.each, odd, layout) if one else traces(f.tracks, layout))
        + ((_limit(fitted(f.limit, layout)),) if f.limit is not None else ()),
        levels=() if f.limit is None else (_ceiling(f.row.limit, float(f.limit.mid[-1]), study.length_s),),
        spans=tuple(bands(troubles, names, layout, words=False)),
        tips=tuple(tips(f.tracks, f.row.title, study.length_s, layout)),
    )  # fmt: skip


def _limit(c: Curve) -> Stroke:
    return Stroke(at_s=c.at_s, mid=c.mid, joined=c.joined, token="muted", dash=DASHES[3], width=1.2)


def _ceiling(name: str, value: float, length_s: float) -> Level:
    """The name of a limit, at its end."""
    return Level(value=value, label="all there is" if name.endswith("total_bytes") else "limit", begin_s=length_s)


def _least(names: Sequence[str]) -> float:
    return 0.05 if all(map(is_share, names)) else 0.0


def _titled(row: Row, tracks: Sequence[Track], symbol: str) -> str:
    what = (
        f"{row.title}: {' and '.join(t.name for t in tracks)}" if len(row.lines) > 1 and len(tracks) == 1 else row.title
    )
    return what if symbol in ("", "%") else f"{what} ({symbol})"


def _column(row: Row, track: Track) -> str:
    return capital(f"{row.title}, {track.name}" if track.name else row.title)


def _more_keys(rows: Sequence[_Filled]) -> list[Key]:
    """Panes of several quantities say what each line is."""
    pairs = [
        Key(f"{f.row.title}: {t.name}", HUES[i], KEYS[i])
        for f in rows if len(f.tracks) > 1 for i, t in enumerate(f.tracks)
    ]  # fmt: skip
    limited = [Key("limit, or all there is", "muted", "dashdot")] if any(f.limit is not None for f in rows) else []
    return [*pairs, *limited]


def _caption(study: RunStudy, rows: Sequence[_Filled]) -> str:
    names = {t.metric for f in rows for t in f.tracks}
    mine = [(i, t) for i, t in numbered(study) if names & set(t.metrics)]
    gaps = sum(t.found.middle.short_gaps for f in rows for t in f.tracks)
    wrong = sum(t.found.middle.left_out for f in rows for t in f.tracks)
    said = [shaded(mine)]
    said.append(f"{gaps:,} gaps are too short to be seen at this width." if gaps else "")
    said.append(f"{wrong:,} readings that no sensor can mean are left out." if wrong else "")
    return " ".join(filter(None, said))


def shaded(found: Sequence[tuple[int, Trouble]]) -> str:
    """What the bands of a chart are, in words."""
    red = listed([f"{i} {clean(t.kind)}" for i, t in found if t.kind not in OF_READINGS][:BANDS])
    grey = listed([f"{i} {clean(t.kind)}" for i, t in found if t.kind in OF_READINGS][:BANDS])
    said = [f"Red: {red}." if red else "", f"Grey: {grey}." if grey else ""]
    return " ".join(filter(None, said)) + (" What they were is under Troubles." if red or grey else "")


def _alt(rows: Sequence[_Filled], odd: Sequence[str]) -> str:
    parts = []
    for f in rows:
        for t in f.tracks:
            c = t.found.middle
            ends = reach(float(c.low.min()), float(c.high.max()), t.metric)
            parts.append(f"{t.name or f.row.title} {said(float(c.mid.mean()), t.metric)} on average ({ends})")
    return "; ".join(parts) + (f". Unlike the others: {listed(list(odd))}." if odd else ".")


def _single(sheet: Sheet, rows: Sequence[_Filled], names: Sequence[str]) -> Figure | None:
    """Each device for itself, where there are too many for one pane."""
    columns = [_small(f) for f in rows if len(f.tracks) == 1]
    if len(names) <= len(KEYS) or not columns:
        return None
    drawn = sparks.sparks(f"{sheet.id}-each", f"{sheet.title}: each {sheet.noun}", columns, names)
    return Figure(drawn, sparks.sparks_table(f"{sheet.id}-each-table", columns, names))


def _small(f: _Filled) -> sparks.Small:
    name = f.tracks[0].metric
    ends = (0.0, 1.0) if is_share(name) else domain(f.tracks, zero=False)
    return sparks.Small(f.row.title, name, f.tracks[0].found.each, ends)
