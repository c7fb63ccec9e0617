"""`assay report`: one HTML file that can be sent to whoever decides."""

from __future__ import annotations

from pathlib import Path

import click

from assay.cli.output import say


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", metavar="FILE", default="runs/report.html", show_default=True, type=click.Path(path_type=Path),
    help="Where to write it; an existing file is replaced.",
)  # fmt: skip
@click.option("--csv", "tables", metavar="DIR", type=click.Path(path_type=Path),
              help="Of a pilot: every table as CSV, too.")  # fmt: skip
@click.option("--catalog", "folders", multiple=True, type=click.Path(path_type=Path),
              help="Of a pilot: a folder of your own systems; may be repeated.")  # fmt: skip
def report(paths: tuple[Path, ...], out: Path, tables: Path | None, folders: tuple[Path, ...]) -> None:
    """One self-contained HTML file from runs, or from a pilot.

    PATH is a pilot.toml or its folder, a run (a folder under ./runs, or its id), or a folder that holds runs; of those
    the ones that cannot be read are skipped and named. The file asks nothing of any network and can be read with
    JavaScript off.
    """
    from assay import api
    from assay.units import show

    written = api.report(paths, out, tell=say, tables=tables, folders=folders)
    click.echo(f"{written}  {show(written.stat().st_size, 'bytes')}")
    say(f"Next: open {written} in a browser, or send it: nothing outside the file is needed.")
