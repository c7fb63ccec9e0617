"""What a program says of itself becomes samples, cases, events and warnings; whatever it says is survived."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.measure.found import Found
from assay.measure.heard import Heard
from assay.measure.tail import Tail
from assay.run import Case
from assay.series import Sample

BEGIN = {"event": "begin", "case": {"name": "c", "kind": "copy", "bytes": 8}, "number": 1, "of": 2}


class Kept:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.said: list[tuple[str, object]] = []

    def sample(self, taken) -> None:
        self.samples += taken

    def say(self, name, what) -> None:
        self.said.append((name, what))


def listening(*lines, began_s: float = 100.0) -> Heard:
    heard = Heard(Kept(), began_s)
    for line in lines:
        heard.line(json.dumps(line), 150.0)
    return heard


def values(heard: Heard, metric: str) -> list[float]:
    return [s.value for s in heard.sink.samples if s.metric == metric]


def test_a_line_holds_as_many_samples_as_it_has_numbers():
    heard = listening({"at": 101.5, "step": 3, "loss": 2.5, "tokens": 4096, "note": "text is for people"})
    assert heard.sink.samples == [Sample("", "loss", 2.5, 3, 1.5), Sample("", "tokens", 4096.0, 3, 1.5)]
    assert heard.cases[""].kind == "step"


def test_the_time_between_steps_is_taken_where_a_program_gives_none():
    heard = listening(*({"at": 100 + 2 * i, "step": i, "loss": 1.0} for i in range(4)))
    assert values(heard, "interval_s") == [2.0, 2.0, 2.0]


def test_steps_that_are_reported_seldom_share_the_time_between_reports():
    heard = listening(*({"at": 100 + i, "step": i, "loss": 1.0} for i in (0, 10, 20)))
    assert values(heard, "interval_s") == [1.0, 1.0]


def test_a_program_that_times_itself_is_believed():
    heard = listening(*({"at": 100 + i, "step": i, "step_s": 0.5} for i in range(3)))
    assert values(heard, "step_s") == [0.5] * 3
    assert values(heard, "interval_s") == []


def test_each_rank_has_its_own_steps():
    heard = listening(*({"at": 100 + i, "step": i, "rank": r, "loss": 1.0} for i in range(3) for r in (0, 1)))
    assert {(s.rank, s.index) for s in heard.sink.samples if s.metric == "interval_s"} == {
        (0, 1),
        (0, 2),
        (1, 1),
        (1, 2),
    }


def test_a_list_of_gaps_is_as_many_samples_of_one_request():
    heard = listening({"at": 101, "step": 7, "itl_s": [0.01, 0.02, 0.03], "ttft_s": 0.05})
    assert values(heard, "itl_s") == [0.01, 0.02, 0.03]
    assert {s.index for s in heard.sink.samples} == {7}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_told_once_and_kept_out(bad):
    heard = listening(*({"at": 101, "step": i, "memory_bytes": bad, "tokens": 1} for i in range(5)))
    assert values(heard, "memory_bytes") == []
    word = "NaN" if math.isnan(bad) else "infinite"
    assert heard.warnings == [f"memory_bytes is {word} from step 0 on; kept out of the samples"]
    assert values(heard, "tokens") == [1.0] * 5


@pytest.mark.parametrize("metric", ["loss", "eval_loss", "grad_norm"])
def test_a_loss_that_is_no_number_is_what_a_run_has_to_tell_and_is_kept(metric):
    heard = listening(*({"at": 101, "step": i, metric: float("nan")} for i in range(3)))
    heard.found([Found(metric, float("inf"), 3)], 150.0)
    assert list(map(str, values(heard, metric))) == ["nan"] * 3 + ["inf"]
    assert heard.warnings == [f"{metric} is NaN from step 0 on"]


def test_a_negative_time_is_no_time():
    heard = listening({"at": 101, "step_s": -1.0})
    assert heard.sink.samples == []
    assert heard.warnings


def test_a_case_begins_is_measured_and_ends():
    told = []
    heard = Heard(Kept(), 0.0, told.append)
    for line in (
        BEGIN,
        *({"case": "c", "step": i, "time_s": 0.5, "at": i} for i in range(3)),
        {"event": "end", "case": "c"},
    ):
        heard.line(json.dumps(line), 1.0)
    assert heard.cases["c"] == Case(name="c", kind="copy", size_bytes=8.0)
    assert told == ["[1/2] c: 500 ms, 3 samples"]
    assert [(e.kind, e.of) for e in heard.events] == [("done", "c")]


def test_what_a_workload_finds_out_joins_settings_facts_events_and_checks():
    heard = listening(
        {"event": "setting", "name": "micro_batch", "value": 4},
        {"event": "fact", "name": "device_name", "value": "H100"},
        {"event": "happened", "kind": "oom", "text": "out of memory", "at": 130},
        {"event": "check", "name": "loss trajectory", "passed": False, "text": "step 3 is off"},
    )
    assert heard.settings == {"micro_batch": "4"}
    assert heard.facts == {"device_name": "H100"}
    assert [(e.kind, e.at_s) for e in heard.events] == [("oom", 30.0), ("check", 50.0)]
    assert heard.failed_checks == ["loss trajectory: step 3 is off"]
    assert "check failed" in heard.warnings[0]


def test_times_are_remembered_only_while_a_case_is_on():
    heard = listening(*({"step": i, "step_s": 0.5} for i in range(100)))
    assert heard._recent == {}
    for line in (BEGIN, {"case": "c", "time_s": 0.5}):
        heard.line(json.dumps(line), 150.0)
    assert heard._recent == {"c": [0.5]}
    heard.line(json.dumps({"event": "end", "case": "c"}), 150.0)
    assert heard._recent == {}


@pytest.mark.parametrize("at", [1.7e9, float("inf"), -1e9])
def test_an_event_with_the_time_of_another_clock_is_of_now(at):
    heard = listening({"event": "happened", "kind": "oom", "text": "out of memory", "at": at})
    assert [e.at_s for e in heard.events] == [50.0]


@pytest.mark.parametrize(
    "line",
    [
        {"event": "fact", "name": "x", "value": float("nan")},
        {"event": "begin", "case": {"name": "c", "kind": "copy", "flop": float("nan")}, "number": 1, "of": 1},
        {"event": "begin", "case": {"name": "c", "kind": "copy", "bytes": float("inf")}, "number": 1, "of": 1},
        {"step": 1e30, "loss": 1.0},
        {"step": 1, "rank": 1 << 31, "loss": 1.0},
        {"step": 1, "": 1.0, "case": "a\rb"},
        {"event": "begin", "case": {"name": "c", "kind": "copy", "bytes": -1}, "number": 1, "of": 1},
        {"event": "begin", "case": {"name": "c", "kind": "copy", "flop": -5}, "number": 1, "of": 1},
        {"event": "begin", "case": {"name": "c", "kind": "copy", "flop": 1e40}, "number": 1, "of": 1},
        {"event": "fact", "name": "x", "value": int("9" * 400)},
        {"event": "fact", "name": "x", "value": {"deep": [int("9" * 400)]}},
        {"event": "fact", "name": "x", "value": json.loads("[" * 200 + "]" * 200)},
    ],
)
def test_what_the_record_has_no_room_for_is_an_event_and_is_not_remembered(line):
    heard = listening(line)
    assert [e.kind for e in heard.events] == ["line"]
    assert (heard.facts, heard.cases, heard.sink.samples) == ({}, {}, [])


def test_a_log_that_names_an_impossible_rank_is_an_event_too():
    heard = Heard(Kept(), 100.0)
    heard.found([Found("loss", 2.0, 3, rank=1 << 40), Found("loss", 1.0, 4)], 120.0)
    assert [s.index for s in heard.sink.samples] == [4]
    assert [e.kind for e in heard.events] == ["line"]


def test_a_case_that_was_skipped_says_why():
    heard = listening(BEGIN, {"event": "skip", "case": "c", "why": "int8 is not there"},
                      {"event": "skip", "case": "d", "why": "time: too long", "for_time": True})  # fmt: skip
    assert heard.warnings == ["c: left out: int8 is not there"]
    assert heard.short == ["d: left out: time: too long"]


def test_what_a_log_was_found_to_say_is_kept_by_step():
    heard = Heard(Kept(), 100.0)
    heard.found([Case(name="k", kind="all-reduce"), Found("step_s", 0.5, 3), Found("loss", 2.0, 3), "a warning"], 120.0)
    assert [(s.metric, s.index, s.at_s) for s in heard.sink.samples] == [("step_s", 3, 20.0), ("loss", 3, 20.0)]
    assert heard.warnings == ["a warning"]
    assert "k" in heard.cases


@given(st.lists(st.one_of(st.text(max_size=60), st.binary(max_size=40), st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["event", "case", "value", "step", "at", "time_s", "name", "kind", "begin", "number", "rank",
                         "sample", "fact", "skip", "why", "passed", "text"]), inner),
    max_leaves=8).map(json.dumps)), max_size=8))  # fmt: skip
def test_whatever_a_program_says_is_survived(lines):
    heard = listening(BEGIN, {"case": "c", "time_s": 0.5, "at": 101})
    for line in lines:
        heard.line(line, 150.0)
    assert values(heard, "time_s")[0] == 0.5


def test_a_program_that_says_only_nonsense_does_not_fill_the_record():
    heard = listening()
    for _ in range(1000):
        heard.line("{nonsense", 1.0)
    assert len(heard.events) <= 20


def test_a_growing_file_is_read_line_by_line_and_each_line_once(tmp_path: Path):
    tail = Tail(tmp_path)
    path = tmp_path / "1.jsonl"
    assert list(tail.lines()) == []
    path.write_bytes(b"one\ntw")
    assert list(tail.lines()) == [b"one"]
    path.write_bytes(b"one\ntwo\nthree")
    (tmp_path / "2.jsonl").write_bytes(b"other\n")
    assert list(tail.lines()) == [b"two", b"other"]
    assert list(tail.lines()) == []
    assert list(tail.lines(final=True)) == [b"three"]


@given(st.lists(st.binary(max_size=10).map(lambda b: b.replace(b"\n", b"")), max_size=12), st.data())
def test_however_a_file_grows_no_line_is_lost_or_doubled(tmp_path_factory, lines, data):
    folder = tmp_path_factory.mktemp("emit")
    whole, tail, found = b"".join(line + b"\n" for line in lines), Tail(folder), []
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=4)))
    for cut in [*cuts, len(whole)]:
        (folder / "1.jsonl").write_bytes(whole[:cut])
        found += tail.lines()
    assert [*found, *tail.lines(final=True)] == lines


def test_a_case_of_a_log_that_does_less_than_nothing_is_an_event():
    heard = Heard(Kept(), 100.0)
    heard.found([Case(name="c", kind="copy", size_bytes=-1.0), Case(name="d", kind="copy", size_bytes=8.0)], 120.0)
    assert list(heard.cases) == ["d"]
    assert [e.kind for e in heard.events] == ["line"]


@pytest.mark.parametrize("line", [b"[" * 100_000, b'{"a":' * 100_000, b'{"event":"fact","name":"\xff","value":1}'])
def test_a_line_of_marks_that_is_no_json_is_an_event(line):
    heard = Heard(Kept(), 100.0)
    heard.line(line, 120.0)
    assert [e.kind for e in heard.events] == ["line"]


@pytest.mark.parametrize("event", [{"event": "fact", "name": "n", "value": "\ud800"},
                                   {"event": "setting", "name": "n\ud800", "value": "\ud800"},
                                   {"event": "happened", "kind": "\ud800", "text": "\ud800"}])  # fmt: skip
def test_half_a_letter_is_a_question_mark(event):
    heard = listening(event)
    assert "?" in json.dumps([heard.facts, heard.settings, [e.text for e in heard.events]])
    json.dumps([heard.facts, heard.settings, *(e.text for e in heard.events)], ensure_ascii=False).encode()
