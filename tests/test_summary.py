"""What a run comes to, case by case."""

import pytest

from assay.run import Case, Run, Sample
from assay.summary import summarise


def a_run(case: Case, values: list[float], warm: int = 0) -> Run:
    samples = tuple(
        Sample(case=case.name, metric="time_s", value=v, index=i, warmup=i < warm) for i, v in enumerate(values)
    )
    other = Case(name="never timed", kind="copy")
    return Run(
        id="", name="x", command=(), started="", duration_s=1.0, environment={}, cases=(other, case), samples=samples
    )


def test_a_matrix_product_is_rated_in_operations():
    (found,) = summarise(
        a_run(Case(name="m", kind="matmul", dtype="fp32", flop=100.0, size_bytes=7.0), [1.0, 2.0, 3.0])
    )
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
    (found,) = summarise(a_run(Case(name="c", kind="copy"), [9.0, 9.0, 1.0, 1.0, 1.0], warm=2))
    assert (found.n, found.dropped, found.time_s) == (3, 2, 1.0)


def test_intervals_hold_their_values():
    (found,) = summarise(a_run(Case(name="c", kind="copy", size_bytes=5.0), [1.0, 1.2, 0.9, 1.1, 1.4, 1.0, 0.95]))
    assert found.low_s <= found.time_s <= found.high_s
    assert found.rate_low <= found.rate <= found.rate_high


def test_five_samples_have_a_median_but_no_interval():
    (found,) = summarise(a_run(Case(name="c", kind="copy", size_bytes=5.0), [1.0, 1.1, 1.2, 1.3, 1.4]))
    assert (found.time_s, found.best_s, found.rate) == (1.2, 1.0, pytest.approx(5 / 1.2))
    assert (found.low_s, found.high_s, found.rate_low, found.rate_high) == (None,) * 4


def test_a_case_without_samples_has_no_figures():
    run = a_run(Case(name="c", kind="copy"), [1.0] * 6)
    assert [s.name for s in summarise(run)] == ["c"]
