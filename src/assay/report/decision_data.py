"""A decision once more in full: as JSON in the page, and its tables as rows for CSV."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass

from assay.decision import Decision
from assay.report.data import json_text
from assay.report.table import Table

SCHEMA = 1
_FORMULA = ("=", "+", "-", "@", "\t")


def decision_payload(decision: Decision, *, created: str) -> str:
    """JSON that can stand inside a script tag; what is no number is null."""
    return json_text({"schema": SCHEMA, "title": decision.pilot, "created": created, "decision": _plain(decision)})


def table_rows(table: Table) -> list[list[str | float]]:
    """A table as rows of CSV, its head first: full numbers, and the ends of an interval in columns of their own."""
    ranged = [any(row[i].low is not None for row in table.rows) for i in range(len(table.columns))]
    head: list[str | float] = []
    for column, wide in zip(table.columns, ranged, strict=True):
        head += [column.key, f"{column.key}_low", f"{column.key}_high"] if wide else [column.key]
    return [[_safe(text) for text in head], *([*_cells(table, i, ranged)] for i in range(len(table.rows)))]


def _cells(table: Table, index: int, ranged: list[bool]) -> list[str | float]:
    found: list[str | float] = []
    for one, wide in zip(table.rows[index], ranged, strict=True):
        found.append(_safe(one.text) if one.sort is None else one.sort)
        if wide:
            found += ["" if end is None else end for end in (one.low, one.high)]
    return found


def _safe(text: str | float) -> str | float:
    """No text of a cell may be a formula to a spreadsheet."""
    return f"'{text}" if isinstance(text, str) and text.startswith(_FORMULA) else text


def _plain(value: object) -> object:
    """Nouns as tables."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, (bool, int, str)) or value is None:
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return str(value)
