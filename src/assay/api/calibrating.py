"""Calibrating: constants earned from published results and from this machine's own runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from assay import store
from assay.errors import InputError
from assay.machine import Machine
from assay.measure.inventory import detect
from assay.predict.host import Host, Rates, calibrate_host
from assay.run import PRODUCTS
from assay.summary import CaseSummary, summarise


def calibrate(paths: Sequence[Path | str] | Path | str, machine: Machine | None = None, *, library: str = "") -> Host:
    """This machine's constants from its runs: half of the matmul shapes teach, the other half test.

    With `library` ("torch") only its matrix products count; else those of the library with the most of them.

    Raises InputError when there is no matmul run, or too little of it settled.
    """
    named = [paths] if isinstance(paths, (str, Path)) else paths
    runs = [store.load(store.find(path)) for path in named]
    cases = [case for run in runs for case in summarise(run)]
    if library:
        cases = [c for c in cases if c.kind not in PRODUCTS or c.case.library == library]
    if not any(case.kind in PRODUCTS for case in cases):
        raise InputError(
            "none of these runs holds matrix multiplications", hint="assay measure gemm, then calibrate it"
        )
    found = machine or detect.host()
    rates = Rates(
        memory_bytes=found.memory_bytes, threads=found.cpu.usable_threads, cache_bytes=found.cpu.last_cache_bytes,
        bandwidth_bytes_per_s=_copied(cases, "out of cache") or _needed(cases),
        cache_bandwidth_bytes_per_s=_copied(cases, "in cache"),
    )  # fmt: skip
    return calibrate_host(cases, rates, runs=[run.id for run in runs])


def _copied(cases: Sequence[CaseSummary], where: str) -> float | None:
    """The best rate of a copy in or out of cache."""
    return max((c.rate for c in cases if c.kind == "copy" and where in c.name and c.rate), default=None)


def _needed(cases: Sequence[CaseSummary]) -> float:
    """Without a memory run: what the matrix multiplications must have had at least."""
    moved = (c.case.size_bytes / c.time_s for c in cases if c.case.size_bytes and c.kind in PRODUCTS)
    return max(moved, default=1e10)
