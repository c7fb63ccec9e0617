"""The page of a sweep: what follows from it first, then its chart, then every point. One file, no request."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from assay.report.chart import FONT
from assay.report.data import json_text
from assay.report.html import asset, drawn, hashed, template
from assay.report.palette import LIGHT, style
from assay.report.sections import Figure, Section
from assay.report.svg import draw
from assay.report.swept import swept_chart, swept_table
from assay.report.text import EVIDENCE, moment
from assay.sweep import Sweep


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepStudy:
    """A sweep and what is to be said of it."""

    title: str
    created: str  # ISO 8601, from the caller
    sweep: Sweep
    sentences: tuple[str, ...]
    notes: tuple[str, ...] = ()
    tool: str = "assay"


def render_sweep(study: SweepStudy) -> str:
    """The whole page as one HTML text."""
    script, sheet = asset("report.js"), style() + asset("report.css")
    found = drawn(_section(study.sweep))
    html: str = template("sweep.html.j2").render(
        study=study, created=moment(study.created), title=study.title, sections=[found], evidence=EVIDENCE,
        colors=LIGHT, data=_payload(study), script=script, sheet=sheet, script_hash=hashed(script),
    )  # fmt: skip
    return html


def sweep_svg(sweep: Sweep) -> str | None:
    """The chart alone, as an SVG file; None where there are too few points for one."""
    chart = swept_chart(sweep)
    if chart is None:
        return None  # on a page the style sheet says the font and the ground; a file says them itself
    alone = f'<svg font-family="{FONT}" '
    text = draw(chart.wide, f"{chart.title}. {chart.alt}").replace("<svg ", alone, 1)
    return text.replace('style="', f'style="background:{LIGHT["surface"]};', 1)


def _section(sweep: Sweep) -> Section:
    chart, table = swept_chart(sweep), swept_table(sweep)
    figures = (Figure(chart, table),) if chart is not None else ()
    return Section(id="points", title="Every point", figures=figures, tables=() if figures else (table,))


def _payload(study: SweepStudy) -> str:
    points = [
        {"value": p.value, "reason": p.reason, "against": study.sweep.against(p),
         "values": {n: asdict(v) for n, v in p.result.values.items()} if p.result else {}}
        for p in study.sweep.points
    ]  # fmt: skip
    return json_text({"title": study.title, "lever": study.sweep.lever, "unit": study.sweep.unit, "points": points})
