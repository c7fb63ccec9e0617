"""Skills follow from how a machine executes and how mature its software is; their number from the servers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import catalog
from assay.catalog.checklists import skills as table
from assay.decide.people import headcount, skills

H100, WAFER = catalog.system("hgx-h100"), catalog.system("cs-3")


def names(**more):
    asked = {"system": H100, "servers": 16, "via": "buy", "cooling": "air"} | more
    return {one.name for one in skills(table(), **asked)}


def test_a_machine_that_runs_compiled_models_needs_compiler_people_and_a_gpu_kernel_people():
    assert "compiler toolchain" in names(system=WAFER)
    assert "kernel and performance debugging" not in names(system=WAFER)
    assert "kernel and performance debugging" in names()
    assert "compiler toolchain" not in names()


def test_who_rents_needs_no_facility_and_who_cools_with_liquid_needs_somebody_for_it():
    assert not any("facility" in name for name in names(via="rent"))
    assert "facility, power and liquid cooling" in names(cooling="direct-liquid")
    assert "facility, power and air cooling" in names(cooling="air")


def test_four_thousand_servers_are_run_by_eight_to_sixteen_and_a_handful_by_one():
    """One person for 250 to 500 servers."""
    many, few = ({s.name: s for s in skills(table(), system=H100, servers=n, via="buy")} for n in (4000, 4))
    people = many["cluster operation"].people
    assert (people.low, people.high) == (8, 16)
    assert few["cluster operation"].people.mean == 1
    assert "375" not in few["cluster operation"].source


def test_a_less_mature_stack_takes_more_people_and_longer_to_learn():
    def debugging(system):
        found = skills(table(), system=system, servers=16, via="rent")
        return next(one for one in found if one.name == "kernel and performance debugging")

    mature, less = debugging(H100), debugging(catalog.system("mi300x-8"))
    if H100.accelerator.software.maturity == catalog.system("mi300x-8").accelerator.software.maturity:
        less = debugging(catalog.system("gaudi3-8"))
    assert less.people.mean > mature.people.mean
    assert less.training_weeks.mean > mature.training_weeks.mean


@given(st.integers(1, 50_000), st.integers(0, 50_000), st.sampled_from(["buy", "rent", "own"]))
def test_more_servers_never_need_fewer_people_and_every_number_is_a_range_with_a_source(servers, more, via):
    few, many = (skills(table(), system=H100, servers=n, via=via) for n in (servers, servers + more))
    assert headcount(many).mean >= headcount(few).mean - 1e-9
    for one in many:
        assert 0 < one.people.low < one.people.mean < one.people.high
        assert one.source


def test_people_who_do_several_things_are_added_with_their_ranges():
    found = skills(table(), system=H100, servers=64, via="buy", cooling="air")
    whole = headcount(found)
    assert whole.mean == pytest.approx(sum(one.people.mean for one in found))
    assert sum(one.people.low for one in found) <= whole.low < whole.mean < whole.high
