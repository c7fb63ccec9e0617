"""fio with --output-format=json, on standard output or in a file; what it says before the JSON does no harm.

One case a job and direction. Rates are fio's own (bytes and operations over the time of the job); latencies are those
of completion (clat), and figures that fio worked out, so they are named as such: operation_p99_s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from assay.measure.found import Found, Said
from assay.measure.words import figure, number
from assay.run import Case

NAME, TITLE = "fio", "fio (JSON)"

DIRECTIONS = ("read", "write", "trim")
RATES = {"bw_bytes": "bytes_per_s", "iops": "operations_per_s"}
PERCENTILES = {"50.000000": "p50", "90.000000": "p90", "95.000000": "p95", "99.000000": "p99", "99.900000": "p99.9"}

_BLOCK = re.compile(r"(\d{1,15})([kmg]?)", re.IGNORECASE)


def document(raw: Mapping[str, Any]) -> list[Said] | None:
    """Every job that read or wrote anything."""
    if "fio version" not in raw or "jobs" not in raw:
        return None
    return [said for job in raw["jobs"] for said in _job(job, {**raw.get("global options", {}), **job["job options"]})]


def _job(job: Mapping[str, Any], options: Mapping[str, str]) -> Iterator[Said]:
    if job.get("error"):
        yield f"fio: job {job['jobname']} ended with error {job['error']}"
    for direction in DIRECTIONS:
        told = job.get(direction) or {}
        if not told.get("total_ios"):
            continue
        name = f"{job['jobname']} {direction}"
        note = "page cache bypassed" if options.get("direct") == "1" else "through the page cache"
        kind = f"random-{direction}" if options.get("rw", "").startswith("rand") else direction
        yield Case(name=name, kind=kind, size_bytes=_bytes(options.get("bs", "4k")), library="fio", note=note)
        for key, metric in RATES.items():
            yield Found(metric, float(told[key]), case=name)
        clat = told.get("clat_ns") or {}
        figures = {
            "mean": clat.get("mean"),
            **{PERCENTILES.get(k, ""): v for k, v in clat.get("percentile", {}).items()},
        }
        for which, value in figures.items():
            if which and (found := number(value)) is not None:
                yield Found(figure("operation_s", which), found * 1e-9, case=name)


def _bytes(size: str) -> float | None:
    """A block size in fio's own writing, in which k is 1024; None where it is several."""
    match = _BLOCK.fullmatch(size)
    return float(match[1]) * 1024 ** " kmg".index(match[2].lower() or " ") if match else None
