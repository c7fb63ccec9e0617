"""What stands where in the report of a decision; a part that nothing is known of is not there."""

from __future__ import annotations

from assay.decision import Decision
from assay.report import decision_facility, decision_money, decision_options, decision_rates
from assay.report.decision_risk import hybrid_section, questions_section, risk_section
from assay.report.decision_trust import provenance_section, stages_section, trust_section
from assay.report.sections import Section
from assay.report.table import Table


def decision_sections(decision: Decision) -> list[Section]:
    """All parts below the verdict, in reading order."""
    found = (
        decision_options.section(decision), decision_rates.section(decision), decision_money.section(decision),
        decision_facility.section(decision), risk_section(decision), hybrid_section(decision),
        stages_section(decision), trust_section(decision), questions_section(decision), provenance_section(decision),
    )  # fmt: skip
    return [s for s in found if s is not None]


def decision_tables(decision: Decision) -> tuple[Table, ...]:
    """Every table of the report, in reading order: each can be written as CSV."""
    return tuple(t for s in decision_sections(decision) for t in (*(f.table for f in s.figures), *s.tables, *s.more))
