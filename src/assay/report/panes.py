"""What a pane over time holds: lines, samples, levels and stretches, in seconds and in its own unit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from assay.report.axes import Scale, log_ticks

if TYPE_CHECKING:
    from assay.series import Flags, Floats

DASHES: Final = ((), (7, 3), (2, 3), (9, 3, 2, 3))  # what a colour says, a dash says too
HUES: Final = ("accent", "network-1", "memory-1", "wait-1")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stroke:
    """A line over time, with the band between the lowest and highest reading behind it."""

    at_s: Floats
    mid: Floats
    joined: Flags
    low: Floats | None = None
    high: Floats | None = None
    token: str = "accent"
    dash: tuple[int, ...] = ()
    width: float = 1.6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dots:
    """Single samples."""

    at_s: Floats
    value: Floats
    token: str = "accent"
    hollow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A value that holds for a stretch: a median, a tail, a limit."""

    value: float
    label: str
    token: str = "muted"
    dash: tuple[int, ...] = ()
    begin_s: float = 0.0
    end_s: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of time to be seen: a trouble, the warm-up, a case."""

    begin_s: float
    end_s: float
    label: str  # what stands above it; empty: nothing
    tip: str = ""  # what is said of it where it is pointed at
    token: str = "bad"
    opacity: float = 0.13


@dataclass(frozen=True, slots=True, kw_only=True)
class Pane:
    """One quantity over time."""

    title: str
    scale: Scale
    domain: tuple[float, float]
    strokes: tuple[Stroke, ...] = ()
    dots: tuple[Dots, ...] = ()
    levels: tuple[Level, ...] = ()
    spans: tuple[Span, ...] = ()
    tips: tuple[tuple[float, float, str], ...] = ()  # from, to, what is said there
    log: bool = False

    @property
    def ticks(self) -> list[float]:
        """Round values of its axis."""
        low, high = self.domain
        if self.log:
            return [v * self.scale.factor for v in log_ticks(low / self.scale.factor, high / self.scale.factor, 4)]
        return round_ticks(low, high, self.scale.factor)


def round_ticks(low: float, high: float, factor: float = 1.0, most: int = 5) -> list[float]:
    """At most so many round values, in units of `factor`.

    >>> round_ticks(0, 1, 0.01), round_ticks(1.3e9, 1.82e9, 1e9)
    ([0.0, 0.5, 1.0], [1400000000.0, 1600000000.0, 1800000000.0])
    """
    low, high = low / factor, high / factor
    size = 10.0 ** math.floor(math.log10(max(high - low, 1e-12)))
    for step in (m * s for s in (size / 10, size, 10 * size) for m in (1.0, 2.0, 5.0)):
        first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
        if last - first < most:
            break
    return [float(f"{i * step:.12g}") * factor for i in range(first, last + 1)]
