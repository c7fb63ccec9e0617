"""Finds vendors' plug-ins: ours by listing the folder, others' by their entry points in the group "assay.vendors".

A plug-in that does not load, or lacks a part, is told with its reason; it never keeps the others from working.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from assay.errors import InputError, did_you_mean
from assay.machine import Device
from assay.telemetry import reading, vendors

GROUP = "assay.vendors"
PARTS = ("NAME", "FIELDS", "PROMETHEUS", "probe", "read", "normalise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """One plug-in: its module, or why there is none."""

    name: str
    module: Any = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one plug-in found on this machine, or why it could not look."""

    plugin: str
    devices: tuple[Device, ...] = ()
    problem: str = ""


@cache
def plugins() -> Mapping[str, Plugin]:
    """Every plug-in by name. One of somebody else's that is named like one of ours is told as a problem."""
    found: dict[str, Plugin] = {}
    for name, load in (*_ours(), *_theirs()):
        if name in found:
            found[f"{name} (second)"] = Plugin(name=name, problem=f'there is another plug-in named "{name}"')
        else:
            found[name] = _loaded(name, load)
    return found


def _ours() -> Iterator[tuple[str, Callable[[], Any]]]:
    for info in pkgutil.iter_modules(vendors.__path__):
        path = f"{vendors.__name__}.{info.name}"
        yield info.name, lambda path=path: importlib.import_module(path)  # type: ignore[misc]


def _theirs() -> Iterator[tuple[str, Callable[[], Any]]]:
    from importlib.metadata import entry_points

    for entry in entry_points(group=GROUP):
        yield entry.name, entry.load


def _loaded(name: str, load: Callable[[], Any]) -> Plugin:
    try:
        module = load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # anything may be wrong with it, down to a SystemExit
        return Plugin(name=name, problem=f"does not load: {type(error).__name__}: {error}")
    missing = [part for part in PARTS if not hasattr(module, part)]
    return Plugin(name=name, module=module, problem=f"has no {', '.join(missing)}" if missing else "")


def load(name: str) -> Any:
    """A plug-in's module by name; InputError says what is wrong with it."""
    known = plugins()
    if name not in known:
        raise InputError(f'there is no vendor "{name}"', hint=did_you_mean(name, known) or f"one of {', '.join(known)}")
    if known[name].problem:
        raise InputError(f'the vendor plug-in "{name}" {known[name].problem}', hint="update it, or uninstall it")
    return known[name].module


def survey(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> tuple[Found, ...]:
    """What each plug-in finds on this machine, without touching an SDK."""
    return tuple(_found(plugin, root, environment) for plugin in plugins().values())


def _found(plugin: Plugin, root: Path, environment: Mapping[str, str]) -> Found:
    if plugin.problem:
        return Found(plugin=plugin.name, problem=plugin.problem)
    try:
        return Found(plugin=plugin.name, devices=tuple(plugin.module.probe(root, environment)))
    except Exception as error:  # somebody else's code, on a machine nobody has seen
        return Found(plugin=plugin.name, problem=f"could not look: {type(error).__name__}: {error}")


def present(
    wanted: Iterable[str] | None = None, root: Path = Path("/"), environment: Mapping[str, str] = os.environ
) -> tuple[str, ...]:
    """The plug-ins that have something to read here; those that were named, whatever they find."""
    if wanted is not None:
        return tuple(name for name in wanted if load(name))
    return tuple(found.plugin for found in survey(root, environment) if found.devices)


def about(raw: reading.Raw, vendor: Any) -> tuple[Device, ...]:
    """What a raw answer tells of the devices themselves; whose they are, where it does not say, its plug-in does."""
    return tuple(device if device.vendor else replace(device, vendor=vendor.NAME) for device in reading.about(raw))
