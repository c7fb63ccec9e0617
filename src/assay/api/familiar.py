"""What is left once a source's software is known: each half of its results predicted by what the other half taught."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from assay.api.learning import residuals_of
from assay.api.leaving_out import Taught, Tell, fit_without
from assay.predict.ops import Bools

_FEWEST = 6  # results of a source on a device: fewer do not teach its software by half


def familiar(known: Taught, tell: Tell = lambda words: None) -> Mapping[str, float]:
    """ln(measured/predicted speed) of results whose source's software is known from its other half, by row."""
    found: dict[str, float] = {}
    for half in (0, 1):
        out = _half(known, half)
        if not out.any():
            continue
        tell(f"{known.architecture}: by the other half of each source")
        mine = [one for one, take in zip(known.results, out, strict=True) if take]
        residuals = residuals_of(mine, fit_without(known, out), familiar=True)
        found |= {one.row.id: float(off) for one, off in zip(mine, residuals, strict=True)}
    return found


def _half(known: Taught, half: int) -> Bools:
    """Every second result of each source on a device that has enough of them."""
    many = Counter(one.label.software for one in known.results)
    seen, out = Counter[str](), np.zeros(len(known.results), dtype=bool)
    for i, one in enumerate(known.results):
        software = one.label.software
        out[i] = many[software] >= _FEWEST and seen[software] % 2 == half
        seen[software] += 1
    return out
