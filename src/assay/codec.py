"""The door: TOML and JSON in, frozen nouns out. Past it nothing is a loose dictionary.

Values are written as their source prints them (`bandwidth = "3.35 TB/s"` fills `bandwidth_bytes_per_s`). In a sourced
file every value names where it comes from: `{ is = "3.35 TB/s", from = "datasheet" }`, or the file's `sourced_by`.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
import reprlib
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from assay.assumption import Assumption
from assay.errors import InputError, did_you_mean
from assay.files import Raw, read_csv, read_json, read_toml
from assay.units import parse, show, suffix, unit_of

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

__all__ = [
    "Fact", "Raw", "Source", "decode", "decode_sourced", "encode", "problems", "read_csv", "read_json", "read_toml",
]  # fmt: skip

T = TypeVar("T")

_SMALLEST, _LARGEST = 1e-30, 1e30  # of any quantity, in SI: beyond it is a slip, and sums of it are no numbers


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


def decode(raw: Raw, cls: type[T], where: str = "") -> T:
    """A noun from plain tables. Keys may leave out the unit (`power` for `power_w`); unknown keys are refused."""
    return _validate(_plain(raw, cls, where, "", None), cls, where)


def problems(raw: Raw, cls: Any, where: str = "", path: str = "") -> Iterator[tuple[str, InputError]]:
    """Every reason why these tables are not that noun, each with the key it is about: `candidates[1].price`.

    What a table lacks as a whole is told once each of its keys is right.
    """
    hints, _ = _fields(cls)
    whole = True
    for key, value in raw.items():
        try:
            ((name, _),) = _plain({key: None}, cls, where, path, None).items()
            inner = list(_inside(value, hints[name], path + key, where))
            if not inner:
                _adapter(hints[name]).validate_python(_value(value, hints[name], where, path + name, None))
            for place, noun, table in inner:
                found = list(problems(table, noun, where, place))
                whole = whole and not found
                yield from found
        except InputError as error:
            whole = False
            yield path + key, error
        except ValueError as error:  # pydantic's, of one field
            whole = False
            yield path + key, _explain(error, where)  # type: ignore[arg-type]
    try:
        if whole:
            decode(raw, cls, where)
    except InputError as error:
        yield path.rstrip("."), error


def _inside(value: object, hint: Any, path: str, where: str) -> Iterator[tuple[str, Any, Raw]]:
    """The tables in a value that are nouns themselves: where each is, what it should be, what it holds."""
    kind, args = _unwrap(hint)
    if dataclasses.is_dataclass(kind) and kind is not Assumption and isinstance(value, Mapping) and "is" not in value:
        yield f"{path}.", kind, value
    elif kind is tuple and args and dataclasses.is_dataclass(args[0]) and isinstance(value, list):
        yield from ((f"{path}[{i}].", args[0], _table(item, f"{where}: {path}[{i}]")) for i, item in enumerate(value))


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
        if isinstance(value, (int, float)) and (
            (low is not None and value < low) or (high is not None and value > high)
        ):
            raise InputError(f"{key}: {value} is outside its range", where=self.where, hint="low ≤ is ≤ high")
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
            here = ", ".join(sorted(short.keys() | known - set(short.values())))
            hint = did_you_mean(key, [*known, *short]) or f"known here: {here}"
            raise InputError(f'unknown key "{path}{key}"', where=where, hint=hint)
        if name in out:
            raise InputError(f'"{path}{key}" is given twice', where=where, hint="keep one of them")
        out[name] = _value(value, hints[name], where, path + name, ledger)
    return out


def _value(value: object, hint: Any, where: str, path: str, ledger: _Ledger | None) -> object:
    kind, args = _unwrap(hint)
    if kind in (typing.Union, types.UnionType) and isinstance(value, dict):
        kind = _likest(value, args)
    if kind is Assumption:
        return _assumption(value, where, path)
    if isinstance(value, datetime.date):  # TOML has dates; what holds one here is text
        value = value.isoformat()
    if dataclasses.is_dataclass(kind) and isinstance(value, dict) and "is" not in value:
        return _plain(value, kind, where, path + ".", ledger)
    if kind is tuple and args and dataclasses.is_dataclass(args[0]) and isinstance(value, list):
        return [_plain(item, args[0], where, f"{path}[{i}].", ledger) for i, item in enumerate(value)]
    if kind is dict and isinstance(value, dict) and "is" not in value:
        return {k: _value(v, args[1], where, f"{path}.{k}", ledger) for k, v in value.items()}
    table = value if isinstance(value, dict) and "is" in value else {"is": value}
    extra = set(table) - {"is", "low", "high", "from", "note"}
    if extra:
        hint = 'known: "is", "low", "high", "from", "note"'
        raise InputError(f'{path}: unknown key "{min(extra)}"', where=where, hint=hint)
    found = table["is"]
    if kind is float:
        found = _number(found, path, where)
    if ledger is not None and re.split(r"[.\[]", path, maxsplit=1)[0] not in _NAMES:
        ledger.note(path, found, table)
    return found


def _assumption(value: object, where: str, path: str) -> Assumption | None:
    """A bare number, which is meant, or `{ is = …, low = …, high = …, from = "…" }`; of a range alone the middle."""
    if value is None:
        return None
    table = value if isinstance(value, dict) else {"is": value}
    if extra := set(table) - {"is", "low", "high", "from", "date", "confidence", "note"}:
        hint = 'known: "is", "low", "high", "from", "date", "confidence", "note"'
        raise InputError(f'{path}: unknown key "{min(extra)}"', where=where, hint=hint)
    found, low, high = (_number(table.get(key), path, where) for key in ("is", "low", "high"))
    if found is None and (low is None or high is None):
        raise InputError(f"{path}: no number is given", where=where, hint="{ is = …, low = …, high = … }")
    found = found if found is not None else (low + high) / 2  # type: ignore[operator]  # both are there
    told = {key: str(table[word]) for word, key in _TOLD.items() if word in table}
    low, high = found if low is None else low, found if high is None else high
    if not low <= found <= high:  # often one of them without its unit
        unit = unit_of(path)
        what = f"{show(found, unit)} does not lie between {show(low, unit)} and {show(high, unit)}"
        raise InputError(what, where=_join(where, path), hint="low ≤ is ≤ high, each with its unit")
    return _validate({"value": found, "low": low, "high": high, **told}, Assumption, _join(where, path))


_TOLD = {"from": "source", "date": "date", "confidence": "confidence", "note": "note"}


def _number(value: object, path: str, where: str) -> float | None:
    if value is None:
        return None
    unit = unit_of(path)
    if isinstance(value, (str, int, float)):
        try:
            number = parse(value, unit)
        except InputError as error:
            raise InputError(error.what, where=_join(where, path), hint=str(error).partition("; ")[2]) from None
        if number < 0 and unit:
            raise InputError(f"{value} is below 0", where=_join(where, path), hint="leave out what is unknown")
        if unit and number and not _SMALLEST <= number <= _LARGEST:
            raise InputError(f"{value} {unit} is beyond anything there is", where=_join(where, path), hint="correct it")
        return number
    raise InputError(f"a number is wanted, this is a {type(value).__name__}", where=_join(where, path))


def _validate(plain: object, cls: type[T], where: str) -> T:
    from pydantic import ValidationError

    adapter: TypeAdapter[T] = _adapter(typing.cast("Any", cls))
    try:
        return adapter.validate_python(plain)
    except ValidationError as error:
        raise _explain(error, where) from None


@cache
def _adapter(cls: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(cls)


def _explain(error: ValidationError, where: str) -> InputError:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return InputError(f'"{key}" is missing', where=where, hint=f"add {key} = …")
    what = first["msg"].removeprefix("Value error, ")
    found = f" (found {reprlib.repr(first['input'])})" if key and not isinstance(first["input"], (dict, list)) else ""
    more = f"and {error.error_count() - 1} more" if error.error_count() > 1 else ""
    return InputError(f"{key}: {what}{found}" if key else what, where=where, hint=more)


def _likest(value: Raw, options: tuple[Any, ...]) -> Any:
    """Of several dataclasses the one that knows most of these keys (a model's shape: one class a family)."""
    nouns: list[Any] = [option for option in options if dataclasses.is_dataclass(option)]
    return max(nouns, key=lambda noun: len(value.keys() & _fields(noun)[1]), default=object)


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
        what = f"a table is wanted, this is a {type(value).__name__}"
        raise InputError(what, where=where, hint="write [table] or { key = value }")
    return value


def _join(where: str, path: str) -> str:
    return ": ".join(part for part in (where, path.rstrip(".")) if part)
