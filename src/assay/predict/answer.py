"""A priced plan as a `Result`: values with intervals, where time and memory go, what bounds it and what would help."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from assay.hardware import System
from assay.plan import Plan
from assay.predict import cost, estimate, layers
from assay.predict.calibrated import Calibrated, memory_value
from assay.predict.device import peak_flop_per_s
from assay.predict.families import family
from assay.predict.flow import WAITING, bound_by, flowing
from assay.predict.regime import regime_of
from assay.result import MemoryPart, Part, Result, Value
from assay.workload import Workload

# Term of a schedule -> what a person calls it, and which resource it waits on.
PARTS: Mapping[str, tuple[str, str]] = {
    "matmul": ("matrix multiply", "compute"),
    "attention": ("attention", "compute"),
    "head": ("embedding and logits", "compute"),
    "elementwise": ("memory-bound ops", "memory"),
    "optimizer": ("optimizer", "memory"),
    "streaming": ("weight streaming", "network"),
    "tensor": ("tensor-parallel comms", "network"),
    "context": ("context-parallel comms", "network"),
    "expert": ("expert-parallel comms", "network"),
    "pipeline": ("pipeline transfers", "network"),
    "data": ("data-parallel comms", "network"),
    "stragglers": ("stragglers", "network"),
    "bubble": ("pipeline bubble", "bubble"),
    "launch": ("kernel launches", "host"),
    "host": ("host", "host"),
    "offload": ("offload", "host"),
    "feed": (WAITING, "storage"),  # or whatever part of the data's way is narrowest
}

_POWER_LN = 0.20
_OTHER_PRECISION = 1.25  # an interval grows by this where the job runs in another precision than was asked
_STEP = 0.01  # of a lever, for d ln T / d ln x


def answer(
    job: Workload, system: System, plan: Plan, calibrated: Calibrated, *, tariff: cost.Tariff = cost.DEFAULT_TARIFF,
    notes: tuple[str, ...] = (), widen: float = 1.0,
) -> Result:  # fmt: skip
    """The result of one plan: every figure with its 90 % interval, and the terms that add up to it."""
    calibrated = calibrated.on(system.accelerators)
    priced = estimate.price(job, system, plan, calibrated.constants_for(job))
    instead = _instead(job, system)
    notes, widen = (*notes, *instead), widen * (_OTHER_PRECISION if instead else 1.0)
    step = float(priced.step_s[0])
    terms = {name: float(np.broadcast_to(t, priced.step_s.shape)[0]) for name, t in priced.terms.items()}
    memory = {name: float(part[0]) for name, part in priced.parts.items()}
    power = None if priced.power_w is None else float(priced.power_w[0])
    parts = tuple(Part(name=PARTS[n][0], time_s=t, bound=PARTS[n][1]) for n, t in terms.items() if t > 0)
    found = Result(
        workload=job, system=system, plan=plan, origin="predicted",
        values=_values(job, system, plan, step, sum(memory.values()), power, calibrated, tariff, widen),
        parts=tuple(sorted(parts, key=lambda p: -p.time_s)),
        memory=tuple(MemoryPart(name=n, size_bytes=b) for n, b in memory.items() if b > 0),
        roofline=layers.points(job, plan, system, calibrated.constants_for(job)),
        sensitivity=sensitivity(job, system, plan, calibrated, step), bound=bound_by(parts, step),
        evidence=calibrated.evidence, sources=(*calibrated.sources, *cost.offers_used(system)), notes=notes,
    )  # fmt: skip
    return flowing(found, tariff)


def _instead(job: Workload, system: System) -> tuple[str, ...]:
    """What the job runs in where the device lacks its precision."""
    chip = system.accelerator
    _, used = peak_flop_per_s(chip, job.precision) or (0.0, job.precision)
    return (f"{chip.name} lists no {job.precision} peak: taken to run in {used}",) if used != job.precision else ()


def sensitivity(job: Workload, system: System, plan: Plan, calibrated: Calibrated, step_s: float) -> dict[str, float]:
    """D ln(step time) / d ln(lever): -0.6 means that 10 % more of it makes the step about 6 % shorter."""
    out = {}
    for name, machine in _levers(system).items():
        faster = float(estimate.price(job, machine, plan, calibrated.constants_for(job)).step_s[0])
        out[name] = math.log(faster / step_s) / math.log(1.0 + _STEP)
    return out


def _levers(system: System) -> dict[str, System]:
    chip, more = system.accelerator, 1.0 + _STEP
    machines = {
        "compute peak": replace(chip, peak_flop_per_s={d: more * p for d, p in chip.peak_flop_per_s.items()}),
        "memory bandwidth": replace(chip, bandwidth_bytes_per_s=more * chip.bandwidth_bytes_per_s),
    }
    if chip.streaming_bandwidth_bytes_per_s:
        faster = more * chip.streaming_bandwidth_bytes_per_s
        machines["weight-streaming bandwidth"] = replace(chip, streaming_bandwidth_bytes_per_s=faster)
    out = {name: replace(system, accelerator=machine) for name, machine in machines.items()}
    for i, name in ((0, "link bandwidth inside a node"), (len(system.links) - 1, "link bandwidth between nodes")):
        if system.links and (i > 0 or name.endswith("inside a node")):
            link = replace(system.links[i], bandwidth_bytes_per_s=more * system.links[i].bandwidth_bytes_per_s)
            out[name] = replace(system, links=(*system.links[:i], link, *system.links[i + 1 :]))
    return out


def _values(
    job: Workload, system: System, plan: Plan, step: float, peak_bytes: float, power: float | None,
    calibrated: Calibrated, tariff: cost.Tariff, widen: float,
) -> dict[str, Value]:  # fmt: skip
    peak, _ = peak_flop_per_s(system.accelerator, job.precision) or (math.nan, "")
    achieved = family(job.model).model_flop(job.model.shape, job) * job.global_batch / step / system.accelerators
    half = calibrated.half_ln(regime_of(job)) * widen
    tokens = job.tokens_per_step / step
    rates = {"tokens_per_s": tokens, "device_tokens_per_s": tokens / system.accelerators}
    timed = {
        "step_s": step, **(rates if job.model.has_tokens else {}), "samples_per_s": job.global_batch / step,
        "device_flop_per_s": achieved, "mfu": achieved / peak, "hfu": estimate.executed(plan) * achieved / peak,
    }  # fmt: skip
    values = {name: calibrated.value(mean, half) for name, mean in timed.items()}
    for share in ("mfu", "hfu"):
        v = values[share]
        values[share] = replace(v, high=max(v.mean, min(v.high, 1.0)))  # nothing runs above its peak
    memory = memory_value(calibrated, peak_bytes)
    room = estimate.capacity_bytes(system)
    values["peak_memory_bytes"] = memory
    values["headroom_bytes"] = Value(
        mean=room - memory.mean, low=room - memory.high, high=room - memory.low, evidence=memory.evidence
    )
    return values | _to_target(job, system, step, power, half, calibrated, tariff)


def _to_target(
    job: Workload, system: System, step: float, power: float | None, half: float, calibrated: Calibrated,
    tariff: cost.Tariff,
) -> dict[str, Value]:  # fmt: skip
    steps = math.ceil(job.target_tokens / job.tokens_per_step) if job.target_tokens else 1
    duration = steps * step
    energy = None if power is None else power * duration
    known = {
        "power_w": (power, _POWER_LN),
        "energy_j": (energy, math.hypot(half, _POWER_LN)),
        "rent_usd": (cost.rent_usd(system, duration), half),
        "purchase_usd": (cost.purchase_usd(system, duration, energy, tariff), half),
        "capex_usd": (cost.capex_usd(system), 0.0),
        "time_to_train_s": (duration if job.target_tokens else None, half),
    }
    return {name: calibrated.value(mean, width) for name, (mean, width) in known.items() if mean is not None}
