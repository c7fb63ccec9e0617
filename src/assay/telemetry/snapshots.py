"""What every device last said, kept up to date from a sampler's journal: for a screen, an exporter, a push."""

from __future__ import annotations

import threading
from collections import deque

from assay.journal import Tick
from assay.machine import Device
from assay.run import Event
from assay.telemetry.reading import Reading, Snapshot
from assay.telemetry.watching import Follower

_EVENTS = 50


class Latest:
    """The last complete round of readings; safe to ask from the exporter's threads."""

    def __init__(self, follower: Follower, host: str, began_s: float, period_s: float) -> None:
        self.follower, self.host, self.began_s, self.period_s = follower, host, began_s, period_s
        self.events: deque[Event] = deque(maxlen=_EVENTS)
        self._devices: dict[str, Device] = {}
        self._readings: dict[str, tuple[Reading, ...]] = {}
        self._at_s: dict[str, float] = {}
        self._snapshot: Snapshot | None = None
        self._lock = threading.Lock()

    def refresh(self) -> list[Event]:
        """Take in what the journal says by now; returns what happened since."""
        happened = []
        for said in self.follower.news():
            if isinstance(said, Device):
                self._devices[said.id] = said
            elif isinstance(said, Tick):
                self._take(said)
            else:
                happened.append(said)
        self.events.extend(happened)
        with self._lock:
            self._snapshot = self._made() if self._at_s else None
        return happened

    def _take(self, tick: Tick) -> None:
        pairs = zip(tick.columns, tick.values, strict=False)
        self._readings[tick.of] = tuple(
            Reading(tick.of, metric, value, quality) for (metric, quality), value in pairs if value is not None
        )
        self._at_s[tick.of] = self.began_s + tick.at_s

    def _made(self) -> Snapshot:
        return Snapshot(
            host=self.host, devices=tuple(self._devices.values()), at_s=dict(self._at_s), began_s=self.began_s,
            readings=tuple(reading for of in self._readings.values() for reading in of), period_s=self.period_s,
        )  # fmt: skip

    def __call__(self) -> Snapshot | None:
        """The last complete round; None before the first."""
        with self._lock:
            return self._snapshot
