"""One device among its like: the others are the best yardstick there is, for what hits all of them cancels out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from assay.metrics import metric
from assay.observed import Trouble
from assay.telemetry.board import Board
from assay.telemetry.changes import jump, rolling, scatter, spells
from assay.telemetry.detectors.clock import capped
from assay.telemetry.detectors.throttle import throttled
from assay.telemetry.levels import coarse

if TYPE_CHECKING:
    from assay.series import Flags, Floats


class _Rule(NamedTuple):
    """How far below its peers a device is in trouble: all the time, or since a moment.

    `always` None: it may be so by nature, and only a change to either side says something.
    """

    metric: str
    always: float | None
    change: float


RULES = (
    _Rule("accel.clock.core_hz", 0.05, 0.05),
    _Rule("accel.clock.mem_hz", 0.05, 0.05),
    _Rule("accel.flop_per_s", 0.10, 0.08),
    _Rule("accel.matrix.active", 0.10, 0.08),
    _Rule("accel.core.active", 0.10, 0.08),
    _Rule("accel.memory.active", 0.15, 0.10),
    _Rule("accel.power_w", None, 0.10),
)
_FEWEST = 2  # peers: of two devices that differ, either may be the odd one
_LEAST_S, _JOIN_S = 300.0, 180.0
_SIGMAS = 5.0  # of the device against its peers over time, or of the peers among each other
_SAME = 0.15  # how near to their usual the peers must be
_LEAST_SPREAD = 0.01  # of chips of one kind
_GOOD, _BEST = 0.8, 0.97  # quantiles: how it stands to its peers when it is well


def find(board: Board) -> Iterator[Trouble]:
    """Devices that do less than their peers, of each the first rule that says so."""
    told: dict[str, list[Trouble]] = {}
    loaded = {of: board.loaded(of) for of in board.devices}
    for rule in RULES:
        ratios = {of: r for of in board.devices if (r := _ratio(board, of, rule.metric, loaded)) is not None}
        minutes = {of: coarse(ratio, _per_minute(board)) for of, ratio in ratios.items()}
        for of, ratio in ratios.items():
            if of not in told and (found := list(_told(board, of, rule, ratio, minutes))):
                told[of] = found
    for found in told.values():
        yield from found


def _per_minute(board: Board) -> int:
    return max(1, round(60.0 / board.grid.width_s))


def _ratio(board: Board, of: str, name: str, loaded: Mapping[str, Flags]) -> Floats | None:
    """The device over the median of its peers, where all do what they mostly do.

    In other phases (an evaluation, say) each may have other work. What a device says of itself needs no peers.
    """
    import numpy as np

    mine = board.level(of, name)
    peers = [p for p in board.peers[of] if board.level(p, name) is not None]
    if mine is None or len(peers) < _FEWEST:
        return None
    theirs = np.median(np.array([board.level(p, name) for p in peers]), axis=0)
    fair = loaded[of] & np.array([loaded[p] for p in peers]).all(axis=0) & np.isfinite(theirs)
    usual = float(np.median(theirs[fair])) if fair.any() else 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        fair &= (np.abs(theirs - usual) < _SAME * usual) & ~throttled(board, of) & ~capped(board, of)
        ratio: Floats = np.where(fair, mine / theirs, np.nan)
    return ratio if np.isfinite(ratio).sum() >= 10 else None


def _told(
    board: Board, of: str, rule: _Rule, ratio: Floats, minutes: Mapping[str, Floats]
) -> Iterator[Trouble]:  # fmt: skip
    import numpy as np

    mine, per = minutes[of], _per_minute(board)
    if np.isfinite(mine).sum() < 10:
        return
    level = float(np.nanmedian(mine))
    among = np.array(
        [np.nanmedian(minutes[p]) for p in board.peers[of] if p in minutes and np.isfinite(minutes[p]).any()]
    )
    spread = max(scatter(among) if len(among) > 2 else 0.0, _LEAST_SPREAD)
    smooth = rolling(mine, 5)
    best = float(np.nanquantile(smooth, _BEST))
    if rule.always and best < 1 - rule.always and 1 - level > _SIGMAS * spread:
        where = np.flatnonzero(np.isfinite(ratio))
        yield _trouble(board, of, rule, int(where[0]), int(where[-1]) + 1, level, 1.0, ratio)
        return
    good = float(np.nanquantile(mine, _GOOD))
    calm = scatter(np.diff(mine[np.isfinite(mine)])) / float(np.sqrt(2.0))
    good = best if good < (1 - rule.change) * best else good  # it is not well for most of the run
    known = smooth[np.isfinite(smooth)]
    good = good if rule.always else float(np.median(known[: max(1, len(known) // 4)]))
    with np.errstate(invalid="ignore"):
        apart = good - smooth if rule.always else np.abs(good - smooth)
        short = apart > max(rule.change * good, _SIGMAS * calm)
    low = np.repeat(short, per)[: board.grid.bins]
    for first, last in spells(low, np.isfinite(ratio), board.grid, join_s=_JOIN_S, least_s=_LEAST_S):
        now = float(np.nanmedian(ratio[first:last])) if np.isfinite(ratio[first:last]).any() else good
        begin, end = max(0, first - 3 * per), min(len(ratio), first + 3 * per)
        yield _trouble(board, of, rule, begin + jump(ratio[begin:end], good, now), last, now, good, ratio)


def _trouble(
    board: Board, of: str, rule: _Rule, first: int, last: int, level: float, usual: float, ratio: Floats
) -> Trouble:
    import numpy as np

    title = metric(rule.metric).title
    below = "below" if level < usual else "above"
    text = f"{board.name(of)}: {title} is {100 * abs(1 - level / usual):.0f} % {below} " + (
        "that of its peers" if usual == 1.0 else "what it was beside its peers"
    )
    part = ratio[first:last]
    share = float(np.mean((1 - part[np.isfinite(part)] / usual).clip(0.0))) if np.isfinite(part).any() else 0.0
    window = board.grid.window(first, last)
    paced = rule.metric != "accel.power_w"
    return Trouble(
        kind="slow device" if paced else "unlike its peers", of=of, window=window, text=text,
        lost_s=share * window.length_s if paced else None, metrics=(rule.metric,),
    )  # fmt: skip
