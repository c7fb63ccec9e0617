"""Vendors' libraries and command-line tools, opened so that what they print, raise or wait for harms nobody."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from assay.errors import MeasureError
from assay.machine import Device
from assay.telemetry.reading import Raw

PATIENCE_S = 20.0  # for one answer
PROMPT_S = 0.4  # a tool that answers within this time answers the tick that asked; a slower one answers a later one
_PIECE = 1 << 16


def library(name: str, *, hint: str, folders: Sequence[Path] = ()) -> Any:
    """A vendor's Python binding, looked for in these folders first; MeasureError where there is none that works.

    Bindings print to stdout and raise what they like when the driver's own library is missing: amdsmi a KeyError.
    """
    import contextlib
    import importlib
    import io
    import sys
    import warnings

    sys.path[:0] = [str(folder) for folder in folders if folder.is_dir() and str(folder) not in sys.path]
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        what = f"the library {name} does not load: {type(error).__name__}: {error}"
        raise MeasureError(what, hint=hint) from None


def answer(command: Sequence[str]) -> str:
    """What a tool prints; MeasureError where it is missing, fails or does not come back."""
    import subprocess

    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=PATIENCE_S,
            check=False,
        )  # fmt: skip
    except OSError as error:
        raise MeasureError(f"{command[0]} does not start: {error.strerror or error}") from None
    except subprocess.TimeoutExpired:
        raise MeasureError(f"{command[0]} did not answer within {PATIENCE_S:g} s") from None
    if done.returncode:
        raise MeasureError(_failed(command, done.returncode, done.stderr))
    return done.stdout


def _failed(command: Sequence[str], code: int, said: str) -> str:
    reason = next(iter(said.strip().splitlines()), "no reason given")
    return f"{command[0]} failed with {code}: {reason[:200]}"


def latest(command: Sequence[str], *, hint: str = "") -> Iterator[str]:
    """The newest line of a tool that goes on printing; those nobody had time for are passed over, never told late."""
    import os
    import select
    import subprocess

    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
    except OSError as error:
        raise MeasureError(f"{command[0]} does not start: {error.strerror or error}", hint=hint) from None
    with process:
        assert process.stdout is not None
        pipe, rest = process.stdout.fileno(), b""
        try:
            while piece := os.read(pipe, _PIECE):
                rest += piece
                while select.select([pipe], [], [], 0)[0] and (piece := os.read(pipe, _PIECE)):
                    rest += piece
                *whole, rest = rest.split(b"\n")
                if whole:
                    yield whole[-1].decode(errors="replace")
        finally:
            process.terminate()
    raise MeasureError(f"{command[0]} has ended", hint=hint)


class Tool:
    """A tool that is asked again and again, beside the ticks: no tick waits long for it."""

    def __init__(self, command: Sequence[str], every_s: float = 0.0) -> None:
        self.command, self.every_s = command, every_s
        self._process: Any = None
        self._files: tuple[IO[bytes], ...] = ()
        self._asked_s = -every_s

    def news(self) -> str | None:
        """What it has said since the last call, if it has said something; MeasureError where it failed."""
        import subprocess

        now_s = time.monotonic()
        if self._process is None:
            if now_s - self._asked_s < self.every_s:
                return None
            self._start(now_s)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(PROMPT_S if now_s == self._asked_s else 0)
        if self._process.returncode is None:
            if now_s - self._asked_s > PATIENCE_S:
                self.close()
                raise MeasureError(f"{self.command[0]} did not answer within {PATIENCE_S:g} s")
            return None
        return self._end()

    def postpone(self) -> None:
        """Count from now on: it has just been asked."""
        self._asked_s = time.monotonic()

    def _start(self, now_s: float) -> None:
        import subprocess
        import tempfile

        self._asked_s = now_s
        self._files = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 - closed when they were read
        said, reasons = self._files
        try:
            self._process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=said, stderr=reasons)
        except OSError as error:
            self.close()
            raise MeasureError(f"{self.command[0]} does not start: {error.strerror or error}") from None

    def _end(self) -> str:
        code, self._process = self._process.returncode, None
        texts = []
        for file in self._files:
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        self.close()
        if code:
            raise MeasureError(_failed(self.command, code, texts[1]))
        return texts[0]

    def close(self) -> None:
        """Stop it, where it is at work."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        for file in self._files:
            file.close()


def parsed(text: str, command: str) -> Any:
    """What a tool says in JSON; MeasureError where that is something else."""
    import json

    try:
        return json.loads(text)
    except ValueError:
        raise MeasureError(f"{command} answers with something else than JSON: {text.strip()[:60]!r}") from None


def asked(tool: Tool, made: Callable[[str], Raw]) -> Iterator[Raw]:
    """What a tool answers, as raw answers; while there is nothing new, nothing is said and nothing repeated.

    The first answer has to come. A later one that fails is a gap, and a warning.
    """
    try:
        yield made(answer(tool.command))
        tool.postpone()
        while True:
            try:
                said = tool.news()
                yield {"devices": []} if said is None else made(said)
            except MeasureError as error:
                yield {"devices": [], "warnings": [error.what]}
    finally:
        tool.close()


def told(devices: Sequence[Device]) -> list[dict[str, Any]]:
    """Devices as a raw answer tells of them."""
    return [{key: value for key, value in asdict(device).items() if value not in ("", None)} for device in devices]
