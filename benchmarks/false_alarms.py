"""How often rules cry wolf, and how often they find what is there: real processes, on this machine, as it is now.

    python -m benchmarks.false_alarms [--slots 60] [--noise] [--keep FILE] [--from FILE]

A slot is six runs of one program, in an order drawn by lot: four times the same, once with 5 % more work in it and once
with 15 %. Ten slots make a comparison of ten pairs. Rules that people use are judged on the same runs as ours: "more
than 5 % slower", Welch's t-test on all samples, and the lowest of the runs' low deciles with a margin of 8 %. `--noise`
adds a neighbour that comes and goes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import ttest_ind

from assay import stats

PROGRAM = """
import json, sys, time
import numpy as np
loops, samples = int(sys.argv[1]), int(sys.argv[2])
a = np.random.default_rng(0).standard_normal((256, 256), dtype=np.float32)
c, taken = np.empty_like(a), []
for _ in range(samples):
    begin = time.perf_counter()
    for _ in range(loops):
        np.matmul(a, a, out=c)
    taken.append(time.perf_counter() - begin)
print(json.dumps(taken))
"""
NEIGHBOUR = """
import random, time
draw = random.Random(1)
while True:
    end = time.perf_counter() + draw.expovariate(1 / 0.4)
    while time.perf_counter() < end:
        sum(range(1000))
    time.sleep(draw.expovariate(1 / 0.8))
"""
SAME, SLOWER = ("A1", "A2", "A3", "A4"), {"+5 %": 21, "+15 %": 23}
LOOPS = {**dict.fromkeys(SAME, 20), **SLOWER}
SAMPLES, PAIRS, ALPHA = 120, 10, 0.01
Slot = dict[str, list[float]]


def collect(slots: int, noise: bool, keep: Path | None) -> list[Slot]:
    """Run everything, slot after slot."""
    draw, found = random.Random(0), list[Slot]()
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    neighbour = subprocess.Popen([sys.executable, "-c", NEIGHBOUR]) if noise else None
    try:
        for number in range(slots):
            slot: Slot = {}
            for name in draw.sample(list(LOOPS), len(LOOPS)):
                command = [sys.executable, "-c", PROGRAM, str(LOOPS[name]), str(SAMPLES)]
                done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
                slot[name] = json.loads(done.stdout)
            found.append(slot)
            if keep:
                with keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(slot) + "\n")
            print(f"\r{number + 1}/{slots} slots", end="", file=sys.stderr, flush=True)
    finally:
        if neighbour:
            neighbour.kill()
            neighbour.wait()
    print(file=sys.stderr)
    return found


def ours(old: Sequence[list[float]], new: Sequence[list[float]]) -> str:
    """The gate's rule: a figure a run, chosen blindly, pairs exchanged and counted."""
    folds: list[Callable[[list[float]], float]] = [min, lambda t: float(np.quantile(t, 0.1)), statistics.median]
    columns = [([f(t[10:]) for t in old], [f(t[10:]) for t in new]) for f in folds]
    return stats.paired(*columns[stats.best_of(columns)]).said


def five_percent(old: Sequence[list[float]], new: Sequence[list[float]]) -> str:
    """One run a side, mean worse by more than 5 %."""
    ratio = statistics.fmean(new[0]) / statistics.fmean(old[0])
    return "worse" if ratio > 1.05 else "better" if ratio < 1 / 1.05 else "cannot tell"


def welch(old: Sequence[list[float]], new: Sequence[list[float]]) -> str:
    """One run a side, Welch's t-test on their samples at 1 %."""
    found = ttest_ind(new[0], old[0], equal_var=False)
    return "cannot tell" if found.pvalue > ALPHA else "worse" if found.statistic > 0 else "better"


def lowest(old: Sequence[list[float]], new: Sequence[list[float]]) -> str:
    """The lowest low decile of all runs of a side, worse by more than 8 %."""
    ratio = min(np.quantile(t, 0.1) for t in new) / min(np.quantile(t, 0.1) for t in old)
    return "worse" if ratio > 1.08 else "better" if ratio < 1 / 1.08 else "cannot tell"


RULES = {
    "assay gate, 10 pairs": ours,
    '"+5 %" on means, one run a side': five_percent,
    "Welch on samples, one run a side": welch,
    "lowest decile of 10 runs a side, 8 %": lowest,
}


def judged(slots: Sequence[Slot], step: int) -> list[str]:
    """A row a rule: false alarms, and what it found of either change."""
    windows = [slots[i : i + PAIRS] for i in range(0, len(slots) - PAIRS + 1, step)]
    rows = []
    for name, rule in RULES.items():
        alike = [
            rule([s[a] for s in w], [s[b] for s in w]) for w in windows for a, b in itertools.combinations(SAME, 2)
        ]
        found = {
            change: [rule([s[a] for s in w], [s[change] for s in w]) for w in windows for a in SAME]
            for change in SLOWER
        }
        alarms = sum(said != "cannot tell" for said in alike)
        cells = [f"{alarms} of {len(alike)} ({alarms / len(alike):.1%})"]
        cells += [f"{said.count('worse') / len(said):.0%}" for said in found.values()]
        wrong = sum(said.count("better") for said in found.values())
        rows.append(f"| {name} | {' | '.join(cells)} | {wrong} |")
    return rows


def main() -> None:
    """Collect, or take what was collected; judge, and print a table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--slots", type=int, default=60)
    asked.add_argument("--noise", action="store_true")
    asked.add_argument("--keep", type=Path)
    asked.add_argument("--from", dest="source", type=Path)
    told = asked.parse_args()
    begin = time.time()
    if told.source:
        slots = [json.loads(line) for line in told.source.read_text().splitlines()]
    else:
        slots = collect(told.slots, told.noise, told.keep)
    typical = [statistics.median(slot[name]) for slot in slots for name in SAME]
    print(
        f"{len(slots)} slots of {len(LOOPS)} runs, {time.time() - begin:.0f} s; medians of runs of one and the same "
        f"program scatter by {np.std(np.log(typical)):.1%}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n"
    )
    print("| rule | false alarms, nothing changed | +5 % found | +15 % found | said to be faster |")
    print("| --- | --- | --- | --- | --- |")
    print("\n".join(judged(slots, step=2)))


if __name__ == "__main__":
    main()
