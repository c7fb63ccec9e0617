"""How fast plans are priced, in CPU-seconds of one thread, and in how much memory; prints one JSON object.

The question is the one that Calculon's search is known by: GPT-3 175B on 512 A100 at a global batch of 512 sequences.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from assay.api import predicting
from assay.calibration import Constants
from assay.hardware import System
from assay.plan import Offload, Plan, Schedule
from assay.predict import cost, estimate, search
from assay.predict.ops import Array
from assay.workload import Workload

CALCULON_SETTINGS = 6_582_816  # what Calculon's own loops come to for the question
AT_LEAST = 2_000_000  # plans priced in one repetition


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A job on a machine, and what may be chosen: everything that is legal."""

    job: Workload
    machine: System
    constants: Constants
    widest: search.Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was asked of each plan; arrays of one length."""

    step_s: Array
    memory_bytes: Array
    rent_usd: Array  # of one step
    energy_j: Array


def question(model: str = "gpt3-175b", machine: str = "dgx-a100-80gb", nodes: int = 64, batch: int = 512) -> Question:
    """GPT-3 175B on 512 A100, or a smaller question of the same kind."""
    job = predicting.workload(model, seq_len=2048, global_batch=batch)
    system = predicting.system(machine, nodes)
    widest = search.Options(
        context=tuple(search.divisors(job.seq_len)), micro_batch=tuple(search.divisors(batch)),
        flash_attention=(False, True), fused=(False, True), schedule=tuple(Schedule), offload_optimizer=tuple(Offload),
        offload_activations=tuple(Offload),
    )  # fmt: skip
    return Question(job=job, machine=system, constants=predicting.calibrated(system).constants, widest=widest)


def table_of(asked: Question) -> estimate.Table:
    """What all plans of the widest grid are composed of."""
    return estimate.table_of(
        asked.job, asked.machine, search.every_value(asked.job, asked.machine, asked.widest), asked.constants
    )


def grid(asked: Question) -> Iterator[Plan]:
    """All legal plans, block by block, made anew."""
    return search.blocks(asked.job, asked.machine, asked.widest)


def evaluate(asked: Question, plans: Plan, table: estimate.Table) -> Figures:
    """Time, memory, cost and energy of every plan of a block."""
    priced = estimate.price(asked.job, asked.machine, plans, asked.constants, table)
    rent = cost.rent_usd(asked.machine, priced.step_s)  # type: ignore[arg-type]
    if rent is None or priced.power_w is None:
        raise SystemExit(f"{asked.machine.name} has no price or no power: nothing to benchmark")
    return Figures(
        step_s=priced.step_s, memory_bytes=priced.peak_memory_bytes, rent_usd=np.asarray(rent),
        energy_j=priced.power_w * priced.step_s,
    )  # fmt: skip


def priced_plans(asked: Question, blocks: list[Plan], table: estimate.Table, at_least: int) -> int:
    """Price a ready grid again and again until so many plans were priced; how many it were."""
    count = 0
    while count < at_least:
        count += sum(len(evaluate(asked, block, table).step_s) for block in blocks)
    return count


def covered(asked: Question, settings: int) -> tuple[int, float]:
    """Price exactly so many settings, each pass from nothing (table, grid, prices); distinct plans, cheapest step."""
    left, distinct, cheapest_usd = settings, 0, np.inf
    while left:
        table, seen = table_of(asked), 0
        for block in grid(asked):
            figures = evaluate(asked, search.take(block, np.arange(min(left, np.size(block.data)))), table)
            cheapest_usd = min(cheapest_usd, float(figures.rent_usd.min()))
            seen, left = seen + len(figures.step_s), left - len(figures.step_s)
            if not left:
                break
        distinct = max(distinct, seen)
    return distinct, cheapest_usd


def cpu_seconds(work: Callable[[], object], repetitions: int) -> list[float]:
    """CPU-seconds of each repetition, ascending: the first is the least disturbed."""
    work()
    return sorted(_once(work) for _ in range(repetitions))


def _once(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def peak_bytes() -> int:
    """The most memory this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(
    asked: Question, settings: int = CALCULON_SETTINGS, at_least: int = AT_LEAST, repetitions: int = 7
) -> dict[str, object]:
    """All figures of this file. Memory is read before the repetitions that keep a whole grid at hand."""
    start_bytes = peak_bytes()
    usual, widest = found(asked, search.Options()), found(asked, asked.widest)
    distinct, cheapest_usd = covered(asked, settings)
    used_bytes = peak_bytes()
    blocks, table = list(grid(asked)), table_of(asked)
    return {
        "settings": settings, "distinct": distinct, "cheapest_usd": cheapest_usd,
        "start_bytes": start_bytes, "peak_bytes": used_bytes,
        "usual": [usual.considered, usual.fitting], "widest": [widest.considered, widest.fitting],
        "plans": priced_plans(asked, blocks, table, at_least),
        "price_s": cpu_seconds(lambda: priced_plans(asked, blocks, table, at_least), repetitions),
        "usual_s": cpu_seconds(lambda: found(asked, search.Options()), 3 * repetitions),
        "widest_s": cpu_seconds(lambda: found(asked, asked.widest), 3 * repetitions),
        "covered_s": cpu_seconds(lambda: covered(asked, settings), repetitions),
    }  # fmt: skip


def found(asked: Question, options: search.Options) -> search.Found:
    """The complete search, as `assay predict` runs it."""
    return search.search(asked.job, asked.machine, asked.constants, options=options)


if __name__ == "__main__":
    json.dump(measure(question()), sys.stdout)
