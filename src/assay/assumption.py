"""A number that somebody had to state: its usual value, its range, who says so, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """A stated number, in the unit that the field which holds it ends in.

    It should lie between low and high nine times in ten, and as often above `value` as below. Whoever states a bare
    number means it: low and high are the same.
    """

    value: float
    low: float
    high: float
    source: str = ""  # in words; empty: the file it was read from
    date: str = ""  # when it was so
    confidence: Literal["high", "medium", "low"] = "medium"
    note: str = ""

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"{self.value:g} does not lie between {self.low:g} and {self.high:g}: low ≤ is ≤ high")

    @property
    def exact(self) -> bool:
        """Whether it is stated without a range."""
        return self.low == self.high


def exactly(value: float, source: str = "") -> Assumption:
    """A number without a range.

    >>> exactly(0.7).exact
    True
    """
    return Assumption(value=value, low=value, high=value, source=source)
