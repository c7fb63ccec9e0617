"""Which sensors moved when something else did: the suspects, the one that moved most first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.metrics import metric
from assay.telemetry.board import Board
from assay.telemetry.changes import scatter
from assay.units import show

if TYPE_CHECKING:
    from assay.series import Floats

# What is looked at, and from what change on it counts: relative, or in its own unit where it is a share or degrees.
_SENSORS = {
    "accel.clock.core_hz": 0.03, "accel.clock.mem_hz": 0.03, "accel.power_w": 0.05, "accel.temp.core_celsius": 5.0,
    "accel.temp.mem_celsius": 5.0, "accel.matrix.active": 0.03, "accel.throttle.thermal": 0.2,
    "accel.throttle.power": 0.2, "host.cpu.steal": 0.03, "host.cpu.iowait": 0.05, "host.cpu.busy": 0.15,
    "host.clock_hz": 0.03, "host.pressure.cpu_s": 0.1, "host.pressure.io_s": 0.1, "host.pressure.memory_s": 0.05,
}  # fmt: skip
_PARTS = ("input_wait_s", "communication_s", "checkpoint_s", "compute_s")
_PART = 0.02  # of a step
_BEFORE_S = 3600.0  # what is compared: so long before it began …
_MOST = 4  # are named


def moved(board: Board, case: str, begin_s: float, settled_s: float, end_s: float) -> tuple[list[str], list[str]]:
    """In words, and by name: what was on another level between `settled_s` and `end_s` than before `begin_s`."""
    found = sorted((*_parts(board, case, begin_s, settled_s, end_s), *_sensors(board, begin_s, settled_s, end_s)))
    names = list(dict.fromkeys(name for _, _, name in found[:_MOST]))
    return [text for _, text, _ in found[:_MOST]], names


def _parts(board: Board, case: str, begin: float, settled: float, end: float) -> list[tuple[float, str, str]]:
    """Parts of the step that grew, by how much of it."""
    import numpy as np

    step = [s for s in board.stream if s.of == case and s.metric in ("step_s", "interval_s")][:1]
    whole = _levels(step[0].at_s, step[0].value, begin, settled, end) if step else None
    if whole is None:
        return []
    found = []
    for name in _PARTS:
        ranks = [s for s in board.stream if (s.of, s.metric) == (case, name)]
        pairs = [p for s in ranks if (p := _levels(s.at_s, s.value, begin, settled, end)) is not None]
        if pairs:
            before, after, _ = np.median(np.array(pairs), axis=0)
            share = (after - before) / whole[0]
            if abs(share) > _PART:
                grew = "grew" if share > 0 else "fell"
                text = f"{metric(name).title} {grew} from {show(float(before), 's')} to {show(float(after), 's')}"
                found.append((-10 * abs(float(share)), text, name))
    return found


def _sensors(board: Board, begin: float, settled: float, end: float) -> list[tuple[float, str, str]]:
    """For each metric the device where it moved most."""
    most: dict[str, tuple[float, str, str]] = {}
    edges = board.grid.edges_s
    centre = (edges[1:] + edges[:-1]) / 2
    for (of, name), track in board.tracks.items():
        least = _SENSORS.get(name)
        if least is None:
            continue
        levels = _levels(centre, _at_work(board, of, track.level), begin, settled, end)
        if levels is None:
            continue
        before, after, noise = levels
        unit = metric(name).unit
        change = (after - before) / before if unit in ("hz", "w") or name == "accel.matrix.active" else after - before
        if abs(change) > least and abs(after - before) > 4 * noise:
            told = (
                -abs(change) / least,
                f"{metric(name).title} of {board.name(of)} {_words(before, after, unit)}",
                name,
            )
            most[name] = min(most.get(name, told), told)
    return list(most.values())


def _at_work(board: Board, of: str, level: Floats) -> Floats:
    import numpy as np

    return np.where(board.loaded(of), level, np.nan) if of in board.devices else level


def _levels(at: Floats, value: Floats, begin: float, settled: float, end: float) -> tuple[float, float, float] | None:
    """Median before, median after, and the scatter of both."""
    import numpy as np

    old = value[(at >= begin - _BEFORE_S) & (at < begin) & np.isfinite(value)]
    new = value[(at >= settled) & (at <= end) & np.isfinite(value)]
    if len(old) < 5 or len(new) < 5:
        return None
    return (
        float(np.median(old)),
        float(np.median(new)),
        max(scatter(old), scatter(new)) / min(len(old), len(new)) ** 0.5,
    )


def _words(before: float, after: float, unit: str) -> str:
    rose = "rose" if after > before else "fell"
    if unit == "celsius":
        return f"{rose} from {before:.0f} to {after:.0f} °C"
    if unit:
        return f"{rose} from {show(before, unit)} to {show(after, unit)}"
    return f"{rose} from {100 * before:.0f} % to {100 * after:.0f} %"
