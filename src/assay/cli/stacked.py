"""Wide tables on narrow terminals: columns that do not fit side by side are told below, their keys repeated."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from assay.cli.output import Row, console, emit, plain
from assay.errors import inert

_GAP = 2  # columns between two cells


def stacked(rows: Sequence[Row], keys: Sequence[str], fmt: str, *, title: str = "") -> None:
    """Print a table as `emit` does; on a terminal too narrow for it, as several that are not."""
    tables = split(rows, keys, _terminal()) if fmt == "table" and sys.stdout.isatty() else [list(rows)]
    if fmt == "md" and title:
        click.echo(f"## {inert(title)}\n")
    for i, table in enumerate(tables):
        if i:
            click.echo()
        emit(table, fmt, title="" if i else title)


def section(title: str, rows: Sequence[Row], keys: Sequence[str], fmt: str) -> None:
    """One of several tables, under its heading."""
    click.echo()
    stacked(rows, keys, fmt, title=title)


def split(rows: Sequence[Row], keys: Sequence[str], width: int) -> list[list[Row]]:
    """Tables no wider than `width`, filled from the left, each with the key columns; one column always stands.

    A key that is longer than a third of the width is folded by the one who draws, so that it does not fill every table.

    >>> [list(table[0]) for table in split([{"n": 1, "speed": "fast", "price": "high"}], ["n"], 10)]
    [['n', 'speed'], ['n', 'price']]
    """
    columns = [name for name in dict.fromkeys(key for row in rows for key in row) if name not in keys]
    most = width // 3
    key_width = sum(min(_width(rows, name), most) + _GAP for name in keys)
    groups: list[list[str]] = [[]]
    used = key_width
    for name in columns:
        if groups[-1] and used + _width(rows, name) > width:
            groups.append([])
            used = key_width
        groups[-1].append(name)
        used += _width(rows, name) + _GAP
    return [[{name: row.get(name) for name in (*keys, *group)} for row in rows] for group in groups]


def _terminal() -> int:
    """Columns, as the one who draws the table counts them."""
    return console().width


def _width(rows: Sequence[Row], column: str) -> int:
    return max(map(len, plain([{column: row.get(column)} for row in rows]).splitlines()))
