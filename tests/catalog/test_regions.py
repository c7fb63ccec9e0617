"""Tables of regions, weather, grids and coolings: what ships has a source, what people bring is read or refused."""

from __future__ import annotations

import csv
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import assay
from assay.assumption import Assumption
from assay.catalog.facilities import plants
from assay.catalog.grid import grid, grids, hourly
from assay.catalog.regions import region, regions
from assay.catalog.weather import epw, places, weather
from assay.climate import Plants
from assay.errors import InputError

DATA = Path(assay.__file__).parent / "data"
HEAD = [
    "LOCATION,Hall,XX,EARTH,SRC-TMYx,123456,50.0,8.0,1.0,540.0",
    "DESIGN CONDITIONS,0",
    "TYPICAL/EXTREME PERIODS,0",
    "GROUND TEMPERATURES,0",
    "HOLIDAYS/DAYLIGHT SAVINGS,No,0,0,0",
    "COMMENTS 1,made up",
    "COMMENTS 2,made up",
    "DATA PERIODS,1,1,Data,Sunday, 1/ 1,12/31",
]
RECORD = "2021,1,1,1,0,?9,{dry},0.0,{humidity},{air}" + ",0" * 25


def write(path: Path, records: list[str], head: list[str] = HEAD) -> Path:
    path.write_text("\n".join([*head, *records]) + "\n", encoding="utf-8")
    return path


def record(dry: object = 20.0, humidity: object = 50, air: object = 101325) -> str:
    return RECORD.format(dry=dry, humidity=humidity, air=air)


def assumptions(noun: object) -> list[tuple[str, Assumption]]:
    found = []
    for field in fields(noun):  # type: ignore[arg-type]
        value = getattr(noun, field.name)
        found += [(field.name, value)] if isinstance(value, Assumption) else []
    return found


def test_every_number_that_ships_has_a_source_a_date_and_a_range() -> None:
    nouns: list[tuple[str, object]] = [(name, region(name)) for name in regions()]
    nouns += [("plants", plants()), *plants().coolings.items()]
    stated = [(of, name, one) for of, noun in nouns for name, one in assumptions(noun)]
    assert len(stated) > 500
    assert [(of, name) for of, name, one in stated if not one.source or not one.date] == []
    exact = {(of, name) for of, name, one in stated if one.exact}
    assert all("definition" in one.source for of, name, one in stated if (of, name) in exact)
    assert all(weather(place).source and weather(place).date for place in places())
    assert all(grid(name).source and grid(name).date for name in grids())


def test_coolings_are_the_four_that_a_site_may_have() -> None:
    assert list(plants().coolings) == ["air", "rear-door", "direct-liquid", "immersion"]
    rack_w = [way.rack_w.value for way in plants().coolings.values()]
    assert rack_w[0] < rack_w[1] < min(rack_w[2:])


def test_a_region_has_many_names_and_takes_from_around_it_what_it_does_not_say() -> None:
    assert region("germany") == region("DEU") == region("DE")
    assert region("eu-central-1").name == "aws:eu-central-1"
    east = region("aws:us-east-1")
    price, weight = east.electricity_usd_per_j, east.carbon_kg_per_j
    assert price is not None
    assert weight is not None
    assert price.value * 3.6e6 == pytest.approx(0.0892)  # EIA, Virginia, industrial, 2023
    assert price.high * 3.6e6 > 0.13  # and commercial, 2026-02
    assert price.note.startswith("of US-Virginia")
    assert weight.value * 3.6e9 == pytest.approx(415.755)  # eGRID, SERC
    assert (east.weather, east.grid) == ("leesburg", "us-virginia")
    assert region("Kenya").electricity_usd_per_j is None  # nobody said: unknown, not free
    approximate = region("France").electricity_usd_per_j
    assert approximate is not None
    assert approximate.confidence == "low"


def test_the_newest_figure_of_a_region_counts() -> None:
    texas = region("US-Texas")
    assert texas.industrial_usd_per_j is not None
    assert (texas.industrial_usd_per_j.date, texas.industrial_usd_per_j.value * 3.6e6) == (
        "2026-01", pytest.approx(0.0725),
    )  # fmt: skip


@pytest.mark.parametrize(("wrong", "right"), [("US-Virgina", "US-Virginia"), ("germny", "Germany")])
def test_a_name_that_is_nearly_one_is_told_so(wrong: str, right: str) -> None:
    with pytest.raises(InputError, match=right):
        region(wrong)


@given(st.text(max_size=40))
def test_any_other_name_is_refused_in_words(name: str) -> None:
    try:
        assert region(name).name in regions()
    except InputError as error:
        assert "known here" in str(error)


def test_every_region_lies_within_one_that_is_listed_and_every_figure_belongs_to_one() -> None:
    with (DATA / "regions" / "regions.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [name.casefold() for row in rows for name in (row["region"], *filter(None, row["aliases"].split(";")))]
    assert len(names) == len(set(names))
    assert {row["within"] for row in rows} <= {row["region"] for row in rows} | {""}
    assert {row["weather"] for row in rows} <= {*places(), ""}
    assert {row["grid"] for row in rows} <= {*grids(), ""}
    with (DATA / "regions" / "figures.csv").open(encoding="utf-8") as file:
        assert {row["region"] for row in csv.DictReader(file)} <= set(regions())


def test_a_weather_file_of_ones_own_is_read(tmp_path: Path) -> None:
    records = [record(20.0), record(99.9), record(-3.2, 100, 999999), *[record(20.5)] * 8757]
    found = epw(write(tmp_path / "hall.epw", records))
    assert weather(str(tmp_path / "hall.epw")) == found
    assert (found.place, found.altitude_m) == ("Hall", 540.0)
    assert sum(found.hours) == pytest.approx(8760)
    assert set(found.dry_celsius) == {20.0, 21.0, -3.0}  # upper edges; an hour that is missing is left out
    assert found.pressure == pytest.approx(1.0, abs=1e-3)


BAD = {
    "short": (HEAD, [record()] * 5000, "5,000 records; a year has 8,760"),
    "empty": ([], [], "does not start with LOCATION"),
    "something else": (["a,b,c"], ["1,2,3"], "does not start with LOCATION"),
    "cut in the head": (HEAD[:5], [], "ends before its data"),
    "words": (HEAD, [record()] * 8000 + [record("hot")] * 760, "line 8009: column 7 is no dry bulb temperature"),
    "cut in a line": (HEAD, [record()] * 8759 + ["2021,12,31,24,0,?9,2"], "column 9 is no relative humidity"),
    "impossible": (HEAD, [record(-200)] * 8760, "a dry bulb temperature of -200 cannot be"),
    "full of gaps": (HEAD, [record(humidity=999)] * 8760, "8,760 of 8,760 records are missing"),
    "no number": (HEAD, [record("nan")] * 8760, "cannot be"),
    "no height": ([HEAD[0].replace("540.0", "high"), *HEAD[1:]], [record()] * 8760, "is no number"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_damaged_weather_file_is_refused_in_words(tmp_path: Path, case: str) -> None:
    head, records, told = BAD[case]
    with pytest.raises(InputError, match=told.replace(".", r"\.")) as refused:
        epw(write(tmp_path / "bad.epw", records, head))
    assert "bad.epw" in str(refused.value)


@given(st.binary(max_size=300))
def test_noise_is_no_weather_and_no_grid(tmp_path: Path, noise: bytes) -> None:
    for name, read in (("noise.epw", epw), ("noise.csv", hourly)):
        path = tmp_path / name
        path.write_bytes(noise)
        with pytest.raises(InputError):
            read(path)


def test_a_place_or_a_grid_that_does_not_ship_is_told_what_does() -> None:
    with pytest.raises(InputError, match="seattle"):
        weather("seatle")
    with pytest.raises(InputError, match="us-texas"):
        grid("us-texs")
    with pytest.raises(InputError, match="cannot be read"):
        weather("nowhere.epw")


@pytest.mark.parametrize("comment", ['COMMENTS 1,"nothing closes this', "COMMENTS 1," + "x" * 200_000])
def test_a_weather_file_whose_lines_are_none_is_refused_in_words(tmp_path: Path, comment: str) -> None:
    head = [comment if line.startswith("COMMENTS 1") else line for line in HEAD]
    with pytest.raises(InputError, match=r"bad\.epw"):
        epw(write(tmp_path / "bad.epw", [record()] * 8760, head))


@pytest.mark.parametrize("time", ["0001-01-01T00:00+23:59", "9999-12-31T23:59-23:59"])
def test_a_time_outside_the_calendar_is_no_time(tmp_path: Path, time: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(f"timestamp,intensity\n{time},400\n")
    with pytest.raises(InputError, match="is no time"):
        hourly(path)


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_a_name_that_no_file_can_have_is_unknown(name: str) -> None:
    for look in (weather, grid):
        with pytest.raises(InputError, match="ship"):
            look(name)


def test_an_hourly_file_of_ones_own_is_read_in_utc_and_a_gap_in_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    rows = [f"2024-{m:02}-15T{h:02}:00+02:00,{100 * m + h}" for m in range(1, 13) for h in range(24)]
    path.write_text("\n".join(["Datetime (UTC),Carbon intensity gCO2eq/kWh (direct)", *rows]), encoding="utf-8")
    found = hourly(path)
    assert found.carbon_kg_per_j[0][0] * 3.6e9 == pytest.approx(102)  # 02:00 at UTC+2
    assert grid(str(path)) == found
    path.write_text("\n".join(["timestamp,intensity", *rows[:-1], "2024-12-15T23:00+02:00,"]), encoding="utf-8")
    with pytest.raises(InputError, match=r"no hour 21:00 \(UTC\) of month 12"):
        hourly(path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("timestamp,price\n2024-01-01,5\n", "no column of carbon intensity"),
        ("hour,intensity\n1,5\n", "no column of times"),
        ("timestamp,intensity\nyesterday,5\n", 'line 2: "yesterday" is no time'),
        ("timestamp,intensity\n2024-01-01,many\n", '"many" is no number'),
        ("timestamp,intensity\n2024-01-01,-5\n", "-5 g/kWh cannot be"),
        ("timestamp,intensity\n", "no hours are in this file"),
    ],
)
def test_an_hourly_file_that_is_none_is_refused_in_words(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=told):
        hourly(path)


def test_a_file_of_coolings_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cooling.toml"
    path.write_text('schema = 1\nkind = "economics"\n', encoding="utf-8")
    with pytest.raises(InputError, match="no file of coolings"):
        plants(path)
    path.write_text('schema = 1\nkind = "cooling"\nups = 0.9\n', encoding="utf-8")
    with pytest.raises(InputError, match="no air cooling is in this file"):
        plants(path)
    ours = (DATA / "cooling.toml").read_text(encoding="utf-8")
    path.write_text(ours.replace("is = 4.0, low = 3.0", "is = 4.0, low = 1.0"), encoding="utf-8")
    with pytest.raises(InputError, match="cycles"):
        plants(path)
    assert isinstance(plants(), Plants)
