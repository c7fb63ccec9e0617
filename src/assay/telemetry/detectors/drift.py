"""A run that becomes slower: its step time, or the rate it reaches, against the best it has kept up before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from assay.metrics import metric
from assay.observed import Trouble, Window
from assay.series import Series
from assay.telemetry.board import Board, Grid
from assay.telemetry.changes import Ramp, episodes, fit_ramp, jump, rolling, scatter
from assay.telemetry.detectors.moved import moved
from assay.telemetry.levels import middle
from assay.units import show

if TYPE_CHECKING:
    from assay.series import Floats

# What is watched, the first of them that a case has; rates count the other way round.
PACES = (
    "step_s", "interval_s", "time_s", "device_flop_per_s", "flop_per_s", "bytes_per_s", "bus_bytes_per_s",
    "device_tokens_per_s", "tokens_per_s", "samples_per_s",
)  # fmt: skip
_LEAST = 0.03  # slower by less is within what a healthy machine does over a day
_TIMES = 3.0  # … and by at least this many deviations of a quarter of an hour
_LASTS_S, _JOIN_S = 900.0, 1800.0
_SURE = 80.0  # chi-square of the ramp against a constant, neighbours' likeness counted in: chance gives 20
_BIN_S, _PER_BIN = 60.0, 8  # a pace is the median of so much time, and of so many steps at least
_START_S = 900.0  # a machine warms up and caches fill: no drift begins here
_START_SHARE = 0.2
_FEWEST = 20  # bins
_ABRUPT = 4  # bins: a change within so few is a jump and no drift


class Pace(NamedTuple):
    """ln(time a step takes), bin by bin, of one case."""

    case: str
    name: str
    at_s: Floats
    value: Floats
    width_s: float
    raw_at_s: Floats  # step by step
    raw: Floats


def find(board: Board) -> Iterator[Trouble]:
    """Every lasting slow-down of every case."""
    for case in dict.fromkeys(s.of for s in board.stream):
        pace = _pace(board, case)
        if pace is not None:
            yield from _slower(board, pace)


def _pace(board: Board, case: str) -> Pace | None:
    for name in PACES:
        told = [s for s in board.stream if (s.of, s.metric) == (case, name)]
        if told:  # ranks wait for each other: one says what all do
            return _binned(case, name, min(told, key=lambda s: s.rank))
    return None


def _binned(case: str, name: str, told: Series) -> Pace | None:
    import numpy as np

    good = np.isfinite(told.at_s) & np.isfinite(told.value) & (told.value > 0) & ~told.warmup
    order = np.argsort(told.at_s[good], kind="stable")
    at, value = told.at_s[good][order], np.log(told.value[good][order])
    if len(at) < _FEWEST * _PER_BIN:
        return None
    value = -value if metric(name).better == "higher" else value
    width = max(_BIN_S, _PER_BIN * float(np.median(np.diff(at))))
    place = ((at - at[0]) // width).astype(np.int64)
    count = np.bincount(place)
    rows = np.full((len(count), int(count.max())), np.nan)
    rows[place, np.arange(len(place)) - (np.cumsum(count) - count)[place]] = value
    full = count >= max(1, 0.25 * np.median(count[count > 0]))
    times = at[0] + width * (np.arange(len(count)) + 0.5)
    return Pace(case, name, times[full], middle(rows[full]), width, at, value)


def _slower(board: Board, pace: Pace) -> Iterator[Trouble]:
    import numpy as np

    if len(pace.at_s) < _FEWEST:
        return
    length = pace.at_s[-1] - pace.at_s[0]
    late = pace.at_s > pace.at_s[0] + min(_START_S, _START_SHARE * length)
    quarter = max(3, round(900.0 / pace.width_s))
    excess = rolling(pace.value, quarter) - _best_so_far(pace)
    least = max(float(np.log1p(_LEAST)), _TIMES * _unrest(pace.value, quarter))
    begun = int(np.argmax(excess < least / 2))  # past a slow start
    for _, last in episodes(late & (excess > least), _grid(pace), join_s=_JOIN_S, least_s=_LASTS_S):
        fit = fit_ramp(pace.at_s[begun:last], pace.value[begun:last])
        if fit is not None and fit.grown > 0.6 * least and fit.gain > _SURE:
            yield _trouble(board, pace, fit, last)
            begun = last


def _best_so_far(pace: Pace) -> Floats:
    """The quickest pace that was kept for half an hour, up to each moment."""
    import numpy as np

    width = max(3, round(1800.0 / pace.width_s))
    kept = np.array([np.median(pace.value[max(0, k - width + 1) : k + 1]) for k in range(len(pace.value))])
    kept[: min(width, len(kept)) - 1] = kept[min(width, len(kept)) - 1]
    return np.minimum.accumulate(kept)


def _unrest(value: Floats, quarter: int) -> float:
    """How much a quarter of an hour differs from the next on an ordinary day."""
    import numpy as np

    rows = len(value) // quarter
    if rows < 4:
        return scatter(np.diff(value))
    means = np.median(value[: rows * quarter].reshape(rows, quarter), axis=1)
    return scatter(np.diff(means)) / float(np.sqrt(2.0))


def _grid(pace: Pace) -> Grid:
    return Grid(begin_s=float(pace.at_s[0]) - pace.width_s / 2, width_s=pace.width_s, bins=len(pace.at_s))


def _trouble(board: Board, pace: Pace, fit: Ramp, last: int) -> Trouble:
    import numpy as np

    between = int(((pace.at_s > fit.begin_s) & (pace.at_s < fit.end_s)).sum())
    begin = _jump(pace, fit) if between <= _ABRUPT else fit.begin_s
    end = max(begin, float(pace.at_s[last - 1] + pace.width_s / 2))
    inside = (pace.raw_at_s > begin) & (pace.raw_at_s <= end)
    extra = 1 - np.exp(fit.before - pace.raw[inside].clip(min=fit.before))
    window = Window(begin_s=begin, end_s=end)
    text = f"{metric(pace.name).title} became {100 * np.expm1(fit.grown):.1f} % worse " + _how(fit, begin)
    causes, shown = moved(board, pace.case, begin, max(fit.end_s, begin), end)
    text += ("; meanwhile " + ", ".join(causes)) if causes else "; no other sensor moved with it"
    return Trouble(
        kind="drift", of=pace.case, window=window, text=text, metrics=(pace.name, *shown),
        lost_s=float(extra.mean()) * window.length_s if len(extra) else None,
    )  # fmt: skip


def _how(fit: Ramp, begin: float) -> str:
    if begin != fit.begin_s:
        return f"at {show(begin, 's')}"
    span = f"between {show(fit.early_s, 's')} and {show(fit.late_s, 's')}"
    return f"over {show(fit.length_s, 's')}; it began {span} (90 % interval)"


def _jump(pace: Pace, fit: Ramp) -> float:
    """When the first step began that was slower; before it there may have been a pause."""
    import numpy as np

    reach = (fit.end_s - fit.begin_s) / 2 + 6 * pace.width_s
    near = np.abs(pace.raw_at_s - (fit.begin_s + fit.end_s) / 2) <= reach
    if not near.any():
        return fit.begin_s
    first = jump(pace.raw[near], fit.before, fit.after)
    ends, lasts = pace.raw_at_s[near], pace.raw[near]
    before = float(ends[max(first - 1, 0)])
    return max(before, float(ends[first] - np.exp(lasts[first]))) if metric(pace.name).kind == "time" else before
