"""The reference: the first steps once more in fp32, as plainly as they can be written, from the same seed and data.

On rank 0 alone, on the same device, after the timed run: no autocast, no compilation, nothing computed again, no
sharing among ranks, an optimizer that goes parameter by parameter, and attention the other way round (with its scores
in memory where the timed run has them fused). A global batch is worked off in pieces, each weighted by its samples.

What is compared is the mean loss of every step, and the gradient norm before it is cut: Adam takes no notice of the
gradient's scale, so a forgotten or doubled scaling does not show in the loss.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_PIECE_TOKENS = 4096  # of the reference at a time: it may need no more memory than the run that is checked
_LONG = 2048  # tokens of a sequence whose scores are no longer kept in memory

# How far a loss and a gradient norm may be off, relative to the reference; beside it what sound runs on a processor
# were off by (tiny presets, and 12 to 24 layers). Twice the learning rate is off by 1.5e-2 or more in the loss, or
# (DLRM) by 1e-1 in the gradient norm.
TOLERANCES = {
    "fp32": (1e-3, 2e-2),  # 4e-7, 6e-6: sums in another order; Adam's first steps take the sign of the least gradients
    "tf32": (5e-3, 5e-2),  # not seen; products of 11 significant bits, as fp16's
    "bf16": (1e-2, 5e-2),  # 9e-4, 8e-3: products of 8 significant bits
    "fp16": (1e-2, 5e-2),  # 2e-4, 2e-3: 11 bits, and the smallest gradients are lost
}
# A norm over the batch divides by the spread of few samples, which makes more of rounding: 2e-3, 3e-2 in bf16 and fp16.
BATCH_NORM = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What the first steps should have come to."""

    losses: list[float]
    norms: list[float]


def check(kit: Any, job: Any, trace: Any) -> None:
    """Say whether the run learnt what it should have."""
    name = "loss trajectory"
    if not trace.finite:
        kit.emit(event="check", name=name, passed=False, text="a loss or a gradient is not finite")
        return
    gc.collect()  # the model that was trained
    begin = time.monotonic()
    try:
        reference = _reference(kit, job, len(trace.losses), max(10.0, float(kit.settings["budget_s"])))
    except Exception as error:
        if not kit.oom(error):
            raise
        kit.warn("loss trajectory: not checked, as the reference in fp32 does not fit in memory")
        return
    loosened = BATCH_NORM if job.family == "resnet" else 1.0
    limits = [loosened * limit for limit in TOLERANCES[job.precision]]
    passed, text = compare(trace, reference, limits)
    kit.emit(event="check", name=name, passed=passed, text=text)
    kit.emit(event="fact", name="reference_s", value=time.monotonic() - begin)


def compare(trace: Any, reference: Reference, limits: list[float]) -> tuple[bool, str]:
    """Whether both trajectories are the same, within what the number format excuses; and the worst of it in words."""
    steps = len(reference.losses)
    if True in trace.skipped[:steps]:  # fp16's scaler left a step out: what comes after is another trajectory
        steps = trace.skipped.index(True) + 1
    told, passed = [], True
    pairs = ("loss", trace.losses, reference.losses), ("gradient norm", trace.norms, reference.norms)
    for (what, found, wanted), limit in zip(pairs, limits, strict=True):
        off = [abs(a - b) / max(abs(b), 1e-9) for a, b in zip(found[:steps], wanted, strict=False) if math.isfinite(a)]
        worst = max(off, default=math.inf)
        passed = passed and worst <= limit
        told.append(f"{what} off by {worst:.2g} ({limit:g} allowed)")
    return passed, f"{steps} steps against fp32: {', '.join(told)}"


def _reference(kit: Any, job: Any, steps: int, budget_s: float) -> Reference:
    torch, device, models = kit.torch, kit.device(), kit.beside("train_model")
    eager = not job.eager and (job.seq_len or 0) <= _LONG
    model = models.build(kit, job, eager=eager, recompute=False).to(device).train()
    kind, told = models.optimizer(torch, job, job.learning_rate)
    optimizer = kind(model.parameters(), **{**told, "fused": False, "foreach": False})
    models.numbers(torch, "fp32", device)
    data = kit.beside("train_data")
    source, made, begin = data.source(kit, job), Reference(losses=[], norms=[]), time.monotonic()
    for step in range(steps):
        total = torch.zeros((), device=device)
        for batch in _pieces(job, source, step):
            loss = model(*data.on(device, batch)) * (len(batch[0]) / job.global_batch)
            loss.backward()
            total += loss.detach()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=False)
        optimizer.step()
        optimizer.zero_grad()
        made.losses.append(float(total))
        made.norms.append(float(norm))
        if time.monotonic() - begin > budget_s and step >= 1:
            break
    return made


def _pieces(job: Any, source: Any, step: int) -> Iterator[Any]:
    """The global batch of a step in parts; where a net takes the mean over its micro-batch, these."""
    for rank in range(job.world):
        for place in range(job.accumulation):
            batch = source.batch(step, rank, place)
            whole = job.family == "resnet"
            size = job.micro_batch if whole else max(1, _PIECE_TOKENS // (job.seq_len or 64))
            yield from zip(*(one.split(size) for one in batch), strict=True)
