"""Runs made anywhere, taken into a pilot: whose they are, whether they can be, and how whoever knows better insists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from assay import catalog, store
from assay.api.jobs import count
from assay.api.pilot_file import path_of
from assay.api.piloting import pilot as read
from assay.codec import read_csv
from assay.errors import AssayError, InputError, did_you_mean
from assay.measure.inventory.discretion import arguments
from assay.pilot import THIS_MACHINE, Candidate, Pilot, Trial, Work
from assay.run import Run
from assay.store import pilots
from assay.store.pilots import Added

# Settings that say how long and where a trial ran, and not what it was; and what a stage varies on purpose.
_FREE = frozenset({"steps", "micro_batch", "accumulation", "url", "duration_s", "requests", "rate", "concurrency"})
_SHOWN = 60  # letters of a command that are repeated


def add(
    path: Path | str, run: Path | str, *, candidate: str = "", workload: str = "", stage: int = 2, by: str = "",
    at: str, note: str = "", anyway: str = "", link: bool = False, root: Path | str = "runs",
    folders: Sequence[Path] = (),
) -> Added:  # fmt: skip
    """Take a run into a pilot's folder. InputError where it is of another kind of work or of another machine.

    `at` is when (ISO 8601), `by` who. `anyway` says why a run that does not match is taken all the same; both are kept.
    With `link` the run stays where it is.
    """
    file = path_of(path)
    told, place = read(file, folders), store.find(run, root)
    found = store.load(place)
    who = _candidate(told, found, candidate, folders)
    work = _work(told, found, workload)
    unlike = unlikeness(found, work, who, folders)
    if unlike and not anyway:
        hint = 'name another --workload or --candidate; or say why it may count: --anyway "reason"'
        raise InputError(f"this run is not {work.name} on {who.name}: {'; '.join(unlike)}", where=str(place), hint=hint)
    entry = Added(
        run=str(place.resolve()) if link else place.name, id=found.id, candidate=who.name, workload=work.name,
        stage=stage, by=by, at=at, whole=whole(found, work), note=note, unlike=unlike, anyway=anyway if unlike else "",
        sha256=pilots.fingerprint(place), duration_s=found.duration_s, accelerators=used(found),
    )  # fmt: skip
    pilots.add_run(file.parent, place, entry, link=link)
    return entry


def add_answers(path: Path | str, csv: Path, candidate: str, at: str, folders: Sequence[Path] = ()) -> Path:
    """Take what a vendor answered to the questions of the RFP into a pilot's folder.

    A CSV that names candidates itself is taken for these; one that is of others than the one that was named is refused.
    """
    file = path_of(path)
    rows = read_csv(csv, ("id", "answer"))
    told = read(file, folders)
    theirs = list(dict.fromkeys(row["candidate"] for row in rows if row.get("candidate") and row["answer"]))
    if candidate and theirs and candidate not in theirs:
        hint = f"name its own: --candidate {theirs[0]}"
        raise InputError(f"these are the answers of {', '.join(theirs)}, not of {candidate}", where=str(csv), hint=hint)
    wanted = [candidate] if candidate else theirs
    if not wanted:
        raise InputError("whose answers are these?", where=str(csv), hint="name the candidate with --candidate")
    kept = [
        pilots.add_answers(file.parent, named("candidate", name, told.candidates).name, csv, at, only=bool(theirs))
        for name in wanted
    ]  # fmt: skip
    return kept[-1]


def used(run: Run) -> int | None:
    """Accelerators that a run worked on: its ranks where it says so, else those beside it; None: nobody knows."""
    ranks = run.settings.get("ranks", "")
    return int(ranks) if ranks.isdigit() and int(ranks) else len(run.accelerators) or None


def unlikeness(run: Run, work: Work, candidate: Candidate, folders: Sequence[Path] = ()) -> tuple[str, ...]:
    """In what a run is not this kind of work on this candidate; empty where it is.

    It has to be the trial, or to say of itself that it is the work: a run that says nothing proves nothing.
    """
    trial, itself = work.trial, whole(run, work)
    if trial is not None and _tries(run, trial):
        found = () if itself else _other_settings(run, trial)
    else:
        found = _other_work(run, work) or (() if itself or trial is None else _other_trial(run, work, trial))
    return (*found, *_other_machine(run, candidate, folders))


def whole(run: Run, work: Work) -> bool:
    """Whether a run is the work itself: its trial, where that is meant so; else it says the same model and sizes."""
    if work.trial is not None and work.trial.whole and _tries(run, work.trial):
        return not _other_settings(run, work.trial)
    told = run.settings
    wanted = ("precision", *(key for key in ("seq_len", "global_batch") if getattr(work, key) is not None))
    named = bool(work.model) and _same(told.get("model", ""), work.model)
    return named and all(told.get(key) for key in wanted) and not _other_work(run, work)


def _tries(run: Run, trial: Trial | None) -> bool:
    """Whether a run is of this trial: of the workload that comes with Assay, or of the very command."""
    if trial is None:
        return False
    command = run.settings.get("command", "")
    if trial.command:
        return command == shlex.join(arguments(trial.command))
    return not command and run.name == trial.workload


def _other_settings(run: Run, trial: Trial) -> tuple[str, ...]:
    return tuple(
        f"{key} is {run.settings[key]}, and {wanted} in the trial"
        for key, wanted in trial.settings.items()
        if key not in _FREE and run.settings.get(key, wanted) != wanted
    )


def _other_trial(run: Run, work: Work, trial: Trial) -> tuple[str, ...]:
    """A run that is not of the trial, and does not say that it is the work itself."""
    ran = run.settings.get("command") or run.name
    meant = trial.workload or shlex.join(arguments(trial.command))
    return (f"it is a run of {_cut(ran)}, the trial of {work.name} is {_cut(meant)}, and it does not say what it ran",)


def _other_work(run: Run, work: Work) -> tuple[str, ...]:
    """What a run says of itself that the work is not; what it does not say speaks neither for nor against."""
    told, found = run.settings, []
    if told.get("model") and work.model and not _same(told["model"], work.model):
        found.append(f"its model is {told['model']}, not {work.model}")
    if told.get("precision") and told["precision"] != work.precision:
        found.append(f"its precision is {told['precision']}, not {work.precision}")
    for key in ("seq_len", "global_batch"):
        wanted = getattr(work, key)
        if told.get(key, "").isdecimal() and wanted is not None and int(told[key]) != count(wanted, key):
            found.append(f"its {key} is {told[key]}, not {wanted}")
    return tuple(found)


def _other_machine(run: Run, candidate: Candidate, folders: Sequence[Path] = ()) -> tuple[str, ...]:
    """What a run was measured on that the candidate is not made of."""
    if candidate.system == THIS_MACHINE:
        return ()
    wanted = catalog.system(candidate.system, 1, folders).accelerator
    found = sorted({device.name for device in run.accelerators} or _listed(run))
    if found:
        other = (name for name in found if _chip(name, folders) != wanted.name)
        return tuple(f"it ran on {name}, and {candidate.system} has {wanted.name}" for name in other)
    if wanted.architecture == "cpu" or any(case.device != "cpu" for case in run.cases):
        return ()
    if run.cases:
        return (f"it ran on a processor, and {candidate.system} has {wanted.name}",)
    return (f"nothing says that it ran on {wanted.name}, which {candidate.system} has",)


def _listed(run: Run) -> set[str]:
    """The accelerators of a machine whose sensors nobody read, for a command that does not say where it ran."""
    devices = run.environment.get("devices") if "command" in run.settings or not run.cases else ()
    return {str(name).partition(" (")[0] for name in devices} if isinstance(devices, (list, tuple)) else set()


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _chip(device: str, folders: Sequence[Path]) -> str:
    try:
        return catalog.resolve(device, folders).name
    except AssayError:
        return device


def _same(one: str, other: str) -> bool:
    return re.sub(r"[^a-z0-9.]+", "-", Path(one).name.casefold()) == re.sub(
        r"[^a-z0-9.]+", "-", Path(other).name.casefold()
    )


def _candidate(pilot: Pilot, run: Run, name: str, folders: Sequence[Path]) -> Candidate:
    """The candidate that was named; else the only one that is made of what the run was measured on."""
    if name:
        return named("candidate", name, pilot.candidates)
    found = [c for c in pilot.candidates if c.system != THIS_MACHINE and not _other_machine(run, c, folders)]
    if len(found) != 1:
        names = [one.name for one in found or pilot.candidates]
        what = "this run may be of several candidates" if found else "this run is of no candidate's machine"
        raise InputError(what, where="--candidate", hint=f"name one of {', '.join(names)}")
    return found[0]


def _work(pilot: Pilot, run: Run, name: str) -> Work:
    """The work that was named; else the only one, or the only one whose trial or model the run is of."""
    if name:
        return named("workload", name, pilot.workloads)
    if len(pilot.workloads) == 1:
        return pilot.workloads[0]
    fit = [one for one in pilot.workloads if _tries(run, one.trial) or whole(run, one)]
    if len(fit) != 1:
        names = [one.name for one in fit or pilot.workloads]
        raise InputError(
            "this run may be of several kinds of work", where="--workload", hint=f"name one of {', '.join(names)}"
        )
    return fit[0]


N = TypeVar("N", Candidate, Work)


def named(kind: str, name: str, there: Sequence[N]) -> N:
    """The one of this name; InputError with near misses where there is none."""
    found = next((one for one in there if one.name == name), None)
    if found is None:
        names = [one.name for one in there]
        hint = did_you_mean(name, names) or f"there are {', '.join(names)}"
        raise InputError(f'there is no {kind} "{name}" in this pilot', where=f"--{kind}", hint=hint)
    return found
