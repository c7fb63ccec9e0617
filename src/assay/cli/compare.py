"""`assay compare OLD NEW`: apples to apples, or refused with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from assay.cli.output import Row, emit, format_option, say

if TYPE_CHECKING:
    from assay.comparison import Change, Comparison


@click.command()
@click.argument("runs", metavar="OLD NEW", nargs=-1, type=click.Path())
@click.option("--old", "olds", multiple=True, metavar="RUN", help="A run of the old side; repeatable.")
@click.option("--new", "news", multiple=True, metavar="RUN", help="A run of the new side; repeatable.")
@click.option(
    "--allow", multiple=True, metavar="KEY", help="Permit one named difference, the thing you test; repeatable."
)
@click.option("--metric", "metrics", multiple=True, help="Judge this metric only, such as step_s; repeatable.")
@format_option
@click.pass_context
def compare(
    ctx: click.Context, /, runs: tuple[str, ...], olds: tuple[str, ...], news: tuple[str, ...],
    allow: tuple[str, ...], metrics: tuple[str, ...], fmt: str,
) -> None:  # fmt: skip
    """How new runs stand against old ones, figure by figure. A run is a folder, or an id in ./runs.

    Runs that differ in workload, settings, hardware, number formats or library versions are refused with what differs.
    A change is called one only where runs taken in turns prove it: `assay gate` measures them so. One run a side shows
    the ratio and proves nothing.

    Exit: 0 nothing is worse, 1 something is worse, 2 the runs cannot be compared.
    """
    from assay.codec import encode
    from assay.comparison import compare as compare_runs
    from assay.store import find, load

    if runs and len(runs) != 2:
        raise click.UsageError("name two runs, or any number of each side with --old RUN and --new RUN")
    before, after = ([*olds, *runs[:1]], [*news, *runs[1:]])
    if not before or not after:
        raise click.UsageError("name an old run and a new one")
    found = compare_runs([load(find(r)) for r in before], [load(find(r)) for r in after], allow, metrics=metrics)
    title = f"{', '.join(before)} → {', '.join(after)}"
    emit(rows_of(found), fmt, title=title, data={**encode(found), "verdict": found.verdict})
    close(found)
    if found.worse:
        ctx.exit(1)


def rows_of(found: Comparison, tolerated: float | None = None) -> list[Row]:
    """A row a change; where so much is tolerated, what cannot be more than that is called no worse."""
    return [_row(change, tolerated) for change in found.changes]


def _row(c: Change, tolerated: float | None) -> Row:
    from assay.units import show

    more = f"; about {c.more} more pairs" if c.more and c.verdict == "cannot tell" else ""
    return {
        "case": c.case or "the command",
        "figure": c.metric.title,
        "old": show(c.old, c.metric.unit),
        "new": show(c.new, c.metric.unit),
        "new/old": f"{c.ratio:.3f}",
        "99 %": "unbounded" if c.low is None or c.high is None else f"{c.low:.3f} – {c.high:.3f}",
        "verdict": "no worse" if tolerated is not None and c.verdict == "cannot tell" else c.verdict,
        "why": f"{c.why}{more}",
    }


def close(found: Comparison) -> None:
    """What stands beside the table."""
    count = {v: sum(c.verdict == v for c in found.changes) for v in ("worse", "better", "cannot tell")}
    say(", ".join(f"{number} {verdict}" for verdict, number in count.items()))
    for title, items in (("Under test", found.allowed), ("Also differs", found.suspects)):
        for difference in items:
            say(f"{title}: {difference}")
    if found.unmatched:
        say(f"On one side only: {', '.join(found.unmatched)}")
    for note in found.notes:
        say(f"Note: {note}")
