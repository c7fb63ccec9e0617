"""The page: verdict first, then what it stands on. One file, no request, readable without JavaScript."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from assay.report.cards import cards
from assay.report.chart import Chart
from assay.report.data import payload
from assay.report.palette import LIGHT, style
from assay.report.sections import Figure, Section, sections
from assay.report.study import Study, clean, headline, options
from assay.report.svg import draw
from assay.report.text import EVIDENCE, moment, ties, verdict


def render(study: Study) -> str:
    """The whole report as one HTML text; write it where you like."""
    found = options(study)
    script, sheet = asset("report.js"), style() + asset("report.css")
    html: str = template("report.html.j2").render(
        study=study,
        created=moment(study.created),
        options=found,
        assumed=tuple(dict.fromkeys(note for o in found for note in o.result.notes)),
        title=clean(study.title),
        verdict=verdict(study),
        ties=ties(found),
        cards=cards(found, headline(study)),
        sections=[drawn(s) for s in sections(study, found)],
        evidence=EVIDENCE,
        colors=LIGHT,
        data=payload(study, found),
        script=script,
        sheet=sheet,
        script_hash=hashed(script),
    )
    return html


def hashed(script: str) -> str:
    """What the page's policy knows its own script by."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure with its two drawings: for a page and for a phone."""

    figure: Figure
    wide: str
    phone: str
    each: Drawn | None = None


@dataclass(frozen=True, slots=True)
class DrawnSection:
    """A section whose figures are drawn."""

    section: Section
    figures: tuple[Drawn, ...]


def drawn(section: Section) -> DrawnSection:
    """A section with its figures drawn."""
    return DrawnSection(section, tuple(_figure(f) for f in section.figures))


def _figure(figure: Figure) -> Drawn:
    chart: Chart = figure.chart
    said = f"{chart.title}. {chart.alt}"
    each = _figure(figure.each) if figure.each is not None else None
    return Drawn(figure, draw(chart.wide, said), draw(chart.phone, said), each)


def asset(name: str) -> str:
    """A style sheet or a script as it stands beside the templates."""
    return (files("assay.report") / "templates" / name).read_text(encoding="utf-8")


@cache
def template(name: str):  # type: ignore[no-untyped-def]  # jinja2 is imported only here
    """A page's template."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("assay.report", "templates")
    env = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return env.get_template(name)
