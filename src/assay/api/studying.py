"""A study: one job on many machines, ranked, with ties declared and refusals explained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from assay import catalog
from assay.api.predicting import best
from assay.calibration import Calibration
from assay.catalog import models
from assay.codec import Fact
from assay.errors import InputError
from assay.hardware import System
from assay.report.study import Refusal
from assay.result import Result
from assay.workload import Workload

SMALL_CLUSTER = 64  # accelerators, or as near as whole nodes come


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """Results best first, which of them cannot be told from the best, and the machines that cannot do the job."""

    results: tuple[Result, ...]
    tied: tuple[int, ...]  # places in `results` that tie with the first, itself included; empty when it stands alone
    refused: tuple[Refusal, ...]
    metric: str


def compare_systems(
    job: Workload, machines: Iterable[System], *, by: str = "rent_usd", folders: Sequence[Path] = (),
    extra: Sequence[Calibration] = (), progress: Callable[[str], None] | None = None,
) -> Ranked:  # fmt: skip
    """The best plan on every machine, ranked by a metric; machines without that metric follow, by time to train."""
    results: list[Result] = []
    refused: list[Refusal] = []
    for machine in machines:
        told = _best(job, machine, folders, extra)
        if isinstance(told, Result):
            results.append(told)
        else:
            refused.append(told)
        if progress:
            progress(f"{machine.name} × {machine.nodes}")
    ranked = rank(results, by)
    return Ranked(results=tuple(ranked), tied=ties(ranked, by), refused=tuple(refused), metric=by)


def every_system(folders: Sequence[Path] = ()) -> list[System]:
    """One node of each system of the catalog, and as many as make a small cluster of it."""
    single = list(catalog.systems(folders).values())
    clusters = [s.with_nodes(ceil(SMALL_CLUSTER / s.count_per_node)) for s in single]
    return [*single, *(c for c in clusters if c.nodes > 1)]


def rank(results: Iterable[Result], by: str) -> list[Result]:
    """Smallest (or largest, where more is better) first; what has no such figure comes last, fastest first."""
    from assay.result import METRICS

    sign = -1.0 if METRICS[by].better == "higher" else 1.0

    def key(result: Result) -> tuple[bool, float, float]:
        value = result.values.get(by)
        return value is None, sign * value.mean if value else 0.0, result.step.mean

    return sorted(results, key=key)


def ties(ranked: Sequence[Result], by: str) -> tuple[int, ...]:
    """Places of the results whose figure cannot be told from the leader's."""
    if not ranked or by not in ranked[0].values:
        return ()
    best = ranked[0].values[by]
    same = tuple(i for i, r in enumerate(ranked) if by in r.values and not best.differs(r.values[by]))
    return same if len(same) > 1 else ()


def provenance(results: Iterable[Result], folders: Sequence[Path] = ()) -> dict[str, Mapping[str, Fact]]:
    """Every value behind these results with its source, by the thing it is of."""
    facts: dict[str, Mapping[str, Fact]] = {}
    for result in results:
        for name in (result.system.name, result.system.accelerator.name):
            if name not in facts:
                facts[name] = catalog.facts(name, folders)
        model = result.workload.model.name
        if model not in facts:
            try:
                facts[model] = models.facts(model, folders)
            except InputError:  # read from a file of the user's own
                facts[model] = {}
    return {name: known for name, known in facts.items() if known}


def _best(job: Workload, machine: System, folders: Sequence[Path], extra: Sequence[Calibration]) -> Result | Refusal:
    try:
        return best(job, machine, folders=folders, extra=extra)[0]
    except InputError as error:
        return Refusal(system=f"{machine.name} × {machine.nodes}", reason=str(error), vendor=machine.vendor)
