"""A regular expression of the user's own: named groups are metrics, a unit after two underscores is the log's."""

from __future__ import annotations

import pytest
from tests.measure.logs import heard, warnings

from assay.errors import InputError
from assay.measure.found import Found
from assay.measure.listen import Listener


def test_named_groups_are_metrics_in_the_unit_they_are_written_in():
    pattern = r"step (?P<step>\d+) .* loss (?P<loss>[\d.]+) .* (?P<step_s__ms>[\d.]+) ms"
    assert heard(b"step 12 | loss 2.50 | took 340.0 ms\nnothing here\n", formats=[], pattern=pattern) == [
        Found("loss", 2.5, 12), Found("step_s", 0.34, 12),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("group", "printed", "metric", "value"),
    [
        ("step_s__us", "1,500", "step_s", 1.5e-3),
        ("memory_allocated_bytes__GiB", "2", "memory_allocated_bytes", 2.0**31),
        ("device_flop_per_s__TFLOP_per_s", "412.5", "device_flop_per_s", 412.5e12),
        ("tokens_per_s__ktokens_per_s", "3", "tokens_per_s", 3000.0),
        ("mfu__percent", "41.5", "mfu", 0.415),
        ("reward", "-0.25", "reward", -0.25),
    ],
)
def test_units_are_read(group, printed, metric, value):
    [found] = heard(f"v={printed};".encode(), formats=[], pattern=rf"v=(?P<{group}>[^;]+)")
    assert (found.metric, found.value) == (metric, pytest.approx(value))


def test_a_line_may_hold_several_and_say_of_whom():
    said = heard(b"gpu 0 busy 5; gpu 1 busy 7\n", formats=[], pattern=r"gpu (?P<rank>\d) busy (?P<wait_s>\d)")
    assert said == [Found("wait_s", 5.0, None, "", 0), Found("wait_s", 7.0, None, "", 1)]


def test_other_formats_are_heard_beside_a_pattern():
    said = heard(b'{"step": 1, "loss": 2.0}\nreward 3\n', pattern=r"reward (?P<reward>\d)")
    assert [one.metric for one in said] == ["loss", "reward"]


def test_a_group_that_caught_no_number_or_nothing_gives_nothing():
    pattern = r"loss (?P<loss>\S+)( mfu (?P<mfu>\S+))?"
    assert heard(b"loss unknown\nloss 2.5\n", formats=[], pattern=pattern) == [Found("loss", 2.5)]
    assert warnings(heard(b"loss nan\n", formats=[], pattern=pattern)) == ["loss is NaN"]


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        (
            r"loss (?P<loss>[\d.+",
            r"--pattern: no regular expression: unterminated character set, at character 15: \[\\d\.\+",
        ),
        (r"loss (\d+)", "--pattern: no group of it is named after a metric; write --pattern"),
        (r"step (?P<step>\d+)", "no group of it is named after a metric"),
        (r"(?P<step_s__GB>\d+)", r'group step_s__GB: "1 GB" is in bytes, seconds wanted; write metric__unit'),
        (r"(?P<loss__ms>\d+)", "group loss__ms: "),
        (r"(?P<step_s__parsecs>\d+)", 'group step_s__parsecs: "1 parsecs": "parsecs" is not a unit known here'),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_with_the_place(pattern, what):
    with pytest.raises(InputError, match=what):
        Listener(pattern=pattern)


def test_a_pattern_that_would_take_years_is_given_up_and_that_is_said():
    lines = ("a" * 40 + "!\n").encode() * 3
    (said,) = heard(lines, formats=[], pattern="(?P<loss>(a+)+)$")
    assert said.startswith("--pattern took more than 1 s for one line, and is not tried any more: aaaa")
