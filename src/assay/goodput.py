"""Goodput: what of a load was served as well as was asked for; from a run's own samples, so any level can be tried.

A request is good if it met every level that was asked for (Zhong et al., DistServe, OSDI 2024, section 2). Rates are
taken over the window from the sending of the first request that counts to the end of the last: the load is whole in it,
since it is kept up with requests that do not count. Each request, counting or not, adds the share of its answer (from
its first token to its end) that came in the window, so that it matters little where the window begins and ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from assay.series import Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodput:
    """One case of a load, in figures."""

    good_requests: int  # that count, and met every level
    answered_requests: int  # that count
    failed_requests: int
    window_s: float
    requests_per_s: float
    goodput_requests_per_s: float
    output_tokens_per_s: float

    @property
    def attained(self) -> float:
        """Share of the requests that count which met every level; one that failed met none."""
        return self.good_requests / max(1, self.answered_requests + self.failed_requests)


def goodput(
    series: Iterable[Series], *, ttft_s: float = math.inf, tpot_s: float = math.inf, request_s: float = math.inf
) -> Goodput | None:
    """What one case of a load came to at these service levels; None where no request that counts was answered.

    An open loop's `send_lag_s` is added: a user waits from the moment that was planned. A level that a request has no
    figure for (one of a single token has no time per token) is met.
    """
    rows = _rows(series)
    failed = sum(int(row["failed_requests"]) for row in rows.values() if "failed_requests" in row)
    asked = [row for row in rows.values() if "request_s" in row]
    counted = [row for row in asked if not row["warmup"]]
    if not counted:
        return None
    begin, end = min(row["at_s"] - row["request_s"] for row in counted), max(row["at_s"] for row in counted)
    window_s = end - begin
    if not window_s:
        return None
    levels = {"ttft_s": ttft_s, "tpot_s": tpot_s, "request_s": request_s}
    served = [(row, _share(row, begin, end), _good(row, levels)) for row in asked]
    return Goodput(
        good_requests=sum(good for row, _, good in served if not row["warmup"]),
        answered_requests=len(counted),
        failed_requests=failed,
        window_s=window_s,
        requests_per_s=math.fsum(share for _, share, _ in served) / window_s,
        goodput_requests_per_s=math.fsum(share for _, share, good in served if good) / window_s,
        output_tokens_per_s=math.fsum(row.get("output_tokens", 0.0) * share for row, share, _ in served) / window_s,
    )


def levels(settings: Mapping[str, str]) -> dict[str, float]:
    """The service levels that a run's settings ask for, as `goodput` takes them."""
    found = {}
    for name in ("ttft_s", "tpot_s", "request_s"):
        with suppress(ValueError):
            found[name] = float(settings.get(f"slo_{name}", ""))
    return {name: level for name, level in found.items() if math.isfinite(level)}


def _rows(series: Iterable[Series]) -> dict[tuple[int, int], dict[str, float]]:
    """Samples put together by request: metric -> value, beside when it ended and whether it was warm-up."""
    rows: dict[tuple[int, int], dict[str, float]] = {}
    for one in series:
        if one.metric in _NEEDED:
            for sample in one:
                row = rows.setdefault((sample.rank, sample.index), {})
                row[one.metric] = sample.value
                if one.metric == "request_s":
                    row |= {"at_s": sample.at_s, "warmup": sample.warmup}
    return rows


_NEEDED = {"ttft_s", "tpot_s", "request_s", "send_lag_s", "output_tokens", "failed_requests"}


def _share(row: dict[str, float], begin: float, end: float) -> float:
    """Share of an answer that came in the window, from 0 to 1."""
    last = row["at_s"]
    first = last - row["request_s"] + row.get("ttft_s", 0.0)
    if last <= first:
        return float(begin <= last <= end)
    return max(0.0, min(last, end) - max(first, begin)) / (last - first)


def _good(row: dict[str, float], levels: dict[str, float]) -> bool:
    lag_s = row.get("send_lag_s", 0.0)
    waits = {"ttft_s": lag_s, "request_s": lag_s}
    return all(row[name] + waits.get(name, 0.0) <= most for name, most in levels.items() if name in row)
