"""A pilot from its file: all that is wrong with it, or the pilot."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from assay.api import pilot_money, pilot_rules
from assay.api.pilot_file import Problem, Read, line_of, read, short
from assay.errors import InputError
from assay.pilot import Pilot

__all__ = ["Problem", "check", "pilot"]


def pilot(path: Path | str, folders: Sequence[Path] = ()) -> Pilot:
    """A pilot from its pilot.toml, or from the folder that holds it; InputError names the first thing that is wrong."""
    found = read(path)
    wrong = [one for one in _all(found, "", folders) if one.severity == "error"]
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
    rules = (
        *pilot_rules.names(found.pilot, found.file.parent, folders), *pilot_rules.work(found.pilot, found.file.parent),
        *pilot_rules.gates(found.pilot), *pilot_money.prices(found.pilot, today), *pilot_money.dates(found.pilot),
        *pilot_money.shares(found.pilot),
    )  # fmt: skip
    told = {short(one.key) for one in found.problems}  # what was there and could not be read is not missing, too
    placed = (replace(one, key=_original(one.key, found.kept)) for one in rules)
    more = [replace(one, line=line_of(found.lines, one.key)) for one in placed if short(one.key) not in told]
    return tuple(sorted((*found.problems, *more), key=lambda one: one.line or 0))


def _original(key: str, kept: Mapping[str, Sequence[int]]) -> str:
    match = re.match(r"(\w+)\[(\d+)\]", key)
    if match is None or match[1] not in kept:
        return key
    return f"{match[1]}[{kept[match[1]][int(match[2])]}]{key[match.end() :]}"
