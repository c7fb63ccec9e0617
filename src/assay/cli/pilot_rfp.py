"""`assay pilot rfp`: the questions for vendors, as a document or as a table to be filled and taken back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli.output import emit, format_option, say
from assay.cli.pilot import catalog_option, today

if TYPE_CHECKING:
    from assay.pilot import Pilot


@click.command()
@click.argument("path", default=".", type=click.Path())
@click.option("--candidate", default="", help="The questions for this one alone.")
@click.option("--compare", is_flag=True, help="What was answered and measured, side by side.")
@click.option("--open", "only_open", is_flag=True, help="Only what is neither answered nor measured.")
@catalog_option
@format_option
def rfp(
    path: str, candidate: str, compare: bool, only_open: bool, folders: tuple[Path, ...], fmt: str
) -> None:  # fmt: skip
    """What to ask vendors, what moves the decision most first (PATH: the file, or its folder; default: here).

    \b
    assay pilot rfp --format md > questions.md          a document to send
    assay pilot rfp --format csv > questions.csv        a table to be filled in the column "answer" …
    assay pilot add questions.csv --candidate NAME      … and taken back
    assay pilot rfp --compare                           the answers side by side
    """
    from assay.api.deciding import decide
    from assay.api.pilot_adding import named
    from assay.api.piloting import pilot as read
    from assay.decide import rfp as asked

    told = read(path, folders)
    names = [c.name for c in told.candidates if c.via != "own"]
    if candidate:
        names = [named("candidate", candidate, told.candidates).name]
    found = decide(path, today=today(), folders=folders, n=10_000).questions
    table = asked.compared(found, names) if compare else asked.rows(found)
    head, *body = table
    rows = [dict(zip(head, line, strict=True)) for line in body]
    if not compare:
        rows = [row for row in rows if row["candidate"] in names]
        if only_open:
            rows = [row for row in rows if not row["answer"] and not row["measured"]]
    if fmt == "md" and not compare:
        click.echo(_document(rows, told))
        return
    emit(_short(rows) if fmt == "table" and not compare else rows, fmt, title=f"Questions of {told.name}")
    if not compare:
        say("Next: --format csv > questions.csv, have it filled, then: assay pilot add questions.csv --candidate NAME")


def _short(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """A line a question: what a terminal has room for."""
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        line = found.setdefault(
            row["id"], {key: row[key] for key in ("id", "topic", "question", "weight")} | {"open for": ""}
        )
        if not row["answer"] and not row["measured"]:
            line["open for"] = ", ".join(filter(None, (line["open for"], row["candidate"])))
    return list(found.values())


def _document(rows: list[dict[str, str]], told: Pilot) -> str:
    """The questions as a document, topic by topic; each once, whoever it is for."""
    lines = [f"# Request for proposal: {told.name}", "", *_about(told), ""]
    for topic in dict.fromkeys(row["topic"] for row in rows):
        lines += [f"## {topic[:1].upper()}{topic[1:]}", ""]
        asked = {row["id"]: row for row in rows if row["topic"] == topic}
        for key, row in asked.items():
            unit = f" Answer in {row['unit']}." if row["unit"] else ""
            lines += [f"- **{row['question']}**{unit} ({key})", f"  *{row['why']}*", ""]
    return "\n".join(lines).rstrip()


def _about(told: Pilot) -> list[str]:
    """What the machines are for, so that a vendor knows what is asked."""
    lines = [told.question, "", "The work:", ""]
    for work in told.workloads:
        often = f", {work.jobs_per_year.value:g} times a year" if work.jobs_per_year is not None else ""
        model = f" of {work.model}" if work.model else ""
        lines.append(f"- {work.name}: {work.task}{model} in {work.precision}{often}; {work.framework}")
    if told.demand.needed_by:
        lines += ["", f"Needed by {told.demand.needed_by}."]
    return lines
