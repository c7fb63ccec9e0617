"""The door: TOML and JSON in, frozen nouns out. Past it nothing is a loose dictionary.

Values are written as their source prints them (`bandwidth = "3.35 TB/s"` fills `bandwidth_bytes_per_s`). In a sourced
file every value names where it comes from: `{ is = "3.35 TB/s", from = "datasheet" }`, or the file's `sourced_by`.
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from assay.errors import InputError, did_you_mean
from assay.units import parse, suffix

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")
Raw = Mapping[str, object]

_MAX_BYTES = 64_000_000  # no file that people write is larger


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a value was read."""

    kind: Literal["vendor", "paper", "press", "repository", "measured", "derived", "memory", "assumed", "price-list"]
    title: str = ""
    url: str = ""
    date: str = ""
    confidence: Literal["high", "medium", "low"] = "medium"
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One value of a sourced file, as written, with its range and its source."""

    key: str  # "peak_flop_per_s.bf16"
    value: float | str | bool | None
    low: float | None = None
    high: float | None = None
    source: Source
    note: str = ""


def read_toml(path: Path) -> Raw:
    """The tables of a TOML file; InputError names file and line when it is not TOML."""
    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"this is not TOML: {error}", where=str(path), hint="strings need quotes, tables [brackets]") from None


def read_json(path: Path) -> Raw:
    """The object in a JSON file; InputError names file and line when it is cut short or is something else."""
    try:
        raw = json.loads(_text(path), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        what = f"this is not whole JSON: {error}"
        raise InputError(what, where=str(path), hint="fetch or write the file again") from None
    if not isinstance(raw, dict):
        raise InputError(f"a JSON object is wanted, this is a {type(raw).__name__}", where=str(path), hint="start with {")
    return raw


def decode(raw: Raw, cls: type[T], where: str = "") -> T:
    """A noun from plain tables. Keys may leave out the unit (`power` for `power_w`); unknown keys are refused."""
    return _validate(_plain(raw, cls, where, "", None), cls, where)


def decode_sourced(raw: Raw, cls: type[T], where: str = "") -> tuple[T, dict[str, Fact]]:
    """A noun and the provenance of each of its values; a value without a source is refused."""
    body = {k: v for k, v in raw.items() if k not in ("schema", "kind", "source", "sourced_by")}
    sources = _table(raw.get("source", {}), f"{where}: source")
    named = {k: decode(_table(v, f"{where}: source.{k}"), Source, f"{where}: source.{k}") for k, v in sources.items()}
    ledger = _Ledger(where, named, raw.get("sourced_by"))
    plain = _plain(body, cls, where, "", ledger)
    return _validate(plain, cls, where), ledger.facts


def encode(noun: object) -> Any:
    """A noun as JSON-ready tables: dataclasses, mappings, sequences and NumPy numbers."""
    if dataclasses.is_dataclass(noun) and not isinstance(noun, type):
        return {f.name: encode(getattr(noun, f.name)) for f in dataclasses.fields(noun)}
    if isinstance(noun, Mapping):
        return {str(k): encode(v) for k, v in noun.items()}
    if isinstance(noun, (list, tuple)):
        return [encode(v) for v in noun]
    if hasattr(noun, "tolist"):
        return noun.tolist()
    return noun


@dataclass
class _Ledger:
    """Collects the facts of one file while it is read."""

    where: str
    sources: Mapping[str, Source]
    default: object
    facts: dict[str, Fact] = dataclasses.field(default_factory=dict)

    def note(self, key: str, value: object, table: Raw) -> None:
        name = table.get("from", self.default)
        if not isinstance(name, str) or name not in self.sources:
            hint = did_you_mean(str(name), self.sources) or 'add from = "NAME" and a [source.NAME] table'
            what = f"{key}: no source" if name is None else f'{key}: source "{name}" is not in this file'
            raise InputError(what, where=self.where, hint=hint)
        low, high = (_number(table.get(end), key, self.where) for end in ("low", "high"))
        number = value if isinstance(value, (int, float)) else None
        if number is not None and not (low if low is not None else number) <= number <= (high if high is not None else number):
            raise InputError(f"{key}: {number:g} is outside its range", where=self.where, hint="low ≤ is ≤ high")
        shown = value if isinstance(value, (int, float, str, bool)) or value is None else str(value)
        remark = str(table.get("note", ""))
        self.facts[key] = Fact(key=key, value=shown, low=low, high=high, source=self.sources[name], note=remark)


# What a person names a thing by, rather than claims of it: these carry no source.
_NAMES = frozenset({"name", "vendor", "aliases", "architecture", "execution", "accelerator", "links", "offers", "shape",
                    "family", "kind", "source", "confidence"})  # fmt: skip


def _plain(raw: object, cls: Any, where: str, path: str, ledger: _Ledger | None) -> Any:
    """Tables with unit-less keys and quantities in words → the keywords of a dataclass, in SI."""
    hints, known = _fields(cls)
    short = {name.removesuffix("_" + suffix(name)): name for name in known if suffix(name)}
    out: dict[str, object] = {}
    for key, value in _table(raw, _join(where, path)).items():
        name = key if key in known else short.get(key)
        if name is None:
            hint = did_you_mean(key, [*known, *short]) or f"known here: {', '.join(sorted(short.keys() | known - set(short.values())))}"
            raise InputError(f'unknown key "{path}{key}"', where=where, hint=hint)
        if name in out:
            raise InputError(f'"{path}{key}" is given twice', where=where, hint="keep one of them")
        out[name] = _value(value, hints[name], where, path + name, ledger)
    return out


def _value(value: object, hint: Any, where: str, path: str, ledger: _Ledger | None) -> object:
    kind, args = _unwrap(hint)
    if dataclasses.is_dataclass(kind) and isinstance(value, dict) and "is" not in value:
        return _plain(value, kind, where, path + ".", ledger)
    if kind is tuple and args and dataclasses.is_dataclass(args[0]) and isinstance(value, list):
        return [_plain(item, args[0], where, f"{path}[{i}].", ledger) for i, item in enumerate(value)]
    if kind is dict and isinstance(value, dict) and "is" not in value:
        return {k: _value(v, args[1], where, f"{path}.{k}", ledger) for k, v in value.items()}
    table = value if isinstance(value, dict) and "is" in value else {"is": value}
    extra = set(table) - {"is", "low", "high", "from", "note"}
    if extra:
        raise InputError(f'{path}: unknown key "{min(extra)}"', where=where, hint='known: "is", "low", "high", "from", "note"')
    found = table["is"]
    if kind is float:
        found = _number(found, path, where)
    if ledger is not None and path.split(".")[0].split("[")[0] not in _NAMES:
        ledger.note(path, found, table)
    return found


def _number(value: object, path: str, where: str) -> float | None:
    if value is None:
        return None
    unit = suffix(path.split(".")[0].split("[")[0]) or suffix(path.rpartition(".")[2])
    if isinstance(value, (str, int, float)):
        try:
            number = parse(value, unit)
        except InputError as error:
            raise InputError(error.what, where=_join(where, path), hint=str(error).partition("; ")[2]) from None
        if number < 0 and unit:
            raise InputError(f"{value} is below 0", where=_join(where, path), hint="leave out what is unknown")
        return number
    raise InputError(f"a number is wanted, this is a {type(value).__name__}", where=_join(where, path))


def _validate(plain: object, cls: type[T], where: str) -> T:
    from pydantic import ValidationError

    try:
        return _adapter(cls).validate_python(plain)
    except ValidationError as error:
        raise _explain(error, where) from None


@cache
def _adapter(cls: type[T]) -> TypeAdapter[T]:
    from pydantic import TypeAdapter

    return TypeAdapter(cls)


def _explain(error: ValidationError, where: str) -> InputError:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return InputError(f'"{key}" is missing', where=where, hint=f"add {key} = …")
    what = first["msg"].removeprefix("Value error, ")
    found = f" (found {first['input']!r})" if key and not isinstance(first["input"], (dict, list)) else ""
    more = f"and {error.error_count() - 1} more" if error.error_count() > 1 else ""
    return InputError(f"{key}: {what}{found}" if key else what, where=where, hint=more)


@cache
def _fields(cls: Any) -> tuple[dict[str, Any], frozenset[str]]:
    hints = typing.get_type_hints(cls)
    return hints, frozenset(f.name for f in dataclasses.fields(cls))


def _unwrap(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """The type inside `X | None`, and its arguments; any Mapping counts as dict."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        inner = [arg for arg in typing.get_args(hint) if arg is not type(None)]
        hint = inner[0] if len(inner) == 1 else hint
    origin = typing.get_origin(hint)
    return (dict if origin is Mapping else origin or hint), typing.get_args(hint)


def _table(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise InputError(f"a table is wanted, this is a {type(value).__name__}", where=where, hint="write [table] or { key = value }")
    return value


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError("this file is too large to be one people write", where=str(path))
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"this is not UTF-8 text: {error.reason}", where=str(path), hint="is it the right file?") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot be read: {reason}", where=str(path), hint="check the path") from None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _join(where: str, path: str) -> str:
    return ": ".join(part for part in (where, path.rstrip(".")) if part)
