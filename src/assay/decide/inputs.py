"""What was stated of all candidates in one table, and a candidate with everything looked up that it depends on.

The same number has one key for all who depend on it, so that it is drawn once: two candidates on one site pay one
tariff, two ways to pay for one system rest on one rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assay.assumption import Assumption, exactly
from assay.decide.money import YEAR_S
from assay.decide.ranges import product
from assay.decision import Rate
from assay.economics import Economics
from assay.hardware import Offer, System
from assay.pilot import Candidate, Site, Work
from assay.result import Value
from assay.siting import Fit
from assay.units import suffix

_LEAST = 0.01  # of a speed or a demand: an interval that reaches 0 says that little is known, not that nothing works


@dataclass(slots=True)
class Table:
    """The stated numbers by key; a key that another number has already gets its candidate's name."""

    stated: dict[str, Assumption] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    origin: dict[str, str] = field(
        default_factory=dict
    )  # key -> name in the table of economics, where it is from there

    def put(self, key: str, unit: str, stated: Assumption, of: str = "", origin: str = "") -> str:
        """Keep a number; the key it is found by."""
        if self.stated.get(key, stated) != stated:
            key = f"{key} ({of})"
        self.stated[key], self.units[key] = stated, unit
        if origin:
            self.origin[key] = origin
        return key


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A candidate with everything its cost depends on looked up; None is what nobody knows."""

    candidate: Candidate
    system: System | None
    site: Site | None
    price: Assumption | None  # of a node, or the rent of an accelerator
    electricity: Assumption | None = None
    pue: Assumption | None = None
    plant: Assumption | None = None  # what a building there costs, per watt
    fit: Fit | None = None
    clusters: int | None = None  # that the work needs, where the candidate does not say how many
    rates: Sequence[Rate] = ()


def node_power_w(standing: Standing) -> float | None:
    """Highest draw of one node: as stated, else as the catalog has it."""
    system = standing.system
    return standing.candidate.power_w or (system.power_w if system is not None else None)


def hosted(standing: Standing) -> bool:
    """Whether its power and its place are ours to pay; of a machine that no catalog knows, where a site is named."""
    site = standing.site
    cloud = site is not None and site.kind == "cloud"
    return standing.candidate.via != "rent" and not cloud and (standing.system is not None or site is not None)


def offered(offers: Sequence[Offer], via: str, term: str) -> tuple[Assumption | None, str]:
    """What is asked for a machine, of all dated offers of this kind: the middle one, from the lowest to the highest."""
    kind = "buy" if via == "buy" else "rent"
    wanted = "reserved" if term == "committed" else term
    found = [o for o in offers if o.kind == kind and (kind == "buy" or o.term.startswith(wanted))]
    prices = [(o.price_usd if kind == "buy" else o.price_usd_per_s, o) for o in found]
    priced = sorted(((p, o) for p, o in prices if p), key=lambda one: one[0])
    if not priced:
        return None, ""
    middle, offer = priced[(len(priced) - 1) // 2]
    newest = max(o.date for _, o in priced)
    said = f"{len(priced)} offer{'s' if len(priced) > 1 else ''} in the catalog; the middle one is {offer.provider}'s"
    stated = Assumption(value=middle, low=priced[0][0], high=priced[-1][0], source=said, date=offer.date,
                        confidence=offer.confidence)  # fmt: skip
    return stated, newest


def of_value(value: Value, source: str = "") -> Assumption:
    """A figure with its interval, as a stated number."""
    low, high = min(max(value.low, _LEAST * value.mean), value.mean), max(value.high, value.mean)
    return Assumption(value=value.mean, low=low, high=high, source=source)


def wanted_of(work: Work) -> Assumption | None:
    """How much of a kind of work is wanted, in units a second, mean over a year; None where nobody said."""
    if work.tokens_per_s is not None:
        return work.tokens_per_s
    job, often = work.samples or work.tokens, work.jobs_per_year
    if job is None or often is None:
        return None
    wanted = product(job, often, exactly(1 / YEAR_S))
    low = max(wanted.low, _LEAST * wanted.mean)
    source = often.source or job.source
    return Assumption(value=wanted.mean, low=low, high=wanted.high, source=source, date=often.date)


def from_economics(names: Mapping[str, str], economics: Economics, table: Table, of: str) -> dict[str, str]:
    """Put numbers of the table of economics into the table of stated ones: name there -> key here."""
    found = {}
    for name, key in names.items():
        stated = getattr(economics, name)
        if stated is not None:
            found[name] = table.put(key, suffix(name), stated, of, name)
    return found


def given(stated: Assumption | None) -> Assumption:
    """A number that the shipped table always has."""
    return stated if stated is not None else exactly(0.0)
