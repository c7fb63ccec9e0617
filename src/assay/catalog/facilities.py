"""What data centres are made of: losses of power, chillers and ways to cool, every number with its source and range."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import get_args

from assay.catalog.shelf import Stamp, stamp
from assay.climate import Plants
from assay.codec import Raw, decode, read_toml
from assay.errors import InputError
from assay.pilot import Cooling

_OURS = Path(__file__).parent.parent / "data" / "cooling.toml"


def plants(path: Path = _OURS) -> Plants:
    """The ways to cool that ship, or those of a file of your own in the same form."""
    return _plants(path, stamp(path))


@lru_cache(maxsize=4)
def _plants(path: Path, _stamp: Stamp) -> Plants:
    raw = dict(read_toml(path))
    if (raw.pop("schema", None), raw.pop("kind", None)) != (1, "cooling"):
        raise InputError("this is no file of coolings", where=str(path), hint='write schema = 1 and kind = "cooling"')
    ways = raw.get("coolings", {})
    if not isinstance(ways, Mapping) or not all(isinstance(way, Mapping) for way in ways.values()):
        raise InputError("coolings: a table for each is wanted", where=str(path), hint="write [coolings.air] and so on")
    named: Raw = raw | {"coolings": {name: {"name": name, **way} for name, way in ways.items()}}
    missing = [name for name in get_args(Cooling) if name not in ways]
    if missing:
        raise InputError(
            f"no {missing[0]} cooling is in this file", where=str(path), hint=f"add [coolings.{missing[0]}]"
        )
    return decode(named, Plants, str(path))
