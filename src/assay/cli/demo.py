"""`assay demo`: the whole path on this machine, and one report at the end of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli.output import Row, emit, say

if TYPE_CHECKING:
    from assay.api.demo import Demo
    from assay.result import Result


@click.command()
@click.option("--python", help="Interpreter to measure in, with its NumPy and PyTorch; default: this one.")
@click.option(
    "--out", metavar="DIR", default="runs/demo", show_default=True, type=click.Path(path_type=Path),
    help="Folder that gets the runs and report.html.",
)  # fmt: skip
@click.option("--quick", is_flag=True, help="Measure for a quarter of the time: a first look only.")
def demo(python: str | None, out: Path, quick: bool) -> None:
    """This machine, two minutes, one report: doctor, measure, calibrate and check, predict, report.

    Needs no accelerator and no network. Ctrl-C keeps what was measured.
    """
    from assay.api.demo import demo as run_demo

    done = run_demo(out, python=python, tell=say, speed=4.0 if quick else 1.0)
    say()
    if done.host:
        emit(_parity(done), "table", title="This machine: unseen matrix multiplications, predicted and measured")
        say()
    emit([_row(i, r, done) for i, r in enumerate(done.ranked.results[:12], 1)], "table", title=_title(done))
    _close(done)


def _title(done: Demo) -> str:
    shown = min(12, len(done.ranked.results))
    return f"Llama-3.1-8B, 100 B tokens: the {shown} lowest rents of {len(done.ranked.results)} answers"


def _row(place: int, result: Result, done: Demo) -> Row:
    from assay.units import show

    v = result.values
    rent, time = v.get("rent_usd"), v["time_to_train_s"]
    return {
        "": f"{'=' if place - 1 in done.ranked.tied else ''}{place}",
        "machine": f"{result.system.name} × {result.system.nodes}",
        "plan": str(result.plan),
        "time to train": f"{show(time.low, 's', 2)} – {show(time.high, 's', 2)}",
        "rent": f"{show(rent.low, 'usd', 2)} – {show(rent.high, 'usd', 2)}" if rent else "unknown",
        "MFU": f"{100 * v['mfu'].mean:.0f} %",
        "headroom": show(v["headroom_bytes"].mean, "bytes"),
        "bound by": result.bound,
        "sure": result.evidence,
    }


def _parity(done: Demo) -> list[Row]:
    from math import expm1

    from assay.units import show

    points = [p for p in done.host.points if p.held_out] if done.host else []
    return [
        {
            "case": p.case,
            "measured": show(p.measured_s, "s"),
            "predicted": show(p.predicted_s, "s"),
            "error": f"{100 * expm1(p.ln_error):+.0f} %",
        }
        for p in points
    ]


def _close(done: Demo) -> None:
    from assay.api.reporting import predict_command

    if done.ranked.tied:
        say(f"\n= cannot be told apart from the first at this confidence ({len(done.ranked.tied)} answers).")
    say("Sure: A measured here, B published for this accelerator, C for its class, D datasheet only.")
    say(f"\nReport: {done.report}")
    say(f"Next: {predict_command(done.ranked.results[0])} --explain")
