"""What to ask vendors: the questions whose answers are still open, those that move the decision first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from assay.decision import Ruling
from assay.hardware import System
from assay.hazards import Question, QuestionTemplate
from assay.pilot import Candidate, Site
from assay.units import show, suffix

HEAD = ("id", "topic", "question", "unit", "why", "weight", "candidate", "answer", "measured")


def questions(
    templates: Iterable[QuestionTemplate], *, candidates: Sequence[Candidate], systems: Mapping[str, System],
    sites: Mapping[str, Site] = {}, rulings: Mapping[str, Sequence[Ruling]] = {}, swings: Mapping[str, float] = {},
) -> tuple[Question, ...]:  # fmt: skip
    """The questions that apply to any candidate, the weightiest first; what is answered or measured is marked so.

    `systems` and `rulings` are by candidate, `sites` by name. `swings` says how far each input moves the ranking's
    figure (a tornado), by field name; without it the table's own weights stand.
    """
    largest = max(swings.values(), default=0.0)
    leverage = {name: size / largest for name, size in swings.items()} if largest > 0 else {}
    asked = [(one, _applies(one, candidates, systems, sites)) for one in templates]
    found = [_question(one, who, rulings, leverage) for one, who in asked if who]
    return tuple(sorted(found, key=lambda one: -one.weight))


def rows(found: Iterable[Question]) -> tuple[tuple[str, ...], ...]:
    """The questions as a table for a vendor to fill, one row a candidate; the first row is the head."""
    body = [
        (q.id, q.topic, q.text, q.unit, q.why, f"{q.weight:.2f}", name, dict(q.answers).get(name, ""),
         dict(q.measured).get(name, ""))
        for q in found for name in q.asked
    ]  # fmt: skip
    return (HEAD, *body)


def compared(found: Iterable[Question], candidates: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """What each candidate answered, side by side; a measurement stands before an answer; the first row is the head."""
    body = tuple((q.id, q.topic, q.text, *(_cell(q, name) for name in candidates)) for q in found)
    return (("id", "topic", "question", *candidates), *body)


def unknown_answers(candidate: Candidate, templates: Iterable[QuestionTemplate]) -> tuple[str, ...]:
    """Ids that a candidate answers and that are no question here: a slip of the pen, most likely."""
    return tuple(sorted(set(candidate.answers) - {one.id for one in templates}))


def _applies(
    one: QuestionTemplate, candidates: Iterable[Candidate], systems: Mapping[str, System], sites: Mapping[str, Site]
) -> tuple[Candidate, ...]:
    def fits(candidate: Candidate) -> bool:
        system, site = systems.get(candidate.name), sites.get(candidate.site)
        return (
            candidate.via != "own"  # there is nobody to ask
            and (not one.vias or candidate.via in one.vias)
            and (not one.executions or (system is not None and system.accelerator.execution in one.executions))
            and (not one.coolings or (site is not None and site.cooling in one.coolings))
            and (candidate.term == "spot" or "interruption_hz" not in one.moves)
        )

    return tuple(candidate for candidate in candidates if fits(candidate))


def _question(
    one: QuestionTemplate, who: Sequence[Candidate], rulings: Mapping[str, Sequence[Ruling]],
    leverage: Mapping[str, float],
) -> Question:  # fmt: skip
    answers = tuple((c.name, c.answers[one.id]) for c in who if c.answers.get(one.id, "").strip())
    measured = tuple((c.name, text) for c in who for text in [_measured(one, rulings.get(c.name, ()))] if text)
    settled = {name for name, _ in (*answers, *measured)}
    still = sum(c.name not in settled for c in who) / len(who)
    return Question(
        id=one.id, text=one.text, topic=one.topic, why=one.why, unit=one.unit, answers=answers, measured=measured,
        asked=tuple(c.name for c in who), weight=one.weight * still * _pull(one, leverage),
    )  # fmt: skip


def _pull(one: QuestionTemplate, leverage: Mapping[str, float]) -> float:
    """From one half, where the answer moves nothing that is known to matter, to one, where it moves what matters most.

    It never falls to nothing: a tornado is of money alone.
    """
    return 0.5 + 0.5 * max((leverage.get(name, 0.0) for name in one.moves), default=0.0) if leverage else 1.0


def _measured(one: QuestionTemplate, rulings: Iterable[Ruling]) -> str:
    """What was measured here of a question, in words; a stated or predicted figure measures nothing."""
    for ruling in rulings:
        if ruling.metric in one.metrics and ruling.found is not None and ruling.found.evidence == "A":
            shown = show(ruling.found.mean, suffix(ruling.metric.rpartition(".")[2]))
            return f"{shown} ({ruling.source})" if ruling.source else shown
    return ""


def _cell(question: Question, name: str) -> str:
    if name not in question.asked:
        return "not asked"
    measured, answer = dict(question.measured).get(name), dict(question.answers).get(name)
    if measured and answer:
        return f"measured {measured}; says {answer}"
    return f"measured {measured}" if measured else answer or "no answer"
