"""Runs from disk: checked to be whole and as they were written, or, when no end was written, read as far as they go."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from assay.codec import decode, read_json
from assay.errors import InputError
from assay.machine import Device
from assay.run import SCHEMA, Case, Event, Run
from assay.store import samples
from assay.store.folders import HEAD, OPEN, SAMPLES, folder_of
from assay.store.telemetry import journals, read_journal

T = TypeVar("T")

SAID = "said.jsonl"
# The two tables whose keys anybody may choose go round the codec, for which a key may mean a unit or a source.
FREE = ("environment", "settings")
_CHANGED = "this run is not as it was written: samples or settings were changed, or are missing"


def load(path: Path | str) -> Run:
    """A run from its folder (or the run.json in it); one that was killed is there as far as it went, as partial."""
    folder = folder_of(path)
    head = dict(read_json(folder / HEAD))
    _readable(head, folder)
    if (folder / OPEN).is_dir():
        return _unfinished(head, folder)
    files = _table(head, "files", folder)
    if head.pop("digest", None) != digest(head) or any(not _as_written(folder / n, told) for n, told in files.items()):
        raise InputError(_CHANGED, where=str(folder), hint="use the original, or measure again")
    return replace(_head(head, folder), series=samples.read(folder / SAMPLES))


def digest(head: Mapping[str, object]) -> str:
    """A hash of all that run.json says, the hashes of the other files included."""
    text = json.dumps(head, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def hashed(path: Path) -> dict[str, object]:
    """Size and hash of a file, as run.json keeps them."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _as_written(path: Path, told: object) -> bool:
    """A file has its size, and the samples have their hash too: they are what figures are made of."""
    if not isinstance(told, Mapping):
        return False
    if path.name == SAMPLES:
        return path.is_file() and hashed(path) == dict(told)
    return path.is_file() and path.stat().st_size == told.get("bytes")


def _head(head: Mapping[str, object], folder: Path) -> Run:
    known = {key: value for key, value in head.items() if key not in (*FREE, "files")}
    run = decode(known | {key: {} for key in FREE}, Run, str(folder / HEAD))
    free = {key: _table(head, key, folder) for key in FREE}
    settings = {key: str(value) for key, value in free["settings"].items()}
    return replace(run, environment=free["environment"], settings=settings)


def _unfinished(head: dict[str, object], folder: Path) -> Run:
    """What the open lines hold: cases, events and warnings as they were told, samples, and whose sensors were read."""
    head.pop("digest", None)
    run = _head(head, folder)
    said = _said(folder / OPEN / SAID)
    devices, events = list[Device](), list[Event]()
    for path in journals(folder):
        _, known, happened = read_journal(path)
        devices += known
        events += happened
    series = samples.read_lines(folder / OPEN / samples.LINES)
    last_s = max((float(s.at_s[-1]) for s in series if len(s)), default=0.0)
    told = {key: [value for name, value in said if name == key] for key in ("case", "event", "warning", "device")}
    cases = _nouns(told["case"], Case)
    return replace(
        run,
        series=series,
        cases=tuple({c.name: c for c in cases}.values()),
        events=(*_nouns(told["event"], Event), *events),
        devices=tuple({d.id: d for d in (*_nouns(told["device"], Device), *devices)}.values()),
        warnings=(*run.warnings, *(str(text) for text in told["warning"])),
        settings={**run.settings, **{k: str(v) for k, v in _pairs(said, "setting")}},
        environment={**run.environment, **dict(_pairs(said, "fact"))},
        duration_s=max(run.duration_s, last_s),
        partial=True,
    )


def _nouns(raws: Iterable[object], kind: type[T]) -> list[T]:
    """Those that can be read: of a run that was cut off, one odd line must not hide the others."""
    found = []
    for raw in raws:
        with suppress(InputError):
            found.append(decode(raw, kind, SAID))  # type: ignore[arg-type]  # the door refuses what is no table
    return found


def _pairs(said: Iterable[tuple[str, object]], name: str) -> Iterator[tuple[str, object]]:
    return (pair for key, value in said if key == name and isinstance(value, dict) for pair in value.items())


def _said(path: Path) -> list[tuple[str, object]]:
    """Each whole line: one key that says what it is, and what was said."""
    found = []
    for line in path.read_bytes().split(b"\n")[:-1] if path.is_file() else ():
        try:
            ((name, value),) = json.loads(line).items()
            found.append((name, value))
        except (ValueError, AttributeError, TypeError, RecursionError):
            continue
    return found


def _readable(head: dict[str, object], folder: Path) -> None:
    schema, where = head.get("schema"), str(folder / HEAD)
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise InputError('"schema" is missing: this is not a run', where=where, hint="is it the right file?")
    if schema > SCHEMA:
        what = f"written by a newer Assay (schema {schema}, this one reads {SCHEMA})"
        raise InputError(what, where=str(folder), hint="upgrade Assay")
    if schema < SCHEMA:
        raise InputError("written by Assay 0.1, whose runs are not read any more", where=where, hint="measure again")


def _table(head: Mapping[str, object], key: str, folder: Path) -> dict[str, object]:
    value = head.get(key, {})
    if not isinstance(value, dict):
        raise InputError(f'"{key}" must be a table', where=str(folder / HEAD), hint="is it the right file?")
    return value
