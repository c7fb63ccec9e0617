"""Wide tables on narrow terminals: columns that do not fit side by side are told below, their keys repeated."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from assay.cli.output import Row, emit, plain


def stacked(rows: Sequence[Row], keys: Sequence[str], fmt: str, *, title: str = "") -> None:
    """Print a table as `emit` does; on a terminal too narrow for it, as several that are not."""
    tables = split(rows, keys, _terminal()) if fmt == "table" and sys.stdout.isatty() else [list(rows)]
    for i, table in enumerate(tables):
        if i:
            click.echo()
        emit(table, fmt, title="" if i else title)


def section(title: str, rows: Sequence[Row], keys: Sequence[str], fmt: str) -> None:
    """One of several tables, under its heading."""
    click.echo(f"\n## {title}\n" if fmt == "md" else "")
    stacked(rows, keys, fmt, title=title)


def split(rows: Sequence[Row], keys: Sequence[str], width: int) -> list[list[Row]]:
    """Tables no wider than `width`, filled from the left, each with the key columns; one column always stands.

    >>> [list(table[0]) for table in split([{"n": 1, "speed": "fast", "price": "high"}], ["n"], 10)]
    [['n', 'speed'], ['n', 'price']]
    """
    columns = [name for name in dict.fromkeys(key for row in rows for key in row) if name not in keys]
    groups: list[list[str]] = [[]]
    for name in columns:
        if groups[-1] and _width(rows, (*keys, *groups[-1], name)) > width:
            groups.append([])
        groups[-1].append(name)
    return [_only(rows, (*keys, *group)) for group in groups]


def _terminal() -> int:
    """Columns, as the one who draws the table counts them."""
    from rich.console import Console

    return Console().width


def _width(rows: Sequence[Row], columns: Sequence[str]) -> int:
    return max(map(len, plain(_only(rows, columns)).splitlines()))


def _only(rows: Sequence[Row], columns: Sequence[str]) -> list[Row]:
    return [{name: row.get(name) for name in columns} for row in rows]
