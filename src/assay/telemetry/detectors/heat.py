"""A device that gets warmer at the same work: dust, a fan, a pump, air that comes round again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from assay.observed import Trouble, Window
from assay.telemetry.board import Board
from assay.telemetry.changes import Ramp, fit_ramp
from assay.telemetry.levels import coarse
from assay.units import show

if TYPE_CHECKING:
    from assay.series import Flags, Floats

SENSORS = ("accel.temp.core_celsius", "accel.temp.mem_celsius")
_ALONE, _BESIDE = 9.0, 6.0  # degrees: a room may change by as much in a day; among peers the room cancels out
_PEERS = 2
_WARM_S = 1200.0  # a machine needs this long to be warm
_SAME = 0.15  # of its usual power
_POWER = 0.05  # more power is a reason to be warmer


def find(board: Board) -> Iterator[Trouble]:
    """Devices whose temperature rose and did not come down, with no more power to explain it."""
    told: list[Trouble] = []
    for of in board.devices:
        rises = (_rise(board, of, name, beside=len(board.peers[of]) >= _PEERS) for name in SENSORS)
        told += [rise for rise in rises if rise is not None][:1]
    if not told:  # all of them, maybe
        rises = (_rise(board, of, SENSORS[0], beside=False) for of in board.devices if len(board.peers[of]) >= _PEERS)
        all_of_them = [rise for rise in rises if rise is not None]
        if len(all_of_them) > len(board.devices) / 2:
            middle = sorted(all_of_them, key=lambda rise: rise.window.begin_s)[len(all_of_them) // 2]
            told = [replace(middle, of="", text=f"all devices got warmer, as in a room that does: {middle.text}")]
    yield from told


def _rise(board: Board, of: str, name: str, *, beside: bool) -> Trouble | None:
    import numpy as np

    level = board.level(of, name)
    others = [other for p in board.peers[of] if (other := board.level(p, name)) is not None]
    if level is None or (beside and len(others) < _PEERS):
        return None
    per = max(1, round(60.0 / board.grid.width_s))
    excess = level - (np.median(np.array(others), axis=0) if beside else 0.0)
    minutes = coarse(np.where(_usual_work(board, of), excess, np.nan), per)
    at = np.asarray(board.grid.begin_s + per * board.grid.width_s * (np.arange(len(minutes)) + 0.5), dtype=np.float64)
    good = np.isfinite(minutes) & (at > board.grid.begin_s + _WARM_S)
    fit = _lasting(at[good], minutes[good], _BESIDE if beside else _ALONE)
    if fit is None or _more_power(board, of, fit.begin_s, fit.end_s):
        return None
    return _trouble(board, of, name, fit, level, beside)


def _usual_work(board: Board, of: str) -> Flags:
    """Where the device works and draws about what it mostly does."""
    import numpy as np

    loaded, power = board.loaded(of), board.level(of, "accel.power_w")
    if power is None or not np.isfinite(power[loaded]).any():
        return loaded
    usual = float(np.nanmedian(power[loaded]))
    with np.errstate(invalid="ignore"):
        return np.asarray(loaded & (np.abs(power - usual) < _SAME * usual))


def _lasting(at: Floats, minutes: Floats, least: float) -> Ramp | None:
    """The rise, if it is enough and was not taken back."""
    import numpy as np

    if len(at) < 30:
        return None
    low, last = float(np.quantile(minutes, 0.1)), float(np.median(minutes[-max(3, len(at) // 10) :]))
    if last - low < 0.7 * least:
        return None
    fit = fit_ramp(at, minutes)
    if fit is None or fit.grown < least or last < fit.before + least / 2:
        return None
    return fit


def _more_power(board: Board, of: str, begin: float, end: float) -> bool:
    import numpy as np

    power = board.level(of, "accel.power_w")
    if power is None:
        return False
    edges, loaded = board.grid.edges_s[:-1], board.loaded(of)
    old, new = power[loaded & (edges < begin)], power[loaded & (edges >= end)]
    old, new = old[np.isfinite(old)], new[np.isfinite(new)]
    return len(old) > 5 and len(new) > 5 and float(np.median(new)) > (1 + _POWER) * float(np.median(old))


def _trouble(board: Board, of: str, name: str, fit: Ramp, level: Floats, beside: bool) -> Trouble:
    import numpy as np

    text = f"{board.name(of)} got {fit.grown:.0f} °C warmer at the same power, up to {float(np.nanmax(level)):.0f} °C"
    text += ", and its peers did not" if beside else ""
    margin = board.level(of, "accel.temp.margin_celsius")
    if margin is not None and np.isfinite(margin).any():
        text += f"; {float(np.nanmin(margin)):.0f} °C are left before it slows itself down"
    text += f"; it began between {show(fit.early_s, 's')} and {show(fit.late_s, 's')}"
    window = Window(begin_s=fit.begin_s, end_s=board.window.end_s)
    return Trouble(kind="heating", of=of, window=window, text=text, metrics=(name,))
