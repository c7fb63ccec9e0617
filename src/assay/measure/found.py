"""What a log says, before it is a sample: a value by metric name, with the step and the case where the log has them."""

from __future__ import annotations

import math
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


# A run whose loss is no number has no graver trouble: these values are kept as they are. Others are sensors' slips.
KEPT_AS_IS = frozenset({"loss", "eval_loss", "grad_norm"})


def not_finite(metric: str, value: float, step: int | None) -> str:
    """What is said where a value stops being a number.

    >>> not_finite("loss", float("nan"), 17)
    'loss is NaN from step 17 on'
    """
    return f"{metric} is {'NaN' if math.isnan(value) else 'infinite'}{'' if step is None else f' from step {step} on'}"


Said = Found | Case | str  # a value, what a case is, or a warning in words
Reader = Callable[[str], Iterable[Said]]  # one line in, what it says out
