"""What a site's training steps taught, in rows and words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assay.cli.output import Row
from assay.units import show

if TYPE_CHECKING:
    from assay.api.teaching import Lesson
    from assay.predict.site import CheckedStep, Taught

_APART = 0.25  # two steps that no constants explain better than this disagree


def rows(lesson: Lesson) -> list[Row]:
    """Every step beside the predictions of it."""
    return [_row(found.calibration.applies_to, one, use) for found, one, use in _steps(lesson)]


def data(lesson: Lesson) -> list[Row]:
    """The same in full numbers, under names that stay."""
    return [
        {"machine": found.calibration.applies_to, "job": one.step.name, "runs": one.step.runs,
         "measured_s": one.step.step_s, "shipped_s": one.before_s, "unseen_s": one.unseen_s, "low_s": one.low_s,
         "high_s": one.high_s, "now_s": one.after_s, "used": use, "disagrees": one.wild, "doubt": one.step.doubt}
        for found, one, use in _steps(lesson)
    ]  # fmt: skip


def _steps(lesson: Lesson) -> Iterator[tuple[Taught, CheckedStep, str]]:
    for found in lesson.machines:
        yield from ((found, one, "to learn") for one in found.steps)
        yield from ((found, one, "set aside") for one in found.aside)
        yield from ((found, one, "to test") for one in found.tests)


def remarks(lesson: Lesson) -> Iterator[str]:
    """What has to be known of what was learnt, machine by machine."""
    for found in lesson.machines:
        yield from _remarks(found)
    for run, error in lesson.left_out:
        yield f"Left out: run {run}: {error}"


def _row(machine: str, one: CheckedStep, use: str) -> Row:
    step = one.step
    return {
        "machine": machine, "job": step.name, "runs": len(step.runs), "measured": show(step.step_s, "s"),
        "shipped": _off(one.before_s, step.step_s), "unseen": _off(one.unseen_s, step.step_s),
        "90 % interval of that": f"{show(one.low_s, 's')} – {show(one.high_s, 's')}",
        "now": _off(one.after_s, step.step_s), "used": use,
    }  # fmt: skip


def _off(predicted_s: float, measured_s: float) -> str:
    return f"{show(predicted_s, 's')} ({100 * (predicted_s / measured_s - 1):+.0f} %)"


def _remarks(found: Taught) -> Iterator[str]:
    name, known = found.calibration.applies_to, found.calibration
    yield (
        f"{name}: 90 % of unseen steps within {_within(known.residual_ln)} (before: {_within(found.before_ln)}), "
        f"on {known.devices} device{'s' if known.devices != 1 else ''} at most."
    )
    if known.residual_ln > found.before_ln:
        yield f"{name}: that is wider than before, since steps here differ by more than was expected."
    yield from _reach(found)
    for one in (*found.steps, *found.aside):
        if one.wild:
            yield f"{name}: {_disagrees(one)}"
    if known.at_bound:
        yield f"{name}: {', '.join(known.at_bound)} ended at a limit: a model term is missing."


def _reach(found: Taught) -> Iterator[str]:
    """How much so many different jobs can tell, and what would tell more."""
    name, several = found.calibration.applies_to, sum(len(one.step.runs) for one in found.steps)
    told = ", ".join(found.told)
    if len(found.steps) == 1:
        alike = f"{several} runs of one job teach" if several > 1 else "one run teaches"
        yield (
            f"{name}: {alike} little more than an overall factor and narrows no interval; a second with a larger batch "
            "or another model would tell compute from memory and from waiting for the host."
        )
        return
    yield f"{name}: the steps tell {told}; all else stays as it was." if told else f"{name}: all stays as it was."
    if len(found.steps) == 2 and max(abs(math.log(one.after_s / one.step.step_s)) for one in found.steps) > _APART:
        yield f"{name}: no constants explain both steps; a third run would tell which of them is usual."


def _disagrees(one: CheckedStep) -> str:
    ratio = one.step.step_s / one.after_s
    how = f"{ratio:.2g} × slower" if ratio > 1 else f"{1 / ratio:.2g} × faster"
    doubt = one.step.doubt
    why = f": {doubt}; it was set aside" if doubt else "; it hardly counts, and nothing in its record says why"
    return f"{one.step.name} (run {', '.join(one.step.runs)}) is {how} than the others explain{why}"


def _within(half_ln: float) -> str:
    return f"{100 * math.expm1(half_ln):.0f} %"
