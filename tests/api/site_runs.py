"""Runs of a site that is not here, as a measurement keeps them: eight A100, and a command that tells its job."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from assay import catalog, store
from assay.api.predicting import calibrated, workload
from assay.machine import Device
from assay.plan import Plan
from assay.predict import estimate
from assay.run import Case, Run
from assay.series import series

PLANS = {"small": Plan(data=8, micro_batch=1, zero_stage=3), "large": Plan(data=8, micro_batch=8, zero_stage=3)}


def a100s(count: int = 8) -> tuple[Device, ...]:
    return tuple(Device(name="NVIDIA A100-SXM4-80GB", vendor="NVIDIA", id=f"GPU-{i}") for i in range(count))


def kept(
    root: Path, step_s: Sequence[float] | float, settings: Mapping[str, str], *,
    devices: Sequence[Device] | None = None, environment: Mapping[str, object] | None = None,
) -> Path:  # fmt: skip
    """A run of a training command in a folder; steps of one length get the jitter of a quiet machine."""
    times = np.asarray(step_s, dtype=float)
    if times.ndim == 0:
        times = float(times) * (1.0 + 0.004 * np.random.default_rng(1).standard_normal(40))
    run = Run(
        id="", name="train", command=("torchrun", "train.py"), started="2026-11-27T10:00:00+00:00",
        duration_s=float(times.sum()), environment=environment or {"host": "node-1"},
        cases=(Case(name="", kind="step"),),
        settings={"command": "torchrun train.py", **settings}, devices=tuple(a100s() if devices is None else devices),
        series=(series("", "step_s", np.cumsum(times), times),), exit_code=0,
    )  # fmt: skip
    return store.save(run, root)


def trained(
    root: Path, model: str = "mpt-7b", plan: Plan = PLANS["small"], *, slower: float = 1.0, nodes: int = 1
) -> Path:
    """A run that is so many times slower than what is shipped says of it."""
    devices = int(plan.data) * int(plan.tensor)
    batch = int(plan.data) * int(plan.micro_batch)
    job = workload(model, seq_len=2048, global_batch=batch)
    system = catalog.system_for("a100-sxm-80gb", devices // nodes).with_nodes(nodes)
    step = float(estimate.price(job, system, plan, calibrated(system).constants_for(job)).step_s[0])
    told = {"model": model, "seq_len": "2048", "global_batch": str(batch), "plan": str(plan).replace(" ", ",")}
    return kept(root, slower * step, told, devices=a100s(devices // nodes))


def ratio_ln(predicted_s: float, measured_s: float) -> float:
    return abs(math.log(predicted_s / measured_s))
