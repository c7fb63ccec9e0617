"""One thing of the catalog on a card: value, range, source, date and confidence; or several side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from assay.catalog import facts, quotes, resolve
from assay.catalog.load import kind_of, near
from assay.catalog.shelf import files, read
from assay.cli.output import Row
from assay.codec import Fact, encode
from assay.errors import InputError, nearest, perhaps
from assay.units import show, suffix, unit_of

if TYPE_CHECKING:
    from assay.catalog import Quote
    from assay.catalog.shelf import Kind

_MONTH_S = 365.25 / 12 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is printed of one thing."""

    title: str
    rows: Sequence[Row]
    data: Mapping[str, object]
    remarks: Sequence[str]
    then: str  # what to type next


def card(name: str, folders: Sequence[str]) -> Card:
    """Everything the catalog says of a name."""
    kind, own = _known(name, folders)
    if kind == "model":
        return _model_card(own, folders)
    values, priced = facts(own, folders), _quotes(kind, own, folders)
    said = _said(kind, own, folders)
    aliases = said.pop("aliases", [])
    rows = [
        *({"key": key, "value": _joined(value)} for key, value in said.items()),
        *map(_row, values.values()),
        *map(_price, priced),
    ]
    data = {
        "kind": kind,
        "name": own,
        "values": [encode(fact) for fact in values.values()],
        "offers": [encode(quote.offer) | {"count": quote.count, "instance": quote.instance} for quote in priced],
    }
    then = {"accelerator": f"assay catalog --compare {own} mi300x", "system": f"assay predict llama-3.1-8b --on {own}"}
    return Card(
        title=f"{kind} {own}" + (f" (also {_joined(aliases)})" if aliases else ""),
        rows=rows,
        data=data,
        remarks=_remarks(name, kind, own, folders),
        then=then.get(kind, "assay catalog --kind systems"),
    )


def side_by_side(names: Sequence[str], folders: Sequence[str]) -> tuple[list[Row], list[Mapping[str, object]]]:
    """A row a value, a column a thing; "~" before what is of low confidence, nothing where nothing is known."""
    columns = {own: _facts(kind, own, folders) for kind, own in (_known(name, folders) for name in names)}
    keys = dict.fromkeys(key for values in columns.values() for key in values)
    rows: list[Row] = [
        {"value": _label(key), **{own: _short(values.get(key)) for own, values in columns.items()}} for key in keys
    ]
    rows.append({"value": "rent from", **{own: _cheapest(own, folders) for own in columns}})
    return rows, [{"name": own, "values": [encode(f) for f in values.values()]} for own, values in columns.items()]


def _known(name: str, folders: Sequence[str]) -> tuple[str, str]:
    found = kind_of(name, folders)
    if found:
        return found
    from assay.catalog.models import model, models

    try:
        return "model", model(name, _paths(folders)).name
    except InputError:
        hits = [*near(name, folders=folders), *nearest(name[:100], models(_paths(folders)), count=2)]
    hint = perhaps(hits[:4]) or "see assay catalog"
    raise InputError(f'"{name[:100]}" is not in the catalog', hint=hint)


def _facts(kind: str, own: str, folders: Sequence[str]) -> Mapping[str, Fact]:
    if kind != "model":
        return facts(own, folders)
    from assay.catalog import models

    found: Mapping[str, Fact] = models.facts(own, _paths(folders))
    return found


def _model_card(own: str, folders: Sequence[str]) -> Card:
    from assay.catalog.models import model
    from assay.counting import parameters

    values, counted = _facts("model", own, folders), parameters(model(own, _paths(folders)).shape)
    data = {"kind": "model", "name": own, "parameters": counted, "values": [encode(fact) for fact in values.values()]}
    rows: list[Row] = [{"key": "parameters", "value": f"{counted:,}", "source": "counted from what follows"}]
    rows += [_row(fact) for fact in values.values()]
    return Card(title=f"model {own}", rows=rows, data=data, remarks=(), then=f"assay predict {own} --on hgx-h100")


def _said(kind: str, own: str, folders: Sequence[str]) -> dict[str, object]:
    """What it is called and built of: names, which need no source."""
    room = cast("Kind", kind)
    raw = read(files(room, folders)[own], room)
    return {
        key: raw[key]
        for key in ("vendor", "architecture", "execution", "accelerator", "links", "aliases")
        if key in raw
    }


def _quotes(kind: str, own: str, folders: Sequence[str]) -> list[Quote]:
    """Its prices; a system is also rented at its accelerator's rates."""
    rents = quotes(str(_said(kind, own, folders)["accelerator"]), folders) if kind == "system" else ()
    return [*(quote for quote in rents if quote.offer.kind == "rent"), *quotes(own, folders)]


def _joined(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(item.get("link")) if isinstance(item, dict) else str(item) for item in value)
    return str(value)


def _row(fact: Fact) -> Row:
    return {
        "key": _label(fact.key),
        "value": _shown(fact.key, fact.value),
        "range": _range(fact),
        "source": f"{fact.source.kind}: {fact.source.title}",
        "date": fact.source.date,
        "confidence": fact.source.confidence,
        "note": fact.note,
    }


def _price(quote: Quote) -> Row:
    offer, many = quote.offer, f" for {quote.count}" if quote.count > 1 else ""
    about = ", ".join(
        part for part in dict.fromkeys((offer.provider, offer.term, offer.region, quote.instance)) if part
    )
    shown = f"{_shown(quote.fact.key, quote.fact.value)}{many}"
    return {**_row(quote.fact), "key": f"{offer.kind} ({about})", "value": shown}


def _remarks(name: str, kind: str, own: str, folders: Sequence[str]) -> list[str]:
    if kind != "accelerator" or name == own:
        return []
    others = resolve(name, folders).others
    tail = f"; it could also be {', '.join(others)}" if others else ""
    return [f'"{name}" is taken as {own}{tail}.']


def _label(key: str) -> str:
    """A key without its unit: peak_flop_per_s.bf16 is peak.bf16."""
    return ".".join(part.removesuffix("_" + suffix(part)) if suffix(part) else part for part in key.split("."))


def _shown(key: str, value: float | str | bool | None) -> str:
    if isinstance(value, (str, bool)) or value is None:
        return "" if value is None else str(value)
    unit = unit_of(key)
    if unit == "usd_per_byte_per_s":
        return f"{show(value * _MONTH_S, 'usd_per_byte')}/month"
    if unit == "hz":
        return f"{value:,.0f}/s"
    text = show(value, unit, digits=4)
    return text.replace("FLOP", "OP") if key.endswith(".int8") else text


def _range(fact: Fact) -> str:
    if fact.low is None and fact.high is None:
        return ""
    return f"{_shown(fact.key, fact.low) or '?'} – {_shown(fact.key, fact.high) or '?'}"


def _short(fact: Fact | None) -> str:
    if fact is None:
        return ""
    return ("~" if fact.source.confidence == "low" else "") + _shown(fact.key, fact.value)


def _cheapest(own: str, folders: Sequence[str]) -> str:
    rates = [q.offer.price_usd_per_s for q in quotes(own, folders) if q.offer.price_usd_per_s is not None]
    return show(min(rates, default=None), "usd_per_s")


def _paths(folders: Sequence[str]) -> list[Path]:
    return [Path(folder) for folder in folders]
