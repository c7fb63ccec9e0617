"""What is wrong with readings as such: impossible values, a change of unit, time that jumps, gaps, resets, noise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from assay.metrics import metric
from assay.observed import Trouble, Window
from assay.telemetry.board import Board, Track, increases
from assay.telemetry.changes import episodes
from assay.units import show

if TYPE_CHECKING:
    from assay.series import Floats

_KINDS = {"bad": "bad reading", "unit": "unit change", "order": "clock", "twice": "clock"}
_FEW = 3  # readings left out; fewer, or time stamps that are merely there twice, are a remark
_TWICE = 0.02  # of all readings that are there twice: then something is wrong with the sampler
_GAP_S, _GAP_PERIODS = 60.0, 6.0
_SLOW_S = 30.0  # a sensor that is read more seldom has no gaps to speak of
_TOGETHER_S = 30.0
_NOISE, _CALM, _MINUTES = 6.0, 2.0, 3.0  # times its usual; what others may do meanwhile; for so many minutes
_HALF_AN_HOUR_S = 1800.0
_NOISY = (
    "accel.power_w", "accel.temp.core_celsius", "accel.temp.mem_celsius", "accel.core.active", "accel.matrix.active",
    "accel.memory.active", "accel.occupancy",
)  # fmt: skip


class _Seen(NamedTuple):
    of: str
    metric: str
    window: Window
    text: str


def find(board: Board) -> Iterator[Trouble]:
    """Faults of the record itself, those of one device that happened together as one."""
    for kind, seen in (
        *((kind, list(_faults(board, kind))) for kind in dict.fromkeys(_KINDS.values())),
        ("gap", list(_gaps(board))),
        ("counter reset", list(_resets(board))),
        ("noise", list(_bursts(board))),
    ):
        yield from _together(board, kind, seen)


def notes(board: Board) -> list[str]:
    """What was left out and is too little to be a trouble."""
    told = []
    for (of, name), track in board.tracks.items():
        for fault in track.faults:
            if not _grave(fault.kind, fault.readings, len(track.value)):
                what = "time stamps came twice" if fault.kind == "twice" else f"readings were impossible, {fault.text}"
                told.append(f"{metric(name).title} of {board.name(of)}: {fault.readings} {what}; left out")
    return told[:10] + ([f"the same of {len(told) - 10} more sensors"] if len(told) > 10 else [])


def _grave(kind: str, count: int, kept: int) -> bool:
    return count >= _TWICE * kept and count >= _FEW if kind == "twice" else kind == "order" or count >= _FEW


def _faults(board: Board, kind: str) -> Iterator[_Seen]:
    for (of, name), track in board.tracks.items():
        for fault in track.faults:
            if _KINDS[fault.kind] == kind and _grave(fault.kind, fault.readings, len(track.value)):
                window = Window(begin_s=fault.begin_s, end_s=fault.end_s)
                yield _Seen(of, name, window, _told(fault.kind, fault.readings, fault.text))


def _told(kind: str, count: int, text: str) -> str:
    return {
        "bad": f"{count} readings that cannot be, {text}; left out",
        "unit": f"{text}: another unit; {count} readings left out",
        "order": f"time leapt {text}; {count} readings left out",
        "twice": f"{count} time stamps came twice; the first counts",
    }[kind]


def _gaps(board: Board) -> Iterator[_Seen]:
    import numpy as np

    for (of, name), track in board.tracks.items():
        if len(track.at_s) < 20 or track.period_s > _SLOW_S:
            continue
        least = max(_GAP_S, _GAP_PERIODS * track.period_s)
        leapt = any(fault.kind == "order" for fault in track.faults)  # then its end is nowhere
        at = track.at_s if leapt else np.append(track.at_s, board.window.end_s)
        for k in np.flatnonzero(np.diff(at) > least).tolist():
            if not any(f.begin_s <= at[k + 1] and f.end_s >= at[k] for f in track.faults):
                window = Window(begin_s=float(at[k]) + track.period_s, end_s=float(at[k + 1]))
                yield _Seen(of, name, window, f"nothing was read for {show(window.length_s, 's')}")


def _resets(board: Board) -> Iterator[_Seen]:
    import numpy as np

    for (of, name), track in board.tracks.items():
        if metric(name).kind == "counter" and len(track.value) > 1:
            for k in np.flatnonzero(increases(track)[1]).tolist():
                window = Window(begin_s=float(track.at_s[k]), end_s=float(track.at_s[k + 1]))
                yield _Seen(of, name, window, "the counter fell: its device or driver was reset, or it ran over")


def _bursts(board: Board) -> Iterator[_Seen]:
    """A sensor that is suddenly noisier, while its device's other sensors and its like elsewhere are not."""
    import numpy as np

    per = max(1, round(60.0 / board.grid.width_s))
    compared = (*_NOISY, "accel.clock.core_hz", "accel.busy")
    unrest = {
        key: _unrest(board, track, per)
        for key, track in board.tracks.items()
        if key[1] in compared and len(track.value) > 600 and not any(f.kind in ("order", "twice") for f in track.faults)
    }
    for (of, name), ratio in unrest.items():
        if name not in _NOISY or np.isinf(ratio).any():
            continue
        beside = [r for (o, n), r in unrest.items() if (o == of) != (n == name) and (o == of or o in board.peers[of])]
        if not beside:
            continue
        calm = np.nanmax(np.nan_to_num(np.array(beside)), axis=0) < _CALM
        flag = np.repeat((np.nan_to_num(ratio) > _NOISE) & calm, per)[: board.grid.bins]
        for first, last in episodes(flag, board.grid, join_s=_HALF_AN_HOUR_S, least_s=_MINUTES * 60.0):
            if flag[first:last].sum() < _MINUTES * per:
                continue
            size = float(np.nanquantile(ratio[first // per : max(first // per + 1, last // per)], 0.75))
            text = f"noise of {size:.0f} times the usual, which no other sensor shows"
            yield _Seen(of, name, board.grid.window(first, last), text)


def _unrest(board: Board, track: Track, per: int) -> Floats:
    """Mean step from one reading to the next, minute by minute, over its usual."""
    import numpy as np

    rows = -(-board.grid.bins // per)
    steps = np.abs(np.diff(track.value))
    place = np.floor((track.at_s[1:] - board.grid.begin_s) / (per * board.grid.width_s)).astype(np.int64)
    inside = (place >= 0) & (place < rows)
    count = np.bincount(place[inside], minlength=rows)
    total = np.bincount(place[inside], weights=steps[inside], minlength=rows)
    mean = np.where(count >= 5, total / np.maximum(count, 1), np.nan)
    known = mean[np.isfinite(mean)]
    usual = float(np.quantile(known, 0.75)) if len(known) else 0.0
    with np.errstate(invalid="ignore"):
        return mean / usual if usual > 0 else np.where(mean > 0, np.inf, 0.0)


def _together(board: Board, kind: str, seen: Iterable[_Seen]) -> Iterator[Trouble]:
    """One trouble for all sensors of a device that had the same at the same time; for all devices, one of the run."""
    groups: list[list[_Seen]] = []
    for one in sorted(seen, key=lambda s: (s.window.begin_s, s.of)):
        like = next((group for group in groups if _alike(group[0].window, one.window)), None)
        if like is None:
            groups.append([one])
        else:
            like.append(one)
    for group in groups:
        yield from _of_each(board, kind, group)


def _alike(one: Window, other: Window) -> bool:
    return max(abs(one.begin_s - other.begin_s), abs(one.end_s - other.end_s)) <= _TOGETHER_S


def _of_each(board: Board, kind: str, group: list[_Seen]) -> Iterator[Trouble]:
    devices = list(dict.fromkeys(s.of for s in group))
    everywhere = len(board.devices) > 1 and set(board.devices) <= set(devices)
    for of in [""] if everywhere else devices:
        mine = [s for s in group if everywhere or s.of == of]
        names = tuple(dict.fromkeys(s.metric for s in mine))
        all_of_it = len(names) > 1 and len(names) == len({n for o, n in board.tracks if o == mine[0].of})
        who = "all devices" if everywhere else board.name(of)
        what = "all sensors" if all_of_it else ", ".join(metric(n).title for n in names[:3])
        more = f" and {len(names) - 3} more" if len(names) > 3 and not all_of_it else ""
        window = Window(
            begin_s=min(s.window.begin_s for s in mine), end_s=max(s.window.end_s for s in mine)
        )  # fmt: skip
        text = f"{who}, {what}{more}: {mine[0].text}"
        yield Trouble(kind=kind, of=of, window=window, text=text, metrics=names)
