"""aiperf (before it genai-perf): profile_export_aiperf.json, and profile_export.jsonl with a line a request.

Its inter_token_latency is (latency - TTFT) / (output tokens - 1): our `tpot_s`. Its inter_chunk_latency are the gaps
between chunks: `itl_s` where a request had as many chunks as tokens, else `chunk_gap_s`. Its TTFT and latency begin
before a connection is made: of single requests that time is taken off, of the summary's figures it cannot be. Tokens
are the server's own count (usage) where there is one. Where the client's count differs from it by more than 5 %, the
figures of the summary that rest on the client's are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from assay.measure.found import Found, Said
from assay.measure.words import figure, number
from assay.run import Case

NAME, TITLE = "aiperf", "aiperf"

UNITS = {"ms": 1e-3, "sec": 1.0, "s": 1.0, "us": 1e-6, "ns": 1e-9}  # others stand for themselves
RATES = {
    "request_throughput": "requests_per_s",
    "goodput": "goodput_requests_per_s",
    "output_token_throughput": "output_tokens_per_s",
    "total_token_throughput": "total_tokens_per_s",
    "completed_request_count": "completed_requests",
    "benchmark_duration": "duration_s",
}
TIMES = {"time_to_first_token": "ttft_s", "inter_token_latency": "tpot_s", "request_latency": "request_s"}
FIGURES = {"avg": "mean", "p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99"}
_BY_TOKENS = {"inter_token_latency", "output_token_throughput", "total_token_throughput"}  # by the client's count
_MOST_APART = 0.05


def document(raw: Mapping[str, Any]) -> list[Said] | None:
    """A summary, or one request of the record."""
    if "aiperf_version" in raw or ("request_throughput" in raw and "input_config" in raw):
        return list(_summary(raw))
    if isinstance(raw.get("metrics"), dict) and "benchmark_phase" in (raw.get("metadata") or {}):
        return list(_request(raw["metadata"], raw["metrics"]))
    return None


def _summary(raw: Mapping[str, Any]) -> Iterator[Said]:
    yield Case(name="", kind="request", library="http", device="server")
    client, server = (_value(raw.get(key), "avg") for key in ("output_sequence_length", "usage_completion_tokens"))
    apart = bool(client and server and abs(client / server - 1) > _MOST_APART)
    if apart:
        yield (f"aiperf counted {client:g} output tokens a request where the server says {server:g}; its figures that "
               "rest on them are left out: is it the right tokenizer?")  # fmt: skip
    for key, metric in RATES.items():
        value = _value(raw.get(key), "avg")
        if value is not None and not (apart and key in _BY_TOKENS):
            yield Found(metric, value)
    for key, metric in TIMES.items():
        for stat, which in FIGURES.items():
            value = _value(raw.get(key), stat)
            if value is not None and not (apart and key in _BY_TOKENS):
                yield Found(figure(metric, which), value)


def _request(about: Mapping[str, Any], metrics: Mapping[str, Any]) -> Iterator[Found]:
    if about["benchmark_phase"] != "profiling" or about.get("was_cancelled"):
        return  # its warm-up, or a request that was cut
    said = {key: _value(metric, "value") for key, metric in metrics.items()}
    index, connecting = int(about["session_num"]), said.get("http_req_connection_overhead") or 0.0
    first, whole = said.get("time_to_first_token"), said.get("request_latency")
    tokens = said.get("usage_completion_tokens", said.get("output_sequence_length"))
    values = {
        "ttft_s": None if first is None else first - connecting,
        "request_s": None if whole is None else whole - connecting,
        "tpot_s": (whole - first) / (tokens - 1) if first and whole and tokens and tokens > 1 else None,
        "input_tokens": said.get("usage_prompt_tokens", said.get("input_sequence_length")),
        "output_tokens": tokens,
    }
    yield from (Found(metric, value, index) for metric, value in values.items() if value is not None)
    gaps = metrics.get("inter_chunk_latency") or {"value": []}
    gap = "itl_s" if tokens and len(gaps["value"]) == tokens - 1 else "chunk_gap_s"
    yield from (Found(gap, float(one) * UNITS[gaps["unit"]], index) for one in gaps["value"])


def _value(metric: object, key: str) -> float | None:
    """One value of a metric, in SI."""
    if not isinstance(metric, Mapping):
        return None
    value = number(metric.get(key))
    return None if value is None else value * UNITS.get(str(metric.get("unit")), 1.0)
