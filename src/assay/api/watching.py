"""Watching: live sensors for a screen or an exporter, raw recordings, and what a Prometheus already knows as a run."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from assay import store
from assay.errors import InputError, MeasureError
from assay.run import Event, Run
from assay.telemetry import importer, plugins, recording
from assay.telemetry.snapshots import Latest
from assay.telemetry.watching import PERIOD_S, Follower, Sampler


class Watch:
    """An open watch: call `turn` about once a period; `latest` is what every device last said."""

    def __init__(self, sampler: Sampler, latest: Latest, folder: Path) -> None:
        self.sampler, self.latest, self.folder = sampler, latest, folder

    def turn(self) -> list[Event]:
        """Keep the sampler going, take in what was said, let go of old journals; returns what happened."""
        self.sampler.keep()
        happened = self.latest.refresh()
        for path in sorted(self.folder.glob("telemetry-*.jsonl"))[:-1]:
            path.unlink(missing_ok=True)
        return happened


@contextmanager
def watch(*, period_s: float = PERIOD_S, vendors: Sequence[str] | None = None) -> Iterator[Watch]:
    """Read the sensors of this machine for as long as the context is open; nothing is kept."""
    for vendor in vendors or ():
        plugins.load(vendor)
    folder, began_s = Path(tempfile.mkdtemp(prefix="assay-watch-")), time.monotonic()
    try:
        with Sampler(folder, began_s, period_s=period_s, vendors=vendors, rotate_s=600.0) as sampler:
            yield Watch(sampler, Latest(Follower(folder), platform.node(), began_s, period_s), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def import_prometheus(
    url: str, *, start_s: float, end_s: float, match: str = "", devices: Collection[str] = (),
    headers: Mapping[str, str] | None = None, out: Path | str = "runs", name: str = "imported",
) -> Run:  # fmt: skip
    """What a site's Prometheus has collected from start to end (seconds since 1970), kept as a run."""
    if not start_s < end_s:
        raise InputError("the time to import ends before it begins", where="--from", hint="write --last 1h")
    if start_s < 0:
        raise InputError("the time to import begins before 1970", where="--from", hint="write --last 1h")
    store.prepare(out)
    work = importer.Import(url, start_s=start_s, end_s=end_s, match=match, devices=devices, headers=headers)
    head = Run(
        id="", name=name, command=("assay", "watch", "--import", url), duration_s=end_s - start_s,
        started=datetime.fromtimestamp(start_s, UTC).isoformat(timespec="milliseconds"), environment={},
        settings={"source": f"prometheus:{url}", "match": match},
    )  # fmt: skip
    with store.begin(head, out) as record:
        try:
            record.readings(work)
        except (InputError, MeasureError):
            shutil.rmtree(record.folder, ignore_errors=True)
            raise
        notes = tuple(f"import: {note}" for note in work.notes)
        return store.load(record.close(replace(head, devices=tuple(work.devices.values()), warnings=notes)))


def record_raw(vendor: str, path: Path, *, seconds: float, period_s: float = PERIOD_S, note: str = "") -> int:
    """Write down a vendor's raw answers as they come, to be replayed anywhere; returns how many there were."""
    module = plugins.load(vendor)
    devices = module.probe(Path("/"), os.environ)
    began_s, count = time.monotonic(), 0
    told = note or f"{len(devices)} devices, {platform.platform()}, {datetime.now(UTC):%Y-%m-%d}"
    try:
        with path.open("w", encoding="utf-8") as file:
            file.write(recording.head(vendor, told))
            for raw in module.read(devices):
                file.write(recording.line(time.monotonic() - began_s, raw))
                file.flush()
                count += 1
                if time.monotonic() - began_s + period_s > seconds:
                    break
                time.sleep(period_s)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", where=str(path), hint="name another file") from None
    if not count:
        raise MeasureError(f"{vendor} said nothing", hint="assay watch --vendor host shows what this machine has")
    return count
