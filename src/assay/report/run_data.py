"""The figures of a run once more as JSON, in full, for whoever wants to compute with a report."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass

from assay.report.data import json_text
from assay.report.run_study import RunStudy
from assay.report.run_tables import PACKAGES
from assay.summary import Figure

SCHEMA = 1


def run_payload(study: RunStudy) -> str:
    """JSON that can stand inside a script tag; series over time are in the run, not here."""
    run = study.run
    environment = {k: v for k, v in run.environment.items() if k != PACKAGES}
    return json_text({
        "schema": SCHEMA, "title": study.title, "created": study.created, "tool": study.tool, "run": run.id,
        "name": run.name, "command": list(run.command), "started": run.started, "duration_s": run.duration_s,
        "partial": run.partial, "stopped": run.stopped, "exit_code": run.exit_code, "warnings": list(run.warnings),
        "settings": _plain(run.settings), "environment": _plain(environment), "devices": _plain(run.devices),
        "events": _plain(run.events), "figures": [_figure(f) for f in study.figures], "cases": _plain(study.cases),
        "observation": _plain(study.observation), "ranks": _plain(study.ranks), "beside": _plain(study.beside),
    })  # fmt: skip


def _figure(f: Figure) -> object:
    return {"case": f.case, "metric": f.metric.name, "unit": f.metric.unit} | {
        name: _plain(getattr(f, name))
        for name in ("value", "low", "high", "p90", "p99", "n", "dropped", "spread", "steady")
    }


def _plain(value: object) -> object:
    """Nouns as tables; what is no number as null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value if isinstance(value, (str, int, bool)) or value is None else str(value)
