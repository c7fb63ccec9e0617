"""Laws that hold for every machine, model and plan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.calibration import Constants
from assay.hardware import System
from assay.plan import Plan, Recompute
from assay.predict import estimate, search, trial
from assay.predict.families import transformer

from .conftest import cluster, gpt, gpu, training

FREE = Constants(launch_s=0.0, inner_latency_s=0.0, outer_latency_s=0.0, step_overhead_s=0.0)


@st.composite
def settings_of_a_job(draw: st.DrawFn) -> tuple[object, System, Plan]:
    """A legal plan of a random model on a random cluster."""
    heads = draw(st.sampled_from([4, 8, 16]))
    model = gpt(layers=draw(st.sampled_from([4, 12, 24])), hidden=heads * 64, heads=heads)
    system = cluster(nodes=draw(st.sampled_from([1, 2, 4])))
    job = training(model, global_batch=draw(st.sampled_from([32, 64, 96])), seq_len=draw(st.sampled_from([512, 2048])))
    grid = next(search.blocks(job, system, search.Options(flash_attention=(True, False))))
    return job, system, search.row(grid, draw(st.integers(0, len(grid.data) - 1)))


def step(job, system, plan, constants=FREE):
    return float(estimate.price(job, system, plan, constants).step_s[0])


@given(settings_of_a_job(), st.floats(1.1, 8.0))
@settings(max_examples=40, deadline=None)
def test_a_machine_faster_in_everything_is_faster_by_exactly_that(setting, factor):
    job, system, plan = setting
    chip = system.accelerator
    faster = replace(
        system,
        accelerator=replace(
            chip, peak_flop_per_s={d: factor * p for d, p in chip.peak_flop_per_s.items()},
            bandwidth_bytes_per_s=factor * chip.bandwidth_bytes_per_s,
        ),
        links=tuple(
            replace(x, bandwidth_bytes_per_s=factor * x.bandwidth_bytes_per_s, latency_s=x.latency_s / factor)
            for x in system.links
        ),
    )  # fmt: skip
    assert step(job, faster, plan) == pytest.approx(step(job, system, plan) / factor, rel=1e-9)


@given(settings_of_a_job())
@settings(max_examples=40, deadline=None)
def test_no_step_is_shorter_than_its_work_at_peak(setting):
    job, system, plan = setting
    shape = job.model.shape
    # Fused causal attention skips half of the scores, so count attention at half.
    whole, bare = (transformer.model_flop(shape, replace(job, seq_len=s)) / s for s in (job.seq_len, 1))
    work = (bare + (whole - bare) / 2) * job.tokens_per_step
    assert step(job, system, plan) >= work / (system.accelerators * system.accelerator.peak_flop_per_s["bf16"])


@given(settings_of_a_job())
@settings(max_examples=40, deadline=None)
def test_terms_add_up_to_the_step_and_parts_to_the_peak(setting):
    job, system, plan = setting
    priced = estimate.price(job, system, plan, Constants())
    assert sum(float(np.ravel(t)[0]) for t in priced.terms.values()) == pytest.approx(float(priced.step_s[0]))
    assert sum(float(p[0]) for p in priced.parts.values()) == pytest.approx(float(priced.peak_memory_bytes[0]))
    assert all(np.all(t >= 0) for t in priced.terms.values())
    assert all(np.all(p >= 0) for p in priced.parts.values())


@given(
    settings_of_a_job(), st.sampled_from(["matmul", "attention", "memory", "inner_link", "outer_link", "overlap_data"])
)
@settings(max_examples=40, deadline=None)
def test_a_better_constant_never_makes_a_step_longer(setting, name):
    job, system, plan = setting
    better = replace(Constants(), **{name: min(1.0, 1.2 * getattr(Constants(), name))})
    assert step(job, system, plan, better) <= step(job, system, plan, Constants()) * (1 + 1e-12)


@given(settings_of_a_job(), st.floats(0.2, 1.0))
@settings(max_examples=20, deadline=None)
def test_a_share_of_the_predicted_speed_lengthens_the_step_and_each_term_by_exactly_that(setting, speed):
    job, system, plan = setting
    whole, part = (estimate.price(job, system, plan, replace(Constants(), speed=s)) for s in (1.0, speed))
    assert float(part.step_s[0]) == pytest.approx(float(whole.step_s[0]) / speed, rel=1e-12)
    for name, seconds in whole.terms.items():
        assert float(np.ravel(part.terms[name])[0]) == pytest.approx(float(np.ravel(seconds)[0]) / speed, rel=1e-12)
    row = trial.side_by_side([trial.row(job, system, plan)])
    assert trial.step_seconds(row, replace(Constants(), speed=speed))[0] == pytest.approx(
        float(part.step_s[0]), rel=1e-9
    )


@given(settings_of_a_job())
@settings(max_examples=30, deadline=None)
def test_a_grid_prices_each_plan_as_if_it_were_alone(setting):
    job, system, _plan = setting
    grid = next(search.blocks(job, system, search.Options(flash_attention=(True, False))))
    priced = estimate.price(job, system, grid, Constants())
    i = len(grid.data) // 2
    alone = estimate.price(job, system, search.row(grid, i), Constants())
    assert alone.step_s[0] == pytest.approx(priced.step_s[i], rel=1e-12)
    assert alone.peak_memory_bytes[0] == pytest.approx(priced.peak_memory_bytes[i], rel=1e-12)


def test_recomputation_costs_time_and_saves_memory():
    job, box = training(), cluster()
    plans = [Plan(data=8, micro_batch=4, recompute=r, flash_attention=False) for r in Recompute]
    priced = [estimate.price(job, box, p, Constants()) for p in plans]
    times = [float(p.step_s[0]) for p in priced]
    sizes = [float(p.peak_memory_bytes[0]) for p in priced]
    assert times[0] < times[1] < times[2]
    assert sizes[0] > sizes[1] > sizes[2]


def test_doubling_bandwidth_speeds_up_a_memory_bound_step_by_almost_two():
    job = training(precision="bf16")
    slow = cluster(chip=gpu(peak_flop_per_s={"bf16": 1e18}, bandwidth_bytes_per_s=1e11))
    fast = cluster(chip=gpu(peak_flop_per_s={"bf16": 1e18}, bandwidth_bytes_per_s=2e11))
    plan = Plan(data=8, micro_batch=4)
    assert step(job, slow, plan) / step(job, fast, plan) == pytest.approx(2.0, rel=0.05)


def test_a_pipeline_pays_its_bubble_and_interleaving_shrinks_it():
    job, box = training(global_batch=16), cluster()
    deep = Plan(data=1, pipeline=8, micro_batch=1)
    woven = replace(deep, virtual=3)
    bubble = [float(np.ravel(estimate.price(job, box, p, FREE).terms["bubble"])[0]) for p in (deep, woven)]
    work = float(np.ravel(estimate.price(job, box, deep, FREE).terms["matmul"])[0])
    assert bubble[0] > 0.4 * work  # (p-1)/m = 7/16 of the work of all layers
    assert bubble[1] == pytest.approx(bubble[0] / 3)


def test_tensor_parallelism_across_nodes_is_slower_than_inside_one():
    job = training(gpt(hidden=4096, heads=32), global_batch=32)
    near = step(job, cluster(nodes=4), Plan(data=4, tensor=8, sequence_parallel=False))
    far = step(job, cluster(nodes=4), Plan(data=2, tensor=16, sequence_parallel=False))
    assert far > 1.2 * near


def test_sharding_lowers_state_by_the_papers_factors():
    """ZeRO, §3.1: 18 bytes a parameter here; stages 1, 2, 3 leave 6 + 12/N, 2 + 16/N, 18/N."""
    job, n = training(gpt(vocab=8, head=False)), 8
    totals = []
    for stage in range(4):
        parts = estimate.memory_of(job, Plan(data=n, zero_stage=stage), Constants())
        totals.append(sum(float(parts[k][0]) for k in ("weights", "gradients", "optimizer")))
    per = totals[0] / 18
    assert totals[1] == pytest.approx(per * (6 + 12 / n))
    assert totals[2] == pytest.approx(per * (2 + 16 / n))
    assert per * 18 / n < totals[3] < per * (18 / n) * 2.5  # and the layers gathered ahead


def test_sharding_more_never_talks_less():
    """ZeRO, §7: stages 0 and 1 move the same, 2 reduces after every micro-batch, 3 gathers for every one as well."""
    job, box = training(gpt(layers=24, hidden=4096, heads=32), global_batch=128), cluster()
    exposed = replace(FREE, overlap_data=0.0)
    spent = []
    for stage in range(4):
        terms = estimate.terms_of(job, box, Plan(data=8, micro_batch=1, zero_stage=stage), exposed)
        spent.append(float(np.ravel(terms["data"])[0]))
    assert spent[1] <= spent[0] < spent[2] < spent[3]


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_what_computing_can_hide_of_sharding_grows_with_the_number_of_micro_batches(stage):
    job, box = training(gpt(layers=24, hidden=4096, heads=32), global_batch=128), cluster()
    hidden = [
        float(np.ravel(estimate.terms_of(job, box, Plan(data=8, micro_batch=1, zero_stage=stage), c)["data"])[0])
        for c in (replace(FREE, overlap_data=0.0), replace(FREE, overlap_data=1.0))
    ]
    assert hidden[1] < 0.2 * hidden[0]


def test_context_parallel_devices_sum_their_gradients_and_share_their_state():
    job, box = training(gpt(layers=24, hidden=2048), seq_len=32768, global_batch=8), cluster()
    split = Plan(data=1, context=8, micro_batch=1, zero_stage=1)
    terms = estimate.terms_of(job, box, split, replace(FREE, overlap_data=0.0))
    assert float(np.ravel(terms["data"])[0]) > 0
    parts = estimate.memory_of(job, split, Constants())
    alone = estimate.memory_of(job, replace(split, zero_stage=0), Constants())
    assert parts["optimizer"][0] == pytest.approx(alone["optimizer"][0] / 8)


def test_communication_hides_behind_computing_and_no_further():
    """Tensor parallelism over a slow network shows, however good the overlap."""
    job = training(gpt(hidden=4096, heads=32), global_batch=32)
    perfect = replace(FREE, overlap_tensor=1.0)
    plan = Plan(data=1, tensor=8, micro_batch=4)
    slow = replace(cluster(), links=(replace(cluster().links[0], bandwidth_bytes_per_s=1e9),))
    near, far = (float(np.ravel(estimate.terms_of(job, s, plan, perfect)["tensor"])[0]) for s in (cluster(), slow))
    assert near == 0.0
    assert far > step(job, cluster(), plan, perfect)


def test_faster_attention_never_lengthens_a_step_that_waits_for_its_host():
    """Found by the property above: what hides communication is waiting for the host as much as computing."""
    job = training(gpt(layers=4, hidden=256, heads=4), seq_len=512, global_batch=32)
    plan = Plan(tensor=4, pipeline=2, virtual=3, micro_batch=2, zero_stage=0)
    slow, fast = (step(job, cluster(), plan, replace(Constants(), attention=a)) for a in (0.55, 0.66))
    assert fast <= slow * (1 + 1e-12)
