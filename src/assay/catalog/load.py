"""The nouns of the catalog, found by the names people use, and where each of their values comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, cast

from assay.catalog import match as matching
from assay.catalog.match import Match
from assay.catalog.prices import offers_of
from assay.catalog.shelf import Folders, Kind, Stamp, files, names, read, stamp
from assay.codec import Fact, Raw, decode_sourced
from assay.errors import InputError, did_you_mean, nearest, perhaps
from assay.hardware import Accelerator, Link, Storage, System

KINDS: tuple[Kind, ...] = ("accelerator", "system", "link", "storage")

T = TypeVar("T")
Facts = Mapping[str, Fact]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Override:
    """What one system says of a link otherwise than the link's own file."""

    bandwidth_bytes_per_s: float | None = None
    latency_s: float | None = None
    topology: str | None = None
    domain: int | None = None


def accelerators(folders: Folders = ()) -> Mapping[str, Accelerator]:
    """Every accelerator, by name."""
    return _frozen(
        {name: _load(path, "accelerator", Accelerator)[0] for name, path in files("accelerator", folders).items()}
    )


def links(folders: Folders = ()) -> Mapping[str, Link]:
    """Every link, by name."""
    return _frozen({name: _load(path, "link", Link)[0] for name, path in files("link", folders).items()})


def storages(folders: Folders = ()) -> Mapping[str, Storage]:
    """Every kind of storage, by name."""
    return _frozen({name: _load(path, "storage", Storage)[0] for name, path in files("storage", folders).items()})


def systems(folders: Folders = ()) -> Mapping[str, System]:
    """Every system, one node of each, by name."""
    return _frozen({name: _system(path, folders)[0] for name, path in files("system", folders).items()})


def accelerator(name: str, folders: Folders = ()) -> Accelerator:
    """The accelerator that a person means; raises InputError with the near misses."""
    return _load(files("accelerator", folders)[resolve(name, folders).name], "accelerator", Accelerator)[0]


def system(name: str, nodes: int = 1, folders: Folders = ()) -> System:
    """So many nodes of a system; the name of an accelerator stands for its usual system."""
    if nodes < 1:
        raise InputError(f"{nodes} nodes are no system", where=name, hint="write 1 or more")
    shelf = files("system", folders)
    slug = name.strip().casefold()
    found = slug if slug in shelf else None
    if found is None and slug not in files("accelerator", folders):
        found = matching.same(name, names("system", folders))
    if found:
        return _system(shelf[found], folders)[0].with_nodes(nodes)
    meant = _match(name, folders)
    if meant is None:
        raise _unknown(name, "a system", ("system", "accelerator"), folders)
    return system_for(meant.name, folders=folders).with_nodes(nodes)


def system_for(accelerator_name: str, count_per_node: int | None = None, folders: Folders = ()) -> System:
    """The usual system of an accelerator; with `count_per_node`, one with that many, or the usual one resized."""
    shelf = files("system", folders)
    raws = {name: read(path, "system") for name, path in shelf.items()}
    mine = [name for name, raw in raws.items() if raw.get("accelerator") == accelerator_name]
    usual = next((name for name in reversed(mine) if raws[name].get("default") is True), None)
    if usual is None:
        hint = 'give a system file accelerator = "…" and default = true'
        raise InputError(f'no usual system for "{accelerator_name}" in the catalog', hint=hint)
    if count_per_node is None or raws[usual].get("count_per_node") == count_per_node:
        return _system(shelf[usual], folders)[0]
    listed = next((name for name in mine if _count(raws[name]) == count_per_node), None)
    return _system(shelf[listed], folders)[0] if listed else resized(_system(shelf[usual], folders)[0], count_per_node)


def resized(system: System, count_per_node: int) -> System:
    """The same kind of node with another number of accelerators; its power, height and purchase price are unknown.

    Links that end at the node follow its size; those that span nodes (a rack, a pod) stay.
    """
    was = system.count_per_node

    def fitted(link: Link) -> Link:
        if link.domain is None or link.domain > was:
            return link
        return replace(link, domain=count_per_node if link.domain == was else min(link.domain, count_per_node))

    return replace(
        system, count_per_node=count_per_node, links=tuple(fitted(link) for link in system.links), power_w=None,
        typical_power_w=None, idle_w=None, rack_units=None, offers=tuple(o for o in system.offers if o.kind == "rent"),
    )  # fmt: skip


def resolve(name: str, folders: Folders = ()) -> Match:
    """Which accelerator a name means, and which others it would fit; a system stands for the accelerator in it.

    Raises InputError with the near misses.
    """
    found = _match(name, folders)
    if found:
        return found
    shelf = files("system", folders)
    inside = matching.same(name, names("system", folders))
    if inside is None:
        raise _unknown(name, "an accelerator", ("accelerator",), folders)
    return Match(name=_system(shelf[inside], folders)[0].accelerator.name)


def kind_of(name: str, folders: Folders = ()) -> tuple[Kind, str] | None:
    """What kind of thing this is the name of, and its own name; exact names first, then those people write."""
    slug = name.strip().casefold()
    for kind in KINDS:
        if slug in files(kind, folders):
            return kind, slug
    for kind in KINDS[1:]:
        found = matching.same(name, names(kind, folders))
        if found:
            return kind, found
    meant = _match(name, folders)
    return ("accelerator", meant.name) if meant else None


def facts(name: str, folders: Folders = ()) -> Facts:
    """Every value of an accelerator, system, link or storage, with its range and its source."""
    found = kind_of(name, folders)
    if found is None:
        raise _unknown(name, "anything", KINDS, folders)
    return facts_in(*found, folders)


def facts_in(kind: Kind, name: str, folders: Folders = ()) -> Facts:
    """The same, by kind and own name."""
    path = files(kind, folders)[name]
    if kind == "system":
        return _system(path, folders)[1]
    nouns: dict[Kind, Any] = {"accelerator": Accelerator, "link": Link, "storage": Storage}
    found: Facts = _load(path, kind, nouns[kind])[1]
    return found


def _match(name: str, folders: Folders) -> Match | None:
    slug = name.strip().casefold()
    if slug in files("accelerator", folders):
        return Match(name=slug)
    return matching.match(name, names("accelerator", folders))


def near(name: str, kinds: tuple[Kind, ...] = KINDS, folders: Folders = ()) -> list[str]:
    """The things whose name or alias is most like this one, best first."""
    owners = {alias: own for kind in kinds for own, all_names in names(kind, folders).items() for alias in all_names}
    return list(dict.fromkeys(owners[hit] for hit in nearest(name[:100], owners)))


def _unknown(name: str, what: str, kinds: tuple[Kind, ...], folders: Folders) -> InputError:
    hint = perhaps(near(name, kinds, folders)) or "see assay catalog"
    return InputError(f'"{name[:100]}" is not {what} known here', hint=hint)


def _load(path: Path, kind: Kind, cls: type[T]) -> tuple[T, Facts]:
    found: tuple[T, Facts] = _decoded(path, stamp(path), kind, cast("Any", cls))
    return found


@lru_cache(maxsize=4096)
def _decoded(path: Path, _stamp: Stamp, kind: Kind, cls: Any) -> tuple[Any, Facts]:
    noun, found = decode_sourced(read(path, kind), cls, str(path))
    return noun, MappingProxyType(found)


def _system(path: Path, folders: Folders) -> tuple[System, Facts]:
    """A system with its accelerator, its links and its offers in place of their names."""
    raw = dict(read(path, "system"))
    default = raw.pop("default", False)
    if not isinstance(default, bool):
        raise InputError("default: true or false is wanted", where=str(path), hint="default = true")
    wanted, uses = raw.get("accelerator"), raw.get("links", [])
    shelf = files("accelerator", folders)
    if not isinstance(wanted, str) or wanted not in shelf:
        raise _dangling("accelerator", wanted, shelf, path)
    if not isinstance(uses, list):
        raise InputError("links: a list is wanted", where=str(path), hint='links = ["nvlink-4", "infiniband-ndr"]')
    joined = [_link(use, raw, path, folders) for use in uses]
    raw |= {
        "accelerator": _load(shelf[wanted], "accelerator", Accelerator)[0],
        "links": tuple(link for link, _ in joined),
        "offers": _system_offers(path.stem, wanted, folders),
    }
    noun, found = decode_sourced(raw, System, str(path))
    if not noun.links and noun.count_per_node > 1:
        hint = 'links = ["pcie-5.0-x16", "ethernet-100g"], the fastest first'
        raise InputError(f"links: none joins its {noun.count_per_node} accelerators", where=str(path), hint=hint)
    for link, overrides in joined:
        found |= {
            f"links.{link.name}.{key}": replace(f, key=f"links.{link.name}.{key}") for key, f in overrides.items()
        }
    return noun, MappingProxyType(found)


def _link(use: object, system: Raw, path: Path, folders: Folders) -> tuple[Link, Facts]:
    """A link by name, or `{ link = "nvlink-4", domain = 4 }`: the link's file with what this system has otherwise."""
    table = use if isinstance(use, Mapping) else {"link": use}
    shelf = files("link", folders)
    wanted = table.get("link")
    if not isinstance(wanted, str) or wanted not in shelf:
        raise _dangling("links", wanted, shelf, path)
    link = _load(shelf[wanted], "link", Link)[0]
    written = {key: value for key, value in table.items() if key != "link"}
    header = {key: system[key] for key in ("source", "sourced_by") if key in system}
    override, found = decode_sourced({**written, **header}, _Override, f"{path}: links: {wanted}")
    given = {f.name: getattr(override, f.name) for f in fields(override) if getattr(override, f.name) is not None}
    try:
        return replace(link, **given), found
    except ValueError as error:
        raise InputError(str(error), where=f"{path}: links: {wanted}") from None


def _system_offers(name: str, accelerator_name: str, folders: Folders) -> tuple[Any, ...]:
    """Rent is per accelerator; a purchase is of whole nodes, so an accelerator's own purchase price is left out."""
    rent = (offer for offer in offers_of(accelerator_name, folders) if offer.kind == "rent")
    return (*rent, *offers_of(name, folders))


def _dangling(key: str, wanted: object, shelf: Mapping[str, Path], path: Path) -> InputError:
    hint = did_you_mean(str(wanted)[:100], shelf) or f"see assay catalog --kind {key.rstrip('s')}s"
    return InputError(f'{key}: "{wanted}" is not in the catalog', where=str(path), hint=hint)


def _count(raw: Raw) -> object:
    written = raw.get("count_per_node")
    return written.get("is") if isinstance(written, Mapping) else written


def _frozen(found: dict[str, T]) -> Mapping[str, T]:
    return MappingProxyType(found)
