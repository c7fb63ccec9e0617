"""Risk, contract and people; the hybrid plan; the checklist and the questions to vendors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from assay.decision import Decision, Judged
from assay.hazards import Downtime, Grade, Question, Risk, Scorecard
from assay.report.decision_cells import cell, count, named, plain, remarks, words
from assay.report.sections import Section
from assay.report.table import Cell, Column, Table, figures
from assay.report.text import listed, percent

GRADES: Final[dict[Grade, tuple[str, str]]] = {  # a sign beside each word
    "low": ("● low", "good"), "medium": ("◐ medium", ""), "high": ("▲ high", "bad"), "unknown": ("? unknown", "quiet"),
}  # fmt: skip
LEAD = "A risk is graded by evidence. Without evidence it is unknown, never low; what would have to be known is listed."
HYBRID = "What changes every week stays on the general pool. What is stable and busy may move to specialised machines."

Carded = tuple[Judged, Scorecard]


def risk_section(decision: Decision) -> Section | None:
    """Candidates against risks, with the evidence."""
    found = [(c, c.risks) for c in decision.candidates if c.risks is not None]
    if not found:
        return None
    reckoned = [(c.name, card.downtime.note) for c, card in found if card.downtime and card.downtime.note]
    notes = remarks("downtime-notes-table", "How downtime was reckoned", reckoned)
    return Section(id="risk", title="Risk, contract, people", nav="Risk", lead=LEAD,
                   tables=tuple(t for t in (_matrix(found), _downtime(found), _people(found)) if t.rows),
                   more=tuple(t for t in (_evidence(found), _skills(found), notes) if t.rows))  # fmt: skip


def _matrix(found: Sequence[Carded]) -> Table:
    kinds = list(dict.fromkeys(r.name for _, card in found for r in card.risks))
    held = [{r.name: r for r in card.risks} for _, card in found]
    columns = (Column("Risk", "risk"), *(named(c.name) for c, _ in found))
    rows = tuple((Cell(kind), *(_graded(of.get(kind)) for of in held)) for kind in kinds)
    return Table(id="risk-table", caption="Risks of each candidate", columns=columns, rows=rows)


def _graded(risk: Risk | None) -> Cell:
    told, tone = GRADES[risk.grade if risk else "unknown"]
    note = "" if risk is None else risk.evidence[0].text if risk.evidence else ""
    missing = f"not known: {listed(risk.missing)}" if risk and risk.missing and not note else note
    return Cell(told, note=missing or "no evidence", tone=f"matrix {tone}")


def _evidence(found: Sequence[Carded]) -> Table:
    columns = (Column("Candidate", "candidate"), Column("Risk", "risk"), Column("Grade", "grade"),
               Column("Evidence", "evidence"), Column("Source", "source"))  # fmt: skip
    rows = []
    for c, card in found:
        for r in card.risks:
            told, tone = GRADES[r.grade]
            head = (Cell(c.name), Cell(r.name), Cell(told, tone=tone))
            rows += [(*head, words(e.text), words(e.source)) for e in r.evidence]
            rows += [(*head, Cell(f"Not known: {text}", tone="long quiet"), words("")) for text in r.missing]
    return Table(id="evidence-table", caption="The evidence behind each grade", columns=columns, rows=tuple(rows),
                 filtered="candidate")  # fmt: skip


def _downtime(found: Sequence[Carded]) -> Table:
    columns = (
        Column("Candidate", "candidate"), figures("Down a year, expected", "down_s"),
        figures("Down a year, by contract", "promised_down_s"), figures("Lost a year", "loss_usd"),
        figures("Comes back a year", "credit_usd", "service credits"), figures("Spare machines to hold", "spares"),
    )  # fmt: skip
    rows = tuple(_down_row(c, card.downtime) for c, card in found if card.downtime is not None)
    return Table(id="downtime-table", caption="What downtime costs, and what a contract brings back", columns=columns,
                 rows=rows)  # fmt: skip


def _down_row(c: Judged, d: Downtime) -> tuple[Cell, ...]:
    return (Cell(c.name), plain(d.down_s, "s"), plain(d.promised_down_s, "s", absent="nothing promised"),
            cell(d.loss_usd, "usd"), cell(d.credit_usd, "usd"), count(d.spares))  # fmt: skip


def _people(found: Sequence[Carded]) -> Table:
    """One row a skill, one column a candidate."""
    names = list(dict.fromkeys(s.name for _, card in found for s in card.skills))
    held = [{s.name: s.people for s in card.skills} for _, card in found]
    columns = (
        Column("Skill", "skill"),
        *(Column(c.name, f"{c.name} people", number=True, named=True) for c, _ in found),
    )
    rows = tuple((Cell(skill), *(cell(of.get(skill), "", absent="—") for of in held)) for skill in names)
    return Table(id="people-table", caption="People it takes, by skill", columns=columns, rows=rows)


def _skills(found: Sequence[Carded]) -> Table:
    columns = (Column("Candidate", "candidate"), Column("Skill", "skill"), figures("People", "people"),
               figures("Weeks of training, each", "training_weeks"), Column("Why", "why"))  # fmt: skip
    rows = tuple((Cell(c.name), Cell(s.name), cell(s.people, ""), cell(s.training_weeks, ""), words(s.why))
                 for c, card in found for s in card.skills)  # fmt: skip
    return Table(
        id="skills-table",
        caption="Why it takes them, and how long they learn",
        columns=columns,
        rows=rows,
        filtered="candidate",
    )


def hybrid_section(decision: Decision) -> Section | None:
    """Which work stays, which moves, by which steps."""
    plan = decision.hybrid
    if plan is None or not (plan.moves or plan.steps or plan.incidents):
        return None
    moves = Table(
        id="moves-table", caption="Where each kind of work should run",
        columns=(Column("Workload", "workload"), Column("Pool", "pool"), Column("Candidate", "candidate"),
                 figures("Accelerators", "accelerators"), Column("Why", "why")),
        rows=tuple((Cell(m.workload), Cell(m.pool), Cell(m.candidate or "none of them"),
                    count(m.accelerators), words(m.why)) for m in plan.moves),
    )  # fmt: skip
    steps = Table(
        id="steps-table", caption="Steps of the migration",
        columns=(figures("Step", "step"), Column("What", "name"), Column("Goes on when", "gate"),
                 Column("Goes back when", "rollback"), Column("Runbook", "runbook")),
        rows=tuple((Cell(str(i), sort=i), words(s.name), words(s.gate), words(s.rollback), words("; ".join(s.runbook)))
                   for i, s in enumerate(plan.steps, start=1)),
    )  # fmt: skip
    incidents = Table(
        id="incidents-table", caption="What to compare before and after",
        columns=(Column("Metric", "metric"), Column("How", "how")),
        rows=tuple((Cell(metric), words(how)) for metric, how in plan.incidents),
    )  # fmt: skip
    return Section(id="hybrid", title="Hybrid plan", nav="Hybrid", lead=HYBRID,
                   tables=tuple(t for t in (moves, steps, incidents) if t.rows))  # fmt: skip


def questions_section(decision: Decision) -> Section | None:
    """What the team asks itself, and what it asks vendors."""
    tables = tuple(t for t in (_checklist(decision), _rfp(decision.questions, decision)) if t.rows)
    if not tables:
        return None
    open_ = sum(item.answer == "open" for item in decision.checklist)
    no = sum(item.answer == "no" for item in decision.checklist)
    lead = (
        f"{len(decision.checklist)} questions to the team: {open_} open, {no} answered no. "
        if decision.checklist
        else ""
    )
    lead += (
        f"{len(decision.questions)} questions to vendors, those that weigh most first." if decision.questions else ""
    )
    return Section(id="questions", title="Checklist and questions to vendors", nav="Checklist", lead=lead.strip(),
                   tables=tables)  # fmt: skip


def _checklist(decision: Decision) -> Table:
    signs = {"yes": ("✓ yes", "good"), "no": ("✕ no", "bad"), "open": ("? open", "quiet")}
    columns = (Column("Topic", "topic"), Column("Question", "question"), Column("Answer", "answer"),
               Column("Note", "note"), Column("Answered by", "filled_by"))  # fmt: skip
    rows = tuple((Cell(i.topic), words(i.text), Cell(signs[i.answer][0], tone=signs[i.answer][1]), words(i.note),
                  Cell(i.filled_by or "—")) for i in decision.checklist)  # fmt: skip
    return Table(id="checklist-table", caption="Checklist", columns=columns, rows=rows, filtered="topic")


def _rfp(questions: Sequence[Question], decision: Decision) -> Table:
    told = {n for q in questions for n in (*dict(q.answers), *dict(q.measured))}
    answered = [c.name for c in decision.candidates if c.name in told]
    columns = (
        Column("Topic", "topic"), Column("Question", "question"), Column("Why it is asked", "why"),
        figures("Weight", "weight", "how much of the decision hangs on it"), *(named(n) for n in answered),
        Column("Open for", "open_for"),
    )  # fmt: skip
    rows = tuple(
        (Cell(q.topic), words(q.text + (f" ({q.unit})" if q.unit else "")), words(q.why),
         Cell(percent(q.weight, sign=False), sort=q.weight), *(_answer(q, n) for n in answered),
         words(listed(q.open_for), "nobody"))
        for q in sorted(questions, key=lambda q: -q.weight)
    )  # fmt: skip
    return Table(id="rfp-table", caption="Questions to vendors, with their answers side by side", columns=columns,
                 rows=rows, filtered="topic")  # fmt: skip


def _answer(q: Question, name: str) -> Cell:
    """What a vendor answered, and beneath it what the pilot measured."""
    told, found = dict(q.answers).get(name, ""), dict(q.measured).get(name, "")
    if not told and q.asked and name not in q.asked:
        return Cell("not asked", tone="matrix quiet")
    return Cell(
        told or "no answer", tone="matrix" if told else "matrix quiet", note=f"measured: {found}" if found else ""
    )
