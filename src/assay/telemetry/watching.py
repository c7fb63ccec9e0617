"""The other side of the sampler: starts it, keeps it going, reads along, and ends it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from assay.journal import Reader, Tick, Writer
from assay.machine import Device
from assay.run import Event

PERIOD_S = 1.0
_END_S = 3.0


def helper(module: str, settings: Mapping[str, object]) -> list[str]:
    """The command of a process of ours: `main` of a module of this package, told its settings.

    Neither `-m` nor a plain `-c` will do: they look into the folder one is in before the standard library, and a
    tokenize.py beside somebody's training script would end us. What it takes to find this package comes last.
    """
    root = str(Path(__file__).absolute().parents[2])
    begin = f"import sys; sys.path.append({root!r}); from {module} import main; main()"
    return [sys.executable, "-P", "-c", begin, json.dumps(settings)]


class Sampler:
    """The sampler of one run, for as long as the context is open; it dies with us, however we die."""

    def __init__(
        self, folder: Path, began_s: float, *, period_s: float = PERIOD_S, vendors: Sequence[str] | None = None,
        **more: object,
    ) -> None:  # fmt: skip
        self.folder, self.began_s = folder, began_s
        self.settings = {
            "folder": str(folder), "began_s": began_s, "period_s": period_s,
            "vendors": None if vendors is None else list(vendors), **more,
        }  # fmt: skip
        self.restarts, self.died = 0, ""  # how often it had to be started again, and how it ended the first time
        self._watched: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Sampler:
        self._start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            helper("assay.telemetry.sampler", self.settings), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def keep(self, process: int | None = None) -> None:
        """Once a second: start it again if it died, and tell it which process is watched."""
        if self._process is not None and (code := self._process.poll()) is not None:
            last = max((p.name for p in self.folder.glob("telemetry-*.jsonl")), default="telemetry-000000")
            number = int(last[10:16])
            self.restarts += 1
            if self.restarts == 1:  # once: one that keeps dying would fill the record
                number += 1
                self._tell(code, number)
            self.settings["first"] = number  # its journals come after those that are there
            self._hang_up()
            self._start()
            self._watched = None
        if process is not None and process != self._watched:
            self._watched = process
            self._say({"pid": process})

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a run must know of its sampler: nothing, where all went well."""
        if not self.restarts:
            return ()
        times = f", {self.restarts} times in all" if self.restarts > 1 else ""
        return (f"the sampler {self.died} and was started again{times}: readings of the devices are missing",)

    def _tell(self, code: int, number: int) -> None:
        """An event of its end, in a journal between those of the old and the new one."""
        self.died = f"was killed by signal {-code}" if code < 0 else f"died (exit {code})"
        at_s = round(max(0.0, time.monotonic() - self.began_s), 3)
        event = Event(at_s=at_s, kind="restart", text=f"the sampler {self.died} and was started again")
        with contextlib.suppress(OSError):
            (self.folder / f"telemetry-{number:06d}.jsonl").write_text(Writer().event(event), encoding="utf-8")

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
