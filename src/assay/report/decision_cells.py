"""Cells and small tables of a decision: an unknown figure says so, an interval stands beneath its figure."""

from __future__ import annotations

from collections.abc import Iterable

from assay.decision import Proof
from assay.report.decision_words import PROOFS, reach, said
from assay.report.study import real
from assay.report.table import Cell, Column, Table
from assay.report.text import listed
from assay.result import Value


def cell(value: Value | None, unit: str, *, badge: bool = False, absent: str = "unknown") -> Cell:
    """A figure with its interval beneath it."""
    if value is None or not real(value.low, value.mean, value.high):
        return Cell(absent, tone="quiet")
    exact = value.low == value.high
    note = "" if exact else reach(value.low, value.high, unit)
    ends = (None, None) if exact else (value.low, value.high)
    letter = value.evidence if badge else ""
    return Cell(said(value.mean, unit), sort=value.mean, low=ends[0], high=ends[1], note=note, evidence=letter)


def plain(number: float | None, unit: str, *, absent: str = "unknown", tone: str = "") -> Cell:
    """A number without an interval."""
    if number is None or not real(number):
        return Cell(absent, tone="quiet")
    return Cell(said(number, unit), sort=number, tone=tone)


def words(text: str, absent: str = "—") -> Cell:
    """A text that may need more than one line."""
    return Cell(text, tone="long") if text else Cell(absent, tone="quiet")


def proof(found: Proof, text: str = "") -> Cell:
    """Pass, fail or not proven: a sign, the word, and the sentence beneath it."""
    told, tone = PROOFS[found]
    return Cell(told, note=text, tone=f"matrix {tone}")


def count(number: int | None) -> Cell:
    """A whole number, as it is."""
    return Cell("unknown", tone="quiet") if number is None else Cell(f"{number:,}", sort=number)


def named(name: str) -> Column:
    """A column of what one candidate says."""
    return Column(name, name, named=True)


def remarks(id: str, caption: str, found: Iterable[tuple[str, str]]) -> Table:  # noqa: A002
    """Remarks, each once with all whom it is about."""
    about: dict[str, list[str]] = {}
    for name, note in found:
        about.setdefault(note, []).append(name)
    rows = tuple((words(note), words(listed(list(dict.fromkeys(of))))) for note, of in about.items())
    return Table(id=id, caption=caption, columns=(Column("Note", "note"), Column("Of", "of")), rows=rows)
