"""Jobs side by side are priced as each is alone: the fit tries constants on the very formulas that predict."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.calibration import Constants
from assay.catalog.models import models
from assay.hardware import System
from assay.model import Attention, Block, FeedForward, Model, TransformerShape
from assay.plan import ContextKind, Offload, Plan, Recompute, Schedule
from assay.predict import estimate, legal, search, trial
from assay.workload import Workload

from .conftest import cluster, gpt, gpu, training
from .test_families import BATCH
from .test_schedules import TILES, WAFER

NAMED = models()


def blocks_of(attention: Attention, ffn: FeedForward, name: str) -> Model:
    shape = TransformerShape(hidden=1024, vocab=32000, blocks=(Block(count=8, attention=attention, ffn=ffn),))
    return Model(name=name, family="transformer", shape=shape)


PLAIN, WIDE = Attention(heads=8, kv_heads=2, head_dim=128), FeedForward(hidden=4096)
TOKENS = {
    "dense": training(gpt(layers=8, hidden=1024, heads=8)),
    "encoder": training(gpt(layers=8, hidden=1024, heads=8, causal=False)),
    "moe": training(blocks_of(PLAIN, replace(WIDE, experts=8, experts_per_token=2), "moe")),
    "mla": training(blocks_of(
        Attention(kind="mla", heads=8, kv_heads=8, head_dim=192, value_dim=128, kv_rank=512, rope_dim=64), WIDE, "mla"
    )),
    "sliding": training(blocks_of(replace(PLAIN, kind="sliding", window=512), WIDE, "sliding")),
    "linear": training(blocks_of(replace(PLAIN, kind="linear", kv_heads=8), WIDE, "linear")),
    "adapters": training(gpt(layers=8, hidden=1024, heads=8), adapter_rank=16),
    "fp8": training(gpt(layers=8, hidden=1024, heads=8), precision="fp8"),
    "muon, all in 32 bits": training(gpt(layers=8, hidden=1024, heads=8), optimizer="muon", storage="single"),
}  # fmt: skip
CHIP = gpu(peak_flop_per_s={"bf16": 300e12, "fp8": 600e12, "fp32": 20e12}, host_bandwidth_bytes_per_s=30e9)


@st.composite
def constants(draw: st.DrawFn) -> Constants:
    """Constants that somebody may try: each somewhere between a half and all of its prior."""
    usual = Constants()
    return Constants(**{f.name: draw(st.floats(0.5, 1.0)) * getattr(usual, f.name) for f in fields(Constants)})


@st.composite
def plans(draw: st.DrawFn, job: Workload, system: System) -> Plan:
    """Any legal plan, whatever its schedule, its sharding group, its offload and the kind of its context."""
    kept = Plan(
        schedule=draw(st.sampled_from(Schedule)), shard=draw(st.sampled_from([0, 2])), fused=draw(st.booleans()),
        context_kind=draw(st.sampled_from(ContextKind)), offload_optimizer=draw(st.sampled_from(Offload)),
        offload_activations=draw(st.sampled_from(Offload)),
    )  # fmt: skip
    options = search.Options(
        context=(1, 2), flash_attention=(True, False), again=(0.25, 1.0), uneven=draw(st.booleans()), kept=kept
    )
    grid = next(search.blocks(job, system, options))
    return search.row(grid, draw(st.integers(0, grid.layouts - 1)))


def step_of(job: Workload, system: System, plan: Plan, constants: Constants) -> float:
    terms = estimate.terms_of(job, system, plan, constants)
    return float(sum(float(np.ravel(term)[0]) for term in terms.values()))


def same(job: Workload, system: System, plan: Plan, tried: Constants) -> None:
    alone = trial.terms(trial.side_by_side([trial.row(job, system, plan)]), tried)
    one_by_one = estimate.terms_of(job, system, plan, tried)
    assert alone.keys() == one_by_one.keys()
    for name, seconds in one_by_one.items():
        assert float(np.ravel(alone[name])[0]) == pytest.approx(float(np.ravel(seconds)[0]), rel=1e-12), name


@given(st.data(), st.sampled_from(sorted(TOKENS)), constants())
@settings(max_examples=120)
def test_a_row_of_tokens_takes_what_its_prediction_says_whatever_its_plan(data, name, tried):
    job, system = TOKENS[name], cluster(nodes=data.draw(st.sampled_from([1, 2])), chip=CHIP)
    same(job, system, data.draw(plans(job, system)), tried)


@pytest.mark.parametrize("name", BATCH)
def test_a_row_of_any_other_family_takes_what_its_prediction_says(name):
    job = training(NAMED[name], seq_len=1, global_batch=16 * BATCH[name], optimizer="sgd")
    for zero in (0, 1, 3):
        same(job, cluster(nodes=2), Plan(data=16, micro_batch=BATCH[name], zero_stage=zero), Constants())


@pytest.mark.parametrize(
    ("system", "plan"),
    [(WAFER, Plan(micro_batch=64, zero_stage=0)), (TILES, Plan(pipeline=8, data=2, micro_batch=2, zero_stage=0))],
    ids=["wafer", "tiles"],
)
def test_a_row_of_a_machine_that_runs_no_kernels_takes_what_its_prediction_says(system, plan):
    same(training(gpt(layers=24, hidden=1024, heads=16), seq_len=128, global_batch=64), system, plan, Constants())


@given(st.data(), st.lists(st.sampled_from(sorted(TOKENS)), min_size=2, max_size=5))
@settings(max_examples=40)
def test_rows_side_by_side_do_not_know_each_other_nor_each_others_constants(data, names):
    system = cluster(nodes=2, chip=CHIP)
    jobs = [TOKENS[name] for name in names]
    chosen = [data.draw(plans(job, system)) for job in jobs]
    own = [data.draw(constants()) for _ in jobs]
    rows = trial.side_by_side([trial.row(job, system, plan) for job, plan in zip(jobs, chosen, strict=True)])
    columns = Constants(**{f.name: np.array([getattr(c, f.name) for c in own]) for f in fields(Constants)})
    alone = [step_of(job, system, plan, c) for job, plan, c in zip(jobs, chosen, own, strict=True)]
    assert trial.step_seconds(rows, columns) == pytest.approx(alone, rel=1e-12)


def test_every_kind_of_plan_that_is_tried_here_is_legal_on_some_cluster():
    """The property above means something: its plans are those that a user may write."""
    job, system = TOKENS["moe"], cluster(nodes=2, chip=CHIP)
    options = search.Options(context=(1, 2), again=(0.25, 1.0))
    grid = next(search.blocks(job, system, options))
    chosen = [search.row(grid, i) for i in range(0, grid.layouts, 97)]
    assert {legal.problem(job, system, plan) for plan in chosen} == {""}
    assert {plan.recompute for plan in chosen} == {Recompute.NONE, Recompute.SELECTIVE, Recompute.FULL}
    assert any(plan.recompute_layers for plan in chosen)
    assert any(plan.expert > 1 for plan in chosen)
