"""One measurement at a time: a second one on the same machine would measure the first."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from assay.errors import MeasureError

_OUTER: ContextVar[str | None] = ContextVar("_OUTER", default=None)  # set while several measurements hold it as one


def lock_path() -> Path:
    """Where measurements of this machine meet; $ASSAY_LOCK names another place."""
    return Path(os.environ.get("ASSAY_LOCK") or Path(tempfile.gettempdir(), "assay-measuring.lock"))


@contextmanager
def alone(what: str, *, together: bool = False) -> Iterator[str]:
    """Hold the machine while measuring; yields who else holds it when `together` allows that, else nothing.

    MeasureError names the measurement that is under way. The lock goes with the process, however it ends. The one that
    came first is not told of a second: only that one can be marked.
    """
    if (outer := _OUTER.get()) is not None:
        yield outer
        return
    path = lock_path()
    handle = _opened(path)
    if handle is None:  # no place for a lock: nobody can be kept out
        yield ""
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            other = _holder(handle)
            if not together:
                what = f"another measurement is under way: {other}"
                hint = "wait for its end, or add --together: this run will be marked as contended"
                raise MeasureError(what, where=str(path), hint=hint) from None
            yield other
            return
        _write(handle, json.dumps({"pid": os.getpid(), "what": what}))
        try:
            yield ""
        finally:
            _write(handle, "")  # or the next, who may not be allowed to write here, would be taken for this one
    finally:
        os.close(handle)


@contextmanager
def for_several(what: str, *, together: bool = False) -> Iterator[None]:
    """Hold the machine over several measurements, so that nobody comes in between two of them."""
    with alone(what, together=together) as other:
        token = _OUTER.set(other)
        try:
            yield
        finally:
            _OUTER.reset(token)


def _opened(path: Path) -> int | None:
    """The file, to be written if that is allowed: another user's can only be read, and is a lock all the same."""
    for way in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
        with suppress(OSError):
            return os.open(path, way, 0o666)
    return None


def _write(handle: int, text: str) -> None:
    with suppress(OSError):  # another user's file
        os.ftruncate(handle, 0)
        os.pwrite(handle, text.encode(), 0)


def _holder(handle: int) -> str:
    try:
        told = json.loads(os.pread(handle, 4096, 0))
        return f"{told['what']} (process {told['pid']})"
    except (ValueError, KeyError, TypeError, OSError):
        return "one that does not say what it is"
