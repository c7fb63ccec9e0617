"""Assay: what AI hardware is worth on your own workload.

    import assay
    job = assay.workload("llama-3.1-8b", seq_len=8192, global_batch=512, tokens=1e11)
    best = assay.search(job, assay.system("hgx-h100", nodes=4))[0]

Everything is imported when it is first used, so that the command line starts fast.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for type checkers, which cannot follow `__getattr__`
    from assay.api import (
        calibrate,
        compare,
        decide,
        doctor,
        gate,
        measure,
        monitor,
        observe,
        pilot,
        predict,
        report,
        search,
        sweep,
        system,
        validate,
        watch,
        weigh,
        workload,
    )
    from assay.calibration import Calibration
    from assay.decision import Decision
    from assay.errors import AssayError, Finding, InputError, MeasureError
    from assay.feed import Checkpoint, Feed, Store
    from assay.hardware import Accelerator, Link, Offer, System
    from assay.marks import batches, emit, phase
    from assay.model import Model
    from assay.observed import Observation
    from assay.pilot import Pilot
    from assay.plan import Plan, Recompute, parse_plan
    from assay.result import Result, Value
    from assay.run import Run
    from assay.workload import Workload

__all__ = [
    "Accelerator", "AssayError", "Calibration", "Checkpoint", "Decision", "Feed", "Finding", "InputError", "Link",
    "MeasureError", "Model", "Observation", "Offer", "Pilot", "Plan", "Recompute", "Result", "Run", "Store", "System",
    "Value", "Workload", "batches", "calibrate", "compare", "decide", "doctor", "emit", "gate", "measure", "monitor",
    "observe", "parse_plan", "phase", "pilot", "predict", "report", "search", "sweep", "system", "validate", "watch",
    "weigh", "workload",
]  # fmt: skip

# Public name -> the module it lives in.
_HOMES = {
    **dict.fromkeys(
        ("workload", "system", "search", "predict", "validate", "measure", "calibrate", "doctor", "compare", "report",
         "decide", "pilot", "gate", "monitor", "observe", "watch", "sweep", "weigh"),
        "assay.api",
    ),
    **dict.fromkeys(("batches", "emit", "phase"), "assay.marks"),
    **dict.fromkeys(("Plan", "Recompute", "parse_plan"), "assay.plan"),
    **dict.fromkeys(("Accelerator", "Link", "Offer", "System"), "assay.hardware"),
    **dict.fromkeys(("Checkpoint", "Feed", "Store"), "assay.feed"),
    **dict.fromkeys(("AssayError", "InputError", "MeasureError", "Finding"), "assay.errors"),
    "Workload": "assay.workload", "Model": "assay.model", "Result": "assay.result", "Value": "assay.result",
    "Run": "assay.run", "Calibration": "assay.calibration", "Observation": "assay.observed",
    "Pilot": "assay.pilot", "Decision": "assay.decision",
}  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        message = f"module 'assay' has no attribute {name!r}"
        raise AttributeError(message)
    found = getattr(importlib.import_module(_HOMES[name]), name)
    if _HOMES[name] == "assay.marks":  # said once a step: the next time Python finds it without asking here
        globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


class _Verb(ModuleType):
    """A room that is called by the name of a verb: `assay.predict(...)` works whether or not the room was imported."""

    def __call__(self, *args: object, **options: object) -> object:
        verb: Callable[..., object] = __getattr__(self.__name__.rpartition(".")[2])  # type: ignore[assignment]
        return verb(*args, **options)


class _House(ModuleType):
    """Python binds `assay.predict` to the room once anything imports it; the room then answers for the verb."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in _HOMES and isinstance(value, ModuleType):
            value.__class__ = _Verb
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _House
