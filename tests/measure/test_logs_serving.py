"""Results of serving benchmarks: the same word is the same number, or it has another name."""

from __future__ import annotations

import json
from statistics import mean, median

import pytest
from tests.measure.logs import cases, columns, heard, recorded, values, warnings

from assay.measure.listen import Listener

# The server that the recorded tools asked: first token after 50 ms, one every 10 ms after it, 8 tokens an answer.
TTFT_S, TPOT_S, TOKENS = 0.050, 0.010, 8


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("vllm_serve_detailed.json", ""),
        ("sglang_detailed.jsonl", ""),
        ("aiperf_requests.jsonl", ""),
        ("guidellm.json", "concurrent 2"),
    ],
)
def test_every_tools_tpot_leaves_the_first_token_out(name, case):
    """One server, four tools: with the wait for the first token in it, it would be 15 ms and more."""
    said = Listener().file(recorded(name))
    assert 0.8 * TPOT_S < median(values(said, "tpot_s", case)) < 1.2 * TPOT_S  # each was recorded on a busy machine
    assert all(ttft_s >= 0.9 * TTFT_S for ttft_s in values(said, "ttft_s", case))
    for ttft_s, tpot_s, tokens, request_s in zip(
        *(values(said, metric, case) for metric in ("ttft_s", "tpot_s", "output_tokens", "request_s")), strict=True
    ):
        assert request_s == pytest.approx(ttft_s + (tokens - 1) * tpot_s, abs=0.003)


def test_guidellms_own_tpot_has_another_name():
    said = Listener().file(recorded("guidellm.json"))
    assert min(values(said, "tpot_first_included_s", "concurrent 2")) > 1.5 * TPOT_S
    assert cases(said)["concurrent 2"].kind == "request"
    assert values(said, "requests_per_s", "concurrent 2") == [pytest.approx(12.4768, rel=1e-4)]
    assert values(said, "ttft_p50_s", "concurrent 2") == [pytest.approx(0.0633, rel=1e-3)]
    assert warnings(said)[0].startswith("GuideLLM, concurrent 2: mean generation delay was 7%")


def test_figures_that_a_tool_worked_out_are_no_samples():
    said = Listener().file(recorded("vllm_serve.json"))
    assert {m for _, m in columns(said)} & {"ttft_s", "tpot_s", "itl_s", "request_s"} == set()
    raw = json.loads(recorded("vllm_serve.json"))
    assert values(said, "ttft_p99_s") == [raw["p99_ttft_ms"] / 1e3]
    assert values(said, "ttft_p50_s") == [raw["median_ttft_ms"] / 1e3]
    assert values(said, "output_tokens_per_s") == [raw["output_throughput"]]
    assert "max_concurrency 2" in cases(said)[""].note


def test_vllms_detailed_requests_come_to_vllms_own_figures():
    said = Listener().file(recorded("vllm_serve_detailed.json"))
    assert mean(values(said, "tpot_s")) == pytest.approx(values(said, "tpot_mean_s")[0], rel=1e-3)
    assert mean(values(said, "ttft_s")) == pytest.approx(values(said, "ttft_mean_s")[0], rel=1e-3)
    assert len(values(said, "itl_s")) == 12 * (TOKENS - 1)
    assert values(said, "goodput_requests_per_s") == values(said, "requests_per_s")


def test_chunks_of_several_tokens_are_no_tokens_and_failed_requests_are_none():
    raw = json.loads(recorded("vllm_serve_detailed.json"))
    raw["itls"][0], raw["errors"][1] = [0.02, 0.05], "connection reset"
    said = Listener().document(raw)
    assert values(said, "chunk_gap_s") == [0.02, 0.05]
    assert len(values(said, "ttft_s")) == 11
    assert values(said, "tpot_s")[0] == pytest.approx(0.07 / (TOKENS - 1))


@pytest.mark.parametrize(
    ("log", "document"), [("vllm_serve.log", "vllm_serve_detailed.json"), ("sglang.log", "sglang_detailed.jsonl")]
)
def test_the_printed_table_says_what_the_file_says(log, document):
    printed, saved = columns(heard(recorded(log))), columns(Listener().file(recorded(document)))
    assert {"requests_per_s", "ttft_p99_s", "tpot_mean_s", "itl_p50_s", "request_mean_s"} <= {m for _, m in printed}
    for (case, metric), rows in printed.items():
        last_digit = 0.006 if metric.endswith("per_s") or metric == "duration_s" else 6e-6  # the table's, in ms or 1/s
        assert [v for _, v in rows] == [pytest.approx(v, abs=last_digit) for _, v in saved[case, metric]]


def test_offline_throughput_and_batch_latency():
    assert columns(Listener().file(recorded("vllm_throughput.json"))) == {
        ("", "duration_s"): [(None, 41.37)],
        ("", "requests_per_s"): [(None, pytest.approx(24.1721, rel=1e-5))],
        ("", "total_tokens_per_s"): [(None, pytest.approx(9996.108, rel=1e-5))],
    }
    said = Listener().file(recorded("vllm_latency.json"))
    assert values(said, "time_s") == [1.014, 1.016, 1.02, 1.015]
    assert values(said, "time_p99_s") == [1.01988]


def test_a_client_that_counts_other_tokens_than_the_server_is_told_of():
    said = Listener().file(recorded("aiperf.json"))
    assert warnings(said) == [
        "aiperf counted 9 output tokens a request where the server says 8; its figures that rest on them are left out: "
        "is it the right tokenizer?"
    ]
    assert {m for _, m in columns(said)} & {"output_tokens_per_s", "tpot_mean_s"} == set()
    assert values(said, "ttft_p50_s") == [pytest.approx(0.0861, rel=1e-3)]
    assert (
        "SGLang's client counted 75 output tokens where the server says 63"
        in warnings(heard(recorded("sglang.jsonl")))[0]
    )


def test_aiperf_makes_its_connection_within_the_ttft_and_it_is_taken_off():
    first = json.loads(recorded("aiperf_requests.jsonl").splitlines()[0])["metrics"]
    said = heard(recorded("aiperf_requests.jsonl"))
    connecting_ms = first["http_req_connection_overhead"]["value"]
    assert connecting_ms > 30
    assert values(said, "ttft_s")[0] == pytest.approx((first["time_to_first_token"]["value"] - connecting_ms) / 1e3)
    assert values(said, "output_tokens") == [8.0] * 8  # the server's, not the client's 9
