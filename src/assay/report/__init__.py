"""One self-contained HTML report: verdict first, every number with its interval, its evidence and its source."""

from __future__ import annotations

from assay.report.html import render
from assay.report.run_page import render_run
from assay.report.run_study import Beside, RunStudy
from assay.report.study import Measured, ParityPoint, Provenance, Refusal, Study
from assay.report.timelines import sensors

__all__ = [
    "Beside", "Measured", "ParityPoint", "Provenance", "Refusal", "RunStudy", "Study", "render", "render_run",
    "sensors",
]  # fmt: skip
