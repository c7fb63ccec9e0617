"""The loop that is timed: what one optimizer step does, and how long each of its parts takes.

`step_s` is wall time from the call for the first micro-batch until the device has done the update (and the checkpoint
of a step that writes one). `input_wait_s`: until batches are in hand and their copies are asked for. `communication_s`:
see train_parallel.py. `compute_s` is the rest, where communication is told. Ranks agree to stop off the clock.
"""

from __future__ import annotations

import itertools
import math
import os
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_WARMUP, _FEWEST = 2, 3  # steps that are marked as warm-up; steps that are done whatever they take
_AGREE_EVERY = 4  # steps, among several ranks
_CLIP = 1.0  # the norm that gradients are cut to


@dataclass
class Trace:
    """The first steps, for the check: mean loss and gradient norm, and whether fp16's scaler left the step out."""

    losses: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    skipped: list[bool] = field(default_factory=list)
    finite: bool = True
    steps: int = 0


def train(kit: Any, job: Any) -> Trace:
    """Train until the budget is spent or the steps are done, and tell of every step."""
    ranks, budget_s = kit.beside("train_parallel"), float(kit.settings["budget_s"])
    trace, loop = Trace(), Loop(kit, job)
    begin = time.monotonic()
    for number in itertools.count():
        said = loop.step(number)
        kit.emit(case=job.name, step=number, warmup=number < _WARMUP, **said, **_memory(kit))
        _follow(kit, job, trace, number, said, loop.skipped)
        over = time.monotonic() - begin > budget_s and number + 1 >= _FEWEST
        if number + 1 == job.steps:
            break
        if (job.world == 1 or (number + 1) % _AGREE_EVERY == 0) and ranks.agree(
            kit, job, (over and job.steps is None) or not trace.finite
        ):
            break
    trace.losses = ranks.means(kit, job, trace.losses)
    _peak(kit, job)
    if job.profile:
        _profile(kit, loop, trace.steps)
    loop.close()
    return trace


def _follow(kit: Any, job: Any, trace: Trace, number: int, said: dict[str, Any], skipped: bool) -> None:
    trace.steps = number + 1
    if number < job.check_steps:
        trace.losses.append(said["loss"])
        trace.norms.append(said["grad_norm"])
        trace.skipped.append(skipped)
    # fp16's scaler looks for gradients that are too large, and leaves such a step out: they are no fault.
    broken = not math.isfinite(said["loss"]) or not (skipped or math.isfinite(said["grad_norm"]))
    if broken and trace.finite:
        trace.finite = False
        text = f"step {number}: loss {said['loss']}, gradient norm {said['grad_norm']}"
        kit.emit(event="happened", kind="nan", text=text, of=job.name)


class Loop:
    """A model in training."""

    def __init__(self, kit: Any, job: Any) -> None:
        self.kit, self.job, self.torch, self.device = kit, job, kit.torch, kit.device()
        models, data = kit.beside("train_model"), kit.beside("train_data")
        model = models.build(kit, job, eager=job.eager, recompute=job.recompute).to(self.device).train()
        parameters = list(model.parameters())
        kit.beside("train_job").announce(kit, job, sum(one.numel() for one in parameters))
        self.context = models.numbers(self.torch, job.precision, self.device)
        self.way = kit.beside("train_parallel").way(kit, job, model)
        rate = job.learning_rate * (2 if job.fault == "learning-rate" else 1)
        self.optimizer = self.way.optimizer(*models.optimizer(self.torch, job, rate))
        self.scaler = models.scaler(self.torch, job.precision, self.device)
        self.parameters = list(model.parameters())
        self.batches: Iterator[Any] = data.source(kit, job).stream(self.device)
        self.path: Path | None = None
        self.skipped = False

    def step(self, number: int) -> dict[str, Any]:
        """One optimizer step; what it took, learnt from and came to."""
        begin = time.perf_counter()
        loss, input_s = self._gradients(number)
        norm = self._update()
        self.kit.sync()
        parts = {"input_wait_s": input_s}
        if self.way.exposed_s is not None or self.job.world == 1:
            exposed_s = self.way.exposed_s() if self.way.exposed_s else 0.0
            parts["compute_s"] = max(0.0, time.perf_counter() - begin - input_s - exposed_s)
            parts |= {"communication_s": exposed_s} if self.job.world > 1 else {}
        if self.job.checkpoint_every and (number + 1) % self.job.checkpoint_every == 0:
            parts["checkpoint_s"] = self._checkpoint()
        job, step_s = self.job, time.perf_counter() - begin
        work: dict[str, float] = {"samples": job.samples, "flop": job.flop_per_sample * job.samples}
        if job.seq_len:
            work["tokens"] = job.samples * job.seq_len
        return {"step_s": step_s, **parts, **work, "loss": float(loss), "grad_norm": norm}

    def _gradients(self, number: int) -> tuple[Any, float]:
        job, total, input_s = self.job, 0.0, 0.0
        for place in range(job.accumulation):
            asked = time.perf_counter()
            batch = next(self.batches)
            input_s += time.perf_counter() - asked
            last = place == job.accumulation - 1
            with self.way.gradients(last):
                with self.context():
                    loss = self.way.model(*batch) / job.accumulation
                if job.fault == "nan" and number == _FEWEST:
                    loss = loss * math.nan
                total = total + loss.detach()
                if job.fault == "dropped" and last:
                    continue
                self.scaler.scale(loss * 8 if job.fault == "unscaled" else loss).backward()
        self.way.reduced()
        return total, input_s

    def _update(self) -> float:
        self.scaler.unscale_(self.optimizer)
        norm = self.torch.nn.utils.clip_grad_norm_(self.parameters, _CLIP)
        norm = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
        before = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.skipped = self.scaler.get_scale() < before
        self.optimizer.zero_grad(set_to_none=True)
        return float(norm)

    def _checkpoint(self) -> float:
        """Write what this rank has, to storage and not only to the page cache; the others are waited for."""
        begin = time.perf_counter()
        if self.path is None:
            self.path = self.kit.beside("feeding").home(self.kit) / f"checkpoint-{os.getpid()}-{self.kit.rank}.pt"
        state = self.way.state(self.optimizer)
        if state:
            with self.path.open("wb") as file:
                self.torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())
        self.kit.beside("train_parallel").agree(self.kit, self.job, False)
        return time.perf_counter() - begin

    def close(self) -> None:
        """Leave nothing behind."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _memory(kit: Any) -> dict[str, int]:
    """What the allocator holds now; on the host, which has none that says so, what the process holds."""
    if kit.place != "cpu":
        return dict(kit.memory())
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:  # not Linux
        return {}
    return {"memory_resident_bytes": pages * os.sysconf("SC_PAGE_SIZE")}


def _peak(kit: Any, job: Any) -> None:
    """The most that training held on any rank, before the reference takes its own."""
    module = getattr(kit.torch, kit.place.partition(":")[0], None)
    if kit.place == "cpu":
        unit = 1 if sys.platform == "darwin" else 1024
        most, of = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, "the process, as resident"
    elif module is not None and hasattr(module, "max_memory_allocated"):
        most, of = int(module.max_memory_allocated()), "tensors, as the allocator counts them"
    else:
        return
    most = int(kit.beside("train_parallel").largest(kit, job, float(most)))
    if kit.rank == 0:
        kit.emit(event="fact", name="peak_memory_bytes", value=most)
        kit.emit(event="fact", name="peak_memory_of", value=of)


def _profile(kit: Any, loop: Loop, number: int) -> None:
    """Two more steps under PyTorch's profiler; they are not told of, since it slows them down."""
    profiler = kit.torch.profiler
    folder = Path(kit.settings.get("folder") or ".")
    path = folder / f"train-step-{kit.rank}.trace.json"
    with profiler.profile() as profile:
        for more in range(2):
            loop.step(number + more)
    profile.export_chrome_trace(str(path))
    kit.emit(event="fact", name=f"profile_rank_{kit.rank}", value=str(path.resolve()))
