"""What one look at a machine yields: facts under flat names, and what could not be seen and why."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Part(NamedTuple):
    """Some facts, and in words what is missing beside them."""

    facts: dict[str, object]
    missing: tuple[str, ...] = ()


def joined(parts: Iterable[Part]) -> Part:
    """Several looks as one."""
    facts: dict[str, object] = {}
    missing: list[str] = []
    for part in parts:
        facts |= part.facts
        missing += part.missing
    return Part(facts, tuple(dict.fromkeys(missing)))


def look(path: Path) -> tuple[str, str]:
    """What a small file of the system says, and else why it says nothing."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \t\r\n"), ""
    except PermissionError:
        return "", "permission denied"
    except (FileNotFoundError, NotADirectoryError):
        return "", "not there"
    except (OSError, ValueError) as error:
        return "", getattr(error, "strerror", None) or "no answer"


def said(path: Path) -> str:
    """What a small file of the system says; empty where it says nothing, for whatever reason."""
    return look(path)[0]


def number(path: Path, scale: float = 1.0) -> float | None:
    """A number of the system, in the unit that `scale` makes of it; None where there is none, or -1 for "unknown".

    >>> number(Path("/nowhere"))
    """
    text = said(path)
    return int(text) * scale if re.fullmatch(r"[0-9]{1,18}", text) else None


def first(paths: Iterable[Path], scale: float = 1.0) -> float | None:
    """The first of several places that has a number."""
    return next((value for path in paths if (value := number(path, scale)) is not None), None)


def named(path: Path) -> list[Path]:
    """What a folder of the system holds, by name, and nothing where it cannot be listed."""
    try:
        return sorted(path.iterdir(), key=lambda p: (len(p.name), p.name))
    except OSError:
        return []
