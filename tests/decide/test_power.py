"""Power to racks: breakers as handbooks give them, and every state of one failure."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.decide.power import breaker_w, chain, feed_w, groups, line_v, nodes_carried, phase_loads_w, states, usable_w
from assay.decide.rollout import complete, phases, steps_from
from assay.pilot import PowerStep, Redundancy, Site

SITE = Site(name="site")
sites = st.builds(
    Site,
    name=st.just("site"),
    feed_v=st.sampled_from([208.0, 230.0, 400.0, 415.0, 480.0]),
    feed_a=st.floats(10, 400),
    feeds=st.integers(1, 6),
    phases=st.sampled_from([1, 3]),
    derating=st.floats(0.5, 1.0),
    redundancy=st.sampled_from(["N", "N+1", "2N", "3-to-make-2"]),
)
watts = st.floats(500, 150e3)


def test_breakers_carry_what_handbooks_say() -> None:
    assert breaker_w(415, 60) == pytest.approx(34.5e3, rel=1e-3)
    assert breaker_w(208, 60) == pytest.approx(17.3e3, rel=1e-3)
    assert math.floor(breaker_w(208, 60)) == 17_292  # HP, "Critical factors in intra-rack power distribution planning"
    assert breaker_w(line_v(230), 32, derating=1.0) == pytest.approx(22_080)  # the same, for Europe
    assert breaker_w(230, 32, phases=1, derating=1.0) == pytest.approx(7_360)


def test_losses_in_a_row_multiply() -> None:
    assert chain(0.96, 0.98) == pytest.approx(0.9408)
    assert chain() == 1


def test_2n_leaves_one_feed_n_plus_1_all_but_one_three_make_two() -> None:
    feed = feed_w(SITE)
    usable = {"N": 1, "N+1": 1, "2N": 1, "3-to-make-2": 1}  # of one feed that is stated for work
    kinds: tuple[Redundancy, ...] = ("N", "N+1", "2N", "3-to-make-2")
    assert {kind: usable_w(replace(SITE, redundancy=kind)) / feed for kind in kinds} == pytest.approx(usable)
    assert usable_w(replace(SITE, redundancy="3-to-make-2", feeds=2)) == pytest.approx(2 * feed)
    assert usable_w(replace(SITE, redundancy="3-to-make-2", feeds=3)) == pytest.approx(3 * feed)
    for k in range(2, 7):
        modules = replace(SITE, redundancy="N+1", feeds=k - 1)
        assert usable_w(modules) == pytest.approx(k * feed * (k - 1) / k)


def test_of_three_strips_that_share_a_rack_the_two_that_are_left_carry_half_each() -> None:
    rack = replace(SITE, redundancy="3-to-make-2", feed_a=125)  # DGX B300: 4 systems, 56 kW, three strips
    one_lost = [state for state in states(4, 14e3, rack) if state.failed != "none"]
    assert len(one_lost) == 3
    assert all(list(state.load_w.values()) == [28e3, 28e3] for state in one_lost)


@given(sites, watts)
def test_as_many_machines_as_are_said_to_be_carried_are_carried_in_every_state_of_one_failure(
    site: Site, node_w: float
) -> None:
    nodes = nodes_carried(node_w, site)
    found = states(nodes, node_w, site)
    count, size = groups(site)
    assert len(found) == 1 + count * size + (size if count > 1 and size > 1 else 0)
    assert all(state.holds for state in found)
    assert not all(state.holds for state in states(nodes + 1, node_w, site))


@given(sites, st.integers(1, 20), watts)
def test_no_power_is_lost_or_made_by_a_failure_where_there_is_a_spare(site: Site, nodes: int, node_w: float) -> None:
    for state in states(nodes, node_w, site):
        carried = sum(state.load_w.values())
        assert carried <= nodes * node_w * (1 + 1e-9)
        if site.redundancy != "N" or state.failed == "none":
            assert carried == pytest.approx(nodes * node_w)


@given(st.integers(1, 40), watts, st.integers(1, 12))
def test_phases_carry_the_whole_load_and_are_even_where_supplies_come_in_threes(
    nodes: int, node_w: float, supplies: int
) -> None:
    loads = phase_loads_w(nodes, node_w, supplies)
    assert sum(loads) == pytest.approx(nodes * node_w)
    assert max(loads) - min(loads) <= node_w / supplies * (1 + 1e-9)
    if supplies % 3 == 0:
        assert max(loads) == pytest.approx(min(loads))


dates = st.dates().map(str)
steps = st.lists(st.builds(PowerStep, date=dates, power_w=st.floats(0, 1e6)), min_size=1, max_size=6)


@given(steps, st.integers(0, 5), st.integers(1, 60), st.floats(1e3, 5e4))
def test_power_that_comes_later_never_makes_the_rollout_earlier(
    given_steps: list[PowerStep], which: int, nodes: int, node_w: float
) -> None:
    ordered = sorted(given_steps, key=lambda step: (step.date, step.power_w))
    rising = [replace(step, power_w=max(s.power_w for s in ordered[: i + 1])) for i, step in enumerate(ordered)]
    late = [replace(step, date=f"{step.date}~") if i == which % len(rising) else step for i, step in enumerate(rising)]
    before, after = (complete(phases(nodes, node_w, plan), nodes) for plan in (rising, late))
    assert before is not None or after is None
    if before is not None and after is not None:
        assert after >= before


def test_what_is_live_never_draws_more_than_there_is_and_the_step_that_holds_at_the_start_counts() -> None:
    plan = (PowerStep(date="2027-01", power_w=1e6), PowerStep(date="2026-01", power_w=100e3))
    assert [(step.date, step.power_w) for step in steps_from(plan, "2026-06")] == [("2026-06", 1e5), ("2027-01", 1e6)]
    found = phases(20, 11e3, plan, "2026-06")
    assert [(phase.date, phase.nodes) for phase in found] == [("2026-06", 9), ("2027-01", 20)]
    assert all(phase.available_w is not None and phase.power_w <= phase.available_w for phase in found)
    assert complete(phases(200, 11e3, plan), 200) is None
    assert phases(5, 1e3, ())[0].available_w is None
