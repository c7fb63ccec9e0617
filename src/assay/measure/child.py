"""A process that is followed as it speaks, with an end that is sure to come."""

from __future__ import annotations

import contextlib
import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from assay.errors import MeasureError
from assay.measure.interrupts import SIGNS

Stream = Literal["stdout", "stderr", "tick"]

TICK_S = 0.2  # how often the caller gets a turn while the process is silent
_GRACE_S = 5.0  # between one request to end and the next, harder one
_LINGER_S = 0.5  # after its end, for output that somebody it started still holds open
_PIECE = 1 << 16
_LAST_WORDS = 4000
_UNHEARD = 16_000_000
_PR_SET_PDEATHSIG = 1


class Child:
    """Starts a command in its own session, yields what it prints, and never outlives its context."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], *, timeout_s: float | None = None,
        cwd: Path | None = None,
    ) -> None:  # fmt: skip
        self.command, self.environment, self.timeout_s, self.cwd = command, environment, timeout_s, cwd
        self.stopped = ""  # why it ended before its time, in words
        self._last: deque[bytes] = deque(maxlen=8)  # of what it said on stderr
        self.unheard: list[tuple[Stream, bytes]] = []  # what it said while it was being ended

    def __enter__(self) -> Child:
        # A request to end that comes while it starts waits until we know whom to end.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNS)
        try:
            self._start(_becoming(before))
        except BaseException:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            raise
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        except BaseException:
            self.end()
            raise
        return self

    def _start(self, become: Callable[[], None]) -> None:
        try:
            # Its own session: Ctrl-C reaches us alone, and we stop the child with all it has started.
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=dict(self.environment), start_new_session=True, cwd=self.cwd, bufsize=0,
                preexec_fn=become,  # noqa: PLW1509 - it takes no lock
            )  # fmt: skip
        except OSError as error:
            what = f"cannot be started: {error.strerror}"
            raise MeasureError(what, where=self.command[0], hint="is it spelled right, and on the PATH?") from None
        except ValueError as error:  # a NUL in an argument
            raise MeasureError(f"cannot be started: {error}", where=self.command[0]) from None

    def __exit__(self, *exc: object) -> None:
        self.end()

    @property
    def exit_code(self) -> int | None:
        """What it ended with; None while it runs."""
        return self.process.poll()

    def pieces(self) -> Iterator[tuple[Stream, bytes]]:
        """What it prints, in pieces as they come, and a tick whenever it has been silent for a moment.

        At the end `stopped` says whether it died or hung. An exception of the caller's passes through.
        """
        deadline = None if self.timeout_s is None else time.monotonic() + self.timeout_s
        try:
            yield from self._read(deadline)
            if code := self.process.wait():
                self.stopped = f"it died ({how(code)}): {self.last_words()}"
        except TimeoutError:
            limit = f"within {self.timeout_s:.0f} s"
            self.stopped = f"no end {limit}, so it was stopped; last heard: {self.last_words()}"
        finally:
            self.end()

    def _read(self, deadline: float | None) -> Iterator[tuple[Stream, bytes]]:
        with selectors.DefaultSelector() as selector:
            for name, pipe in (("stdout", self.process.stdout), ("stderr", self.process.stderr)):
                if pipe is not None and not pipe.closed:
                    selector.register(pipe, selectors.EVENT_READ, name)
            ended_s: float | None = None
            while selector.get_map():
                ready = selector.select(TICK_S)
                for key, _ in ready:
                    piece = os.read(key.fd, _PIECE)
                    if not piece:
                        selector.unregister(key.fileobj)
                        continue
                    self._hear(key.data, piece)
                    yield key.data, piece
                if not ready:
                    yield "tick", b""
                now = time.monotonic()
                if deadline is not None and now > deadline:
                    raise TimeoutError
                if ended_s is None and self.process.poll() is not None:
                    ended_s = now
                if ended_s is not None and not ready and now > ended_s + _LINGER_S:
                    return  # somebody it started has its output still open
        yield from self._silent(deadline)

    def _silent(self, deadline: float | None) -> Iterator[tuple[Stream, bytes]]:
        """It may close its output, as one that writes a log file does, and go on: its end is its exit."""
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(TICK_S)
                return
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError
            yield "tick", b""

    def _hear(self, stream: Stream, piece: bytes) -> None:
        if stream == "stderr":
            self._last.append(piece[-_LAST_WORDS:])

    def last_words(self) -> str:
        """The end of what it said on stderr."""
        text = b"".join(self._last)[-_LAST_WORDS:].decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return " | ".join(lines[-3:])[-600:] or "it said nothing on stderr"

    def end(self) -> None:
        """Ask, ask harder, then force; the whole session, so that no helper of it stays."""
        forced = self.process.poll() is None  # one that ended by itself may leave others running
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if not forced or not self._anybody():
                break
            _signal(self.process.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
                self._drained(_GRACE_S)
        until_s = time.monotonic() + 1.0  # somebody it started may go on writing
        while forced and time.monotonic() < until_s and self._taken(0.0):
            pass
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def _anybody(self) -> bool:
        """Whether the command, or anything it started in its session, is still there."""
        if self.process.poll() is None:
            return True
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def _drained(self, grace_s: float) -> None:
        """Wait for their end, and keep reading meanwhile: a full pipe would hold it up."""
        deadline = time.monotonic() + grace_s
        while self._anybody() and time.monotonic() < deadline:
            if not self._taken(0.05):
                time.sleep(0.01)

    def _taken(self, wait_s: float) -> bool:
        """Whether there was something to read; it is kept for who wants to hear it, as far as it is not endless."""
        pipes = {"stdout": self.process.stdout, "stderr": self.process.stderr}
        with selectors.DefaultSelector() as selector:
            for name, pipe in pipes.items():
                if pipe is not None and not pipe.closed:
                    selector.register(pipe, selectors.EVENT_READ, name)
            ready = selector.select(wait_s) if selector.get_map() else []
            got: list[tuple[Stream, bytes]] = [(key.data, os.read(key.fd, _PIECE)) for key, _ in ready]
        said = [(name, piece) for name, piece in got if piece]
        if sum(len(piece) for _, piece in self.unheard) < _UNHEARD:
            self.unheard += said
        return bool(said)


def _becoming(mask: set[int | signal.Signals]) -> Callable[[], None]:
    """What a child does between fork and exec: little, for other threads of ours may have held any lock.

    It heeds signals as we did, and on Linux it is asked to end when we are killed. That reaches the command itself;
    what it has started is its own to end, as launchers do.
    """
    prctl = _prctl()  # looked up here: the child must not

    def become() -> None:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    return become


@cache
def _prctl() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    with contextlib.suppress(OSError, AttributeError):
        return ctypes.CDLL(None).prctl
    return None


def _signal(group: int, sign: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left
        os.killpg(group, sign)


def how(code: int) -> str:
    """An exit code in words.

    >>> how(2), how(-9)
    ('exit 2', 'killed by SIGKILL')
    """
    return f"killed by {signal.Signals(-code).name}" if -code in set(signal.Signals) else f"exit {code}"
