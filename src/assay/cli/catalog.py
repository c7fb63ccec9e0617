"""`assay catalog`: what can be compared, and where each value comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click

from assay.cli.catalog_card import card, side_by_side
from assay.cli.output import Row, emit, format_option, say
from assay.errors import Finding, InputError, did_you_mean
from assay.hardware import Accelerator, Link, Offer, Storage, System
from assay.units import show

KINDS = ("accelerators", "systems", "links", "models", "prices", "storage")


@click.command()
@click.argument("names", nargs=-1)
@click.option("--kind", type=click.Choice(KINDS), default="accelerators", show_default=True, help="What to list.")
@click.option("--vendor", help="Only what this maker makes.")
@click.option("--compare", is_flag=True, help="Put the named things side by side.")
@click.option("--check", is_flag=True, help="Read every file and try every rule; exit 1 if anything is wrong.")
@click.option("--catalog", "folders", multiple=True, type=click.Path(), help="A folder of your own; may be repeated.")
@format_option
def catalog(
    names: tuple[str, ...],
    kind: str,
    vendor: str | None,
    compare: bool,
    check: bool,
    folders: tuple[str, ...],
    fmt: str,
) -> None:
    """What can be compared; with a NAME, its every value with range, source, date and confidence.

    NAME is an accelerator, a system, a link, a storage or a model, as you write it: "8x H100 SXM" will do.
    """
    if check:
        _check(folders, fmt)
    elif not names:
        _list(kind, vendor, folders, fmt)
    elif compare or len(names) > 1:
        rows, data = side_by_side(names, folders)
        emit(rows, fmt, data=data)
        say(f"\nNext: assay catalog {names[0]}, for where its values come from")
    else:
        found = card(names[0], folders)
        for remark in found.remarks:
            say(remark)
        emit(found.rows, fmt, title=found.title, data=found.data)
        say(f"\nNext: {found.then}" + "".join(f" --catalog {folder}" for folder in folders))


def _list(kind: str, vendor: str | None, folders: Sequence[str], fmt: str) -> None:
    rows, data = _LISTS[kind](vendor, folders)
    emit(rows, fmt, data=data)
    first = rows[0].get("name", "h100-sxm") if rows else "h100-sxm"
    say(f"\n{len(rows)} {kind}. Next: assay catalog {first}, for its every value with its source")


def _accelerators(vendor: str | None, folders: Sequence[str]) -> tuple[list[Row], list[Row]]:
    from assay.catalog import accelerators, offers

    priced = offers(folders)
    chosen = _made_by(vendor, accelerators(folders).values(), lambda a: a.vendor)
    rows: list[Row] = [
        {
            "name": a.name,
            "vendor": a.vendor,
            "memory": show(a.memory_bytes, "bytes"),
            "bandwidth": show(a.bandwidth_bytes_per_s, "bytes_per_s"),
            "16-bit peak": _peak(a),
            "power": show(a.power_w, "w"),
            "maturity": a.software.maturity,
            "rent from": _rent(cheapest(priced.get(a.name, ()))),
        }
        for a in chosen
    ]
    return rows, [_plain(a) | {"rent_usd_per_s": _rate(cheapest(priced.get(a.name, ())))} for a in chosen]


def _systems(vendor: str | None, folders: Sequence[str]) -> tuple[list[Row], list[Row]]:
    from assay.catalog import systems

    chosen = _made_by(vendor, systems(folders).values(), lambda s: f"{s.vendor} {s.accelerator.vendor}")
    rows: list[Row] = [
        {
            "name": s.name,
            "vendor": s.vendor,
            "node": f"{s.count_per_node}× {s.accelerator.name}",
            "links": " → ".join(f"{link.name} {show(link.bandwidth_bytes_per_s, 'bytes_per_s')}" for link in s.links),
            "power": show(s.power_w, "w"),
            "rent from": _rent(cheapest(s.offers), s.count_per_node),
            "buy from": _buy(s.offers),
        }
        for s in chosen
    ]
    return rows, [_plain(s) | {"accelerator": s.accelerator.name} for s in chosen]


def _links(vendor: str | None, folders: Sequence[str]) -> tuple[list[Row], list[Row]]:
    from assay.catalog import links

    found: list[Link] = _made_by(vendor, links(folders).values(), None)
    rows: list[Row] = [
        {
            "name": link.name,
            "bandwidth": show(link.bandwidth_bytes_per_s, "bytes_per_s"),
            "latency": show(link.latency_s, "s"),
            "topology": link.topology,
            "joins": link.domain or "any number",
        }
        for link in found
    ]
    return rows, [_plain(link) for link in found]


def _storage(vendor: str | None, folders: Sequence[str]) -> tuple[list[Row], list[Row]]:
    from assay.catalog import storages

    found: list[Storage] = _made_by(vendor, storages(folders).values(), None)
    rows: list[Row] = [
        {
            "name": s.name,
            "tier": s.tier,
            "unit": s.unit,
            "capacity": show(s.capacity_bytes, "bytes") if s.capacity_bytes else "as wanted",
            "read": show(s.read_bytes_per_s, "bytes_per_s"),
            "write": show(s.write_bytes_per_s, "bytes_per_s"),
            "latency": show(s.latency_s, "s"),
            "price": show(s.price_usd_per_byte, "usd_per_byte"),
        }
        for s in found
    ]
    return rows, [_plain(s) for s in found]


def _prices(vendor: str | None, folders: Sequence[str]) -> tuple[list[Row], list[Row]]:
    from assay.catalog import offers
    from assay.codec import encode

    _made_by(vendor, (), None)
    pairs = [(name, offer) for name, found in sorted(offers(folders).items()) for offer in found]
    rows: list[Row] = [
        {
            "name": name,
            "price": show(o.price_usd_per_s, "usd_per_s") if o.kind == "rent" else show(o.price_usd, "usd"),
            "term": o.term,
            "provider": o.provider,
            "region": o.region,
            "date": o.date,
            "confidence": o.confidence,
        }
        for name, o in pairs
    ]
    return rows, [{"name": name, **encode(offer)} for name, offer in pairs]


def _models(vendor: str | None, folders: Sequence[str]) -> tuple[list[Row], list[Row]]:
    from pathlib import Path

    from assay.catalog.models import models

    _made_by(vendor, (), None)
    found = models([Path(folder) for folder in folders]).values()
    rows: list[Row] = [
        {
            "name": m.name,
            "family": m.family,
            "kind": m.kind,
            "parameters": show(m.published_params) if m.published_params else "not published",
        }
        for m in found
    ]
    return rows, [
        {"name": m.name, "family": m.family, "kind": m.kind, "published_params": m.published_params} for m in found
    ]


_LISTS: Mapping[str, Callable[[str | None, Sequence[str]], tuple[list[Row], list[Row]]]] = {
    "accelerators": _accelerators, "systems": _systems, "links": _links, "models": _models, "prices": _prices,
    "storage": _storage,
}  # fmt: skip


def _check(folders: Sequence[str], fmt: str) -> None:
    from assay.catalog.check import audit
    from assay.codec import encode

    found = audit(folders)
    rows: list[Row] = [{"what": f"{kind} files", "count": count} for kind, count in found.files.items()]
    rows += [{"what": f"accelerators by {vendor}", "count": count} for vendor, count in found.vendors.items()]
    rows += [
        {"what": "values, each with source, date and confidence", "count": found.values},
        {"what": "of these, offers", "count": found.offers},
        {"what": "values without a source", "count": found.sourceless},
        {"what": "problems", "count": len(found.problems)},
    ]
    emit(rows, fmt, data=encode(found))
    for problem in found.problems:
        say(f"{problem.where}: {problem.what}")
    if found.problems:
        raise Finding(f"{len(found.problems)} problems in the catalog", hint="put them right, or say why in a note")
    say("\nNext: assay catalog")


def _made_by(vendor: str | None, things: Iterable[Any], makers: Callable[[Any], str] | None) -> list[Any]:
    found = list(things)
    if vendor is None:
        return found
    if makers is None:
        raise InputError("these have no vendor", where="--vendor", hint="use it with --kind accelerators or systems")
    chosen = [thing for thing in found if vendor.casefold() in makers(thing).casefold()]
    if not chosen:
        known = sorted({makers(thing) for thing in found})
        raise InputError(
            f'no vendor "{vendor}"', where="--vendor", hint=did_you_mean(vendor, known) or ", ".join(known)
        )
    return chosen


def cheapest(offers: Iterable[Offer]) -> Offer | None:
    """The lowest rent, whatever its term; None where nobody's price is known."""
    rents = [(offer.price_usd_per_s, offer) for offer in offers if offer.price_usd_per_s is not None]
    return min(rents, key=lambda pair: pair[0])[1] if rents else None


def _rate(offer: Offer | None) -> float | None:
    return offer.price_usd_per_s if offer else None


def _rent(offer: Offer | None, count: int = 1) -> str:
    if offer is None or offer.price_usd_per_s is None:
        return "unknown"
    return f"{show(offer.price_usd_per_s * count, 'usd_per_s')} {offer.term}"


def _buy(offers: Iterable[Offer]) -> str:
    return show(min((offer.price_usd for offer in offers if offer.price_usd is not None), default=None), "usd")


def _peak(a: Accelerator) -> str:
    dtype = next((dtype for dtype in ("bf16", "fp16") if dtype in a.peak_flop_per_s), None)
    return f"{show(a.peak_flop_per_s[dtype], 'flop_per_s')} {dtype}" if dtype else "unknown"


def _plain(noun: Accelerator | System | Link | Storage) -> dict[str, Any]:
    from assay.codec import encode

    return {key: value for key, value in encode(noun).items() if key != "offers"}
