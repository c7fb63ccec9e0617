"""How each candidate looks on every chart of a decision: a colour, a dash and a shape, the same on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from assay.decision import Decision, Judged
from assay.report.chart import Key
from assay.report.decision_words import name

MOST: Final = 6  # lines on one chart; the table has them all


@dataclass(frozen=True, slots=True)
class Look:
    """A line and a point; told apart without colour, too."""

    token: str
    dash: tuple[float, ...]
    line: str  # its name in a legend
    shape: str


_LOOKS: Final = (
    Look("accent", (1, 0), "stroke", "circle"),
    Look("network-1", (6, 3), "dashed", "square"),
    Look("memory-1", (7, 2.5, 1.5, 2.5), "dashdot", "triangle-up"),
    Look("wait-1", (2, 3), "dotted", "diamond"),
    Look("compute-2", (12, 4), "dashed", "cross"),
    Look("network-2", (2, 2, 8, 2), "dashdot", "triangle-down"),
)


def looks(decision: Decision) -> dict[str, Look]:
    """Each candidate's look, by its name on the charts."""
    return {name(c): _LOOKS[i % len(_LOOKS)] for i, c in enumerate(decision.candidates)}


def keys(decision: Decision, shown: Sequence[Judged]) -> list[Key]:
    """The legend of lines."""
    found = looks(decision)
    return [Key(name(c), found[name(c)].token, found[name(c)].line) for c in shown]
