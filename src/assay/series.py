"""A series: one metric of one thing over time, as columns. What a command says and what a sensor says are alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    Floats = np.ndarray[Any, np.dtype[np.float64]]
    Ints = np.ndarray[Any, np.dtype[np.int64]]
    Flags = np.ndarray[Any, np.dtype[np.bool_]]
else:
    Floats = Ints = Flags = Any  # the sampler holds series of nothing, and imports no NumPy

# How a reading came about: a counter's state; a mean over a window of the sensor's own; the value of one instant;
# worked out from other readings; a guess from a model of the device. A command's own samples say nothing here.
Quality = Literal["", "counter", "average", "instant", "derived", "estimated"]


class Sample(NamedTuple):
    """One reading of a command's own: `case` says what was tried, `metric` what was read, in the name's unit."""

    case: str
    metric: str  # time_s, loss, …: see data/metrics.toml
    value: float
    index: int  # type: ignore[assignment]  # its order within its case, or the step's number; hides tuple.index
    at_s: float  # when it was taken, seconds since the run began
    warmup: bool = False  # taken before steady state; kept, but left out of every summary
    rank: int = 0  # of the process that took it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """One metric of one case (or device) from one rank, in the order it was taken: arrays of equal length."""

    of: str  # a case, or a device's id
    metric: str
    rank: int = 0
    quality: Quality = ""
    at_s: Floats  # seconds since the run began
    value: Floats
    index: Ints
    warmup: Flags

    def __len__(self) -> int:
        return len(self.value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Series):
            return NotImplemented
        import numpy as np

        return all(np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    @property
    def kept(self) -> Floats:
        """The values that count: warm-up left out."""
        kept: Floats = self.value[~self.warmup]
        return kept

    def __iter__(self) -> Iterator[Sample]:
        columns = (c.tolist() for c in (self.value, self.index, self.at_s, self.warmup))
        for value, index, at_s, warmup in zip(*columns, strict=True):
            yield Sample(self.of, self.metric, value, index, at_s, warmup, self.rank)


def series(
    of: str, metric: str, at_s: Any, value: Any, *, index: Any = None, warmup: Any = None, rank: int = 0,
    quality: Quality = "",
) -> Series:  # fmt: skip
    """A series from anything NumPy takes for columns; without `index` its values are numbered from 0.

    >>> series("GPU-0", "accel.power_w", [0.0, 1.0], [300.0, 310.0], quality="average").index.tolist()
    [0, 1]
    """
    import numpy as np

    values = np.asarray(value, dtype=np.float64)
    return Series(
        of=of, metric=metric, rank=rank, quality=quality, value=values, at_s=np.asarray(at_s, dtype=np.float64),
        index=np.arange(len(values)) if index is None else np.asarray(index, dtype=np.int64),
        warmup=np.zeros(len(values), dtype=bool) if warmup is None else np.asarray(warmup, dtype=bool),
    )  # fmt: skip


def finite(found: Iterable[Series]) -> list[Series]:
    """Series without values that are no numbers, as a loss may hold: those are a trouble, and no part of a figure."""
    import numpy as np

    sound = []
    for s in found:
        good = np.isfinite(s.value)
        kept = {name: getattr(s, name)[good] for name in ("at_s", "value", "index", "warmup")}
        sound.append(s if good.all() else replace(s, **kept))
    return [s for s in sound if len(s)]


def gathered(samples: Iterable[Sample]) -> tuple[Series, ...]:
    """Samples as series, each in the order it came; series in the order of their first sample."""
    rows: dict[tuple[str, str, int], list[Sample]] = {}
    for sample in samples:
        rows.setdefault((sample.case, sample.metric, sample.rank), []).append(sample)
    return tuple(_columns(key, taken) for key, taken in rows.items())


def _columns(key: tuple[str, str, int], taken: list[Sample]) -> Series:
    case, metric, rank = key
    _, _, value, index, at_s, warmup, _ = zip(*taken, strict=True)
    return series(case, metric, at_s, value, index=index, warmup=warmup, rank=rank)
