"""The ear: it picks what it knows out of anything, loses nothing, invents nothing, and never falls over."""

from __future__ import annotations

import json
import time
import timeit
from importlib import import_module
from math import isfinite, isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.measure.logs import RECORDED, cases, columns, heard, recorded, values, warnings

from assay.errors import InputError
from assay.measure.found import KEPT_AS_IS, Found
from assay.measure.lines import Lines
from assay.measure.listen import Listener, known
from assay.run import Case

LOGS = sorted(path.name for path in RECORDED.iterdir() if path.suffix in {".log", ".jsonl"})
WORDS = [
    b"{'loss': ", b'{"step": 1, "loss": ', b"%|", b"| 3/24 [00:01<00:12]", b":::MLLOG {", b"step: 3  loss: 1 GiB(",
    b"| consumed samples: 3 |", b" iteration 3/ 9 |", b"| Train Device=", b"Step=1, Loss=", b"# nThread\n", b"{\n",
    b"8 2 float sum -1 1 1 1 0 1 1 1 N/A\n", b"Mean TTFT (ms): ", b"\x1b[31m", b"[rank1]: ", b"}\n", b"nan", b"1e999",
    b"Epoch 0: 3%|x| 1/2 [0<0, 1it/s, a=1]", b'"jobs": [', b'{"fio version": 1, "jobs": 3}\n', b"\xff\xfe", b"9" * 400,
    b"\n", b"\r",
]  # fmt: skip
# Files whose name does not begin with that of their format.
OF = {"vllm_serve.log": "vllm", "sglang.log": "vllm", "nemo.log": "lightning", "rccl_tests.log": "nccl_tests"}


def test_every_format_is_known_and_says_what_it_is():
    assert set(known()) == {
        "aiperf", "cerebras", "deepspeed", "fio", "guidellm", "hf_trainer", "jsonl", "lightning", "megatron", "mllog",
        "nccl_tests", "pattern", "sglang", "torchtitan", "vllm",
    }  # fmt: skip
    assert all(known().values())
    assert [import_module(f"assay.measure.logs.{name}").NAME for name in known()] == list(known())


def test_every_recorded_log_is_listed_with_how_it_came_about():
    listed = (RECORDED / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in RECORDED.iterdir() if f"`{path.name}`" not in listed] == ["README.md"]


@pytest.mark.parametrize("name", LOGS)
def test_no_other_format_takes_a_recorded_log_for_its_own(name):
    """Each is heard the same with all formats as with the one it is of."""
    own = OF.get(name) or next(known_format for known_format in known() if name.startswith(known_format))
    said = heard(recorded(name))
    assert columns(said)
    assert heard(recorded(name), formats=[own]) == said


@given(st.data())
@pytest.mark.parametrize("name", LOGS)
def test_a_log_cut_anywhere_says_the_beginning_of_what_the_whole_says(name, data):
    raw = recorded(name)
    cut = data.draw(st.integers(0, len(raw)))
    lines, listener, whole = Lines(), Listener(), Listener()
    said = [one for line in lines.feed(raw[:cut]) for one in listener.line(line)]
    every = [one for line in Lines().feed(raw) for one in whole.line(line)]
    assert said == every[: len(said)]
    listener.line(lines.rest())  # half a line does no harm
    listener.end()


@given(st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=40)), max_size=30).map(b"".join))
def test_noise_never_raises_and_never_gives_what_is_no_number(noise):
    for listener in (Listener(), Listener(pattern=r"(?P<loss>\S+)")):
        said = [one for line in Lines().feed(noise) for one in listener.line(line)]
        said += [*listener.line(noise), *listener.file(noise), *listener.end()]
        assert all(isinstance(one, (Found, Case, str)) for one in said)
        assert all(isfinite(one.value) or one.metric in KEPT_AS_IS for one in said if isinstance(one, Found))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=8,
)  # fmt: skip


@given(st.data())
@pytest.mark.parametrize(
    "name", ["aiperf.json", "fio.log", "guidellm.json", "vllm_serve_detailed.json", "sglang.jsonl"]
)
def test_a_document_that_holds_other_things_than_it_should_never_raises(name, data):
    raw = recorded(name)
    document = inner = json.loads(raw[raw.index(b"{") :])
    for _ in range(data.draw(st.integers(1, 5))):
        key = data.draw(st.sampled_from(sorted(inner) if isinstance(inner, dict) else range(len(inner))))
        if not isinstance(inner[key], (dict, list)) or not inner[key] or data.draw(st.booleans()):
            inner[key] = data.draw(JSON)
            break
        inner = inner[key]
    Listener().document(document)


@given(st.binary(max_size=200), st.data())
def test_lines_are_the_same_however_they_come(raw, data):
    whole, pieces = Lines(), Lines()
    cut = data.draw(st.integers(0, len(raw)))
    assert [*whole.feed(raw), whole.rest()] == [*pieces.feed(raw[:cut]), *pieces.feed(raw[cut:]), pieces.rest()]


def test_a_json_line_is_numbers_by_metric_name():
    said = heard(
        b'{"step": 3, "loss": 2.5, "tokens": 4096, "itl_s": [0.01, 0.02], "lr": 1e-3, "note": "warm", "rank": 2}\n'
    )
    assert said == [
        Found("loss", 2.5, 3, "", 2), Found("tokens", 4096.0, 3, "", 2), Found("itl_s", 0.01, 3, "", 2),
        Found("itl_s", 0.02, 3, "", 2), Found("learning_rate", 1e-3, 3, "", 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        '{"level": 30, "time": 1531171074631, "pid": 657, "msg": "listening", "port": 8000}',
        '{"hidden_size": 4096, "num_layers": 32}',
        '{"step": 3, "loss": 9.5, "warmup": true}',
        '{"event": "end", "case": "a"}',
        '{"event":"check","name":"n","passed":false,"text":"t","step":3}',
        "{}",
    ],
)
def test_logs_and_settings_in_json_are_no_metrics(line):
    assert heard(line.encode() + b"\n") == []


def test_the_events_of_a_structured_log_are_beside_its_numbers():
    assert heard(b'{"event": "epoch finished", "level": "info", "step": 3, "loss": 2.5}\n') == [Found("loss", 2.5, 3)]


def test_half_a_letter_is_read_as_a_question_mark():
    said = heard(b'{"step": 3, "case": "a\\ud800", "loss": 2.5, "note": "\\u00e9"}\n')
    assert said == [Found("loss", 2.5, 3, "a?")]


def test_settings_printed_over_many_lines_are_no_metrics():
    text = json.dumps({"batch_tokens": 4096, "optimizer": {"lr": 1e-3}}, indent=2)
    assert heard(f"{text}\nstep done\n".encode()) == []


def test_a_program_in_any_language_can_say_what_its_cases_are():
    begin = {
        "event": "begin",
        "case": {"name": "a", "kind": "matmul", "flop": 16, "shape": [2, 2, 2]},
        "number": 1,
        "of": 2,
    }
    warning = {"event": "warning", "text": "the fan is loud"}
    said = heard("\n".join(json.dumps(line) for line in (begin, {"case": "a", "time_s": 1e-3}, warning)).encode())
    assert cases(said) == {"a": Case(name="a", kind="matmul", flop=16.0, shape=(2, 2, 2))}
    assert values(said, "time_s", "a") == [1e-3]
    assert warnings(said) == ["the fan is loud"]


def test_nan_is_told_of_once_and_kept_out_but_of_a_loss():
    lines = "".join(f'{{"step": {n}, "loss": {"NaN" if n >= 17 else 2.0}, "lr": NaN}}\n' for n in range(15, 30))
    said = heard(lines.encode())
    assert values(said, "loss")[:2] == [2.0, 2.0]
    assert list(map(isnan, values(said, "loss")[2:])) == [True] * 13
    assert values(said, "learning_rate") == []
    assert warnings(said) == ["learning_rate is NaN from step 15 on", "loss is NaN from step 17 on"]
    assert warnings(heard(b"{'loss': inf, 'epoch': 1}\n{'loss': inf, 'epoch': 2}\n")) == ["loss is infinite"]


def test_a_line_that_is_not_understood_is_told_of_once_with_its_text():
    said = heard(b':::MLLOG {"key": "eval_accuracy", "val\n:::MLLOG garbage\n:::MLLOG more\nall well\n')
    assert warnings(said) == [
        'MLPerf log (:::MLLOG): a line is not understood: :::MLLOG {"key": "eval_accuracy", "val',
        "MLPerf log (:::MLLOG): 2 more lines not understood",
    ]


def test_a_document_that_is_cut_short_is_told_of():
    raw = recorded("fio.log")
    said = heard(raw[: len(raw) // 2])
    assert warnings(said) == ['JSON: a line is not understood: { "fio version" : "fio-3.33", "timestamp" : 1795733414, '
                              '"timestamp_ms" : 1795733414306,']  # fmt: skip


def test_words_between_the_lines_of_a_document_do_not_swallow_what_follows():
    said = heard(b'{\n  "a": 1,\nTraining starts\n{"step": 1, "loss": 2.0}\n')
    assert values(said, "loss") == [2.0]


def test_every_state_of_a_progress_bar_counts_in_one_endless_line():
    bar = "".join(
        f"\rEpoch 0:  {n}%|█| {n}/100 [00:01<00:01, 9.1it/s, v_num=0, train_loss={n}.5]" for n in range(1, 100)
    )
    assert values(heard(bar.encode()), "loss") == [n + 0.5 for n in range(1, 100)]


def test_ranks_that_torchrun_puts_before_lines_are_heard():
    said = heard(b'[rank1]:{"step": 1, "loss": 2.0}\n[default3]:| Train Device=CSX, Step=1, Loss=2.5\n')
    assert [(one.metric, one.rank) for one in said] == [("loss", 1), ("loss", 3)]


def test_no_line_is_too_long():
    assert heard(b"x" * 10_000_000 + b"\n") == []
    assert heard(b"{'loss': " + b"1" * 1_000_000 + b"}\n") == []
    assert len(heard(json.dumps({"step": 1, "itl_s": [0.01] * 100_000}).encode())) == 100_000


@pytest.mark.parametrize(
    "line",
    [
        "Epoch 0: %|" + "| 1/2 [" * 2300, "Epoch 0: %|| 1/2 [" + "a" * 16000, "{'" + "'a': " * 3200,
        "{'loss': " + "1" * 16000, "| Train Device=" + "a" * 16000,
        "step: 1 " * 1000 + "GiB(" + "a" * 8000, "s): " + "A" * 16000, "step=/global_step=1, " + "a" * 16000,
        "| consumed samples: iteration 1/ 2 |" + "a:1|" * 4000, ":::MLLOG " + "[" * 16000,
        '{"a":' * 2600, '{"a":' + "[" * 16000, "\x1b[" + "1;" * 16000, "[1]:" * 4000 + "{",
    ],
)  # fmt: skip
def test_a_line_that_is_made_to_take_long_does_not(line):
    began = time.perf_counter()
    assert not any(isinstance(one, Found) for one in Listener().line(line))
    assert time.perf_counter() - began < 2.0


def test_words_that_are_no_words_are_heard_around():
    assert values(heard(b"\xff\xfe{'loss': 2.5, 'epoch': 1}\xff\n"), "loss") == [2.5]
    assert Listener().line(b"\xff") == ()


def test_a_file_that_is_too_large_is_refused_in_words(monkeypatch):
    monkeypatch.setattr("assay.measure.listen.LARGEST", 10)
    assert Listener().file(b"{" + b" " * 20 + b"}") == ["a result of 22 bytes is not read: 10 is the most"]


def test_a_format_that_is_not_there_is_an_error_with_the_nearest_name():
    with pytest.raises(InputError, match='no log format is called "megatrom"; did you mean "megatron"'):
        Listener(formats=["megatrom"])
    with pytest.raises(InputError, match="the format pattern needs a pattern"):
        Listener(formats=["pattern"])


def test_a_line_that_says_nothing_costs_little():
    """Less than a microsecond where nobody else works; here others may, so it is held against one search in a text."""
    line = "2025-03-11 09:14:02,123 INFO trainer: finished loading shard 17 of 64 from /data/shards/00017.tar in 12.3 s"
    hear = Listener().line
    one, all_ = (
        min(timeit.repeat(what, number=1000, repeat=30)) for what in (lambda: "GiB(" in line, lambda: hear(line))
    )
    assert hear(line) == ()
    assert all_ < 25 * one
