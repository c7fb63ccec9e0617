"""The pilot's file as a JSON Schema, for editors: made of the nouns, with their comments as descriptions."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from assay.assumption import Assumption
from assay.pilot import COVERS, Pilot
from assay.units import suffix

SHIPPED = Path(__file__).parents[1] / "data" / "pilot.schema.json"
NAME = "pilot.schema.json"

_COMMENT = re.compile(r"^ {4}(\w+): .*?  # (.+)$", re.MULTILINE)
_PLAIN = {str: "string", int: "integer", bool: "boolean"}
_NUMBER = {"type": ["number", "string"]}  # "10 kW", or 10000


def schema() -> dict[str, Any]:
    """What a pilot.toml may hold.

    >>> schema()["properties"]["days"]["type"]
    'integer'
    """
    found: dict[str, Any] = {}
    root = _noun(Pilot, found)
    root["properties"] |= {"kind": {"const": "pilot"}}
    found["Candidate"]["properties"]["covers"]["items"] = {"enum": list(COVERS)}
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "A pilot of AI hardware, for assay pilot"}
    return {**head, **root, "definitions": dict(sorted(found.items()))}


def text() -> str:
    """The same as a file."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _noun(cls: Any, found: dict[str, Any]) -> dict[str, Any]:
    """One table: its keys with and without their unit, which of them it must have, what it means."""
    hints, told = typing.get_type_hints(cls), dict(_COMMENT.findall(inspect.getsource(cls)))
    properties: dict[str, Any] = {}
    needed = []
    for field in dataclasses.fields(cls):
        unit = suffix(field.name)
        short = field.name.removesuffix(f"_{unit}") if unit else field.name
        words = [told.get(field.name, ""), f"in {unit.replace('_', ' ')} or with its unit" if unit else ""]
        one = _typed(hints[field.name], found)
        if described := "; ".join(word for word in words if word):
            one = {"description": described, **one} if "$ref" not in one else {"description": described, "allOf": [one]}
        properties |= {short: one, field.name: one}
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            needed.append({"anyOf": [{"required": [name]} for name in dict.fromkeys((short, field.name))]})
    doc = " ".join((inspect.getdoc(cls) or "").split())
    table = {"description": doc, "type": "object", "properties": properties, "additionalProperties": False}
    return table | ({"allOf": needed} if needed else {})


def _typed(hint: Any, found: dict[str, Any]) -> dict[str, Any]:
    """A value, by its type."""
    kind, args = typing.get_origin(hint) or hint, typing.get_args(hint)
    if kind in (typing.Union, types.UnionType):
        inner = [arg for arg in args if arg is not type(None)]
        options = [_typed(arg, found) for arg in inner]
        return options[0] if len(options) == 1 else {"type": list(dict.fromkeys(_names(options)))}
    if kind is Literal:
        return {"enum": list(args)}
    if kind is float:
        return dict(_NUMBER)
    if kind is Assumption:
        found.setdefault("Assumption", _assumption())
        return {"$ref": "#/definitions/Assumption"}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if kind.__name__ not in found:
            found[kind.__name__] = {}  # named before it is made: nouns may hold each other
            found[kind.__name__] = _noun(kind, found)
        return {"$ref": f"#/definitions/{kind.__name__}"}
    if kind is tuple:
        return {"type": "array", "items": _typed(args[0], found)}
    if kind is Mapping:
        return {"type": "object", "additionalProperties": _typed(args[1], found)}
    return {"type": _PLAIN[kind]}


def _names(options: list[dict[str, Any]]) -> list[str]:
    return [name for one in options for name in (one["type"] if isinstance(one["type"], list) else [one["type"]])]


def _assumption() -> dict[str, Any]:
    words = {"is": "the usual value", "low": "it is above nineteen times in twenty", "high": "… and below as often"}
    keys: dict[str, Any] = {name: {"description": told, **_NUMBER} for name, told in words.items()}
    told = {"from": "who says so", "date": "when it was so: 2026-11", "note": "what a reader must know"}
    keys |= {name: {"description": said, "type": "string"} for name, said in told.items()}
    keys["confidence"] = {"enum": ["high", "medium", "low"]}
    table = {"type": "object", "properties": keys, "additionalProperties": False}
    doc = "a number, alone or with its range, its source and its date"
    return {"description": doc, "anyOf": [{"type": ["number", "string"]}, table]}
