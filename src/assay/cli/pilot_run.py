"""`assay pilot run --stage N`: a stage's measurements, here or as scripts for another machine."""

from __future__ import annotations

from pathlib import Path

import click

from assay.cli.output import say
from assay.cli.pilot import at, catalog_option


@click.command()
@click.argument("path", default=".", type=click.Path())
@click.option("--stage", type=click.IntRange(1, 3), required=True,
              help="1: does it run; 2: how fast, at what size; 3: does it stay so.")  # fmt: skip
@click.option("--candidate", default="", help="Only this one.")
@click.option("--workload", default="", help="Only this one.")
@click.option("--quick", is_flag=True, help="Shortened: a first look, not a result to rely on.")
@click.option("--budget", "budget_s", type=float, metavar="SECONDS", help="About how long each measurement takes.")
@click.option("--python", help="Interpreter that runs the trials, with its PyTorch; default: this one.")
@click.option("--no-sensors", is_flag=True, help="Read no device, only what the trial says.")
@click.option("--together", is_flag=True, help="Measure although another measurement is under way; runs are marked.")
@catalog_option
@click.pass_context
def run(
    ctx: click.Context, path: str, stage: int, candidate: str, workload: str, quick: bool, budget_s: float | None,
    python: str | None, no_sensors: bool, together: bool, folders: tuple[Path, ...],
) -> None:  # fmt: skip
    """Run a stage of a pilot (PATH: the file, or its folder; default: here).

    On this machine what it is a candidate for; as launch scripts what others are.

    \b
    stage 1   the trial, and its numbers against a reference
    stage 2   at several batch sizes, and with several ranks
    stage 3   for hours: throttling, drift, tails, failures

    Each run is added to the pilot by itself. Scripts lie in launch/: plain shell, Slurm and Kubernetes; they install
    nothing. Exit: 0 done, 1 a check failed, 2 usage, 3 could not measure, 130 interrupted.
    """
    from assay.api.pilot_people import owner
    from assay.api.pilot_stages import run_stage
    from assay.measure import interrupts

    interrupts.once()
    found = run_stage(
        path, stage, candidate=candidate, workload=workload, quick=quick, budget_s=budget_s, python=python,
        by=owner(Path.cwd()), progress=say, vendors=() if no_sensors else None, together=together, folders=folders,
    )  # fmt: skip
    for one in found.added:
        say(f"Added: {one.run} ({one.note}) as {one.workload} on {one.candidate}")
    for script in (script for script in found.scripts if script.suffix == ".sh"):
        say(f"Script: {script} (and .sbatch, .yaml)")
    for why in found.left_out:
        say(f"Left out: {why}")
    say(f"Next: assay pilot status{at(path)}")
    if found.stopped == "interrupted":
        ctx.exit(130)
    if found.failed:
        ctx.exit(1)
