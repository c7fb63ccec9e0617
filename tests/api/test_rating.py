"""What is known of a candidate's speed: predicted in what its work is counted in, or said why not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import assay
from assay.api.rating import Rated, rated
from assay.assumption import exactly
from assay.pilot import Work

from .pilots import BUY, pilot

PICTURES = Work(name="pictures", model="resnet-50", global_batch=1024, samples=exactly(1.15e8))
WORDS = Work(name="words", model="gpt2", seq_len=1024, global_batch=64, tokens=exactly(1e9))


def known(work: Work) -> Rated:
    return rated(replace(pilot(BUY), workloads=(work,)), BUY, assay.system("hgx-h100"), {}, Path())


@pytest.mark.parametrize(("work", "metric"), [(PICTURES, "samples_per_s"), (WORDS, "tokens_per_s")])
def test_work_is_predicted_in_what_it_is_counted_in(work, metric):
    (rate,) = known(work).rates
    (result,) = known(work).results
    assert (rate.metric, rate.origin, rate.value) == (metric, "predicted", result.values[metric])
    assert result.workload.counted == metric.removesuffix("_per_s")


@pytest.mark.parametrize(
    ("work", "says"),
    [
        (replace(WORDS, tokens=None, samples=exactly(1e6)), "gpt2 is counted in tokens"),
        (replace(PICTURES, samples=None, tokens=exactly(1e9)), "resnet-50 has no tokens"),
        (replace(PICTURES, model=""), "no model is named"),
    ],
)
def test_work_that_is_counted_in_what_its_model_has_not_is_measured_and_the_reason_is_noted(work, says):
    found = known(work)
    assert found.rates == ()
    assert says in found.notes[0]
