"""Where the time of a step went, and that no second of it is told twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.observed import Split, Window
from assay.series import series
from assay.telemetry.split import split


def stream(n: int = 100, step: float = 1.0, rank: int = 0, **marks: object) -> list:
    at = step * (1 + np.arange(n))
    told = {"step_s": np.full(n, step)} | {f"{k}_s": np.broadcast_to(v, n) for k, v in marks.items()}
    return [series("", name, at, value, rank=rank) for name, value in told.items()]


def total(one: Split) -> float:
    return one.input_s + one.communication_s + one.checkpoint_s + (one.compute_s or 0.0) + one.other_s


def test_the_parts_are_what_was_marked_and_the_rest_is_other():
    one, _, notes = split(stream(input_wait=0.3, communication=0.2, compute=0.4))
    assert one.steps == 100
    assert (one.input_s, one.communication_s, one.checkpoint_s) == (pytest.approx(30), pytest.approx(20), 0)
    assert (one.compute_s, one.other_s) == (pytest.approx(40), pytest.approx(10))
    assert notes == []


marks = st.lists(
    st.tuples(*[st.floats(min_value=-1, max_value=3) | st.just(float("nan")) for _ in range(4)]),
    min_size=1,
    max_size=40,
)


@given(marks, st.floats(min_value=0.1, max_value=2), st.floats(min_value=0, max_value=30), st.floats(1, 60))
def test_the_five_parts_sum_to_wall_time_whatever_was_marked(rows, step, begin, length):
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    told = stream(
        len(rows), step, **dict(zip(("input_wait", "communication", "checkpoint", "compute"), columns, strict=True))
    )
    for window in (None, Window(begin_s=begin, end_s=begin + length)):
        one, ranks, _ = split(told, window)
        for part in (one, *ranks.values()):
            assert total(part) == pytest.approx(part.wall_s, abs=1e-9)
            assert min(part.input_s, part.communication_s, part.checkpoint_s, part.compute_s, part.other_s) >= 0


def test_marks_longer_than_their_step_are_cut_and_told():
    one, _, (note,) = split(stream(input_wait=0.8, communication=0.8, compute=1.0))
    assert one.input_s == pytest.approx(one.communication_s) == pytest.approx(50)
    assert (one.compute_s, one.other_s) == (0, 0)
    assert note.startswith("the marks of 100 steps are longer than the steps")


def test_compute_that_was_timed_around_communication_gives_it_back():
    one, _, notes = split(stream(communication=0.4, compute=0.9))
    assert (one.communication_s, one.compute_s) == (pytest.approx(40), pytest.approx(60))
    assert notes


def test_ranks_are_a_mean_and_each_by_itself():
    told = stream(input_wait=0.1) + stream(rank=1, input_wait=0.5)
    one, ranks, _ = split(told)
    assert one.input_s == pytest.approx(30)
    assert {rank: part.input_s for rank, part in ranks.items()} == {0: pytest.approx(10), 1: pytest.approx(50)}


def test_what_was_not_marked_is_not_told_apart():
    one, _, _ = split(stream(input_wait=0.41))
    assert one.compute_s is None
    assert one.other_s == pytest.approx(59)


def test_without_marks_there_is_no_split_and_the_reason_is_told():
    assert split(stream())[0] is None
    assert "no part of a step was marked" in split(stream())[2][0]
    assert "no step was reported" in split([])[2][0]


def test_time_between_steps_is_other_and_a_checkpoint_between_them_is_not():
    at = np.array([1.0, 2.0, 3.0, 63.0])
    told = [series("", "step_s", at, [1, 1, 1, 1]), series("", "checkpoint_s", at, [0, 0, 0, 50])]
    one, _, _ = split(told)
    assert (one.wall_s, one.checkpoint_s, one.other_s) == (63.0, pytest.approx(50), pytest.approx(13))


def test_warm_up_is_no_part_of_it():
    at = np.arange(1.0, 11.0)
    warm = np.arange(10) < 4
    told = [series("", name, at, np.full(10, v), warmup=warm) for name, v in (("step_s", 1), ("input_wait_s", 0.5))]
    one, _, _ = split(told)
    assert (one.steps, one.window.begin_s, one.input_s) == (6, 4.0, pytest.approx(3))


def test_a_window_takes_its_share_of_the_steps_it_cuts():
    one, _, _ = split(stream(input_wait=0.5), Window(begin_s=10.25, end_s=10.75))
    assert one.input_s == pytest.approx(0.25)


def test_a_mark_of_its_own_line_belongs_to_the_step_that_ends_next():
    told = [series("", "step_s", [1.0, 2.0], [1.0, 1.0]), series("", "input_wait_s", [0.4, 1.2, 1.4], [0.4, 0.1, 0.1])]
    assert split(told)[0].input_s == pytest.approx(0.6)
