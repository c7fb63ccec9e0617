"""Assay: what AI hardware is worth on your own workload.

    import assay
    job = assay.workload("llama-3.1-8b", seq_len=8192, global_batch=512, tokens=1e11)
    best = assay.search(job, assay.system("hgx-h100", nodes=4))[0]

Everything is imported when it is first used, so that the command line starts fast.
"""

from __future__ import annotations

import importlib

# Public name -> the module it lives in.
_HOMES = {
    **dict.fromkeys(
        ("workload", "system", "search", "predict", "explore", "validate", "calibrated", "too_large"), "assay.api"
    ),
    **dict.fromkeys(("Plan", "Recompute", "parse_plan"), "assay.plan"),
    **dict.fromkeys(("Accelerator", "Link", "Offer", "System"), "assay.hardware"),
    **dict.fromkeys(("AssayError", "InputError", "MeasureError", "Finding"), "assay.errors"),
    "Workload": "assay.workload", "Model": "assay.model", "Result": "assay.result", "Value": "assay.result",
    "Run": "assay.run", "Calibration": "assay.calibration",
}  # fmt: skip

__all__ = sorted(_HOMES)  # noqa: PLE0605


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        message = f"module 'assay' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
