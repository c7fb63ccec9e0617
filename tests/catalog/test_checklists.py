"""The tables that ship: every figure with its source, every metric and every input one that there is."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from assay.assumption import Assumption
from assay.catalog.checklists import checklist, playbook, questions, skills
from assay.decide.checklist import FROM_DATA
from assay.economics import Economics
from assay.errors import InputError
from assay.metrics import known
from assay.pilot import Candidate, Contract, Demand, Site, Work


def test_every_figure_of_the_tables_has_a_source_a_date_and_a_range():
    found = [v for one in skills() for f in fields(one) for v in [getattr(one, f.name)] if isinstance(v, Assumption)]
    assert len(found) > 20
    assert [v for v in found if not v.source or not v.date or v.exact] == []


def test_what_a_question_is_said_to_move_or_to_be_settled_by_is_there():
    inputs = {f.name for noun in (Economics, Candidate, Contract, Site, Demand, Work) for f in fields(noun)}
    assert {name for one in questions() for name in one.moves} - inputs - known().keys() == set()
    assert {name for one in questions() for name in one.metrics} - known().keys() == {"operators"}  # a gate's own


def test_the_uncertainties_a_buyer_must_ask_about_are_all_asked():
    topics = {"yield and binning", "thermal envelope", "lifetime", "service", "software updates", "delivery", "power",
              "licences", "references", "price", "law"}  # fmt: skip
    assert topics <= {one.topic for one in questions()}
    assert {"noise", "export", "regression-credits", "replacement-time", "spares"} <= {one.id for one in questions()}


def test_every_question_can_be_answered_and_says_why_it_is_asked():
    assert [one.id for one in questions() if "?" not in one.text and not one.text.startswith("Name ")] == []
    assert all(one.why and len(one.text) < 220 for one in questions())


def test_what_the_pilot_can_fill_is_in_the_checklist():
    assert FROM_DATA.keys() <= {one.id for one in checklist()}
    assert all(one.text.endswith("?") for one in checklist())


def test_every_kind_of_machine_has_somebody_for_its_kernels_or_its_compiler():
    for execution in ("kernels", "weight-streaming", "tile-pipeline"):
        for maturity in ("first-class", "supported", "beta", "limited", "frozen", "unknown"):
            who = {one.name for one in skills() if (not one.executions or execution in one.executions)
                   and (not one.maturities or maturity in one.maturities)}  # fmt: skip
            assert {"kernel and performance debugging", "compiler toolchain"} & who


def test_each_step_of_a_move_has_a_gate_a_way_back_and_a_runbook():
    assert all(step.gate and step.rollback and len(step.runbook) >= 2 for step in playbook().steps)
    assert {name for name, _ in playbook().incidents} <= known().keys()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no table of questions"),
        ('schema = 1\nkind = "questions"\n', "questions"),
        ('schema = 1\nkind = "questions"\nquestions = [{ id = "a" }]', "missing"),
        ('schema = 1\nkind = "questions"\nquestions = [3]', "table"),
    ],
)
def test_a_table_that_is_none_is_refused_in_a_sentence(tmp_path: Path, text: str, what: str):
    (tmp_path / "rfp.toml").write_text(text)
    with pytest.raises(InputError, match=what) as refused:
        questions(tmp_path / "rfp.toml")
    assert str(tmp_path) in str(refused.value)


def test_a_question_that_is_there_twice_or_weighs_too_much_is_refused(tmp_path: Path):
    row = '{{ id = "a", topic = "t", text = "?", why = "w", weight = {} }}'
    for rows, what in ((f"{row}, {row}".format(1, 1), "twice"), (row.format(2), "weight")):
        path = tmp_path / f"{what}.toml"
        path.write_text(f'schema = 1\nkind = "questions"\nquestions = [{rows}]')
        with pytest.raises(InputError, match=what):
            questions(path)
