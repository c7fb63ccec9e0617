"""Deciding: a pilot's candidates looked up, priced, judged and ranked, and what would change their order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from assay.api.appraising import Appraised, appraise
from assay.api.asked import Asked, asked
from assay.api.informing import informative
from assay.api.judging import hybrid_of, questions_of
from assay.api.pilot_steps import spent
from assay.api.showing import now, tool
from assay.catalog import checklists
from assay.decide import checklist as lists
from assay.decide.overturn import overturns
from assay.decide.places import places
from assay.decide.rank import Order, answer, order, pareto
from assay.decide.simulate import DRAWS
from assay.decide.valuing import FIGURES, RANKED_BY
from assay.decide.wording import OBJECTIVES, reasons, verdict
from assay.decision import Decision, Judged
from assay.pilot import Pilot

_OTHERS = 3  # candidates behind the leader that are looked at for what would put them first


def decide(
    source: Pilot | Path | str, *, today: str = "", folders: Sequence[Path] = (), n: int = DRAWS, seed: int = 0
) -> Decision:  # fmt: skip
    """What a pilot says: constraints first, then the order by its objective, with ties, and what would overturn it.

    `source` is a pilot.toml, its folder with the runs that were added, or a `Pilot`. `today` (ISO 8601) is the day it
    is decided on. The same source, day and seed give the same decision. Raises InputError for a pilot with errors.
    """
    return decided(asked(source, today, folders), n=n, seed=seed)


def decided(told: Asked, *, n: int = DRAWS, seed: int = 0) -> Decision:
    """The same of a pilot that has been read."""
    found = appraise(told, n=n, seed=seed)
    figure = RANKED_BY[told.pilot.objective]
    scores = {one.name: one.score.mean for one in found.judged if one.score is not None and not one.ruled_out}
    placed = order(scores, {name: found.drawn.figures[name][figure] for name in scores})
    judged = ranked(found.judged, placed)
    leading = [found.priced[name].case for name in placed.names]
    turns = overturns(leading[0], leading[1 : 1 + _OTHERS], found.table, FIGURES[figure]) if leading else ()
    elastic = frozenset(name for name, one in found.priced.items() if one.case.elastic)
    said = answer([one for one in judged if one.via != "own" or one.rank is not None], placed, elastic)
    return _decision(told, found, Decision(
        pilot=told.pilot.name, question=told.pilot.question, objective=told.pilot.objective,
        unit=OBJECTIVES[told.pilot.objective][1], made=_moment(told), answer=said,
        verdict=verdict(said, judged, placed, told.pilot.objective),
        reasons=reasons(judged, placed, turns, told.pilot.objective, _most_used(told)), candidates=tuple(judged),
        ties=placed.ties, pareto=_pareto(found, placed.names), overturns=turns,
        next=informative(told.pilot, judged, leading, found.drawn, told.folders), draws=n, seed=seed,
    ))  # fmt: skip


def ranked(judged: Sequence[Judged], placed: Order) -> list[Judged]:
    """Ranked ones first, in their order; those that tie with the first share its rank."""
    rank = {name: 1 if name in placed.ties else i for i, name in enumerate(placed.names, start=1)}
    last = len(placed.names)
    told = [replace(one, rank=rank.get(one.name)) for one in judged]
    return sorted(told, key=lambda one: placed.names.index(one.name) if one.name in rank else last)


def _decision(told: Asked, found: Appraised, made: Decision) -> Decision:
    """The rest of a decision: what stands beside the choice."""
    pilot, judged = told.pilot, made.candidates
    fits = {one.name: one.fit for one in judged if one.fit is not None}
    notes = dict.fromkeys(f"{one.name}: {note}" for one in found.stood for note in one.notes)
    return replace(
        made, spent=spent(pilot, told.known.added, str(told.today), told.folders),
        hybrid=hybrid_of(pilot, found.stood, judged, told.economics),
        questions=questions_of(pilot, found.stood, judged),
        checklist=lists.checklist(checklists.checklist(), pilot, today=str(told.today), fits=fits),
        places=places(pilot.sites, pilot.needs, pilot.demand, judged, told.today),
        assumptions=dict(found.table.stated), units=dict(found.table.units),
        own=tuple(key for key in found.table.stated if _own(pilot, found.table.origin.get(key, ""))),
        warnings=(*told.warnings, *notes), inputs=told.inputs, tool=tool(),
    )  # fmt: skip


def _most_used(told: Asked) -> float:
    stated = told.pilot.demand.utilization or told.economics.utilization
    return stated.value if stated is not None else 1.0


def _own(pilot: Pilot, name: str) -> bool:
    """Whether the pilot states a number itself: it is from nowhere else, or it says what the table says otherwise."""
    return not name or getattr(pilot.assumptions, name, None) is not None


def _pareto(found: Appraised, names: Sequence[str]) -> tuple[str, ...]:
    """Those that nothing beats both in cost and in time; empty where the work has no end."""
    points: Mapping[str, tuple[float, float]] = {
        name: (float(base.work_usd), float(FIGURES["duration_s"](base)))
        for name in names
        for base in [found.priced[name].base]
    }
    return pareto(points) if not any(math.isnan(time) for _, time in points.values()) else ()


def _moment(told: Asked) -> str:
    moment = now()
    return moment if moment[:10] == str(told.today) else f"{told.today}T00:00:00+00:00"
