"""What a log says, before it is a sample: a value by metric name, with the step and the case where the log has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from assay.run import Case


class Found(NamedTuple):
    """One value a program printed, already in the unit of the metric's name."""

    metric: str
    value: float
    index: int | None = None  # type: ignore[assignment]  # the step, where there are numbers; hides tuple.index
    case: str = ""  # empty: the command as a whole
    rank: int = 0


Said = Found | Case | str  # a value, what a case is, or a warning in words
Reader = Callable[[str], Iterable[Said]]  # one line in, what it says out
