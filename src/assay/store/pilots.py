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
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assay.codec import decode, encode, read_csv, read_json
from assay.errors import InputError
from assay.files import read_text, sha256, write_text
from assay.store.folders import HEAD, find, safe

_ANSWERS = ("candidate", "id", "answer")  # the columns of a file of answers
_MOMENT = re.compile(r"-(\d{8}(?:T\d{6})?)-[0-9a-f]{8}$")  # in the name of a file of answers
_MARK = re.compile(r"^(<{7}|>{7}|={7})( .*)?$", re.MULTILINE)  # what git leaves where it cannot merge
_LONGEST, _LONGEST_S = 1000, 3.2e9  # of a path; of a run: a century

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

    def __post_init__(self) -> None:
        if self.stage not in (1, 2, 3):
            raise ValueError(f"there is no stage {self.stage}: 1, 2 or 3")
        if self.accelerators is not None and not 1 <= self.accelerators <= 1e8:
            raise ValueError("accelerators: at least 1, or nothing where nobody knows")
        if not 0 <= self.duration_s <= _LONGEST_S:
            raise ValueError("duration_s: no run takes that long")
        if not self.id or not self.run or len(self.run) > _LONGEST:
            raise ValueError("run: a name is wanted, or a path")
        datetime.fromisoformat(self.at)  # or the ValueError that says so


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
    text = _csv_text([{"candidate": candidate, "id": row["id"], "answer": row["answer"]} for row in kept])
    return keep(folder / ANSWERS / f"{safe(candidate)}-{_hash(candidate)[:4]}-{_moment(at)}-{_hash(text)}.csv", text)


def add_decision(folder: Path, decision: Mapping[str, object], at: str) -> Path:
    """Keep a decision, as it was on that day."""
    text = _text(decision)
    return keep(folder / DECISIONS / f"{_moment(at)}-{_hash(text)}.json", text)


def add_script(folder: Path, name: str, text: str) -> Path:
    """Keep a script; one of that name that says something else keeps its name."""
    path = folder / LAUNCH / name
    if path.exists() and read_text(path) != text:
        path = path.with_stem(f"{path.stem}-{_hash(text)}")
    return keep(path, text)


def kept(folder: Path) -> Kept:
    """What a folder holds."""
    added, bad = list[Added](), list[str]()
    for path in sorted((folder / ADDED).glob("*.json")):
        try:
            added.append(decode(read_json(path), Added, str(path)))
        except InputError as error:
            bad.append(str(error))
    answers: dict[str, dict[str, str]] = {}
    for path in sorted((folder / ANSWERS).glob("*.csv"), key=_answered):
        try:
            rows = _answers(path)
        except InputError as error:
            bad.append(str(error))
            continue
        for row in rows:
            answers.setdefault(row["candidate"], {})[row["id"]] = row["answer"]
    unique = {(a.id, a.candidate, a.workload, a.stage): a for a in sorted(added, key=lambda a: a.at, reverse=True)}
    return Kept(
        added=tuple(sorted(unique.values(), key=lambda a: a.at)), answers=answers, unreadable=tuple(bad),
        decisions=tuple(sorted((folder / DECISIONS).glob("*.json"))),
    )  # fmt: skip


def _answers(path: Path) -> list[dict[str, str]]:
    """What a file of answers says; one that git could not merge says two things, and is refused."""
    if mark := _MARK.search(text := read_text(path)):
        line = text.count("\n", 0, mark.start()) + 1
        what = "two people changed the same lines, and git could not tell whose are meant"
        raise InputError(what, where=f"{path}:{line}", hint="take this file out, and add the right answers again")
    return [row for row in read_csv(path, _ANSWERS) if row["answer"]]


def _answered(path: Path) -> tuple[str, str]:
    """When answers were added, by the name of their file: the latest come last."""
    moment = _MOMENT.search(path.stem)
    return (moment[1] if moment else "", path.name)


def _moment(at: str) -> str:
    """A moment to the second, as part of a name.

    >>> _moment("2026-11-27T10:15:00+00:00")
    '20261127T101500'
    """
    return re.sub(r"[-:]", "", at)[: len("20261127T101500")]


def where(folder: Path, added: Added) -> Path:
    """The folder of the run behind an entry."""
    inside = folder / RUNS / added.run
    path = inside if os.path.isdir(inside) else Path(added.run)  # noqa: PTH112 — no error on names too long
    if not os.path.isfile(path / HEAD):  # noqa: PTH113
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
    writer = csv_module.DictWriter(text, _ANSWERS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
