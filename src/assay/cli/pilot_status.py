"""`assay pilot status`: what is proven, what failed, what is not proven; days and money; what to measure next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli.output import emit, format_option, say
from assay.cli.pilot import catalog_option, today

if TYPE_CHECKING:
    from assay.api.pilot_status import Status
    from assay.decision import Spent
    from assay.pilot import Pilot


@click.command()
@click.argument("path", default=".", type=click.Path())
@click.option("--candidate", default="", help="Every gate of this one.")
@catalog_option
@format_option
def status(path: str, candidate: str, folders: tuple[Path, ...], fmt: str) -> None:
    """Where the pilot stands (PATH: the file, or its folder; default: here).

    A row for each candidate with its stages: passed, failed or not proven. With --candidate: each gate, and why.
    """
    from assay.api.pilot_status import status as status_of
    from assay.codec import encode

    found = status_of(path, today(), folders)
    rows = _gates(found, candidate) if candidate else _stages(found)
    data = {
        "spent": encode(found.spent), "added": encode(found.known.added), "next": encode(found.next),
        "gates": {name: encode(ruled) for name, ruled in found.rulings.items()},
        "unreadable": list(found.known.unreadable),
    }  # fmt: skip
    emit(rows, fmt, title=f"{found.pilot.name}: {found.pilot.question}", data=data)
    _remarks(found, path)


def _stages(found: Status) -> list[dict[str, object]]:
    from assay.decide.gates import stage_of

    runs = {name: sum(one.candidate == name for one in found.known.added) for name in found.rulings}
    return [
        {
            "candidate": name,
            **{f"stage {stage}": stage_of(ruled, stage) for stage in (1, 2, 3)},
            "runs": runs[name],
            "why": next((f"{one.name}: {one.text}" for one in ruled if one.proof != "pass"), ""),
        }
        for name, ruled in found.rulings.items()
    ]


def _gates(found: Status, candidate: str) -> list[dict[str, object]]:
    from assay.api.pilot_adding import named

    name = named("candidate", candidate, found.pilot.candidates).name
    return [
        {"stage": one.stage, "gate": one.name, "proof": one.proof, "why": one.text, "from": one.source}
        for one in found.rulings[name]
    ]


def calendar(told: Pilot, spent: Spent) -> list[str]:
    """The next milestone, and who owns what."""
    from datetime import date, timedelta

    today = date.fromisoformat(told.starts) + timedelta(days=spent.day - 1)
    ahead = sorted((day, what) for what, day in told.milestones.items() if spent.day and day >= today.isoformat())
    lines = [f"Next milestone: {ahead[0][1]}, {ahead[0][0]}."] if ahead else []
    if told.owners:
        lines.append("Owners: " + "; ".join(f"{role}: {who}" for role, who in told.owners.items()) + ".")
    return lines


def _remarks(found: Status, path: str) -> None:
    from assay.cli.pilot_decide import steps
    from assay.units import show

    spent = found.spent
    money = f"{show(spent.usd, 'usd')} spent"
    if spent.budget_usd is not None:
        money += f" of {show(spent.budget_usd, 'usd')}"
    day = f"Day {spent.day} of {spent.days}" if spent.day else f"Starts on {found.pilot.starts}"
    say(f"{day}; {money}.{f' {spent.note}.' if spent.note else ''}")
    for line in calendar(found.pilot, found.spent):
        say(line)
    for text in found.known.unreadable:
        say(f"Warning: {text}")
    steps(found.next, path)
