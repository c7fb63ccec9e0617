"""How good predictions were: per source and per accelerator, never pooled, as two sources would drown the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby

import numpy as np

from assay.predict.ops import Array
from assay.published import Checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Errors of one source or accelerator: sizes of ln(predicted/measured), order within sweeps, honest intervals."""

    group: str
    n: int
    mean_error: float  # of |predicted/measured - 1|: how people say it, though it forgives figures that are too low
    median_ln: float
    p90_ln: float
    bias_ln: float  # median of ln(predicted/measured): above 0 we say more
    rank: float | None  # mean rank correlation within sweeps of three or more
    coverage: float  # share of measured figures inside the 90 % interval
    width_ln: float | None = None  # median of ln(high/low); None where no row has an interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """One sweep: rows that differ in one thing, and how well our order of them is that of the measured figures."""

    group: tuple[str, ...]
    n: int
    different: int  # predictions that differ: fewer than three say nothing of an order
    rank: float  # Spearman's; 0 where all predictions are equal
    spread_ln: float  # ln(highest/lowest) of the measured figures


def score(rows: Sequence[Checked], group: Callable[[Checked], str]) -> list[Score]:
    """One `Score` for each value of `group` that has predictions, in alphabetical order."""
    told = sorted((row for row in rows if row.predicted), key=group)
    return [_score(name, list(members)) for name, members in groupby(told, key=group)]


def by_source(row: Checked) -> str:
    """Source of a row, memory apart from speed: they are different questions."""
    return row.row.source + (" · memory" if "mem" in row.row.metric_name else "")


def by_accelerator(row: Checked) -> str:
    """Accelerator of a row, as its source writes it."""
    return row.row.accelerator + (" · memory" if "mem" in row.row.metric_name else "")


def ln_error(row: Checked) -> float:
    """ln(predicted/measured) of a row that has a prediction."""
    assert row.predicted is not None
    return float(np.log(row.predicted / row.measured))


def _score(name: str, rows: Sequence[Checked]) -> Score:
    errors = np.array([ln_error(row) for row in rows])
    inside = [row.low is not None and row.high is not None and row.low <= row.measured <= row.high for row in rows]
    return Score(
        group=name, n=len(rows), mean_error=float(np.mean(np.abs(np.expm1(errors)))),
        median_ln=float(np.median(np.abs(errors))), p90_ln=float(np.quantile(np.abs(errors), 0.9)),
        bias_ln=float(np.median(errors)), rank=mean_rank(ranked(rows)), coverage=float(np.mean(inside)),
        width_ln=_width_ln(rows),
    )  # fmt: skip


def _width_ln(rows: Sequence[Checked]) -> float | None:
    found = [float(np.log(row.high / row.low)) for row in rows if row.low and row.high]
    return float(np.median(found)) if found else None


def sweep(row: Checked) -> tuple[str, ...]:
    """What rows of one sweep share: source, model, accelerator and metric."""
    return row.row.source, row.row.model, row.row.accelerator, row.row.metric_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """A kind of sweep by columns of the row: what is turned in it (one of them at least), and what stays."""

    turned: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()

    def value(self, row: Checked) -> tuple[str, ...]:
        """Where a row stands in its sweep."""
        return _words(row, self.turned)

    def group(self, row: Checked) -> tuple[str, ...]:
        """Which sweep a row is of."""
        return (*sweep(row), *_words(row, self.stays))


_LAYOUT = ("tp", "pp", "vp", "cp", "ep", "zero_stage", "recompute")
_SIZES = ("seq_len", "precision")
ANYTHING = Turned()
PLANS = Turned(turned=("dp", "micro_batch", "sp", *_LAYOUT), stays=("n_accel", "global_batch", *_SIZES))
BATCHES = Turned(turned=("global_batch",), stays=("n_accel", *_LAYOUT, *_SIZES))
SCALES = Turned(turned=("n_accel",), stays=(*_LAYOUT, *_SIZES))


def _words(row: Checked, names: Sequence[str]) -> tuple[str, ...]:
    return tuple("" if (value := getattr(row.row, name)) is None else str(value) for name in names)


def ranked(rows: Iterable[Checked], kind: Turned = ANYTHING) -> list[Ranked]:
    """Every sweep of a kind with three or more measured figures that differ, at as many places of what is turned."""
    found = []
    told = sorted((row for row in rows if row.predicted), key=kind.group)
    for group, each in groupby(told, key=kind.group):
        members = list(each)
        predicted, measured = (np.array([x(row) for row in members]) for x in (_said, _measured))
        if len({*measured.tolist()}) < 3 or (kind.turned and len({kind.value(row) for row in members}) < 3):
            continue
        different = len({*predicted.tolist()})
        order = float(np.corrcoef(_ranks(predicted), _ranks(measured))[0, 1]) if different > 1 else 0.0
        spread = float(np.log(measured.max() / measured.min()))
        found.append(Ranked(group=group, n=len(members), different=different, rank=order, spread_ln=spread))
    return found


def _said(row: Checked) -> float:
    return float(row.predicted or 0.0)


def _measured(row: Checked) -> float:
    return row.measured


def mean_rank(found: Iterable[Ranked]) -> float | None:
    """Mean rank correlation of the sweeps in which we tell three or more points apart."""
    ranks = [one.rank for one in found if one.different > 2]
    return float(np.mean(ranks)) if ranks else None


def repeats(figures: Sequence[tuple[str, str, float]]) -> list[tuple[str, bool, float]]:
    """Pairs of figures (setting, source, value) with equal settings: the setting, whether one source measured both,
    and |ln| of their ratio. What they differ by no prediction can say.

    >>> repeats([("a", "x", 1.0), ("a", "x", 1.0), ("b", "x", 2.0)])
    [('a', True, 0.0)]
    """
    found = []
    for setting, members in groupby(sorted(figures), key=lambda one: one[0]):
        for (_, one, first), (_, other, second) in combinations(members, 2):
            found.append((setting, one == other, abs(float(np.log(second / first)))))
    return found


def _ranks(values: Sequence[float] | Array) -> Array:
    """Places from 1 up; equal values share the mean of theirs.

    >>> _ranks([30.0, 10.0, 30.0, 20.0]).tolist()
    [3.5, 1.0, 3.5, 2.0]
    """
    data = np.asarray(values, dtype=np.float64)
    ranks: Array = (1.0 + (data[:, None] > data).sum(axis=1) + (data[:, None] >= data).sum(axis=1)) / 2.0
    return ranks
