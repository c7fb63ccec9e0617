"""The pilot's file: read, explained line by line where it is wrong, or turned into a `Pilot`."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from assay.codec import decode, problems
from assay.errors import InputError, shown
from assay.files import Raw, read_text, read_toml, toml_lines
from assay.pilot import Pilot
from assay.units import suffix

FILE = "pilot.toml"
SCHEMA = 1

_MARK = re.compile(r"^(<{7}|={7}|>{7}|\|{7})( .*)?$")
_PLACE = re.compile(r"(\w+)\[(\d+)\](?:\.([^.\[]+))?")
_CURRENCY = re.compile(
    r"(?<![A-Za-z])(EUR|GBP|JPY|CHF|CNY|RMB|INR|KRW|SEK|NOK|DKK|PLN|CAD|AUD|SGD|HKD|TWD|BRL|€|£|¥|₹|₩)"
)
_COUNTED = ("tokens", "samples")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something in a pilot's file that is wrong or missing: where, what, and what to write instead."""

    key: str  # "candidates[1].price_usd"; empty: the file
    what: str
    hint: str = ""
    severity: Literal["error", "warning"] = "error"
    line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A pilot's file as far as it can be read: the pilot, where its tables were written, and what is wrong so far."""

    file: Path
    pilot: Pilot | None
    problems: tuple[Problem, ...] = ()
    lines: Mapping[str, int]
    kept: Mapping[str, Sequence[int]]  # a list's elements that could be read: their places in the file


def path_of(path: Path | str) -> Path:
    """The pilot's file, given it or its folder."""
    path = Path(path)
    if path.is_dir():
        path /= FILE
    if not path.is_file():
        raise InputError("there is no pilot here", where=str(path), hint="make one: assay pilot init FOLDER")
    return path


def read(path: Path | str) -> Read:
    """What a pilot's file says, with every key that cannot be meant so left out and told."""
    file = path_of(path)
    text = read_text(file)
    lines, found = toml_lines(text), tuple(_conflicts(text))
    if found:
        return Read(file=file, pilot=None, problems=found, lines=lines, kept={})
    try:
        raw = read_toml(file)
        _newest(raw)
    except InputError as error:
        at = re.search(r"at line (\d+)", error.what)
        whole = Problem(key="", what=error.what, hint=error.hint, line=int(at[1]) if at else None)
        return Read(file=file, pilot=None, problems=(whole,), lines=lines, kept={})
    told, noun, kept = _told({key: value for key, value in raw.items() if key != "kind"})
    placed = tuple(replace(one, line=line_of(lines, one.key)) for one in told)
    return Read(file=file, pilot=noun, problems=placed, lines=lines, kept=kept)


def line_of(lines: Mapping[str, int], key: str) -> int | None:
    """The line of a key, whether it was written with its unit or without; else of the table it belongs to."""
    while key:
        if found := lines.get(key) or lines.get(short(key)):
            return found
        key = key[: max(key.rfind("."), key.rfind("["), 0)]
    return None


def short(key: str) -> str:
    """A key without the unit that its last part may leave out.

    >>> short("candidates[0].price_usd")
    'candidates[0].price'
    """
    head, dot, last = key.rpartition(".")
    unit = suffix(last)
    return head + dot + (last.removesuffix(f"_{unit}") if unit else last)


def _conflicts(text: str) -> Iterator[Problem]:
    for number, line in enumerate(text.splitlines(), start=1):
        mark = _MARK.match(line)
        if mark and mark[1][0] == "<":
            what = "two people changed the same lines, and git could not tell whose are meant"
            hint = "keep what is right of both sides, remove the lines of <, = and >, then: git add pilot.toml"
            yield Problem(key="", what=what, hint=hint, line=number)


def _newest(raw: Raw) -> None:
    schema = raw.get("schema", SCHEMA)
    if isinstance(schema, int) and schema > SCHEMA:
        what = f"written for a newer Assay (schema {schema}, this one reads {SCHEMA})"
        raise InputError(what, hint="upgrade Assay")


def _told(raw: Raw) -> tuple[list[Problem], Pilot | None, dict[str, list[int]]]:
    """All that is wrong with the tables, and the pilot that is left without it."""
    rest: dict[str, Any] = copy.deepcopy(dict(raw))
    kept = {key: list(range(len(value))) for key, value in rest.items() if isinstance(value, list)}
    found: list[Problem] = []
    while new := list(problems(rest, Pilot)):
        found += [_problem(_original(key, kept), error, raw) for key, error in new]
        before = copy.deepcopy(rest)
        for key, _ in reversed(new):  # from the end, so that what is in front keeps its place
            _drop(rest, kept, key)
        if rest == before:
            return found, None, kept
    return found, decode(rest, Pilot), kept


def _original(key: str, kept: Mapping[str, Sequence[int]]) -> str:
    match = _PLACE.match(key)
    return f"{match[1]}[{kept[match[1]][int(match[2])]}]{key[match.end(2) + 1 :]}" if match else key


def _drop(rest: dict[str, Any], kept: dict[str, list[int]], key: str) -> None:
    """Take out what is wrong, and no more."""
    if not key:  # what every pilot must have
        rest |= {name: "" for name in ("name", "question", "starts") if name not in rest}
    elif match := _PLACE.match(key):
        name, place, inner = match[1], int(match[2]), match[3]
        if inner:
            rest[name][place].pop(inner, None)
        else:
            kept[name].pop(place)
            rest[name].pop(place)
    else:
        head, _, inner = key.partition(".")
        table = rest.get(head)
        (table if inner and isinstance(table, dict) else rest).pop(inner.partition(".")[0] or head, None)


def _problem(key: str, error: InputError, raw: Raw) -> Problem:
    value = _at(raw, key)
    value = value.get("is", value) if isinstance(value, Mapping) else value
    said = value if isinstance(value, str) else ""
    if (money := _CURRENCY.search(said)) and any(digit in said for digit in "0123456789"):
        return Problem(key=key, what=f'"{said}" is in {money[1]}; a pilot is reckoned in US dollars', hint=CONVERT)
    if suffix(key.rpartition(".")[2]) in _COUNTED and said:
        hint = 'write a number, such as 1e11, or one with its prefix and unit, such as "100 G tokens"'
        return Problem(key=key, what=error.what, hint=hint)
    what = error.what.replace("Input should be", f"{shown(value)} is not possible: it must be")
    return Problem(key=key, what=what, hint=error.hint)


CONVERT = (
    'convert it at a dated rate and say so: { is = "130 USD", from = "offer of 120 EUR at the ECB\'s rate", '
    'date = "2026-11-27" }'
)


def _at(raw: object, key: str) -> object:
    """The value under a path; None where there is none."""
    for part in re.findall(r"[^.\[\]]+", key):
        if isinstance(raw, Mapping):
            raw = raw.get(part)
        elif isinstance(raw, list) and part.isdigit() and int(part) < len(raw):
            raw = raw[int(part)]
        else:
            return None
    return raw
