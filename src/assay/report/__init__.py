"""One self-contained HTML report: verdict first, every number with its interval, its evidence and its source."""

from __future__ import annotations

from assay.report.html import render
from assay.report.study import Measured, ParityPoint, Provenance, Refusal, Study

__all__ = ["Measured", "ParityPoint", "Provenance", "Refusal", "Study", "render"]
