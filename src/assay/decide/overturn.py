"""What would change our mind: for each stated number, the value at which another candidate leads."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from assay.decide.case import Case
from assay.decide.draws import usual
from assay.decide.inputs import Table
from assay.decide.outcome import Outcome, outcome
from assay.decide.tornado import turning_points
from assay.decision import Overturn

if TYPE_CHECKING:
    import numpy as np

    from assay.decide.money import Amount

    Array = np.ndarray[Any, np.dtype[np.float64]]

Figure = Callable[[Outcome], "Amount"]
MOST = 6


def overturns(leader: Case, others: Sequence[Case], table: Table, figure: Figure) -> tuple[Overturn, ...]:
    """Values of single numbers at which another candidate's score passes the leader's, the likeliest first.

    Likely is what lies within the number's stated range; then what is nearest to its usual value, as a ratio.
    """
    x = usual(table.stated)
    found: list[Overturn] = []
    for key, stated in table.stated.items():
        if stated.value == 0 and stated.exact:
            continue

        def along(case: Case, key: str = key) -> Callable[[Array], Array]:
            return lambda grid: figure(outcome(case, {**x, key: grid}))  # type: ignore[return-value]  # an array in, an array out

        points = [
            (point, other.name) for other in others for point in turning_points(stated, along(leader), along(other))[:1]
        ]
        if points:
            at, name = min(points, key=lambda point: abs(point[0] - stated.value))
            found.append(
                Overturn(
                    name=key, unit=table.units.get(key, ""), usual=stated.value, at=at, leader=name,
                    likely=stated.low <= at <= stated.high,
                )
            )  # fmt: skip
    return tuple(sorted(found, key=_near)[:MOST])


def _near(one: Overturn) -> tuple[bool, float]:
    apart = abs(math.log(one.at / one.usual)) if one.at > 0 and one.usual > 0 else math.inf
    return not one.likely, apart
