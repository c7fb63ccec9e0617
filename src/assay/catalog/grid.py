"""How much carbon a grid's power carries by month and hour: of the grids that ship, or of an hourly file of yours."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from assay.catalog.shelf import Stamp, stamp
from assay.climate import Grid
from assay.codec import read_csv
from assay.errors import InputError, did_you_mean

_OURS = Path(__file__).parent.parent / "data" / "grid"
_J_PER_KWH, _G_PER_KG = 3.6e6, 1e3
_MOST_G_PER_KWH = 3_000.0  # no plant is dirtier

# What columns of hourly files are called; any other one that speaks of intensity will do.
_TIMES = ("timestamp", "datetime", "datetime (utc)", "time", "date")
_INTENSITIES = ("avg_ci", "intensity", "carbon_intensity")
_WANTED = "columns timestamp (ISO 8601, UTC) and intensity (g/kWh)"


def grids() -> tuple[str, ...]:
    """The grids whose hours ship."""
    return tuple(row["grid"] for row in _grids())


def grid(name: str) -> Grid:
    """The hours of a grid that ships, or of a CSV file; InputError names the near misses."""
    if name.casefold().endswith(".csv") or os.path.isfile(name):  # noqa: PTH113 — no error on names too long
        return hourly(Path(name))
    if name not in grids():
        hint = did_you_mean(name, grids()) or f"known: {', '.join(grids())}; or name a .csv file"
        raise InputError(f'no hours of the grid "{name}" ship', hint=hint)
    about = next(row for row in _grids() if row["grid"] == name)
    path = _OURS / f"{name}.csv"
    rows = read_csv(path, ["month", "hour", "g_per_kwh"])
    found = {(int(r["month"]), int(r["hour"])): [float(r["g_per_kwh"])] for r in rows}
    return Grid(name=about["name"], carbon_kg_per_j=_profile(found, str(path)), source=about["source"],
                date=about["date"], note=about["note"])  # fmt: skip


def hourly(path: Path) -> Grid:
    """The mean of each hour of the day of each month of a file with a time and an intensity in g/kWh a line.

    Times without a zone are taken as UTC; empty cells are left out. A file that leaves out a whole month's hour, or
    holds what is no number, is refused in words.
    """
    return _hourly(path, stamp(path))


@lru_cache(maxsize=1)
def _grids() -> tuple[dict[str, str], ...]:
    return tuple(read_csv(_OURS / "grids.csv", ["grid", "name", "source", "date", "note"]))


@lru_cache(maxsize=16)
def _hourly(path: Path, _stamp: Stamp) -> Grid:
    rows = read_csv(path, [])
    if not rows:
        raise InputError("no hours are in this file", where=str(path), hint=f"wanted: {_WANTED}")
    time, intensity = _columns(rows[0], path)
    found: dict[tuple[int, int], list[float]] = {}
    years = set()
    for line, row in enumerate(rows, start=2):
        if row[intensity]:
            at = _time(row[time], f"{path}: line {line}")
            years.add(at.year)
            found.setdefault((at.month, at.hour), []).append(_intensity(row[intensity], f"{path}: line {line}"))
    date = f"{min(years)}-{max(years)}" if len(years) > 1 else str(min(years, default=""))
    return Grid(name=path.stem, carbon_kg_per_j=_profile(found, str(path)), source=path.name, date=date)


def _columns(row: Mapping[str, str], path: Path) -> tuple[str, str]:
    folded = {name.strip().casefold(): name for name in row}
    time = next((folded[name] for name in _TIMES if name in folded), None)
    named = (*_INTENSITIES, *(name for name in folded if "intensity" in name))
    intensity = next((folded[name] for name in named if name in folded), None)
    if time is None or intensity is None:
        what = f"no column of {'times' if time is None else 'carbon intensity'} is in this file"
        raise InputError(what, where=str(path), hint=f"wanted: {_WANTED}")
    return time, intensity


def _time(text: str, where: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter of a zone that leads out of the calendar
        raise InputError(f'"{text}" is no time', where=where, hint="write 2025-01-31T13:00+00:00") from None


def _intensity(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputError(f'"{text}" is no number', where=where, hint="leave it empty where it is unknown") from None
    if not 0 <= value <= _MOST_G_PER_KWH:
        raise InputError(f"{text} g/kWh cannot be", where=where, hint="write grams a kilowatt-hour")
    return value


def _profile(found: Mapping[tuple[int, int], Sequence[float]], where: str) -> tuple[tuple[float, ...], ...]:
    gap = next(((m, h) for m in range(1, 13) for h in range(24) if (m, h) not in found), None)
    if gap:
        what = f"no hour {gap[1]}:00 (UTC) of month {gap[0]} is in this file; a whole year is wanted"
        raise InputError(what, where=where, hint="add the missing hours, or leave the file out: a mean is then taken")
    return tuple(tuple(_mean(found[m, h]) / _G_PER_KG / _J_PER_KWH for h in range(24)) for m in range(1, 13))


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)
