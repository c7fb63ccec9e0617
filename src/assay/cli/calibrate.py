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
@click.option("--hold-out", multiple=True, metavar="WORD", help="Leave out published sources with this word in them.")
@format_option
def calibrate(paths: tuple[Path, ...], out: Path, hold_out: tuple[str, ...], fmt: str) -> None:
    """Earn efficiencies from measured runs, or from published results (CSV files).

    From runs of this machine (assay measure gemm, membw): half of the shapes teach a few constants, the other half
    tests them. From CSV files: constants per architecture class and accelerator, tested on sources left out.
    """
    tables = [path for path in paths if path.suffix.lower() == ".csv"]
    if tables and len(tables) < len(paths):
        raise InputError("runs and CSV files are calibrated apart", hint="name one kind, then the other")
    if tables:
        _published(tables, hold_out, out, fmt)
    else:
        _host(paths, out, fmt)


def _host(paths: tuple[Path, ...], out: Path, fmt: str) -> None:
    from assay.api.calibrating import calibrate as calibrate_runs
    from assay.catalog.calibrations import write

    host = calibrate_runs(paths)
    file = out / "calibrations" / f"{host.calibration.name}.toml"
    write(host.calibration, file)
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
