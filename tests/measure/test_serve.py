"""The load generator against a server whose timing is known."""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.fakes.openai_server import FAULTS, running
from tests.measure.serving import command, serve

from assay.goodput import goodput
from assay.measure.heard import Heard
from assay.metrics import metric
from assay.series import Sample, gathered

ROOT = hasattr(os, "sched_setscheduler") and os.geteuid() == 0 and shutil.which("chrt") is not None
# With precedence over whatever else runs here, what is tested is the client and not the crowd around it.
FIRST = ("chrt", "-f", "2") if ROOT else ()
EXACT_S = 1e-3 if ROOT else 20e-3


def truth(log: Path) -> dict[int, dict[str, Any]]:
    """What the server really sent when, by the number of the request."""
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    return {int(row["id"].rpartition("-")[2]): row for row in rows if row["id"]}


def quantile(values: Any, p: float) -> float:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(p * len(ranked)))]


# --- truth ---------------------------------------------------------------------------------------------------------


def test_the_client_adds_less_than_a_millisecond_to_what_the_server_did(tmp_path):
    log = tmp_path / "log"
    options = ("--ttft", "0.05", "--itl", "0.01", "--role-first", "--log", str(log))
    with running(*options, before=FIRST) as port:
        done = serve(port, concurrency=16, requests=80, output_tokens=24, realtime=ROOT)
    assert done.code == 0, done.complaint
    ttft_s, itl_s, sent = done.of("ttft_s"), done.of("itl_s"), truth(log)
    assert len(ttft_s) == 80
    first = {n: sent[n]["sent_s"][0] - sent[n]["received_s"] for n in ttft_s}
    assert 0 < statistics.median(ttft_s[n] - first[n] for n in ttft_s) < EXACT_S
    gaps = {n: [b - a for a, b in pairwise(sent[n]["sent_s"])] for n in itl_s}
    assert all(len(itl_s[n]) == 23 for n in itl_s)
    off = [mine - real for n in itl_s for mine, real in zip(itl_s[n], gaps[n], strict=True)]
    assert abs(statistics.median(off)) < EXACT_S / 5
    assert abs(statistics.median(done.of("tpot_s").values()) - 0.01) < EXACT_S / 5


def test_a_stall_is_in_the_tail_of_an_open_loop_and_a_closed_one_says_that_it_hides_it():
    with running("--ttft", "0.002", "--itl", "0.001", "--stall", "0.4", "--stall-every", "1.6", before=FIRST) as port:
        asked = serve(port, rate=60, duration_s=2.5, output_tokens=2, realtime=ROOT)
        waited = serve(port, concurrency=2, duration_s=2.5, output_tokens=2, realtime=ROOT)
    assert quantile(asked.of("ttft_s").values(), 0.99) > 0.3
    assert quantile(waited.of("request_s").values(), 0.99) < 0.1
    assert any("hides stalls" in x["text"] for x in waited.told("warning"))
    assert not any("hides stalls" in x["text"] for x in asked.told("warning"))


def test_an_open_loop_keeps_its_timetable_however_slow_the_answers_are(tmp_path):
    log = tmp_path / "log"
    with running("--ttft", "0.4", "--log", str(log)) as port:
        done = serve(port, rate=50, arrival="constant", requests=40, output_tokens=1)
    sent_s = [row["received_s"] for _, row in sorted(truth(log).items())][:40]
    assert sent_s[-1] - sent_s[0] == pytest.approx(39 / 50, abs=0.1)
    assert len(done.of("send_lag_s")) == 40


def test_a_client_that_cannot_keep_up_says_so():
    with running("--ttft", "0", "--itl", "0") as port:
        done = serve(port, rate=50_000, requests=400, output_tokens=1)
    (check,) = done.told("check", name="client in time")
    assert not check["passed"]
    assert "bottleneck" in check["text"]


def test_two_processes_send_what_one_would():
    with running("--ttft", "0.01", "--itl", "0.001") as port:
        alone = serve(port, rate=100, requests=40, input_tokens="uniform 5..50", output_tokens="uniform 2..9")
        both = serve(
            port, rate=100, requests=40, input_tokens="uniform 5..50", output_tokens="uniform 2..9", processes=2
        )
    for length in ("input_tokens", "output_tokens"):
        assert alone.of(length) == both.of(length)
    assert set(both.of("ttft_s")) == set(range(40))


# --- which requests count ------------------------------------------------------------------------------------------


def test_requests_count_only_while_the_load_is_whole():
    with running("--ttft", "0.02", "--itl", "0.001") as port:
        done = serve(port, concurrency=4, requests=20, warmup_requests=6, output_tokens="uniform 5..60")
    assert set(done.of("request_s")) == set(range(6, 26))
    kept_up = done.of("request_s", warmup=True)
    assert set(range(6)) < set(kept_up)
    assert max(kept_up) >= 26  # the load went on until the last that counts had ended


def test_a_plan_of_several_rates_is_a_case_each_and_a_resumed_run_skips_what_is_done():
    with running("--ttft", "0.005", "--itl", "0.001") as port:
        done = serve(port, {"done": ["rate 100 poisson"]}, rate="50,100,200", requests=10, output_tokens=2)
    assert [x["case"]["name"] for x in done.told("begin")] == ["rate 50 poisson", "rate 200 poisson"]
    assert len(done.of("ttft_s", case="rate 50 poisson")) == len(done.of("ttft_s", case="rate 200 poisson")) == 10


def test_a_trace_is_sent_as_it_was_recorded(tmp_path):
    trace = tmp_path / "trace.jsonl"
    rows = [(0, 5, 3), (150, 40, 2), (200, 7, 6)]
    trace.write_text("".join(
        json.dumps({"timestamp": at + 1000, "input_length": i, "output_length": o}) + "\n" for at, i, o in rows
    ))  # fmt: skip
    log = tmp_path / "log"
    with running("--ttft", "0.01", "--itl", "0.001", "--log", str(log)) as port:
        done = serve(port, arrival=f"trace {trace}")
    assert [done.of("input_tokens")[n] for n in range(3)] == [5, 40, 7]
    assert [done.of("output_tokens")[n] for n in range(3)] == [3, 2, 6]
    sent = truth(log)
    assert sent[2]["received_s"] - sent[0]["received_s"] == pytest.approx(0.2, abs=0.05)


# --- what servers do -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "manner",
    [
        ("--split", "11", "--crlf", "--comments", "--role-first", "--slow-headers"),
        ("--until-close", "--reasoning", "--role-first"),
        ("--idle-close", "0.05"),
    ],
)
def test_the_same_answers_in_another_manner_are_the_same_answers(manner):
    with running("--ttft", "0.03", "--itl", "0.002", *manner) as port:
        done = serve(port, rate=50, requests=20, output_tokens=8)
    assert done.code == 0, done.complaint
    assert set(done.of("output_tokens").values()) == {8}
    # On a crowded host two tokens may come in one piece, with no gap between them.
    assert statistics.mode(len(gaps) for gaps in done.of("itl_s").values()) == 7
    assert min(done.of("ttft_s").values()) > 0.0299  # not the event that only names the role
    assert [x["failed_requests"] for x in done.lines if "failed_requests" in x] == [0]


def test_failures_are_counted_by_kind_and_are_in_no_latency():
    with running("--ttft", "0.01", "--itl", "0.001", "--fault", "each", "--every", "2") as port:
        done = serve(port, rate=100, requests=4 * len(FAULTS), output_tokens=8, timeout_s=0.5)
    kinds = Counter[str]()
    for line in done.told("happened"):
        kind, _, rest = line["text"].partition(": ")
        kinds[kind] = int(rest.split()[0])
    assert set(kinds) == {
        "HTTP 503", "HTTP 429", "reset", "closed early", "malformed stream", "malformed answer", "error in stream",
        "time-out", "empty answer",
    }  # fmt: skip
    (failed,) = [x["failed_requests"] for x in done.lines if "failed_requests" in x]
    assert failed == kinds.total()
    # One that is closed before it is answered was sent again: a server may close a connection that stands idle.
    assert len(done.of("request_s")) + failed == 4 * len(FAULTS)
    assert max(done.of("request_s").values()) < 0.5
    assert any("requests failed" in x["text"] for x in done.told("warning"))


def test_a_load_of_which_nothing_is_answered_is_no_result():
    with running("--ttft", "0.01", "--fault", "error", "--every", "1") as port:
        done = serve(port, concurrency=2, requests=6)
    assert done.code != 0
    assert "not one of 6 requests was answered: HTTP 503: the engine is overloaded" in done.complaint
    assert not done.of("request_s")


@pytest.mark.parametrize(
    ("manner", "counts", "per", "passed", "warning"),
    [
        (("--usage", "right"), "server", "token", [True], ""),
        (("--usage", "none"), "events", "token", [], "without usage"),
        (("--usage", "low"), "server", "token", [False], "counted 40 tokens where 160 events"),
        (("--usage", "high"), "server", "event", [False], "more tokens by the server's count than were asked for"),
        (("--tokens-per-event", "4"), "server", "event", [True], "an event carries 4 tokens"),
    ],
)
def test_tokens_are_the_servers_and_what_does_not_fit_is_said(manner, counts, per, passed, warning):
    with running("--ttft", "0.01", "--itl", "0.002", *manner) as port:
        done = serve(port, rate=100, requests=20, output_tokens=8)
    settings = {x["name"]: x["value"] for x in done.told("setting")}
    assert (settings["token_counts"], settings["itl_per"]) == (counts, per)
    assert [x["passed"] for x in done.told("check", name="token counts")] == passed
    said = " ".join(x["text"] for x in done.told("warning") if "bottleneck" not in x["text"])
    assert warning in said if warning else not said


def test_tpot_is_by_the_servers_tokens_where_an_event_carries_several():
    with running("--ttft", "0.01", "--itl", "0.005", "--tokens-per-event", "4", before=FIRST) as port:
        done = serve(port, rate=50, requests=20, output_tokens=17, realtime=ROOT)
    assert statistics.median(done.of("tpot_s").values()) == pytest.approx(0.005, abs=EXACT_S / 5)
    assert {len(gaps) for gaps in done.of("itl_s").values()} == {4}


def test_an_answer_in_one_piece_has_no_time_to_first_token():
    with running("--ttft", "0.01", "--itl", "0.001") as port:
        done = serve(port, rate=50, requests=10, output_tokens=5, stream="false", api="completions")
    assert len(done.of("request_s")) == len(done.of("output_tokens")) == 10
    assert not done.of("ttft_s")
    assert not any("streamed" in x["text"] for x in done.told("warning"))


def test_a_server_that_does_not_stream_though_it_was_asked_to_is_told_of():
    with running("--ttft", "0.01", "--itl", "0.001", "--whole") as port:
        done = serve(port, rate=50, requests=10, output_tokens=5)
    assert not done.of("ttft_s")
    assert any("10 answers were not streamed" in x["text"] for x in done.told("warning"))


def test_the_key_goes_to_the_server_and_into_no_record(monkeypatch):
    monkeypatch.setenv("SERVE_KEY", "tell-nobody")
    with running("--ttft", "0.01", "--itl", "0.001", "--key", "tell-nobody") as port:
        known = serve(port, rate=50, requests=5, key_env="SERVE_KEY")
        unknown = serve(port, rate=50, requests=5)
    assert len(known.of("ttft_s")) == 5
    assert "tell-nobody" not in json.dumps(known.lines) + known.complaint
    assert unknown.code != 0
    assert "HTTP 401" in unknown.complaint
    assert "key_env=NAME" in unknown.complaint


def test_tls_is_spoken_and_its_handshake_is_in_no_latency(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make a certificate with")
    both, name = tmp_path / "both.pem", ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-keyout",
        both,
        "-out",
        both,
        *name,
    ]
    subprocess.run(make, check=True, capture_output=True)
    with running("--ttft", "0.02", "--itl", "0.001", "--certificate", str(both)) as port:
        options = {"url": f"https://localhost:{port}/v1", "rate": 40, "requests": 10, "output_tokens": 4}
        done = serve(port, env={"SSL_CERT_FILE": str(both)}, **options)
        stranger = serve(port, **options)
    assert len(done.of("ttft_s")) == 10
    connects = [x["connect_s"] for x in done.lines if "connect_s" in x]
    assert min(connects) > 0
    assert stranger.code != 0
    assert "certificate" in stranger.complaint


def test_a_server_that_is_not_there_is_said_at_once():
    done = serve(1, concurrency=2)
    assert done.code != 0
    assert "refused" in done.complaint
    assert "write url=http://HOST:PORT/v1" in done.complaint


# --- the client itself ---------------------------------------------------------------------------------------------


def test_the_client_publishes_what_it_adds_and_the_most_it_can():
    with running("--ttft", "0.01", "--itl", "0.001") as port:
        done = serve(port, rate=50, requests=5, output_tokens=2, floor="true")
    facts = {x["name"]: x["value"] for x in done.told("fact")}
    assert 0 < facts["client_floor_ttft_s"] <= facts["client_floor_ttft_p99_s"] < 0.1
    assert facts["client_max_requests_per_s"] > 100
    assert facts["client_max_tokens_per_s"] > 1000
    assert [(x["case"]["name"], x["number"], x["of"]) for x in done.told("begin")] == [
        ("client floor", 1, 2), ("rate 50 poisson", 2, 2),
    ]  # fmt: skip


def test_what_is_said_is_understood_and_makes_a_goodput():
    """By the process that measures, line by line; at a level of 40 ms none of a server that takes 50 ms is good."""
    samples: list[Sample] = []

    class Sink:
        def sample(self, taken: Iterable[Sample]) -> None:
            samples.extend(taken)

        def say(self, name: str, what: object) -> None:
            pass

    with running("--ttft", "0.05", "--itl", "0.002") as port:
        done = serve(port, rate=50, requests=40, output_tokens=6, floor="true")
    heard = Heard(Sink(), began_s=min(line["at"] for line in done.lines))
    for line in done.lines:
        heard.line(json.dumps(line), line["at"])
    assert not [e for e in heard.events if e.kind == "line"]
    assert list(heard.cases) == ["client floor", "rate 50 poisson"]
    assert heard.settings["token_counts"] == "server"
    series = [s for s in gathered(samples) if s.of == "rate 50 poisson"]
    assert {s.metric for s in series} == {
        "ttft_s", "tpot_s", "itl_s", "request_s", "send_lag_s", "connect_s", "input_tokens", "output_tokens",
        "failed_requests",
    }  # fmt: skip
    assert all(metric(s.metric).group == "stream" for s in series)
    loose, tight = goodput(series), goodput(series, ttft_s=0.04)
    assert loose is not None
    assert tight is not None
    assert loose.requests_per_s == pytest.approx(50, rel=0.4)
    assert loose.output_tokens_per_s == pytest.approx(6 * loose.requests_per_s)
    assert (loose.good_requests, tight.good_requests) == (40, 0)


def test_a_client_whose_parent_is_killed_goes_too():
    with running("--ttft", "0.01", "--itl", "0.01") as port:
        process = subprocess.Popen(command(port, concurrency=2, duration_s=60), stdout=subprocess.PIPE)
        assert process.stdout is not None
        while b"ttft_s" not in process.stdout.readline():
            pass
        clients = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert clients
        _, alive = psutil.wait_procs(clients, timeout=10)
    assert not alive
