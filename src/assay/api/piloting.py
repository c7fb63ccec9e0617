"""A pilot from its file: all that is wrong with it, or the pilot."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from assay.api import pilot_bounds, pilot_dates, pilot_money, pilot_rules, pilot_sources
from assay.api.pilot_file import Problem, Read, line_of, read, short
from assay.errors import InputError
from assay.pilot import Pilot

__all__ = ["Problem", "check", "pilot"]


def pilot(path: Path | str, folders: Sequence[Path] = (), today: str = "") -> Pilot:
    """A pilot from its pilot.toml, or from the folder that holds it; InputError names the first thing that is wrong.

    `today` (ISO 8601) is what prices and figures are held against; without it none is from the future.
    """
    found = read(path)
    wrong = [one for one in _all(found, today, folders) if one.severity == "error"]
    if wrong or found.pilot is None:
        first = wrong[0]
        where = f"{found.file}:{first.line}" if first.line else f"{found.file}"
        more = f"{first.hint}; and {len(wrong) - 1} more: assay pilot check" if len(wrong) > 1 else first.hint
        raise InputError(f"{first.key}: {first.what}" if first.key else first.what, where=where, hint=more)
    return found.pilot


def check(path: Path | str, today: str = "", folders: Sequence[Path] = ()) -> tuple[Problem, ...]:
    """Everything that is wrong with a pilot's file, and what to write instead, by line.

    `today` (ISO 8601) is what prices are held against; without it none is stale or from the future.
    """
    return _all(read(path), today, folders)


def _all(found: Read, today: str, folders: Sequence[Path]) -> tuple[Problem, ...]:
    if found.pilot is None:
        return found.problems
    line = partial(_line, found)
    rules = rules_of(found.pilot, found.file.parent, today, folders, line)
    unread = {short(one.key) for one in found.problems}  # what was there and could not be read is not missing, too
    if "" in unread:  # what every pilot must have is empty then
        unread |= {"name", "question", "starts"}
    placed = (replace(one, key=_original(one.key, found.kept), line=line(one.key)) for one in rules)
    more = [one for one in placed if short(one.key) not in unread]
    return tuple(sorted((*found.problems, *more), key=lambda one: one.line or 0))


def rules_of(
    told: Pilot, beside: Path, today: str, folders: Sequence[Path], line: Callable[[str], int | None] = lambda _: None
) -> tuple[Problem, ...]:  # fmt: skip
    """What a pilot's tables say wrong of each other and of the world, wherever the pilot is from."""
    return (
        *pilot_bounds.names(told), *pilot_rules.names(told, beside, folders), *pilot_rules.work(told, beside),
        *pilot_rules.gates(told), *pilot_money.prices(told, today, folders), *pilot_dates.dates(told, today),
        *pilot_bounds.bounds(told), *pilot_sources.figures(told, line), *pilot_sources.places(told, beside),
    )  # fmt: skip


def refuse(told: Pilot, today: str, folders: Sequence[Path] = ()) -> None:
    """InputError with the first thing that is wrong with a pilot that was built in code."""
    for one in rules_of(told, Path(), today, folders):
        if one.severity == "error":
            raise InputError(f"{one.key}: {one.what}" if one.key else one.what, where=told.name, hint=one.hint)


def _line(found: Read, key: str) -> int | None:
    return line_of(found.lines, _original(key, found.kept))


def _original(key: str, kept: Mapping[str, Sequence[int]]) -> str:
    match = re.match(r"(\w+)\[(\d+)\]", key)
    if match is None or match[1] not in kept:
        return key
    return f"{match[1]}[{kept[match[1]][int(match[2])]}]{key[match.end() :]}"
