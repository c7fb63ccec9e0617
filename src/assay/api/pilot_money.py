"""What a pilot's prices must be: in one currency, dated, nothing twice, and known or honestly taken from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from assay import catalog
from assay.api.pilot_dates import day, yet_to_come
from assay.api.pilot_file import CONVERT
from assay.api.pilot_rules import Problems, error, warning
from assay.assumption import Assumption
from assay.decide.hosting import paid_twice
from assay.decide.inputs import offered
from assay.errors import AssayError, did_you_mean
from assay.pilot import COVERS, THIS_MACHINE, Candidate, Pilot, Site
from assay.units import show, suffix

_DAY_S = 86400.0


def prices(pilot: Pilot, today: str, folders: Sequence[Path]) -> Problems:
    """What candidates cost: known or honestly unknown, in one currency, dated, and counted once."""
    if pilot.currency != "USD":
        yield error("currency", f"a pilot is reckoned in US dollars, not in {pilot.currency}", CONVERT)
    if not pilot.candidates:
        yield warning("", "no candidate: there is nothing to choose from", "add [[candidates]]")
    for i, one in enumerate(pilot.candidates):
        key = f"candidates[{i}]"
        yield from _way(key, one, pilot)
        yield from _price(key, one, pilot.stale_s, today, folders)
        for word in (word for word in one.covers if word not in COVERS):
            hint = did_you_mean(word, COVERS) or f"known: {', '.join(COVERS)}"
            yield error(f"{key}.covers", f'"{word}" is nothing that a price covers', hint)
    for i, site in enumerate(pilot.sites):
        yield from _double(f"sites[{i}]", site)


def _way(key: str, one: Candidate, pilot: Pilot) -> Problems:
    """Whether what is said fits how it is got: bought, rented, or there already."""
    if one.via == "rent" and one.price_usd is not None:
        yield error(
            f"{key}.price_usd", "what is rented has no purchase price", 'say rent = "2.50 USD/h", or via = "buy"'
        )
    if one.via != "rent" and one.rent_usd_per_s is not None:
        yield error(f"{key}.rent_usd_per_s", f'via = "{one.via}" has no rent', 'say price = …, or via = "rent"')
    if one.system == THIS_MACHINE and one.via == "buy" and one.price_usd is None:
        yield error(f"{key}.via", "this machine is there already", 'write via = "own"')
    elif one.via == "buy" and not one.site:
        yield error(f"{key}.site", f'"{one.name}" is bought and has no site', "say where it would stand: site = …")
    site = pilot.site(one.site)
    if one.via == "buy" and site is not None and site.kind == "cloud":
        yield error(
            f"{key}.site", f'"{one.site}" is a cloud, where nothing of one\'s own can stand', "name another site"
        )
    if one.via == "rent" and one.term in ("reserved", "committed") and one.commitment_s is None:
        yield warning(f"{key}.commitment_s", f"{one.term}, and for how long is unknown", 'add commitment = "1 year"')
    if one.term == "spot" and one.interruption_hz is None:
        yield warning(
            key, "how often a spot machine is taken away is unknown", "add interruption = { is = …, from = … }"
        )


def _price(key: str, one: Candidate, stale_s: float, today: str, folders: Sequence[Path]) -> Problems:
    name = {"buy": "price_usd", "rent": "rent_usd_per_s"}.get(one.via)
    if name is None:
        return
    price: Assumption | None = getattr(one, name)
    if price is None:
        what = _asked(one, suffix(name), stale_s, today, folders)
        hint = f'{"price" if one.via == "buy" else "rent"} = {{ is = …, from = "…", date = "…" }}'
        yield warning(
            f"{key}.{name}", what or f'"{one.name}" has no price: it stays unknown, and the ranking shows it so', hint
        )
    elif price.low <= 0:
        hint = 'leave out what is unknown; via = "own" is for what is there'
        yield error(f"{key}.{name}", "a price of 0 is no price", hint)
    else:
        date = price.date or one.price_date
        if not date:
            what = "a price without a date: nobody can say whether it still holds"
            yield warning(f"{key}.{name}", what, 'add date = "2026-11-27"')
        yield from yet_to_come(f"{key}.{name}", date, today, "asked")
        if _old(date, stale_s, today):
            what = f"a price of {date} is older than {show(stale_s, 's')}"
            yield warning(f"{key}.{name}", what, "ask again; or set stale to what still holds")


def _asked(one: Candidate, unit: str, stale_s: float, today: str, folders: Sequence[Path]) -> str:
    """What is taken where no price is stated: what others ask, in the catalog; empty where nobody does."""
    try:
        offers = () if one.system == THIS_MACHINE else catalog.system(one.system, 1, folders).offers
    except AssayError:  # which is told of where it is named
        return ""
    price, newest = offered(offers, one.via, one.term)
    if price is None:
        return ""
    ends = " to ".join(dict.fromkeys((show(price.low, unit), show(price.high, unit))))
    count = price.source.partition(" ")[0]
    old = f", older than {show(stale_s, 's')}" if _old(newest, stale_s, today) else ""
    many = f"the middle of {count} offers" if count != "1" else "the one offer"
    return f"no price is stated: {many} of the catalog is taken, {ends} of {newest}{old}"


def _old(date: str, stale_s: float, today: str) -> bool:
    asked_on, now = day(date[:10]) or day(date[:7]) or day(date[:4]), day(today)
    return bool(asked_on and now and (now - asked_on).days * _DAY_S > stale_s)


def _double(key: str, site: Site) -> Problems:
    """A colocation price that holds power or cooling, and the same once more: the commonest error of such tables."""
    covered = set(site.colo_covers)
    for name in paid_twice(site):
        what = f"the colo price holds {' and '.join(sorted(covered))} already: this would be paid twice"
        yield error(f"{key}.{name}", what, f"leave out {name}, or take it out of colo_covers")
    if covered and site.colo_usd_per_w_per_s is None:
        yield error(
            f"{key}.colo_covers", "there is no colo price that could hold anything", "add colo, or leave this out"
        )
