"""A plan as people type it: it reads back as it is printed, and nothing typed gives a traceback."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InputError
from assay.plan import SHORT, Plan, Recompute, parse_plan

degrees = st.integers(1, 4096)
plans = st.builds(
    Plan, data=degrees, tensor=degrees, pipeline=degrees, virtual=degrees, context=degrees, expert=degrees,
    micro_batch=degrees, zero_stage=st.integers(0, 3), sequence_parallel=st.booleans(),
    recompute=st.sampled_from(Recompute), flash_attention=st.booleans(),
)  # fmt: skip


@given(plans)
def test_a_plan_reads_back_as_it_is_printed(plan: Plan) -> None:
    if plan.tensor == 1:  # sequence parallelism shards over tensor parallelism: without it, it says nothing
        plan = replace(plan, sequence_parallel=True)
    assert parse_plan(str(plan)) == plan
    assert parse_plan(str(plan).replace(" ", ",")) == plan


@given(plans)
def test_a_plan_taken_out_of_a_grid_prints_as_the_same_plan(plan: Plan) -> None:
    gathered = Plan(**{f.name: np.asarray([getattr(plan, f.name)])[0] for f in fields(Plan)})
    assert str(gathered) == str(plan)


def test_a_grid_says_how_many_plans_it_holds() -> None:
    assert str(Plan(tensor=np.array([1, 2, 4]), data=np.array([4, 2, 1]))) == "3 plans"


def test_letters_and_names_say_the_same() -> None:
    assert parse_plan("tp=8,pp=4,mbs=2,zero=1,ac=full") == parse_plan(
        "tensor = 8, pipeline=4 micro-batch=2 zero_stage=1 RECOMPUTE=Full"
    )
    assert {SHORT.get(f, f) for f in SHORT} == {f.name for f in fields(Plan)}


def test_nothing_said_is_the_default_plan() -> None:
    assert parse_plan("") == parse_plan(" , ,") == Plan()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tq=8", 'did you mean "tp"'),
        ("tp", "write tp=VALUE"),
        ("tp=0", "1 or more"),
        ("tp=-8", "1 or more"),
        ("tp=eight", "1 or more"),
        ("tp=8.0", "1 or more"),
        ("tp=" + "9" * 5000, "1 or more"),
        ("tp=٣", "1 or more"),
        ("tp=4,tensor=8", "given twice"),
        ("zero=4", "0 to 3"),
        ("ac=some", "none, selective or full"),
        ("ac=3", "none, selective or full"),
        ("flash=maybe", "neither yes nor no"),
        ("=8", "write name=value"),
    ],
)
def test_a_slip_is_answered_with_what_to_write(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_plan(text)


@given(
    st.text(max_size=40) | st.from_regex(r"((tp|dp|ac|zero|flash|sp)[= ,]?[0-9a-z-]{0,4}[, ]?){0,4}", fullmatch=True)
)
def test_any_text_is_a_plan_or_a_plain_refusal(text: str) -> None:
    try:
        assert isinstance(parse_plan(text), Plan)
    except InputError as error:
        assert str(error).startswith("plan: ")
