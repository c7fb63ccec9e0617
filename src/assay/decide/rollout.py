"""When machines can go live: a site's power comes in steps, and so do they."""

from __future__ import annotations

import math
from collections.abc import Sequence

from assay.pilot import PowerStep
from assay.siting import Phase


def steps_from(steps: Sequence[PowerStep], start: str = "") -> tuple[PowerStep, ...]:
    """The power that there is from a date on: the step that holds then, with that date, and those after it."""
    ordered = sorted(steps, key=lambda step: step.date)
    before = [step for step in ordered if step.date <= start]
    held = (PowerStep(date=start, power_w=before[-1].power_w),) if before else ()
    return held + tuple(step for step in ordered if step.date > start)


def phases(nodes: int, node_w: float, steps: Sequence[PowerStep], start: str = "") -> tuple[Phase, ...]:
    """How many machines can be live from each date on, none before `start`; `node_w` with its share of the network.

    A date on which nothing more goes live is left out, but for the first. Where no power is stated, all go live at
    once, and what there is is unknown.

    >>> steps = (PowerStep(date="2026-01", power_w=100e3), PowerStep(date="2027-01", power_w=1e6))
    >>> [(phase.date, phase.nodes) for phase in phases(20, 11e3, steps, "2026-06")]
    [('2026-06', 9), ('2027-01', 20)]
    """
    known = steps_from(steps, start)
    if not known:
        return (Phase(date=start, nodes=nodes, power_w=nodes * node_w, available_w=None),)
    live = [(step, min(nodes, math.floor(step.power_w / node_w + 1e-9))) for step in known]
    found = [
        Phase(date=step.date, nodes=count, power_w=count * node_w, available_w=step.power_w) for step, count in live
    ]
    return tuple(phase for i, phase in enumerate(found) if i == 0 or phase.nodes != found[i - 1].nodes)


def complete(found: Sequence[Phase], nodes: int) -> str | None:
    """The date from which all machines are live; None where it never comes."""
    return next((phase.date for phase in found if phase.nodes >= nodes), None)
