"""Collectives: bandwidth at large sizes, latency at small ones, and links that matter where they are used."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.calibration import Constants
from assay.predict.network import allreduce_seconds, fabric, gather, members, p2p_seconds, reached

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
