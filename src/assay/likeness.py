"""Which runs are alike enough to be compared, and what differs between those that are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from assay.errors import InputError, did_you_mean
from assay.roles import ROLES, TOLD, Role, meaning
from assay.run import SOUGHT, Case, Run

# Settings that say how long or where it was measured, and not what.
_HOW = frozenset({"budget_s", "folder", "done"})
# Settings that name what is run: where code is under test they are meant to differ.
_CODE = frozenset({"command"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something about two runs that is not the same."""

    key: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.key}: {_short(self.old)} and {_short(self.new)}"


def differences(old: Sequence[Run], new: Sequence[Run]) -> tuple[list[Difference], list[Difference]]:
    """What differs from the first old run: what forbids a comparison, and what is a suspect. Each key once."""
    forbidding: dict[str, Difference] = {}
    suspects: dict[str, Difference] = {}
    for run in (*old[1:], *new):
        for difference, role in between(old[0], run):
            kind = suspects if role == "suspect" else forbidding
            kind.setdefault(difference.key, difference)
    return list(forbidding.values()), list(suspects.values())


def between(old: Run, new: Run) -> list[tuple[Difference, Role]]:
    """Every difference between two runs that may explain one in their figures, and whether it forbids comparing."""
    pairs: dict[str, tuple[object, object]] = {"workload": (old.name, new.name), "dtypes": (_dtypes(old), _dtypes(new))}
    pairs |= {f"definition of {name}": two for name, two in both(_cases(old), _cases(new)).items() if None not in two}
    found: list[tuple[Difference, Role]] = [(_difference(key, *two), "alike") for key, two in pairs.items()]
    for key, two in both(old.settings, new.settings).items():
        found.append((_difference(key, *two), "note" if key in _HOW else "suspect" if key in _CODE else "alike"))
    for key, two in both(old.environment, new.environment).items():
        role = meaning(key)
        if role == "alike" and key in ROLES and not (key in old.environment and key in new.environment):
            role = "suspect"  # one record is from before this was captured
        if key not in {*ROLES, *TOLD} and not key.isupper() and all(value is None or _number(value) for value in two):
            role = "note"  # the command has told what it measured
        found.append((_difference(key, *two), role))
    return [(difference, role) for difference, role in found if difference.old != difference.new and role != "note"]


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _difference(key: str, old: object, new: object) -> Difference:
    return Difference(key=key, old=_word(old), new=_word(new))


def permitted(allow: Sequence[str], found: Sequence[Difference]) -> set[str]:
    """The differences that somebody wants to test; a name that does not differ is a mistake."""
    keys = {difference.key for difference in found}
    unknown = sorted(set(allow) - keys)
    if unknown:
        told = f"what differs: {', '.join(sorted(keys))}" if keys else "leave it out"
        hint = did_you_mean(unknown[0], keys) or told
        raise InputError(f'"{unknown[0]}" does not differ between these runs', where="--allow", hint=hint)
    return set(allow)


def both(old: Mapping[str, object], new: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    """Every key of either table, with what each says."""
    return {key: (old.get(key), new.get(key)) for key in dict.fromkeys((*old, *new))}


def _cases(run: Run) -> dict[str, Case]:
    found = {case.name: case for case in run.cases}
    return {name: _sought(case) if case.kind in SOUGHT else case for name, case in found.items()}


def _sought(case: Case) -> Case:
    return replace(case, flop=None, size_bytes=None, shape=(), note="")


def _dtypes(run: Run) -> str:
    return ", ".join(sorted({c.dtype for c in run.cases if c.dtype}))


def _word(value: object) -> str:
    return "none" if value is None else f'"{value}"' if isinstance(value, str) else str(value)


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:60]} … {text[-16:]}"
