"""`assay pilot check`, `assay pilot schema`: whether the file says what is meant."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from assay.cli.output import emit, format_option, say
from assay.cli.pilot import at, catalog_option, today


@click.command()
@click.argument("path", default=".", type=click.Path())
@catalog_option
@format_option
def check(path: str, folders: tuple[Path, ...], fmt: str) -> None:
    """Explain everything that is wrong with a pilot's file (PATH: the file, or its folder; default: here).

    Each problem has its line, what is wrong and what to write instead. A warning makes the decision weaker, an error
    makes it impossible. Exit: 0 no error, 2 errors.
    """
    from assay.api.pilot_file import path_of
    from assay.api.piloting import check as problems_of
    from assay.errors import InputError

    found = problems_of(path, today(), folders)
    rows = [
        {"line": one.line, "severity": one.severity, "key": one.key, "what": one.what, "write instead": one.hint}
        for one in found
    ]
    file = path_of(path)
    if rows or fmt == "json":
        emit(rows, fmt, title=f"Problems of {file}", data=[asdict(one) for one in found])
    wrong = sum(one.severity == "error" for one in found)
    if wrong:
        told = "1 error" if wrong == 1 else f"{wrong} errors"
        raise InputError(f"{told} in this pilot", where=str(file), hint="correct them, and check again")
    counted = f"{len(found)} warning{'s' if len(found) > 1 else ''}"
    say(f"{file} can be used; {counted}." if found else f"{file} can be used.")
    say(f"Next: assay pilot run{at(path)} --stage 1")


@click.command()
def schema() -> None:
    """Print the JSON Schema of pilot.toml.

    Editors that read `#:schema ./pilot.schema.json` (taplo, Even Better TOML) then complete and check the file while
    it is written. `assay pilot init` puts it into the folder.
    """
    from assay.api.pilot_schema import SHIPPED

    click.echo(SHIPPED.read_text(encoding="utf-8"), nl=False)
