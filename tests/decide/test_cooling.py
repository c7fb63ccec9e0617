"""Air and water that carry heat off, and how thin or how moist air is."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.climate.psychrometrics import pressure, wet_bulb
from assay.decide.air import air_m3_per_s, cfm
from assay.decide.liquid import cdus_wanted, l_per_min, liquid_m3_per_s
from assay.decide.water import evaporated_m3

heat = st.floats(1e2, 1e6)
rise = st.floats(2, 40)


def test_a_machine_of_10_2_kw_wants_1600_cfm_at_20_fahrenheit() -> None:
    assert cfm(air_m3_per_s(10_200, 20 / 1.8)) == pytest.approx(1600, rel=0.005)
    # CFM = 3412 kW / (1.085 ΔT_F): Dell and others
    assert cfm(air_m3_per_s(1000, 10 / 1.8)) == pytest.approx(3412 / 1.085 / 10, rel=0.002)


def test_at_6000_feet_a_quarter_more_air_is_wanted() -> None:
    assert pressure(0.3048 * 6000) == pytest.approx(0.80, abs=0.005)
    assert air_m3_per_s(1e4, 12, 0.3048 * 6000) / air_m3_per_s(1e4, 12) == pytest.approx(1.25, abs=0.005)


def test_a_rack_of_132_kw_wants_162_to_169_litres_a_minute_as_ocp_has_it() -> None:
    water, glycol = (l_per_min(liquid_m3_per_s(0.85 * 132e3, 10, fluid)) for fluid in ("water", "PG25"))
    assert (round(water), round(glycol)) == (162, 169)
    assert water < 1.5 * 0.85 * 132 < glycol  # OCP: 1.5 L/min a kW
    assert l_per_min(liquid_m3_per_s(1e3, 1)) == pytest.approx(14.4, abs=0.05)
    assert l_per_min(liquid_m3_per_s(1e3, 1, "PG25")) == pytest.approx(15.1, abs=0.05)


@given(heat, rise)
def test_doubling_the_rise_halves_the_flow_and_doubling_the_heat_doubles_it(heat_w: float, rise_kelvin: float) -> None:
    for flow in (air_m3_per_s, liquid_m3_per_s):
        assert flow(heat_w, 2 * rise_kelvin) == pytest.approx(flow(heat_w, rise_kelvin) / 2)
        assert flow(2 * heat_w, rise_kelvin) == pytest.approx(2 * flow(heat_w, rise_kelvin))


@given(heat, st.floats(1e4, 2e6))
def test_the_units_that_are_wanted_carry_the_heat_without_one_of_them(heat_w: float, cdu_w: float) -> None:
    wanted = cdus_wanted(heat_w, cdu_w)
    assert (wanted - 1) * cdu_w >= heat_w * (1 - 1e-6)
    assert wanted == 2 or (wanted - 2) * cdu_w < heat_w


def test_water_for_a_kilowatt_hour_is_about_what_is_published() -> None:
    litres = 1000 * evaporated_m3(3.6e6)
    assert litres == pytest.approx(1.8, rel=0.15)  # WUE of evaporative cooling, mean of US data centres (LBNL)
    assert evaporated_m3(3.6e6, 8) < evaporated_m3(3.6e6, 4)


@pytest.mark.parametrize(
    ("dry", "humidity", "wet"), [(20, 0.5, 13.8), (25, 0.5, 17.9), (30, 0.5, 22.0), (35, 0.4, 23.9), (40, 0.2, 22.0)]
)
def test_wet_bulbs_are_those_of_a_psychrometric_chart(dry: float, humidity: float, wet: float) -> None:
    assert float(wet_bulb(dry, humidity)) == pytest.approx(wet, abs=0.1)  # ASHRAE chart no. 1, sea level


@given(st.floats(0, 45), st.floats(0.15, 0.95))
def test_wet_bulbs_are_those_of_stull_within_his_error(dry: float, humidity: float) -> None:
    """R. Stull 2011, J. Appl. Meteorol. Climatol. 50, eq. 1: from -1.0 to +0.65 K at sea level."""
    percent = 100 * humidity
    stull = (
        dry * math.atan(0.151977 * math.sqrt(percent + 8.313659)) + math.atan(dry + percent)
        - math.atan(percent - 1.676331) + 0.00391838 * percent**1.5 * math.atan(0.023101 * percent) - 4.686035
    )  # fmt: skip
    assert -1.1 <= stull - float(wet_bulb(dry, humidity)) <= 1.1


@given(st.floats(-30, 50), st.floats(0.02, 1.0), st.floats(0.0, 3000.0))
def test_a_wet_surface_is_never_warmer_than_the_air_and_as_warm_where_the_air_is_full(
    dry: float, humidity: float, height_m: float
) -> None:
    wet = float(wet_bulb(dry, humidity, pressure(height_m)))
    assert wet <= dry + 1e-6
    assert float(wet_bulb(dry, 1.0, pressure(height_m))) == pytest.approx(dry, abs=1e-3)
    assert float(wet_bulb(dry, min(1.0, humidity + 0.1), pressure(height_m))) >= wet - 1e-6
