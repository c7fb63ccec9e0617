"""Assay's functions: the only floor where the catalog, the formulas, the measurements and the report meet."""

from __future__ import annotations

from assay.api.checking import validate
from assay.api.predicting import calibrated, explore, predict, search, system, too_large, workload

__all__ = ["calibrated", "explore", "predict", "search", "system", "too_large", "validate", "workload"]
