"""GuideLLM's report (JSON, as 0.8 writes it): each load, its figures, and its requests.

Its inter_token_latency is (last - first token) / (tokens - 1) of a request: our `tpot_s`. Its time_per_output_token
takes the wait for the first token in and is `tpot_first_included_s` here. TTFT and latency begin when a request is
sent; a connection that is new is made within them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from assay.measure.found import Found, Said
from assay.measure.words import Names, figure, named, number
from assay.run import Case

NAME, TITLE = "guidellm", "GuideLLM"

REQUEST: Names = {
    "time_to_first_token_ms": ("ttft_s", 1e-3),
    "inter_token_latency_ms": ("tpot_s", 1e-3),
    "time_per_output_token_ms": ("tpot_first_included_s", 1e-3),
    "request_latency": ("request_s", 1),
    "prompt_tokens": ("input_tokens", 1),
    "output_tokens": ("output_tokens", 1),
}
TIMES = ("time_to_first_token_ms", "inter_token_latency_ms", "time_per_output_token_ms", "request_latency")
RATES: Names = {
    "requests_per_second": ("requests_per_s", 1),
    "output_tokens_per_second": ("output_tokens_per_s", 1),
    "tokens_per_second": ("total_tokens_per_s", 1),
}
PERCENTILES = ("p50", "p90", "p95", "p99")


def document(raw: Mapping[str, Any]) -> list[Said] | None:
    """Every benchmark of a report."""
    if "guidellm_version" not in (raw.get("metadata") or {}) or not isinstance(raw.get("benchmarks"), list):
        return None
    return [said for benchmark in raw["benchmarks"] for said in _benchmark(benchmark)]


def _benchmark(told: Mapping[str, Any]) -> Iterator[Said]:
    strategy = told["config"]["strategy"]
    load = next((strategy[key] for key in ("streams", "rate", "max_concurrency") if strategy.get(key)), "")
    case = f"{strategy['type_']} {load}".strip()
    yield Case(name=case, kind="request", library="http", device="server")
    metrics = told["metrics"]
    for key, (metric, unit) in RATES.items():
        yield from named([("mean", _of(metrics, key).get("mean"))], {"mean": (metric, unit)}, case=case)
    for key in TIMES:
        metric, unit = REQUEST[key]
        figures = {"mean": _of(metrics, key).get("mean"), **(_of(metrics, key).get("percentiles") or {})}
        for which in ("mean", *PERCENTILES):
            if (value := number(figures.get(which))) is not None:
                yield Found(figure(metric, which), value * unit, case=case)
    for index, request in enumerate((told.get("requests") or {}).get("successful") or ()):
        yield from named(((key, request.get(key)) for key in REQUEST), REQUEST, index=index, case=case)
    yield from (f"GuideLLM, {case}: {warning['message']}" for warning in told.get("warnings") or ())


def _of(metrics: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The distribution over requests that succeeded."""
    return (metrics.get(key) or {}).get("successful") or {}
