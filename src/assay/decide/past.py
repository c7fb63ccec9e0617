"""A decision beside an earlier one: what was stated then, what is stated now, and what that changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from assay.decide.wording import shown
from assay.decision import Decision
from assay.units import show


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is kept of a decision to compare later ones with."""

    made: str
    answer: str
    verdict: str
    leader: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)  # … its score, in the objective's unit
    stated: Mapping[str, float] = field(default_factory=dict)  # key -> its usual value
    units: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)  # fingerprints
    draws: int = 0
    seed: int = 0
    tool: str = ""


def past(decision: Decision, units: Mapping[str, str]) -> Past:
    """What is kept of this decision."""
    ranked = {c.name: c for c in decision.candidates if c.rank is not None and c.score is not None}
    return Past(
        made=decision.made, answer=decision.answer, verdict=decision.verdict,
        leader=next(iter(ranked), ""),
        scores={name: c.score.mean for name, c in ranked.items() if c.score is not None},
        stated={key: stated.value for key, stated in decision.assumptions.items()}, units=dict(units),
        inputs=dict(decision.inputs), draws=decision.draws, seed=decision.seed, tool=decision.tool,
    )  # fmt: skip


def changes(then: Past, now: Past, unit: str) -> tuple[str, ...]:
    """Everything that is otherwise than it was, the answer first; empty where nothing is."""
    return (*_answer(then, now), *_candidates(then, now, unit), *_stated(then, now), *_inputs(then, now))


def _answer(then: Past, now: Past) -> Iterator[str]:
    if then.answer != now.answer:
        yield f'The answer was "{then.answer}" on {then.made[:10]} and is "{now.answer}" now.'
    if then.leader != now.leader:
        yield f"{then.leader or 'Nobody'} led then; {now.leader or 'nobody'} leads now."


def _candidates(then: Past, now: Past, unit: str) -> Iterator[str]:
    for name in dict.fromkeys([*then.scores, *now.scores]):
        was, is_ = then.scores.get(name), now.scores.get(name)
        if was is None or is_ is None:
            yield f"{name} {'has a figure now' if was is None else 'has no figure any more'}."
        elif abs(is_ - was) > 1e-6 * max(abs(was), abs(is_)):
            by = f" ({100 * (is_ / was - 1):+.1f} %)" if was else ""
            yield f"{name} came to {show(was, unit)} and comes to {show(is_, unit)}{by}."


def _stated(then: Past, now: Past) -> Iterator[str]:
    for key in dict.fromkeys([*then.stated, *now.stated]):
        was, is_ = then.stated.get(key), now.stated.get(key)
        unit = now.units.get(key) or then.units.get(key, "")
        if was is None or is_ is None:
            told = shown(is_ if is_ is not None else was or 0.0, unit)
            yield f"{key} ({told}) is {'new' if was is None else 'not asked for any more'}."
        elif abs(is_ - was) > 1e-9 * max(abs(was), abs(is_)):
            yield f"{key} was {shown(was, unit)} and is {shown(is_, unit)}."


def _inputs(then: Past, now: Past) -> Iterator[str]:
    for name in dict.fromkeys([*then.inputs, *now.inputs]):
        was, is_ = then.inputs.get(name), now.inputs.get(name)
        if was != is_:
            yield f"{name} {'is new' if was is None else 'is not there any more' if is_ is None else 'has changed'}."
    if then.tool != now.tool:
        yield f"It was made by {then.tool or 'an unknown version'}, and this one by {now.tool}."
