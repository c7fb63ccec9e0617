"""Many draws of everything that is uncertain, the same ones for every candidate, so that they can be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assay.assumption import Assumption
from assay.decide.case import Case
from assay.decide.draws import draw
from assay.decide.outcome import Outcome, outcome

if TYPE_CHECKING:
    import numpy as np

    from assay.decide.money import Amount

    Array = np.ndarray[Any, np.dtype[np.float64]]

CHUNK = 16_384  # draws at a time: what fits the processor's cache is done three times as fast
DRAWS = 100_000  # of a decision: its percentiles move by less than 1 % from seed to seed

# What falls together: where rents fall fast, used machines sell for little.
AGAINST: Mapping[str, str] = {"resale of servers": "fall of rents"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawn:
    """Draws of each figure of each candidate, and of the inputs behind them."""

    figures: Mapping[str, Mapping[str, Array]]  # candidate -> figure -> draws
    inputs: Mapping[str, Array]  # of those that are ranges


def simulate(
    cases: Sequence[Case], table: Mapping[str, Assumption], figures: Mapping[str, Callable[[Outcome], Amount]], *,
    n: int = DRAWS, seed: int = 0, keep_inputs: bool = True,
) -> Drawn:  # fmt: skip
    """So many draws of the figures of every case; the same seed gives the same draws."""
    import numpy as np

    rng = np.random.default_rng(seed)
    found = {case.name: {name: np.empty(n) for name in figures} for case in cases}
    inputs = {key: np.empty(n) for key, stated in table.items() if not stated.exact} if keep_inputs else {}
    for start in range(0, n, CHUNK):
        stop = min(start + CHUNK, n)
        x = draw(table, stop - start, rng, AGAINST)
        for case in cases:
            came = outcome(case, x)
            for name, figure in figures.items():
                found[case.name][name][start:stop] = figure(came)
        for key, kept in inputs.items():
            kept[start:stop] = x[key]
    return Drawn(figures=found, inputs=inputs)
