"""Decisions that are kept in a pilot's folder: dated, never rewritten, and compared with what is decided today."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from assay.api.deciding import decide
from assay.api.pilot_file import path_of
from assay.codec import decode, encode, read_json
from assay.decide.past import Past, changes, past
from assay.decide.simulate import DRAWS
from assay.decision import Decision
from assay.errors import InputError
from assay.files import read_text
from assay.store import pilots


def keep(source: Path | str, decision: Decision) -> Path:
    """Write a decision into its pilot's folder, with the pilot's file as it was read, so that it can be made again."""
    file = path_of(source)
    slim = replace(decision, candidates=tuple(replace(one, results=()) for one in decision.candidates))
    told = {
        "schema": 1, "kind": "decision", "past": encode(past(decision, decision.units)), "decision": encode(slim),
        "pilot_toml": read_text(file),
    }  # fmt: skip
    return pilots.add_decision(file.parent, told, decision.made)


def last(source: Path | str) -> Past | None:
    """The latest decision that was kept; None where there is none, or none that can be read."""
    kept = pilots.kept(path_of(source).parent).decisions
    for path in reversed(kept):
        try:
            return _past(path)
        except InputError:
            continue
    return None


def unread(source: Path | str) -> tuple[str, ...]:
    """Kept decisions that cannot be read, and why."""
    told = []
    for path in pilots.kept(path_of(source).parent).decisions:
        try:
            _past(path)
        except InputError as error:
            told.append(str(error))
    return tuple(told)


def changed(source: Path | str, decision: Decision) -> tuple[str, ...]:
    """What is otherwise than in the latest decision that was kept; empty where nothing is, or nothing was kept."""
    then = last(source)
    return () if then is None else changes(then, past(decision, decision.units), decision.unit)


def again(
    path: Path, *, folder: Path | None = None, folders: Sequence[Path] = ()
) -> tuple[Past, Decision, tuple[str, ...]]:  # fmt: skip
    """Make a kept decision again from the pilot's file as it was, with today's catalog and formulas, and the runs of
    its folder; what was decided then, what comes out now, and what differs.
    """
    then, raw = _past(path), read_json(path)
    text = raw.get("pilot_toml")
    if not isinstance(text, str):
        raise InputError(
            "the pilot's file was not kept with it", where=str(path), hint="decide anew: assay pilot decide"
        )
    if not (then.seed >= 0 and (then.draws == 0 or 1000 <= then.draws <= 10_000_000)):
        raise InputError("its seed or its draws are no numbers of a decision", where=str(path), hint="was it edited?")
    home = folder or path.resolve().parent.parent
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=home, prefix=".again-", suffix=".toml") as draft:
        draft.write(text)
        draft.flush()
        now = decide(draft.name, today=then.made[:10], folders=folders, n=then.draws or DRAWS, seed=then.seed)
    return then, now, changes(then, past(now, now.units), now.unit)


def _past(path: Path) -> Past:
    raw = read_json(path)
    told = raw.get("past")
    if raw.get("kind") != "decision" or not isinstance(told, Mapping):
        raise InputError("this is no decision", where=str(path), hint="name a file of a pilot's decisions/")
    return decode(told, Past, str(path))
