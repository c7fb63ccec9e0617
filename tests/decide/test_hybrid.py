"""What changes stays; what is stable and busy moves; sizes are busy accelerator-seconds in whole clusters."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import catalog
from assay.assumption import exactly
from assay.catalog.checklists import playbook
from assay.decide.hybrid import Pool, accelerators, busy_s, busy_share, hybrid, move
from assay.decide.money import YEAR_S
from assay.decision import Rate
from assay.pilot import Work
from assay.result import Value


def rate(name: str, tokens_per_s: float) -> Rate:
    value = Value(mean=tokens_per_s, low=tokens_per_s, high=tokens_per_s, evidence="A")
    return Rate(workload=name, metric="tokens_per_s", value=value, origin="measured")


GPU = Pool(name="GPUs", system=catalog.system("hgx-h100", 8), rates=(rate("pretrain", 1e6), rate("chat", 1e5)))
WAFER = Pool(name="wafer", system=catalog.system("cs-3", 1), rates=(rate("pretrain", 1e6), rate("chat", 1e5)))
PRETRAIN = Work(name="pretrain", tokens=exactly(1e12), jobs_per_year=exactly(24))
CHAT = Work(name="chat", task="serve", tokens_per_s=exactly(1.5e5), peak_to_mean=exactly(2.0))


def test_sizes_are_busy_accelerator_seconds_over_the_year():
    """24 jobs of 1e12 tokens at 1e6 tokens/s are 2.4e7 s of 64 accelerators, 76 % of a year: two clusters at 70 %."""
    assert busy_s(PRETRAIN, GPU) == pytest.approx(2.4e7 * 64)
    assert accelerators(PRETRAIN, GPU, 0.7) == 128
    assert accelerators(PRETRAIN, GPU, 0.8) == 64
    assert busy_share([PRETRAIN], GPU, 0.8) == pytest.approx(2.4e7 / YEAR_S)


def test_serving_is_sized_for_its_peak():
    """150,000 tokens/s, twice that at the peak, on clusters of 100,000: 3 of them at full use."""
    assert accelerators(CHAT, GPU, 1.0) == 3 * 64


def test_work_whose_code_changes_stays_on_the_general_pool_and_stable_busy_work_moves():
    steady = replace(CHAT, peak_to_mean=exactly(1.5))
    plan = hybrid((replace(PRETRAIN, churn="changing"), steady), (WAFER, GPU), playbook(), utilization=0.9)
    assert plan is not None
    assert [(m.workload, m.pool, m.candidate) for m in plan.moves] == [
        ("pretrain", "general", "GPUs"),
        ("chat", "specialised", "wafer"),
    ]
    assert plan.steps == playbook().steps
    assert plan.incidents


def test_stable_work_that_keeps_a_special_machine_idle_does_not_move():
    seldom = replace(PRETRAIN, jobs_per_year=exactly(1))
    assert move(seldom, (WAFER, GPU), utilization=0.7).pool == "general"
    assert move(seldom, (replace(WAFER, breakeven_utilization=0.02), GPU), utilization=0.7).pool == "specialised"


def test_two_kinds_of_stable_work_may_share_what_neither_fills():
    """A quarter of a year each leaves a machine idle; half of it together does not."""
    half = replace(PRETRAIN, jobs_per_year=exactly(8))  # 8e6 s: 25 %
    other = replace(half, name="chat")
    pools = (replace(WAFER, rates=(rate("pretrain", 1e6), rate("chat", 1e6))), GPU)
    assert move(half, pools, utilization=0.7).pool == "general"
    assert move(half, pools, utilization=0.7, beside=(half, other)).pool == "specialised"
    assert move(half, pools, utilization=0.7, beside=(half, replace(other, churn="changing"))).pool == "general"


def test_where_every_machine_runs_any_code_there_is_nothing_to_split():
    plan = hybrid((PRETRAIN,), (GPU,), playbook(), utilization=0.7)
    assert plan is not None
    assert plan.moves[0].pool == "either"
    assert plan.steps == ()


def test_what_is_not_known_moves_nowhere_and_says_why():
    silent = replace(WAFER, rates=())
    lost = move(PRETRAIN, (silent,), utilization=0.7)
    assert (lost.pool, lost.candidate, lost.accelerators) == ("general", "", None)
    assert "not known" in lost.why
    vague = move(replace(PRETRAIN, jobs_per_year=None), (WAFER, GPU), utilization=0.7)
    assert (vague.pool, vague.accelerators) == ("general", None)
    assert hybrid((), (GPU,), playbook(), utilization=0.7) is None


@given(st.floats(1e9, 1e14), st.floats(0.1, 1000.0), st.floats(0.05, 1.0))
def test_there_is_always_room_for_the_work_and_never_a_whole_cluster_too_much(tokens, jobs, utilization):
    work = replace(PRETRAIN, tokens=exactly(tokens), jobs_per_year=exactly(jobs))
    count, busy = accelerators(work, GPU, utilization), busy_s(work, GPU)
    assert count * YEAR_S * utilization >= busy * (1 - 1e-6)
    assert count == 64 or (count - 64) * YEAR_S * utilization < busy
