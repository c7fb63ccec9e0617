"""The report of a decision: the verdict first, then what it stands on and what would change it. It decides nothing."""

from __future__ import annotations

from dataclasses import replace

from assay.decision import Decision, Judged, Measurement
from assay.report.cards import Card
from assay.report.decision_data import decision_payload
from assay.report.decision_sections import decision_sections
from assay.report.decision_words import (
    ANSWERS,
    SCORES,
    closed,
    leader,
    money,
    overturned,
    reach,
    said,
    standing,
    unbroken,
)
from assay.report.html import asset, drawn, hashed, template
from assay.report.palette import LIGHT, style
from assay.report.study import clean
from assay.report.text import EVIDENCE, capital, listed, moment, percent, sentence
from assay.result import Value

_CARDS = 6
_FIRST = 4  # warnings and measurements on the first page; their tables have them all


def render_decision(decision: Decision, *, created: str) -> str:
    """The report of a decision as one HTML text; write it where you like."""
    script, sheet = asset("report.js"), style() + asset("report.css") + asset("decision.css")
    names = [c.name for c in decision.candidates]
    sign, badge, tone = ANSWERS[decision.answer]
    html: str = template("decision.html.j2").render(
        study=decision if decision.tool else replace(decision, tool="assay"),
        created=moment(created),
        title=f"Decision: {clean(decision.pilot)}",
        sign=sign, badge=badge, tone=tone,
        verdict=unbroken(sentence(decision.verdict)) or "Nothing was decided.",
        ties=f"{listed(decision.ties)} cannot be told apart." if len(decision.ties) > 1 else "",
        cards=cards(decision),
        first=leader(decision),
        warnings=[closed(text, names) for text in decision.warnings[:_FIRST]],
        more_warnings=max(0, len(decision.warnings) - _FIRST),
        reasons=[unbroken(closed(text, names)) for text in _reasons(decision)],
        overturns=[unbroken(overturned(one)) for one in decision.overturns],
        steps=[_step(m) for m in decision.next[:_FIRST]],
        spent=spent(decision),
        standings=[(c.name, standing(c, decision)) for c in decision.candidates if c.rank is None],
        sections=[drawn(s) for s in decision_sections(decision)],
        evidence=EVIDENCE,
        colors=LIGHT,
        data=decision_payload(decision, created=created),
        script=script,
        sheet=sheet,
        script_hash=hashed(script),
    )  # fmt: skip
    return html


def _reasons(decision: Decision) -> list[str]:
    """Why it is so, without what the page says elsewhere: what would overturn it."""
    turns = tuple(f"If {one.name} " for one in decision.overturns)
    return [text for text in decision.reasons if not (turns and text.startswith(turns))]


def _step(m: Measurement) -> tuple[str, str, str]:
    """What to measure next, what that is worth, and what to type."""
    worth = "It decides a gate." if m.value_usd is None else f"Knowing it is worth about {money(m.value_usd)}."
    cost = "What it costs is unknown." if m.cost_usd is None else f"It costs about {money(m.cost_usd)}."
    where = ", ".join(filter(None, (m.candidate, m.workload)))
    return sentence(m.what) + (f" ({where}, stage {m.stage})" if where else ""), f"{worth} {cost}", m.command


def spent(decision: Decision) -> list[tuple[str, str, float, str]]:
    """Days and money of the pilot: what, in words, the share used, a remark."""
    s = decision.spent
    if s is None:
        return []
    found = [("Days", f"day {s.day} of {s.days}", s.day / s.days if s.days > 0 else 1.0, "")]
    if s.budget_usd is None:
        return [*found, ("Money", f"{money(s.usd)} spent, no budget stated", 0.0, s.note)]
    told = f"{money(s.usd)} of {money(s.budget_usd)} spent"
    ahead = f"At this pace {money(s.forecast_usd)} by the end." if s.forecast_usd is not None else ""
    share = s.usd / s.budget_usd if s.budget_usd > 0 else 1.0
    return [*found, ("Money", told, share, " ".join(filter(None, (ahead, sentence(s.note)))))]


def cards(decision: Decision) -> list[Card]:
    """The leader's key figures; what is unknown says so."""
    c = leader(decision)
    if c is None:
        return []
    w = c.worth
    found = [_card(SCORES.get(decision.objective, decision.objective), c.score, decision.unit)]
    if w is not None:
        found += [_card("Cost a year", w.year_usd, "usd")] if decision.objective != "cost of the work" else []
        found += [_card("Per used hour", w.used_usd_per_s, "usd_per_s")] if decision.unit != "usd_per_s" else []
        found += [_card("Money up front", w.capex_usd, "usd")]
    found += [_card("Longest job", c.duration_s, "s")] if decision.objective != "time to train" else []
    found += [_card("Energy a year", c.energy_j, "j")] if decision.objective != "energy" else []
    return [*found, _bought(c)][:_CARDS]


def _card(title: str, value: Value | None, unit: str) -> Card:
    if value is None:
        return Card(title=capital(title), value="unknown", note="")
    note = "exact" if value.low == value.high else reach(value.low, value.high, unit)
    return Card(title=capital(title), value=said(value.mean, unit), note=note, evidence=value.evidence)


def _bought(c: Judged) -> Card:
    """Whether it pays back, or how much of the time it is used."""
    if c.worth is None:
        return Card(title="Accelerators", value="unknown" if c.accelerators is None else f"{c.accelerators:,}", note="")
    used = percent(c.worth.used_share.mean, sign=False)
    return Card(title="Accelerators", value=f"{c.worth.accelerators:,}", note=f"used {used} of their available time")
