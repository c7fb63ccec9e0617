"""Sites that were made up: a machine that is known, and steps as one would measure them where its constants differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from assay.calibration import Constants
from assay.plan import Plan
from assay.predict import trial
from assay.predict.calibrated import Calibrated
from assay.predict.fit import moved
from assay.predict.site import TAU, MeasuredStep, step_seconds

from .conftest import cluster, gpt, training

SHIPPED = Calibrated(constants=Constants(), residual_ln=0.25, evidence="B")
# Width, sequences a device, devices: from what waits for its host to what computes.
JOBS = [(512, 1, 1), (512, 8, 1), (1024, 2, 8), (2048, 1, 8), (2048, 8, 1), (4096, 2, 8), (4096, 8, 8), (1024, 16, 1)]


def step(of: tuple[int, int, int], truth: Constants, *, off_ln: float = 0.0, doubt: str = "") -> MeasuredStep:
    """A step of a decoder of this width as a site with these constants would measure it."""
    hidden, batch, devices = of
    job = training(gpt(layers=8, hidden=hidden, heads=hidden // 64), global_batch=devices * batch)
    plan = Plan(data=devices, micro_batch=batch, zero_stage=0)
    made = MeasuredStep(
        name=f"{hidden} {batch}x{devices}", runs=(f"run-{hidden}-{batch}-{devices}",), job=job, plan=plan,
        laid=trial.row(job, replace(cluster(), count_per_node=devices), plan), step_s=1.0, noise_ln=0.005, doubt=doubt,
    )  # fmt: skip
    seconds = step_seconds(made, replace(SHIPPED, constants=truth))
    return replace(made, step_s=seconds * float(np.exp(off_ln)))


def somewhere(rng: np.random.Generator) -> Constants:
    """A site as different from what is shipped as sites are taken to be."""
    offsets = {name: float(tau * rng.standard_normal()) for name, tau in TAU.items()}
    truth = moved(SHIPPED.constants, offsets)
    return replace(truth, speed=min(truth.speed, 1.0 / truth.matmul))
