"""A predicted step as it runs for weeks: it waits for data that come too slowly, and loses time to stops and saves.

What nobody said anything of changes nothing: without a feed a step is its computing, without a checkpoint a job is its
steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from assay.calibration import Constants
from assay.hardware import System
from assay.plan import Plan
from assay.predict import cost, estimate, feed, upkeep
from assay.predict.power import node_power_w
from assay.result import Part, Result, Value
from assay.workload import Workload

WAITING = "waiting for data"
_BUSY = ("compute", "memory")  # parts in which a device works
_STEP = 0.01  # of a lever, for d ln T / d ln x
_OVER_STEP = ("tokens_per_s", "device_tokens_per_s", "samples_per_s", "device_flop_per_s", "mfu", "hfu")
_TOTALS = ("energy_j", "rent_usd", "purchase_usd", "time_to_train_s")


def bound_by(parts: tuple[Part, ...], step_s: float) -> str:
    """Which resource most of the step waits on, in words.

    >>> bound_by((Part(name="matrix multiply", time_s=3.0, bound="compute"),), 4.0)
    'compute (75 % of the step)'
    """
    totals: dict[str, float] = {}
    for part in parts:
        totals[part.bound] = totals.get(part.bound, 0.0) + part.time_s
    name = max(totals, key=lambda n: totals[n])
    return f"{name} ({100 * totals[name] / step_s:.0f} % of the step)"


def step_s(job: Workload, system: System, plan: Plan, constants: Constants) -> float:
    """The time of one step, with its wait for data: the mean of `answer`, and nothing else of it."""
    computed = float(estimate.price(job, system, plan, constants).step_s[0])
    found = feed.ways(job.feed, system, plan) if job.feed else ()
    return max(computed, job.global_batch / feed.narrowest(found).samples_per_s) if found else computed


def flowing(result: Result, tariff: cost.Tariff) -> Result:
    """The result of a job that computes without end, with its waits for data and its losses to stops and saves."""
    return _kept_up(_fed(result, tariff), tariff)


def _fed(result: Result, tariff: cost.Tariff) -> Result:
    job, system = result.workload, result.system
    if job.feed is None:
        return result
    notes = [*result.notes, *feed.uncounted(job.feed)]
    found = feed.ways(job.feed, system, result.plan)
    if not found:
        return replace(result, notes=tuple(notes))
    was = result.step
    step = feed.fed_step(was, job.global_batch, found)
    notes.append(feed.told(was.mean, job.global_batch, found))
    narrow = feed.narrowest(found)
    waits = Part(name=WAITING, time_s=step.mean - was.mean, bound=narrow.bound, detail=narrow.what)
    parts = tuple(sorted((*result.parts, *((waits,) if waits.time_s > 0 else ())), key=lambda p: -p.time_s))
    return replace(
        result, values=_timed(result, step, tariff), parts=parts, bound=bound_by(parts, step.mean),
        sensitivity=_sensitivity(result, step.mean, found), evidence=step.evidence, notes=tuple(notes),
    )  # fmt: skip


def _kept_up(result: Result, tariff: cost.Tariff) -> Result:
    job, kept = result.workload, result.workload.checkpoint
    if kept is None:
        return result
    found = upkeep.upkeep(job, result.system, result.plan, kept)
    wall, g = _over(result.step, found.goodput), found.goodput
    more = {
        "goodput": g,
        "mtbf_s": _ends(*(_inverse(getattr(found.stops_hz, end)) for end in ("value", "high", "low"))),
        "checkpoint_bytes": _ends(*[found.saved_bytes] * 3),
        "checkpoint_s": _ends(found.save_s.value, found.save_s.low, found.save_s.high),
        "checkpoint_period_s": _ends(*[found.period_s] * 3),
    }
    if "time_to_train_s" in result.values:
        more["compute_time_to_train_s"] = result.values["time_to_train_s"]
    known = {name: value for name, value in more.items() if math.isfinite(value.high)}
    said = upkeep.told(found, kept, result.system.accelerators)
    values = dict(result.values) | _totals(result, wall, result.values.get("power_w"), tariff) | known
    return replace(result, values=values, notes=(*result.notes, said))


def _timed(result: Result, step: Value, tariff: cost.Tariff) -> dict[str, Value]:
    """Every figure that a step's time is in, with the longer one in it."""
    was, values = result.step, dict(result.values)
    for name in (n for n in _OVER_STEP if n in values):
        k = values[name].mean * was.mean
        high = min(1.0, k / step.low) if name in ("mfu", "hfu") else k / step.low
        values[name] = Value(
            mean=k / step.mean, low=k / step.high, high=max(high, k / step.mean), evidence=step.evidence
        )
    power = _power(result, step.mean)
    if power is not None:
        values["power_w"] = power
    return values | {"step_s": step} | _totals(result, step, power, tariff)


def _totals(result: Result, now: Value, power: Value | None, tariff: cost.Tariff) -> dict[str, Value]:
    """Time, energy and money of the whole job where a step takes as long as `now` on the clock."""
    values, was = result.values, result.step
    out = {name: _stretched(values[name], was, now) for name in _TOTALS if name in values}
    if "energy_j" in out and power is not None:
        drawn = power.mean / values["power_w"].mean
        out["energy_j"] = _times(out["energy_j"], drawn)
        if "purchase_usd" in out:  # two parts, of which one follows the power
            duration = values["energy_j"].mean / values["power_w"].mean * now.mean / was.mean
            share = cost.purchase_usd(result.system, duration, out["energy_j"].mean, tariff)
            out["purchase_usd"] = _times(out["purchase_usd"], (share or 0.0) / out["purchase_usd"].mean)
    return out


def _power(result: Result, step_s: float) -> Value | None:
    """A device that waits for data draws what one draws that waits for others."""
    value, system = result.values.get("power_w"), result.system
    if value is None:
        return None
    busy = sum(part.time_s for part in result.parts if part.bound in _BUSY)
    return _times(value, _drawn(system, busy / step_s) / _drawn(system, busy / result.step.mean))


def _drawn(system: System, busy: float) -> float:
    found = node_power_w(system, np.asarray(busy))
    return 1.0 if found is None else float(found)


def _sensitivity(result: Result, fed_s: float, found: Sequence[feed.Way]) -> dict[str, float]:
    """Levers of the machine where its computing takes long, and that of the narrowest part of its data's way."""
    was, samples = result.step.mean, result.workload.global_batch
    narrow, more = feed.narrowest(found), 1.0 + _STEP
    waits = samples / narrow.samples_per_s

    def slope(step_s: float) -> float:
        return math.log(step_s / fed_s) / math.log(more)

    out = {name: slope(max(was * more**each, waits)) for name, each in result.sensitivity.items()}
    wider = min(way.samples_per_s * (more if way is narrow else 1.0) for way in found)
    return out | {f"rate of {narrow.name} (data)": slope(max(was, samples / wider))}


def _stretched(v: Value, was: Value, now: Value) -> Value:
    """A figure that grows with a step's time; what else made it uncertain still does, independently."""
    high, low = (
        math.sqrt(max(0.0, _ln(v, end) ** 2 - _ln(was, end) ** 2) + _ln(now, end) ** 2) for end in ("high", "low")
    )
    mean = v.mean * now.mean / was.mean
    return Value(mean=mean, low=mean * math.exp(-low), high=mean * math.exp(high), evidence=now.evidence)


def _over(step: Value, share: Value) -> Value:
    """A step on the clock: its time over the share of time that trains, both uncertain by themselves."""
    high, low = math.hypot(_ln(step, "high"), _ln(share, "low")), math.hypot(_ln(step, "low"), _ln(share, "high"))
    mean = step.mean / share.mean
    return Value(mean=mean, low=mean * math.exp(-low), high=mean * math.exp(high), evidence=step.evidence)


def _ln(v: Value, end: str) -> float:
    return abs(math.log(getattr(v, end) / v.mean))


def _times(v: Value, factor: float) -> Value:
    return replace(v, mean=v.mean * factor, low=v.low * factor, high=v.high * factor)


def _ends(mean: float, low: float, high: float) -> Value:
    return Value(mean=mean, low=low, high=high, evidence="D")


def _inverse(rate: float) -> float:
    return 1.0 / rate if rate else math.inf
