"""Writing a run: whatever is said is on the disk within a second, and a kill at any moment leaves it readable."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from assay.codec import encode
from assay.errors import MeasureError
from assay.machine import Device
from assay.run import Event, Run
from assay.series import Sample, Series
from assay.store import samples
from assay.store.folders import HEAD, LOG, OPEN, SAMPLES, TELEMETRY, cannot, prepare, safe
from assay.store.reading import SAID, digest, hashed
from assay.store.telemetry import compact, put

UNFINISHED = "no end was written: it is still running, or it was killed"


def begin(head: Run, root: Path | str = "runs") -> Recorder:
    """Make the folder of a run that begins now; from here on it can be read, as partial."""
    root = prepare(root)
    identity = secrets.token_hex(8)
    folder = root / f"{re.sub(r'[^0-9TZ]', '', head.started[:19])}Z-{safe(head.name)}-{identity[:8]}"
    try:
        (folder / OPEN / "emit").mkdir(parents=True)
        recorder = Recorder(folder, replace(head, id=identity, partial=True, stopped=UNFINISHED))
        recorder.put_head(recorder.head)
    except OSError as error:
        raise cannot(root, error, "no run can be begun") from None
    return recorder


def save(run: Run, root: Path | str = "runs", log: str = "") -> Path:
    """Write a whole run at once, such as one that was imported; returns its folder."""
    with begin(run, root) as recorder:
        recorder.sample(run.samples)
        recorder.log(log.encode())
        return recorder.close(run)


class Recorder:
    """A run that is open. Nobody calls it from two threads at once."""

    def __init__(self, folder: Path, head: Run) -> None:
        self.folder, self.head = folder, head
        self.full = ""  # why nothing more is kept, once the disk has refused something
        self.sampled = False  # whether there is anything that could be lost
        self._devices: dict[str, Device] = {}  # whose sensors were read, and what their journal told
        self._events: list[Event] = []
        self._logged = (folder / LOG).open("ab", buffering=1 << 16)
        self._sampled = (folder / OPEN / samples.LINES).open("ab", buffering=1 << 16)
        self._said = (folder / OPEN / SAID).open("ab", buffering=1 << 16)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self.flush()
        for file in (self._logged, self._sampled, self._said):
            with contextlib.suppress(OSError):
                file.close()

    @property
    def emit_folder(self) -> Path:
        """Where the command's own processes write what they say of themselves."""
        return self.folder / OPEN / "emit"

    def sample(self, taken: Iterable[Sample]) -> None:
        """Keep samples."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(
            (s.case, s.metric, s.rank, s.index, round(s.at_s * 1e6), s.warmup, s.value) for s in taken
        )
        self.sampled = self.sampled or bool(text.tell())
        self._write(self._sampled, text.getvalue().encode())

    def say(self, name: str, what: object) -> None:
        """Keep a case, event, warning, device, setting or fact."""
        self._write(self._said, (json.dumps({name: encode(what)}, allow_nan=False, default=str) + "\n").encode())

    def log(self, printed: bytes) -> None:
        """Keep what the command printed, as it printed it."""
        self._write(self._logged, printed)

    def flush(self) -> None:
        """Hand everything to the operating system: from here it survives a kill of this process."""
        for file in (self._logged, self._sampled, self._said):
            self._write(file, b"")
            self._try(file.flush)

    def readings(self, found: Iterable[Series]) -> None:
        """Keep what sensors said elsewhere, series of one metric after the other."""
        self._try(lambda: put(self.folder, found))

    def compact(self, *, all: bool = False) -> None:  # noqa: A002
        """Turn finished hours of telemetry into columns, and note what they told of."""
        try:
            devices, events = compact(self.folder, all=all)
        except OSError as error:
            self.full = self.full or (error.strerror or str(error))
            return
        self._devices |= {d.id: d for d in devices}
        self._events += events
        for device in devices:
            self.say("device", device)
        for event in events:
            self.say("event", event)

    def close(self, run: Run) -> Path:
        """Write the end: samples as columns, then the head with a digest over all. What is open can then go.

        Where the disk refuses, the run stays open, and readable as partial; MeasureError says so.
        """
        self.flush()
        for file in (self._logged, self._sampled, self._said):
            self._try(file.close)
        try:
            if self.full:
                raise OSError(None, self.full)  # noqa: TRY301 - told below, like any other refusal
            samples.close(self.folder / OPEN / samples.LINES, self.folder / SAMPLES)
            self.put_head(self._whole(run), closed=True)
        except (OSError, ValueError) as error:  # a full disk; what JSON cannot hold
            why = (getattr(error, "strerror", None) or str(error)).rstrip(".")
            what = f"{why}: the run could not be closed; what fitted is kept"
            hint = f"free some space; assay report {self.folder} reads what there is"
            raise MeasureError(what, where=str(self.folder), hint=hint) from None
        shutil.rmtree(self.folder / OPEN, ignore_errors=True)
        return self.folder

    def _whole(self, run: Run) -> Run:
        """A run with what its telemetry told of."""
        devices = {d.id: d for d in run.devices} | self._devices
        events = tuple(sorted((*run.events, *self._events), key=lambda e: e.at_s))
        return replace(run, id=self.head.id, devices=tuple(devices.values()), events=events)

    def put_head(self, run: Run, *, closed: bool = False) -> None:
        """Write run.json whole or not at all."""
        head = encode(replace(run, series=()))
        del head["series"]
        if closed:
            parts = sorted((self.folder / TELEMETRY).glob("*.parquet"))
            files = [self.folder / SAMPLES, self.folder / LOG, *parts]
            for path in files:
                _sync(path)
            head["files"] = {str(p.relative_to(self.folder)): hashed(p) for p in files}
            head = json.loads(json.dumps(head, allow_nan=False, default=str))  # as it will be read
            head["digest"] = digest(head)
        draft = self.folder / f".{HEAD}.part"
        text = json.dumps(head, indent=1, ensure_ascii=False, allow_nan=False, default=str) + "\n"
        draft.write_text(text, encoding="utf-8", newline="\n")
        _sync(draft)
        draft.replace(self.folder / HEAD)
        _sync(self.folder)

    def _write(self, file: BinaryIO, data: bytes) -> None:
        if not self.full:
            self._try(lambda: file.write(data))

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except (OSError, ValueError) as error:  # ValueError: closed already
            self.full = self.full or (getattr(error, "strerror", None) or str(error))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
