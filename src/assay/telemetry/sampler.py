"""The sampler: a small process of its own that reads sensors on time, and whose readers may hang without harm.

    python -m assay.telemetry.sampler '{"folder": "runs/…/open", "period_s": 1, …}'

Each vendor with devices here gets a reader, a child process that asks the SDK once a period and writes journal lines
into a pipe. This process copies whole lines into the journal, and kills and restarts a reader that is late: what it did
not say in time is a gap, told as an event, and never a repeated value. It ends when its standard input does, so it does
not outlive whoever started it. It imports no NumPy and no SDK, and costs about a per mille of a core.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.journal import Writer
from assay.run import Event
from assay.telemetry import plugins
from assay.telemetry.reader import read_on

FIRST_ANSWER_S = 30.0  # an SDK may take its time to start
LATE_PERIODS, LATE_S = 3.0, 2.0  # afterwards a reader is late when both have passed without a word
BACKOFF_S = (1.0, 2.0, 5.0, 15.0, 60.0)  # between restarts of a reader that keeps failing
ROTATE_S = 3600.0  # a journal an hour
PROCESS = "ASSAY_WATCH_PID"  # the process whose tree the host's reader watches too
STEADY_S = 120.0  # a reader that has gone well for so long starts again at the first backoff


@dataclass
class Reader:
    """One vendor's child process, and how it fares."""

    plugin: str
    number: int
    process: int = 0  # 0: none at the moment
    pipe: int = -1
    started_s: float = 0.0
    heard_s: float = 0.0
    spoke: bool = False
    failures: int = 0
    again_s: float = 0.0  # when it may be started again
    stuck: list[int] = field(default_factory=list)  # killed, but not gone: held by its driver
    rest: bytes = b""


class Sampler:
    """Keeps the readers going and the journal whole."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.folder = Path(settings["folder"])
        self.began_s = float(settings["began_s"])
        self.period_s = float(settings["period_s"])
        self.settings = settings
        self.late_s = float(settings.get("late_s") or max(LATE_S, LATE_PERIODS * self.period_s))
        self.first_answer_s = float(settings.get("first_answer_s") or FIRST_ANSWER_S)
        self.readers: list[Reader] = []
        self.heads: dict[tuple[int, str], bytes] = {}  # what a new journal must repeat to be read alone
        self.count = int(settings.get("first") or 0)
        self.journal = -1
        self.rotate()
        self.look()

    def look(self) -> None:
        """Find out whose sensors there are to read; a plug-in that cannot even look is told."""
        wanted = self.settings.get("vendors")
        for found in plugins.survey():
            if wanted is not None and found.plugin not in wanted:
                continue
            if found.devices or (wanted is not None and not found.problem):
                self.readers.append(Reader(plugin=found.plugin, number=len(self.readers)))
            elif found.problem:
                self.tell("sensor", f"{found.plugin} {found.problem}", found.plugin)

    def rotate(self) -> None:
        """Begin a new journal with all that is known of the devices."""
        with suppress(OSError):
            os.close(self.journal)
        self.count += 1
        path = self.folder / f"telemetry-{self.count:06d}.jsonl"
        self.journal = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.rotated_s = time.monotonic()
        self.write(b"".join(self.heads.values()))

    def run(self) -> None:
        """Until standard input ends."""
        while True:
            now_s = time.monotonic()
            for reader in self.readers:
                self.look_after(reader, now_s)
            pipes = {r.pipe: r for r in self.readers if r.process}
            ready, _, _ = select.select([0, *pipes], [], [], min(self.late_s, self.period_s, 1.0))
            for handle in ready:
                if handle == 0:
                    if not (said := os.read(0, 4096)):
                        return self.end()
                    self.watch(said)
                else:
                    self.hear(pipes[handle])
            if now_s - self.rotated_s > float(self.settings.get("rotate_s") or ROTATE_S):
                self.rotate()

    def watch(self, said: bytes) -> None:
        """Somebody told the process that is to be watched: the host's reader starts anew, and looks at it too."""
        with suppress(ValueError, KeyError, TypeError):
            os.environ[PROCESS] = str(int(json.loads(said.splitlines()[-1])["pid"]))
            for reader in self.readers:
                if reader.plugin == "host" and reader.process:
                    self.stop(reader)
                    reader.again_s, reader.failures = 0.0, 0

    def look_after(self, reader: Reader, now_s: float) -> None:
        """Start a reader that is due, and stop one that is late."""
        reader.stuck = [process for process in reader.stuck if not _gone(process)]
        if not reader.process:
            if now_s >= reader.again_s and not reader.stuck:
                self.start(reader, now_s)
            return
        limit_s = self.late_s if reader.spoke else max(self.late_s, self.first_answer_s)
        if now_s - reader.heard_s > limit_s:
            self.tell(
                "gap", f"{reader.plugin} did not answer within {limit_s:g} s: its reader was stopped", reader.plugin
            )
            self.stop(reader)

    def start(self, reader: Reader, now_s: float) -> None:
        """Fork a reader."""
        receive, send = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(receive)
            read_on(reader.plugin, send, self.began_s, self.period_s, 1000 * reader.number, self.settings)
        os.close(send)
        if reader.failures:
            self.tell("restart", f"{reader.plugin}: started again", reader.plugin)
        reader.process, reader.pipe, reader.rest, reader.spoke = process, receive, b"", False
        reader.started_s = reader.heard_s = now_s

    def hear(self, reader: Reader) -> None:
        """Copy the whole lines a reader has written; an empty one says only that it lives."""
        piece = os.read(reader.pipe, 1 << 16)
        if not piece:
            self.tell("gap", f"{reader.plugin}: its reader ended", reader.plugin)
            return self.stop(reader)
        reader.heard_s, reader.spoke = time.monotonic(), True
        if reader.heard_s - reader.started_s > STEADY_S:
            reader.failures = 0
        *lines, reader.rest = (reader.rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b'{"n":'):
                number, kind = line[5:].split(b",", 2)[0], line.split(b'"', 4)[3]
                self.heads[int(number), kind.decode()] = line + b"\n"
        self.write(b"".join(line + b"\n" for line in lines if line))
        return None

    def stop(self, reader: Reader) -> None:
        """Kill a reader; while a driver holds a dead one, no other is started."""
        with suppress(ProcessLookupError):
            os.kill(reader.process, signal.SIGKILL)
        os.close(reader.pipe)
        time.sleep(0.01)
        if not _gone(reader.process):
            reader.stuck.append(reader.process)
        reader.process = 0
        reader.again_s = time.monotonic() + BACKOFF_S[min(reader.failures, len(BACKOFF_S) - 1)]
        reader.failures += 1

    def tell(self, kind: str, text: str, of: str) -> None:
        """An event in the journal."""
        at_s = round(max(0.0, time.monotonic() - self.began_s), 3)
        self.write(Writer().event(Event(at_s=at_s, kind=kind, text=text, of=of)).encode())

    def write(self, lines: bytes) -> None:
        """Append; where the disk is full the readings are lost, and the sampler goes on: there may be room later."""
        with suppress(OSError):
            os.write(self.journal, lines)

    def end(self) -> None:
        """The readers go with us."""
        for reader in self.readers:
            if reader.process:
                with suppress(ProcessLookupError):
                    os.kill(reader.process, signal.SIGKILL)
        os.close(self.journal)


def _gone(process: int) -> bool:
    try:
        return os.waitpid(process, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def main() -> None:
    """Sample until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started us
    Sampler(json.loads(sys.argv[1])).run()


if __name__ == "__main__":
    main()
