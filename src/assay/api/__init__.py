"""Assay's functions: the only floor where the catalog, the formulas, the measurements and the report meet.

Each is imported when it is first used: predicting needs no report, measuring no catalog.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for type checkers, which cannot follow `__getattr__`
    from assay.api.calibrating import calibrate
    from assay.api.checking import check, published, shelves, validate
    from assay.api.comparing import compare
    from assay.api.deciding import decide
    from assay.api.demo import demo
    from assay.api.earning import earn
    from assay.api.gating import gate, history, ruling
    from assay.api.measuring import doctor, measure
    from assay.api.monitoring import monitor
    from assay.api.observing import observe
    from assay.api.piloting import pilot
    from assay.api.predicting import best, calibrated, explore, predict, search, system, too_large, workload
    from assay.api.reporting import report
    from assay.api.studying import compare_systems, every_system, rank, ties
    from assay.api.sweeping import sweep
    from assay.api.tracing import trace
    from assay.api.tuning import tune
    from assay.api.watching import import_prometheus, watch
    from assay.api.weighing import weigh

__all__ = [
    "best", "calibrate", "calibrated", "check", "compare", "compare_systems", "decide", "demo", "doctor", "earn",
    "every_system", "explore", "gate", "history", "import_prometheus", "measure", "monitor", "observe",
    "pilot", "predict", "published", "rank", "report", "ruling", "search", "shelves", "sweep", "system", "ties",
    "too_large", "trace", "tune", "validate", "watch", "weigh", "workload",
]  # fmt: skip

_HOMES = {
    **dict.fromkeys(("workload", "system", "calibrated", "too_large"), "predicting"),
    **dict.fromkeys(("search", "best", "predict", "explore"), "predicting"),
    **dict.fromkeys(("validate", "check", "published", "shelves"), "checking"),
    **dict.fromkeys(("doctor", "measure"), "measuring"),
    **dict.fromkeys(("gate", "history", "ruling"), "gating"),
    **dict.fromkeys(("watch", "import_prometheus"), "watching"),
    "calibrate": "calibrating", "earn": "earning",
    **dict.fromkeys(("compare_systems", "every_system", "rank", "ties"), "studying"),
    "monitor": "monitoring", "observe": "observing", "report": "reporting", "compare": "comparing", "demo": "demo",
    "trace": "tracing", "tune": "tuning", "decide": "deciding", "pilot": "piloting", "sweep": "sweeping",
    "weigh": "weighing",
}  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        message = f"module 'assay.api' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(importlib.import_module(f"assay.api.{_HOMES[name]}"), name)
