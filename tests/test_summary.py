"""What a run comes to, case by case and metric by metric."""

import numpy as np
import pytest

from assay.run import Case, Run
from assay.series import Sample, gathered, series
from assay.summary import figures, summarise


def a_run(case: Case, values: list[float], warm: int = 0) -> Run:
    samples = [Sample(case.name, "time_s", v, i, float(i), i < warm) for i, v in enumerate(values)]
    other = Case(name="never timed", kind="copy")
    return Run(
        id="", name="x", command=(), started="", duration_s=1.0, environment={}, cases=(other, case),
        series=gathered(samples),
    )  # fmt: skip


def said(*columns: tuple[str, list[float]], case: str = "", rank: int = 0) -> tuple:
    return tuple(series(case, name, np.arange(len(v)), v, rank=rank) for name, v in columns)


def a_stream(*found) -> dict[str, object]:
    run = Run(id="", name="x", command=(), started="", duration_s=1.0, environment={}, series=tuple(found))
    return {f.metric.name: f for f in figures(run)}


def test_a_matrix_product_is_rated_in_operations():
    case = Case(name="m", kind="matmul", dtype="fp32", flop=100.0, size_bytes=7.0)
    (found,) = summarise(a_run(case, [2.0] * 8))
    assert (found.rate_unit, found.rate) == ("flop_per_s", pytest.approx(50.0))
    assert (found.name, found.kind, found.dtype, found.steady) == ("m", "matmul", "fp32", True)


def test_a_copy_is_rated_in_bytes_and_a_call_not_at_all():
    (copy,) = summarise(a_run(Case(name="c", kind="copy", size_bytes=100.0), [1.0] * 6))
    (call,) = summarise(a_run(Case(name="d", kind="dispatch"), [1.0] * 6))
    assert (copy.rate, copy.rate_low, copy.rate_high, copy.rate_unit) == (100.0, 100.0, 100.0, "bytes_per_s")
    assert (call.rate, call.rate_low, call.rate_unit) == (None, None, "")


def test_work_over_time_and_not_the_mean_of_rates():
    (found,) = summarise(a_run(Case(name="c", kind="copy", size_bytes=1.0), [0.1] * 9 + [9.1]))
    assert found.rate == pytest.approx(1.0)
    assert found.time_s == pytest.approx(0.1)


def test_warm_up_is_counted_but_does_not_count():
    (found,) = summarise(a_run(Case(name="c", kind="copy"), [9.0, 9.0, *[1.0] * 8], warm=2))
    assert (found.n, found.dropped, found.time_s) == (8, 2, 1.0)


def test_warm_up_that_nobody_marked_is_found():
    (found,) = summarise(a_run(Case(name="c", kind="copy"), [5.0, 3.0, 2.0, *[1.0] * 40]))
    assert found.dropped >= 3
    assert found.time_s == 1.0


def test_what_never_settles_is_said_to_be_so_and_nothing_is_dropped():
    (found,) = summarise(a_run(Case(name="c", kind="copy"), [1.0 + i / 10 for i in range(60)]))
    assert (found.steady, found.dropped) == (False, 0)


def test_intervals_hold_their_values():
    (found,) = summarise(a_run(Case(name="c", kind="copy", size_bytes=5.0), [1.0, 1.2, 0.9, 1.1, 1.4, 1.0, 0.95]))
    assert found.low_s <= found.time_s <= found.high_s
    assert found.rate_low <= found.rate <= found.rate_high


def test_five_samples_have_a_median_but_no_interval_and_no_steady_state():
    (found,) = summarise(a_run(Case(name="c", kind="copy", size_bytes=5.0), [1.0, 1.1, 1.2, 1.3, 1.4]))
    assert (found.time_s, found.best_s, found.rate) == (1.2, 1.0, pytest.approx(5 / 1.2))
    assert (found.low_s, found.high_s, found.rate_low, found.rate_high, found.steady) == (None, None, None, None, False)


def test_a_case_without_samples_has_no_figures():
    run = a_run(Case(name="c", kind="copy"), [1.0] * 6)
    assert [s.name for s in summarise(run)] == ["c"]


def test_tokens_and_step_times_come_to_tokens_per_second():
    found = a_stream(*said(("step_s", [0.5] * 20), ("tokens", [100.0] * 20)))
    assert found["tokens_per_s"].value == pytest.approx(200.0)
    assert found["tokens_per_s"].low <= 200.0 <= found["tokens_per_s"].high


def test_one_slow_step_counts_for_as_long_as_it_took():
    """SuperBench's mean of per-step rates gave 219.9 where 67.1 was true."""
    found = a_stream(*said(("step_s", [0.01] * 30 + [1.0]), ("samples", [1.0] * 31)))
    assert found["samples_per_s"].value == pytest.approx(31 / 1.3)


def test_rates_that_a_program_reports_fold_as_equal_work():
    assert a_stream(*said(("tokens_per_s", [100.0] * 5 + [50.0] * 5)))["tokens_per_s"].value == pytest.approx(1000 / 15)


def test_a_tail_needs_a_tail():
    assert a_stream(*said(("ttft_s", [0.1] * 499)))["ttft_s"].p99 is None
    assert a_stream(*said(("ttft_s", [0.1] * 500)))["ttft_s"].p99 == 0.1


def test_the_slowest_tenth_of_the_steps_is_the_lower_tail_of_the_rate():
    times = ([1.0] * 7 + [2.0]) * 80
    found = a_stream(*said(("step_s", times), ("tokens", [100.0] * len(times))))["tokens_per_s"]
    assert (found.p10, found.p90) == (50.0, 100.0)
    assert found.p01 == 50.0
    few = a_stream(*said(("step_s", times[:40]), ("tokens", [100.0] * 40)))["tokens_per_s"]
    assert (few.p10, few.p01) == (None, None)


def test_ranks_fold_as_their_metric_means():
    """A step takes as long as its slowest rank, work adds up, memory is the fullest's, a loss is the mean."""
    slow = said(
        ("step_s", [2.0] * 10), ("tokens", [5.0] * 10), ("memory_reserved_bytes", [3e9] * 10), ("loss", [1.0] * 10)
    )
    fast = said(
        ("step_s", [1.0] * 10),
        ("tokens", [5.0] * 10),
        ("memory_reserved_bytes", [9e9] * 10),
        ("loss", [3.0] * 10),
        rank=1,
    )
    found = {name: f.value for name, f in a_stream(*slow, *fast).items()}
    assert (found["step_s"], found["tokens"], found["memory_reserved_bytes"], found["loss"]) == (2.0, 10.0, 9e9, 2.0)
    assert found["tokens_per_s"] == pytest.approx(5.0)


def test_what_was_said_during_warm_up_does_not_count_either():
    warm = [10.0] * 5 + [1.0] * 45
    found = a_stream(*said(("step_s", warm), ("tokens", [7.0] * 50), ("loss", [9.0] * 5 + [2.0] * 45)))
    assert found["step_s"].value == 1.0
    assert found["tokens_per_s"].value == pytest.approx(7.0)
    assert found["loss"].n <= 45
