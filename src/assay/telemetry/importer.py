"""What a site's Prometheus has already collected, as series of ours: whatever vendor's exporter it came from.

Values are taken over as they were scraped: counters stay counters, with the resets they have, and nothing is filled in.
What is no value (NaN, a vendor's sentinel) is left out, and what is known to be wrong is said to be wrong.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from assay import metrics
from assay.errors import InputError, MeasureError, inert
from assay.machine import Device
from assay.series import Series, series
from assay.telemetry import web
from assay.telemetry.prometheus import labels
from assay.telemetry.prometheus import meanings as known
from assay.telemetry.prometheus.merge import Buffer, Column, added, buffer, extended, together
from assay.telemetry.prometheus.server import Server, selector
from assay.telemetry.reading import Imported, blank


class Source(NamedTuple):
    """One name on the server, and what it means."""

    name: str
    vendor: str
    means: Imported


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What a Prometheus server knew of a time, in our own names."""

    source: str
    start_s: float  # seconds since 1970: the zero of its series
    devices: tuple[Device, ...]
    series: tuple[Series, ...]
    notes: tuple[str, ...]  # what was not taken, or not as it was, and why


def read(
    url: str, *, start_s: float, end_s: float, match: str = "", devices: Collection[str] = (),
    headers: Mapping[str, str] | None = None, timeout_s: float = 30.0,
) -> History:  # fmt: skip
    """All that a server knows of accelerators and hosts from start to end (seconds since 1970), as series of ours.

    `match` is PromQL as it stands between braces (`cluster="a"`), `devices` are ids. MeasureError if there is nothing.
    """
    work = Import(url, start_s=start_s, end_s=end_s, match=match, devices=devices, headers=headers, timeout_s=timeout_s)
    taken = tuple(work)
    return History(
        source=web.address(url)[0],
        start_s=start_s,
        devices=tuple(work.devices.values()),
        series=taken,
        notes=tuple(work.notes),
    )


class Import:
    """An import under way: iterate over it for its series, one metric after the other, so that no more is held.

    `devices` and `notes` are complete when it is done.
    """

    def __init__(
        self, url: str, *, start_s: float, end_s: float, match: str = "", devices: Collection[str] = (),
        headers: Mapping[str, str] | None = None, timeout_s: float = 30.0,
    ) -> None:  # fmt: skip
        if not (math.isfinite(start_s) and math.isfinite(end_s) and 0 <= start_s < end_s):
            raise InputError("the time to import ends before it begins", hint="give a start and a later end")
        self.devices: dict[str, Device] = {}
        self.notes: dict[str, None] = {}
        self._start_s, self._span = start_s, (math.ceil(start_s * 1000), math.floor(end_s * 1000))
        self._match = match.strip().removeprefix("{").removesuffix("}").strip().removesuffix(",")
        self._wanted = frozenset(devices)
        self._here: dict[str, str] = {}  # names on the server, by their lower case
        self._seen: dict[frozenset[tuple[str, str]], Device] = {}  # whose series it is, by all its labels
        self._named: dict[str, Device] = {}  # by id: what is first said of a device counts
        self._server = Server(url, headers=headers, timeout_s=timeout_s)

    def __iter__(self) -> Iterator[Series]:
        there = self._server.names(*self._span, self._match)
        self._here = {name.lower(): name for name in there}
        for remark in known.remarks(there):
            self._note(remark)
        sources = self._sources()
        order = list(metrics.known())
        for metric in sorted(sources, key=lambda name: order.index(name) if name in order else len(order)):
            yield from self._series(metric, sources[metric])
        for text in self._server.warnings:
            self._note(f"the server warns: {text}")
        if not self.devices:
            raise self._nothing(len(sources), len(there))

    def _sources(self) -> dict[str, list[Source]]:
        """For each metric the names on the server that lead to it, the better ones first."""
        found: dict[str, list[Source]] = {}
        for low, rows in known.meanings().items():
            for vendor, means in rows if low in self._here else ():
                found.setdefault(means.metric, []).append(Source(self._here[low], vendor, means))
        if known.USED in self._here and known.FREE in self._here:
            found.setdefault(known.TOTAL, [])
        return found

    def _series(self, metric: str, sources: Sequence[Source]) -> Iterator[Series]:
        """The series of one metric, of every device."""
        found: dict[Device, tuple[Column, Source]] = {}
        for source in sources:
            for device, column in self._columns(source).items():
                first, better = found.get(device, (column, source))
                found[device] = first if first is column else extended(first, column), better
        for device, column in self._totals().items() if metric == known.TOTAL else ():
            found.setdefault(device, (column, Source("", "", Imported(metric, quality="derived"))))
        for device, (column, source) in found.items():
            value, remark = known.plausible(metric, column.value)
            if remark:
                self._note(f"{metric} of {device.id} {remark}")
            if value is not None:
                self.devices.setdefault(device.id, device)
                at_s = column.at_ms / 1000 - self._start_s
                yield series(device.id, metric, at_s, value, quality=source.means.quality)

    def _columns(self, source: Source) -> dict[Device, Column]:
        """The samples of one name, a column for each device."""
        taken: dict[Device, dict[frozenset[tuple[str, str]], Buffer]] = {}
        scale = source.means.scale
        wanted = selector(source.name, source.means.labels, self._match)
        for page in self._server.pages(wanted, *self._span):
            for told, at_ms, value in sorted(page, key=lambda one: sorted(one.labels.items())):
                key = frozenset(told.items())
                device = self._device(key, source)
                if device is None:
                    continue
                held = taken.setdefault(device, {}).setdefault(key, buffer())
                for at, raw in zip(at_ms, value, strict=True):
                    if math.isfinite(raw) and not blank(raw):
                        held.at_ms.append(at)
                        held.value.append(raw * scale)
        found: dict[Device, Column] = {}
        for device, parts in taken.items():
            # Of a card and its slices, which repeat what it says, the card has fewer labels.
            filled = [parts[key] for key in sorted(parts, key=len) if parts[key].at_ms]
            if filled:
                found[device], differ = together(filled, summed=source.means.summed)
                if differ:
                    self._note(f"{source.name} of {device.id} is there twice, and differs: the first was taken")
        return found

    def _device(self, key: frozenset[tuple[str, str]], source: Source) -> Device | None:
        """Whose series it is; None where it is nobody's that was asked for."""
        device = self._seen.get(key)
        if device is None:
            device = self._seen[key] = self._identified(dict(key), source)
        if self._wanted and device.id not in self._wanted:
            return None
        return None if device.parent and source.name.lower() in known.NOT_OF_A_SLICE else device

    def _identified(self, told: Mapping[str, str], source: Source) -> Device:
        if source.means.metric in metrics.group("host"):
            device = labels.host(told)
        else:
            whole = source.means.metric in known.OF_THE_CARD
            device = labels.device(told, source.vendor, whole=whole)
            if self._named.get(device.id, device).detail != device.detail:  # another host has one that is called so
                device = labels.device(told, source.vendor, whole=whole, prefix=True)
        return self._named.setdefault(device.id, device)

    def _totals(self) -> dict[Device, Column]:
        """Memory there is, of whoever tells only what is used and what is free."""
        scale = next(row.means.scale for row in known.meanings()[known.USED])
        parts = []
        for low in (known.USED, known.FREE, known.RESERVED):
            means = Imported(known.TOTAL, scale=scale)
            parts.append(self._columns(Source(self._here[low], "", means)) if low in self._here else {})
        used, free, reserved = parts
        return {
            device: added(column, free[device], *([reserved[device]] if device in reserved else []))
            for device, column in used.items()
            if device in free
        }

    def _note(self, text: str) -> None:
        self.notes[inert(text)] = None  # names and labels are somebody else's text

    def _nothing(self, metrics_there: int, names_there: int) -> MeasureError:
        what = f"no samples of a device in this time: {names_there} names are here, which tell {metrics_there} metrics"
        hint = "look at another time, or at what --match asks for"
        others = sorted({device.id for device in self._seen.values()} - self._wanted)
        if self._wanted and others:
            hint = f"devices that are here: {', '.join(others[:8])}{' …' if len(others) > 8 else ''}"
        return MeasureError(what, where=self._server.url, hint=hint)
