"""What is asked for machines: dated offers, each with its source. What has no offer has no price; it is not free."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from assay.catalog.shelf import Folders, Stamp, files, read, stamp
from assay.codec import Fact, Raw, decode_sourced
from assay.errors import InputError
from assay.hardware import Offer


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """One offer, what it is for, and the range its source gives."""

    subject: str  # an accelerator's or a system's name
    offer: Offer
    count: int = 1
    instance: str = ""
    fact: Fact  # the price as printed, for `count` accelerators


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A row of a price file: one thing, and what its rent or its purchase costs as printed."""

    accelerator: str | None = None
    system: str | None = None
    rent_usd_per_s: float | None = None
    buy_usd: float | None = None
    count: int = 1  # accelerators that the printed price is for
    term: str = "on-demand"
    provider: str = ""
    region: str = ""
    date: str
    instance: str = ""

    def __post_init__(self) -> None:
        if (self.accelerator is None) == (self.system is None):
            raise ValueError("name the one thing that has this price: accelerator or system")
        if (self.rent_usd_per_s is None) == (self.buy_usd is None):
            raise ValueError("give one price: rent or buy")
        if not (self.rent_usd_per_s or self.buy_usd or 0) > 0:
            raise ValueError("a price must be above 0; leave the row out where it is unknown")
        if self.count < 1:
            raise ValueError(f"count: {self.count} accelerators have no price; write 1 or more")


def quotes(name: str, folders: Folders = ()) -> tuple[Quote, ...]:
    """Every price of this accelerator or system, by file."""
    priced = (path for path in files("prices", folders).values() if _mentions(path, name))
    return tuple(quote for path in priced for quote in in_file(path, name))


def in_file(path: Path, name: str = "") -> tuple[Quote, ...]:
    """Every price of one file, or those of one thing in it."""
    return _quotes(path, stamp(path), name)


def offers_of(name: str, folders: Folders = ()) -> tuple[Offer, ...]:
    """The offers alone."""
    return tuple(quote.offer for quote in quotes(name, folders))


def _mentions(path: Path, name: str) -> bool:
    """Whether a file speaks of a name at all, at a hundredth of the cost of reading its tables."""
    return json.dumps(name) in _text(path, stamp(path))


@lru_cache(maxsize=256)
def _text(path: Path, _stamp: Stamp) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


@lru_cache(maxsize=4096)
def _quotes(path: Path, _stamp: Stamp, name: str) -> tuple[Quote, ...]:
    raw = read(path, "prices")
    unknown = set(raw) - {"schema", "kind", "provider", "sourced_by", "source", "offers"}
    if unknown:
        hint = "known: provider, sourced_by, source, offers"
        raise InputError(f'unknown key "{min(unknown)}"', where=str(path), hint=hint)
    rows = raw.get("offers")
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise InputError("offers: a list of tables is wanted", where=str(path), hint="offers = [ { kind = … }, … ]")
    wanted = ((i, row) for i, row in enumerate(rows) if not name or name in (row.get("accelerator"), row.get("system")))
    return tuple(_quote(raw, row, f"{path}: offers[{i}]") for i, row in wanted)


def _quote(file: Raw, written: Raw, where: str) -> Quote:
    named, sources = written.get("from", file.get("sourced_by")), file.get("source", {})
    if isinstance(sources, Mapping) and named in sources:
        sources = {named: sources[named]}  # the others are of no use to this row
    header = {"sourced_by": named, "source": sources}
    body = {key: value for key, value in written.items() if key != "from"}
    row, facts = decode_sourced({**body, **header}, _Row, where)
    fact = facts["buy_usd" if row.rent_usd_per_s is None else "rent_usd_per_s"]
    offer = Offer(
        kind="buy" if row.rent_usd_per_s is None else "rent",
        provider=row.provider or str(file.get("provider", "")),
        date=row.date,
        price_usd_per_s=row.rent_usd_per_s and row.rent_usd_per_s / row.count,
        price_usd=row.buy_usd and row.buy_usd / row.count,
        term=row.term,
        region=row.region,
        source=fact.source.title,
        confidence=fact.source.confidence,
    )
    dated = replace(fact, source=replace(fact.source, date=row.date))
    return Quote(
        subject=row.accelerator or row.system or "", offer=offer, count=row.count, instance=row.instance, fact=dated
    )
