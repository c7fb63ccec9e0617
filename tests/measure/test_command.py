"""A command whose output is odd is a run all the same: what it says is heard, and one line spoils no other."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from assay.api.measuring import measure
from assay.api.observing import observe
from assay.measure.child import TICK_S
from assay.measure.command import _Turn
from assay.measure.heard import Heard
from assay.measure.listen import Listener
from assay.measure.tail import Tail
from assay.run import Run
from assay.series import Sample
from assay.summary import figures


class Open:
    """A record that remembers."""

    full = ""

    def __init__(self, folder: Path) -> None:
        self.emit_folder = folder
        self.samples: list[Sample] = []

    def sample(self, taken) -> None:
        self.samples += taken

    def say(self, name, what) -> None: ...
    def log(self, printed: bytes) -> None: ...
    def flush(self) -> None: ...


def turn(folder: Path) -> _Turn:
    record = Open(folder)
    return _Turn(record, Heard(record, time.monotonic()), Tail(folder), Listener(), tee=False)


def printed(*lines: str | dict, out: Path) -> Run:
    """The run of a program that prints these lines as a Node or Go program would."""
    text = "".join(f"{line if isinstance(line, str) else compact(line)}\n" for line in lines)
    return measure([sys.executable, "-c", f"import sys; sys.stdout.write({text!r})"], out=out, vendors=())


def compact(line: dict) -> str:
    return json.dumps(line, separators=(",", ":"))


def test_a_program_in_another_language_can_say_that_its_check_failed(tmp_path):
    taken = turn(tmp_path)
    for said in (
        {"event": "check", "name": "sum", "passed": False, "text": "off by one"},
        {"event": "setting", "name": "batch", "value": 8},
        {"event": "fact", "name": "device", "value": "H100"},
        {"event": "happened", "kind": "oom", "text": "out of memory"},
        {"step": 1, "loss": 9.0, "warmup": True},
    ):
        taken.take("stdout", compact(said).encode() + b"\n")
    heard = taken.heard
    assert heard.failed_checks == ["sum: off by one"]
    assert (heard.settings, heard.facts) == ({"batch": "8"}, {"device": "H100"})
    assert [e.kind for e in heard.events] == ["check", "oom"]
    assert [(s.value, s.warmup) for s in taken.record.samples] == [(9.0, True)]


def test_a_last_line_without_an_end_and_a_rank_before_the_line_are_heard_too(tmp_path):
    taken = turn(tmp_path)
    check = compact({"event": "check", "name": "sum", "passed": False, "text": "off by one"})
    taken.take("stdout", b'[rank3]:{"step":1,"loss":9.0,"warmup":true}\n' + check.encode())
    taken.end()
    assert [(s.rank, s.warmup) for s in taken.record.samples] == [(3, True)]
    assert taken.heard.failed_checks == ["sum: off by one"]


def test_the_folder_of_marks_is_not_looked_at_for_each_piece_of_output(tmp_path, monkeypatch):
    taken, looks = turn(tmp_path), []
    monkeypatch.setattr(taken.tail, "lines", lambda: looks.append(time.monotonic()) or ())
    began_s = time.monotonic()
    for _ in range(2000):
        taken.take("stdout", b"word ")
    assert 1 <= len(looks) <= 1 + (time.monotonic() - began_s) / TICK_S
    time.sleep(TICK_S)
    taken.take("tick", b"")
    assert looks[-1] - looks[0] >= TICK_S


@pytest.mark.parametrize(
    "line",
    [
        '{"event":"fact","name":"x","value":NaN}',
        '{"event":"fact","name":"x","value":[1,{"deep":Infinity}]}',
        '{"event":"fact","name":"x","value":"\\ud800"}',
        '{"event":"begin","case":{"name":"c","kind":"copy","flop":NaN},"number":1,"of":1}',
        '{"event":"begin","case":{"name":"c","kind":"copy","bytes":1e999},"number":1,"of":1}',
        '{"event":"begin","case":{"name":"c\\r","kind":"copy"},"number":1,"of":1}',
        '{"event":"happened","kind":"oom","text":"t","at":Infinity}',
        '{"at":1,"step":1e30,"loss":1}',
        '{"at":1,"step":1,"rank":1e10,"loss":1}',
        '{"at":1,"step":1,"case":"a\\rb","loss":1}',
        '{"at":1,"step":1,"\\r":1}',
        '{"step":1,"rank":99999999999,"loss":1}',
        '{"step":1,"case":"\\ud800","loss":1}',
        '[rank99999999999]: {"step":1,"loss":1}',
        f'[rank{"9" * 5000}]: {{"step":1,"loss":1}}',
        '{"at":' + "[" * 100_000,
    ],
)
def test_one_odd_line_spoils_nothing_else(tmp_path, line):
    run = printed(
        line, {"step": 2, "tokens": 7}, {"event": "check", "name": "n", "passed": True, "text": ""}, out=tmp_path
    )
    assert [s.value for s in run.samples if s.metric == "tokens"] == [7.0]
    assert "passed: n: " in [e.text for e in run.events]
    assert all(0 <= e.at_s < 60 for e in run.events)


@pytest.mark.parametrize(("value", "begins"), [("NaN", 10), ("Infinity", 0)])
def test_a_loss_that_is_no_number_any_more_is_the_verdict(tmp_path, value, begins):
    lines = [f'{{"step":{n},"loss":{value if n >= begins else 2.0},"tokens":5}}' for n in range(40)]
    run = printed(*lines, out=tmp_path)
    seen = observe(run, root=tmp_path)
    assert seen.verdict == f"loss is not a number in {40 - begins} of 40 reports, first in step {begins}"
    assert seen.troubles[0].kind == "non-finite"
    assert any(w.startswith("loss is ") and w.endswith(f"from step {begins} on") for w in run.warnings)
    told = {f.metric.name: f.value for f in figures(run)}
    assert told.get("loss") == (2.0 if begins else None)
    assert told["tokens"] == 5.0


def test_a_command_that_writes_its_log_itself_is_followed_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr("assay.measure.child._GRACE_S", 0.3)
    code = f"exec >{tmp_path}/log 2>&1; sleep 1.5; echo done"
    run = measure(["/bin/sh", "-c", code], out=tmp_path / "runs", vendors=())
    assert (run.exit_code, run.stopped) == (0, "")
    assert (tmp_path / "log").read_text() == "done\n"
