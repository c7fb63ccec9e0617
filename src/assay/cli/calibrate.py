"""`assay calibrate`: efficiencies earned from runs, and how well they predict what they have not seen."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli.output import Row, emit, format_option, say
from assay.errors import InputError

if TYPE_CHECKING:
    from assay.calibration import Calibration
    from assay.predict.host import CheckedShape


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", metavar="DIR", default="runs", show_default=True, type=click.Path(path_type=Path),
    help="Folder that gets calibrations/*.toml; those from CSV files apply where it is named with --catalog.",
)  # fmt: skip
@click.option("--test", "tests", multiple=True, metavar="RUN", type=click.Path(path_type=Path),
              help="A training step that takes no part and shows what was learnt; may be repeated.")  # fmt: skip
@click.option("--catalog", "folders", multiple=True, type=click.Path(), help="A folder of your own; may be repeated.")
@click.option("--hold-out", multiple=True, metavar="WORD", help="Leave out published sources with this word in them.")
@format_option
def calibrate(
    paths: tuple[Path, ...], out: Path, tests: tuple[Path, ...], folders: tuple[str, ...], hold_out: tuple[str, ...],
    fmt: str,
) -> None:  # fmt: skip
    """Earn efficiencies from measured runs, or from published results (CSV files).

    From training steps (assay measure train-step, or a command that tells its model and plan): what this site's
    machines do otherwise than what is shipped of them says. Two of different sizes already help; on a processor, name
    its gemm and membw runs as well.

    From gemm and membw runs alone: half of the shapes teach a few constants, the other half tests them. From CSV files:
    constants per architecture class and accelerator, tested on sources left out.

    \b
    assay calibrate runs/*-train-step-* -o site
    assay predict llama-3.1-8b --on hgx-h100 --catalog site
    """
    from assay.api.teaching import has_steps

    tables = [path for path in paths if path.suffix.lower() == ".csv"]
    if tables and len(tables) < len(paths):
        raise InputError("runs and CSV files are calibrated apart", hint="name one kind, then the other")
    if tables:
        _published(tables, hold_out, out, fmt)
    elif tests or has_steps(paths):
        _site(paths, tests, folders, out, fmt)
    else:
        _host(paths, out, fmt)


def _site(paths: tuple[Path, ...], tests: tuple[Path, ...], folders: tuple[str, ...], out: Path, fmt: str) -> None:
    from assay.api.teaching import teach
    from assay.catalog.calibrations import write
    from assay.catalog.machines import write_machine
    from assay.cli.taught import data, remarks, rows

    lesson = teach(paths, tests=tests, folders=folders)
    for found in lesson.machines:
        write(found.calibration, out / "calibrations" / f"{found.calibration.name}.toml")
    if lesson.here:
        write_machine(lesson.here, out, lesson.probes)
    title = "Steps beside what is shipped, what the other steps say, and what is known now"
    emit(rows(lesson), fmt, title=title, data=data(lesson))
    say()
    for remark in remarks(lesson):
        say(remark)
    machine = lesson.machines[0].calibration.applies_to
    say(f"Constants: {out / 'calibrations'}\nNext: assay predict MODEL --on {machine} --catalog {out}")


def _host(paths: tuple[Path, ...], out: Path, fmt: str) -> None:
    from assay.api.beside import as_prior
    from assay.api.calibrating import calibrate as calibrate_runs
    from assay.catalog.calibrations import write

    host = calibrate_runs(paths)
    file = out / "calibrations" / f"{host.calibration.name}.toml"
    write(as_prior(host.calibration), file)  # of whole jobs it knows less than of matrix products
    emit([_shape(point) for point in host.points], fmt, title="Predicted beside measured")
    say(
        f"\nUnseen half: typical error {100 * host.typical_error:.1f} %; 90 % of them within "
        f"{100 * math.expm1(host.calibration.residual_ln):.0f} %."
    )
    _at_bound(host.calibration)
    say(f"Constants: {file}\nNext: assay report {' '.join(map(str, paths))}")


def _published(tables: list[Path], hold_out: tuple[str, ...], out: Path, fmt: str) -> None:
    from assay.api.earning import earn
    from assay.catalog.calibrations import write

    say("Fitting; with some hundred results this takes minutes.")
    found = earn(tables, held_out=hold_out)
    for calibration in found:
        write(calibration, out / "calibrations" / f"{calibration.name}.toml")
        _at_bound(calibration)
    emit([_line(calibration) for calibration in found], fmt, title="Calibrations")
    say(f"\nNext: assay predict llama-3.1-8b --on hgx-h100 --catalog {out}")


def _at_bound(calibration: Calibration) -> None:
    if calibration.at_bound:
        say(f"{calibration.name}: {', '.join(calibration.at_bound)} ended at a limit: a model term is missing.")


def _shape(point: CheckedShape) -> Row:
    from assay.units import show

    return {
        "case": point.case,
        "measured": show(point.measured_s, "s"),
        "predicted": show(point.predicted_s, "s"),
        "90 % interval": f"{show(point.low_s, 's')} – {show(point.high_s, 's')}",
        "error": f"{100 * math.expm1(point.ln_error):+.1f} %",
        "used": "to test" if point.held_out else "to learn",
    }


def _line(calibration: Calibration) -> Row:
    return {
        "name": calibration.name,
        "applies to": calibration.applies_to,
        "evidence": calibration.evidence,
        "results": calibration.rows,
        "90 % of unseen within": f"{100 * math.expm1(calibration.residual_ln):.0f} %",
        "matmul": calibration.constants.get("matmul"),
    }
