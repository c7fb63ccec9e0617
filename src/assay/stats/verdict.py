"""Is the new one slower? Answered from pairs of runs, with the run as the unit, and never without proof.

One run of each side makes a pair, measured one right after the other, in either order. If nothing changed, who is
"old" and who is "new" in a pair is mere naming: every exchange of the two names was as likely as what was seen. So the
probability of a difference this large by chance is counted, not modelled: over all exchanges (Fisher 1935, §21),
whatever the noise looks like. It is exact for any noise that does not know the names: the order is drawn by lot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Literal

from assay.stats.samples import SIGMA_PER_MAD, array

if TYPE_CHECKING:
    from assay.stats.samples import Array

Said = Literal["better", "worse", "cannot tell"]

ALARM = 0.01  # of comparisons in which nothing changed, at most so many may be called a change
FEWEST_PAIRS = 8  # with fewer, no outcome is rarer than 1 in 128: nothing can be proven
LEAST = 0.02  # a change smaller than this is not worth an alarm, proven or not
_ENUMERATED = 13  # pairs up to which all exchanges are counted; beyond, this many are drawn
_DRAWN = 1 << 14
_MOST_MORE = 1000
_POWER_Z, _ALARM_Z = 0.84, 2.576  # found in 4 of 5 cases; 99 % two-sided


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What pairs of runs allow one to say of new over old (a time: above 1 is slower)."""

    said: Said
    ratio: float  # typical new/old
    low: float | None  # 99 % interval: what the same test would not reject; None: too few pairs to exclude anything
    high: float | None
    p: float  # probability of a difference this large where nothing changed, either way
    pairs: int
    noise_ln: float  # what this host makes of no change over so many pairs: ± this, 99 times in 100
    more: int | None = None  # about how many more pairs would settle it; None: settled, or beyond any number
    why: str = ""


def paired(old: Sequence[float], new: Sequence[float], *, least: float = LEAST) -> Verdict:
    """The verdict over pairs of runs, one figure (a time, a size) a run; `old[i]` was measured beside `new[i]`.

    >>> quiet = [1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 1.0, 1.01, 1.0, 0.99]
    >>> paired(quiet, [1.1 * t for t in reversed(quiet)]).said, paired(quiet, quiet[::-1]).said
    ('worse', 'cannot tell')
    """
    import numpy as np

    difference = np.log(array(new)) - np.log(array(old))
    middle = _middle(difference)
    proves = len(difference) >= FEWEST_PAIRS
    low, high = map(math.exp, _interval(difference, middle)) if proves else (None, None)
    p = _chance(difference)
    noise = _noise(difference - middle)
    said, why = _say(middle, p, noise, len(difference), least)
    told = Verdict(
        said=said, ratio=math.exp(middle), low=low, high=high, p=p, pairs=len(difference),
        noise_ln=noise, why=why,
    )  # fmt: skip
    return told if said != "cannot tell" else _with_more(told, difference - middle, middle, least)


def best_of(candidates: Sequence[tuple[Sequence[float], Sequence[float]]]) -> int:
    """Which of several figures of the same runs (fastest sample, median, …) shows the least noise on this host.

    It is chosen by what does not change when the two names of a pair are exchanged, so the test stays exact.
    """
    import numpy as np

    def blind(old: Sequence[float], new: Sequence[float]) -> float:
        a, b = np.log(array(old)), np.log(array(new))
        apart, level = np.abs(b - a), (a + b) / 2
        steps = np.abs(np.diff(level)) if len(level) > 1 else level * 0
        return float(np.median(np.abs(apart - np.median(apart)))) + float(np.median(steps)) / 2

    return min(range(len(candidates)), key=lambda i: blind(*candidates[i]))


def order(pairs: int, seed: int = 0) -> tuple[bool, ...]:
    """For each pair whether the old one goes first: half of them, in an order drawn by lot.

    >>> sum(order(10)), order(10) == order(10)
    (5, True)
    """
    import numpy as np

    return tuple(bool(i % 2 == 0) for i in np.random.default_rng(seed).permutation(pairs))


def _say(middle: float, p: float, noise: float, pairs: int, least: float) -> tuple[Said, str]:
    if pairs < FEWEST_PAIRS:
        return "cannot tell", f"{pairs} pair{'s' * (pairs != 1)} of runs prove nothing, {FEWEST_PAIRS} may"
    if p > ALARM:
        return "cannot tell", "a difference like this comes by chance"
    if abs(middle) <= max(math.log1p(least), noise):
        wide = noise > math.log1p(least)
        return (
            "cannot tell",
            f"within the noise of this host, ±{100 * math.expm1(noise):.1f} %"
            if wide
            else f"below {100 * least:.0f} %",
        )
    return ("worse" if middle > 0 else "better"), ""


def _middle(difference: Array) -> float:
    """Hodges–Lehmann: the median of the means of all pairs of differences; a third of them may be wild."""
    import numpy as np

    i, j = np.triu_indices(len(difference))
    return float(np.median((difference[i] + difference[j]) / 2))


@cache
def _signs(pairs: int) -> Array:
    """All exchanges of names within pairs as rows of ±1, or many drawn by lot (the one that was seen among them)."""
    import numpy as np

    if pairs <= _ENUMERATED:
        bits = (np.arange(1 << pairs)[:, None] >> np.arange(pairs)) & 1
        return (1 - 2 * bits).astype(float)
    drawn = np.random.default_rng(0).choice([-1.0, 1.0], size=(_DRAWN, pairs))
    drawn[0] = 1.0
    return drawn


def _weights(size: Array) -> Array:
    """How much a pair counts: as much as it differs, up to twice the typical; beyond four times less, and at eight
    times nothing: a wild pair must not drown the others (Hampel 1974). Sizes do not change when names are exchanged.
    """
    import numpy as np

    typical = float(np.median(size))
    wild = np.clip((8 * typical - size) / (4 * typical), 0, 1) if typical else np.ones(len(size))
    return np.asarray(np.minimum(size, 2 * typical) * wild, dtype=float)


def _tails(difference: Array, signs: Array) -> tuple[float, float]:
    """Share of exchanges at least as slow, and at least as fast, as what was seen."""
    import numpy as np

    weights = _weights(np.abs(difference))
    seen, all_ = float(np.sign(difference) @ weights), signs @ weights
    edge = 1e-9 * float(np.sum(weights))
    return float(np.mean(all_ >= seen - edge)), float(np.mean(all_ <= seen + edge))


def _chance(difference: Array) -> float:
    return min(1.0, 2 * min(_tails(difference, _signs(len(difference)))))


def _interval(difference: Array, middle: float) -> tuple[float, float]:
    """The shifts that the test does not reject at ALARM, found by halving."""
    import numpy as np

    signs, reach = _signs(len(difference)), float(np.ptp(difference)) + abs(middle) + 1e-9

    def end(side: int) -> float:
        inside, outside = middle, middle + side * reach
        for _ in range(16):
            half = (inside + outside) / 2
            kept = 2 * _tails(difference - half, signs)[0 if side < 0 else 1] > ALARM
            inside, outside = (half, outside) if kept else (inside, half)
        return outside

    return end(-1), end(1)


def _noise(residual: Array) -> float:
    """What remains when the typical difference is taken out, over so many pairs: its 99 % reach under exchanges."""
    import numpy as np

    capped = np.sign(residual) * _weights(np.abs(residual))
    return float(np.quantile(np.abs(_signs(len(residual)) @ capped) / len(residual), 1 - ALARM))


def _with_more(told: Verdict, residual: Array, middle: float, least: float) -> Verdict:
    """How many pairs would do, if the noise stays as it was: n = ((z + z') σ / δ)² (Cohen 1988, §2)."""
    import numpy as np

    sigma = SIGMA_PER_MAD * float(np.median(np.abs(residual))) if len(residual) > 2 else 0.0
    effect = max(abs(middle), math.log1p(least))
    needed = math.ceil(((_ALARM_Z + _POWER_Z) * sigma / effect) ** 2)
    more = max(FEWEST_PAIRS, needed) - told.pairs
    if more <= 0 and abs(middle) <= math.log1p(least):  # it is small, and more pairs would only say so again
        return told
    return replace(told, more=None if more > _MOST_MORE else max(more, 1))
