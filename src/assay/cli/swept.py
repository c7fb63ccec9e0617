"""Sweeps and weights as rows for people, numbers for programs, and sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from assay.cli.answers import AMOUNTS, shown, speed
from assay.cli.output import Row
from assay.errors import InputError
from assay.units import show

if TYPE_CHECKING:
    from assay.hardware import System
    from assay.predict.levers import Lever
    from assay.result import Result, Value
    from assay.sweep import Gain, Sweep, Swept, Weighed
    from assay.workload import Workload

_FACTOR = re.compile(r"([0-9]{0,9}(?:\.[0-9]{1,9})?)\s*[x×]")
_KNEE = 0.8  # of the first point's speed per device: where scaling is said to fall off


def values_of(written: str, lever: Lever, job: Workload, system: System) -> list[float]:
    """The values of a sweep as people write them: counts, quantities with a unit, or factors of what is there."""
    base = float(lever.read(job, system) or 0.0)
    parts = [part.strip() for part in written.split(",") if part.strip()]
    if not parts:
        raise InputError("no value is named", where="--values", hint="write some, such as 1,2,4 or 0.5x,1x,2x")
    return [_value(part, lever, base) for part in parts]


def _value(part: str, lever: Lever, base: float) -> float:
    from assay.api.jobs import count
    from assay.units import parse

    factor = _FACTOR.fullmatch(part)
    if factor is not None and factor[1] not in ("", "."):
        return round(float(factor[1]) * base, 9) if lever.counted else float(factor[1]) * base
    if lever.counted:
        return float(count(part, "--values", 100_000_000))
    try:
        return parse(part, lever.unit)
    except InputError as error:
        raise InputError(error.what, where="--values", hint=error.hint) from None


def value_of(value: float, unit: str) -> str:
    """A value of a lever for people."""
    return show(value, unit) if unit else f"{value:,.6g}"


def swept_rows(found: Sweep) -> list[Row]:
    """A line a point: its speed, what that is of the first one's, what tokens or samples cost, what bounds it."""
    counted = found.found[0].result.workload.counted if found.found and found.found[0].result else "tokens"
    return [_row(found, point, f"{counted}/s", f"rent / {AMOUNTS[counted][0]}") for point in found.points]


def _row(found: Sweep, point: Swept, rate: str, rent: str) -> Row:
    head = {found.lever: value_of(point.value, found.unit)}
    r, share = point.result, found.against(point)
    if r is None:
        return head | {
            "step": "unknown",
            rate: "",
            "per device": "",
            rent: "",
            "bound by": point.reason,
        }
    kept = {"trains": f"{100 * r.values['goodput'].mean:.1f} %"} if "goodput" in r.values else {}
    return {
        **head, "step": show(r.step.mean, "s"),
        rate: speed(r),
        "per device": "" if share is None else f"{100 * share:.0f} % of first", **kept,
        rent: shown(_rent(r), "usd"), "bound by": r.bound.replace("(", "").replace(" of the step)", ""),
        "plan": str(r.plan),
    }  # fmt: skip


def _rent(r: Result) -> Value | None:
    """What a billion tokens or a million samples cost to rent, on the clock."""
    from dataclasses import replace

    value = r.values.get("rent_usd")
    if value is None:
        return None
    job = r.workload
    steps = -(-job.target_tokens // job.tokens_per_step) if job.target_tokens else 1
    factor = AMOUNTS[job.counted][1] / (steps * job.tokens_per_step)
    return replace(value, mean=value.mean * factor, low=value.low * factor, high=value.high * factor)


def swept_sentences(found: Sweep) -> tuple[str, ...]:
    """How speed follows, from the first point to the last, and where it is bound by something else."""
    points = found.found
    first, last = points[0], points[-1]
    if len(points) < 2 or first.result is None or last.result is None:
        return ()
    grown, faster = last.value / first.value, _speed(last.result) / _speed(first.result)
    share = found.against(last) or 0.0
    name = found.title.removeprefix("the ")
    many = f"{grown:.3g} × the {name}" if found.unit or found.lever != "nodes" else f"{grown:.3g} × the nodes"
    each = f" ({100 * share:.0f} % per device)" if found.lever == "nodes" else ""
    said = [f"{many} {'gives' if found.unit else 'give'} {faster:.3g} × the {last.result.workload.counted}/s{each}."]
    turns = _turns(points)
    if turns:
        where = "; ".join(f"{bound} from {value_of(value, found.unit)}" for value, bound in turns)
        said.append(f"What bounds a step changes: {where}.")
    knee = next((p for p in points if (found.against(p) or 1.0) < _KNEE), None)
    if found.lever == "nodes" and knee is not None:
        said.append(
            f"From {knee.value:,.0f} nodes on a device does less than {100 * _KNEE:.0f} % of what the first do."
        )
    return tuple(said)


def _speed(r: Result) -> float:
    return r.values[r.workload.rate].mean


def _turns(points: Sequence[Swept]) -> list[tuple[float, str]]:
    """Values at which another resource becomes what most of the step waits on; the first with what it begins with."""
    found: list[tuple[float, str]] = []
    for point in points:
        bound = point.result.bound.partition(" (")[0] if point.result else ""
        if bound and (not found or found[-1][1] != bound):
            found.append((point.value, bound))
    return found if len(found) > 1 else []


def weighed_rows(found: Weighed) -> list[Row]:
    """A line a lever: half of it, a tenth more, double; and whether that matters."""
    from assay.predict.weights import verdict

    return [
        {
            "lever": e.lever, "now": value_of(e.value, e.unit), "half": _gain(e.half),
            "half, best plan": _again(e.half), "10 % more": _gain(e.more), "double": _gain(e.double),
            "double, best plan": _again(e.double),
            "verdict": verdict(e),
        }
        for e in found.effects
    ]  # fmt: skip


def _gain(gain: Gain | None) -> str:
    if gain is None:
        return "does not fit"
    ends = sorted((gain.low, gain.high), key=abs)
    span = "" if _signed(ends[0]) == _signed(ends[1]) else f" ({_signed(ends[0])} to {_signed(ends[1])})"
    return f"{_signed(gain.mean)} %{span}"


def _again(gain: Gain | None) -> str:
    return "" if gain is None or gain.replanned is None else f"{_signed(gain.replanned)} %"


def _signed(share: float) -> str:
    from assay.predict.weights import percent

    text = percent(share)
    return text if text == "0" else ("−" if share < 0 else "+") + text


def weighed_data(found: Weighed) -> Mapping[str, object]:
    """The same in full, for programs."""
    from assay.cli.answers import data
    from assay.codec import encode
    from assay.predict.weights import verdict

    effects = [{**encode(e), "verdict": verdict(e)} for e in found.effects]
    return {"result": data(found.result, 1), "effects": effects, "sentences": list(found.sentences)}


def swept_data(found: Sweep, said: Sequence[str]) -> Mapping[str, object]:
    """A sweep in full, for programs: every point with its whole result."""
    from assay.cli.answers import data

    points = [
        {"value": p.value, "reason": p.reason, "per_device": found.against(p),
         "result": data(p.result, i) if p.result else None}
        for i, p in enumerate(found.points, 1)
    ]  # fmt: skip
    return {
        "lever": found.lever, "title": found.title, "unit": found.unit, "base": found.base, "kept": found.kept,
        "weak": found.weak, "sentences": list(said), "points": points,
    }  # fmt: skip
