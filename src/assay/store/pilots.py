"""A pilot's folder: what a team found, as files that are added and never rewritten, so that git merges them by itself.

`added/` holds one file for each run that was added, `runs/` the runs themselves, `answers/` what vendors answered,
`decisions/` each decision with its time, `launch/` the scripts for other machines. The names hold a hash of the
content: what two people add on the same day has two names. Files that are not known here are left alone.
"""

from __future__ import annotations

import csv as csv_module
import hashlib
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.codec import decode, encode, read_csv, read_json
from assay.errors import InputError
from assay.files import read_text, sha256, write_text
from assay.run import Run
from assay.store.folders import HEAD, find, safe
from assay.store.reading import load

_DATED = -len("-2026-11-27-1a2b3c4d")  # what a file of answers ends in

ADDED, RUNS, ANSWERS, DECISIONS, LAUNCH = "added", "runs", "answers", "decisions", "launch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A run that somebody added to a pilot: of which candidate, at which work, for which stage, and by whom."""

    run: str  # its folder under runs/; of one that stays elsewhere, its path
    id: str
    candidate: str
    workload: str
    stage: int
    by: str
    at: str  # ISO 8601
    whole: bool = False  # whether it is the work itself, and not a smaller trial of it
    note: str = ""
    unlike: tuple[str, ...] = ()  # in what it does not match candidate or work …
    anyway: str = ""  # … and why it was added all the same
    sha256: str = ""  # of its run.json
    duration_s: float = 0.0
    accelerators: int | None = None  # that it used; None: nobody knows


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """All that a pilot's folder holds, and what in it could not be read."""

    added: tuple[Added, ...] = ()  # oldest first
    answers: Mapping[str, Mapping[str, str]]  # candidate -> question -> answer, the latest
    decisions: tuple[Path, ...] = ()  # oldest first
    unreadable: tuple[str, ...] = ()


def keep(path: Path, text: str) -> Path:
    """Write a file that is not there yet; the same once more is no change, anything else is refused."""
    if path.exists():
        if path.is_file() and read_text(path) == text:
            return path
        what = "this is there already, and says something else: nothing in a pilot's folder is rewritten"
        raise InputError(what, where=str(path), hint="add what is new under another name")
    write_text(path, text)
    return path


def add_run(folder: Path, run: Path, added: Added, *, link: bool = False) -> Path:
    """Take a run in: a copy of it, unless it is to stay where it is, and a file that says whose it is."""
    if not link:
        _copy(run, folder / RUNS / added.run)
    text = _text(encode(added))
    return keep(folder / ADDED / f"{added.at[:10]}-{added.id[:8]}-{_hash(text)}.json", text)


def add_answers(folder: Path, candidate: str, csv: Path, at: str, *, only: bool = False) -> Path:
    """Take in what a vendor answered: a CSV with the columns `id` and `answer`; `only` its rows of this candidate."""
    rows = read_csv(csv, ("id", "answer"))
    kept = [row for row in rows if row["answer"] and (not only or row.get("candidate") == candidate)]
    text = _csv_text([{"id": row["id"], "answer": row["answer"]} for row in kept])
    return keep(folder / ANSWERS / f"{safe(candidate)}-{at[:10]}-{_hash(text)}.csv", text)


def add_decision(folder: Path, decision: Mapping[str, object], at: str) -> Path:
    """Keep a decision, as it was on that day."""
    text = _text(decision)
    moment = at.replace("-", "").replace(":", "").partition("+")[0].removesuffix("Z")
    return keep(folder / DECISIONS / f"{moment}-{_hash(text)}.json", text)


def add_script(folder: Path, name: str, text: str) -> Path:
    """Keep a script; one of that name that says something else keeps its name."""
    path = folder / LAUNCH / name
    if path.exists() and read_text(path) != text:
        path = path.with_stem(f"{path.stem}-{_hash(text)}")
    return keep(path, text)


def kept(folder: Path, candidates: Mapping[str, str] | None = None) -> Kept:
    """What a folder holds. `candidates` says which name stands behind a file's (`buy-h100` -> "buy H100")."""
    added, bad = [], []
    for path in sorted((folder / ADDED).glob("*.json")):
        try:
            added.append(decode(read_json(path), Added, str(path)))
        except InputError as error:
            bad.append(str(error))
    answers: dict[str, dict[str, str]] = {}
    for path in sorted((folder / ANSWERS).glob("*.csv"), key=lambda path: path.stem[_DATED:]):
        name = path.stem[:_DATED]
        try:
            rows = read_csv(path, ("id", "answer"))
        except InputError as error:
            bad.append(str(error))
            continue
        told = answers.setdefault((candidates or {}).get(name, name), {})
        told |= {row["id"]: row["answer"] for row in rows if row["answer"]}
    unique = {(a.id, a.candidate, a.workload, a.stage): a for a in sorted(added, key=lambda a: a.at, reverse=True)}
    return Kept(
        added=tuple(sorted(unique.values(), key=lambda a: a.at)), answers=answers, unreadable=tuple(bad),
        decisions=tuple(sorted((folder / DECISIONS).glob("*.json"))),
    )  # fmt: skip


def names(candidates: tuple[str, ...]) -> Mapping[str, str]:
    """How each candidate is called in the name of a file."""
    return {safe(name): name for name in candidates}


def run_of(folder: Path, added: Added) -> Run:
    """The run behind an entry; InputError where it is not here, or is another one by now."""
    return load(where(folder, added))


def where(folder: Path, added: Added) -> Path:
    """The folder of the run behind an entry."""
    inside = folder / RUNS / added.run
    path = inside if inside.is_dir() else Path(added.run)
    if not (path / HEAD).is_file():
        what = f"run {added.id[:8]} of {added.candidate} is not here"
        raise InputError(what, where=str(path), hint=f"{added.by or 'who added it'} has it: fetch it, and try again")
    if added.sha256 and fingerprint(path) != added.sha256:
        raise InputError("this run is not the one that was added", where=str(path), hint="fetch the original again")
    return path


def fingerprint(run: Path) -> str:
    """What a run is known by: the hash of its run.json, which holds those of its samples."""
    return sha256(find(run) / HEAD)


def _copy(run: Path, target: Path) -> None:
    if target.exists():
        if run.resolve() == target.resolve() or fingerprint(run) == fingerprint(target):
            return
        raise InputError("another run of this name is here", where=str(target), hint="nothing here is rewritten")
    draft = target.with_name(f".{target.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        shutil.copytree(run, draft)
        draft.rename(target)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        what = f"cannot be copied: {error.strerror or error}"
        raise InputError(what, where=str(target), hint="free some space, or leave it where it is: --link") from None


def _text(told: object) -> str:
    return json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _csv_text(rows: Sequence[Mapping[str, str]]) -> str:
    text = io.StringIO()
    writer = csv_module.DictWriter(text, ("id", "answer"), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
