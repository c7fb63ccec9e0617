"""Why a job waits for data and what staying up costs it: each part of the way, each figure of saves and stops."""

from __future__ import annotations

from collections.abc import Iterator

from assay.assumption import Assumption
from assay.cli.output import Row
from assay.result import Result
from assay.units import show


def flow_sections(result: Result) -> dict[str, list[Row]]:
    """Tables of what was said of storage; empty where nothing was."""
    return {"How data reach the devices": list(_ways(result)), "What staying up costs": list(_upkeep(result))}


def _ways(result: Result) -> Iterator[Row]:
    """Each part, narrowest first, beside what the job at full speed would take of it."""
    from assay.predict.feed import ways
    from assay.predict.flow import WAITING

    job = result.workload
    if job.feed is None:
        return
    waits = sum(part.time_s for part in result.parts if part.name == WAITING)
    need = job.global_batch / (result.step.mean - waits)
    for way in sorted(ways(job.feed, result.system, result.plan), key=lambda w: w.samples_per_s):
        yield {
            "part": way.name, "which": way.what, "gives": way.of(way.samples_per_s), "needed": way.of(need),
            "samples/s": f"{show(way.low_samples_per_s, digits=2)} – {show(way.high_samples_per_s, digits=2)}",
            "verdict": "enough" if way.samples_per_s >= need else f"too little: {way.enough(need)} would do",
        }  # fmt: skip


def _upkeep(result: Result) -> Iterator[Row]:
    from assay.predict.upkeep import upkeep

    kept = result.workload.checkpoint
    if kept is None:
        return
    found = upkeep(result.workload, result.system, result.plan, kept)
    g, size = found.goodput, show(found.saved_bytes, "bytes")
    why = "as stated" if kept.period_s else "loses least: √(2 · save · time between stops) (Young 1974)"
    restarts = kept.restart_s.source or "as stated, and no sooner than it is read back"
    yield _row(
        "stops a day", found.stops_hz, "", f"{kept.failure_hz.source or 'as stated'}, times the devices", 86400.0
    )
    yield _told("checkpoint", size, "weights and optimizer state of all that learns")
    if found.write_s is not None:
        behind = " behind training" if kept.behind else ""
        yield _row(
            "until it is written", found.write_s, "s", f"to {kept.store}{behind}; half to all of a sheet is reached"
        )
    yield _row("training waits", found.save_s, "s", "for each save")
    yield _told("work between saves", show(found.period_s, "s"), why)
    yield _row("restart", found.restart_s, "s", restarts)
    span = f"{100 * g.low:.1f} – {100 * g.high:.1f} %"
    yield _told("time that trains", f"{100 * g.mean:.1f} %", "what saves, stops and restarts leave", span)


def _row(what: str, x: Assumption, unit: str, meaning: str, per: float = 1.0) -> Row:
    low, high = (show(end * per, unit) for end in (x.low, x.high))
    return _told(what, show(x.value * per, unit), meaning, "" if x.exact else f"{low} – {high}")


def _told(what: str, value: str, meaning: str, span: str = "") -> Row:
    return {"what": what, "value": value, "range": span, "meaning": meaning}
