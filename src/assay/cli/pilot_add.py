"""`assay pilot add RUN …`: what was measured elsewhere, and what vendors answered, taken into the pilot's folder."""

from __future__ import annotations

from pathlib import Path

import click

from assay.cli.output import say
from assay.cli.pilot import at, catalog_option, now, place_option


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="RUN|ANSWERS.csv …")
@place_option
@click.option("--candidate", default="", help="Whose it is; needed where more than one candidate could be meant.")
@click.option("--workload", default="", help="Which work it is; needed where more than one could be meant.")
@click.option("--stage", type=click.IntRange(1, 3), default=2, show_default=True, help="The stage it was made for.")
@click.option("--note", default="", help="A remark that is kept with it.")
@click.option("--anyway", default="", metavar="REASON", help="Take a run that does not match, and keep why.")
@click.option("--link", is_flag=True, help="Leave the run where it is, and keep only where that is.")
@click.option("--runs", "root", default="runs", show_default=True, type=click.Path(), help="Where runs are looked for.")
@catalog_option
def add(
    what: tuple[str, ...], place: str, candidate: str, workload: str, stage: int, note: str, anyway: str, link: bool,
    root: str, folders: tuple[Path, ...],
) -> None:  # fmt: skip
    """Add runs made elsewhere to the pilot, or a vendor's answers (a CSV with the columns id and answer).

    A run of another model, sequence length, precision or machine than the candidate's is refused with the reason;
    --anyway takes it all the same, and both are kept. Nothing that is there already is rewritten.
    """
    from assay.api import pilot_adding
    from assay.api.pilot_people import owner

    moment, who = now(), owner(Path.cwd())
    for one in what:
        if one.endswith(".csv"):
            say(f"Added: {pilot_adding.add_answers(place, Path(one), candidate, moment, folders)}")
            continue
        told = pilot_adding.add(
            place, one, candidate=candidate, workload=workload, stage=stage, by=who, at=moment, note=note,
            anyway=anyway, link=link, root=root, folders=folders,
        )  # fmt: skip
        say(f"Added: {told.run} as {told.workload} on {told.candidate}, stage {told.stage}")
        for word in told.unlike:
            say(f"Warning: {word}; taken because {told.anyway}")
    say(f"Next: assay pilot status{at(place)}")
