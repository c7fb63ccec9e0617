"""A table: every number of every chart as text, with the full figure behind it for sorting and for CSV."""

from __future__ import annotations

from dataclasses import dataclass

from assay.report.text import between, figure, percent, reach
from assay.result import Value
from assay.units import show


@dataclass(frozen=True, slots=True)
class Column:
    """A column: what it says, its name in CSV, and whether it holds numbers."""

    title: str
    key: str
    number: bool = False
    hint: str = ""
    named: bool = False  # a name, written as it is


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: what is read, what is sorted, a second line in small type, a link."""

    text: str
    sort: float | str | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""
    evidence: str = ""
    tone: str = ""  # good | bad | quiet
    href: str = ""


def figures(title: str, key: str, hint: str = "") -> Column:
    """A column of numbers."""
    return Column(title, key, number=True, hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with a caption of its own."""

    id: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    filtered: str = ""  # the column's key a reader can filter by

    @property
    def head(self) -> int:
        """The column that names a row: the first that is no number."""
        return next((i for i, c in enumerate(self.columns) if not c.number), 0)


def value_cell(value: Value | None, metric: str, usual: str = "") -> Cell:
    """A metric with its interval beneath it, and its evidence where that is not the row's usual one."""
    if value is None:
        return Cell("unknown", tone="quiet")
    return Cell(
        figure(value.mean, metric),
        sort=value.mean,
        low=value.low,
        high=value.high,
        note="" if value.low == value.high else reach(value, metric),
        evidence="" if value.evidence == usual else value.evidence,
        tone="bad" if metric == "headroom_bytes" and value.mean < 0 else "",
    )


def ranged(
    value: float | None,
    low: float | None,
    high: float | None,
    unit: str,
    *,
    absent: str = "unknown",
    evidence: str = "",
) -> Cell:
    """A figure with its interval beneath it, where it has one."""
    if value is None:
        return Cell(absent)
    note = between(low, high, unit) if low is not None and high is not None and low != high else ""
    ends = (low, high) if note else (None, None)
    return Cell(show(value, unit), sort=value, low=ends[0], high=ends[1], note=note, evidence=evidence)


def size_cell(size_bytes: float | None) -> Cell:
    """A number of bytes, a dash where there is none."""
    return Cell("—" if size_bytes is None else show(size_bytes, "bytes"), sort=size_bytes)


def share_cell(share: float | None) -> Cell:
    """A share in per cent, a dash where there is none."""
    return Cell("—" if share is None else percent(share, sign=False), sort=share)
