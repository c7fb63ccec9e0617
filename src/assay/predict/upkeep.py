"""What staying up costs a job: checkpoints it waits for, stops it loses work to, and the share of its time that trains.

d a save as long as training waits, T work between two saves, R time from a stop to work again; see `assay.uptime`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from assay.assumption import Assumption
from assay.counting import parameters
from assay.feed import Checkpoint, Store
from assay.hardware import System
from assay.plan import Plan
from assay.predict.families import family
from assay.predict.feed import SHEET_REACHED, network_bytes_per_s
from assay.predict.schedule import HOST_LINK_BYTES_PER_S
from assay.predict.state import state_of
from assay.result import Value
from assay.units import show
from assay.uptime import goodput, mtbf_s, young_period_s
from assay.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """How one job on one machine saves itself and is stopped."""

    saved_bytes: float
    write_s: Assumption | None  # until a checkpoint lies safe; None: nobody knows its storage
    save_s: Assumption  # as long as training waits for one
    period_s: float  # of work between two
    stops_hz: Assumption  # of the whole job
    restart_s: Assumption  # from a stop to training again, with what a save that was under way loses
    goodput: Value  # share of the time on the clock that trains


def upkeep(job: Workload, system: System, plan: Plan, kept: Checkpoint) -> Upkeep:
    """What staying up comes to, each figure with its range."""
    size, write = saved_bytes(job), _write_s(job, system, kept)
    save = _save_s(size, write, system, plan, kept)
    restart = _restart_s(size, write, system, kept)
    stops = _scaled(kept.failure_hz, system.accelerators)
    period = kept.period_s or float(young_period_s(stops.value, save.value))
    if kept.behind and write is not None:  # the next save waits until the last is through
        period = max(period, write.value)
    return Upkeep(
        saved_bytes=size, write_s=write, save_s=save, period_s=period, stops_hz=stops, restart_s=restart,
        goodput=_goodput(stops, save, restart, period),
    )  # fmt: skip


def saved_bytes(job: Workload) -> float:
    """Weights and optimizer state of all parameters that learn: 14 bytes each for Adam in mixed precision.

    Llama-3.1-8B: 8.03 G × (2 + 12) bytes = 112 GB.
    """
    state, shape, writes = state_of(job), job.model.shape, family(job.model)
    learning = float(parameters(shape))
    if job.adapter_rank is not None:
        learning = float(writes.sizes(shape).adapters * job.adapter_rank * writes.limits(shape, job).layers)
    return learning * float(max(state.weight_bytes, 2.0) + state.optimizer_bytes)


def told(found: Upkeep, kept: Checkpoint, devices: int) -> str:
    """In a sentence: how often it stops, how it saves itself, what is left."""
    g, mean_s = found.goodput, mtbf_s(found.stops_hz.value, 1)
    how = "behind training" if kept.behind else "while training waits"
    where = str(kept.store) if found.write_s is not None else "storage that nobody described"
    often = f"once in {show(mean_s, 's')}" if math.isfinite(mean_s) else "never"
    when = f"every {show(found.period_s, 's')}" if math.isfinite(found.period_s) else "never"
    return (
        f"{devices:,} devices stop {often}; {show(found.saved_bytes, 'bytes')} are saved {when} to {where}, {how} "
        f"for {show(found.save_s.value, 's')}: {100 * g.mean:.1f} % of the time trains "
        f"({100 * g.low:.1f}–{100 * g.high:.1f} %)"
    )


def _write_s(job: Workload, system: System, kept: Checkpoint) -> Assumption | None:
    """From the first byte to the last, through storage and the nodes' network to it, whichever is narrower."""
    store = kept.store
    rate = None if store is None else _through(store, store.write_bytes_per_s, job, system)
    if store is None or rate is None:
        return None
    return _longer(saved_bytes(job) / rate, store)


def _through(store: Store, rate: float | None, job: Workload, system: System) -> float | None:
    whole = store.whole(rate, system.nodes)
    network = network_bytes_per_s(system, job.feed.network_bytes_per_s if job.feed else None)
    return whole if whole is None or network is None or store.own else min(whole, network * system.nodes)


def _longer(usual_s: float, store: Store) -> Assumption:
    return Assumption(value=usual_s, low=usual_s, high=usual_s if store.stated else usual_s / SHEET_REACHED)


def _save_s(size: float, write: Assumption | None, system: System, plan: Plan, kept: Checkpoint) -> Assumption:
    """Until it lies safe or, behind training, until each device has copied its own share to its host."""
    if write is None:
        return kept.save_s
    if not kept.behind:
        return write
    holders = system.accelerators if int(plan.zero_stage) >= 1 else int(plan.tensor * plan.pipeline)
    link = system.accelerator.host_bandwidth_bytes_per_s or HOST_LINK_BYTES_PER_S
    copied = size / holders / link
    return Assumption(value=copied, low=copied, high=copied / SHEET_REACHED)


def _restart_s(size: float, write: Assumption | None, system: System, kept: Checkpoint) -> Assumption:
    """As stated, but no sooner than the checkpoint is read back; behind training what was not yet written is lost."""
    store, usual = kept.store, kept.restart_s
    read = None if store is None else store.whole(store.read_bytes_per_s, system.nodes)
    least = size / read if read else 0.0
    lag = write if kept.behind and write is not None else Assumption(value=0.0, low=0.0, high=0.0)
    low, value, high = (max(getattr(usual, end), least) + getattr(lag, end) for end in ("low", "value", "high"))
    return Assumption(value=value, low=low, high=high)


def _goodput(stops: Assumption, save: Assumption, restart: Assumption, period_s: float) -> Value:
    """The share with its range: each input at its ends by itself, since not all are bad at once; the period stays."""
    period = period_s if math.isfinite(period_s) else None
    inputs = (stops, save, restart)

    def at(ends: tuple[str, ...]) -> float:
        stops_hz, save_s, restart_s = (getattr(x, end) for x, end in zip(inputs, ends, strict=True))
        return max(float(goodput(stops_hz, save_s, restart_s, period)), 1e-9)

    mean = at(("value",) * 3)
    alone = [(tuple(end if i == j else "value" for j in range(3))) for i in range(3) for end in ("low", "high")]
    moves = [math.log(at(ends) / mean) for ends in alone]
    down, up = (math.sqrt(sum(m * m for m in moves if (m < 0) == worse)) for worse in (True, False))
    return Value(mean=mean, low=mean * math.exp(-down), high=min(1.0, mean * math.exp(up)), evidence="D")


def _scaled(each: Assumption, count: int) -> Assumption:
    return Assumption(value=each.value * count, low=each.low * count, high=each.high * count)
