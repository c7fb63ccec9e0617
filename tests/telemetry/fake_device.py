"""A machine that is not there: devices, their sensors and a training run on them, with troubles on request.

A small physical model: work (training, evaluation, checkpoints) makes power, power makes heat, heat takes a little of
the clock, the clock makes the step; sensors then show it with their noise, their steps and their slips. `style` draws
how a site is (noise, ambient, phases, quantisation), so that "clean" means many things and not one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.signal import lfilter

from assay.machine import Device
from assay.series import Series, series

Array = np.ndarray[Any, np.dtype[np.float64]]
LIMIT_W, MEMORY, IDLE_W = 700.0, 80e9, 75.0
COUNTERS = {"accel.energy_j", "link.fabric.tx_bytes", "accel.throttle.thermal.time_s"}


@dataclass
class World:
    """All that goes on, second by second; troubles change it before sensors see it, or what the sensors say."""

    rng: np.random.Generator
    t: Array
    devices: int
    style: dict[str, float]
    phase: Array  # 0 idle, 1 train, 2 evaluation, 3 checkpoint
    clock: Array = field(default_factory=lambda: np.zeros((0, 0)))  # share of full, per device: troubles lower it
    heat: Array = field(default_factory=lambda: np.zeros((0, 0)))  # degrees more than work explains
    extra_memory: Array = field(default_factory=lambda: np.zeros((0, 0)))
    held: Array = field(default_factory=lambda: np.zeros(0))  # memory the allocator holds and nobody uses
    slow: Array = field(default_factory=lambda: np.zeros((0, 0)))  # work of a rank, 1 = as planned
    stalled: Array = field(default_factory=lambda: np.zeros(0))  # devices wait in a collective that never ends
    input_s: Array = field(default_factory=lambda: np.zeros(0))  # more input wait per step
    thermal: Array = field(default_factory=lambda: np.zeros((0, 0)))
    power_capped: Array = field(default_factory=lambda: np.zeros((0, 0)))
    limit: Array = field(default_factory=lambda: np.zeros((0, 0)))
    slips: list[Callable[[dict[tuple[str, str], list[Array]]], None]] = field(default_factory=list)

    def span(self, at_s: float, length_s: float) -> Any:
        return (self.t >= at_s) & (self.t < at_s + length_s)


Trouble = Callable[[World], None]


@dataclass(frozen=True)
class Fleet:
    sensors: list[Series]
    stream: list[Series]
    devices: list[Device]
    style: dict[str, float]


def identity(i: int) -> str:
    return f"GPU-{i:08x}-fake-device"


def fleet(
    seed: int = 0, *, hours: float = 8.0, devices: int = 8, troubles: Sequence[Trouble] = (), stream: bool = True,
    without: Sequence[str] = (), **style: float,
) -> Fleet:  # fmt: skip
    """One run of a training job: sensors at 1 Hz, and what the job says of each step."""
    world = _world(seed, hours, devices, style)
    for trouble in troubles:
        trouble(world)
    shown = _sensors(world)
    for slip in world.slips:
        slip(shown)
    sensors = [
        series(of, name, at, value, quality="counter" if name in COUNTERS else "average")
        for (of, name), (at, value) in shown.items()
        if name not in without
    ]
    about = [Device(name="Fake 80GB", vendor="fake", id=identity(i), memory_bytes=MEMORY) for i in range(devices)]
    return Fleet(sensors, _stream(world) if stream else [], about, world.style)


def _world(seed: int, hours: float, devices: int, given: dict[str, float]) -> World:
    rng = np.random.default_rng(seed)
    t = np.arange(0.0, hours * 3600.0)
    style = {
        # sensors: noise of what work makes, how slowly it changes, steps they show, readings that are lost
        "noise": rng.uniform(0.003, 0.02), "phi": rng.uniform(0.3, 0.97), "temp_noise": rng.uniform(0.1, 0.6),
        "temp_step": rng.choice([1.0, 1.0, 0.1]), "clock_step": rng.choice([15e6, 5e6, 1e6]),
        "drop": rng.choice([0.0, 1e-4, 1e-3]), "chips": rng.uniform(0.003, 0.012),
        # the room: degrees over a day, and the hour it begins at
        "ambient": rng.uniform(0.5, 4.0), "hour": rng.uniform(0, 6.28),
        # the job: its steps, its phases, how much of the chip it uses
        "step_s": float(np.exp(rng.uniform(np.log(0.8), np.log(8.0)))), "step_noise": rng.uniform(0.003, 0.03),
        "hiccups": rng.uniform(0.0, 0.01), "wave": rng.uniform(0.0, 0.005), "start_s": rng.uniform(10, 240),
        "eval_every": rng.uniform(1800, 7200), "eval_s": rng.uniform(60, 400),
        "save_every": rng.uniform(900, 3600), "save_s": rng.uniform(10, 60),
        "matrix": rng.uniform(0.2, 0.6), "memory": rng.uniform(0.15, 0.6), "watts": rng.uniform(0.6, 0.92),
        **given,
    }  # fmt: skip
    phase = np.ones(len(t))
    phase[(t % style["eval_every"]) > style["eval_every"] - style["eval_s"]] = 2
    phase[(t % style["save_every"]) > style["save_every"] - style["save_s"]] = 3
    phase[t < style["start_s"]] = 0
    one = np.ones((devices, len(t)))
    return World(
        rng=rng, t=t, devices=devices, style=style, phase=phase, clock=one.copy(), heat=0 * one, extra_memory=0 * one,
        held=0 * t, slow=one.copy(), stalled=0 * t, input_s=0 * t, thermal=0 * one, power_capped=0 * one,
        limit=LIMIT_W * one,
    )  # fmt: skip


def noise(world: World, sigma: float, phi: float | None = None, n: int | None = None) -> Array:
    """A first-order autoregressive process with the given standard deviation."""
    phi = world.style["phi"] if phi is None else phi
    white = world.rng.standard_normal(n or len(world.t)) * sigma * np.sqrt(1 - phi**2)
    white[0] /= np.sqrt(1 - phi**2)
    return np.asarray(lfilter([1.0], [1.0, -phi], white))


def lagged(values: Array, tau_s: float) -> Array:
    """What follows `values` with a time constant, from where they begin."""
    a = np.exp(-1.0 / tau_s)
    return np.asarray(lfilter([1 - a], [1, -a], values - values[0]) + values[0])


def _sensors(world: World) -> dict[tuple[str, str], list[Array]]:
    shown: dict[tuple[str, str], list[Array]] = {}
    for i in range(world.devices):
        for name, values in _device(world, i).items():
            kept = world.rng.random(len(world.t)) >= world.style["drop"]
            at = world.t + world.rng.uniform(0.0, 0.02, len(world.t))
            shown[identity(i), name] = [at[kept], values[kept]]
    steal = np.abs(noise(world, 0.004))
    for name, values in (("host.cpu.steal", steal), ("host.cpu.busy", 0.3 + noise(world, 0.03)),
                         ("host.cpu.iowait", np.where(world.phase == 3, 0.15, 0.005) + np.abs(noise(world, 0.01))),
                         ("host.pressure.cpu_s", np.cumsum(0.05 + 0 * world.t))):  # fmt: skip
        shown["host", name] = [world.t.copy(), values.clip(0)]
    return shown


def _device(world: World, i: int) -> dict[str, Array]:
    """What the sensors of one device show."""
    s, rng, phase = world.style, world.rng, world.phase
    sigma, chip = s["noise"], 1 + s["chips"] * rng.standard_normal()
    work = np.choose(phase.astype(int), [0.0, 1.0, 0.7, 0.03])
    wait = world.stalled > 0
    work[wait] = 0.02
    busy = np.where(wait, 1.0, np.choose(phase.astype(int), [0.0, 0.985, 0.96, 0.1]) + 0.01 * noise(world, 1.0))
    slowed = world.clock[i]
    power = IDLE_W + (s["watts"] * LIMIT_W - IDLE_W) * work * slowed**2 * (
        1 + noise(world, sigma) + sigma * rng.standard_normal()
    )
    power = np.where(wait, IDLE_W + 110 + noise(world, 4.0), power)
    power = np.minimum(power, world.limit[i])
    ambient = 26 + s["ambient"] * np.sin(2 * np.pi * world.t / 86400 + s["hour"])
    temp = (
        ambient + rng.uniform(-4, 4) + 0.06 * (0.7 * lagged(power, 25.0) + 0.3 * lagged(power, 350.0)) + world.heat[i]
    )
    seen = temp + noise(world, s["temp_noise"], 0.5)
    clock = (
        1755e6 * chip * slowed * (1 - 0.0006 * (temp - 50)) * np.where(work > 0.5, 1 + noise(world, sigma / 3), 1.05)
    )
    used = np.where(phase == 0, 0.6e9, 0.72 * MEMORY + 0.2e9 * (noise(world, 1.0, 0.9) > 1)) + world.extra_memory[i]
    share = 0.93 * work * (1 + noise(world, sigma))
    step = lambda values, size: np.round(values / size) * size  # noqa: E731
    return {
        "accel.busy": step(busy.clip(0, 1), 0.01),
        "accel.core.active": step((np.where(wait, 0.12, 0.9 * share)).clip(0, 1), 1e-3),
        "accel.occupancy": step((0.3 * share).clip(0, 1), 1e-3),
        "accel.matrix.active": step((s["matrix"] * share * (1 + noise(world, sigma))).clip(0, 1), 1e-3),
        "accel.memory.active": step((s["memory"] * share * (1 + noise(world, sigma))).clip(0, 1), 1e-3),
        "accel.power_w": step(power, 0.1),
        "accel.energy_j": step(np.cumsum(power) + 1e6, 0.001),
        "accel.power.limit_w": world.limit[i].copy(),
        "accel.temp.core_celsius": step(seen, s["temp_step"]),
        "accel.temp.mem_celsius": step(temp + 8 + noise(world, s["temp_noise"], 0.5), 1.0),
        "accel.clock.core_hz": step(clock, s["clock_step"]),
        "accel.clock.mem_hz": np.full(len(world.t), 2619e6),
        "accel.mem.used_bytes": step(used, 2e6),
        "accel.throttle.thermal": world.thermal[i].copy(),
        "accel.throttle.power": world.power_capped[i].copy(),
        "accel.throttle.thermal.time_s": np.cumsum(world.thermal[i]),
        "accel.errors.corrected": np.cumsum(rng.random(len(world.t)) < 3e-6).astype(float),
        "link.pcie.rx_bytes_per_s": 2e9 * work * (1 + noise(world, 0.1)).clip(0),
        "link.fabric.tx_bytes": np.cumsum(5e10 * work * (1 + noise(world, 0.1)).clip(0)),
        "accel.processes": np.where(phase == 0, 0.0, 1.0),
    }


def _stream(world: World) -> list[Series]:
    """What each rank says of each step; a step waits for its slowest rank."""
    s, rng = world.style, world.rng
    n = int(len(world.t) / s["step_s"])
    base = s["step_s"] * (1 + noise(world, s["step_noise"], n=n)) * (1 + s["wave"] * np.sin(np.arange(n) / n * 7))
    base *= 1 + (rng.random(n) < s["hiccups"]) * rng.pareto(2.5, n).clip(0, 8)
    steps = _walk(world, base)
    at, rows = np.array([r[0] for r in steps]), np.array([r[1] for r in steps], dtype=int)
    n, base = len(at), base[: len(at)]
    slowest = (world.slow / world.clock)[:, rows]
    own = base * slowest * (0.8 + 0.004 * rng.standard_normal((world.devices, n)))
    step = own.max(axis=0) + base * 0.15 + world.input_s[rows]
    saved = np.array([r[2] for r in steps])
    index = np.arange(n)
    out = []
    for rank in range(world.devices):
        wait = 0.01 * base * rng.random(n) + world.input_s[rows]
        kept = {
            "step_s": step,
            "communication_s": (step - own[rank] - wait).clip(0),
            "input_wait_s": wait,
            "compute_s": own[rank],
            "memory_allocated_bytes": 50e9 + 2e6 * rng.standard_normal(n) + world.extra_memory[rank][rows],
            "memory_reserved_bytes": 57e9
            + 1e9 * (1 - np.exp(-at / 900))
            + (world.extra_memory[rank] + world.held)[rows],
            "checkpoint_s": saved,
        }
        if rank == 0:
            kept["loss"] = 2 + 8 * np.exp(-index / max(200, n / 5)) + 0.05 * rng.standard_normal(n)
        out += [series("", name, at, v, index=index, rank=rank) for name, v in kept.items()]
    return out


def _walk(world: World, base: Array) -> list[tuple[float, int, float]]:
    """When each step ends, at which second of the world, and how long a checkpoint held it up."""
    factor = (world.slow / world.clock).max(axis=0)
    free = (world.phase == 1) & (world.stalled == 0)
    upcoming = np.where(free, np.arange(len(free)), len(free))
    upcoming = np.minimum.accumulate(upcoming[::-1])[::-1]
    now, saved, out, k, last = 0.0, 0.0, [], 0, len(world.t) - 1
    while k < len(base):
        second = int(now)
        if second > last:
            break
        if not free[second]:
            ahead = int(upcoming[second])
            saved += float((world.phase[second:ahead] == 3).sum())
            now = float(ahead)
            continue
        now += base[k] * (0.95 + (factor[second] - 1) * 0.8) + world.input_s[second]
        if now > last:
            break
        out.append((now, second, saved))
        saved, k = 0.0, k + 1
    return out


# --- troubles: of the world … --------------------------------------------------------------------------------------


def throttle(device: int, at_s: float, length_s: float, to: float = 0.85, *, flagged: bool = True) -> Trouble:
    def happen(w: World) -> None:
        span = w.span(at_s, length_s)
        w.clock[device, span] *= to
        w.heat[device, span] += 6.0
        if flagged:
            w.thermal[device, span] = 1.0

    return happen


def power_cap(device: int, at_s: float, length_s: float, watts: float, to: float = 0.85) -> Trouble:
    def happen(w: World) -> None:
        span = w.span(at_s, length_s)
        w.clock[device, span] *= to
        w.limit[device, span] = watts

    return happen


def drift(at_s: float, ramp_s: float, by: float = 0.05) -> Trouble:
    """All ranks' work grows by a share over `ramp_s`, and stays there; 0 is a jump."""

    def happen(w: World) -> None:
        w.slow *= 1 + by * ((w.t - at_s) / max(ramp_s, 1e-9)).clip(0, 1)

    return happen


def leak(device: int, at_s: float, bytes_per_hour: float = 1e9) -> Trouble:
    def happen(w: World) -> None:
        w.extra_memory[device] += bytes_per_hour * (w.t - at_s).clip(0) / 3600.0

    return happen


def straggler(rank: int, at_s: float, by: float = 0.08) -> Trouble:
    def happen(w: World) -> None:
        w.slow[rank] *= 1 + by * (w.t >= at_s)

    return happen


def deadlock(at_s: float, length_s: float) -> Trouble:
    def happen(w: World) -> None:
        w.stalled[w.span(at_s, length_s)] = 1.0

    return happen


def heating(device: int, at_s: float, degrees: float, ramp_s: float) -> Trouble:
    def happen(w: World) -> None:
        w.heat[device] += degrees * ((w.t - at_s) / ramp_s).clip(0, 1)

    return happen


# --- … and of the sensors --------------------------------------------------------------------------------------------


def edited(device: int, metric: str, change: Callable[[Array, Array], tuple[Array, Array]]) -> Trouble:
    """What one sensor says, changed after the fact: times and values in, times and values out."""

    def happen(w: World) -> None:
        def slip(shown: dict[tuple[str, str], list[Array]]) -> None:
            at, value = shown[identity(device), metric]
            shown[identity(device), metric] = list(change(at, value))

        w.slips.append(slip)

    return happen


def frozen(device: int, metric: str, at_s: float, length_s: float) -> Trouble:
    def change(at: Array, value: Array) -> tuple[Array, Array]:
        value = value.copy()
        span = (at >= at_s) & (at < at_s + length_s)
        value[span] = value[np.flatnonzero(span)[0]]
        return at, value

    return edited(device, metric, change)


def scaled(device: int, metric: str, at_s: float, length_s: float, factor: float) -> Trouble:
    return edited(device, metric, lambda at, v: (at, np.where((at >= at_s) & (at < at_s + length_s), v * factor, v)))


def silent(device: int, metric: str, at_s: float, length_s: float) -> Trouble:
    def change(at: Array, value: Array) -> tuple[Array, Array]:
        kept = (at < at_s) | (at >= at_s + length_s)
        return at[kept], value[kept]

    return edited(device, metric, change)
