"""Scores of predictions: what order, width and repetition mean."""

from __future__ import annotations

import math

import pytest

from assay.predict.score import ANYTHING, BATCHES, PLANS, by_source, mean_rank, ranked, repeats, score
from assay.published import Checked, PublishedRow


def told(measured: float, predicted: float | None, wide: float = 1.2, **cells: object) -> Checked:
    values: dict[str, object] = {"id": "r", "source": "us", "accelerator": "chip", "metric_name": "samples/s"}
    row = PublishedRow(**values | cells, metric_value=measured)  # type: ignore[arg-type]
    ends = (predicted / wide, predicted * wide) if predicted else (None, None)
    return Checked(row=row, predicted=predicted, low=ends[0], high=ends[1])


def test_order_is_1_as_measured_minus_1_reversed_and_0_where_all_are_told_alike() -> None:
    for predicted, rank in (((1, 2, 3), 1.0), ((3, 2, 1), -1.0), ((5, 5, 5), 0.0)):
        (one,) = ranked([told(m, p) for m, p in zip((10.0, 20.0, 40.0), predicted, strict=True)])
        assert one.rank == pytest.approx(rank)
        assert one.spread_ln == pytest.approx(math.log(4))
    assert mean_rank(ranked([told(m, 5.0) for m in (1.0, 2.0, 3.0)])) is None  # nothing is told apart


def test_a_sweep_needs_three_figures_that_differ() -> None:
    assert ranked([told(1.0, 1.0), told(2.0, 2.0)]) == []
    assert ranked([told(1.0, 1.0), told(1.0, 2.0), told(2.0, 3.0), told(9.0, None)]) == []


def test_a_sweep_over_plans_keeps_devices_and_batch_and_turns_the_plan() -> None:
    rows = [told(t, t, tp=t, n_accel=8, global_batch=64) for t in (1, 2, 4)]
    assert len(ranked(rows, PLANS)) == 1
    assert ranked(rows, BATCHES) == []
    assert ranked([*rows[:2], told(3.0, 3.0, tp=4, n_accel=16, global_batch=64)], PLANS) == []
    unstated = [told(x, x, n_accel=8, global_batch=64) for x in (1.0, 2.0, 3.0)]
    assert ranked(unstated, PLANS) == []  # nothing is said to be turned
    assert len(ranked(unstated, ANYTHING)) == 1


def test_a_score_says_how_wide_its_intervals_are() -> None:
    rows = [told(1.0, 1.1), told(1.0, 1.1), told(1.0, 2.0)]
    (one,) = score(rows, by_source)
    assert one.width_ln == pytest.approx(2 * math.log(1.2))
    assert one.coverage == pytest.approx(2 / 3)
    (bare,) = score([Checked(row=rows[0].row, predicted=1.0)], by_source)
    assert bare.width_ln is None


def test_repetitions_are_pairs_of_one_setting_by_one_source_or_by_two() -> None:
    found = repeats([("a", "x", 1.0), ("a", "y", math.e), ("a", "x", 1.0), ("b", "x", 5.0)])
    assert sorted(found) == [("a", False, pytest.approx(1.0)), ("a", False, pytest.approx(1.0)), ("a", True, 0.0)]
