"""The predictions furthest off, each with a sentence on why that is made of data."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.accuracy.figures import Accuracy, Held, faster_ln, grouped, mfu
from benchmarks.accuracy.words import change, middle, table

from assay.api.learning import unfit
from assay.predict.answer import PARTS

MOST = 20
_OF_ONE = 3  # cases that one source may have of a kind and device: then it is told, and others have room
_ALIKE = 0.5  # share of an error that a whole source, or its kind, has too: then it is not this row's own
_SHOWN = 3  # things assumed that are named


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The worst row of a model on a machine in a source, with what else is known there."""

    worst: Held
    alike: int  # rows of the case
    source: Sequence[Held]  # of the same source, kind and device, this case left out
    elsewhere: Sequence[Held]  # of other sources, same kind and device
    again: Sequence[Held]  # of equal setting
    near: Sequence[Held]  # of the same model and device on about as many devices, whoever measured
    bound: Sequence[Held]  # other cases of the same kind and class whose largest term is the same, whoever measured


def worst(found: Accuracy) -> list[Case]:
    """The worst cases: one for a source, model, machine and metric, and few of one source's kind and device."""
    rows = [one for one in found.held if one.facts.speed]
    heads, many = _heads(rows)
    kind = grouped(rows, lambda one: f"{one.facts.regime} @ {one.facts.device}")
    settings = grouped(rows, lambda one: one.facts.setting)
    bound = grouped(rows, _bound)
    return [_told(one, many[_case(one)], kind, settings, bound[_bound(one)]) for one in heads]


def _heads(rows: Sequence[Held]) -> tuple[list[Held], Mapping[str, list[Held]]]:
    """The worst row of the worst cases, and the rows of every case."""
    cases = grouped(rows, _case)
    heads, seen = list[Held](), Counter[str]()
    for one in sorted((max(mine, key=_size) for mine in cases.values()), key=lambda one: -_size(one)):
        near = f"{one.row.source} | {one.facts.regime} | {one.facts.device}"
        seen[near] += 1
        if seen[near] <= _OF_ONE:
            heads.append(one)
    return heads[:MOST], cases


def _bound(one: Held) -> str:
    return f"{one.facts.architecture} {one.facts.regime} {next(iter(one.terms_s), '')}"


def _told(
    one: Held,
    case: Sequence[Held],
    kind: Mapping[str, Sequence[Held]],
    settings: Mapping[str, Sequence[Held]],
    bound: Sequence[Held],
) -> Case:
    near = kind[f"{one.facts.regime} @ {one.facts.device}"]
    source = [other for other in near if other.row.source == one.row.source and _case(other) != _case(one)]
    return Case(
        worst=one, alike=len(case), source=source,
        elsewhere=[other for other in near if other.row.source != one.row.source],
        again=[other for other in settings[one.facts.setting] if other is not one],
        near=[other for other in near if other is not one and _beside(one, other)],
        bound=[other for other in bound if _case(other) != _case(one)],
    )  # fmt: skip


def _beside(one: Held, other: Held) -> bool:
    """Whether two rows are of one model on about as many devices."""
    apart = abs(math.log(one.facts.devices / other.facts.devices))
    return one.facts.model == other.facts.model and apart <= math.log(2.0)


def _case(one: Held) -> str:
    return f"{one.row.source} | {one.row.model} | {one.facts.device} | {one.row.metric_name}"


def _size(one: Held) -> float:
    return abs(faster_ln(one))


def worst_table(found: Accuracy) -> str:
    """The worst cases as a table."""
    rows = [
        (
            c.worst.row.id, c.worst.row.model, f"{c.worst.facts.devices} × {c.worst.facts.device}", c.worst.row.source,
            c.worst.row.metric_name, f"{c.worst.row.metric_value:.4g}", f"{c.worst.source.predicted or math.nan:.4g}",
            f"× {math.exp(faster_ln(c.worst)):.2f}", sentence(c),
        )
        for c in worst(found)
    ]  # fmt: skip
    head = ("row", "model", "machine", "source", "metric", "measured", "predicted", "speed told", "why")
    return table(head, rows)


def sentence(case: Case) -> str:
    """Why a prediction is off, as far as the data say."""
    said = [_verdict(case), _terms(case.worst), _assumed(case.worst), _biases(case), _again(case), _flags(case.worst)]
    if case.alike > 1:
        said.append(f"the worst of {case.alike} rows of this model there")
    text = "; ".join(filter(None, said))
    return text[0].upper() + text[1:] + "."


def _verdict(case: Case) -> str:
    error, measured = faster_ln(case.worst), mfu(case.worst)[0]
    if unfit(case.worst.row):
        return "its source flags it, so it teaches nothing"
    if measured > 1.0:
        return f"the figure cannot be: it would need {100 * measured:.0f} % of the device's peak"
    closer = [one for one in case.again if abs(_apart(one, case.worst) - error) < abs(error) * _ALIKE]
    if closer:
        return "others measured this setting near to what we predict"
    if case.near and middle(map(faster_ln, case.near)) / error > _ALIKE:
        return "the same model on about as many devices is off alike, so it is not this measurement"
    if case.source and middle(map(faster_ln, case.source)) / error > _ALIKE:
        return "most of the error is that of the whole source"
    if case.elsewhere and middle(map(faster_ln, case.elsewhere)) / error > _ALIKE:
        return "other sources are off alike: our formulas or this kind's constants, not this source"
    if len(case.bound) > 2 and middle(map(faster_ln, case.bound)) / error > _ALIKE:
        return "others whose largest term is the same are off alike: that term's formula or constants"
    if case.worst.source.evidence != "B":
        return "nothing but this source is known of the accelerator"
    return "this row is off by itself"


def _apart(one: Held, other: Held) -> float:
    """ln of how much faster one of two figures in one unit is."""
    apart = math.log(one.row.metric_value / other.row.metric_value)
    return -apart if one.row.metric_name == "iteration_s" else apart


def _terms(one: Held) -> str:
    whole = sum(one.terms_s.values())
    if not whole:
        return ""
    first = list(one.terms_s.items())[:2]
    told = " and ".join(f"{100 * seconds / whole:.0f} % {PARTS[name][0]}" for name, seconds in first)
    return f"the predicted step is {told}"


def _assumed(one: Held) -> str:
    if not one.source.assumed:
        return "nothing was assumed"
    words = [re.sub("^precision ", "precision guessed as ", words) for words in one.source.assumed]
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return f"assumed: {', '.join(words[:_SHOWN])}{more}"


def _biases(case: Case) -> str:
    said = []
    for name, rows in (
        ("rows of the same model on about as many devices", case.near),
        ("the source's other models of this kind and device", case.source),
        ("other sources of this kind and device", case.elsewhere),
        ("others of this kind with the same largest term", case.bound),
    ):
        if rows:
            said.append(f"{name} come out at {change(middle(map(faster_ln, rows)))} (n = {len(rows)})")
    return ", ".join(said)


def _again(case: Case) -> str:
    if not case.again:
        return ""
    apart = [_apart(one, case.worst) for one in case.again]
    return f"the same setting was measured again at {_between(apart)} of this speed (n = {len(apart)})"


def _between(apart: Iterable[float]) -> str:
    found = sorted(math.exp(x) for x in apart)
    ends = f"{found[0]:.2f}", f"{found[-1]:.2f}"
    return "× " + (ends[0] if ends[0] == ends[1] else " to ".join(ends))


def _flags(one: Held) -> str:
    flag = one.row.row_flag
    return f"flagged {flag}" if flag else ""


def impossible(found: Accuracy) -> str:
    """Rows whose figure would need more than the device's peak: flagged, and kept in every table."""
    rows = [one for one in found.held if one.facts.speed and mfu(one)[0] > 1.0]
    lines = [
        (one.row.id, one.row.source, one.row.model, f"{one.facts.devices} × {one.facts.device}",
         f"{100 * mfu(one)[0]:.0f} %", f"{100 * mfu(one)[1]:.0f} %")
        for one in sorted(rows, key=lambda one: -mfu(one)[0])
    ]  # fmt: skip
    return table(("row", "source", "model", "machine", "MFU measured", "MFU predicted"), lines) if lines else "None."
