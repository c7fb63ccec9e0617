"""Files as plain tables: TOML, JSON and CSV, each read once, checked for size and depth, or refused in one sentence."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from assay.errors import InputError, did_you_mean

Raw = Mapping[str, object]

_MAX_BYTES = 64_000_000  # no file that people write is larger
_MAX_DEPTH = 32  # … or nested deeper


def read_toml(path: Path) -> Raw:
    """The tables of a TOML file; InputError names file and line when it is not TOML."""
    try:
        return _shallow(tomllib.loads(_text(path)), str(path))
    except (ValueError, RecursionError) as error:  # ValueError: TOMLDecodeError, or a whole number of 5,000 digits
        hint = "strings need quotes, tables [brackets]"
        raise InputError(f"this is not TOML: {error}", where=str(path), hint=hint) from None


def read_json(path: Path) -> Raw:
    """The object in a JSON file; InputError names file and line when it is cut short or is something else."""
    try:
        raw = json.loads(_text(path), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        what = f"this is not whole JSON: {error}"
        raise InputError(what, where=str(path), hint="fetch or write the file again") from None
    if not isinstance(raw, dict):
        what = f"a JSON object is wanted, this is a {type(raw).__name__}"
        raise InputError(what, where=str(path), hint="start with {")
    return _shallow(raw, str(path))


def read_csv(path: Path, required: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a CSV file as text; InputError names the columns that are missing. Empty cells stay empty."""
    try:
        rows = csv.DictReader(io.StringIO(_text(path)), strict=True, restval="")
        columns = rows.fieldnames or []
        missing = [name for name in required if name not in columns]
        if missing:
            hint = did_you_mean(missing[0], columns) or f"wanted: {', '.join(required)}"
            raise InputError(f'column "{missing[0]}" is missing', where=str(path), hint=hint)
        twice = [name for name in columns if columns.count(name) > 1 and name]
        if twice:
            raise InputError(f'column "{twice[0]}" is there twice', where=str(path), hint="keep one of them")
        return [_cells(row, len(columns), f"{path}: line {rows.line_num}") for row in rows]
    except csv.Error as error:
        raise InputError(f"this is not CSV: {error}", where=str(path), hint="check quotes and commas there") from None


def _cells(row: Mapping[str | None, Any], many: int, where: str) -> dict[str, str]:
    beyond = row.get(None)
    if beyond:
        hint = 'put a value that holds a comma in quotes: "10,000" is one'
        raise InputError(f"{many + len(beyond)} cells, and {many} columns", where=where, hint=hint)
    return {k: (v or "").strip() for k, v in row.items() if k is not None}


def read_text(path: Path) -> str:
    """The text of a file that people write; InputError where there is none, or too much of it."""
    return _text(path)


def sha256(path: Path) -> str:
    """What a file is known by, whatever its size."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        what = f"cannot be read: {error.strerror or error}"
        raise InputError(what, where=str(path), hint="check the path") from None


def toml_lines(text: str) -> dict[str, int]:
    r"""The line of each key of a TOML file, by its path; of what is no TOML, as far as it goes.

    >>> toml_lines("[[sites]]\nname = 'a'\npower = [{ date = 1 }]")["sites[0].power[0].date"]
    3
    """
    tokens, found, counts, here, i = _tokens(text), dict[str, int](), dict[str, int](), "", 0
    with suppress(IndexError, RecursionError):
        while True:
            kind, word, line = tokens[i]
            if kind == "newline":
                i += 1
            elif word == "[":
                double = tokens[i + 1][1] == "["
                parts, i = _key(tokens, i + 1 + double)
                here = _table_path(parts, counts, double, found, line)
                i += 1 + double
            else:
                i = _pair(tokens, i, here, found)
    return found


_Token = tuple[str, str, int]  # kind, text, line
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|\#[^\n]*)|(?P<newline>\n)|(?P<mark>[\[\]{}=,.])|(?P<bare>[^\s\[\]{}=,.#"']+)
    |(?P<text>\"{3}(?:\\.|[^\\])*?\"{3,5}|'{3}.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*')|(?P<odd>.)""",
    re.DOTALL | re.VERBOSE,
)


def _tokens(text: str) -> list[_Token]:
    found, line = list[_Token](), 1
    for match in _TOKEN.finditer(text):
        if match.lastgroup != "space":
            found.append((str(match.lastgroup), match[0], line))
        line += match[0].count("\n")
    return found


def _key(tokens: list[_Token], i: int) -> tuple[list[str], int]:
    """The parts of a dotted key, and where what follows it begins."""
    parts = []
    while tokens[i][1] not in ("=", "]"):
        kind, word, _ = tokens[i]
        parts += [] if word == "." else [word[1:-1] if kind == "text" else word]
        i += 1
    return parts, i


def _table_path(parts: Sequence[str], counts: dict[str, int], double: bool, found: dict[str, int], line: int) -> str:
    """Where a [table] or an element of [[tables]] lies; `counts` holds the latest of each array of tables."""
    path = ""
    for n, part in enumerate(parts, start=1):
        path = f"{path}.{part}" if path else part
        found.setdefault(path, line)
        if double and n == len(parts):
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = f"{path}[{counts[path]}]"
            found.setdefault(path, line)
    return path


def _pair(tokens: list[_Token], i: int, path: str, found: dict[str, int]) -> int:
    line = tokens[i][2]
    parts, i = _key(tokens, i)
    for part in parts:
        path = f"{path}.{part}" if path else part
        found.setdefault(path, line)
    return _value(tokens, i + 1, path, found)


def _value(tokens: list[_Token], i: int, path: str, found: dict[str, int]) -> int:
    """Step over a value, and note what lies in it."""
    opened, n = tokens[i][1], 0
    if opened not in ("[", "{"):
        while tokens[i][1] not in (",", "]", "}", "\n"):
            i += 1
        return i
    i += 1
    while tokens[i][1] not in ("]", "}"):
        if tokens[i][1] in (",", "\n"):
            i += 1
        elif opened == "{":
            i = _pair(tokens, i, path, found)
        else:
            found.setdefault(f"{path}[{n}]", tokens[i][2])
            i, n = _value(tokens, i, f"{path}[{n}]", found), n + 1
    return i + 1


def toml_text(raw: Raw) -> str:
    r"""Tables as TOML that `read_toml` reads back: a table of the second level and below on a line of its own.

    >>> print(toml_text({"a": 1, "b": {"c": "x", "d": [{"e": 2.5}, {"e": True}]}}), end="")
    a = 1
    <BLANKLINE>
    [b]
    c = "x"
    d = [
      { e = 2.5 },
      { e = true },
    ]
    """
    plain = {key: value for key, value in raw.items() if not isinstance(value, Mapping)}
    lines = [f"{_toml_key(key)} = {_toml(value)}" for key, value in plain.items()]
    for key, table in raw.items():
        if isinstance(table, Mapping):
            lines += ["", f"[{_toml_key(key)}]", *(f"{_toml_key(k)} = {_toml_rows(v)}" for k, v in table.items())]
    return "\n".join(lines) + "\n"


def _toml_rows(value: object) -> str:
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return "[\n" + "".join(f"  {_toml(row)},\n" for row in value) + "]"
    return _toml(value)


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_toml_key(k)} = {_toml(v)}" for k, v in value.items()) + " }" if value else "{}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return str(int(value))
    return json.dumps(value, ensure_ascii=True)  # of numbers, true, false and text TOML writes the same


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: one that was there stays as it was until the new one is complete."""
    if path.exists() and not path.is_file():  # a folder, or a device, which a file would take the place of
        raise InputError("this is no file", where=str(path), hint="name one that may be written")
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        what = f"cannot be written: {error.strerror or error}"
        raise InputError(what, where=str(path), hint="free some space, or name another place with -o") from None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:  # no more than the limit is ever read: a device has no size, and no end
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise InputError("this file is too large to be one people write", where=str(path))
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"this is not UTF-8 text: {error.reason}"
        raise InputError(what, where=str(path), hint="is it the right file?") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot be read: {reason}", where=str(path), hint="check the path") from None


def _shallow(raw: dict[str, object], where: str) -> Raw:
    """The same tables, unless they are nested deeper than any file people write."""
    level: list[object] = [raw]
    for _ in range(_MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        if not level:
            return raw
    raise InputError(f"more than {_MAX_DEPTH} tables lie inside each other", where=where, hint="is it the right file?")


def _children(value: object) -> list[object]:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [child for child in inside if isinstance(child, (dict, list))]


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")
