"""The yardstick: 18 steps of the Megatron-LM papers, on which other tools published or showed their error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assay.api.checking import Shelves, check, shelf_of
from assay.api.learning import Learnt, learnt, residuals_of
from assay.api.leaving_out import Taught, calibrations_without, fit_without
from assay.api.placing import Facts
from assay.predict.fit import Fit
from assay.published import Checked, PublishedRow

# Which table a row is of, by the first word of its source.
TABLES: Mapping[str, str] = {"Korthikanti": "Korthikanti 2022, table 5", "Narayanan": "Narayanan 2021, table 1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A measured step of the yardstick beside predictions that never saw its model."""

    table: str
    row: PublishedRow
    alone: Checked  # by the constants of its device, its model unknown in all sources
    beside_s: float  # … and by what the other models of the same table teach of the table's software


def is_point(row: PublishedRow) -> bool:
    """Whether a row is one of the 18."""
    return row.metric_name == "iteration_s" and row.source.split(" ")[0] in TABLES


def points(rows: Sequence[PublishedRow], facts: Mapping[str, Facts], known: Shelves, taught: Taught) -> list[Point]:
    """Each point by constants fitted without any row of its model, whoever measured it."""
    return [_point(row, facts, known, taught) for row in rows if is_point(row) and row.id in facts]


def _point(row: PublishedRow, facts: Mapping[str, Facts], known: Shelves, taught: Taught) -> Point:
    model = facts[row.id].model
    out = np.array([facts[one.row.id].model == model for one in taught.results], dtype=bool)
    shelf = shelf_of(known, calibrations_without(taught, out))
    checked, laid = check(row, shelf), learnt(row, shelf)
    return Point(
        table=TABLES[row.source.split(" ")[0]], row=row, alone=checked,
        beside_s=_beside_s(laid, fit_without(taught, out)) if laid else math.nan,
    )  # fmt: skip


def _beside_s(one: Learnt, found: Fit | None) -> float:
    """The step by constants that hold the offsets of its source's software too, as its other models showed them."""
    return math.exp(float(residuals_of([one], found, familiar=True)[0]) - one.ln_speed)
