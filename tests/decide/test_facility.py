"""Whether machines fit a site: what binds, by how much, and what never helps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import catalog
from assay.assumption import Assumption, exactly
from assay.catalog.facilities import plants
from assay.catalog.grid import grid
from assay.catalog.regions import region
from assay.catalog.weather import weather
from assay.decide.facility import fit
from assay.decide.machinery import Machinery, drawn_w, of_system
from assay.economics import Economics
from assay.errors import InputError
from assay.hardware import Accelerator, System
from assay.pilot import PowerStep, Site
from assay.siting import Fit
from assay.units import parse

ECONOMICS = Economics(
    network_power_share=Assumption(value=0.10, low=0.05, high=0.15),
    power_load=exactly(0.8),
    electricity_usd_per_j=exactly(parse("0.087 USD/kWh", "usd_per_j")),
    cost_of_capital=exactly(0.10),
    server_embodied_kg=exactly(5000.0),
)
H100 = of_system(catalog.system("dgx-h100"), weight_kg=130.0)
RACK = of_system(catalog.system("gb200-nvl72"))
SITE = Site(
    name="hall", racks=8, power=(PowerStep(date="2026-01", power_w=300e3),), air_m3_per_s=3.0, floor_kg_per_m2=1500.0
)


def fitted(machinery: Machinery = H100, nodes: int = 16, site: Site = SITE, **more: Any) -> Fit:
    return fit(machinery, nodes, site, plants=plants(), economics=ECONOMICS, **more)


def limit(found: Fit, name: str) -> float | None:
    return next(one.used for one in found.limits if one.name.startswith(name))


def test_sixteen_servers_take_six_racks_of_three() -> None:
    found = fitted()
    assert (found.nodes_per_rack, found.racks, found.fits) == (3, 6, True)  # 3 × 10.2 kW in 34.5 kW
    assert found.power_w == pytest.approx(16 * 10.2e3 * 1.1)
    assert found.binding is not None
    assert found.binding.name == "rack power"
    assert found.binding.used == pytest.approx(30.6 / 34.5, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "binds"),
    [
        ({"power": (PowerStep(date="2026-01", power_w=100e3),)}, "power on 2026-01"),
        ({"racks": 5}, "racks"),
        ({"air_m3_per_s": 0.5}, "air per rack"),
        ({"floor_kg_per_m2": 300.0}, "floor load"),
        ({"feed_a": 15.0}, "rack power"),
        ({"rack_units": 8}, "rack height"),
    ],
)
def test_what_binds_is_named_with_how_much_is_missing(change: dict[str, Any], binds: str) -> None:
    found = fitted(nodes=16 if "racks" in change else 10, site=replace(SITE, **change))
    assert found.fits is False
    over = [one.name for one in found.limits if one.used is not None and one.used > 1]
    assert binds in over


def test_what_nobody_said_is_unknown_and_not_enough() -> None:
    for silent in ({"racks": None}, {"power": ()}, {"air_m3_per_s": None}, {"floor_kg_per_m2": None}):
        assert fitted(site=replace(SITE, **silent)).fits is None
    assert fitted(replace(H100, weight_kg=None), site=replace(SITE, floor_kg_per_m2=None)).fits is True
    assert any("weight" in note for note in fitted(replace(H100, weight_kg=None)).notes)
    assert any("height" in note for note in fitted(replace(H100, rack_units=None)).notes)


RANK = {True: 2, None: 1, False: 0}


@given(st.integers(1, 60), st.integers(1, 20), st.floats(1e3, 4e4), st.sampled_from([None, 4.0, 8.0, 48.0]))
def test_more_machines_never_fit_better(nodes: int, more: int, power_w: float, units: float | None) -> None:
    machinery = Machinery(name="m", accelerators=8, power_w=power_w, rack_units=units, cooling="air", supplies=2)
    few, many = fitted(machinery, nodes), fitted(machinery, nodes + more)
    assert RANK[many.fits] <= RANK[few.fits]
    assert many.racks >= few.racks
    assert many.energy_j is not None
    assert few.energy_j is not None
    assert many.energy_j.mean > few.energy_j.mean


@given(st.sampled_from(["N", "N+1", "2N", "3-to-make-2"]), st.integers(1, 4), st.floats(2e3, 150e3), st.floats(16, 200))
def test_where_it_fits_no_feed_is_over_its_limit_in_any_state(
    redundancy: Any, feeds: int, power_w: float, feed_a: float
) -> None:
    site = replace(SITE, redundancy=redundancy, feeds=feeds, feed_a=feed_a)
    found = fitted(Machinery(name="m", accelerators=8, power_w=power_w, cooling="air"), 4, site)
    if found.fits is not False:
        assert all(load <= state.limit_w * (1 + 1e-9) for state in found.states for load in state.load_w.values())


def test_a_measured_draw_counts_only_where_it_can_be_enforced() -> None:
    measured = replace(H100, p999_power_w=8.5e3)
    assert drawn_w(measured, power_cap=False) == 10.2e3
    assert fitted(measured).nodes_per_rack == 3
    capped = fitted(measured, site=replace(SITE, power_cap=True))
    assert capped.nodes_per_rack == 4
    assert ("a machine draws", "10.2 kW at most, 8.5 kW measured at P99.9") in capped.facts
    assert any("no P99.9 is measured" in note for note in fitted(site=replace(SITE, power_cap=True)).notes)


def test_a_rack_made_for_cold_plates_stands_only_where_there_is_water_for_them() -> None:
    dry = fitted(RACK, 2, replace(SITE, feeds=4))
    assert dry.fits is False
    assert limit(dry, "liquid cooling") == float("inf")
    wet_site = replace(
        SITE, feeds=4, redundancy="2N", cooling="direct-liquid", cdu_w=500e3, cdus=2, water_m3_per_s=0.01
    )
    wet = fitted(RACK, 2, wet_site)
    assert wet.fits is True
    assert ("liquid per rack", "162 L/min of water, 169 of PG25, warming by 10 K") in wet.facts
    assert limit(wet, "coolant distribution units") == 1.0
    assert fitted(RACK, 2, replace(wet_site, cdus=1)).fits is False  # none left to lose
    assert any("rack of its own" in note for note in wet.notes)
    assert {option.cooling for option in wet.cooling if option.feasible} == {"direct-liquid"}


def test_an_air_cooled_server_is_not_cooled_by_water_that_does_not_reach_it() -> None:
    found = fitted(site=replace(SITE, cooling="direct-liquid"))
    assert any(one.name == "air per rack" and "100%" in one.note for one in found.limits)
    assert not any(one.name == "water" for one in found.limits)


def test_too_hot_for_air_then_a_rear_door_then_plates() -> None:
    def ways(power_w: float, cooling: Any) -> set[str]:
        machine = Machinery(name="m", accelerators=8, power_w=power_w, cooling=cooling)
        return {option.cooling for option in fitted(machine, 1, site=SITE).cooling if option.feasible}

    assert ways(10e3, "air") == {"air", "rear-door"}
    assert ways(70e3, "air") == {"rear-door"}
    assert ways(140e3, "") == {"direct-liquid", "immersion"}
    assert ways(132e3, "liquid") == {"direct-liquid"}


def test_coolings_are_compared_by_what_they_cost_over_the_years() -> None:
    built = replace(SITE, kind="own", to_build=True, plant_usd_per_w=exactly(11.7))
    by_name = {option.cooling: option for option in fitted(site=built, climate=weather("dallas"), years=5.0).cooling}
    air, door = by_name["air"], by_name["rear-door"]
    assert air.plant_usd is not None
    assert air.energy_usd is not None
    assert air.total_usd is not None
    assert door.energy_usd is not None
    assert air.total_usd.mean == pytest.approx(air.plant_usd.mean + air.energy_usd.mean)
    assert door.energy_usd.mean < air.energy_usd.mean
    standing = {option.cooling: option for option in fitted(climate=weather("dallas")).cooling}
    assert standing["air"].plant_usd is not None
    assert standing["air"].plant_usd.mean == 0  # it is there already
    unknown = fit(H100, 16, SITE, plants=plants(), economics=Economics())
    assert all(option.total_usd is None for option in unknown.cooling)


def test_pue_is_what_is_stated_then_what_the_weather_gives_then_what_is_published() -> None:
    stated = fitted(site=replace(SITE, pue=exactly(1.35)), climate=weather("dallas"))
    by_weather, published = fitted(climate=weather("dallas")), fitted()
    assert stated.pue is not None
    assert by_weather.pue is not None
    assert published.pue is not None
    assert (stated.pue.mean, published.pue.mean) == (1.35, 1.4)
    assert by_weather.pue.evidence == "C"
    assert stated.energy_j is not None
    assert stated.energy_j.mean == pytest.approx(16 * 8.4e3 * 1.1 * 1.35 * 365.25 * 86400)


def test_power_in_steps_is_a_rollout_in_steps() -> None:
    site = replace(SITE, power=(PowerStep(date="2026-01", power_w=100e3), PowerStep(date="2027-01", power_w=300e3)))
    found = fitted(site=site, start="2026-06")
    assert [(phase.date, phase.nodes) for phase in found.phases] == [("2026-06", 8), ("2027-01", 16)]
    assert any("8 of 16" in note and "2027-01" in note for note in found.notes)
    assert any(one.name == "power on 2027-01" for one in found.limits)


def test_a_cloud_is_its_providers_but_its_energy_and_carbon_are_reckoned() -> None:
    found = fitted(site=Site(name="cloud", kind="cloud"), region=region("gcp:us-south1"), grid=grid("us-texas"))
    assert found.fits is True
    assert found.limits == ()
    assert found.pue is not None
    assert found.carbon_kg is not None
    assert found.energy_j is not None
    assert found.carbon_kg.mean / found.energy_j.mean * 3.6e9 == pytest.approx(347, abs=1)  # ERCOT 2022, g/kWh
    assert found.embodied_kg is not None
    assert found.embodied_kg.mean == 16 * 5000


def test_a_draw_that_nobody_says_is_reckoned_from_its_accelerators_and_said_to_be() -> None:
    chip = Accelerator(name="chip", vendor="v", architecture="gpu", peak_flop_per_s={}, memory_bytes=1.0,
                       bandwidth_bytes_per_s=1.0, power_w=500.0)  # fmt: skip
    system = System(name="box", vendor="v", accelerator=chip, count_per_node=8, links=())
    guessed = of_system(system)
    assert guessed.power_w == pytest.approx(6400)
    assert any("unknown" in note for note in fitted(guessed, 2).notes)
    assert of_system(system, power_w=5e3).notes == ()
    with pytest.raises(InputError, match="nobody says what this machine draws; state power"):
        of_system(replace(system, accelerator=replace(chip, power_w=None)))


def test_what_no_formula_answers_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="nothing to find room for"):
        fitted(nodes=0)
    with pytest.raises(InputError, match="only where they warm"):
        fitted(site=replace(SITE, rise_kelvin=0.0))
