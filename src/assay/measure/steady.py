"""Which samples count: warm-up is marked, and a case that never settled is said to be so. Nothing is thrown away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from assay import stats
from assay.run import Case, Sample


def steady(case: Case, samples: Sequence[Sample]) -> tuple[Case, tuple[Sample, ...]]:
    """The case with its verdict, and its samples with the warm-up marked.

    A sample already marked (taken to find out how often to repeat) stays so. Where nothing settles no further sample is
    marked: there is no steady part to choose.
    """
    taken = [s for s in samples if not s.warmup]
    cut = stats.settled_after([s.value for s in taken])
    early = {s.index for s in taken[: cut or 0]}
    marked = tuple(replace(s, warmup=True) if s.index in early else s for s in samples)
    return replace(case, steady=cut is not None), marked
