"""A plan as people type it: it reads back as it is printed, and nothing typed gives a traceback."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InputError
from assay.plan import SHORT, ContextKind, Offload, Plan, Recompute, Schedule, parse_plan

degrees = st.integers(1, 4096)
plans = st.builds(
    Plan, data=degrees, tensor=degrees, pipeline=degrees, virtual=degrees, context=degrees, expert=degrees,
    micro_batch=degrees, zero_stage=st.integers(0, 3), sequence_parallel=st.booleans(),
    recompute=st.sampled_from(Recompute), flash_attention=st.booleans(), fused=st.booleans(),
    recompute_layers=st.integers(0, 128), shard=st.integers(0, 4096), schedule=st.sampled_from(Schedule),
    context_kind=st.sampled_from(ContextKind), offload_optimizer=st.sampled_from(Offload),
    offload_activations=st.sampled_from(Offload),
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


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("fused=no", "fused", False),
        ("acl=4", "recompute_layers", 4),
        ("shard=8", "shard", 8),
        ("pps=gpipe", "schedule", Schedule.GPIPE),
        ("pps=1F1B", "schedule", Schedule.ONE_F_ONE_B),
        ("pps=one-f-one-b", "schedule", Schedule.ONE_F_ONE_B),
        ("pps=Zero_Bubble", "schedule", Schedule.ZERO_BUBBLE),
        ("pps=2", "schedule", Schedule.ZERO_BUBBLE),
        ("cpk=ulysses", "context_kind", ContextKind.ULYSSES),
        ("cpk=gather", "context_kind", ContextKind.GATHER),
        ("oo=host", "offload_optimizer", Offload.HOST),
        ("oa=nvme", "offload_activations", Offload.NVME),
        ("offload-activations=1", "offload_activations", Offload.HOST),
        ("lc=8", "loss_chunks", 8),
    ],
)
def test_levels_are_written_as_words_or_as_numbers(text: str, field: str, value: object) -> None:
    assert parse_plan(text) == Plan(**{field: value})  # type: ignore[arg-type]
    assert isinstance(getattr(parse_plan(text), field), type(value))


def test_a_plan_is_printed_in_words_and_without_what_is_usual() -> None:
    told = Plan(data=8, recompute=Recompute.FULL, recompute_layers=4, shard=4, schedule=Schedule.ZERO_BUBBLE,
                context_kind=ContextKind.ULYSSES, offload_optimizer=Offload.HOST, fused=False)  # fmt: skip
    assert str(told) == "dp=8 mbs=1 zero=1 ac=full fused=no acl=4 shard=4 pps=zero-bubble cpk=ulysses oo=host"
    assert str(Plan(data=8)) == "dp=8 mbs=1 zero=1"


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
        ("ac=some", "none, selective, full or per-op"),
        ("ac=4", "none, selective, full or per-op"),
        ("flash=maybe", "neither yes nor no"),
        ("fused=perhaps", 'fused="perhaps" is neither yes nor no; write fused=yes'),
        ("acl=all", "a whole number, 0 for all layers"),
        ("acl=-1", "0 for all layers"),
        ("shard=1.5", "a whole number, 0 for all replicas"),
        ("pps=interleaved", "gpipe, 1f1b or zero-bubble: 0, 1 or 2"),
        ("cpk=star", "ring, gather or ulysses: 0, 1 or 2"),
        ("oo=disk", "none, host or nvme: 0, 1 or 2"),
        ("oa=3", "none, host or nvme: 0, 1 or 2"),
        ("lc=0", "1 or more"),
        ("ppz=gpipe", 'did you mean "pp" or "pps"'),
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
