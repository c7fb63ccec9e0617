"""What `train-step` would train under some options, without PyTorch: for whoever wants to predict it before it runs."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from assay.errors import InputError
from assay.measure.workload import FOLDER, workload

_NAME = "train-step"


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A training job as its options say it; `shape` is written as in a catalog file."""

    model: str
    family: str  # transformer | convnet | dlrm
    shape: Mapping[str, Any]
    seq_len: int | None
    micro_batch: int
    accumulation: int
    global_batch: int
    precision: str
    recompute: bool
    parallel: str
    eager: bool
    step_flop: float


def training(options: Mapping[str, str], *, device: str = "cpu", ranks: int = 1) -> Training:
    """The job that these options mean; InputError where they cannot be used."""
    known = workload(_NAME).options
    given = {key: str(default) for key, (default, _) in known.items()} | dict(options)
    kit = SimpleNamespace(options=given, settings={}, place=device, rank=0, ranks=ranks, beside=_beside)
    try:
        job = _beside("train_job").read(kit)
    except SystemExit as refused:
        raise InputError(str(refused), where="--set", hint="assay measure --list names the options") from None
    shapes = _beside("train_shapes")
    return Training(
        model=job.model, family=shapes.family(job.net), shape=shapes.table(job.net, job.seq_len), seq_len=job.seq_len,
        micro_batch=job.micro_batch, accumulation=job.accumulation, global_batch=job.global_batch,
        precision=job.precision, recompute=job.recompute, parallel=job.parallel, eager=job.eager, step_flop=job.flop,
    )  # fmt: skip


@cache
def _beside(name: str) -> Any:
    """A file of the workloads' folder by its path, as the engine loads it."""
    path = Path(FOLDER / f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"assay_workload_{name}", path)
    assert spec is not None and spec.loader is not None  # noqa: PT018 - it is one of our own files
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
