"""The other side of the sampler: starts it, keeps it going, reads along, and ends it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from assay.journal import Reader, Tick
from assay.machine import Device
from assay.run import Event

PERIOD_S = 1.0
_END_S = 3.0


class Sampler:
    """The sampler of one run, for as long as the context is open; it dies with us, however we die."""

    def __init__(
        self, folder: Path, began_s: float, *, period_s: float = PERIOD_S, vendors: Sequence[str] | None = None,
        **more: object,
    ) -> None:  # fmt: skip
        self.folder = folder
        self.settings = {
            "folder": str(folder), "began_s": began_s, "period_s": period_s,
            "vendors": None if vendors is None else list(vendors), **more,
        }  # fmt: skip
        self.restarts = 0
        self._watched: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Sampler:
        self._start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def _start(self) -> None:
        command = [sys.executable, "-m", "assay.telemetry.sampler", json.dumps(self.settings)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip

    def keep(self, process: int | None = None) -> None:
        """Once a second: start it again if it died, and tell it which process is watched."""
        if self._process is not None and self._process.poll() is not None:
            last = max((p.name for p in self.folder.glob("telemetry-*.jsonl")), default="telemetry-000000")
            self.settings["first"] = int(last[10:16])  # its journals come after those that are there
            self.restarts += 1
            self._hang_up()
            self._start()
            self._watched = None
        if process is not None and process != self._watched:
            self._watched = process
            self._say({"pid": process})

    def _say(self, what: object) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.write(json.dumps(what).encode() + b"\n")
                self._process.stdin.flush()

    def _hang_up(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def end(self) -> None:
        """Let it write what it has, and end it; a driver that holds a reader does not hold us."""
        if self._process is None:
            return
        self._hang_up()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


class Follower:
    """Reads a run's journals as they grow."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._reader = Reader()
        self._path: Path | None = None
        self._offset = 0
        self._rest = b""

    def news(self) -> list[Device | Event | Tick]:
        """Everything said since the last call."""
        found: list[Device | Event | Tick] = []
        for path in sorted(self.folder.glob("telemetry-*.jsonl")):
            if self._path is not None and path < self._path:
                continue
            if path != self._path:
                self._path, self._offset, self._rest, self._reader = path, 0, b"", Reader()
            with path.open("rb") as file:
                file.seek(self._offset)
                text = file.read()
            self._offset += len(text)
            *lines, self._rest = (self._rest + text).split(b"\n")
            found += [said for said in map(self._reader.take, lines) if said is not None]
        return found

    def wait(self, timeout_s: float) -> list[Device | Event | Tick]:
        """The same, but waits for something to be said."""
        deadline = time.monotonic() + timeout_s
        while not (found := self.news()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found
