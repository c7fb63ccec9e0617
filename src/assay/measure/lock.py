"""One measurement at a time: a second one on the same machine would measure the first."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.errors import MeasureError


def lock_path() -> Path:
    """Where measurements of this machine meet; $ASSAY_LOCK names another place."""
    return Path(os.environ.get("ASSAY_LOCK") or Path(tempfile.gettempdir(), "assay-measuring.lock"))


@contextmanager
def alone(what: str, *, together: bool = False) -> Iterator[str]:
    """Hold the machine while measuring; yields who else holds it when `together` allows that, else nothing.

    MeasureError names the measurement that is under way. The lock goes with the process, however it ends.
    """
    path = lock_path()
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:  # no place for a lock: nobody can be kept out
        yield ""
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            other = _holder(handle)
            if not together:
                what = f"another measurement is under way: {other}"
                hint = "wait for its end, or add --together: both will be marked as contended"
                raise MeasureError(what, where=str(path), hint=hint) from None
            yield other
            return
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps({"pid": os.getpid(), "what": what}).encode(), 0)
        yield ""
    finally:
        os.close(handle)


def _holder(handle: int) -> str:
    try:
        told = json.loads(os.pread(handle, 4096, 0))
        return f"{told['what']} (process {told['pid']})"
    except (ValueError, KeyError, TypeError, OSError):
        return "one that does not say what it is"
