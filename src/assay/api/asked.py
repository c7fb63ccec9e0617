"""A pilot as it is asked about: its file, its runs, what vendors answered, and the day it is decided on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from assay.api.evidence import Known, known, stated
from assay.api.pilot_file import path_of
from assay.api.piloting import check, refuse
from assay.api.piloting import pilot as read
from assay.api.rating import Measured
from assay.api.showing import now
from assay.catalog import checklists
from assay.catalog.economics import economics as shipped
from assay.decide.gates import Witness
from assay.decision import Rate
from assay.economics import Economics
from assay.errors import InputError
from assay.pilot import Pilot
from assay.result import Value
from assay.units import suffix


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A pilot with all that was found out of it, and the day it is decided on."""

    pilot: Pilot
    known: Known
    folder: Path
    economics: Economics
    today: date
    measured: Measured
    folders: Sequence[Path] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)  # fingerprints of what it rests on
    warnings: tuple[str, ...] = ()


def asked(source: Pilot | Path | str, today: str, folders: Sequence[Path]) -> Asked:
    """Read everything that a decision rests on; InputError for a pilot that has errors, or a day that is none."""
    try:
        day = date.fromisoformat((today or now())[:10])
    except ValueError:
        raise InputError(f'"{today}" is no date', where="today", hint="write 2026-11-27") from None
    if isinstance(source, Pilot):
        refuse(source, str(day), folders)
        nothing = Known(witnesses=stated(source), added=(), answers={}, runs={})
        return Asked(pilot=source, known=nothing, folder=Path(), economics=source.assumptions.over(shipped()),
                     folders=folders, today=day, measured={})  # fmt: skip
    file = path_of(source)
    pilot = read(file, folders, today=str(day))
    seen = known(pilot, file.parent, folders)
    return Asked(
        pilot=_answered(pilot, seen), known=seen, folder=file.parent, economics=pilot.assumptions.over(shipped()),
        folders=folders, today=day, measured=_measured(seen.witnesses), inputs=_prints(file, seen),
        warnings=_warnings(file, pilot, seen, day, folders),
    )  # fmt: skip


def _answered(pilot: Pilot, seen: Known) -> Pilot:
    """The pilot with what vendors answered since its file was written."""
    told = (replace(c, answers={**c.answers, **seen.answers.get(c.name, {})}) for c in pilot.candidates)
    return replace(pilot, candidates=tuple(told))


def _prints(file: Path, seen: Known) -> dict[str, str]:
    own = {"pilot.toml": hashlib.sha256(file.read_bytes()).hexdigest()[:12]}
    answers = {
        f"answers of {name}": hashlib.sha256(repr(sorted(told.items())).encode()).hexdigest()[:12]
        for name, told in seen.answers.items()
    }
    return own | answers | {f"run {one.id[:8]}": one.sha256[:12] for one in seen.added}


def _warnings(file: Path, pilot: Pilot, seen: Known, day: date, folders: Sequence[Path]) -> tuple[str, ...]:
    told = [one for one in check(file, str(day), folders) if one.severity == "warning"]
    lines = [f"{_called(one.key, pilot)}: {one.what}" if one.key else one.what for one in told]
    return (*lines, *_unused(pilot, seen), *(f"not read: {text}" for text in seen.unreadable))


def _unused(pilot: Pilot, seen: Known) -> Iterator[str]:
    """Answers that would move the cost, and do so only once they stand in the pilot's file: people read words."""
    asked_ = {one.id: one for one in checklists.questions()}
    for name, told in seen.answers.items():
        for key, text in told.items():
            moves = asked_[key].moves if key in asked_ else ()
            if moves and pilot.candidate(name) is not None:
                where = ", ".join(one.removesuffix("_" + suffix(one)) if suffix(one) else one for one in moves)
                yield f'{name} answered "{key}" with "{text}": it counts once it stands in pilot.toml ({where})'


def _called(key: str, pilot: Pilot) -> str:
    """A place in the file by the name that stands there: `candidates[0].price_usd` is "buy-h100"."""
    room, _, rest = key.partition("[")
    number = rest.partition("]")[0]
    listed: Sequence[object] = getattr(pilot, room, ()) if number.isdigit() else ()
    return str(getattr(listed[int(number)], "name", key)) if int(number or 0) < len(listed) else key


def _measured(witnesses: Sequence[Witness]) -> dict[tuple[str, str], Rate]:
    """The latest rate of the work itself that was measured, of the highest stage; a trial's rate is not the work's."""
    found: dict[tuple[str, str], tuple[tuple[int, str], Rate]] = {}
    for one in witnesses:
        if one.origin != "measured" or not one.whole or one.metric not in ("tokens_per_s", "samples_per_s"):
            continue
        low, high = (one.low, one.high) if one.low and one.high else (one.value / 2, one.value * 2)
        sure = "" if one.low and one.high else "too few samples for an interval: half to double is taken"
        rate = Rate(
            workload=one.workload, metric=one.metric, origin="measured", source=one.source, note=sure,
            value=Value(mean=one.value, low=min(low, one.value), high=max(high, one.value), evidence="A"),
        )  # fmt: skip
        key, weight = (one.candidate, one.workload), (one.stage or 0, one.at)
        if key not in found or weight > found[key][0]:
            found[key] = (weight, rate)
    return {key: rate for key, (_, rate) in found.items()}
