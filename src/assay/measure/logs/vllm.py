"""vLLM's benchmarks: results of `vllm bench serve` (--save-detailed or not), throughput and latency; its table.

TTFT runs from before the request is sent, so that it holds the set-up of a connection where one is new. TPOT is
(latency - TTFT) / (output tokens - 1), as ours is. A stream's chunk may hold several tokens: gaps between chunks count
as `itl_s` only where a request had as many chunks as tokens, else as `chunk_gap_s`. Requests that failed are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from assay.measure.found import Found, Reader, Said
from assay.measure.words import NUMBER, Names, figure, named, number
from assay.run import Case

NAME, TITLE = "vllm", "vLLM's benchmarks (and the table of SGLang's)"
MARKS = ("s): ",)  # (ms), (req/s), (tok/s), (s)

NAMES: Names = {
    "request_throughput": ("requests_per_s", 1),
    "request_goodput": ("goodput_requests_per_s", 1),
    "output_throughput": ("output_tokens_per_s", 1),
    "total_token_throughput": ("total_tokens_per_s", 1),
    "total_throughput": ("total_tokens_per_s", 1),  # SGLang's name
    "input_throughput": ("input_tokens_per_s", 1),
    "completed": ("completed_requests", 1),
    "failed": ("failed_requests", 1),
    "duration": ("duration_s", 1),
}
OFFLINE: Names = {  # vllm bench throughput
    "requests_per_second": ("requests_per_s", 1),
    "tokens_per_second": ("total_tokens_per_s", 1),
    "elapsed_time": ("duration_s", 1),
}
TIMES = {"ttft": "ttft_s", "tpot": "tpot_s", "itl": "itl_s", "e2el": "request_s", "e2e_latency": "request_s"}
LOAD = ("backend", "num_prompts", "request_rate", "burstiness", "max_concurrency")
TABLE: Names = {
    "Request throughput (req/s)": NAMES["request_throughput"],
    "Request goodput (req/s)": NAMES["request_goodput"],
    "Output token throughput (tok/s)": NAMES["output_throughput"],
    "Total token throughput (tok/s)": NAMES["total_token_throughput"],
    "Total Token throughput (tok/s)": NAMES["total_token_throughput"],
    "Benchmark duration (s)": NAMES["duration"],
}

_FIGURE = re.compile(r"(mean|median|p\d+(?:\.\d+)?)_(ttft|tpot|itl|e2el|e2e_latency)_ms")
_ROW = re.compile(rf"\s*([A-Z][\w .]+\((?:ms|s|req/s|tok/s)\)):\s+({NUMBER})\s*$")
_CELL = re.compile(r"(Mean|Median|P\d+(?:\.\d+)?) (TTFT|TPOT|ITL|E2EL|E2E Latency) \(ms\)")


def document(raw: Mapping[str, Any]) -> list[Said] | None:
    """What one result file holds."""
    if "request_throughput" in raw and "total_token_throughput" in raw:
        return list(serving(raw))
    if "elapsed_time" in raw and "requests_per_second" in raw:
        return list(named(raw.items(), OFFLINE))
    if "avg_latency" in raw and "latencies" in raw:
        return list(_latency(raw))
    return None


def serving(raw: Mapping[str, Any]) -> Iterator[Said]:
    """The load, the figures, and each request where they were saved."""
    note = ", ".join(f"{key} {raw[key]}" for key in LOAD if raw.get(key) is not None)
    yield Case(name="", kind="request", library="http", device="server", note=note)
    yield from named(raw.items(), NAMES)
    for key, value in raw.items():
        match = _FIGURE.fullmatch(key)
        if match and not (match[1] == "p50" and f"median_{match[2]}_ms" in raw):
            yield from _figure(TIMES[match[2]], match[1], value)
    if isinstance(raw.get("ttfts"), list):
        yield from _requests(raw)


def reader(command: tuple[str, ...]) -> Reader:
    """The table that is printed at the end."""

    def line(line: str) -> Iterator[Said]:
        if not (row := _ROW.match(line)):
            return
        yield from named([(row[1], row[2])], TABLE)
        cell = _CELL.fullmatch(row[1])
        if cell and cell[1] != "P50":  # it is the median, which has its own row
            yield from _figure(TIMES[cell[2].lower().replace(" ", "_")], cell[1].lower(), row[2])

    return line


def _figure(metric: str, which: str, value_ms: object) -> Iterator[Found]:
    found = number(value_ms)
    if found is not None:
        yield Found(figure(metric, "p50" if which == "median" else which), found / 1e3)


def _requests(raw: Mapping[str, Any]) -> Iterator[Found]:
    columns = (
        raw["ttfts"],
        raw["itls"],
        raw["input_lens"],
        raw["output_lens"],
        raw.get("errors") or [""] * len(raw["ttfts"]),
    )
    for index, (ttft_s, gaps_s, tokens_in, tokens_out, error) in enumerate(zip(*columns, strict=False)):
        if error or not tokens_out:
            continue
        yield Found("ttft_s", float(ttft_s), index)
        yield Found("request_s", float(ttft_s) + sum(gaps_s), index)
        yield Found("input_tokens", float(tokens_in), index)
        yield Found("output_tokens", float(tokens_out), index)
        if tokens_out > 1 and gaps_s:
            yield Found("tpot_s", sum(gaps_s) / (tokens_out - 1), index)
        gap = "itl_s" if len(gaps_s) == tokens_out - 1 else "chunk_gap_s"
        yield from (Found(gap, float(gap_s), index) for gap_s in gaps_s)


def _latency(raw: Mapping[str, Any]) -> Iterator[Said]:
    """`vllm bench latency`: a repetition is one batch, from prompt to last token."""
    yield from (Found("time_s", float(time_s), index) for index, time_s in enumerate(raw["latencies"]))
    yield Found(figure("time_s", "mean"), float(raw["avg_latency"]))
    for percent, time_s in (raw.get("percentiles") or {}).items():
        yield Found(figure("time_s", f"p{percent}"), float(time_s))
