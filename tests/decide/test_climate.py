"""Cooling and carbon by the hours of a year: what weather files say, and what no plant can do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.assumption import exactly
from assay.catalog.facilities import plants
from assay.catalog.grid import grid
from assay.catalog.weather import places, weather
from assay.climate import Climate, Grid
from assay.decide.carbon import embodied_kg, mean_kg_per_j, operation_kg
from assay.decide.climate import Plant, chiller_cop, free_hours, free_share, pue
from assay.result import Value

PLANTS = plants()
ways = st.sampled_from(sorted(PLANTS.coolings))


def plant(way: str, supply_celsius: float | None = None) -> Plant:
    spec = PLANTS.coolings[way]
    supply = spec.supply_celsius if supply_celsius is None else exactly(supply_celsius)
    return Plant(spec=spec, room=PLANTS.coolings["air"], plants=PLANTS, supply_celsius=supply, rise_kelvin=12.0)


def share_up_to(climate: Climate, dry_celsius: float) -> float:
    """Share of a year in which the air is no warmer than this."""
    cool = sum(h for t, h in zip(climate.dry_celsius, climate.hours, strict=True) if t <= dry_celsius)
    return cool / sum(climate.hours)


def shifted(climate: Climate, kelvin: float) -> Climate:
    dry, wet = (tuple(t + kelvin for t in column) for column in (climate.dry_celsius, climate.wet_celsius))
    return replace(climate, dry_celsius=dry, wet_celsius=wet)


@pytest.mark.parametrize(
    ("place", "up_to_20", "up_to_35"),
    [("seattle", 0.90, 1.0), ("leesburg", 0.70, 0.998), ("dallas", 0.48, 0.97), ("phoenix", 0.35, 0.83)],
)
def test_hours_that_are_cool_enough(place: str, up_to_20: float, up_to_35: float) -> None:
    climate = weather(place)
    assert sum(climate.hours) == pytest.approx(8760)
    assert share_up_to(climate, 20) == pytest.approx(up_to_20, abs=0.006)
    assert share_up_to(climate, 35) == pytest.approx(up_to_35, abs=0.003)
    assert all(wet <= dry for dry, wet in zip(climate.dry_celsius, climate.wet_celsius, strict=True))


def test_a_dry_cooler_that_feeds_water_of_45_degrees_is_free_in_the_hours_up_to_35() -> None:
    for place in places():
        run = plant("direct-liquid", 45.0)
        assert run.spec.approach_kelvin.value == 10
        assert free_hours(run, weather(place)) == pytest.approx(share_up_to(weather(place), 35))


@given(ways, st.sampled_from(places()), st.floats(0, 25))
def test_no_plant_takes_less_than_its_machines_and_none_takes_more_where_it_is_colder(
    way: str, place: str, colder: float
) -> None:
    here, there = pue(plant(way), weather(place)), pue(plant(way), shifted(weather(place), -colder))
    assert 1 <= there.low <= there.mean <= there.high
    assert there.mean <= here.mean + 1e-12


@given(ways, st.floats(16, 40), st.floats(0, 10))
def test_warmer_water_never_takes_more_power_and_never_fewer_free_hours(way: str, supply: float, more: float) -> None:
    cool, warm = plant(way, supply), plant(way, supply + more)
    assert pue(warm, weather("dallas")).mean <= pue(cool, weather("dallas")).mean + 1e-12
    assert free_hours(warm, weather("dallas")) >= free_hours(cool, weather("dallas"))


def test_warm_water_flattens_the_climate() -> None:
    def apart(way: str) -> float:
        return pue(plant(way), weather("phoenix")).mean - pue(plant(way), weather("seattle")).mean

    dry_air = replace(PLANTS.coolings["air"], outdoor="dry")
    by_air = replace(plant("air"), spec=dry_air)
    assert apart("direct-liquid") < pue(by_air, weather("phoenix")).mean - pue(by_air, weather("seattle")).mean


@pytest.mark.parametrize("way", sorted(PLANTS.coolings))
def test_what_weather_gives_meets_what_is_published(way: str) -> None:
    """Each way's interval in Virginia overlaps its published range."""
    found, published = pue(plant(way), weather("leesburg")), PLANTS.coolings[way].pue
    assert found.low <= published.high
    assert found.high >= published.low


def test_a_chiller_is_as_good_as_standards_ask_at_their_conditions_and_better_where_it_is_cool() -> None:
    rated = float(chiller_cop(35.0, 4.0, 12.0, 0.5, 12.0))
    assert 2.96 <= rated <= 3.6  # ASHRAE 90.1-2019, air-cooled, 7 °C water; good ones reach 3.5
    assert float(chiller_cop(20.0, 4.0, 12.0, 0.5, 12.0)) > rated
    assert float(chiller_cop(-40.0, 4.0, 12.0, 0.5, 12.0)) == 12.0
    assert [float(x) for x in free_share([10, 30, 50], 30.0, 10.0, 5.0)] == [1.0, 0.5, 0.0]


def test_work_by_day_is_cleaner_in_california_and_a_flat_load_takes_the_mean() -> None:
    here = grid("us-california")
    flat = mean_kg_per_j(here)
    by_sun = mean_kg_per_j(here, [float(16 <= hour <= 22) for hour in range(24)])  # UTC: 8 to 14 o'clock there
    assert flat * 3.6e9 == pytest.approx(256, abs=1)  # mean of the hourly file, g/kWh
    assert by_sun < 0.9 * flat


@given(st.lists(st.floats(0.1, 1), min_size=24, max_size=24), st.floats(1e-9, 1e-6))
def test_a_grid_that_is_the_same_at_all_hours_is_so_for_every_load(load: list[float], kg: float) -> None:
    same = Grid(name="same", carbon_kg_per_j=((kg,) * 24,) * 12)
    assert mean_kg_per_j(same, load) == pytest.approx(kg)


def test_carbon_is_unknown_where_nobody_says_what_the_grid_carries() -> None:
    year = Value(mean=1.0, low=1.0, high=1.0, evidence="D")
    assert operation_kg(year, None, None) is None
    assert embodied_kg(8, None) is None
    found = operation_kg(year, None, exactly(2.0))
    assert found is not None
    assert found.mean == 2.0
    with pytest.raises(ValueError, match="24 hours"):
        mean_kg_per_j(grid("us-texas"), [1.0, 2.0])
