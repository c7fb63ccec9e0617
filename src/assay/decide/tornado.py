"""What moves a figure: each stated number at the ends of its range, the others as usual; and where the order turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from assay.assumption import Assumption
from assay.decide.draws import usual
from assay.decide.wording import shown
from assay.worth import Swing

if TYPE_CHECKING:
    import numpy as np

    from assay.decide.money import Amount

    Array = np.ndarray[Any, np.dtype[np.float64]]

Figure = Callable[[Mapping[str, "Amount"]], "Amount"]
_LEAST = 1e-4  # of the figure: a smaller swing is none


def tornado(table: Mapping[str, Assumption], figure: Figure, units: Mapping[str, str]) -> tuple[Swing, ...]:
    """How far each stated range moves a figure, the widest first; one evaluation over all ends at once."""
    import numpy as np

    keys = [key for key, stated in table.items() if not stated.exact]
    if not keys:
        return ()
    x: dict[str, Amount] = {key: np.full(2 * len(keys) + 1, value) for key, value in usual(table).items()}
    for i, key in enumerate(keys):
        x[key][2 * i], x[key][2 * i + 1] = table[key].low, table[key].high  # type: ignore[index]
    found = np.broadcast_to(figure(x), 2 * len(keys) + 1)
    swings = [
        Swing(name=key, unit=units.get(key, ""), low=table[key].low, high=table[key].high,
              at_low=float(found[2 * i]), at_high=float(found[2 * i + 1]))
        for i, key in enumerate(keys)
    ]  # fmt: skip
    kept = [one for one in swings if one.size > _LEAST * abs(float(found[-1]))]
    return tuple(sorted(kept, key=lambda one: -one.size))


def explain(swings: Sequence[Swing], name: str, words: str, unit: str, usual_value: float) -> str:
    """A tornado in two sentences: what moves a candidate's figure most, and what hardly matters."""
    figure = f"{name} comes to {shown(usual_value, unit)} {words}"
    if not swings:
        return f"{figure}. No input of it is stated with a range, so nothing moves it."
    first = swings[0]
    ends = f"from {shown(first.at_low, unit)} to {shown(first.at_high, unit)}"
    said = (
        f"{figure}; {first.name} alone moves that {ends} "
        f"as it goes from {shown(first.low, first.unit)} to {shown(first.high, first.unit)}"
    )
    if len(swings) == 1:
        return f"{said}. No other input that is stated with a range moves it."
    next_ = [f"{one.name} ({shown(one.size, unit)})" for one in swings[1:3]]
    said += f", more than anything else; next come {' and '.join(next_)}."
    small = [one for one in swings[3:] if one.size < 0.25 * first.size]
    if not small:
        return f"{said} {'No other input' if len(swings) < 4 else 'Nothing'} moves it by less than a quarter of that."
    most = small[0]
    names = [one.name for one in small[:2]]
    return f"{said} {_and(names)} move{'s' if len(small) == 1 else ''} it by no more than {shown(most.size, unit)}."


def turning_points(
    stated: Assumption, leader: Callable[[Array], Array], other: Callable[[Array], Array], steps: int = 200
) -> tuple[float, ...]:
    """Values of one number at which another candidate's figure passes under the leader's, nearest to the usual first.

    Looked for from a fifth of the range's lower end to five times its upper end: what would change our mind may well
    lie outside of what was thought likely.
    """
    import numpy as np

    high = min(5 * stated.high, 1.0) if stated.low >= 0 and stated.high <= 1 else 5 * abs(stated.high)
    if stated.low > 0:
        grid = np.geomspace(stated.low / 5, max(high, stated.high), steps)
    else:
        grid = np.linspace(min(stated.low, 0.0), max(high, stated.high, 1e-9), steps)
    grid = np.unique(np.append(grid, stated.value))
    ahead = np.broadcast_to(other(grid) - leader(grid), grid.shape)
    crossed = np.nonzero(np.sign(ahead[:-1]) * np.sign(ahead[1:]) < 0)[0]
    points = [
        float(grid[i] - ahead[i] * (grid[i + 1] - grid[i]) / (ahead[i + 1] - ahead[i])) for i in crossed
    ]  # fmt: skip
    return tuple(sorted(points, key=lambda point: abs(point - stated.value)))


def _and(names: Sequence[str]) -> str:
    text = " and ".join(names)
    return text[:1].upper() + text[1:]
