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
    from assay.api import calibrate, compare, doctor, measure, predict, report, search, system, validate, workload
    from assay.calibration import Calibration
    from assay.errors import AssayError, Finding, InputError, MeasureError
    from assay.hardware import Accelerator, Link, Offer, System
    from assay.model import Model
    from assay.plan import Plan, Recompute, parse_plan
    from assay.result import Result, Value
    from assay.run import Run
    from assay.workload import Workload

__all__ = [
    "Accelerator", "AssayError", "Calibration", "Finding", "InputError", "Link", "MeasureError", "Model", "Offer",
    "Plan", "Recompute", "Result", "Run", "System", "Value", "Workload", "calibrate", "compare", "doctor", "measure",
    "parse_plan", "predict", "report", "search", "system", "validate", "workload",
]  # fmt: skip

# Public name -> the module it lives in.
_HOMES = {
    **dict.fromkeys(
        ("workload", "system", "search", "predict", "validate", "measure", "calibrate", "doctor", "compare", "report"),
        "assay.api",
    ),
    **dict.fromkeys(("Plan", "Recompute", "parse_plan"), "assay.plan"),
    **dict.fromkeys(("Accelerator", "Link", "Offer", "System"), "assay.hardware"),
    **dict.fromkeys(("AssayError", "InputError", "MeasureError", "Finding"), "assay.errors"),
    "Workload": "assay.workload", "Model": "assay.model", "Result": "assay.result", "Value": "assay.result",
    "Run": "assay.run", "Calibration": "assay.calibration",
}  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        message = f"module 'assay' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(importlib.import_module(_HOMES[name]), name)


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
