"""Where catalog files lie: ours, then the folders of $ASSAY_CATALOG, then those named on the command line."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from assay.codec import Raw, read_toml
from assay.errors import InputError

Kind = Literal["accelerator", "link", "system", "storage", "prices"]
Folders = Sequence[str | Path]
Stamp = tuple[int, int]

ROOMS: Mapping[Kind, str] = {
    "accelerator": "accelerators", "link": "links", "system": "systems", "storage": "storage", "prices": "prices",
}  # fmt: skip

_OURS = Path(__file__).parent.parent / "data"
_NAME = re.compile(r"[a-z0-9][a-z0-9.+-]*")


def files(kind: Kind, folders: Folders = ()) -> dict[str, Path]:
    """The file of each name. A user's file of the same name replaces ours; two user files of one name are refused."""
    theirs: dict[str, Path] = {}
    for folder in user_folders(folders):
        for name, path in _listed(folder / ROOMS[kind]).items():
            if name in theirs:
                raise InputError(
                    f'"{name}" is given twice', where=f"{theirs[name]} and {path}", hint="keep one, or rename one"
                )
            theirs[name] = path
    return {**_listed(_OURS / ROOMS[kind]), **theirs}


def read(path: Path, kind: Kind) -> Raw:
    """The tables of one catalog file, whose header says what it is and whose name is the file's."""
    return _read(path, stamp(path), kind)


def names(kind: Kind, folders: Folders = ()) -> dict[str, tuple[str, ...]]:
    """Each name with its aliases, and for a device with memory of its own "name 80 GB"."""
    return {name: _names(read(path, kind)) for name, path in files(kind, folders).items()}


def stamp(path: Path) -> Stamp:
    """What changes when a file changes, so that what was read of it can be kept."""
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def user_folders(folders: Folders) -> list[Path]:
    """The folders of $ASSAY_CATALOG and those named beside it, each once; one that is not there is refused."""
    listed = [part for part in os.environ.get("ASSAY_CATALOG", "").split(os.pathsep) if part]
    found = list(dict.fromkeys(Path(os.path.realpath(folder)) for folder in (*listed, *folders)))
    for folder in found:
        if not folder.is_dir():
            hint = f"it holds one folder a kind: {', '.join(ROOMS.values())}"
            raise InputError("no such catalog folder", where=str(folder), hint=hint)
    return found


def _listed(room: Path) -> dict[str, Path]:
    return _entries(room, stamp(room))


@lru_cache(maxsize=256)
def _entries(room: Path, _stamp: Stamp) -> dict[str, Path]:
    return {path.stem: path for path in sorted(room.glob("*.toml"))}


@lru_cache(maxsize=4096)
def _read(path: Path, _stamp: Stamp, kind: Kind) -> Raw:
    raw = read_toml(path)
    if raw.get("schema") != 1:
        raise InputError(f"schema {raw.get('schema')} is not known here", where=str(path), hint="write schema = 1")
    if raw.get("kind") != kind:
        found = raw.get("kind")
        raise InputError(f'this is a "{found}", not a "{kind}"', where=str(path), hint=f'write kind = "{kind}"')
    name = path.stem if kind == "prices" else raw.get("name")
    if name is None:
        raise InputError('"name" is missing', where=str(path), hint=f'add name = "{path.stem}"')
    if name != path.stem or not _NAME.fullmatch(path.stem):
        hint = f'call the file {name}.toml, or write name = "{path.stem}"; small letters, digits, "-" and "."'
        raise InputError(f'name "{name}" and file name "{path.stem}" differ', where=str(path), hint=hint)
    return raw


def _names(raw: Raw) -> tuple[str, ...]:
    aliases = raw.get("aliases", [])
    listed = [alias for alias in aliases if isinstance(alias, str)] if isinstance(aliases, list) else []
    name = str(raw.get("name"))
    memory = raw.get("memory")
    memory = memory.get("is") if isinstance(memory, dict) else memory
    fixed = raw.get("kind") == "accelerator" and raw.get("architecture") != "cpu"
    return (name, *listed, f"{name} {memory}") if fixed and isinstance(memory, str) else (name, *listed)
