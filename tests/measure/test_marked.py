"""Which printed lines are a program's marks, and which are somebody's log that happens to look like them."""

from __future__ import annotations

import json

import pytest
from tests.measure.logs import RECORDED

from assay.measure.heard import Heard
from assay.measure.marked import EVENTS, mark

MARKS = [
    {"event": "check", "name": "n", "passed": False, "text": "t"}, {"warmup": True, "step": 1, "loss": 2.0},
    {"step": 1, "warmup": False}, {"at": 12.5, "loss": 2.0}, {"loss": 2.0, "nested": {"a": [1]}, "at": 12},
]  # fmt: skip
LOGS = [
    {"event": "epoch finished", "level": "info", "loss": 2.0}, {"event": {"kind": "x"}}, {"event": None, "at": 1.0},
    {"warmup": 500, "lr": 0.1}, {"at": "2025-03-11T09:14:02Z", "loss": 2.0}, {"at": True}, {"note": '"event"'},
    {"step": 3, "loss": 2.0}, {},
]  # fmt: skip


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("said", MARKS)
def test_a_mark_is_one_however_it_is_spaced(said, separators):
    assert mark(json.dumps(said, separators=separators)) == said


@pytest.mark.parametrize("said", LOGS)
def test_other_peoples_logs_are_no_marks(said):
    assert mark(json.dumps(said)) is None


@pytest.mark.parametrize("line", ["", '"event"', '[{"event": "end"}]', '{"event": "end"', ' {"event": "end"},'])
def test_what_is_no_object_is_no_mark(line):
    assert mark(line) is None


def test_no_line_of_a_log_that_was_recorded_is_taken_for_a_mark():
    lines = (line for path in RECORDED.iterdir() for line in path.read_text(errors="replace").split("\n"))
    assert [line for line in lines if mark(line) is not None] == []


@pytest.mark.parametrize("event", sorted(EVENTS))
def test_every_event_is_understood(event):
    class Sink:
        def sample(self, taken) -> None: ...
        def say(self, name, what) -> None: ...

    heard = Heard(Sink(), 0.0)
    case = {"name": "c", "kind": "copy"} if event == "begin" else "c"
    heard.line({"event": event, "case": case, "number": 1, "of": 1, "why": "w", "text": "t", "name": "n", "value": 1,
                "kind": "k", "passed": True}, 1.0)  # fmt: skip
    assert [e for e in heard.events if e.kind == "line"] == []
