"""The search for the achievable peak beside an exhaustive sweep of the same space, on the same host, one format.

    python -m benchmarks.gemm_search                      # 4096 shapes, NumPy, fp32: some ten minutes; quiet machine
    python -m benchmarks.gemm_search --library torch --dtype bf16 --step 256 --top 4096

Both measure a shape in the same way. The sweep goes in random order, so that warming up favours no corner; its best
shapes and the search's winner are then measured again in turn, A B B A, or the sweep would win by its luckiest sample.
Wants nothing of Assay but the files of its workloads, and so runs in any interpreter with NumPy or PyTorch.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

WORKLOADS = Path(__file__).resolve().parent.parent / "src" / "assay" / "measure" / "workloads"
ROUNDS = 40


def main(args: list[str]) -> int:
    asked = _asked(args)
    seek, operands = _load("gemm_peak"), _load("gemm_operands")
    pool = operands.Pool(_kit(asked), asked.library, asked.dtype, "cpu")
    bench = seek.Bench(lambda shape: pool.step(shape, 2 * asked.cache * 2**20), on_host=True)
    space = seek.Space(asked.step, asked.top)
    shapes = space.shapes()
    pool.step((asked.top,) * 3, 2 * asked.cache * 2**20)(2)  # the largest pool there will be, and a warm machine
    most = max(1, len(shapes) // 50)
    print(f"{asked.library} {asked.dtype}: {len(shapes)} shapes; the search may try {most}", flush=True)
    found = [_searched(seek, bench, space, most) for _ in range(asked.searches)]
    for winner, tried, taken in found:
        print(f"search: {winner} after {tried} shapes, {taken:.0f} s", flush=True)
    rates, taken = _swept(bench, shapes)
    best = seek.winner(seek.best_of(rates, 12), bench, lambda: True)
    lucky = max(shapes, key=rates.__getitem__)
    print(f"sweep: {best}, {taken:.0f} s; its highest sample {rates[lucky]:.4g} FLOP/s at {lucky}")
    table = seek.search(space, rates.__getitem__, most, lambda: True)
    print(f"the search on the sweep's own figures: {max(table.values()) / rates[lucky]:.4f} of their highest")
    print("winner            peak FLOP/s   of the sweep's   by medians   shapes tried   of all")
    for winner, tried, _ in found:
        ours, theirs = _in_turn(seek, bench, winner, best)
        peak = seek.flop(winner) / min(ours)
        ratio = peak / (seek.flop(best) / min(theirs))
        middle = seek.flop(winner) / _median(ours) / (seek.flop(best) / _median(theirs))
        share = f"1/{len(shapes) / tried:.0f}"
        print(
            f"{'x'.join(map(str, winner)):17} {peak:11.4g} {ratio:16.4f} {middle:12.4f} {tried:14} {share:>8}",
            flush=True,
        )
    return 0


def _asked(args: list[str]) -> Any:
    parser = argparse.ArgumentParser(prog="benchmarks.gemm_search", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--library", choices=("numpy", "torch"), default="numpy")
    parser.add_argument("--dtype", default="fp32")
    parser.add_argument("--step", type=int, default=128)
    parser.add_argument("--top", type=int, default=2048)
    parser.add_argument("--cache", type=int, default=32, help="MiB of the last-level cache")
    parser.add_argument("--searches", type=int, default=3)
    return parser.parse_args(args)


def _load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, WORKLOADS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _kit(asked: Any) -> Any:
    library = __import__(asked.library)
    return SimpleNamespace(devices=list, settings={}, **{"numpy": None, "torch": None, asked.library: library})


def _searched(seek: Any, bench: Any, space: Any, most: int) -> tuple[Any, int, float]:
    begin = time.perf_counter()
    shape, tried = seek.find(bench, space, most, 1e9)
    return shape, tried, time.perf_counter() - begin


def _swept(bench: Any, shapes: list[Any]) -> tuple[dict[Any, float], float]:
    begin, rates = time.perf_counter(), {}
    for i, shape in enumerate(random.Random(0).sample(shapes, len(shapes)), start=1):
        rates[shape] = bench.rate(shape)
        if i % 200 == 0:
            left = (time.perf_counter() - begin) / i * (len(shapes) - i)
            print(f"sweep: {i} of {len(shapes)}, {left:.0f} s left", file=sys.stderr, flush=True)
    return rates, time.perf_counter() - begin


def _in_turn(seek: Any, bench: Any, ours: Any, theirs: Any) -> tuple[list[float], list[float]]:
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for turn in range(ROUNDS):
        for who, shape in [("ours", ours), ("theirs", theirs)][:: 1 if turn % 2 == 0 else -1]:
            times[who].append(bench.reading(shape))
    return times["ours"], times["theirs"]


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
