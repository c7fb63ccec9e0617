"""The board: every sensor of a run on one clock, cleaned, so that detectors can lay any of them beside another.

Each sensor is there twice: as it was read (`at_s`, `value`), and as one level for each interval of a common grid, which
is what detectors look at. A level is the median of a gauge, the mean of a state, the increase per second of a counter;
NaN where nothing was read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from assay.machine import Device
from assay.metrics import metric
from assay.observed import Window
from assay.series import Quality, Series, series
from assay.telemetry.cleaning import Fault, clean, stray
from assay.telemetry.levels import level

if TYPE_CHECKING:
    from assay.series import Flags, Floats

WIDTH_S = 10.0  # of a grid interval: troubles are dated by it
MOST_BINS = 20_000  # a longer run gets a coarser grid
BUSY = 0.9  # "loaded": above it a device's clock and power say something of the device, and not of its work
_LONG = 3.0  # periods without a reading that are a gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Intervals of equal width, over the whole run."""

    begin_s: float
    width_s: float
    bins: int

    @property
    def edges_s(self) -> Floats:
        """Where the intervals begin and end: one more than there are."""
        import numpy as np

        return np.asarray(self.begin_s + self.width_s * np.arange(self.bins + 1), dtype=np.float64)

    def window(self, first: int, last: int) -> Window:
        """From the begin of one interval to the begin of another."""
        return Window(begin_s=self.begin_s + self.width_s * first, end_s=self.begin_s + self.width_s * last)

    def within(self, window: Window) -> Flags:
        """The intervals that a window touches."""
        edges = self.edges_s
        touched: Flags = (edges[1:] > window.begin_s) & (edges[:-1] < window.end_s)
        return touched


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track:
    """One sensor: its clean readings, its level on the grid, and what was wrong with the rest."""

    of: str
    metric: str
    quality: Quality
    at_s: Floats
    value: Floats
    period_s: float  # usual time between two readings
    level: Floats
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Board:
    """All sensors of a run and what the run said of itself."""

    grid: Grid
    window: Window
    tracks: Mapping[tuple[str, str], Track]
    devices: tuple[str, ...]  # ids, hosts left out
    hosts: tuple[str, ...]
    peers: Mapping[str, tuple[str, ...]]  # the devices that are alike and do the same
    about: Mapping[str, Device]
    stream: tuple[Series, ...] = ()

    def track(self, of: str, name: str) -> Track | None:
        """A sensor, if it is there."""
        return self.tracks.get((of, name))

    def level(self, of: str, name: str) -> Floats | None:
        """A sensor's level on the grid, if it is there."""
        track = self.tracks.get((of, name))
        return None if track is None else track.level

    def name(self, of: str) -> str:
        """What to call a device in a sentence: its place among all, or its id where that is short."""
        if of in self.devices and len(of) > 12:
            return f"device {self.devices.index(of)}"
        return of or "the run"

    def loaded(self, of: str) -> Flags:
        """Where the device had work all the time; by its power where it does not say so itself."""
        import numpy as np

        busy = self.level(of, "accel.busy")
        if busy is not None:
            with np.errstate(invalid="ignore"):
                return np.asarray(busy > BUSY)
        power = self.level(of, "accel.power_w")
        if power is None or not np.isfinite(power).any():
            return np.ones(self.grid.bins, dtype=bool)
        low, high = np.nanquantile(power, [0.02, 0.98])
        with np.errstate(invalid="ignore"):
            return np.asarray(power > (low + high) / 2 if high > 1.5 * low else power > 0.8 * low)

    def without(self, broken: Iterable[tuple[str, Sequence[str], Window]]) -> Board:
        """The same without the readings of broken sensors, so that no other trouble is read out of them."""
        tracks = dict(self.tracks)
        for of, names, window in broken:
            for name in names:
                if (of, name) in tracks:
                    tracks[of, name] = _blinded(tracks[of, name], window, self.grid)
        return replace(self, tracks=tracks)


def board(
    sensors: Iterable[Series], stream: Iterable[Series] = (), devices: Iterable[Device] = (),
    window: Window | None = None,
) -> Board:  # fmt: skip
    """All series of a run on one grid; series with no reading at all are as good as not there."""
    about = {device.id: device for device in devices}
    read = _joined(s for s in sensors if len(s))
    told = tuple(dated for s in stream if len(dated := _dated(s)))
    cleaned = [(s, *clean(s, metric(s.metric), _total(about.get(s.of)))) for s in read]
    window = window or _span([at for _, at, _, _ in cleaned if len(at)] or [s.at_s for s in told])
    grid = _grid(window, [_period(at) for s, at, _, _ in cleaned if metric(s.metric).kind == "gauge" and len(at) > 1])
    tracks = {(s.of, s.metric): _track(s, at, value, faults, grid) for s, at, value, faults in cleaned}
    ids = tuple(dict.fromkeys(s.of for s in read if metric(s.metric).group == "device"))
    hosts = tuple(dict.fromkeys(s.of for s in read if metric(s.metric).group == "host" and s.of not in ids))
    return Board(
        grid=grid, window=window, tracks=tracks, devices=ids, hosts=hosts, peers=_peers(ids, about), about=about,
        stream=told,
    )  # fmt: skip


def weights(at_s: Floats, window: Window, period_s: float) -> Floats:
    """The time each reading stands for: halfway to its neighbours, and no further than half a period into a gap."""
    import numpy as np

    if not len(at_s):
        return np.zeros(0)
    step = np.diff(at_s)
    half = np.where(step > _LONG * period_s, period_s, step) / 2
    edge = period_s / 2
    left = at_s - np.concatenate([[edge], half])
    right = at_s + np.concatenate([half, [edge]])
    covered: Floats = (np.minimum(right, window.end_s) - np.maximum(left, window.begin_s)).clip(min=0.0)
    return covered


def increases(track: Track) -> tuple[Floats, Flags]:
    """A counter's growth from each reading to the next, and where it fell: there it was reset, and nothing is known."""
    import numpy as np

    growth = np.diff(track.value)
    return np.where(growth < 0, np.nan, growth), growth < 0


def _joined(parts: Iterable[Series]) -> list[Series]:
    """One series a sensor: a long run is read in parts."""
    import numpy as np

    sensors: dict[tuple[str, str], list[Series]] = {}
    for part in parts:
        sensors.setdefault((part.of, part.metric), []).append(part)
    whole = []
    for (of, name), same in sensors.items():
        same.sort(key=lambda s: float(s.at_s[0]))
        at, value = (np.concatenate([getattr(s, column) for s in same]) for column in ("at_s", "value"))
        whole.append(same[0] if len(same) == 1 else series(of, name, at, value, quality=same[0].quality))
    return whole


def _dated(told: Series) -> Series:
    """In order of time, and without what has none; values that are no numbers stay, for they say something."""
    import numpy as np

    good = np.flatnonzero(~stray(told.at_s))
    order = good[np.argsort(told.at_s[good], kind="stable")]
    if np.array_equal(order, np.arange(len(told))):
        return told
    return series(
        told.of, told.metric, told.at_s[order], told.value[order], index=told.index[order],
        warmup=told.warmup[order], rank=told.rank, quality=told.quality,
    )  # fmt: skip


def _track(read: Series, at: Floats, value: Floats, faults: tuple[Fault, ...], grid: Grid) -> Track:
    return Track(
        of=read.of, metric=read.metric, quality=read.quality, at_s=at, value=value, period_s=_period(at),
        level=level(metric(read.metric).kind, at, value, grid), faults=faults,
    )  # fmt: skip


def _period(at: Floats) -> float:
    import numpy as np

    return float(np.median(np.diff(at))) if len(at) > 1 else 0.0


def _grid(window: Window, periods: list[float]) -> Grid:
    """Two readings an interval at least, by the quicker half of the sensors."""
    import numpy as np

    usual = float(np.quantile(periods, 0.25)) if periods else 0.0
    width = max(WIDTH_S, 2 * usual, window.length_s / MOST_BINS)
    return Grid(begin_s=window.begin_s, width_s=width, bins=max(1, int(np.ceil(window.length_s / width))))


def _span(times: list[Floats]) -> Window:
    if not times:
        return Window(begin_s=0.0, end_s=0.0)
    return Window(begin_s=float(min(at.min() for at in times)), end_s=float(max(at.max() for at in times)))


def _total(device: Device | None) -> float | None:
    return device.memory_bytes if device else None


def _peers(ids: tuple[str, ...], about: Mapping[str, Device]) -> dict[str, tuple[str, ...]]:
    def like(of: str) -> tuple[object, ...]:
        device = about.get(of)
        return (device.name, device.partition, device.memory_bytes) if device else ()

    return {of: tuple(other for other in ids if other != of and like(other) == like(of)) for of in ids}


def _blinded(track: Track, window: Window, grid: Grid) -> Track:
    import numpy as np

    out = (track.at_s >= window.begin_s) & (track.at_s <= window.end_s)
    level = np.where(grid.within(window), np.nan, track.level)
    return replace(track, at_s=track.at_s[~out], value=track.value[~out], level=level)
