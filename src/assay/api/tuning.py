"""Tuning: the fastest training step that does not run out of memory, found by trying, in the order predictions suggest.

Each setting is tried in a process of its own, so that running out of memory ends a trial and nothing else. A prediction
only orders the trials and drops those that could not win any more; what wins is measured, in turns with its rivals.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.api.beside import machine_of, probes_of
from assay.api.measuring import doctor, measure
from assay.api.trials import Trial, Tuned, Tuner, decided
from assay.codec import decode
from assay.errors import AssayError
from assay.machine import Machine
from assay.measure.training import Training, training
from assay.model import Model, TransformerShape
from assay.plan import Plan, Recompute
from assay.predict.answer import answer
from assay.run import Run
from assay.workload import Workload

# What is tried where nobody has said it. Batches in powers of two; the rest as train-step's options name it.
MICRO_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
_MIDDLE = 8

Expect = Callable[[Mapping[str, str]], tuple[float | None, float | None]]  # options -> rate a second, memory


def tune(
    options: Mapping[str, str] | None = None, *, python: str | None = None, device: str = "auto", ranks: int = 1,
    budget_s: float = 600.0, trial_s: float = 6.0, out: Path | str = "runs", probes: Sequence[Path | str] = (),
    progress: Callable[[str], None] | None = None, together: bool = False,
) -> Tuned:  # fmt: skip
    """The fastest `train-step` setting that fits; what `options` say is kept, the rest is tried for about `budget_s`.

    With `accumulation` and `micro_batch` given, their product, the batch, is kept and cut in other ways. `probes` are
    runs of `gemm` and `membw` that predictions rest on; without, the newest under `out` that fit are taken.
    """
    fixed, tell = dict(options or {}), progress or (lambda _: None)
    machine = doctor(python)
    target = _target(machine, device)
    grid = candidates(fixed, target, machine.cpu.isa, machine.cpu.usable_threads)
    expect = _expectation(fixed, target, ranks, machine, probes or probes_of(_here(machine), out))
    waiting = sorted((_trial(fixed, own, expect) for own in grid), key=_promise)

    def run(tried: Mapping[str, str]) -> Run:
        return measure(
            "train-step", python=python, budget_s=trial_s, options={**tried, "check_steps": "0"}, device=device,
            ranks=ranks, out=out, vendors=(), limit_memory=target == "cpu", together=together,
        )  # fmt: skip

    tuner = Tuner(fixed, run, tell, time.monotonic() + budget_s)
    tuner.go([t for t in waiting if t.options.get("compile") != "on"])
    tuner.go(_compiled([t for t in waiting if t.options.get("compile") == "on"], tuner.trials))
    tokens = training(fixed, device=target).seq_len is not None
    return decided(tuner, "tokens_per_s" if tokens else "samples_per_s")


def _here(machine: Machine) -> dict[str, object]:
    """What tells runs of this machine and interpreter from those of others."""
    return {
        "cpu": machine.cpu.model, "usable_threads": machine.cpu.usable_threads, "memory_bytes": machine.memory_bytes,
        "interpreter": machine.interpreters[0].path,
    }  # fmt: skip


def candidates(
    fixed: Mapping[str, str], target: str, isa: Sequence[str] = (), threads: int = 1
) -> list[dict[str, str]]:  # fmt: skip
    """Every setting to consider beside what is fixed."""
    job = training(fixed, device=target)
    kept = "accumulation" in fixed and "micro_batch" in fixed
    batch = job.micro_batch * job.accumulation
    if kept:
        cuts = [m for m in MICRO_BATCHES if batch % m == 0]
    else:
        cuts = [int(fixed["micro_batch"])] if "micro_batch" in fixed else list(MICRO_BATCHES)
    fast16 = any("bf16" in word or "AMX" in word for word in isa)
    axes: dict[str, Sequence[str]] = {
        "micro_batch": [str(m) for m in cuts],
        "recompute": ("none", "full"),
        "precision": ("bf16",) if target != "cpu" else ("fp32", "bf16") if fast16 else ("fp32",),
        "compile": ("off", "on"),
        "workers": _workers(threads) if fixed.get("data") == "real" else (),
    }  # fmt: skip
    free = {key: values for key, values in axes.items() if values and (key not in fixed or key == "micro_batch")}
    found = [dict(zip(free, combination, strict=True)) for combination in itertools.product(*free.values())]
    return [{**one, "accumulation": str(batch // int(one["micro_batch"]))} if kept else one for one in found]


def _workers(threads: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(("0", str(max(1, threads // 2)), str(threads))))


def _promise(trial: Trial) -> tuple[float, float]:
    """What is predicted fastest first; without a prediction from the middle batch outwards."""
    away = abs(math.log2(trial.batch / _MIDDLE)) - 0.1 * (trial.batch > _MIDDLE)  # of two as far the larger
    return (-trial.predicted_per_s if trial.predicted_per_s is not None else math.inf, away)


def _trial(fixed: Mapping[str, str], own: Mapping[str, str], expect: Expect) -> Trial:
    rate, size = expect({**fixed, **own})
    return Trial(options=own, predicted_per_s=rate, predicted_bytes=size)


def _compiled(waiting: Sequence[Trial], tried: Sequence[Trial]) -> list[Trial]:
    """Compiling pays on what is fast already: only the two best settings are compiled."""
    best = sorted((t for t in tried if t.measured_per_s), key=lambda t: -(t.measured_per_s or 0.0))[:2]
    wanted = [{**t.options, "compile": "on"} for t in best]
    return [t for t in waiting if dict(t.options) in wanted]


def _target(machine: Machine, device: str) -> str:
    """The torch device that `auto` will be, as far as one can say without asking PyTorch."""
    if device != "auto":
        return device.partition(":")[0]
    seen = [d for i in machine.interpreters for f in i.frameworks if f.name == "torch" for d in f.devices]
    return next((d.partition(":")[0] for d in seen if not d.startswith("cpu")), "cpu")


def _expectation(
    fixed: Mapping[str, str], target: str, ranks: int, machine: Machine, probes: Sequence[Path | str]
) -> Expect:
    """What the formulas say of a setting: samples or tokens a second, and memory of the fullest device."""
    job = training(fixed, device=target)
    if job.family != "transformer" or job.seq_len is None:
        return _nothing
    stand_in = Run(
        id="", name="train-step", command=(), started="", duration_s=0.0, environment={},
        devices=machine.devices if target != "cpu" else (),
    )  # fmt: skip
    try:
        system, known = machine_of(stand_in, probes)
    except AssayError:
        return _nothing

    def expect(options: Mapping[str, str]) -> tuple[float | None, float | None]:
        told = training({k: v for k, v in options.items() if k != "compile"}, device=target, ranks=ranks)
        try:
            result = answer(_job(told), system, _plan(told, ranks), known)
        except (AssayError, ValueError):
            return None, None
        return result.values["tokens_per_s"].mean, result.values["peak_memory_bytes"].mean

    return expect


def _nothing(options: Mapping[str, str]) -> tuple[None, None]:
    return None, None


def _job(told: Training) -> Workload:
    model = Model(
        name=told.model, family="transformer", shape=decode(dict(told.shape), TransformerShape, told.model)
    )  # fmt: skip
    return Workload(
        name=told.model, model=model, seq_len=told.seq_len or 1, global_batch=told.global_batch,
        precision=told.precision,
    )  # fmt: skip


def _plan(told: Training, ranks: int) -> Plan:
    zero: Mapping[str, Any] = {"none": 0, "ddp": 0, "zero1": 1, "fsdp": 3}
    return Plan(
        data=ranks, micro_batch=told.micro_batch, zero_stage=zero[told.parallel], sequence_parallel=False,
        recompute=Recompute.FULL if told.recompute else Recompute.NONE, flash_attention=not told.eager,
    )  # fmt: skip
