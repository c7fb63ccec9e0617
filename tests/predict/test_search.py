"""The search: everything legal is looked at, what does not fit is never offered, and the best is the best."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.calibration import Constants
from assay.errors import InputError
from assay.plan import Plan
from assay.predict import estimate, legal, search

from .conftest import cluster, gpt, gpu, training


def all_plans(job, system, options=search.Options()):
    for block in search.blocks(job, system, options):
        yield from (search.row(block, i) for i in range(len(block.data)))


def test_the_best_plan_is_the_fastest_of_all_that_fit_priced_one_by_one():
    job, box = training(global_batch=16), cluster()
    found = search.search(job, box, Constants(), top=3)
    times = []
    for plan in all_plans(job, box):
        priced = estimate.price(job, box, plan, Constants())
        if priced.peak_memory_bytes[0] <= box.accelerator.memory_bytes:
            times.append(float(priced.step_s[0]))
    best = float(estimate.price(job, box, found.plans[0], Constants()).step_s[0])
    assert best == pytest.approx(min(times))
    assert found.fitting == len(times)
    assert found.considered == len(list(all_plans(job, box)))


def test_every_plan_of_the_grid_obeys_every_rule():
    job, box = training(gpt(layers=12), global_batch=24), cluster(nodes=3)
    plans = list(all_plans(job, box))
    assert len(plans) > 50
    assert all(legal.problem(job, box, plan) == "" for plan in plans)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_plan_outside_the_rules_is_named_with_a_legal_value(data):
    job, box = training(gpt(layers=12, heads=16), global_batch=24), cluster()
    size = st.sampled_from([1, 2, 3, 4, 5, 7, 8, 16])
    plan = Plan(
        tensor=data.draw(size), pipeline=data.draw(size), data=data.draw(size), micro_batch=data.draw(size),
        virtual=data.draw(size), zero_stage=data.draw(st.integers(0, 3)),
    )  # fmt: skip
    said = legal.problem(job, box, plan)
    there = any(
        all(getattr(p, n) == getattr(plan, n) for n in ("tensor", "pipeline", "data", "micro_batch", "virtual"))
        for p in all_plans(job, box)
    )
    if said:
        assert "nearest legal" in said
    else:
        assert there


def test_a_model_too_large_for_the_machine_leaves_no_plan_but_says_by_how_much():
    job = training(gpt(layers=48, hidden=8192, heads=64), global_batch=8)
    found = search.search(job, cluster(chip=gpu(memory_bytes=1e9)), Constants())
    assert found.plans == ()
    assert found.shortest_bytes > 1e9


def test_a_batch_that_divides_over_no_layout_is_refused_with_the_reason():
    job = training(gpt(layers=7, heads=1, hidden=64), global_batch=1)
    with pytest.raises(InputError, match="global batch"):
        search.search(job, cluster(), Constants())


def test_a_rack_that_does_not_divide_the_batch_is_used_in_part():
    job = training(gpt(layers=32, heads=32), global_batch=512)
    rack = replace(cluster(), count_per_node=72)
    parts = search.usable(job, rack)
    assert 72 not in [part.count_per_node for part in parts]
    assert (64, 8) in [(part.count_per_node, part.spare_per_node) for part in parts]
    assert {part.paid for part in parts} == {72}
    assert search.usable(job, cluster()) == [cluster()]


def test_the_pareto_set_holds_no_plan_that_another_beats_in_both():
    job, box = training(global_batch=16), cluster()
    front = search.search(job, box, Constants()).pareto
    points = [
        (float(p.step_s[0]), float(p.peak_memory_bytes[0]))
        for p in (estimate.price(job, box, plan, Constants()) for plan in front)
    ]
    assert len(points) > 1
    assert not any(a[0] < b[0] and a[1] < b[1] for a in points for b in points)


@given(st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=1, max_size=30), st.integers(2, 3))
def test_pareto_keeps_exactly_what_nothing_beats(rows, columns):
    costs = np.array(rows, dtype=float)[:, :columns]
    beaten = [any((other <= mine).all() and (other < mine).any() for other in costs) for mine in costs]
    assert search.pareto(costs).tolist() == [not b for b in beaten]
