"""How fast each candidate does each kind of work, by the best that is known: measured, published, stated, predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assay.api.jobs import job_of_work
from assay.api.predicting import best
from assay.decision import Rate
from assay.errors import InputError, TooLarge
from assay.hardware import System
from assay.pilot import Candidate, Pilot, Work
from assay.result import Result, Value

_ORDER = ("measured", "published", "stated", "predicted")

Measured = Mapping[tuple[str, str], Rate]  # (candidate, workload) -> what runs of the work itself have shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """What is known of one candidate's speed; `refused` says why work does not fit on it, `notes` why it is unknown."""

    rates: tuple[Rate, ...] = ()
    results: tuple[Result, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def rated(
    pilot: Pilot, candidate: Candidate, system: System | None, measured: Measured, beside: Path,
    folders: Sequence[Path] = (),
) -> Rated:  # fmt: skip
    """The best known rate of every kind of work, and our prediction of it where there is one."""
    rates, results, refused, notes = list[Rate](), list[Result](), dict[str, str](), list[str]()
    for work in pilot.workloads:
        told = [rate for rate in (measured.get((candidate.name, work.name)), *_stated(pilot, candidate, work)) if rate]
        found = _predicted(work, system, beside, folders)
        if isinstance(found, Result):
            results.append(found)
            told.append(_rate(work, found))
        elif isinstance(found, TooLarge):
            refused[work.name] = str(found)
        elif not told:
            notes.append(f"{work.name}: {found}")
        if told:
            rates.append(min(told, key=lambda rate: _ORDER.index(rate.origin)))
    return Rated(rates=tuple(rates), results=tuple(results), refused=refused, notes=tuple(notes))


def _stated(pilot: Pilot, candidate: Candidate, work: Work) -> list[Rate]:
    return [
        Rate(
            workload=work.name, metric=figure.metric, origin=figure.origin,
            value=Value(mean=figure.value.value, low=figure.value.low, high=figure.value.high,
                        evidence="B" if figure.origin == "published" else "D"),
            source=", ".join(filter(None, (figure.value.source, figure.value.date))), note=figure.value.note,
        )
        for figure in pilot.figures
        if figure.metric == work.rate and figure.candidate == candidate.name and figure.workload == work.name
    ]  # fmt: skip


def _predicted(
    work: Work, system: System | None, beside: Path, folders: Sequence[Path]
) -> Result | InputError | TooLarge:  # fmt: skip
    """Our prediction of a job on one cluster, or why there is none."""
    if system is None:
        return InputError("a machine that the catalog does not know is measured, not predicted")
    if work.task == "serve":
        return InputError("serving is measured, not predicted yet")
    if not work.model:
        return InputError("no model is named: it is measured, not predicted")
    try:
        return best(job_of_work(work, beside, folders).workload, system, folders=folders)[0]
    except InputError as error:
        return error


def _rate(work: Work, result: Result) -> Rate:
    return Rate(
        workload=work.name, metric=work.rate, value=result.values[work.rate], origin="predicted",
        source=f"assay predict, class {result.evidence}", bound=result.bound, note=str(result.plan),
    )  # fmt: skip
