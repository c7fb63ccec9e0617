"""What it costs to be measured: steps with the sampler beside them and without, in turns; and the sampler's own share.

    python -m benchmarks.overhead [--period 1] [--pairs 8] [--seconds 4] [--gpus 8] [--json]

A step is a training step's worth of small products: on an accelerator, where PyTorch sees one, else in NumPy on one
core. A pair is a stretch with the sampler and one without, in an order that alternates; what counts is the ratio of
their medians. A mark is what `assay.emit` costs a program that is measured. `--gpus` puts the suite's stand-in for NVML
under the sampler: it says what our own code costs, and nothing of a driver.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import psutil
from tests.telemetry import nvml_stub

from assay import marks, stats
from assay.telemetry.watching import Sampler

START_S = 3.0  # for readers to open their SDK


def stepper() -> tuple[str, Callable[[], None]]:
    """Where steps run, and one of some milliseconds that the host has to drive."""
    try:
        import torch  # noqa: PLC0415 - where there is one

        if torch.cuda.is_available():
            a = torch.randn(1024, 1024, device="cuda", dtype=torch.bfloat16)

            def on_device() -> None:
                c = a
                for _ in range(60):
                    c = torch.mm(c, a) * 0.01
                torch.cuda.synchronize()

            return torch.cuda.get_device_name(), on_device
    except ImportError:
        pass
    b = np.random.default_rng(0).standard_normal((256, 256), dtype=np.float32)
    d = np.empty_like(b)

    def on_host() -> None:
        for _ in range(10):
            np.matmul(b, b, out=d)

    return "one core", on_host


def stretch(step: Callable[[], None], seconds: float) -> float:
    """The median step of so many seconds."""
    taken, end = [], time.perf_counter() + seconds
    while (begin := time.perf_counter()) < end:
        step()
        taken.append(time.perf_counter() - begin)
    return float(np.median(taken))


def sampled(
    step: Callable[[], None], seconds: float, period_s: float, vendors: list[str] | None
) -> tuple[float, float, float]:
    """The same beside a sampler; with the share of a core that it took, and its memory."""
    with tempfile.TemporaryDirectory() as at:
        folder = Path(at)
        with Sampler(folder, time.monotonic(), period_s=period_s, vendors=vendors):
            time.sleep(START_S)
            tree = family()
            before, begin = cpu_s(tree), time.monotonic()
            median = stretch(step, seconds)
            core = (cpu_s(tree) - before) / (time.monotonic() - begin)
            memory = sum(p.memory_full_info().uss for p in tree)
    return median, core, memory


def family() -> list[psutil.Process]:
    """The sampler and its readers."""
    return psutil.Process().children(recursive=True)


def cpu_s(tree: list[psutil.Process]) -> float:
    """Processor time of all of them, in finer steps than the clock ticks that /proc/PID/stat counts."""
    told = (path.read_text() for p in tree for path in Path(f"/proc/{p.pid}/task").glob("*/schedstat"))
    return sum(int(text.split()[0]) for text in told) / 1e9


def compared(pairs: int, seconds: float, period_s: float, gpus: int = 0) -> dict[str, Any]:
    """Stretches in turns, and what the difference comes to."""
    place, step = stepper()
    if gpus:
        os.environ |= nvml_stub.environment(f"devices={gpus}")
        place += f", {gpus} stand-ins for GPUs"
    vendors = ["nvidia", "host"] if gpus else None
    stretch(step, 2.0)
    without, beside, cores, memory = [], [], [], []
    for number in range(pairs):
        if number % 2:
            without.append(stretch(step, seconds))
        median, core, held = sampled(step, seconds, period_s, vendors)
        beside.append(median)
        cores.append(core)
        memory.append(held)
        if not number % 2:
            without.append(stretch(step, seconds))
        print(f"\r{number + 1}/{pairs} pairs", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    told = stats.paired(without, beside, least=0.005)
    return {
        "where": place, "period_s": period_s, "pairs": pairs, "step_s": float(np.median(without)),
        "ratio": told.ratio, "low": told.low, "high": told.high, "said": told.said,
        "core": float(np.median(cores)), "memory_bytes": float(np.median(memory)),
        "mark_s": mark_s(),
    }  # fmt: skip


def mark_s(calls: int = 200_000) -> tuple[float, float]:
    """Processor time of one `assay.emit` in a program that is measured: of its own thread, and writing included."""
    with tempfile.TemporaryDirectory() as at:
        marks.listen(at)
        try:
            begin, all_begin = time.thread_time(), time.process_time()
            for step in range(calls):
                marks.emit(step=step, loss=2.5, tokens=4096)
            own = time.thread_time() - begin
            marks.flush()
            return own / calls, (time.process_time() - all_begin) / calls
        finally:
            marks.listen("")


def main(args: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--period", type=float, default=1.0)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--gpus", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(args)
    found = compared(asked.pairs, asked.seconds, asked.period, asked.gpus)
    if asked.json:
        print(json.dumps(found))
        return 0
    low, high = (f"{100 * (x - 1):+.2f}" if x is not None else "?" for x in (found["low"], found["high"]))
    print(
        f"{found['where']}, a reading every {found['period_s']:g} s, {found['pairs']} pairs: steps of"
        f" {1e3 * found['step_s']:.2f} ms, {100 * (found['ratio'] - 1):+.2f} % beside the sampler ({low} to {high} %);"
        f" the sampler takes {100 * found['core']:.2f} % of one core and {found['memory_bytes'] / 1e6:.0f} MB;"
        f" a mark takes {1e6 * found['mark_s'][0]:.1f} µs of its thread, {1e6 * found['mark_s'][1]:.1f} µs in all"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
