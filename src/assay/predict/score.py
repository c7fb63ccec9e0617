"""How good predictions were: per source and per accelerator, never pooled, as two sources would drown the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

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
        bias_ln=float(np.median(errors)), rank=_rank(rows), coverage=float(np.mean(inside)),
    )  # fmt: skip


def _rank(rows: Sequence[Checked]) -> float | None:
    """Mean Spearman correlation over sweeps: same source, model, accelerator and metric, three or more rows."""

    def sweep(row: Checked) -> tuple[str, str, str, str]:
        return row.row.source, row.row.model, row.row.accelerator, row.row.metric_name

    found = []
    for _, members in groupby(sorted(rows, key=sweep), key=sweep):
        pairs = [(row.predicted, row.measured) for row in members]
        predicted, measured = zip(*pairs, strict=True)
        if len(set(predicted)) > 2 and len(set(measured)) > 2:
            found.append(float(np.corrcoef(_ranks(predicted), _ranks(measured))[0, 1]))
    return float(np.mean(found)) if found else None


def _ranks(values: Sequence[float]) -> Array:
    """Places from 1 up; equal values share the mean of theirs.

    >>> _ranks([30.0, 10.0, 30.0, 20.0]).tolist()
    [3.5, 1.0, 3.5, 2.0]
    """
    data = np.asarray(values, dtype=np.float64)
    ranks: Array = (1.0 + (data[:, None] > data).sum(axis=1) + (data[:, None] >= data).sum(axis=1)) / 2.0
    return ranks
