"""What was paid for and not used: devices that idle while the run goes on, and devices that are busy with nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from assay.observed import Facts, Waste, Window
from assay.telemetry.board import Board, Track, weights
from assay.telemetry.changes import stretches
from assay.telemetry.utilization import BUSY, POWER, stalled_bins
from assay.units import show

if TYPE_CHECKING:
    from assay.series import Flags, Floats

_IDLE, _AGAIN = 0.05, 0.10  # idle below the first, until it is above the second
_LEAST_S = 30.0  # a shorter pause is part of how the work goes


def waste(board: Board, window: Window, facts: Facts) -> tuple[tuple[Waste, ...], list[str]]:
    """Idle and stalled device time in a window, all devices together, and which devices could not be asked."""
    spent = [_spent(board, of, window) for of in board.devices]
    known = [s for s in spent if s is not None]
    blind = [board.name(of) for of, s in zip(board.devices, spent, strict=True) if s is None]
    notes = [f"waste: {', '.join(blind[:4])} has no sensor that says when it is busy"] if blind else []
    if not known:
        return (), notes
    kinds: tuple[Literal["idle", "stalled"], ...] = ("idle", "stalled")
    found = tuple(_waste(kind, [s[kind] for s in known], facts) for kind in kinds)
    return tuple(w for w in found if w.device_s > 0), notes


def idle_spells(track: Track, window: Window) -> list[Window]:
    """When a device was idle for half a minute and more; nothing is said of gaps in its readings."""
    import numpy as np

    inside = (track.at_s >= window.begin_s) & (track.at_s <= window.end_s)
    at, busy = track.at_s[inside], track.value[inside]
    if not len(at):
        return []
    mark = np.where(busy < _IDLE, 1, np.where(busy > _AGAIN, -1, 0))
    last = np.maximum.accumulate(np.where(mark != 0, np.arange(len(mark)), -1))
    idle = (last >= 0) & (mark[last.clip(min=0)] == 1)
    half, spells = track.period_s / 2, []
    gap = np.concatenate([[False], np.diff(at) > 3 * track.period_s]) if len(at) > 1 else np.zeros(1, dtype=bool)
    for first, end in zip(*stretches(idle & ~gap), strict=True):
        begin_s, end_s = max(at[first] - half, window.begin_s), min(at[end - 1] + half, window.end_s)
        if end_s - begin_s >= _LEAST_S:
            spells.append(Window(begin_s=float(begin_s), end_s=float(end_s)))
    return spells


def _spent(board: Board, of: str, window: Window) -> dict[str, tuple[float, float | None]] | None:
    """Device time and energy by kind: idle spells, and beside them all that was not work."""
    import numpy as np

    busy, power = board.track(of, BUSY), board.track(of, POWER)
    if busy is None or not len(busy.at_s):
        return None
    weight = weights(busy.at_s, window, busy.period_s)
    asleep = np.zeros(len(busy.at_s), dtype=bool)
    for spell in idle_spells(busy, window):
        asleep |= (busy.at_s >= spell.begin_s) & (busy.at_s <= spell.end_s)
    nothing = np.where(asleep, 0.0, 1.0 - busy.value * ~_stalled(board, of, busy))
    watts = _watts(power, busy.at_s)
    return {
        "idle": (float(weight[asleep].sum()), _energy(weight * asleep, watts)),
        "stalled": (float(weight @ nothing), _energy(weight * nothing, watts)),
    }


def _stalled(board: Board, of: str, busy: Track) -> Flags:
    """Which readings fall where the device was busy with nothing."""
    import numpy as np

    flag = stalled_bins(board, of)
    if flag is None:
        return np.zeros(len(busy.at_s), dtype=bool)
    place = np.floor((busy.at_s - board.grid.begin_s) / board.grid.width_s).astype(np.int64)
    return np.asarray(flag[place.clip(0, len(flag) - 1)])


def _watts(power: Track | None, at: Floats) -> Floats | None:
    """Power at the moments `busy` was read; NaN where no power reading is near."""
    import numpy as np

    if power is None or not len(power.at_s):
        return None
    place = np.searchsorted(power.at_s, at).clip(1, max(1, len(power.at_s) - 1))
    near = np.where(at - power.at_s[place - 1] < power.at_s[place.clip(max=len(power.at_s) - 1)] - at, place - 1, place)
    near = near.clip(max=len(power.at_s) - 1)
    far = np.abs(power.at_s[near] - at) > 3 * max(power.period_s, 1e-9)
    return np.where(far, np.nan, power.value[near])


def _energy(weight: Floats, watts: Floats | None) -> float | None:
    """Σ power × time; None where less than half of the time has a power reading."""
    import numpy as np

    if watts is None:
        return None
    total, known = float(weight.sum()), float(weight[np.isfinite(watts)].sum())
    if total == 0:
        return 0.0
    return float(np.nansum(weight * watts)) * total / known if known > 0.5 * total else None


def _waste(
    kind: Literal["idle", "stalled"], devices: list[tuple[float, float | None]], facts: Facts
) -> Waste:  # fmt: skip
    time_s = sum(t for t, _ in devices)
    known = [e for _, e in devices if e is not None]
    energy_j = sum(known) if len(known) == len(devices) else None
    cost = None
    formula = f"{kind}: {time_s / 3600:.3g} device-hours"
    if facts.price_usd_per_s is not None:
        cost = time_s * facts.price_usd_per_s
        formula += f" × {show(facts.price_usd_per_s, 'usd_per_s')}"
        if energy_j is not None and facts.tariff_usd_per_j is not None:
            cost += energy_j * facts.pue * facts.tariff_usd_per_j
            formula += (
                f" + {energy_j / 3.6e6:.3g} kWh × {facts.pue:g} (PUE) × {show(facts.tariff_usd_per_j, 'usd_per_j')}"
            )
        formula += f" = {show(cost, 'usd')}"
    return Waste(kind=kind, device_s=time_s, energy_j=energy_j, cost_usd=cost, formula=formula)
