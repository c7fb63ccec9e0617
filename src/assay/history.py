"""A history of like runs: when a figure changed for good, and whether the newest ones are part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from assay import stats
from assay.errors import InputError
from assay.judged import WALL, figures_of
from assay.likeness import differences
from assay.metrics import Metric, metric
from assay.run import Run

# "changed": of a metric of which neither more nor less is better.
Said = Literal["worse", "better", "changed", "steady", "unconfirmed", "too short"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A lasting change: from this run on."""

    run: str
    started: str
    commit: str
    ratio: float
    sigmas: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """One metric of one case over a history of runs, oldest first."""

    case: str
    metric: Metric
    values: tuple[float, ...]  # in the metric's unit
    runs: tuple[str, ...]
    turns: tuple[Turn, ...]
    verdict: Said
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Every metric that is judged, over the runs that are like the newest."""

    trends: tuple[Trend, ...]
    runs: int
    left_out: int  # runs that are unlike the newest
    why: str = ""  # what made most of them unlike
    skipped: tuple[str, ...] = ()  # runs that could not be read, each with its reason

    @property
    def worse(self) -> tuple[Trend, ...]:
        """What is worse now than before its last change."""
        return tuple(t for t in self.trends if t.verdict == "worse")


def judge(
    runs: Sequence[Run], metrics: Sequence[str] = (), *, allow: Sequence[str] = (), least: float = stats.LEAST
) -> History:
    """Lasting changes in the runs that are like the newest one; a change counts once EDGE runs have confirmed it."""
    ordered = sorted(runs, key=lambda r: r.started)
    if not ordered:
        raise InputError("there are no runs to judge", hint="measure some: assay measure -- COMMAND")
    newest, alike, reasons = ordered[-1], list[Run](), list[str]()
    for run in ordered:
        unlike = [d for d in differences([newest], [run])[0] if d.key not in allow]
        if unlike or run.command[-1:] != newest.command[-1:] or run.name != newest.name:
            reasons.append(unlike[0].key if unlike else "command")
        elif not run.partial:
            alike.append(run)
    tables = [figures_of(run, metrics) for run in alike]
    keys = [key for key in (tables[-1] if tables else {}) if all(key in table for table in tables)]
    if any(key[1] != WALL for key in keys):
        keys = [key for key in keys if key[1] != WALL]
    trends = [_trend(case, name, alike, [table[case, name] for table in tables], least) for case, name in keys]
    why = max(set(reasons), key=reasons.count) if reasons else ""
    return History(trends=tuple(trends), runs=len(alike), left_out=len(ordered) - len(alike), why=why)


def _trend(case: str, name: str, runs: Sequence[Run], told: Sequence[dict[str, float]], least: float) -> Trend:
    chosen = "low" if all("low" in row for row in told) else next(iter(told[0]))
    values = [row[chosen] for row in told]
    known = metric(name)
    turns = tuple(_turn(runs[s.at], s) for s in stats.steps(values, least=least)) if min(values) > 0 else ()
    verdict, text = _say(known, values, turns, least)
    return Trend(
        case=case, metric=known, values=tuple(values), runs=tuple(r.id for r in runs), turns=turns, verdict=verdict,
        text=text,
    )  # fmt: skip


def _turn(run: Run, step: stats.Step) -> Turn:
    commit = str(run.environment.get("git_commit") or "")[:12]
    return Turn(run=run.id, started=run.started, commit=commit, ratio=step.ratio, sigmas=step.sigmas)


def _say(known: Metric, values: Sequence[float], turns: Sequence[Turn], least: float) -> tuple[Said, str]:
    if len(values) < 2 * stats.EDGE:
        return "too short", f"{len(values)} runs; {2 * stats.EDGE} are needed to see a lasting change"
    if not turns:
        late = _late(known, values, least)
        return ("unconfirmed", late) if late else ("steady", f"no lasting change in {len(values)} runs")
    last = turns[-1]
    grew = last.ratio > 1
    since = f"since run {last.run[:8]} of {last.started[:10]}" + (f" (commit {last.commit})" if last.commit else "")
    if known.better == "neither":
        verdict: Said = "changed"
    else:
        verdict = "better" if grew == (known.better == "higher") else "worse"
    return verdict, f"{100 * abs(last.ratio - 1):.1f} % {'more' if grew else 'less'} {since}"


def _late(known: Metric, values: Sequence[float], least: float) -> str:
    """Whether the newest run stands out, which one run alone cannot prove."""
    old, new = values[:-1], values[-1]
    middle, reach = stats.median(old), 5 * stats.spread(old)
    apart = new / middle - 1
    worse = apart > 0 if known.better != "higher" else apart < 0
    if abs(apart) > max(reach, least) and worse and known.better != "neither":
        return (
            f"the newest run is {100 * abs(apart):.1f} % {'above' if apart > 0 else 'below'} the others; measure again"
        )
    return ""
