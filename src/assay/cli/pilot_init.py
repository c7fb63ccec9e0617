"""`assay pilot init`: a folder with a pilot in it, asked for by flags or by a few questions."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from assay.cli.output import say


@click.command()
@click.argument("folder", default="pilot", type=click.Path(file_okay=False))
@click.option("--question", default="", help="What is to be decided, in one sentence.")
@click.option("--template", default="", metavar="NAME", help="llm-pretraining, fine-tune-serve or vision.")
@click.option("--model", default="", help="A model of the catalog, or its config.json.")
@click.option("--task", type=click.Choice(["train", "finetune", "serve"]), help="Default: the template's.")
@click.option("--systems", default="", metavar="A,B,…", help="Candidates: hgx-h100 to rent, buy:hgx-h100 to buy.")
@click.option("--budget", default="", metavar="USD", help='What the pilot itself may cost, such as "50 k USD".')
@click.option("--days", type=click.IntRange(1, 365), default=45, show_default=True, help="How long it takes.")
def init(
    folder: str, question: str, template: str, model: str, task: str | None, systems: str, budget: str, days: int
) -> None:  # fmt: skip
    """Begin a pilot: FOLDER gets pilot.toml and its schema (default: pilot).

    What can be found out is not asked: this machine, who you are (git), today's date, prices that the catalog knows.
    On a terminal, what no flag says is asked; elsewhere the template's word stands.
    """
    from assay.api.pilot_people import owner
    from assay.api.pilot_start import TEMPLATES, start
    from assay.cli.pilot import at, today

    if sys.stdin.isatty():
        template = template or click.prompt("Kind of pilot", type=click.Choice(list(TEMPLATES)), err=True)
        known = TEMPLATES.get(template)
        question = question or click.prompt("What is to be decided", default=known.question if known else "", err=True)
        model = model or click.prompt("Model", default=known.model if known else "", err=True)
        systems = systems or click.prompt("Systems to compare (buy:NAME to buy)", default="hgx-h100", err=True)
        budget = budget or click.prompt("Budget of the pilot, or nothing", default="", show_default=False, err=True)
    path = start(
        folder, today=today(), owner=owner(Path.cwd()), template=template or "llm-pretraining", question=question,
        model=model, task=task or "", systems=[name for name in systems.split(",") if name.strip()], budget=budget,
        days=days,
    )  # fmt: skip
    say(f"Written: {path}")
    say(f"Next: assay pilot check{at(str(path.parent))}")
