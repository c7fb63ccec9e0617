"""What of a run is judged: the figures that stand for it, case by case, from where each case had warmed up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from assay.errors import InputError, did_you_mean
from assay.goodput import goodput, levels
from assay.metrics import Metric, metric
from assay.run import SOUGHT, Case, Run
from assay.series import finite
from assay.summary import RATES, TIME, figures, main_time, settled_at

if TYPE_CHECKING:
    from assay.series import Floats, Series

RATE = "flop_per_s"
WALL = "wall_s"  # the command as a whole, from its start to its end
# Judged besides the time of each case; whatever else a run holds is there to be looked at.
_JUDGED = ("ttft_s", "tpot_s", "request_s", "goodput_requests_per_s", "memory_reserved_bytes", "memory_allocated_bytes")
# What no sample holds, but work and time, or a load as a whole, come to.
_DERIVED = (*RATES.values(), "requests_per_s", "goodput_requests_per_s")


def demand(run: Run, metrics: Sequence[str]) -> None:
    """InputError where a run has no figure of a metric that somebody asked for; says which there are."""
    there = {name for _, name in figures_of(run, metrics)} if metrics else set()
    for name in metrics:
        if name not in there:
            known = dict.fromkeys((*(s.metric for s in run.series), *_DERIVED, WALL))
            names = sorted({figure for _, figure in figures_of(run, list(known))})
            near, others = did_you_mean(name, names), f"there are {', '.join(names)}"
            hint = f"{near} ({others})" if near else others
            raise InputError(f'run {run.id[:8]} has no figure "{name}"', where="--metric", hint=hint)


def figures_of(run: Run, metrics: Sequence[str]) -> dict[tuple[str, str], dict[str, float]]:
    """(case, metric) -> figure -> its value in this run."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    cases = {case.name: case for case in run.cases}
    for case in dict.fromkeys(s.of for s in run.series):
        ranks = finite(s for s in run.series if s.of == case)
        known = _of_case(run, cases.get(case, Case(name=case, kind="")), ranks, metrics)
        found |= {(case, name): told for name, told in known.items()}
    asked = set(RATES.values()) & set(metrics)
    for figure in figures(run) if asked else ():  # Σwork/Σtime: no sample holds it
        if figure.metric.name in asked:
            found.setdefault((figure.case, figure.metric.name), {"whole": figure.value})
    if run.duration_s > 0 and (not metrics or WALL in metrics):
        found["", WALL] = {"whole": run.duration_s}
    return found


def _of_case(run: Run, case: Case, ranks: Sequence[Series], metrics: Sequence[str]) -> dict[str, dict[str, float]]:
    """What one case came to: metric -> figure -> value."""
    if case.kind in SOUGHT and case.flop:  # of another shape in each run: its time says nothing, its rate does
        times = _of_samples(ranks, case.kind, (TIME,)).get(TIME, {})
        rates = {name: case.flop / value for name, value in times.items()}
        return {RATE: rates} if rates and (not metrics or RATE in metrics) else {}
    return _of_samples(ranks, case.kind, metrics) | (_of_load(run, ranks, metrics) if case.kind == "request" else {})


def _of_samples(ranks: Sequence[Series], kind: str, metrics: Sequence[str]) -> dict[str, dict[str, float]]:
    """What the samples of one case come to, from where the case had warmed up: metric -> figure -> value."""
    begins_s, _ = settled_at(ranks, kind)
    names = [s.metric for s in ranks]
    wanted = metrics or [m for m in (main_time(names), *_JUDGED) if m]
    found = {}
    for name in dict.fromkeys(n for n in wanted if n in names):
        parts = [s.value[(s.at_s >= begins_s) & ~s.warmup] for s in ranks if s.metric == name]
        if told := _of_run(metric(name), [kept for kept in parts if len(kept)]):
            found[name] = told
    return found


def _of_load(run: Run, ranks: Sequence[Series], metrics: Sequence[str]) -> dict[str, dict[str, float]]:
    """What a load on a server came to, which no single request can say: one figure a run."""
    asked = levels(run.settings)
    told = goodput(ranks, **asked)
    if told is None:
        return {}
    rates = {"requests_per_s": told.requests_per_s, "output_tokens_per_s": told.output_tokens_per_s}
    if asked:  # ratios need a figure above nothing: where not one request was good, half of one is said to have been
        rates["goodput_requests_per_s"] = told.goodput_requests_per_s or 0.5 / told.window_s
    names = {s.metric for s in ranks}
    return {n: {"whole": rate} for n, rate in rates.items() if n in (metrics or _JUDGED) and n not in names}


def _of_run(told: Metric, ranks: Sequence[Floats]) -> dict[str, float]:
    """The figures that can stand for a run; of times also the fast ones, which others' work disturbs least."""
    import numpy as np

    if not ranks:
        return {}
    if told.kind == "time":
        folds = {"fastest": 0.0, "low": 0.1, "median": 0.5}
        return {name: max(float(np.quantile(kept, q)) for kept in ranks) for name, q in folds.items()}
    if told.kind == "rate":
        return {"whole": sum(len(kept) / float(np.sum(1 / kept)) for kept in ranks if np.all(kept > 0))}
    if told.unit == "bytes":
        return {"whole": max(float(kept.max()) for kept in ranks)}
    return {"median": float(np.mean([np.median(kept) for kept in ranks]))}
