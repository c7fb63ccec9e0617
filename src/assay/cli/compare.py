"""`assay compare RUN RUN`: apples to apples, or refused with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from assay.cli.output import Row, emit, format_option, say

if TYPE_CHECKING:
    from assay.comparison import Change, Comparison


@click.command()
@click.argument("old", metavar="OLD_RUN", type=click.Path())
@click.argument("new", metavar="NEW_RUN", type=click.Path())
@click.option(
    "--allow", multiple=True, metavar="KEY", help="Permit one named difference, the thing you test; repeatable."
)
@format_option
@click.pass_context
def compare(ctx: click.Context, /, old: str, new: str, allow: tuple[str, ...], fmt: str) -> None:
    """How a new run stands against an old one, case by case. A run is a folder, or an id in ./runs.

    Runs that differ in probe, settings, processor, number formats or library versions are refused with what differs.
    Exit: 0 nothing is worse, 1 something is worse, 2 the runs cannot be compared.
    """
    from assay.codec import encode
    from assay.comparison import compare as compare_runs
    from assay.store import find, load

    found = compare_runs(load(find(old)), load(find(new)), allow)
    emit([_row(change) for change in found.changes], fmt, title=f"{old} → {new}", data=encode(found))
    _close(found)
    if found.worse:
        ctx.exit(1)


def _row(c: Change) -> Row:
    from assay.units import show

    return {
        "case": c.case,
        "old": show(c.old_s, "s"),
        "new": show(c.new_s, "s"),
        "new/old time": f"{c.ratio:.3f}",
        "90 %": f"{c.low:.3f} – {c.high:.3f}",
        "verdict": c.verdict,
        "why": c.why,
    }


def _close(found: Comparison) -> None:
    count = {v: sum(c.verdict == v for c in found.changes) for v in ("worse", "better", "cannot tell")}
    say(", ".join(f"{number} {verdict}" for verdict, number in count.items()))
    for title, items in (("Under test", found.allowed), ("Also differs", found.suspects)):
        for difference in items:
            say(f"{title}: {difference}")
    if found.unmatched:
        say(f"In one run only: {', '.join(found.unmatched)}")
    for note in found.notes:
        say(f"Note: {note}")
