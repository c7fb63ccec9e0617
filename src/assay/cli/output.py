"""Data on stdout in the format asked for; progress and remarks on stderr."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from assay.errors import inert

if TYPE_CHECKING:
    from rich.console import Console

F = TypeVar("F", bound=Callable[..., Any])
Row = Mapping[str, object]

FORMATS = ("table", "json", "csv", "md")


def format_option(function: F) -> F:
    """`--format table|json|csv|md`, the same on every verb."""
    return click.option(
        "--format",
        "fmt",
        type=click.Choice(FORMATS),
        default="table",
        show_default=True,
        help="How to print the answer.",
    )(function)


def say(text: str = "") -> None:
    """A remark or a progress line, on stderr."""
    click.echo(inert(text), err=True)


def emit(rows: Sequence[Row], fmt: str, *, title: str = "", data: object | None = None) -> None:
    """Print rows. `data`, where given, is what JSON prints instead: full numbers under stable names."""
    if fmt == "json":
        click.echo(
            json.dumps(rows if data is None else data, indent=2, ensure_ascii=False, allow_nan=False, default=str)
        )
    elif fmt == "csv":
        click.echo(as_csv(rows), nl=False)
    elif fmt == "md":
        click.echo(_markdown(rows))
    elif sys.stdout.isatty():
        _rich(rows, title)
    else:
        click.echo((inert(title) + "\n" if title else "") + plain(rows))


def plain(rows: Sequence[Row]) -> str:
    """A full-width table without colour: never cut, whatever the terminal."""
    columns = _columns(rows)
    cells = [columns, *([_cell(row.get(c)) for c in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    return "\n".join("  ".join(text.ljust(w) for text, w in zip(line, widths, strict=True)).rstrip() for line in cells)


def _columns(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row))


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else inert(" ".join(str(value).split("\n")))


def as_csv(rows: Sequence[Row]) -> str:
    """Rows as CSV, their keys as its head."""
    out = io.StringIO()
    writer = csv.DictWriter(out, _columns(rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _markdown(rows: Sequence[Row]) -> str:
    columns = _columns(rows)
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    body = ("| " + " | ".join(_cell(row.get(c)).replace("|", "\\|") for c in columns) + " |" for row in rows)
    return "\n".join([*lines, *body])


def console() -> Console:
    """The terminal; where it says that it has no columns (COLUMNS=0), it is taken to have 80."""
    from rich.console import Console

    found = Console()
    return found if found.width > 0 else Console(width=80)


def _rich(rows: Sequence[Row], title: str) -> None:
    from rich.table import Table
    from rich.text import Text  # somebody's "[/b]" is text, not markup

    table = Table(
        title=Text(inert(title)) if title else None, title_justify="left", box=None, pad_edge=False, header_style="bold"
    )
    for column in _columns(rows):
        table.add_column(Text(column), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(c))) for c in _columns(rows)))
    console().print(table)
