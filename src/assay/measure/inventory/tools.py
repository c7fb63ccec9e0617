"""Asks a tool of the system something, and goes on without it when it is absent, fails or hangs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_MOST_BYTES = 1 << 22  # of what it says
_DYING_S = 0.2


def ask(
    command: Sequence[str], timeout_s: float, *, environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> tuple[str | None, str]:
    """What a command says on stdout, or None and why there is nothing.

    A tool that waits for a broken driver cannot be killed; it is left behind rather than waited for.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, cwd=cwd, start_new_session=True,
                env=None if environ is None else dict(environ),
            )  # fmt: skip
        except FileNotFoundError:
            return None, "not installed"
        except (OSError, ValueError) as error:
            return None, f"cannot be started: {getattr(error, 'strerror', None) or error}"
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            _abandon(process)
            return None, f"no answer within {timeout_s:g} s"
        out.seek(0)
        errors.seek(0)
        if code:
            lines = errors.read(_MOST_BYTES).decode(errors="replace").strip().splitlines()
            return None, lines[0][:200] if lines else f"exit {code}"
        return out.read(_MOST_BYTES).decode(errors="replace"), ""


def _abandon(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        process.wait(_DYING_S)
    except subprocess.TimeoutExpired:  # in the kernel, and not to be woken
        process.returncode = -signal.SIGKILL  # or Python would warn of a process that still runs
