"""Recorded logs, heard as a whole or piece by piece."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from assay.measure.found import Found, Said
from assay.measure.lines import Lines
from assay.measure.listen import Listener
from assay.run import Case

RECORDED = Path(__file__).resolve().parent.parent / "recorded" / "logs"


def recorded(name: str) -> bytes:
    return (RECORDED / name).read_bytes()


def heard(raw: bytes, **how) -> list[Said]:
    """Everything that a program says whose output this is, its last line whole or not."""
    lines, listener = Lines(), Listener(**how)
    said = [one for line in lines.feed(raw) for one in listener.line(line)]
    return [*said, *listener.line(lines.rest()), *listener.end()]


def columns(said: Sequence[Said]) -> dict[tuple[str, str], list[tuple[int | None, float]]]:
    """(case, metric) -> (step, value) in their order."""
    found = defaultdict(list)
    for one in said:
        if isinstance(one, Found):
            found[one.case, one.metric].append((one.index, one.value))
    return dict(found)


def values(said: Sequence[Said], metric: str, case: str = "") -> list[float]:
    return [value for _, value in columns(said).get((case, metric), [])]


def steps(said: Sequence[Said], metric: str) -> list[int | None]:
    return [index for index, _ in columns(said)["", metric]]


def warnings(said: Sequence[Said]) -> list[str]:
    return [one for one in said if isinstance(one, str)]


def cases(said: Sequence[Said]) -> dict[str, Case]:
    return {one.name: one for one in said if isinstance(one, Case)}
