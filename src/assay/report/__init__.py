"""One self-contained HTML report: verdict first, every number with its interval, its evidence and its source."""

from __future__ import annotations

from assay.report.decision_data import table_rows
from assay.report.decision_page import render_decision
from assay.report.decision_sections import decision_tables
from assay.report.html import render
from assay.report.run_page import render_run
from assay.report.run_study import Beside, RunStudy
from assay.report.study import Measured, ParityPoint, Provenance, Refusal, Study
from assay.report.swept_page import SweepStudy, render_sweep, sweep_svg
from assay.report.timelines import sensors

__all__ = [
    "Beside", "Measured", "ParityPoint", "Provenance", "Refusal", "RunStudy", "Study", "SweepStudy", "decision_tables",
    "render", "render_decision", "render_run", "render_sweep", "sensors", "sweep_svg", "table_rows",
]  # fmt: skip
