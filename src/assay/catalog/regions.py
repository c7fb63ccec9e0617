"""What power costs and weighs where: prices of electricity and of data centres, and carbon of grids, by region.

A region lies within another (a cloud's region in a state, a state in a country) and takes from it what is not said of
itself. Weather and hourly profiles are taken from within a country only, not from the country as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from assay.assumption import Assumption
from assay.climate import Region
from assay.codec import decode, read_csv
from assay.errors import InputError, nearest, perhaps

_OURS = Path(__file__).parent.parent / "data" / "regions"
_FIELDS = {
    "industrial": "industrial_usd_per_j",
    "commercial": "commercial_usd_per_j",
    "carbon": "carbon_kg_per_j",
    "plant": "plant_usd_per_w",
}
_LISTS = ("region", "within", "aliases", "weather", "grid")
_FIGURES = ("region", "quantity", "value", "unit", "low", "high", "date", "source", "confidence", "note")


def regions() -> tuple[str, ...]:
    """The regions that are known, by their own names."""
    return tuple(_listed())


def region(name: str) -> Region:
    """What is known of a region by any of its names ("US-Virginia", "DE", "eu-central-1"); near misses in the error."""
    own = _names().get(name.strip().casefold())
    if own is None:
        hint = perhaps(list(dict.fromkeys(_names()[hit] for hit in nearest(name[:100], _names()))))
        raise InputError(f'no region "{name[:100]}" is known here', hint=hint or "such as US-Virginia, Germany")
    return _region(own)


@lru_cache(maxsize=256)
def _region(own: str) -> Region:
    around = list(_around(own))
    found = {field: _found(field, around) for field in _FIELDS.values()}
    weather, grid = (next((_listed()[n][key] for n in around if _listed()[n][key]), "") for key in ("weather", "grid"))
    return Region(name=own, weather=weather, grid=grid, **found)


def _found(field: str, around: list[str]) -> Assumption | None:
    """What the region itself says, or the nearest around it, which is then named."""
    for name in around:
        said = _figures().get(name, {}).get(field)
        if said is not None:
            return said if name == around[0] else replace(said, note="; ".join(filter(None, (f"of {name}", said.note))))
    return None


def _around(own: str) -> Iterator[str]:
    """A region, what it lies within, and so on."""
    while own:
        yield own
        own = _listed()[own]["within"]


@lru_cache(maxsize=1)
def _listed() -> Mapping[str, dict[str, str]]:
    return {row["region"]: row for row in read_csv(_OURS / "regions.csv", _LISTS)}


@lru_cache(maxsize=1)
def _names() -> Mapping[str, str]:
    found = dict[str, str]()
    for own, row in _listed().items():
        found |= {alias.casefold(): own for alias in (own, *filter(None, row["aliases"].split(";")))}
    return found


@lru_cache(maxsize=1)
def _figures() -> Mapping[str, Mapping[str, Assumption]]:
    """The newest figure of each kind that each region has."""
    found: dict[str, dict[str, Assumption]] = {}
    for line, row in enumerate(read_csv(_OURS / "figures.csv", _FIGURES), start=2):
        field, mine = _FIELDS[row["quantity"]], found.setdefault(row["region"], {})
        said = _said(row, field, f"{_OURS / 'figures.csv'}: line {line}")
        if said is not None and (field not in mine or said.date > mine[field].date):
            mine[field] = said
    return found


def _said(row: Mapping[str, str], field: str, where: str) -> Assumption | None:
    ends = {key: f"{row[column]} {row['unit']}" for key, column in (("is", "value"), ("low", "low"), ("high", "high"))}
    told = {"from": row["source"], "date": row["date"], "confidence": row["confidence"], "note": row["note"]}
    read: Assumption | None = getattr(decode({"name": row["region"], field: ends | told}, Region, where), field)
    return read
