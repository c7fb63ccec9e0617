"""What a device says of its own faults: memory errors, link errors, event codes, health."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from assay.observed import Trouble, Window
from assay.telemetry.board import Board, Track, increases


class _Counter(NamedTuple):
    """A counter of errors, how many of them in an hour are a trouble, and what they are."""

    metric: str
    in_an_hour: float
    words: str


COUNTERS = (
    _Counter("accel.errors.uncorrected", 1, "memory errors that could not be corrected"),
    _Counter("accel.errors.corrected", 100, "memory errors, all corrected: its memory is wearing out"),
    _Counter("link.errors", 10, "link errors"),
)
_HOUR_S = 3600.0


def find(board: Board) -> Iterator[Trouble]:
    """Errors that were counted, codes that were told, health that was lost."""
    for of in board.devices:
        for row in COUNTERS:
            track = board.track(of, row.metric)
            if track is not None and len(track.value) > 1:
                yield from _counted(board, track, row)
        yield from _codes(board, of)
        for name in ("accel.health", "link.health"):
            yield from _unwell(board, of, name)


def _counted(board: Board, track: Track, row: _Counter) -> Iterator[Trouble]:
    import numpy as np

    grown = np.nan_to_num(increases(track)[0])
    at = track.at_s[1:]
    where = np.flatnonzero(grown > 0)
    if not len(where):
        return
    total = np.cumsum(grown)
    before = np.searchsorted(at, at[where] - _HOUR_S, side="right")
    within = total[where] - np.where(before > 0, total[before - 1], 0.0)
    enough = where[within >= row.in_an_hour]
    if not len(enough):
        return
    # It began with the first of those that came to enough within an hour.
    first = where[at[where] > at[enough[0]] - _HOUR_S][0]
    window = Window(begin_s=float(at[first]), end_s=float(at[where[-1]]))
    text = f"{board.name(track.of)}: {grown[first:].sum():,.0f} {row.words}"
    yield Trouble(kind="error", of=track.of, window=window, text=text, metrics=(row.metric,))


def _codes(board: Board, of: str) -> Iterator[Trouble]:
    """The last code is sticky: what counts is that it changed."""
    import numpy as np

    track = board.track(of, "accel.event.code")
    if track is None:
        return
    new = np.flatnonzero(np.diff(track.value, prepend=0.0) != 0)
    new = new[track.value[new] != 0]
    for k in new.tolist():
        when = "before the run or at its begin" if k == 0 else ""
        text = f"{board.name(of)}: event {track.value[k]:.0f} {when}".rstrip()
        window = Window(begin_s=float(track.at_s[k]), end_s=float(track.at_s[k]))
        if k > 0:
            yield Trouble(kind="error", of=of, window=window, text=text, metrics=(track.metric,))


def _unwell(board: Board, of: str, name: str) -> Iterator[Trouble]:
    import numpy as np

    track = board.track(of, name)
    if track is None or not len(track.value):
        return
    bad = np.flatnonzero(track.value < float(np.max(track.value[:3])) - 1e-9) if track.value[0] > 0 else np.arange(1)
    if len(bad):
        what = "its own check says it is not healthy" if name == "accel.health" else "a fabric link is down"
        window = Window(begin_s=float(track.at_s[bad[0]]), end_s=float(track.at_s[bad[-1]]))
        text = f"{board.name(of)}: {what}, {100 * track.value[bad].min():.0f} %"
        yield Trouble(kind="error", of=of, window=window, text=text, metrics=(name,))
