"""Where the work should run: each site held against the law, the distance, the power, and how steady the work is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from assay.decision import Judged, SiteChoice
from assay.pilot import Demand, Needs, Site
from assay.units import show

# How steady the work is -> what speaks for a kind of site: what comes and goes is rented, what is always there owned.
_SUITS = {
    "cloud": {
        "bursty": "the work comes and goes, and here only what is used is paid for",
        "seasonal": "the peaks of a season can be rented here for as long as they last",
        "steady": "steady work pays the price of flexibility here without using it",
        "unknown": "nobody knows how steady the work is, and what is rented can be given back",
    },
    "colo": {
        "bursty": "bursts leave machines idle that are paid for",
        "seasonal": "the base of the work can stand here, its peaks elsewhere",
        "steady": "steady work fills machines that are paid for, without a building of one's own",
        "unknown": "machines are paid for whether the work comes or not, and nobody knows how steady it is",
    },
    "own": {
        "bursty": "bursts leave machines and a building idle that are paid for",
        "seasonal": "the base of the work can stand here, its peaks elsewhere",
        "steady": "steady work over many years is what a building pays for itself with",
        "unknown": "a building is for 15 years, and nobody knows how steady the work is",
    },
}


def places(
    sites: Sequence[Site], needs: Needs, demand: Demand, candidates: Sequence[Judged], day: date
) -> tuple[SiteChoice, ...]:  # fmt: skip
    """Every site, those first where the work may run and where a candidate runs it cheapest."""
    found = [_choice(site, needs, demand, [c for c in candidates if c.site == site.name], day) for site in sites]

    def key(one: SiteChoice) -> tuple[bool, bool, float]:
        cost = one.used_usd_per_s
        return not one.allowed, cost is None, cost.mean if cost else 0.0

    return tuple(sorted(found, key=key))


def _choice(site: Site, needs: Needs, demand: Demand, here: Sequence[Judged], day: date) -> SiteChoice:
    barred = _barred(site, needs)
    known = [c.worth.used_usd_per_s for c in here if c.worth is not None and not c.ruled_out]
    told = [*barred, *_power(site, here, day), _SUITS[site.kind][demand.predictability]]
    if not here:
        told.append("no candidate stands here")
    return SiteChoice(site=site.name, kind=site.kind, allowed=not barred, reasons=tuple(told),
                      used_usd_per_s=min(known, key=lambda value: value.mean, default=None))  # fmt: skip


def _barred(site: Site, needs: Needs) -> list[str]:
    told = []
    if needs.jurisdictions and site.jurisdiction and site.jurisdiction not in needs.jurisdictions:
        told.append(f"data may not lie under the law of {site.jurisdiction}")
    if needs.most_latency_s is not None and site.latency_s is not None and site.latency_s > needs.most_latency_s:
        told.append(f"{show(site.latency_s, 's')} to the users is more than {show(needs.most_latency_s, 's')}")
    return told


def _power(site: Site, here: Sequence[Judged], day: date) -> list[str]:
    """Power that is there today and later, beside what the candidates would draw."""
    if site.kind == "cloud" or not site.power:
        return []
    now = max((step.power_w for step in site.power if step.date <= day.isoformat()), default=0.0)
    later = max(site.power, key=lambda step: step.date)
    wanted = max((c.fit.power_w for c in here if c.fit is not None), default=None)
    said = [f"{show(now, 'w')} of power today"]
    if later.date > day.isoformat():
        said.append(f"{show(later.power_w, 'w')} from {later.date}")
    return [", ".join(said) + (f"; the largest candidate draws {show(wanted, 'w')}" if wanted else "")]
