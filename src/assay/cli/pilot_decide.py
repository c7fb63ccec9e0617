"""`assay pilot decide`: what the pilot says today, on what it stands, and what would change it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli.output import emit, format_option, say
from assay.errors import inert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.cli.output import Row
    from assay.decision import Decision, Judged, Measurement

_WARNED = 6  # warnings that are told; the report has all


@click.command()
@click.argument("path", default=".", type=click.Path())
@click.option("--again", metavar="FILE", type=click.Path(path_type=Path),
              help="Make a kept decision again, from the pilot's file as it was, and show what differs.")  # fmt: skip
@click.option("--no-keep", is_flag=True, help="Do not keep it in the pilot's decisions/.")
@click.option("--focus", metavar="FILE", type=click.Path(path_type=Path),
              help="Write the bills as CSV in the columns of FOCUS 1.2.")  # fmt: skip
@click.option("--report", "out", metavar="FILE", type=click.Path(path_type=Path), help="Write the HTML report, too.")
@click.option("--draws", type=click.IntRange(1000, 10_000_000), default=100_000, show_default=True,
              help="How often what is uncertain is drawn.")  # fmt: skip
@click.option("--catalog", "folders", multiple=True, type=click.Path(), help="A folder of your own; may be repeated.")
@format_option
def decide(
    path: str, again: Path | None, no_keep: bool, focus: Path | None, out: Path | None, draws: int,
    folders: tuple[str, ...], fmt: str,
) -> None:  # fmt: skip
    """What the pilot says today (PATH: the file, or its folder; default: here).

    First what is ruled out and why, then the order by the pilot's objective with 90 % intervals, ties declared. "Pilot
    first" and "do not buy yet" are answers. It is kept in decisions/ with everything it needs to be made again.
    """
    from assay.api import deciding, keeping
    from assay.cli.pilot import today

    if again is not None:
        return _again(again, fmt, out, [Path(folder) for folder in folders])
    rooms = [Path(folder) for folder in folders]
    made = deciding.decide(path, today=today(), folders=rooms, n=draws)
    before = keeping.changed(path, made)
    kept = None if no_keep else keeping.keep(path, made)  # first of all: who reads may stop reading ("| head")
    _print(made, fmt)
    _remarks(made, path)
    for line in keeping.unread(path):
        say(f"Warning: not read: {line}")
    for line in before:
        say(f"Since the last decision: {line}")
    if kept is not None:
        say(f"Kept: {kept}")
    if focus is not None:
        _focus(made, path, focus, rooms)
    if out is not None:
        from assay.api.reporting import report_decision

        say(f"Report: {report_decision(made, out)}")
    else:
        say(f"Next: assay report {shlex.quote(path)} -o decision.html, for all of it on one page")
    return None


def _print(made: Decision, fmt: str) -> None:
    from dataclasses import replace

    from assay.codec import encode

    slim = replace(made, candidates=tuple(replace(one, results=()) for one in made.candidates))
    emit(rows(made), fmt, title=made.verdict, data=encode(slim))
    if fmt == "table":  # the reasons are part of the answer, and go where it goes
        click.echo("\n" + "\n".join(f"Why: {inert(line)}" for line in made.reasons))


def rows(made: Decision) -> list[Row]:
    """A row a candidate, best first."""
    tied = set(made.ties)
    return [_row(one, made, tied=one.name in tied) for one in made.candidates]


def _row(one: Judged, made: Decision, *, tied: bool) -> Row:
    from assay.decide.gates import stage_of
    from assay.decide.wording import OBJECTIVES, figure, shown

    words, unit = OBJECTIVES[made.objective]
    worth = one.worth
    rank = "ruled out" if one.ruled_out else "unknown" if one.rank is None else f"{one.rank}{'=' if tied else ''}"
    stages = " ".join(f"{s}:{stage_of(one.gates, s)}" for s in sorted({g.stage for g in one.gates}))
    return {
        "rank": rank, "candidate": one.name, "devices": one.accelerators or "unknown",
        words: figure(one.score, unit) if one.score is not None else "unknown",
        "used hour": figure(worth.used_usd_per_s, "usd_per_s") if worth is not None else "unknown",
        "used": f"{100 * worth.used_share.mean:.0f} %" if worth is not None else "unknown",
        "paid first": shown(worth.capex_usd.mean, "usd") if worth is not None and worth.capex_usd else "",
        "rests on": "/".join(dict.fromkeys(rate.origin for rate in one.rates)) or "nothing",
        "stages": stages,
        "why not": one.ruled_out[0].reason if one.ruled_out else ", ".join(one.unknown),
    }  # fmt: skip


def _remarks(made: Decision, path: str) -> None:
    if made.spent is not None and made.spent.day:
        budget = made.spent.budget_usd
        of = f" of ${budget:,.0f}" if budget is not None else ""
        say(f"Day {made.spent.day} of {made.spent.days}; ${made.spent.usd:,.0f}{of} spent.")
    for line in made.warnings[:_WARNED]:
        say(f"Warning: {line}")
    if len(made.warnings) > _WARNED:
        say(f"Warning: and {len(made.warnings) - _WARNED} more; they are in the report")
    steps(made.next, path)


def steps(found: Sequence[Measurement], path: str) -> None:
    """What to measure or to ask next, on stderr."""
    from assay.cli.pilot import here
    from assay.decide.wording import shown

    for one in found[:4]:
        worth = f", worth {shown(one.value_usd, 'usd')} to know" if one.value_usd else ""
        cost = f", costs about {shown(one.cost_usd, 'usd')}" if one.cost_usd else ""
        say(f"To settle it: {one.what}{f' of {one.candidate}' if one.candidate else ''}{worth}{cost}"
            f"{f':  {here(one.command, path)}' if one.command else ''}")  # fmt: skip


def _again(path: Path, fmt: str, out: Path | None, folders: Sequence[Path]) -> None:
    from assay.api import keeping
    from assay.api.reporting import report_decision

    then, made, differs = keeping.again(path, folders=folders)
    _print(made, fmt)
    say(f"Then ({then.made[:10]}, {then.tool}): {then.verdict}")
    for line in differs:
        say(f"Differs: {line}")
    if not differs:
        say("Nothing differs: the same comes out.")
    if out is not None:
        say(f"Report: {report_decision(made, out)}")


def _focus(made: Decision, path: str, out: Path, folders: Sequence[Path]) -> None:
    from assay.api.piloting import pilot as read
    from assay.cli.output import as_csv
    from assay.decide.focus import rows as focus_rows
    from assay.errors import InputError
    from assay.files import write_text

    if out.suffix != ".csv":
        raise InputError("the bills are written as CSV", where=str(out), hint="name a file that ends in .csv")
    told = read(path, folders)
    regions = {site.name: site.region for site in told.sites}
    terms = {c.name: c.term if c.via == "rent" else c.via for c in told.candidates}
    write_text(out, as_csv(list(focus_rows(made, regions, terms))))
    say(f"FOCUS: {out}")
