"""`assay pilot`: a pilot as one file, from its first question to the decision."""

from __future__ import annotations

from pathlib import Path

import click

from assay.cli.verbs import Verbs

# verb -> (module under assay.cli, one line for --help)
VERBS = {
    "init": ("pilot_init", "Begin one: a folder with pilot.toml, and nothing asked that can be found out."),
    "check": ("pilot_check", "Everything that is wrong with the file, by line, and what to write instead."),
    "schema": ("pilot_check", "The file's JSON Schema, for editors."),
    "run": ("pilot_run", "A stage's measurements: here, or as scripts for another machine."),
    "add": ("pilot_add", "Take in runs made elsewhere, or a vendor's answers."),
    "rfp": ("pilot_rfp", "What to ask vendors, what moves the decision most first; answers side by side."),
    "status": ("pilot_status", "What is proven, what failed, what is not proven; days and money."),
    "decide": ("pilot_decide", "What it says today, how sure, and what would overturn it."),
}


@click.group(cls=Verbs, verbs=VERBS, invoke_without_command=True)
@click.pass_context
def pilot(ctx: click.Context) -> None:
    """A pilot of 30 to 60 days as one file: what is asked, what is tried, what would settle it.

    It lives in a folder that a team keeps in git: runs, answers and decisions are added to it, and nothing in it is
    rewritten. Start with: assay pilot init my-pilot
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def place_option(function: click.decorators.FC) -> click.decorators.FC:
    """`--pilot FOLDER`, the same on every verb that takes other arguments."""
    return click.option(
        "--pilot", "place", default=".", show_default=True, type=click.Path(), help="The pilot's file or folder."
    )(function)


def catalog_option(function: click.decorators.FC) -> click.decorators.FC:
    """`--catalog DIR`, for systems of one's own."""
    told = "A folder of your own; may be repeated."
    return click.option("--catalog", "folders", multiple=True, type=click.Path(path_type=Path), help=told)(function)


def at(path: str) -> str:
    """A pilot's path as the next command wants it: nothing where it lies here."""
    import shlex

    return "" if path == "." else f" {shlex.quote(path)}"


def here(command: str, path: str) -> str:
    """A command of a pilot with the path it lies at."""
    return command.replace("assay pilot run", f"assay pilot run{at(path)}")


def today() -> str:
    """The date here, now."""
    return now()[:10]


def now() -> str:
    """This moment, in UTC; local time zones do not merge."""
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="seconds")
