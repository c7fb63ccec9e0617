"""What a pilot's tables must say of each other: names that are there, work that has an amount, gates that can open."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from assay.api.jobs import count
from assay.api.pilot_file import Problem
from assay.catalog import checklists
from assay.decide.checklist import unknown_items
from assay.decide.rfp import unknown_answers
from assay.errors import AssayError, InputError, did_you_mean, inert, shown
from assay.files import sha256
from assay.hardware import DTYPES
from assay.metrics import known, metric
from assay.pilot import THIS_MACHINE, Gate, Pilot, Trial, Work
from assay.result import METRICS
from assay.units import parse

Problems = Iterator[Problem]

_DIGITS = 6  # of a batch


def error(key: str, what: str, hint: str = "") -> Problem:
    """What has to be put right before a decision can be made."""
    return Problem(key=key, what=what, hint=hint)


def warning(key: str, what: str, hint: str = "") -> Problem:
    """What makes the decision weaker, and no more."""
    return Problem(key=key, what=what, hint=hint, severity="warning")


def names(pilot: Pilot, beside: Path, folders: Sequence[Path]) -> Problems:
    """Every name is said once, and is the name of something."""
    yield from _twice("workloads", (one.name for one in pilot.workloads))
    yield from _twice("candidates", (one.name for one in pilot.candidates))
    yield from _twice("sites", (one.name for one in pilot.sites))
    yield from _twice("gates", (one.name for one in pilot.gates))
    yield from _twice("checklist", (one.id for one in pilot.checklist), "id")
    sites, candidates = [s.name for s in pilot.sites], [c.name for c in pilot.candidates]
    works = [w.name for w in pilot.workloads]
    for i, one in enumerate(pilot.candidates):
        yield from _system(f"candidates[{i}].system", one.system, folders)
        yield from _known(f"candidates[{i}].site", one.site, sites, "site")
    for i, work in enumerate(pilot.workloads):
        yield from _model(f"workloads[{i}].model", work.model, beside, folders)
    for i, told in enumerate(pilot.figures):
        yield from _known(f"figures[{i}].candidate", told.candidate, candidates, "candidate")
        yield from _known(f"figures[{i}].workload", told.workload, works, "workload")
        yield from _metric(f"figures[{i}].metric", told.metric)
    for i, gate in enumerate(pilot.gates):
        yield from _known(f"gates[{i}].workload", gate.workload, works, "workload")
        for name in gate.candidates:
            yield from _known(f"gates[{i}].candidates", name, candidates, "candidate")
    yield from _ids(pilot)
    for name in pilot.benefits.accuracy_points:
        yield from _known("benefits.accuracy_points", name, candidates, "candidate")


def _ids(pilot: Pilot) -> Problems:
    """Answers are to questions that are asked."""
    items, asked = checklists.checklist(), checklists.questions()
    told = {one.id: i for i, one in enumerate(pilot.checklist)}
    for name in unknown_items(pilot, items):
        hint = did_you_mean(name, [one.id for one in items]) or "assay report shows the checklist"
        yield warning(f"checklist[{told[name]}].id", f'"{name}" is no item of the checklist', hint)
    for i, one in enumerate(pilot.candidates):
        for name in unknown_answers(one, asked):
            hint = did_you_mean(name, [q.id for q in asked]) or "assay pilot rfp lists the questions"
            yield warning(f"candidates[{i}].answers", f'"{name}" is no question of the RFP', hint)


def work(pilot: Pilot, beside: Path) -> Problems:
    """Every kind of work has an amount that can be read, data that is the right one, and a trial that can be run."""
    if not pilot.workloads:
        yield warning("", "no workload: there is nothing the hardware is for", "add [[workloads]]")
    for i, one in enumerate(pilot.workloads):
        key = f"workloads[{i}]"
        yield from _amount(key, one)
        if one.data is not None:
            yield from _print(f"{key}.data.sha256", "slice", one.data.path, one.data.sha256, beside)
        yield from _print(f"{key}.snapshot_sha256", "snapshot", one.snapshot, one.snapshot_sha256, beside)
        for name in ("seq_len", "global_batch", "batch_tokens"):
            written = getattr(one, name)
            try:
                _ = written is None or count(written, f"{key}.{name}")
            except InputError as refused:
                yield error(f"{key}.{name}", refused.what, refused.hint)
        if one.precision not in DTYPES:
            hint = did_you_mean(one.precision, DTYPES) or f"known: {', '.join(DTYPES)}"
            yield error(f"{key}.precision", f'precision "{one.precision}" is not known', hint)
        if one.trial is None:
            yield warning(
                f"{key}.trial", f'"{one.name}" has no trial: no stage of it can be run', "add [workloads.trial]"
            )
        else:
            yield from _trial(f"{key}.trial", one.trial)


def _print(key: str, what: str, name: str, wanted: str, beside: Path) -> Problems:
    """Whether a file that lies here is the one that was agreed on; one without a fingerprint is told of it."""
    path = beside / name
    if not name or not path.is_file():
        return
    found = sha256(path)
    if not wanted:
        said = f"nobody wrote down which {what} {name} is"
        yield warning(key, said, f'write {key.rpartition(".")[2]} = "{found}"')
    elif found != wanted.lower():
        said = f"{name} is not the {what} that was agreed on: its sha256 is {found}"
        yield error(key, said, "fetch the right file, or write what all measure on from now on")


def _amount(key: str, one: Work) -> Problems:
    if one.tokens is not None and one.samples is not None:
        yield error(f"{key}.samples", "tokens and samples say the amount of one job twice", "keep one of them")
    if one.global_batch is not None and one.batch_tokens is not None:
        yield error(f"{key}.batch_tokens", "global_batch and batch_tokens say the same twice", "keep one of them")
    if one.task == "serve":
        if one.tokens_per_s is None:
            yield error(
                f"{key}.tokens_per_s",
                f'"{one.name}" has no amount',
                'say how much is served: tokens_per_s = "20 k tokens/s"',
            )
    elif one.tokens is None and one.samples is None:
        yield error(
            f"{key}.tokens", f'"{one.name}" has no amount', "say how much one job is: tokens = 1e11, or samples = 1e9"
        )
    elif one.jobs_per_year is None:
        yield warning(
            key, f'how often "{one.name}" is done is unknown', "add jobs_per_year; without it nothing adds up"
        )


def _trial(key: str, trial: Trial) -> Problems:
    from assay.measure.workload import workloads

    if bool(trial.workload) == bool(trial.command):
        both = "both a workload and a command" if trial.workload else "neither a workload nor a command"
        yield error(key, f"the trial names {both}", 'workload = "train-step", or command = ["python", "train.py"]')
    if trial.workload and trial.workload not in workloads():
        hint = did_you_mean(trial.workload, workloads()) or f"there are {', '.join(workloads())}"
        yield error(f"{key}.workload", f'"{trial.workload}" is no workload that comes with Assay', hint)
    elif trial.workload:
        options = workloads()[trial.workload].options
        for name in (name for name in trial.settings if name not in options):
            hint = did_you_mean(name, options) or f"its options: {', '.join(options)}"
            yield error(f"{key}.settings.{name}", f'"{name}" is not an option of {trial.workload}', hint)
    batch = trial.settings.get("micro_batch", "1")
    if not batch.isdecimal() or len(batch) > _DIGITS or not int(batch):
        yield error(f"{key}.settings.micro_batch", f"a batch of {shown(batch)} is not possible", 'micro_batch = "8"')
    if any(inert(word) != word for word in (*trial.command, *trial.settings.values())):
        what = "the trial holds letters that are not seen, which no script can hold"
        yield error(key, what, "type it again, without control characters")
    if any(stage not in (1, 2, 3) for stage in trial.stages):
        yield error(f"{key}.stages", "there are stages 1, 2 and 3", "stages = [1, 2, 3]")


def gates(pilot: Pilot) -> Problems:
    """Every gate asks for a figure that exists, in its unit, and somebody can open it."""
    if not pilot.gates:
        yield warning("", "no gates: nothing says when a stage is passed", "add [[gates]] with stage, metric and limit")
    for i, gate in enumerate(pilot.gates):
        key = f"gates[{i}]"
        wrong = list(_metric(f"{key}.metric", gate.metric))
        yield from wrong or _limits(key, gate)
        yield from _opens(key, gate)


def _limits(key: str, gate: Gate) -> Problems:
    if gate.at_least is None and gate.at_most is None:
        better = metric(gate.metric).better
        side = "at_most" if better == "lower" else "at_least"
        yield error(f"{key}.{side}", f'the gate "{gate.name}" has no limit', f"write {side} = …")
    found = {}
    for name in ("at_least", "at_most"):
        written = getattr(gate, name)
        if written is None:
            continue
        try:
            found[name] = parse(written, metric(gate.metric).unit)
        except InputError as refused:
            hint = str(refused).partition("; ")[2]
            yield error(f"{key}.{name}", f"{refused.what}: {gate.metric} is meant", hint)
    if len(found) == 2 and found["at_least"] > found["at_most"]:
        yield error(f"{key}.at_least", "at_least is above at_most: nothing can pass", "exchange them, or leave one out")


def _opens(key: str, gate: Gate) -> Problems:
    """Whether any origin that is accepted can give the figure that is asked for."""
    measured, place = "measured" in gate.accepts, f"{key}.accepts"
    if not gate.accepts:
        yield error(place, "no origin is accepted: nobody can pass this gate", 'accepts = ["measured"]')
    elif gate.stage != 2 and not measured:
        what = f"stage {gate.stage} is about what happens, and is passed by measuring alone"
        yield error(place, what, 'accepts = ["measured"]')
    elif not measured and gate.quantile in ("p90", "p99"):
        yield error(place, f"a {gate.quantile} is only known where it was measured", 'accepts = ["measured"]')
    elif not measured and gate.least_s is not None:
        yield error(place, "how long something was measured is said, and nothing measured is accepted", "drop least_s")
    elif set(gate.accepts) == {"predicted"} and gate.metric not in METRICS:
        hint = f"accept what is measured; predicted are {', '.join(METRICS)}"
        yield error(place, f"{gate.metric} is not predicted: nobody can pass this gate", hint)


def _twice(table: str, said: Iterable[str], key: str = "name") -> Problems:
    names = list(said)
    for name in (name for name, times in Counter(names).items() if times > 1):
        last = len(names) - 1 - names[::-1].index(name)
        yield error(f"{table}[{last}].{key}", f'"{name}" is there twice', "give each a name of its own")


def _known(key: str, name: str, there: Sequence[str], kind: str) -> Problems:
    if name and name not in there:
        hint = did_you_mean(name, there) or (f"there are {', '.join(there)}" if there else f"add a {kind} of that name")
        yield error(key, f'there is no {kind} "{name}" in this pilot', hint)


def _metric(key: str, name: str) -> Problems:
    if name not in known():
        hint = did_you_mean(name, known()) or "all there are: assay measure --metrics"
        yield error(key, f'there is no metric "{name}"', hint)


def _system(key: str, name: str, folders: Sequence[Path]) -> Problems:
    from assay.api.predicting import system

    if name == THIS_MACHINE:
        return
    try:
        system(name, 1, folders)
    except AssayError as refused:
        near = did_you_mean(name, [THIS_MACHINE])
        yield error(key, refused.what, near or refused.hint)


def _model(key: str, name: str, beside: Path, folders: Sequence[Path]) -> Problems:
    from assay.catalog.models import model

    path = beside / name
    try:
        _ = not name or model(path if os.path.exists(path) else name, folders)  # noqa: PTH110
    except AssayError as refused:
        yield error(key, refused.what, refused.hint)
