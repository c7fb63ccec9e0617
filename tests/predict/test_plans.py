"""Ways to cut a job: what each costs and saves against the plan beside it, and the rules it must keep."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.api.predicting import workload
from assay.calibration import Constants
from assay.hardware import System
from assay.model import Model
from assay.plan import ContextKind, Offload, Plan, Recompute, Schedule, parse_plan
from assay.predict import estimate, layers, legal, search
from assay.result import Point
from assay.workload import Workload

from .conftest import cluster, gpt, gpu, training
from .test_laws import FREE
from .test_trial import PLAIN, TOKENS, WIDE, blocks_of, plans

SLOW_HOST = gpu(host_bandwidth_bytes_per_s=25e9)


def step(job: Workload, system: System, plan: Plan, constants: Constants = FREE) -> float:
    return float(estimate.price(job, system, plan, constants).step_s[0])


def term(job: Workload, system: System, plan: Plan, name: str, constants: Constants = FREE) -> float:
    return float(np.ravel(estimate.terms_of(job, system, plan, constants)[name])[0])


def part(job: Workload, plan: Plan, name: str) -> float:
    return float(estimate.memory_of(job, plan, Constants())[name][0])


def peak(job: Workload, plan: Plan) -> float:
    return float(sum(p[0] for p in estimate.memory_of(job, plan, Constants()).values()))


def points(job: Workload, system: System, plan: Plan) -> tuple[Point, ...]:
    return layers.points(job, plan, system, FREE)


def experts(count: int, each: int = 2) -> Model:
    return blocks_of(PLAIN, replace(WIDE, experts=count, experts_per_token=each), f"{count} experts")


# --- experts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "plan", "says"),
    [
        (experts(6), "dp=8,ep=4", "6 experts do not divide by ep = 4; nearest legal ep: 2"),
        (experts(8), "dp=8,ep=3", "8 experts do not divide by ep = 3; nearest legal ep: 2"),
        (experts(64), "dp=8,ep=16", "dp × tp × cp = 8 does not divide by ep = 16; nearest legal ep: 8"),
        (experts(8), "dp=2,pp=4,ep=4", "dp × tp × cp = 2 does not divide by ep = 4; nearest legal ep: 2"),
        (gpt(), "dp=8,ep=8", "no experts to spread over ep=8; nearest legal ep: 1"),
    ],
)
def test_a_size_of_expert_parallelism_that_cannot_be_is_named_with_the_nearest_that_can(model, plan, says):
    assert says in legal.problem(training(model), cluster(), parse_plan(plan))


@given(st.integers(2, 64), st.integers(2, 64), st.sampled_from(["dp=16", "dp=4,tp=4", "dp=2,pp=8", "dp=8,cp=2"]))
def test_the_nearest_legal_size_of_expert_parallelism_is_legal(many, asked, sizes):
    job, box = training(experts(many, 1)), cluster(nodes=2)
    plan = replace(parse_plan(sizes), expert=asked)
    said = legal.problem(job, box, plan)
    found = re.search(r"nearest legal ep: (\d+)", said)
    if found:
        assert legal.problem(job, box, replace(plan, expert=int(found[1]))) == ""
    else:
        assert said == ""
        assert many % asked == 0


def test_spreading_experts_saves_memory_and_costs_an_exchange():
    job, box = training(experts(8), global_batch=64), cluster()
    sizes = (1, 2, 4, 8)
    held = [part(job, Plan(data=8, expert=e, zero_stage=0), "weights") for e in sizes]
    sent = [term(job, box, Plan(data=8, expert=e), "expert") for e in sizes]
    assert held == sorted(held, reverse=True)
    assert held[0] > 3 * held[-1]
    assert sent[0] == 0.0
    assert 0.0 < sent[1] < sent[2] < sent[3]
    assert "expert" not in {n for n, t in estimate.terms_of(training(), box, Plan(data=8), FREE).items() if t.sum()}


def test_as_many_experts_as_a_token_visits_are_as_much_work_as_one_wide_mlp():
    """Router and routing aside: 2 experts of 4,096 multiply what one MLP of 8,192 does."""
    sparse, dense = training(experts(8)), training(blocks_of(PLAIN, replace(WIDE, hidden=8192), "dense"))
    ideal = replace(FREE, grouped=1.0)
    times = [term(job, cluster(), Plan(data=8, micro_batch=4), "matmul", ideal) for job in (sparse, dense)]
    assert times[0] == pytest.approx(times[1], rel=0.02)


def test_uneven_routing_slows_a_step_and_dropping_tokens_bounds_it():
    plan, box = Plan(data=8, micro_batch=4, expert=8), cluster()
    even, uneven, dropped = (
        step(training(experts(8), **said), box, plan)
        for said in ({}, {"expert_imbalance": 2.0}, {"expert_imbalance": 2.0, "expert_capacity": 1.25})
    )
    assert even < dropped < uneven


# --- sharding -------------------------------------------------------------------------------------------------------


def test_a_shard_inside_a_node_takes_more_memory_and_less_of_the_network():
    """HSDP: weights are gathered over the fast links, and only gradients cross between nodes (Zhao et al. 2023, §3)."""
    job, box = training(gpt(layers=24, hidden=4096, heads=32), global_batch=512), cluster(nodes=4)
    shown = replace(FREE, overlap_data=0.0)
    whole, inside = (Plan(data=32, zero_stage=3, shard=s) for s in (0, 8))
    assert term(job, box, inside, "data", shown) < term(job, box, whole, "data", shown) / 2
    assert part(job, inside, "optimizer") == pytest.approx(4 * part(job, whole, "optimizer"))


@pytest.mark.parametrize("zero", range(4))
def test_a_shard_over_all_replicas_is_no_shard_of_its_own(zero):
    job, box = training(), cluster(nodes=2)
    plans = [Plan(data=16, zero_stage=zero, shard=s) for s in (0, 16)]
    assert step(job, box, plans[0]) == step(job, box, plans[1])
    assert peak(job, plans[0]) == peak(job, plans[1])


@given(st.sampled_from([1, 2, 3]))
def test_a_wider_shard_never_holds_more(zero):
    sizes = [peak(training(), Plan(data=16, zero_stage=zero, shard=s)) for s in (1, 2, 4, 8, 16)]
    assert sizes == sorted(sizes, reverse=True)


def test_a_shard_that_does_not_divide_the_replicas_is_named_with_one_that_does():
    said = legal.problem(training(), cluster(), Plan(data=8, shard=3))
    assert said == "8 replicas do not divide by shard = 3; nearest legal shard: 2"


# --- pipelines ------------------------------------------------------------------------------------------------------


def test_gpipe_waits_as_long_as_1f1b_and_keeps_every_micro_batch():
    """Narayanan et al. 2021, §2.2.1: the same bubble; m in flight instead of p."""
    job, box = training(global_batch=32), cluster()
    gpipe, one = (Plan(data=1, pipeline=8, schedule=s) for s in (Schedule.GPIPE, Schedule.ONE_F_ONE_B))
    assert term(job, box, gpipe, "bubble") == term(job, box, one, "bubble")
    assert part(job, gpipe, "activations") == pytest.approx(32 / 8 * part(job, one, "activations"))
    few = replace(job, global_batch=8)
    assert peak(few, gpipe) >= peak(few, one)  # its last stage keeps the logits of all m


@given(st.data(), st.sampled_from(["dense", "moe", "adapters"]))
@settings(max_examples=40)
def test_a_zero_bubble_schedule_is_never_slower_than_1f1b(data, name):
    job, box = TOKENS[name], cluster(nodes=2)
    plan = data.draw(plans(job, box))
    with_bubble, without = (
        replace(plan, schedule=s, virtual=1) for s in (Schedule.ONE_F_ONE_B, Schedule.ZERO_BUBBLE)
    )  # fmt: skip
    assert step(job, box, without) <= step(job, box, with_bubble)
    if plan.pipeline > 1:
        assert term(job, box, without, "bubble") < term(job, box, with_bubble, "bubble")
        assert term(job, box, without, "bubble") >= 0


def test_gpipe_has_no_interleaved_form():
    plan = Plan(data=1, pipeline=8, virtual=3, schedule=Schedule.GPIPE)
    assert legal.problem(training(), cluster(), plan) == "GPipe has no interleaved form; nearest legal vp: 1"
    assert legal.problem(training(), cluster(), replace(plan, schedule=Schedule.ONE_F_ONE_B)) == ""


@given(st.integers(9, 40))
def test_an_uneven_pipeline_is_paced_by_its_fullest_stage(depth):
    """11 layers on 4 stages take what 12 do; so do 10, where embedding and output count as a layer each."""
    box, plan, deep = cluster(), Plan(data=2, pipeline=4), -(-depth // 4) * 4
    own, even = (term(training(gpt(layers=n, hidden=512, heads=8, vocab=64)), box, plan, "matmul")
                 for n in (depth, deep))  # fmt: skip
    assert own == pytest.approx(even, rel=1e-9)


def test_uneven_stages_are_looked_for_only_where_they_are_allowed():
    job, box = training(gpt(layers=11)), cluster()
    depths = [
        {int(p) for block in search.blocks(job, box, search.Options(uneven=uneven)) for p in np.unique(block.pipeline)}
        for uneven in (False, True)
    ]
    assert depths == [{1}, {1, 2, 4, 8}]
    assert "11 layers do not divide by pp × vp = 4" in legal.problem(job, box, Plan(data=2, pipeline=4))


# --- sequences over devices -----------------------------------------------------------------------------------------


def test_heads_that_are_exchanged_for_positions_must_be_enough_for_all():
    """Ulysses gives each device of a sequence whole heads (Jacobs et al. 2023)."""
    job, box = training(gpt(heads=16), seq_len=8192), cluster(nodes=4)
    ulysses = Plan(tensor=4, context=8, context_kind=ContextKind.ULYSSES)
    said = legal.problem(job, box, ulysses)
    assert said == "16 attention heads do not divide by tp × cp = 32; nearest legal cpk: ring"
    assert legal.problem(job, box, replace(ulysses, context_kind=ContextKind.RING)) == ""
    assert legal.problem(job, box, replace(ulysses, data=2, tensor=2)) == ""


@pytest.mark.parametrize("kind", ContextKind)
def test_every_way_to_share_a_sequence_costs_an_exchange_that_one_device_does_not_need(kind):
    job, box = training(gpt(heads=16), seq_len=8192, global_batch=16), cluster()
    shown = replace(FREE, overlap_data=0.0)
    whole, cut = (Plan(data=8 // c, context=c, context_kind=kind) for c in (1, 8))
    assert term(job, box, whole, "context", shown) == 0.0
    slow = replace(box, links=(replace(box.links[0], bandwidth_bytes_per_s=1e9),))
    assert term(job, slow, cut, "context", shown) > 0.0


# --- memory for time ------------------------------------------------------------------------------------------------


@given(st.sampled_from(["dense", "moe", "encoder", "mla"]), st.booleans(), st.sampled_from([1, 2]))
def test_recomputing_some_blocks_lies_between_none_and_all(name, flash, pipeline):
    job, box = TOKENS[name], cluster()
    bare = Plan(data=8 // pipeline, pipeline=pipeline, micro_batch=4, flash_attention=flash)
    full = replace(bare, recompute=Recompute.FULL)
    ladder = [bare, *(replace(full, recompute_layers=n) for n in range(1, 8 // pipeline)), full]
    times, kept = [step(job, box, p) for p in ladder], [part(job, p, "activations") for p in ladder[1:]]
    assert times == sorted(times)
    assert times[0] < times[1] < times[-1] or len(ladder) == 2
    assert kept == sorted(kept, reverse=True)
    assert step(job, box, replace(full, recompute_layers=8 // pipeline)) == pytest.approx(times[-1])


@given(st.data(), st.sampled_from(sorted(TOKENS)), st.sampled_from([Offload.HOST, Offload.NVME]))
def test_offload_never_takes_more_of_the_device_and_never_speeds_a_step(data, name, where):
    job, box = TOKENS[name], cluster(nodes=2, chip=replace(SLOW_HOST, peak_flop_per_s={"bf16": 3e14, "fp8": 6e14}))
    here = replace(
        data.draw(plans(job, box)), offload_optimizer=Offload.NONE, offload_activations=Offload.NONE
    )  # fmt: skip
    for field in ("offload_optimizer", "offload_activations"):
        away = replace(here, **{field: where})
        assert step(job, box, away) >= step(job, box, here)
        assert peak(job, away) <= peak(job, here)


def test_what_goes_to_the_host_leaves_room_for_what_is_at_work():
    job = training(gpt(layers=24, hidden=4096, heads=32), global_batch=32)
    here = Plan(data=8, micro_batch=4, zero_stage=0)
    assert part(job, replace(here, offload_optimizer=Offload.HOST), "optimizer") == 0.0
    left = part(job, replace(here, offload_activations=Offload.HOST), "activations")
    assert left == pytest.approx(part(job, here, "activations") / 24)


@given(st.sampled_from([50e9, 500e9]), st.floats(5e10, 5e12))
def test_no_host_updates_faster_than_the_device_would_have(link, bandwidth):
    """A device with little bandwidth beside a fast link: its host has no more of it."""
    box = cluster(chip=gpu(host_bandwidth_bytes_per_s=link, bandwidth_bytes_per_s=bandwidth))
    here, away = (Plan(data=8, offload_optimizer=o) for o in (Offload.NONE, Offload.HOST))
    assert step(training(), box, away) >= step(training(), box, here)


def test_drives_are_no_faster_than_the_host():
    job, box = training(), cluster(chip=SLOW_HOST)
    host, drives = (step(job, box, Plan(data=8, offload_optimizer=o)) for o in (Offload.HOST, Offload.NVME))
    assert host < drives


# --- what learns ----------------------------------------------------------------------------------------------------


@given(st.sampled_from([1, 4, 16, 64]), st.integers(0, 3), st.sampled_from([1, 8]))
def test_adapters_are_cheaper_than_learning_everything(rank, zero, tensor):
    job, box = training(gpt(layers=8, hidden=4096, heads=32), global_batch=32), cluster()
    plan = Plan(data=8 // tensor, tensor=tensor, zero_stage=zero, micro_batch=4)
    adapted = replace(job, adapter_rank=rank)
    assert step(adapted, box, plan) < step(job, box, plan)
    assert peak(adapted, plan) < peak(job, plan)
    assert part(adapted, plan, "optimizer") < 0.05 * part(job, plan, "optimizer")


def test_a_higher_rank_costs_more():
    job, plan = training(gpt(layers=8, hidden=4096, heads=32), global_batch=32), Plan(data=8, micro_batch=4)
    ranks = [replace(job, adapter_rank=r) for r in (1, 16, 256)]
    times, held = [step(j, cluster(), plan) for j in ranks], [peak(j, plan) for j in ranks]
    assert times == sorted(times)
    assert held == sorted(held)


@given(st.sampled_from([1, 8]), st.sampled_from([0, 3]))
def test_frozen_weights_in_four_bits_take_a_quarter_of_the_room_and_some_time(tensor, zero):
    job = training(gpt(layers=24, hidden=4096, heads=32), global_batch=32, adapter_rank=16)
    packed, plan = replace(job, storage="nf4"), Plan(data=8 // tensor, tensor=tensor, zero_stage=zero, micro_batch=4)
    assert 0.25 < part(packed, plan, "weights") / part(job, plan, "weights") < 0.4  # embedding and logits stay wide
    assert step(packed, cluster(), plan) > step(job, cluster(), plan) or zero == 3  # less is gathered
    assert step(packed, cluster(), plan) < 1.1 * step(job, cluster(), plan)


def test_only_frozen_weights_are_packed():
    with pytest.raises(ValueError, match="adapter_rank"):
        training(storage="nf4")


@given(st.integers(2, 64), st.sampled_from([1, 2, 8]))
def test_a_loss_in_pieces_holds_the_logits_of_one(chunks, pipeline):
    job = training(gpt(layers=24, hidden=2048, heads=16), global_batch=64)
    whole = Plan(data=8 // pipeline, pipeline=pipeline, micro_batch=4, recompute=Recompute.FULL)
    pieces = replace(whole, loss_chunks=chunks)
    assert legal.problem(job, cluster(), pieces) == ""
    assert peak(job, pieces) <= peak(job, whole)
    if pipeline == 1:  # what the matrix reads, and its gradient, stay whole
        read, all_of_it = 4 * 2048 * 2 * 2 * 2048, part(job, whole, "logits")
        assert part(job, pieces, "logits") == pytest.approx(read + (all_of_it - read) / chunks)


def test_pieces_are_forgotten_in_gpipe_too():
    job, plan = training(gpt(layers=8, hidden=1024, heads=8), global_batch=64), Plan(data=2, pipeline=4, micro_batch=2)
    whole, pieces = (replace(plan, schedule=Schedule.GPIPE, loss_chunks=n) for n in (1, 8))
    assert part(job, pieces, "logits") < 0.2 * part(job, whole, "logits")


def test_a_model_without_a_vocabulary_has_no_pieces():
    job = workload("resnet-50", global_batch=8)
    assert "resnet-50 has no vocabulary" in legal.problem(job, cluster(), Plan(data=8, loss_chunks=2))


def test_a_loss_has_no_more_pieces_than_tokens():
    job = training(seq_len=16, global_batch=8)
    nearest = legal.nearest_legal(job, cluster(), Plan(data=8, loss_chunks=32))
    assert nearest is not None
    assert (nearest.loss_chunks, legal.problem(job, cluster(), nearest)) == (16, "")
    assert "fewer than lc = 32; nearest legal lc: 16" in legal.problem(job, cluster(), Plan(data=8, loss_chunks=32))


# --- fewer bits -----------------------------------------------------------------------------------------------------

NARROW = gpu(peak_flop_per_s={"bf16": 300e12, "fp8": 600e12})


@given(st.sampled_from([256, 1024, 4096]), st.sampled_from([1, 4]), st.sampled_from(["dense", "experts"]))
def test_eight_bits_are_no_slower_than_sixteen_but_for_their_casts(hidden, batch, kind):
    """Each product takes less; operands are written once more in 8 bits: 2 + 1 or 2 bytes an element, each way."""
    model = gpt(layers=8, hidden=hidden, heads=hidden // 64)
    if kind == "experts":
        model = experts(8)
    box, plan = cluster(chip=NARROW), Plan(data=8, micro_batch=batch)
    narrow, wide = (training(model, precision=p, global_batch=8 * batch) for p in ("fp8", "bf16"))
    casts = sum(p.time_s for p in points(narrow, box, plan) if p.name == "casts")
    assert casts > 0
    assert step(narrow, box, plan) <= step(wide, box, plan) + casts * (1 + 1e-9)
    assert term(narrow, box, plan, "matmul") < term(wide, box, plan, "matmul")


@pytest.mark.parametrize("asked", ["fp8", "fp4", "int8"])
def test_a_device_without_a_format_runs_the_job_as_if_asked_for_the_one_it_has(asked):
    """No bytes are saved, and nothing is cast, in a format that its units do not have."""
    job, box, plan = training(experts(8)), cluster(), Plan(data=8, expert=8)
    said = replace(job, precision=asked)
    assert step(said, box, plan) == step(job, box, plan)
    assert points(said, box, plan) == points(job, box, plan)
