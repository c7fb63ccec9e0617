"""Fitting: constants that made the data are found again, two points help, and one liar does not mislead."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from assay.calibration import Constants
from assay.errors import InputError
from assay.plan import Plan
from assay.predict import estimate
from assay.predict.fit import Observed, constants_for, fit, spread_ln

from .conftest import cluster, gpt, training

TRUE = Constants(matmul=0.6, memory=0.65, launch_s=30e-6)
FREE = {"matmul": 0.3, "memory": 0.3, "launch_s": 1.0}


def seconds(hidden: int, batch: int, constants: Constants) -> float:
    job = training(gpt(layers=8, hidden=hidden, heads=hidden // 64), global_batch=8 * batch)
    return sum(
        float(np.ravel(t)[0])
        for t in estimate.terms_of(job, cluster(), Plan(data=8, micro_batch=batch), constants).values()
    )


def observed(hidden: int, batch: int, *, lie: float = 0.0, device: str = "chip", true: Constants = TRUE) -> Observed:
    return Observed(
        ln_measured=math.log(seconds(hidden, batch, true)) + lie,
        ln_predicted=lambda c: math.log(seconds(hidden, batch, c)), source=f"{hidden}-{batch}", device=device,
    )  # fmt: skip


SETTINGS = [(512, 1), (512, 4), (1024, 1), (2048, 2), (4096, 1), (4096, 4), (256, 1), (8192, 2)]


def test_the_constants_behind_the_data_are_found_again():
    found = fit([observed(h, b) for h, b in SETTINGS], Constants(), FREE)
    assert found.constants.matmul == pytest.approx(0.6, rel=0.05)
    assert np.max(np.abs(found.residuals)) < 0.05


def test_two_points_already_help_an_unseen_third():
    start = Constants()
    unseen = observed(8192, 2)
    before = abs(unseen.ln_measured - unseen.ln_predicted(start))
    found = fit([observed(2048, 2), observed(4096, 4)], start, FREE)
    after = abs(unseen.ln_measured - unseen.ln_predicted(found.constants))
    assert after < before / 2


def test_one_liar_among_eight_hardly_moves_the_rest():
    lying = [observed(h, b, lie=1.0 if i == 3 else 0.0) for i, (h, b) in enumerate(SETTINGS)]
    found = fit(lying, Constants(), FREE)
    honest = np.delete(found.residuals, 3)
    assert np.max(np.abs(honest)) < 0.15
    assert found.residuals[3] > 0.8


def test_a_device_gets_its_own_constant_and_a_lone_result_stays_near_the_class():
    slow = replace(TRUE, matmul=0.4)
    data = [observed(h, b) for h, b in SETTINGS] + [observed(h, b, device="slow", true=slow) for h, b in SETTINGS]
    found = fit(data, Constants(), FREE, {"matmul": 0.3})
    assert constants_for(found, "slow").matmul < 0.85 * constants_for(found, "chip").matmul


def test_nothing_to_fit_on_and_unknown_names_are_refused():
    with pytest.raises(InputError, match="nothing to fit"):
        fit([], Constants(), FREE)
    with pytest.raises(InputError, match="not a constant"):
        fit([observed(512, 1)], Constants(), {"matmull": 0.1})


def test_few_residuals_give_a_wider_spread_than_many_of_the_same_size():
    few, many = np.linspace(0.01, 0.1, 5), np.linspace(0.01, 0.1, 500)
    assert spread_ln(few) > spread_ln(many)
    assert np.mean(np.abs(many) <= spread_ln(many)) >= 0.9
