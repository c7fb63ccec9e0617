"""A sweep as a file: its chart as SVG, or chart and table as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from assay.api.showing import now, tool
from assay.errors import InputError
from assay.files import write_text
from assay.report import SweepStudy, render_sweep, sweep_svg
from assay.sweep import Sweep


def write_svg(found: Sweep, out: Path) -> Path:
    """The chart alone; an existing file is replaced."""
    _ends(out, ".svg")
    text = sweep_svg(found)
    if text is None:
        raise InputError("one point is no chart", where=str(out), hint="write more --values")
    write_text(out, text)
    return out


def write_page(found: Sweep, out: Path, title: str, said: Sequence[str]) -> Path:
    """What follows, the chart and every point."""
    _ends(out, ".html")
    notes = tuple(dict.fromkeys(note for p in found.found if p.result for note in p.result.notes))
    sentences = tuple(said) or (f"{title}.",)
    write_text(out, render_sweep(SweepStudy(title=title, created=now(), sweep=found, sentences=sentences, notes=notes,
                                            tool=tool())))  # fmt: skip
    return out


def _ends(out: Path, suffix: str) -> None:
    if out.suffix != suffix:
        raise InputError(
            f"this is written as {suffix[1:].upper()}", where=str(out), hint=f"name a file that ends in {suffix}"
        )
