"""A year of outside air: of the places that ship, or of any EnergyPlus weather file (EPW) of your own."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from assay.catalog.shelf import Stamp, stamp
from assay.climate import YEAR_HOURS, Climate
from assay.climate.psychrometrics import pressure, wet_bulb
from assay.codec import read_csv
from assay.errors import InputError, did_you_mean
from assay.files import read_text

_OURS = Path(__file__).parent.parent / "data" / "weather"
_SEA_LEVEL_PA = 101_325.0
_LEAST_SHARE = 0.95  # of a year's hours that must be there

# EnergyPlus "Auxiliary Programs", EPW data dictionary: column (from 0), what it is, smallest and largest possible,
# and the figure that stands for a missing one.
_DRY, _HUMIDITY, _PRESSURE = 6, 8, 9
_COLUMNS = {
    _DRY: ("dry bulb temperature", -90.0, 70.0, 99.9),
    _HUMIDITY: ("relative humidity", 0.0, 110.0, 999.0),
    _PRESSURE: ("pressure", 31_000.0, 120_000.0, 999_999.0),
}
_HINT = "fetch the .epw file again, whole, from climate.onebuilding.org or energyplus.net"


def places() -> tuple[str, ...]:
    """The places whose weather ships."""
    return tuple(row["place"] for row in _places())


def weather(place: str) -> Climate:
    """The weather of a place that ships, or of an EPW file; InputError names the near misses."""
    if place.casefold().endswith(".epw") or os.path.isfile(place):  # noqa: PTH113 — no error on names too long
        return epw(Path(place))
    if place not in places():
        hint = did_you_mean(place, places()) or f"known: {', '.join(places())}; or name an .epw file"
        raise InputError(f'no weather of "{place}" ships', hint=hint)
    path = _OURS / f"{place}.csv"
    return _shipped(place, path, stamp(path))


def epw(path: Path) -> Climate:
    """The bins of an EnergyPlus weather file; one that is damaged, short or full of gaps is refused in words."""
    return _epw(path, stamp(path))


@lru_cache(maxsize=1)
def _places() -> tuple[dict[str, str], ...]:
    return tuple(read_csv(_OURS / "places.csv", ["place", "name", "altitude_m", "pressure", "source", "date"]))


@lru_cache(maxsize=64)
def _shipped(place: str, path: Path, _stamp: Stamp) -> Climate:
    about = next(row for row in _places() if row["place"] == place)
    rows = read_csv(path, ["dry_celsius", "wet_celsius", "hours"])
    return Climate(
        place=about["name"],
        dry_celsius=tuple(float(row["dry_celsius"]) for row in rows),
        wet_celsius=tuple(float(row["wet_celsius"]) for row in rows),
        hours=tuple(float(row["hours"]) for row in rows),
        pressure=float(about["pressure"]),
        altitude_m=float(about["altitude_m"]),
        source=about["source"],
        date=about["date"],
    )


@lru_cache(maxsize=16)
def _epw(path: Path, _stamp: Stamp) -> Climate:
    lines = _lines(path)
    head, told, body, first = _parts(lines, path)
    place, altitude_m = head[1], _altitude(head, path)
    hours = list(_hours(body, first, path))
    _whole_year(len(body), len(hours), told, path)
    usual = pressure(altitude_m)
    air = [found if found is not None else usual for _, _, found in hours]
    wet = wet_bulb([dry for dry, _, _ in hours], [humidity for _, humidity, _ in hours], air)
    bins = Counter((_edge(dry), _edge(float(w))) for (dry, _, _), w in zip(hours, wet, strict=True))
    cells = sorted(bins)
    return Climate(
        place=place,
        dry_celsius=tuple(float(dry) for dry, _ in cells),
        wet_celsius=tuple(float(w) for _, w in cells),
        hours=tuple(bins[cell] * YEAR_HOURS / len(hours) for cell in cells),
        pressure=sum(air) / len(air),
        altitude_m=altitude_m,
        source=f"{path.name}: {head[4]} of station {head[5]}",
        date=body[0][0],
    )


def _lines(path: Path) -> list[list[str]]:
    try:
        return list(csv.reader(io.StringIO(read_text(path), newline="")))
    except csv.Error as error:  # such as a quote that nothing closes
        raise InputError(f"this is no EPW file: {error}", where=str(path), hint=_HINT) from None


def _parts(lines: Sequence[list[str]], path: Path) -> tuple[list[str], int, Sequence[list[str]], int]:
    """The LOCATION line, records an hour, the lines of data, and the number of the first of them."""
    if not lines or lines[0][:1] != ["LOCATION"] or len(lines[0]) < 10:
        raise InputError("this is no EPW file: it does not start with LOCATION", where=str(path), hint=_HINT)
    start = next((i for i, line in enumerate(lines) if line[:1] == ["DATA PERIODS"]), None)
    if start is None or start + 1 >= len(lines):
        raise InputError("this weather file ends before its data", where=str(path), hint=_HINT)
    told = lines[start][2] if len(lines[start]) > 2 else "1"
    per_hour = int(told) if told.strip().isdecimal() and 1 <= int(told) <= 60 else 1
    return lines[0], per_hour, [line for line in lines[start + 1 :] if line], start + 2


def _hours(body: Sequence[list[str]], first: int, path: Path) -> Iterator[tuple[float, float, float | None]]:
    """Dry bulb, humidity as a share and pressure as a share of each record that has the first two."""
    for i, row in enumerate(body, start=first):
        dry, humidity, air = (_cell(row, column, f"{path}: line {i}") for column in _COLUMNS)
        if dry is not None and humidity is not None:
            yield dry, min(1.0, humidity / 100), None if air is None else air / _SEA_LEVEL_PA


def _cell(row: Sequence[str], column: int, where: str) -> float | None:
    """One figure; None where the file says that it is missing."""
    name, least, most, missing = _COLUMNS[column]
    try:
        value = float(row[column])
    except (IndexError, ValueError):
        raise InputError(f"column {column + 1} is no {name}", where=where, hint=_HINT) from None
    if value >= missing:
        return None
    if not least <= value <= most:
        raise InputError(f"a {name} of {row[column]} cannot be", where=where, hint=_HINT)
    return value


def _whole_year(records: int, used: int, per_hour: int, path: Path) -> None:
    year = int(YEAR_HOURS) * per_hour
    if records < year:
        what = f"this weather file has {records:,} records; a year has {year:,}"
        raise InputError(what, where=str(path), hint=_HINT)
    if used < _LEAST_SHARE * records:
        what = f"{records - used:,} of {records:,} records are missing temperature or humidity"
        raise InputError(what, where=str(path), hint="take the file of a station nearby")


def _altitude(head: Sequence[str], path: Path) -> float:
    try:
        height = float(head[9])
    except ValueError:
        raise InputError(f'the height "{head[9]}" is no number', where=f"{path}: line 1", hint=_HINT) from None
    return height if -500 <= height <= 9000 else 0.0


def _edge(celsius: float) -> int:
    """The upper edge of a temperature's bin of 1 K."""
    return -int(-celsius // 1)
