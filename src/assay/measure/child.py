"""A process that is followed line by line, with an end that is sure to come."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

from assay.errors import MeasureError

_GRACE_S = 5.0
_LONGEST_LINE = 1 << 20


class Child:
    """Starts a command in its own session, yields its lines, and never outlives its context."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> None:
        self.command, self.environment, self.timeout_s = command, environment, timeout_s
        self.stopped = ""  # why it ended before its time, in words

    def __enter__(self) -> Child:
        self._stderr: IO[bytes] = tempfile.TemporaryFile()
        try:
            # Its own session: Ctrl-C reaches us alone, and we stop the child with all it has started.
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._stderr,
                env=dict(self.environment), start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self._stderr.close()
            what = f"cannot be started: {error.strerror}"
            raise MeasureError(
                what, where=self.command[0], hint="name an interpreter that works with --python"
            ) from None
        return self

    def __exit__(self, *exc: object) -> None:
        self._end()
        self._stderr.close()

    def lines(self) -> Iterator[str]:
        """Each line as it comes; at the end `stopped` says whether it died, hung or was interrupted."""
        deadline = time.monotonic() + self.timeout_s
        try:
            yield from self._read(deadline)
            code = self._process.wait(max(_GRACE_S, deadline - time.monotonic()))
            if code:
                self.stopped = f"the probe died ({_how(code)}): {self._last_words()}"
        except (TimeoutError, subprocess.TimeoutExpired):
            self.stopped = f"no end within {self.timeout_s:.0f} s, so it was stopped; last heard: {self._last_words()}"
        finally:
            self._end()

    def _read(self, deadline: float) -> Iterator[str]:
        out = self._process.stdout
        if out is None or out.closed:
            return
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(out, selectors.EVENT_READ)
            while True:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError
                piece = os.read(out.fileno(), 1 << 16)
                if not piece:
                    return
                *whole, rest = (rest + piece).split(b"\n")
                rest = rest[-_LONGEST_LINE:]
                for line in whole:
                    yield line.decode(errors="replace")

    def _last_words(self) -> str:
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - 4000))
        lines = [line.strip() for line in self._stderr.read().decode(errors="replace").splitlines() if line.strip()]
        return " | ".join(lines[-3:])[-600:] or "it said nothing"

    def _end(self) -> None:
        """Ask, wait, then force; the whole session, so that no helper of it stays.

        Its output ends when it ends: by that we wait, since once `wait` has returned its number may be another's.
        """
        if self._process.poll() is None:
            _signal(self._process.pid, signal.SIGTERM)
            with contextlib.suppress(TimeoutError, KeyboardInterrupt):
                for _ in self._read(time.monotonic() + _GRACE_S):
                    pass
            _signal(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _signal(group: int, sign: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left
        os.killpg(group, sign)


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if -code in set(signal.Signals) else f"exit {code}"
