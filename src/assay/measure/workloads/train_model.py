"""A job's model, optimizer and number format, built alike for the run that is timed and for its reference."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

_FILES = {"decoder": "models_transformer", "vit": "models_transformer", "dit": "models_dit", "resnet": "models_resnet",
          "dlrm": "models_dlrm"}  # fmt: skip
_REDUCED = {"bf16": "bfloat16", "fp16": "float16"}  # weights stay in fp32, and autocast computes in these
_FIRST_SCALE = 1024.0  # of fp16's losses; more would overflow in the first steps, and they would be skipped


def build(kit: Any, job: Any, *, eager: bool, recompute: bool) -> Any:
    """The model on the host, its weights drawn there from the seed: the same on every device."""
    kit.torch.manual_seed(job.seed)
    how = kit.beside("models_layers").How(eager=eager, recompute=recompute)
    return getattr(kit.beside(_FILES[job.family]), job.family)(kit, job.net, job.seq_len, how)


def optimizer(torch: Any, job: Any, learning_rate: float) -> tuple[Any, dict[str, Any]]:
    """The optimizer's class, and what it is told."""
    if job.optimizer == "sgd":
        return torch.optim.SGD, {"lr": learning_rate, "momentum": 0.9}
    told = {"lr": learning_rate, "betas": (0.9, 0.95), "weight_decay": 0.1}
    return torch.optim.AdamW, {**told, "fused": True} if job.optimizer == "adamw-fused" else told


def numbers(torch: Any, precision: str, device: Any) -> Any:
    """Set how products of fp32 are done, and return what makes the context that a forward pass runs in."""
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = precision == "tf32"  # convolutions; PyTorch would allow it unasked
    dtype = getattr(torch, _REDUCED.get(precision, ""), None)

    def context() -> AbstractContextManager[Any]:
        return torch.autocast(device.type, dtype=dtype) if dtype else nullcontext()

    return context


def scaler(torch: Any, precision: str, device: Any) -> Any:
    """What keeps fp16's gradients from vanishing; it does nothing in other formats."""
    return torch.amp.GradScaler(device.type, init_scale=_FIRST_SCALE, enabled=precision == "fp16")
