"""Three passes make lines in the batch, and what is no line is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.measure.trace_lines import joined, line, table

BATCHES = (4, 8, 12)
sizes = st.integers(0, 10**15)


def op(flop, *, name="fc addmm", moved=0.0):
    return (("forward", name, "matmul", "float32", False), (float(flop), float(moved), 1.0, 2.0, 3.0, 1.0))


@given(fixed=sizes, slope=sizes, batch=st.integers(1, 1000))
def test_what_is_a_line_is_found_again_to_the_last_operation(fixed, slope, batch):
    batches = (batch, 2 * batch, 3 * batch)
    found = line(batches, [fixed + slope * b for b in batches])
    assert found[2]
    assert [found[0] + found[1] * b for b in batches] == pytest.approx([fixed + slope * b for b in batches], rel=1e-6)


def test_what_grows_with_the_square_is_no_line_and_right_at_the_first_batch():
    fixed, slope, straight = line(BATCHES, [b * b for b in BATCHES])
    assert not straight
    assert fixed + slope * BATCHES[0] == BATCHES[0] ** 2


def test_bytes_in_a_file_are_never_below_zero():
    assert table(BATCHES, [b - 1 for b in BATCHES]) == {"per_sample": 3 / 4}
    assert table(BATCHES, [0, 0, 0]) == {}


def test_equal_operations_are_counted_together_and_different_ones_are_not():
    passes = [[op(10 * b), op(7), op(10 * b)] for b in BATCHES]
    found, flagged = joined(BATCHES, passes)
    assert flagged == []
    assert [one["flop"] for one in found] == [{"per_sample": 10.0}, {"fixed": 7.0}]
    assert found[0]["count"] == {"fixed": 2.0}
    assert "count" not in found[1]


def test_what_runs_once_a_sample_has_a_count_that_grows():
    found, flagged = joined(BATCHES, [[op(5)] * (b - 1) for b in BATCHES])
    assert flagged == []
    assert found[0]["count"] == {"fixed": -1.0, "per_sample": 1.0}
    assert found[0]["flop"] == {"fixed": 5.0}


def test_what_is_no_line_is_named_once():
    _, flagged = joined(BATCHES, [[op(b * b, name="loss mm"), op(b * b, name="loss mm")] for b in BATCHES])
    assert flagged == ["loss mm (forward): flop is no line in the batch, and right at 4 samples only"]
