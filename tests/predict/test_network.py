"""Collectives: bandwidth at large sizes, latency at small ones, and links that matter where they are used."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.calibration import Constants
from assay.hardware import Link, System
from assay.predict.network import (
    Reached,
    allreduce_seconds,
    alltoall_seconds,
    fabric,
    gather,
    members,
    p2p_seconds,
    reached,
)

from .conftest import cluster

IDEAL = Constants(inner_link=1.0, outer_link=1.0, inner_latency_s=0.0, outer_latency_s=0.0)


def test_a_large_all_reduce_inside_a_node_takes_what_the_ring_formula_says():
    """2(n-1)/n · S/B: Thakur, Rabenseifner, Gropp 2005; 8 devices, 300 GB/s, 1 GB."""
    net = reached(fabric(cluster()), IDEAL)
    assert float(allreduce_seconds(1e9, 8, 1, net)) == pytest.approx(2 * 7 / 8 * 1e9 / 300e9, rel=0.01)


def test_across_nodes_each_device_sends_only_its_share():
    """Reduce-scatter inside leaves S/8 per device for the outer links."""
    net = reached(fabric(cluster(nodes=4)), IDEAL)
    inside = 2 * 7 / 8 * 8e9 / 300e9
    across = 2 * 3 / 4 * 1e9 / 25e9
    assert float(allreduce_seconds(8e9, 32, 1, net)) == pytest.approx(inside + across, rel=0.01)


def test_a_group_whose_members_sit_in_different_nodes_uses_only_the_outer_links():
    net = reached(fabric(cluster(nodes=4)), IDEAL)
    assert [float(here) for _, _, here in members(4, 8, net)] == [1.0, 4.0, 4.0]
    assert float(allreduce_seconds(1e9, 4, 8, net)) == pytest.approx(2 * 3 / 4 * 1e9 / 25e9, rel=0.01)


def test_a_small_message_costs_latency_not_bandwidth():
    net = reached(fabric(cluster()), Constants(inner_latency_s=4e-6))
    tiny, small = (float(allreduce_seconds(size, 8, 1, net)) for size in (1.0, 1000.0))
    assert tiny == pytest.approx(small, rel=0.01)
    assert tiny >= 2 * 3 * 5e-6


@given(st.integers(1, 512), st.integers(0, 6), st.floats(1.0, 1e11))
def test_gathering_grows_with_size_and_group_and_is_free_alone(n, power, size):
    net = reached(fabric(cluster(nodes=64)), Constants())
    line = gather(n, 2**power, net)
    assert float(line.seconds(size)) <= float(line.seconds(2 * size)) + 1e-15
    assert float(gather(1, 2**power, net).seconds(size)) == 0.0


def test_a_neighbour_in_another_node_is_farther():
    net = reached(fabric(cluster(nodes=2)), Constants())
    assert float(p2p_seconds(1e6, 16, net)) > float(p2p_seconds(1e6, 8, net))


# --- shapes of networks ---------------------------------------------------------------------------------------------


def mesh(size: int = 8) -> Reached:
    inner = Link(name="mesh", bandwidth_bytes_per_s=280e9, latency_s=1e-6, domain=size, topology="mesh")
    return reached(fabric(cluster(links=(inner,))), IDEAL)


def test_two_devices_of_a_mesh_have_one_link_between_them():
    """Of 280 GB/s over seven links a pair uses 40, and all eight the whole of it."""
    pair, every = (float(allreduce_seconds(7e9, n, 1, mesh())) for n in (2, 8))
    assert pair == pytest.approx(2 * 1 / 2 * 7e9 / 40e9, rel=0.01)
    assert every == pytest.approx(2 * 7 / 8 * 7e9 / 280e9, rel=0.01)
    assert float(p2p_seconds(4e9, 2, mesh())) == pytest.approx(0.1, rel=0.01)


@given(st.integers(2, 8), st.floats(1e3, 1e10))
def test_a_mesh_is_never_faster_than_a_switch_of_the_same_bandwidth(n, size):
    switch = Link(name="switch", bandwidth_bytes_per_s=280e9, latency_s=1e-6, domain=8)
    net = reached(fabric(cluster(links=(switch,))), IDEAL)
    for seconds in (allreduce_seconds, alltoall_seconds):
        assert float(seconds(size, n, 1, mesh())) >= float(seconds(size, n, 1, net))
    assert float(p2p_seconds(size, n, mesh())) >= float(p2p_seconds(size, n, net))


def oversubscribed(box: System, leaf: int, share: float) -> System:
    """The same network cut into leaves of so many devices, with a share of the bandwidth above them."""
    outer = box.links[-1]
    spine = replace(outer, name="spine", bandwidth_bytes_per_s=share * outer.bandwidth_bytes_per_s)
    return replace(box, links=(*box.links[:-1], replace(outer, domain=leaf), spine))


@given(st.sampled_from([16, 64, 128]), st.floats(0.05, 1.0), st.integers(1, 9), st.integers(0, 5), st.floats(1.0, 1e11))
def test_an_oversubscribed_third_tier_never_speeds_anything(leaf, share, members_2, stride_2, size):
    """Nor does one that is not: what is between nodes stays between nodes, however its switches are stacked."""
    n, stride = 2**members_2, 2**stride_2
    box = cluster(nodes=max(64, n * stride // 8))
    flat, cut = (reached(fabric(s), Constants()) for s in (box, oversubscribed(box, leaf, share)))
    slack = 1 - 1e-12
    assert float(allreduce_seconds(size, n, stride, cut)) >= slack * float(allreduce_seconds(size, n, stride, flat))
    assert float(gather(n, stride, cut).seconds(size)) >= slack * float(gather(n, stride, flat).seconds(size))
    assert float(alltoall_seconds(size, n, stride, cut)) >= slack * float(alltoall_seconds(size, n, stride, flat))
    assert float(p2p_seconds(size, n * stride, cut)) >= slack * float(p2p_seconds(size, n * stride, flat))


@given(st.integers(1, 9), st.floats(1.0, 1e11))
def test_leaves_without_a_bottleneck_above_them_change_nothing(power, size):
    box = cluster(nodes=64)
    flat, cut = (reached(fabric(s), Constants()) for s in (box, oversubscribed(box, 64, 1.0)))
    for seconds in (allreduce_seconds, alltoall_seconds):
        assert float(seconds(size, 2**power, 1, cut)) == pytest.approx(float(seconds(size, 2**power, 1, flat)))


def test_what_crosses_leaves_pays_for_the_spine_and_what_does_not_does_not():
    box = cluster(nodes=64)
    flat, cut = (reached(fabric(s), IDEAL) for s in (box, oversubscribed(box, 64, 0.25)))
    near, far = (
        float(allreduce_seconds(1e9, n, 1, cut)) / float(allreduce_seconds(1e9, n, 1, flat)) for n in (64, 512)
    )
    assert near == pytest.approx(1.0)
    assert far > 1.2
