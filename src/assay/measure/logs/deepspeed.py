"""DeepSpeed: its report every `steps_per_print` steps, its throughput timer, and its wall-clock breakdown.

With `wall_clock_breakdown` each step prints where its time went: `compute_s` is forward, backward without its
all-reduce, and optimizer; `communication_s` the all-reduce. The timers wait for the device at each mark, so that this
is what was exposed, at the price of a slower run. Lines of micro-steps are parts of it and are passed over. Old
versions say forward and backward for fwd and bwd. The breakdown does not say its step.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assay.measure.found import Found, Reader, Said
from assay.measure.words import NAMED, NUMBER, Names, figure, named, number

NAME, TITLE = "deepspeed", "DeepSpeed"
MARKS = ("step=", "(ms) | ")

_GIB = 1 << 30
NAMES: Names = {
    "CurrSamplesPerSec": ("samples_per_s", 1),
    "RunningAvgSamplesPerSec": (figure("samples_per_s", "mean"), 1),
    "MaxMemAllocated": ("memory_allocated_bytes", _GIB),
}

_REPORT = re.compile(rf"\[Rank (\d+)\] step=(\d+), skipped=\d+, lr=\[({NUMBER})")
_SPEED = re.compile(r"/global_step=(\d+), (.*)")
_PAIR = re.compile(rf"({NAMED})=({NUMBER})(?:GB)?\s*(?:,|$)")
_PARTS = re.compile(r"(?:\[Rank (\d+)\] |rank=(\d+) )?time \(ms\) \| (.*)")


def reader(command: tuple[str, ...]) -> Reader:
    """Learning rates, rates, memory, and the parts of each step."""

    def line(line: str) -> Iterator[Said]:
        if said := _REPORT.search(line):
            yield from named([("learning_rate", said[3])], {"learning_rate": ("learning_rate", 1)}, index=int(said[2]))
        elif said := _SPEED.search(line):
            yield from named(_PAIR.findall(said[2]), NAMES, index=int(said[1]))
        elif said := _PARTS.search(line):
            yield from _parts(said[3], int(said[1] or said[2] or 0))

    return line


def _parts(text: str, rank: int) -> Iterator[Found]:
    cells = [cell.partition(":") for cell in text.split("|")]
    part_s = {name.strip(): (number(value) or 0.0) / 1e3 for name, _, value in cells}
    short = {"forward": "fwd", "backward_inner": "bwd_inner", "backward_allreduce": "bwd_allreduce"}
    part_s = {short.get(name, name): time_s for name, time_s in part_s.items()}
    if {"fwd", "bwd_inner", "bwd_allreduce", "step"} <= part_s.keys():
        yield Found("compute_s", part_s["fwd"] + part_s["bwd_inner"] + part_s["step"], rank=rank)
        yield Found("communication_s", part_s["bwd_allreduce"], rank=rank)
