"""Runs as real commands make them: two hours of training with troubles, a load on a server, sweeps, runs cut short."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from tests.telemetry import fake_device as fake

from assay.machine import Device
from assay.observed import Facts, Observation
from assay.report import Beside, RunStudy, sensors
from assay.run import Case, Event, Run
from assay.series import Series, series
from assay.summary import figures, summarise
from assay.telemetry.observe import observe
from assay.telemetry.split import split

HOSTILE = '<script>alert("1")</script>&</svg>'
CREATED = "2026-11-26T23:45:00+00:00"
AWAY = (2700.0, 2940.0)  # the sampler, in the training run
CALM = {
    "step_s": 2.0, "step_noise": 0.008, "phi": 0.6, "noise": 0.008, "temp_noise": 0.35, "wave": 0.002, "drop": 0.0,
    "eval_every": 3600.0, "eval_s": 60.0, "save_every": 1800.0, "save_s": 20.0, "start_s": 40.0, "matrix": 0.5,
}  # fmt: skip
MACHINE: Mapping[str, object] = {
    "host": "gpu-node-17", "cpu": "2 × Xeon 8480C", "threads": 224, "memory_bytes": 2.16e12,
    "system": "Ubuntu 24.04.1 LTS", "kernel": "Linux 6.8.0-45", "torch": "2.13.0+cu132", "python": "3.12.7",
    "git_commit": "1f5a0c7be2d94ce1a0b27d5f6be8ab2cb1e1f0aa", "git_dirty": True, "isa": ["AVX-512", "AMX bf16"],
    "packages": [f"package-{i}=={i}.0" for i in range(120)], "governor": None, "contended": False,
    "not_captured": ["board and firmware: no DMI here", "power cap: permission denied"],
}  # fmt: skip
SETTINGS = {"model": "llama-3.1-8b", "precision": "bf16", "seq_len": "8192", "global_batch": "64"}
BESIDE = (
    Beside(metric="step_s", measured=2.31, measured_low=2.3, measured_high=2.33, predicted=2.12, low=1.9, high=2.4),
    Beside(metric="tokens_per_s", measured=226e3, predicted=247e3, low=218e3, high=276e3, evidence="B"),
    Beside(metric="mfu", measured=0.31, predicted=0.42, low=0.37, high=0.47, evidence="B"),
    Beside(metric="peak_memory_bytes", measured=57.8e9, predicted=61e9, low=55e9, high=66e9, evidence="C"),
)
FACTS = Facts(
    peak_flop_per_s=989e12, step_flop=4.6e15, price_usd_per_s=2.49 / 3600, tariff_usd_per_j=0.12 / 3.6e6, pue=1.25
)
NOBODY = Facts()


def made(name: str, command: str, found: list[Series], **more: Any) -> Run:
    told = {
        "id": f"5f3a-{name}", "started": "2026-11-26T21:30:00+00:00", "environment": MACHINE, "settings": SETTINGS,
        "exit_code": 0, "duration_s": 10.0, **more,
    }  # fmt: skip
    return Run(name=name, command=tuple(command.split()), series=tuple(found), **told)


def whole(run: Run, telemetry: tuple[Series, ...] = (), facts: Facts = NOBODY, **more: Any) -> RunStudy:
    """A study of a run as `api` puts it together."""
    seen = observe(telemetry, run.series, run.devices, facts)
    return RunStudy(
        title=more.pop("title", f"Measured: {run.name}"), created=CREATED, run=run, observation=seen,
        figures=figures(run), cases=summarise(run), ranks=split(run.series)[1], telemetry=telemetry,
        tool="assay 0.1.0", **more,
    )  # fmt: skip


def _starved(world: fake.World) -> None:
    world.input_s[world.span(5400.0, 900.0)] = 1.1


def train(hours: float = 2.0) -> RunStudy:
    """Four ranks on eight devices: one throttles, a rank is slow, data runs short, the sampler was away."""
    troubles = (fake.throttle(3, 1500.0, 900.0), fake.straggler(2, 4200.0, 0.12), _starved)
    fleet = fake.fleet(3, hours=hours, devices=8, troubles=troubles, **CALM)
    read = [_without(s, *AWAY) for s in fleet.sensors]
    size = np.full(2, fake.MEMORY)
    read += [series(d.id, "accel.mem.total_bytes", [0.0, hours * 3600 - 1], size) for d in fleet.devices]
    stream = [
        series("", s.metric, s.at_s, s.value, index=s.index, rank=s.rank, warmup=s.index < 10)
        for s in fleet.stream if s.rank < 4
    ]  # fmt: skip
    step = next(s for s in stream if s.metric == "step_s")
    work = np.full(len(step), 524288.0)
    stream.append(series("", "tokens", step.at_s, work, index=step.index, warmup=step.warmup))
    events = (
        Event(at_s=31.2, kind="check", text="passed: loss trajectory: 20 steps against fp32: off by 3e-05"),
        Event(at_s=AWAY[0], kind="gap", text="no reading for 240 s: the driver did not answer"),
        Event(at_s=AWAY[1], kind="restart", text="the sampler was started again"),
        Event(at_s=6100.4, kind="xid", text="XID 94: contained ECC error", of=fleet.devices[6].id),
    )
    run = made(
        "train", "torchrun --nproc-per-node 4 train.py --model llama-3.1-8b --seq-len 8192", stream, events=events,
        duration_s=hours * 3600, cases=(Case(name="", kind="step", dtype="bf16"),),
        devices=tuple(replace(d, name="H100 SXM5 80GB", vendor="NVIDIA", driver="570.86") for d in fleet.devices),
        warnings=("contended: others used 3.1 of 224 threads", "clocks were not locked"),
    )  # fmt: skip
    steps = ("Look at device 3's cooling: it throttled for 15 minutes.", "assay compare runs/A runs/B")
    return whole(run, tuple(read), FACTS, beside=BESIDE, next_steps=steps, title="llama-3.1-8b on gpu-node-17")


def _without(s: Series, begin: float, end: float) -> Series:
    kept = (s.at_s < begin) | (s.at_s >= end)
    return series(s.of, s.metric, s.at_s[kept], s.value[kept], quality=s.quality)


def serve() -> RunStudy:
    """A sweep of request rates: beyond eight a second the server cannot keep up, and once it stood still."""
    rng, found, cases, at = np.random.default_rng(5), list[Series](), list[Case](), 1.0
    loads = [("client floor", 200.0, 0.0), *((f"rate {r:g} poisson", r, r) for r in (1.0, 2.0, 4.0, 8.0, 12.0))]
    for name, rate, load in loads:
        told = _requests(rng, at, rate, load)
        ends = told["request_s"][0]
        found += [series(name, m, t, v, index=np.arange(len(t)), warmup=np.arange(len(t)) < 3) for m, (t, v) in
                  told.items()]  # fmt: skip
        found.append(series(name, "failed_requests", [ends.max()], [4.0 if load > 8.5 else 0.0], index=[len(ends)]))
        cases.append(Case(name=name, kind="request", library="http", device="server" if load else "cpu"))
        at = float(ends.max()) + 4.0
    late = "rate 12 poisson"
    run = made(
        "serve", "assay measure serve --set rate=1,2,4,8,12", found, cases=tuple(cases), duration_s=at,
        settings={"model": "llama-3.1-8b-instruct", "slo_ttft_s": "0.5", "slo_tpot_s": "0.03", "slo_request_s": ""},
        events=(Event(at_s=at - 9, kind="request failed", text="HTTP 503: 4 of 604 requests", of=late),),
        warnings=(f"{late}: 4 of 604 requests failed (HTTP 503 4): no latency holds them",),
    )  # fmt: skip
    t = np.arange(0.0, at)
    busy = np.clip(0.2 + 0.1 * rng.standard_normal(len(t)), 0, 1)
    return whole(run, (series("host", "host.cpu.busy", t, busy),))


def _requests(rng: np.random.Generator, at: float, rate: float, load: float) -> dict[str, tuple[Any, Any]]:
    n = int(min(600, 60 * rate))
    sent = at + np.sort(rng.uniform(0, n / rate, n))
    ttft = (0.0006 if not load else 0.06 + 0.02 * load) * np.exp(0.35 * rng.standard_normal(n))
    ttft += max(0.0, load - 8.5) * (sent - at) * 0.05
    if load == 4.0:
        ttft[(sent - at > 30) & (sent - at < 31.5)] += 1.4
    tokens = rng.integers(40, 220, n).astype(float)
    tpot = (0.0001 if not load else 0.012 + 0.0011 * load) * np.exp(0.12 * rng.standard_normal(n))
    took = ttft + tpot * (tokens - 1)
    order = np.argsort(sent + took)
    rows = {"ttft_s": ttft, "tpot_s": tpot, "request_s": took, "output_tokens": tokens, "send_lag_s": 0 * tokens + 2e-5}
    return {name: ((sent + took)[order], value[order]) for name, value in rows.items()}


def sampled(rows: list[tuple[Case, float]], bus: Mapping[str, float]) -> tuple[list[Series], float]:
    """Thirty repetitions of each case, the same ones each time."""
    rng, at, found = np.random.default_rng(1), 0.0, list[Series]()
    for case, typical in rows:
        times, ends = typical * np.exp(0.03 * rng.standard_normal(30)), at + 0.02 * np.arange(1, 31)
        at, warm = float(ends[-1]) + 0.05, np.arange(30) < 3
        found.append(series(case.name, "time_s", ends, times, warmup=warm))
        if case.kind in bus and case.size_bytes:
            rate = bus[case.kind] * case.size_bytes / times
            found.append(series(case.name, "bus_bytes_per_s", ends, rate, warmup=warm))
    return found, at


def gemm() -> RunStudy:
    """Known shapes in four formats, and the peak that was found in each."""
    rows = list[tuple[Case, float]]()
    formats = (("numpy", "fp64", 52e9), ("torch", "fp32", 104e9), ("torch", "bf16", 310e9), ("torch", "int8", 620e9))
    shapes = (*((2**i,) * 3 for i in range(7, 12)), (64, 4096, 1024), (512, 64, 512), (8, 2048, 2048))
    for library, dtype, peak in formats:
        for shape in (*shapes, (4096, 3840, 4096)):
            flop, size = 2.0 * math.prod(shape), math.prod(shape) ** (1 / 3)
            rate = peak * size / (size + 260) * (0.5 if min(shape) < 100 else 1)
            label = "peak" if max(shape) == 4096 and min(shape) > 3000 else "x".join(map(str, shape))
            name = f"{library} {dtype} {label}"
            case = Case(name=name, kind="matmul", dtype=dtype, flop=flop, shape=shape, library=library)
            rows.append((case, flop / rate))
    found, at = sampled(rows, {})
    return whole(made("gemm", "assay measure gemm", found, cases=tuple(c for c, _ in rows), duration_s=at))


def collective() -> RunStudy:
    """Seven ways of communicating, nine sizes each."""
    bus = {"all-reduce": 1.75, "all-gather": 0.875, "reduce-scatter": 0.875, "all-to-all": 0.875, "broadcast": 1.0,
           "ring": 1.0, "pair": 1.0}  # fmt: skip
    rows = list[tuple[Case, float]]()
    for i, kind in enumerate(bus):
        for size in (1024.0 * 4**power for power in range(9)):
            took = 12e-6 * (1 + 0.2 * i) + size * bus[kind] / (340e9 / (1 + 0.15 * i))
            name = f"{kind} {size / 1024:.0f} KiB 8 ranks"
            rows.append((Case(name=name, kind=kind, dtype="fp32", size_bytes=size, library="nccl"), took))
    found, at = sampled(rows, bus)
    command = "assay measure collective --ranks 8"
    return whole(made("collective", command, found, cases=tuple(c for c, _ in rows), duration_s=at))


def partial() -> RunStudy:
    """Five steps, then a signal."""
    at = np.array([2.0, 4.1, 6.0, 8.2, 10.1])
    found = [series("", "step_s", at, np.diff(at, prepend=0.1)), series("", "loss", at, [9.1, 8.4, 7.9, 7.7, 7.2])]
    run = made(
        "train", "python train.py", found, cases=(Case(name="", kind="step"),), duration_s=10.8, exit_code=None,
        partial=True, stopped="killed by signal 9 (out of memory?)", warnings=("5 samples: too few for an interval",),
        events=(Event(at_s=10.6, kind="oom", text="CUDA out of memory: tried to allocate 2.1 GiB", of="rank 0"),),
    )  # fmt: skip
    t = np.arange(0.0, 10.0)
    return whole(run, (series("host", "host.cpu.busy", t, 0.5 + 0 * t), series("command", "proc.cpu_s", t, 1.5 * t)))


def blind() -> RunStudy:
    """No sensor was read, and no part of a step was marked."""
    rng, n = np.random.default_rng(2), 2000
    step = 0.25 * np.exp(0.05 * rng.standard_normal(n))
    at = np.cumsum(step)
    found = [series("", "step_s", at, step), series("", "loss", at, 2 + 6 * np.exp(-np.arange(n) / 300))]
    return whole(made("train", "python train.py", found, cases=(Case(name="", kind="step"),), duration_s=float(at[-1])))


def day(devices: int = 8) -> RunStudy:
    """Twenty metrics of each device for a day at one reading a second, and eight ranks' steps."""
    rng, t = np.random.default_rng(4), np.arange(0.0, 86400.0)
    noise = rng.standard_normal(len(t))
    names = [n for n in sensors() if n.startswith(("accel.", "link."))][:20]
    about = tuple(Device(name="H100", vendor="NVIDIA", id=fake.identity(i), memory_bytes=80e9) for i in range(devices))
    read = [
        series(d.id, name, t, _reading(name, np.roll(noise, 99 * i))) for name in names for i, d in enumerate(about)
    ]
    steps = np.arange(1.0, 86400.0, 2.0)
    stream = [series("", name, steps, 2 + 0.1 * rng.standard_normal(len(steps)), rank=rank)
              for rank in range(8) for name in ("step_s", "input_wait_s", "communication_s", "loss")]  # fmt: skip
    run = made("train", "torchrun train.py", stream, cases=(Case(name="", kind="step"),), duration_s=86400.0)
    run = replace(run, devices=about)
    seen = Observation(verdict="nothing stands out")
    return RunStudy(title="A day", created=CREATED, run=run, observation=seen, telemetry=tuple(read))


def _reading(name: str, noise: Any) -> Any:
    if name.startswith("link."):
        return np.cumsum(1e9 + 1e8 * np.abs(noise))
    return np.clip(0.8 + 0.1 * noise, 0, 1) if name.endswith(("busy", "active")) else 500 + 20 * noise


def hostile() -> RunStudy:
    """The training run with a hostile name wherever a name can stand."""
    base = train(0.5)
    called = {d.id: f"{HOSTILE}{i}" for i, d in enumerate(base.run.devices)}
    case = Case(name=HOSTILE, kind="step", dtype=HOSTILE, note=HOSTILE)
    run = replace(
        base.run, id=HOSTILE, name=HOSTILE, command=(HOSTILE, HOSTILE), partial=True, stopped=HOSTILE, started=HOSTILE,
        cases=(case, replace(case, kind=HOSTILE)), series=tuple(replace(s, of=HOSTILE) for s in base.run.series),
        environment={**MACHINE, HOSTILE: HOSTILE, "host": HOSTILE, "packages": [HOSTILE]}, settings={HOSTILE: HOSTILE},
        devices=tuple(replace(d, id=called[d.id], name=HOSTILE) for d in base.run.devices), warnings=(HOSTILE,),
        events=(Event(at_s=1.0, kind=HOSTILE, text=HOSTILE, of=HOSTILE),),
    )  # fmt: skip
    seen = base.observation
    seen = replace(
        seen, verdict=HOSTILE, notes=(HOSTILE,), waste=tuple(replace(w, formula=HOSTILE) for w in seen.waste),
        usage=tuple(replace(u, device=called[u.device], bound=HOSTILE) for u in seen.usage),
        energy=tuple(replace(e, device=called.get(e.device, HOSTILE), doubt=HOSTILE) for e in seen.energy),
        troubles=tuple(replace(t, kind=HOSTILE, text=HOSTILE, of=called.get(t.of, HOSTILE)) for t in seen.troubles),
    )  # fmt: skip
    return replace(
        base, title=HOSTILE, created=HOSTILE, tool=HOSTILE, next_steps=(HOSTILE,), run=run, observation=seen,
        figures=figures(run), cases=summarise(run), beside=tuple(replace(b, case=HOSTILE) for b in base.beside),
        telemetry=tuple(replace(s, of=called.get(s.of, s.of)) for s in base.telemetry),
    )  # fmt: skip


SAMPLES = {"train": train, "serve": serve, "gemm": gemm, "collective": collective, "partial": partial, "blind": blind}


def studies() -> Iterator[tuple[str, RunStudy]]:
    """All samples but the day."""
    yield from ((name, make()) for name, make in SAMPLES.items())
    yield "hostile", hostile()
