"""What running machines costs besides their price: the table that ships, each number with its range and source."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from assay.codec import decode, read_toml
from assay.economics import Economics
from assay.errors import InputError

TABLE = Path(__file__).parent.parent / "data" / "economics.toml"


@cache
def economics() -> Economics:
    """The numbers a decision starts from where nobody states their own."""
    raw = dict(read_toml(TABLE))
    if (raw.pop("schema", None), raw.pop("kind", None)) != (1, "economics"):
        raise InputError("this is no table of economics", where=str(TABLE), hint='schema = 1, kind = "economics"')
    return decode(raw, Economics, str(TABLE))
