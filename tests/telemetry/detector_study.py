"""How often the detectors cry wolf on clean runs, and how surely and how early they see programmed troubles.

python -m tests.telemetry.detector_study clean 200 [hours] [devices]
python -m tests.telemetry.detector_study found 20 [hours] [devices] [NAME …]
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np
from tests.telemetry import fake_device as fake

from assay.observed import Trouble
from assay.telemetry import detectors
from assay.telemetry.board import board

HOUR = 3600.0
ONE = fake.identity(1)  # the device that has the trouble
SILENT = {"thermal throttle", "slow clock", "slow device"}
# name -> what is programmed at a moment, kinds that count as found, of what
Programme = Callable[[float], fake.Trouble]
PROGRAMMES: dict[str, tuple[Programme, set[str], str]] = {
    "throttle, flagged": (lambda t: fake.throttle(1, t, 300), {"thermal throttle"}, ONE),
    "throttle, not flagged": (lambda t: fake.throttle(1, t, 300, flagged=False), SILENT, ONE),
    "drift, jump of 5 %": (lambda t: fake.drift(t, 0.0, 0.05), {"drift"}, ""),
    "drift, 5 % over 2 h": (lambda t: fake.drift(t, 7200.0, 0.05), {"drift"}, ""),
    "leak, 1 GB/h": (lambda t: fake.leak(1, t), {"leak"}, ONE),
    "frozen power": (lambda t: fake.frozen(1, "accel.power_w", t, 900), {"dead sensor"}, ONE),
    "frozen matrix": (lambda t: fake.frozen(1, "accel.matrix.active", t, 900), {"dead sensor"}, ONE),
    "frozen energy": (lambda t: fake.frozen(1, "accel.energy_j", t, 900), {"dead sensor"}, ONE),
    "frozen temperature": (lambda t: fake.frozen(1, "accel.temp.core_celsius", t, 900), {"dead sensor"}, ONE),
    "power at 0": (lambda t: fake.scaled(1, "accel.power_w", t, 900, 0.0), {"dead sensor"}, ONE),
    "cores at 0": (lambda t: fake.scaled(1, "accel.core.active", t, 900, 0.0), {"dead sensor"}, ONE),
    "straggler, 8 %": (lambda t: fake.straggler(1, t, 0.08), {"straggler"}, "rank 1"),
    "deadlock": (lambda t: fake.deadlock(t, 600), {"stalled"}, ""),
    "power in mW": (lambda t: fake.scaled(1, "accel.power_w", t, 1e9, 1000.0), {"unit change"}, ONE),
    "clock in MHz": (lambda t: fake.scaled(1, "accel.clock.core_hz", t, 1e9, 1e-6), {"unit change"}, ONE),
    "share in percent": (lambda t: fake.scaled(1, "accel.busy", t, 1e9, 100.0), {"unit change"}, ONE),
    "silent sensor": (lambda t: fake.silent(1, "accel.power_w", t, 300), {"gap"}, ONE),
    "heating by 12 degrees": (lambda t: fake.heating(1, t, 12.0, 5400.0), {"heating"}, ONE),
    "power cap lowered": (lambda t: fake.power_cap(1, t, 1800, 450.0), {"power cap"}, ONE),
    "slow device": (lambda t: fake.throttle(1, t, 1e9, 0.92, flagged=False), SILENT, ONE),
}


def troubles(run: fake.Fleet) -> tuple[Trouble, ...]:
    return detectors.detect(board(run.sensors, run.stream, run.devices))


def clean(runs: int, hours: float, devices: int) -> None:
    """False alarms on runs with nothing wrong, each at a site of its own."""
    seen: Counter[str] = Counter()
    wolves = 0
    for seed in range(runs):
        invented = troubles(fake.fleet(seed, hours=hours, devices=devices))
        wolves += bool(invented)
        seen.update({t.kind for t in invented})
        for t in invented:
            say(f"seed {seed}: {t.kind} {t.of} {t.window.begin_s:.0f}-{t.window.end_s:.0f} {t.text}")
    say(f"{wolves} of {runs} clean runs ({hours:g} h, {devices} devices) with anything invented: {dict(seen)}")


def off(run: fake.Fleet, at: float, told: Trouble) -> float:
    """How far a date is from the moment; of what steps show, from the time between the two steps around it."""
    steps = next(s.at_s for s in run.stream if s.metric == "step_s")
    k = int(np.searchsorted(steps, at))
    if any(name.endswith("_s") and "." not in name for name in told.metrics) and 0 < k < len(steps):
        return float(max(0.0, steps[k - 1] - told.window.begin_s, told.window.begin_s - steps[k]))
    return abs(told.window.begin_s - at)


def found(runs: int, hours: float, devices: int, names: Iterable[str]) -> None:
    """Of each programmed trouble: how often it was found, how far its date was off, and what else was said."""
    for name in names:
        programme, kinds, of = PROGRAMMES[name]
        apart: list[float] = []
        beside: Counter[str] = Counter()
        for seed in range(runs):
            at = float(np.random.default_rng(seed + 10**6).uniform(1.0, hours - 2.6) * HOUR)
            run = fake.fleet(seed, hours=hours, devices=devices, troubles=[programme(at)])
            told = troubles(run)
            right = [t for t in told if t.kind in kinds and t.of == of]
            beside.update({f"{t.kind} {t.of}".strip() for t in told if t not in right})
            apart += [min(off(run, at, t) for t in right)] if right else []
        typical, most, worst = np.quantile(apart or [np.nan], [0.5, 0.9, 1.0])
        within = np.mean(np.array(apart) <= 60) if apart else 0.0
        say(
            f"{name:24s} found {len(apart)}/{runs}, date off by {typical:.0f} s (median), {most:.0f} s (9 in 10), "
            f"{worst:.0f} s (worst); within 60 s {within:.0%}; told beside it {dict(beside)}"
        )


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    what, count = sys.argv[1], int(sys.argv[2])
    long = float(sys.argv[3]) if len(sys.argv) > 3 else 8.0
    many = int(sys.argv[4]) if len(sys.argv) > 4 else 8
    clean(count, long, many) if what == "clean" else found(count, long, many, sys.argv[5:] or PROGRAMMES)
