"""What a sample of well-known data weighs: the table that ships, each number with its range and source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from assay.assumption import Assumption
from assay.codec import decode, read_toml
from assay.errors import InputError, did_you_mean

TABLE = Path(__file__).parent.parent / "data" / "feeds.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One kind of data: a sample's size, or a token's where a sample is a sequence of them."""

    title: str
    sample_bytes: Assumption | None = None
    token_bytes: Assumption | None = None
    decode_s: Assumption | None = None  # of one core
    sent_bytes: Assumption | None = None  # to the device
    sent_token_bytes: Assumption | None = None


@cache
def samples() -> Mapping[str, Sample]:
    """Every kind of data that is known here, by name."""
    raw = dict(read_toml(TABLE))
    if (raw.pop("schema", None), raw.pop("kind", None)) != (1, "feeds"):
        raise InputError("this is no table of feeds", where=str(TABLE), hint='schema = 1, kind = "feeds"')
    return {name: decode(row, Sample, f"{TABLE}: {name}") for name, row in raw.items()}  # type: ignore[arg-type]


def sample(name: str, where: str = "--data") -> Sample:
    """The kind of data that a person means; raises InputError with those that are known."""
    found = samples().get(name.strip().casefold())
    if found is None:
        hint = did_you_mean(name[:100], samples()) or f"known: {', '.join(samples())}; or write --sample-bytes"
        raise InputError(f'"{name[:100]}" is no data known here', where=where, hint=hint)
    return found
