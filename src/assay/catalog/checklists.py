"""What to ask vendors, what to ask oneself, whom to hire, how to move work: tables that ship as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

from assay.codec import decode, read_toml
from assay.errors import InputError
from assay.hazards import ItemTemplate, Playbook, QuestionTemplate, SkillTemplate

T = TypeVar("T")

_OURS: Final = Path(__file__).parents[1] / "data" / "checklists"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Questions:
    questions: tuple[QuestionTemplate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Items:
    items: tuple[ItemTemplate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Skills:
    skills: tuple[SkillTemplate, ...]


@cache
def questions(path: Path = _OURS / "rfp.toml") -> tuple[QuestionTemplate, ...]:
    """The questions that may be put to vendors."""
    found = _read(path, "questions", _Questions).questions
    _once([one.id for one in found], path)
    for one in found:
        if not 0 <= one.weight <= 1:
            raise InputError(f"{one.id}: a weight of {one.weight:g}", where=str(path), hint="write one from 0 to 1")
    return found


@cache
def checklist(path: Path = _OURS / "decision.toml") -> tuple[ItemTemplate, ...]:
    """The questions that a team should be able to answer for itself."""
    found = _read(path, "checklist", _Items).items
    _once([one.id for one in found], path)
    return found


@cache
def skills(path: Path = _OURS / "skills.toml") -> tuple[SkillTemplate, ...]:
    """The people that machines need, by kind of machine."""
    return _read(path, "skills", _Skills).skills


@cache
def playbook(path: Path = _OURS / "runbooks.toml") -> Playbook:
    """How work moves from one pool to another, and what to compare before and after."""
    found = _read(path, "runbooks", Playbook)
    _once([one.name for one in found.steps], path)
    return found


def _read(path: Path, kind: str, cls: type[T]) -> T:
    raw = dict(read_toml(path))
    header = raw.pop("schema", None), raw.pop("kind", None)
    if header != (1, kind):
        hint = f'write schema = 1 and kind = "{kind}"'
        raise InputError(f"this is no table of {kind}", where=str(path), hint=hint)
    return decode(raw, cls, str(path))


def _once(ids: Sequence[str], path: Path) -> None:
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise InputError(f'"{twice[0]}" is there twice', where=str(path), hint="rename one of them")
