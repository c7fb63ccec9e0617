"""Statistics of measurements: what is typical and how sure, when it is steady, and what may be called a change."""

from __future__ import annotations

from assay.stats.history import EDGE, Step, believable, steps
from assay.stats.samples import (
    FEWEST,
    LEVEL,
    SIGMA_PER_MAD,
    Interval,
    array,
    mean_interval,
    median,
    median_interval,
    percentile,
    rate,
    spread,
)
from assay.stats.steady import settled_after
from assay.stats.verdict import ALARM, FEWEST_PAIRS, LEAST, Said, Verdict, best_of, order, paired

__all__ = [
    "ALARM", "EDGE", "FEWEST", "FEWEST_PAIRS", "LEAST", "LEVEL", "SIGMA_PER_MAD", "Interval", "Said", "Step",
    "Verdict", "array", "believable", "best_of", "mean_interval", "median", "median_interval", "order", "paired",
    "percentile", "rate", "settled_after", "spread", "steps",
]  # fmt: skip
