"""The numbers once more as JSON, in full, for whoever wants to compute with a report."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from assay.report.study import Option, Study
from assay.result import Value

SCHEMA = 1


def payload(study: Study, options: Sequence[Option]) -> str:
    """JSON that can stand inside a script tag: no `<`, so nothing in it can close the tag."""
    head = {"schema": SCHEMA, "title": study.title, "created": study.created, "tool": study.tool}
    asked = {"question": study.question, "rank_by": study.rank_by}
    refused = [{"system": r.system, "vendor": r.vendor, "reason": r.reason} for r in study.refused]
    data = {**head, **asked, "options": [_option(o) for o in options], "refused": refused}
    return json_text(data)


def json_text(data: object) -> str:
    """JSON that no text in it can break out of."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _option(o: Option) -> dict[str, object]:
    r = o.result
    return {
        "label": o.label,
        "rank": o.rank,
        "tied": list(o.tied),
        "workload": r.workload.name,
        "system": r.system.name,
        "vendor": r.system.vendor,
        "accelerator": r.system.accelerator.name,
        "nodes": r.system.nodes,
        "accelerators": r.system.accelerators,
        "plan": str(r.plan),
        "origin": r.origin,
        "bound": r.bound,
        "evidence": r.evidence,
        "values": {name: _value(v) for name, v in r.values.items()},
        "parts": [{"name": p.name, "time_s": _num(p.time_s), "bound": p.bound} for p in r.parts],
        "memory": [{"name": p.name, "size_bytes": _num(p.size_bytes)} for p in r.memory],
        "sensitivity": {name: _num(e) for name, e in r.sensitivity.items()},
        "sources": list(r.sources),
        "notes": list(r.notes),
    }


def _value(v: Value) -> dict[str, object]:
    return {"mean": _num(v.mean), "low": _num(v.low), "high": _num(v.high), "evidence": v.evidence}


def _num(value: float) -> float | None:
    """JSON has no NaN and no infinity; NumPy's numbers become Python's."""
    return float(value) if math.isfinite(value) else None
