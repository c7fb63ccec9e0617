"""Whether the catalog can be trusted: every file loads, every name leads somewhere, no figure smells of a trap.

The traps are the usual ones of data sheets: peaks with sparsity, links counted both ways, watts of a card for a node.
A value that breaks a rule on purpose carries a `note` that says why; a rule is not applied to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from assay.catalog import load, match, models, prices
from assay.catalog.load import Facts
from assay.catalog.shelf import Folders, Kind, files, names, read
from assay.errors import InputError
from assay.hardware import Accelerator, System

_SOURCELESS = "no source"
_ALL: tuple[Kind, ...] = (*load.KINDS, "prices")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, and where."""

    where: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What the catalog holds, and what is wrong with it."""

    problems: tuple[Problem, ...] = ()
    files: Mapping[str, int] = field(default_factory=dict)  # by kind
    vendors: Mapping[str, int] = field(default_factory=dict)  # accelerators, by maker
    values: int = 0
    offers: int = 0
    sourceless: int = 0


def audit(folders: Folders = ()) -> Audit:
    """Read everything and try every rule."""
    problems: list[Problem] = []
    facts: dict[str, Facts] = {}
    vendors: Counter[str] = Counter()
    for kind in load.KINDS:
        for name in files(kind, folders):
            if name in facts:
                problems.append(Problem(where=name, what="the name of two kinds of thing; rename one"))
            facts[name] = _tried(problems, f"{kind} {name}", partial(load.facts_in, kind, name, folders)) or {}
    machines = [m for name in files("accelerator", folders) if facts[name] for m in [load.accelerator(name, folders)]]
    nodes = [load.system(name, folders=folders) for name in files("system", folders) if facts[name]]
    for machine in machines:
        vendors[machine.vendor] += 1
        problems += _about(machine.name, _accelerator_rules(machine, facts[machine.name]))
    for node in nodes:
        problems += _about(node.name, _system_rules(node, facts[node.name]))
    quotes = [q for path in files("prices", folders).values() for q in _priced(problems, path)]
    problems += [p for name, found in facts.items() for p in _about(name, _estimates(found))]
    problems += _price_rules(quotes, folders)
    for rules in (_name_rules, _default_rules):
        problems += _tried(problems, "names", partial(_listed, rules, folders)) or []
    shapes = _tried(problems, "models", partial(models.models, [Path(folder) for folder in folders])) or {}
    return Audit(
        problems=tuple(dict.fromkeys(problems)),
        files={kind: len(files(kind, folders)) for kind in _ALL} | {"model": len(shapes)},
        vendors=dict(sorted(vendors.items())),
        values=sum(map(len, facts.values())) + len(quotes),
        offers=len(quotes),
        sourceless=sum(_SOURCELESS in problem.what for problem in problems),
    )


def _accelerator_rules(a: Accelerator, facts: Facts) -> Iterator[str]:
    peak = a.peak_flop_per_s
    widest = peak.get("bf16") or peak.get("fp16")
    for small, large, most, trap in (
        ("fp64", "fp32", 1.05, "matrix fp64 beside vector fp32?"),
        ("tf32", "bf16", 1.05, "is one of them with sparsity?"),
        ("bf16", "fp32", 40.0, "is it with sparsity?"),
        ("fp8", "bf16", 2.05, "is it with sparsity?"),
        ("int8", "bf16", 4.1, "is it with sparsity?"),
        ("fp4", "fp8", 4.1, "is it with sparsity?"),
    ):
        key = f"peak_flop_per_s.{small}"
        if small in peak and large in peak and peak[small] > most * peak[large] and not _excused(facts, key):
            yield f"{key}: {peak[small] / peak[large]:.3g} times {large}; {trap}"
    low, high = (3.0, 1500.0) if a.execution == "kernels" else (0.05, 100.0)
    ratio = widest / a.bandwidth_bytes_per_s if widest else None
    if ratio and not low <= ratio <= high:
        yield f"{ratio:.3g} FLOP per byte of memory traffic; {low:g} to {high:g} is plausible"
    least, most = (5e3, 40e3) if a.architecture == "wafer" else (20.0, 3000.0)
    if a.power_w is not None and not least <= a.power_w <= most:
        yield f"power_w: {a.power_w:g} W for one device; {least:g} to {most:g} is plausible"
    if a.idle_w is not None and a.power_w is not None and a.idle_w >= a.power_w:
        yield "idle_w: not below power_w"
    if a.on_chip_bytes is not None and a.on_chip_bytes > a.memory_bytes:
        yield "on_chip_bytes: more than memory_bytes"


def _system_rules(s: System, facts: Facts) -> Iterator[str]:
    device = s.accelerator.power_w
    if s.power_w is not None and device is not None and not 0.95 <= s.power_w / (device * s.count_per_node) <= 5:
        yield f"power_w: {s.power_w / s.count_per_node:.4g} W an accelerator, whose own rating is {device:g} W"
    if s.typical_power_w is not None and s.power_w is not None and s.typical_power_w > s.power_w:
        yield "typical_power_w: above power_w"
    for inner, outer in zip(s.links, s.links[1:], strict=False):
        if outer.bandwidth_bytes_per_s > inner.bandwidth_bytes_per_s and not _excused(facts, f"links.{outer.name}"):
            yield f"links: {outer.name} outside is faster than {inner.name} inside; is it per node, or both ways?"
    for link in s.links:
        if link.bandwidth_bytes_per_s > 0.95 * s.accelerator.bandwidth_bytes_per_s:
            yield f"links: {link.name} is as fast as the memory; is it per node, or both ways?"


def _estimates(facts: Facts) -> Iterator[str]:
    for fact in facts.values():
        if isinstance(fact.value, float) and fact.source.confidence == "low" and fact.low is None and fact.high is None:
            yield f"{fact.key}: of low confidence, and without a range"
        if not fact.source.title or not fact.source.date:
            yield f"{fact.key}: its source has no title or no date"


def _price_rules(quotes: list[prices.Quote], folders: Folders) -> Iterator[Problem]:
    known = {*files("accelerator", folders), *files("system", folders)}
    for quote in quotes:
        where, offer = f"price of {quote.subject}", quote.offer
        if quote.subject not in known:
            yield Problem(where=where, what=f'{offer.provider}: "{quote.subject}" is not in the catalog')
        if offer.price_usd_per_s is not None and not 0.02 <= offer.price_usd_per_s * 3600 <= 50:
            yield Problem(where=where, what=f"{offer.provider}: ${offer.price_usd_per_s * 3600:.3g} an hour; per node?")
        if offer.price_usd is not None and not 100 <= offer.price_usd <= 2e7:
            yield Problem(where=where, what=f"{offer.provider}: ${offer.price_usd:.4g} to buy is not plausible")
        if not offer.date[:4].isdigit() or not offer.provider or not offer.source:
            yield Problem(where=where, what=f"{offer.provider or 'an offer'}: provider, date and source are wanted")


def _name_rules(folders: Folders) -> Iterator[Problem]:
    """Every alias leads to its own thing."""
    known = names("accelerator", folders)
    for name, aliases in known.items():
        for alias in aliases:
            found = match.find(alias, known)
            if found != name:
                yield Problem(where=f"accelerator {name}", what=f'alias "{alias}" leads to {found or "several things"}')
    for kind in load.KINDS[1:]:
        listed = names(kind, folders)
        for name, aliases in listed.items():
            for alias in aliases:
                if match.same(alias, listed) != name:
                    yield Problem(where=f"{kind} {name}", what=f'alias "{alias}" is that of several things')


def _default_rules(folders: Folders) -> Iterator[Problem]:
    raws = [read(path, "system") for path in files("system", folders).values()]
    usual = Counter(str(raw.get("accelerator")) for raw in raws if raw.get("default") is True)
    for name in files("accelerator", folders):
        if usual[name] != 1:
            yield Problem(
                where=f"accelerator {name}", what=f"{usual[name]} systems are its default = true; one is wanted"
            )


def _listed(rules: Callable[[Folders], Iterator[Problem]], folders: Folders) -> list[Problem]:
    return list(rules(folders))


def _excused(facts: Facts, key: str) -> bool:
    return any(fact.note for at, fact in facts.items() if at.startswith(key))


def _about(name: str, rules: Iterator[str]) -> list[Problem]:
    return [Problem(where=name, what=what) for what in rules]


def _tried(problems: list[Problem], where: str, attempt: Callable[[], Any]) -> Any:
    try:
        return attempt()
    except InputError as error:
        problems.append(Problem(where=error.where or where, what=error.what))
        return None


def _priced(problems: list[Problem], path: Path) -> tuple[prices.Quote, ...]:
    return _tried(problems, str(path), lambda: prices.in_file(path)) or ()
