"""Real utilization: `busy` says that a kernel ran; cores, matrix units and memory say what it made of the chip."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from assay.observed import Facts, Usage, Window
from assay.telemetry.board import Board, Track, weights

if TYPE_CHECKING:
    from assay.series import Flags

BUSY, CORE, MATRIX, MEMORY = "accel.busy", "accel.core.active", "accel.matrix.active", "accel.memory.active"
POWER = "accel.power_w"
_SLACK = 1.05  # model FLOP may seem to exceed what matrix units did by what both are rounded


class _Bound(NamedTuple):
    """What holds a device up, and between which shares its sensors then lie."""

    name: str
    busy: tuple[float, float] = (0.0, 1.0)
    matrix: tuple[float, float] = (0.0, 1.0)
    memory: tuple[float, float] = (0.0, 1.0)


# By the roofline (Williams et al. 2009): which of the two roofs the device is near. The first row that fits.
BOUNDS = (
    _Bound("idle", busy=(0.0, 0.05)),
    _Bound("stalled", busy=(0.9, 1.0), matrix=(0.0, 0.02), memory=(0.0, 0.05)),
    _Bound("compute-bound", matrix=(0.5, 1.0)),
    _Bound("memory-bound", matrix=(0.0, 0.3), memory=(0.6, 1.0)),
    _Bound("memory- and compute-bound", matrix=(0.3, 0.5), memory=(0.6, 1.0)),
    _Bound("waiting", busy=(0.0, 0.7)),
    _Bound("bound by latency or communication", matrix=(0.0, 0.3), memory=(0.0, 0.6)),
    _Bound("balanced"),
)

# Stalled: a reading is busy, and each of these that the device has lies below its share of the device's usual.
_STALLED = {MATRIX: 0.10, MEMORY: 0.20, CORE: 0.50, POWER: 0.65}
_STALLED_BUSY = 0.9
_TELLS = (MATRIX, MEMORY, CORE)  # one of them at least: low power alone may be light work
# A device that copies is busy by its own account with cores and memory at rest (an H100 over PCIe: 55 GB/s, busy 100 %,
# memory 1.6 %); one that spins in a collective moves some MB/s.
_LINKS = tuple(metric for way in ("tx", "rx") for metric in (
    f"link.pcie.{way}_bytes_per_s", f"link.fabric.{way}_bytes_per_s",
    f"link.fabric.{way}_bytes",  # of a counter the level is its rate
))  # fmt: skip
_COPIES_BYTES_PER_S, _COPIES_SHARE = 1e9, 0.75
_USUAL = 0.75  # quantile of a sensor while the device is busy


def usage(board: Board, window: Window) -> tuple[Usage, ...]:
    """What was used of each device in a window: means over time, gaps left out."""
    return tuple(_usage(board, of, window) for of in board.devices)


def mfu(found: Iterable[Usage], facts: Facts, steps: int) -> tuple[float | None, str]:
    """Model FLOP utilization of a job, FLOP × steps / (Σ peak × T) (PaLM, appendix B), or why there is none.

    `found` are the devices of the job in one window. A figure that its own sensors refute is refused.

    >>> one = Usage(device="0", window=Window(begin_s=0, end_s=10), matrix=0.5)
    >>> mfu([one], Facts(peak_flop_per_s=1e15, step_flop=4e14), steps=10)
    (0.4, '')
    >>> mfu([one], Facts(peak_flop_per_s=1e15, step_flop=8e14), steps=10)[0] is None
    True
    """
    devices = list(found)
    time_s = sum(one.window.length_s for one in devices)
    if facts.peak_flop_per_s is None or facts.step_flop is None:
        return None, "MFU: nobody said " + ("the peak" if facts.peak_flop_per_s is None else "the FLOP of a step")
    if not steps or not time_s:
        return None, "MFU: no step was seen to end" if not steps else "MFU: no device was seen"
    value = facts.step_flop * steps / (facts.peak_flop_per_s * time_s)
    active = [one.matrix for one in devices if one.matrix is not None]
    if value > 1:
        return None, f"MFU would be {value:.2f}, more than there is: the FLOP count or the peak is wrong"
    if facts.peak_is_matrix and len(active) == len(devices) and value > _SLACK * (most := sum(active) / len(active)):
        return None, (
            f"MFU would be {value:.2f} with matrix units active {most:.2f} of the time: the FLOP count or the peak is"
            " wrong"
        )
    return value, ""


def mean(track: Track | None, window: Window) -> tuple[float | None, float]:
    """Time-weighted mean of a sensor in a window, and the share of the window that its readings cover."""
    if track is None or not len(track.at_s) or window.length_s <= 0:
        return None, 0.0
    weight = weights(track.at_s, window, track.period_s)
    total = float(weight.sum())
    if not total:
        return None, 0.0
    return float(weight @ track.value) / total, min(1.0, total / window.length_s)


def stalled_bins(board: Board, of: str) -> Flags | None:
    """Where a device was busy by its own account and did next to nothing; None where its sensors cannot tell."""
    import numpy as np

    busy = board.level(of, BUSY)
    if busy is None or all(board.level(of, name) is None for name in _TELLS):
        return None
    with np.errstate(invalid="ignore"):
        flag: Flags = busy > _STALLED_BUSY
        told: Flags = np.zeros(len(busy), dtype=bool)
        for name, share in _STALLED.items():
            level = board.level(of, name)
            if level is not None and (seen := level[(busy > 0.5) & np.isfinite(level)]).size:
                usual = float(np.quantile(seen, _USUAL))
                if usual > 0.01:
                    flag &= ~(level >= share * usual)
                    told |= np.isfinite(level) & (name in _TELLS)
    return flag & told & ~_copies(board, of)


def _copies(board: Board, of: str) -> Flags:
    """Where one of the device's links is at work, and no less than it usually is."""
    import numpy as np

    flag: Flags = np.zeros(board.grid.bins, dtype=bool)
    for name in _LINKS:
        traffic = board.level(of, name)
        if traffic is not None and np.isfinite(traffic).any():
            least = max(_COPIES_BYTES_PER_S, _COPIES_SHARE * float(np.nanquantile(traffic, _USUAL)))
            with np.errstate(invalid="ignore"):
                flag |= traffic > least
    return flag


def bound(busy: float | None, matrix: float | None, memory: float | None, copies: bool = False) -> str:
    """What holds a device up, by the shares it was active and its links; empty where sensors are missing.

    >>> bound(1.0, 0.1, 0.8), bound(1.0, 0.6, 0.4), bound(1.0, 0.0, 0.01), bound(0.5, None, None)
    ('memory-bound', 'compute-bound', 'stalled', '')
    """
    if matrix is None or memory is None:
        return "idle" if busy is not None and busy < BOUNDS[0].busy[1] else ""
    for row in BOUNDS:
        shares = ((1.0 if busy is None else busy, row.busy), (matrix, row.matrix), (memory, row.memory))
        if all(low <= share <= high for share, (low, high) in shares):
            return "copying" if copies and row.name == "stalled" else row.name
    return ""


def _usage(board: Board, of: str, window: Window) -> Usage:
    shares = {name: mean(board.track(of, name), window) for name in (BUSY, CORE, MATRIX, MEMORY, POWER)}
    busy, core, matrix, memory, power = (value for value, _ in shares.values())
    stalled = _stalled_share(board, of, window)
    inside = board.grid.within(window)
    copies = 2 * int(_copies(board, of)[inside].sum()) > int(inside.sum())
    return Usage(
        device=of, window=window, busy=busy, core=core, matrix=matrix, memory=memory, power_w=power,
        stalled=stalled, working=None if busy is None or stalled is None else max(0.0, busy - stalled),
        memory_peak_bytes=_most(board.track(of, "accel.mem.used_bytes"), window),
        bound=bound(busy, matrix, memory, copies),
        coverage=max((coverage for _, coverage in shares.values()), default=0.0),
    )  # fmt: skip


def _most(track: Track | None, window: Window) -> float | None:
    if track is None:
        return None
    inside = track.value[(track.at_s >= window.begin_s) & (track.at_s <= window.end_s)]
    return float(inside.max()) if len(inside) else None


def _stalled_share(board: Board, of: str, window: Window) -> float | None:
    import numpy as np

    flag, busy = stalled_bins(board, of), board.level(of, BUSY)
    if flag is None or busy is None:
        return None
    inside = board.grid.within(window) & np.isfinite(busy)
    return float(np.mean(np.where(flag[inside], busy[inside], 0.0))) if inside.any() else None
