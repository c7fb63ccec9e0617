"""What the load generator reads, and what it makes of its options: no server is needed to see that."""

from __future__ import annotations

import json
import random
import statistics
from itertools import islice, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.measure.serving import beside, command

http, parse, plans, tallies = (beside(f"serve_{name}") for name in ("http", "parse", "plan", "tally"))
DEFAULTS = {name: default for name, (default, _) in beside("serve").OPTIONS.items()}


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The same bytes in pieces."""
    ends = sorted({p % (len(data) + 1) for p in places} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(ends)]


# --- HTTP ----------------------------------------------------------------------------------------------------------

PLACES = st.lists(st.integers(0, 10_000), max_size=30)


@given(st.lists(st.binary(min_size=1, max_size=80), max_size=8), PLACES, st.booleans(), st.booleans())
def test_a_chunked_answer_is_the_same_wherever_it_is_cut(chunks, places, interim, trailer):
    framed = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(c), c) for c in chunks) + b"0\r\n"
    framed += b"X-Sum: 1\r\n\r\n" if trailer else b"\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n"
    answer, body = http.Response(), b""
    pieces = cut((b"HTTP/1.1 100 Continue\r\n\r\n" if interim else b"") + head + framed, places)
    for i, piece in enumerate(pieces):
        assert not answer.complete, (i, pieces)
        body += answer.feed(piece)
    assert answer.complete
    assert answer.keep
    assert body == b"".join(chunks)


@given(st.binary(max_size=200), PLACES, st.booleans())
def test_an_answer_of_known_length_ends_with_it_and_more_than_that_spoils_the_connection(body, places, more):
    answer, got = http.Response(), b""
    whole = b"HTTP/1.1 503 no\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    for piece in cut(whole + (b"x" if more else b""), places):
        got += answer.feed(piece)
    assert (answer.status, answer.complete, got) == (503, True, body)
    assert answer.keep is not more


def test_an_answer_that_lasts_until_the_server_closes_ends_there_and_a_cut_one_does_not():
    endless, cut_short = http.Response(), http.Response()
    assert endless.feed(b"HTTP/1.1 200 OK\r\n\r\nabc") == b"abc"
    assert endless.closed()
    cut_short.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    assert not cut_short.closed()
    assert not endless.keep


@given(st.one_of(st.binary(max_size=300), st.binary(max_size=200).map(lambda b: b"HTTP/1.1 200 OK\r\n" + b)), PLACES)
def test_whatever_a_server_sends_is_an_answer_or_malformed(data, places):
    answer = http.Response()
    try:
        for piece in cut(data, places):
            answer.feed(piece)
    except http.Malformed as error:
        assert len(str(error)) < 400


@pytest.mark.parametrize("bad", ["", "localhost:8000", "ftp://x/v1", "http://", "http://a:99999", "http://a b/v1"])
def test_an_address_that_is_none_is_refused_with_one_that_is(bad):
    with pytest.raises(SystemExit, match="write url=http://HOST:PORT/v1"):
        http.target(bad)


def test_an_address_says_where_and_how():
    assert http.target("https://api.example.com/openai/v1/") == (
        "api.example.com",
        443,
        True,
        "api.example.com",
        "/openai/v1",
    )
    assert http.target("http://[::1]:8000") == ("::1", 8000, False, "[::1]:8000", "/v1")


# --- server-sent events --------------------------------------------------------------------------------------------

LINE = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=20)
EVENT = st.tuples(st.lists(LINE, min_size=1, max_size=3), st.lists(LINE, max_size=2), st.booleans())


@given(st.lists(EVENT, max_size=8), st.sampled_from(["\n", "\r\n", "\r"]), PLACES)
def test_events_are_the_same_wherever_they_are_cut_and_each_has_come_when_its_last_byte_has(events, newline, places):
    """Several lines of data, comments, event names, any line end; piece k comes at k seconds."""
    text, wanted, ends = b"", [], []
    for lines, comments, named in events:
        said = (
            [f": {c}" for c in comments] + (["event: message"] if named else []) + [f"data: {line}" for line in lines]
        )
        text += (newline.join(said) + newline * 2).encode()
        wanted.append("\n".join(lines).encode())
        ends.append(len(text))
    pieces = cut(text, places)
    at, reach = [], 0
    for piece in pieces:
        reach += len(piece)
        at.append(reach)
    found = list(parse.events([float(i) for i in range(len(pieces))], pieces))
    assert [data for _, data in found] == wanted
    assert [when for when, _ in found] == [next(float(i) for i, r in enumerate(at) if r >= end) for end in ends]


def stream(*chunks: Any) -> list[bytes]:
    return [f"data: {c if isinstance(c, str) else json.dumps(c)}\n\n".encode() for c in chunks]


def delta(**said: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": said}]}


END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}


@pytest.mark.parametrize(
    "first",
    [
        delta(content="x"), delta(reasoning_content="x"), delta(reasoning="x"), delta(content=None, refusal="no"),
        delta(tool_calls=[{"index": 0, "function": {"name": "f"}}]), {"choices": [{"index": 0, "text": "x"}]},
    ],
)  # fmt: skip
def test_the_first_token_is_the_first_event_with_content(first):
    pieces = stream(delta(role="assistant", content=""), delta(content=None), first, delta(content=" y"), END, "[DONE]")
    answer = parse.streamed([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], pieces)
    assert (answer.token_at_s, answer.fault) == ((3.0, 4.0), "")


def test_usage_comes_in_an_event_of_its_own_or_grows_from_one_to_the_next():
    last = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}
    growing = delta(content="x") | {"usage": {"prompt_tokens": 7, "completion_tokens": 1}}
    for pieces in (stream(delta(content="x"), delta(content="y"), END, last, "[DONE]"), stream(growing, END, last)):
        answer = parse.streamed([float(i) for i in range(len(pieces))], pieces)
        assert (answer.input_tokens, answer.output_tokens, answer.fault) == (7, 2, "")


@pytest.mark.parametrize(
    ("chunks", "fault"),
    [
        ((delta(content="x"), "{"), "malformed stream"),
        ((delta(content="x"), "17"), "malformed stream"),
        ((delta(content="x"),), "stream without an end"),
        ((END, "[DONE]"), "empty answer"),
        (("[DONE]",), "empty answer"),
        ((delta(content="x"), {"error": {"message": "out of blocks"}}, "[DONE]"), "error in stream"),
        ((delta(content="x"), {"object": "error", "message": "out of blocks"}), "error in stream"),
    ],
)
def test_a_stream_that_is_no_answer_is_told_by_kind(chunks, fault):
    pieces = stream(*chunks)
    answer = parse.streamed([0.0] * len(pieces), pieces)
    assert answer.fault == fault
    assert answer.output_tokens is None


@given(st.lists(st.binary(max_size=120), min_size=1, max_size=5))
def test_no_stream_can_break_the_reader(pieces):
    parse.streamed([0.0] * len(pieces), pieces)
    parse.whole(b"".join(pieces))


# --- the plan ------------------------------------------------------------------------------------------------------


def plan(**options: object) -> dict[str, Any]:
    read: dict[str, Any] = plans.read(DEFAULTS | {k: str(v) for k, v in options.items()})
    return read | {"rate": (read["rates"] or [None])[0], "model": "m"}


def test_the_same_seed_asks_the_same_and_another_seed_does_not():
    def first(seed: int) -> list[Any]:
        return list(islice(plans.asks(plan(rate=5, seed=seed, input_tokens="lognormal median=50 sigma=1")), 50))

    assert first(1) == first(1)
    assert first(1) != first(2)
    assert len({ask.body["messages"][0]["content"].split()[0] for ask in first(1)}) == 50  # none begins like another


@given(st.integers(1, 300_000))
def test_a_prompt_has_the_words_that_were_asked_for(length):
    (ask,) = islice(plans.asks(plan(input_tokens=length, api="completions")), 1)
    assert len(ask.body["prompt"].split()) == length


@pytest.mark.parametrize("arrival", ["poisson", "constant"])
def test_arrivals_come_at_the_asked_rate_and_poissons_are_as_irregular_as_they_should_be(arrival):
    at_s = [ask.at_s for ask in islice(plans.asks(plan(rate=40, arrival=arrival, input_tokens=1)), 4000)]
    gaps = [b - a for a, b in pairwise(at_s)]
    assert statistics.fmean(gaps) == pytest.approx(1 / 40, rel=0.1)
    # An exponential's standard deviation is its mean.
    assert statistics.stdev(gaps) == pytest.approx(1 / 40 if arrival == "poisson" else 0.0, rel=0.1, abs=1e-9)


def test_lengths_are_drawn_as_they_are_written():
    dice = random.Random(0)
    uniform = [plans.sizes("input_tokens", "uniform 100..500").draw(dice) for _ in range(2000)]
    assert (min(uniform), max(uniform)) == (100, 500)
    skewed = [plans.sizes("input_tokens", "lognormal median=512 sigma=1").draw(dice) for _ in range(4000)]
    assert statistics.median(skewed) == pytest.approx(512, rel=0.1)
    assert min(skewed) >= 1


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("input_tokens", "0"), ("input_tokens", "uniform 9..3"), ("output_tokens", "lognormal median=5"),
        ("rate", "fast"), ("rate", "-1"), ("rate", "0"), ("rate", "nan"), ("concurrency", "2.5"), ("requests", "1e9"),
        ("arrival", "bursty"), ("arrival", "trace"), ("arrival", "trace /nowhere"), ("api", "responses"),
        ("stream", "perhaps"), ("prompts", "/nowhere"), ("key_env", "NO_SUCH_VARIABLE"), ("slo_ttft_s", "1s"),
        ("temperature", "hot"), ("seed", "x"), ("timeout_s", "inf"), ("processes", "-2"),
    ],
)  # fmt: skip
def test_an_option_that_cannot_be_used_is_named_with_what_to_write(option, value):
    with pytest.raises(SystemExit, match=rf"^{option}: .*; (write|name) "):
        plan(**{option: value})


def test_a_load_has_one_shape():
    with pytest.raises(SystemExit, match="one load has one shape"):
        plan(rate=1, concurrency=2)
    assert plan()["concurrencies"] == [8]


def test_a_prompt_file_is_read_line_by_line_and_a_bad_line_is_named(tmp_path):
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"prompt": "one"}\n\n{"messages": [{"role": "user", "content": "two"}], "output_tokens": 3}\n')
    asks = list(islice(plans.asks(plan(prompts=file, output_tokens=9)), 3))
    assert [ask.body["messages"][0]["content"] for ask in asks] == ["one", "two", "one"]
    assert [ask.output_tokens for ask in asks] == [9, 3, 9]
    file.write_text('{"prompt": "one"}\n{"question": "two"}\n')
    with pytest.raises(SystemExit, match=r"line 2: .*holds no prompt"):
        plan(prompts=file)


def test_an_unknown_option_is_refused_before_anything_is_sent():
    assert json.loads(command(1)[3])["options"].keys() <= DEFAULTS.keys()
    assert all(isinstance(default, str) and help_ for default, help_ in beside("serve").OPTIONS.values())


@given(st.lists(st.floats(0, 10), min_size=1, max_size=50), st.floats(0.01, 0.99))
def test_a_quantile_is_one_of_the_values_and_no_more_than_its_share_lies_above(values, p):
    found = tallies.quantile(values, p)
    assert found in values
    assert sum(v > found for v in values) <= (1 - p) * len(values) + 1e-9
