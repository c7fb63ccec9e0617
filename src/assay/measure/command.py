"""Runs any command, follows what it says, and makes a Run of it: raw samples, surroundings, doubts."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from assay.errors import InputError, MeasureError, OutOfMemory
from assay.measure import interrupts
from assay.measure.child import TICK_S, Child, Stream
from assay.measure.found import Said
from assay.measure.heard import Heard, Sink
from assay.measure.inventory import environment as surroundings
from assay.measure.inventory.discretion import arguments
from assay.measure.lines import Lines
from assay.measure.marked import mark
from assay.measure.tail import Tail
from assay.run import Run

_FLUSH_S = 1.0
_REFUSED = 64  # EX_USAGE: what a workload of ours ends with when it cannot do what is asked
_CLOCK_S = 1.0  # the wall clock may wander by this much a second before it is said to have been set
_LOUD_BYTES = 100_000_000  # output beyond this is worth a remark


class Record(Sink, Protocol):
    """An open run (the store's Recorder is one)."""

    full: str

    @property
    def emit_folder(self) -> Path: ...  # noqa: D102
    def log(self, printed: bytes) -> None: ...  # noqa: D102
    def flush(self) -> None: ...  # noqa: D102


class Listen(Protocol):
    """What makes sense of a log (`measure.listen.Listener` is one)."""

    def line(self, text: str) -> Iterable[Said]: ...  # noqa: D102
    def file(self, raw: bytes) -> Iterable[Said]: ...  # noqa: D102
    def end(self) -> Iterable[Said]: ...  # noqa: D102


def _silent(_: object) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be run, and how it is listened to."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    settings: Mapping[str, str] = field(default_factory=dict)  # what must be alike for two runs to be compared
    timeout_s: float | None = None
    cwd: Path | None = None
    workload: bool = False  # one of ours: without a sample there is nothing to keep
    results: tuple[Path, ...] = ()  # files it writes figures to, read when it has ended


def opening(task: Task, facts: Mapping[str, object]) -> Run:
    """The head of a run that begins now."""
    return Run(
        id="", name=task.name, command=arguments(task.command),
        started=datetime.now(UTC).isoformat(timespec="milliseconds"), duration_s=0.0, environment=facts,
        settings=task.settings,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command went: what was heard of it, and how it ended."""

    heard: Heard
    before: surroundings.Snapshot
    stopped: str  # why it ended before its time
    exit_code: int | None
    printed_bytes: int
    duration_s: float


def follow(
    task: Task, record: Record, began_s: float, *, listen: Listen | None = None, tell: Callable[[str], None] = _silent,
    tee: bool = False, each_s: Callable[[int], None] = _silent,
) -> Ended:  # fmt: skip
    """Run a task to its end, interrupted or not, keeping everything it says in `record`.

    `began_s` is the zero of all its times on the monotonic clock; `each_s` is called about once a second with the
    command's process number. MeasureError where it could not be started at all.
    """
    before, since_s = surroundings.snapshot(), time.time()
    heard = Heard(record, began_s, tell)
    turn = _Turn(record, heard, Tail(record.emit_folder), listen, tee)
    with Child(task.command, task.environment, timeout_s=task.timeout_s, cwd=task.cwd) as child:
        try:
            each_s(child.process.pid)
            for stream, piece in child.pieces():
                with interrupts.held():
                    turn.take(stream, piece)
                if turn.due():
                    each_s(child.process.pid)
            interrupts.deafen()
        except KeyboardInterrupt:
            child.stopped = "interrupted"
            child.end()
        for stream, piece in child.unheard:
            turn.take(stream, piece)
        stopped, code = child.stopped, child.exit_code
    turn.end(task.results, since_s, well=not stopped)
    if record.full:
        stopped = stopped or f"the disk refused more: {record.full}"
    return Ended(
        heard=heard, before=before, stopped=stopped, exit_code=code, printed_bytes=turn.printed_bytes,
        duration_s=time.monotonic() - began_s,
    )  # fmt: skip


def attend(
    record: Record, began_s: float, process: int, said: Callable[[], str | None], *,
    each_s: Callable[[int], None] = _silent,
) -> Ended:  # fmt: skip
    """Listen to a program that is running already, until `said` returns why it is over (empty: all went well)."""
    before = surroundings.snapshot()
    heard = Heard(record, began_s)
    turn = _Turn(record, heard, Tail(record.emit_folder), None, tee=False)
    each_s(process)
    try:
        while (stopped := said()) is None:
            turn.take("tick", b"")
            if turn.due():
                each_s(process)
    except KeyboardInterrupt:
        stopped = "interrupted"
    turn.end()
    return Ended(
        heard=heard, before=before, stopped=stopped or "", exit_code=None, printed_bytes=0,
        duration_s=time.monotonic() - began_s,
    )  # fmt: skip


def finished(task: Task, head: Run, ended: Ended, threads: int) -> Run:
    """All that is known of a run once its command, and all that watched it, has ended."""
    heard = ended.heard
    if task.workload and not heard.count:
        _nothing(ended, task)
    told = surroundings.describe(ended.before, surroundings.snapshot(), threads)
    mute = not heard.count and not task.workload
    warnings = (
        *head.warnings,
        *heard.warnings,
        *named("too little time for", heard.short, "raise --budget"),
        *surroundings.warnings(told, threads),
        *([_loud(ended.printed_bytes)] if ended.printed_bytes > _LOUD_BYTES else []),
        *(["nothing it said was understood as a figure: see docs/measuring.md"] if mute else []),
    )
    return replace(
        head, duration_s=round(ended.duration_s, 3), environment={**head.environment, **heard.facts, **told},
        settings={**head.settings, **heard.settings}, cases=tuple(heard.cases.values()), events=tuple(heard.events),
        warnings=warnings, partial=bool(ended.stopped), stopped=ended.stopped, exit_code=ended.exit_code,
    )  # fmt: skip


def _loud(printed_bytes: int) -> str:
    return f"the command printed {printed_bytes / 1e9:.1f} GB; log.txt has it whole"


class _Turn:
    """What is done while a command runs: its output kept, shown and listened to, its marks collected."""

    def __init__(self, record: Record, heard: Heard, tail: Tail, listen: Listen | None, tee: bool) -> None:
        self.record, self.heard, self.tail, self.listen, self.tee = record, heard, tail, listen, tee
        self.printed_bytes = 0
        self._streams: dict[Stream, Lines] = {"stdout": Lines(), "stderr": Lines()}
        self._due_s, self._look_s = time.monotonic() + _FLUSH_S, 0.0
        self._offset_s = time.time() - time.monotonic()

    def take(self, stream: Stream, piece: bytes) -> None:
        """A piece of output, or a moment of silence."""
        if piece:
            self.printed_bytes += len(piece)
            self.record.log(piece)
            if self.tee:
                _show(piece)
            if self.listen is not None:
                self._lines(self._streams[stream].feed(piece), self.listen)
        now_s = time.monotonic()
        if now_s >= self._look_s:  # a look opens every file of marks: pieces of output come far more often
            self._look_s = now_s + TICK_S
            for line in self.tail.lines():
                self.heard.line(line, now_s)

    def _lines(self, lines: Iterable[str], listen: Listen) -> None:
        now_s = time.monotonic()
        for line in lines:
            if (said := mark(line)) is not None:  # printed: not every program can write to the folder for marks
                self.heard.line(said, now_s)
            elif found := listen.line(line):
                self.heard.found(found, now_s)

    def due(self) -> bool:
        """Once a second: everything is handed to the operating system, and the clock is looked at."""
        now_s = time.monotonic()
        if now_s < self._due_s:
            return False
        self._due_s = now_s + _FLUSH_S
        self.record.flush()
        moved_s = time.time() - now_s - self._offset_s
        if abs(moved_s) > _CLOCK_S:
            self._offset_s += moved_s
            text = f"the system's clock was set by {moved_s:+.1f} s; the times of this run are not affected"
            self.heard.happened("clock", text, now_s)
        return True

    def end(self, results: Iterable[Path] = (), since_s: float = 0.0, *, well: bool = True) -> None:
        """What was still on its way when the command ended, and what it left in files."""
        now_s = time.monotonic()
        if self.listen is not None:
            for lines in self._streams.values():
                if well:  # half a line of a program that was killed may hold half a number
                    self._lines([lines.rest()], self.listen)
            self.heard.found(self.listen.end(), now_s)
            for path in results:
                self._file(path, since_s, self.listen, now_s)
        for line in self.tail.lines(final=True):
            self.heard.line(line, now_s)
        self.record.flush()

    def _file(self, path: Path, since_s: float, listen: Listen, now_s: float) -> None:
        """A result file counts if the command wrote it: one from an earlier time says nothing of this run."""
        try:
            if path.stat().st_mtime < since_s - 1.0:
                return self.heard.warn(f"{path} is older than this run, and was not read")
            said = list(listen.file(path.read_bytes()))
        except OSError as error:
            return self.heard.warn(f"{path} cannot be read: {error.strerror or error}")
        if not said:
            self.heard.warn(f"{path}: no figure in it was understood")
        return self.heard.found(said, now_s)


def _show(piece: bytes) -> None:
    """The command's output as it comes; on stderr, since stdout is for the answer."""
    with suppress(OSError, ValueError):
        sys.stderr.buffer.write(piece)
        sys.stderr.buffer.flush()


def named(what: str, cases: Iterable[str], hint: str = "") -> tuple[str, ...]:
    """One warning for many cases: the first three by name."""
    listed = list(cases)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    names = ", ".join(case.partition(": ")[0] for case in listed[:3])
    return (f"{what} {names}{more}{f'; {hint}' if hint else ''}",) if listed else ()


def _nothing(ended: Ended, task: Task) -> None:
    """A workload of ours read nothing: there is only a reason to give."""
    heard, path = ended.heard, task.command[0]
    if ended.stopped == "interrupted":
        raise KeyboardInterrupt
    if ended.exit_code == _REFUSED:
        why = re.split(r"exit \d+\): | \| ", ended.stopped)[-1]
        raise InputError(why, where=task.name, hint="assay measure --list names its options")
    if not ended.stopped and not heard.cases and task.settings.get("cases") != "all":
        raise InputError(
            "no case matches", where="--cases", hint="a glob such as 'numpy fp32 *'; without it all are measured"
        )
    memory = next((event.text for event in heard.events if event.kind == "oom"), "")
    if memory:
        raise OutOfMemory(memory, where=path, hint="try less at a time, such as --set micro_batch=1")
    reason = ended.stopped or "; ".join([*heard.short[:1], *heard.warnings[:2]])
    hint = "see assay doctor, or raise --budget"
    if not ended.stopped and not heard.cases:  # not one case could be begun: what they need is not there
        hint = f"{path} -m pip install numpy torch; or name another interpreter with --python"
    raise MeasureError(f"nothing was measured: {reason or 'no case could be begun'}", where=path, hint=hint)
