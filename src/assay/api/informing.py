"""What to measure or to ask next: what would settle most, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.api.pilot_steps import BY_HAND, hour_usd, open_gates
from assay.decide.case import Case
from assay.decide.case_inputs import FUTURE
from assay.decide.information import value_of_knowing
from assay.decide.money import YEAR_S
from assay.decide.simulate import Drawn
from assay.decision import Judged, Measurement
from assay.pilot import Candidate, Pilot

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]

_MOST = 6  # steps that are named
_LEAST = 0.002  # of the leader's cost over the years: what knowing must save to be named
_DRAWS, _RIVALS = 20_000, 8  # that a value is taken from: who is far behind changes no choice
_TRIED_H = 1.0  # of the work itself on a whole cluster: long enough for its speed


def informative(
    pilot: Pilot, judged: Sequence[Judged], leading: Sequence[Case], drawn: Drawn, folders: Sequence[Path] = ()
) -> tuple[Measurement, ...]:  # fmt: skip
    """Steps, the most informative first; the leader's first open gate comes before all.

    The value of a number is what knowing it before the choice would save over the years (EVPPI), less what it costs to
    find out. A gate has no such value: it decides by itself.
    """
    gates = {one.name: one.gates for one in judged if not one.ruled_out}
    place = {case.name: i for i, case in enumerate(leading)}
    todo = open_gates(pilot, {c.name: gates.get(c.name, ()) for c in pilot.candidates}, folders)
    todo.sort(key=lambda one: (place.get(one.candidate, len(place)), one.stage))
    worth = sorted(
        [*_speeds(pilot, judged, leading, drawn, folders), *_numbers(pilot, leading, drawn)],
        key=lambda one: (one.cost_usd or 0.0) - (one.value_usd or 0.0),
    )
    return (*todo[:1], *worth[: _MOST // 2], *todo[1:])[:_MOST]


def _speeds(
    pilot: Pilot, judged: Sequence[Judged], leading: Sequence[Case], drawn: Drawn, folders: Sequence[Path]
) -> list[Measurement]:  # fmt: skip
    """Speeds that nobody has measured, on candidates that may still be chosen."""
    origins = {(one.name, rate.workload): rate.origin for one in judged for rate in one.rates}
    found, told = list[Measurement](), set[str]()
    for case in leading:
        who = pilot.candidate(case.name)
        for load in case.loads:
            if who is None or load.rate in told or origins.get((case.name, load.workload)) == "measured":
                continue
            told.add(load.rate)  # a machine that is bought is as fast as the same one rented
            value = _value(pilot, leading, drawn, load.rate)
            cost = _hour_usd(who, case.nodes, folders)
            if value is None or value - (cost or 0.0) <= 0:
                continue
            found.append(Measurement(
                candidate=case.name, workload=load.workload, stage=2, value_usd=value, cost_usd=cost,
                what=f"the speed of {load.workload} itself, an hour on {_nodes(case.nodes)}",
                command=f"{BY_HAND} --candidate {case.name} --workload {load.workload}",
            ))  # fmt: skip
    return found


def _numbers(pilot: Pilot, leading: Sequence[Case], drawn: Drawn) -> list[Measurement]:
    """Numbers that nobody measures but somebody knows: a price, a tariff, next year's demand."""
    rates = {load.rate for case in leading for load in case.loads}
    asked = [key for key in drawn.inputs if key not in rates and key not in FUTURE]
    values = {key: _value(pilot, leading, drawn, key) for key in asked}
    return [
        Measurement(candidate="", workload="", stage=0, what=f"find out: {key}", value_usd=value, cost_usd=None,
                    command="")
        for key, value in values.items()
        if value is not None
    ]  # fmt: skip


def _value(pilot: Pilot, leading: Sequence[Case], drawn: Drawn, key: str) -> float | None:
    """What knowing a number saves over the years; None where that is next to nothing."""
    if len(leading) < 2 or key not in drawn.inputs:
        return None
    costs = [drawn.figures[case.name]["work_usd"][:_DRAWS] for case in leading[:_RIVALS]]
    years = pilot.demand.horizon_s / YEAR_S
    value = years * value_of_knowing(costs, [drawn.inputs[key][:_DRAWS]])
    return value if value > _LEAST * years * float(costs[0].mean()) else None


def _hour_usd(who: Candidate, nodes: int, folders: Sequence[Path]) -> float | None:
    hour = hour_usd(who, folders)
    return None if hour is None else hour * nodes * _TRIED_H


def _nodes(count: int) -> str:
    return "one node" if count == 1 else f"{count} nodes"
