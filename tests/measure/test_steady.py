"""Warm-up is marked, never thrown away."""

import numpy as np

from assay.measure.steady import steady
from assay.run import Case, Sample

CASE = Case(name="c", kind="copy")


def taken(values, warm: int = 0) -> list[Sample]:
    return [Sample(case="c", metric="time_s", value=float(v), index=i, warmup=i < warm) for i, v in enumerate(values)]


def test_the_first_slow_samples_are_marked_and_all_are_kept():
    noise = 1 + 0.01 * np.random.default_rng(0).standard_normal(40)
    noise[:5] *= 3
    case, samples = steady(CASE, taken(noise))
    assert case.steady
    assert len(samples) == 40
    assert {s.index for s in samples if s.warmup} >= set(range(5))


def test_a_case_that_drifts_is_not_steady_and_loses_no_sample():
    case, samples = steady(CASE, taken(np.linspace(1, 3, 40)))
    assert not case.steady
    assert not any(s.warmup for s in samples)


def test_samples_taken_to_calibrate_stay_out():
    case, samples = steady(CASE, taken([9.0, 9.0, *[1.0] * 20], warm=2))
    assert case.steady
    assert [s.index for s in samples if s.warmup] == [0, 1]


def test_three_samples_are_not_steady():
    assert not steady(CASE, taken([1.0, 1.0, 1.0]))[0].steady
