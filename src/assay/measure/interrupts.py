"""Requests to end: Ctrl-C, a scheduler's SIGTERM, a terminal that is closed. One ends a measurement, many do no more.

Whoever presses Ctrl-C again and again must not lose what was measured: the first request raises KeyboardInterrupt,
those that follow while the run is closed are passed over.
"""

from __future__ import annotations

import atexit
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SIGNS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_DEAF_S = (
    30.0  # to close a run; afterwards we can be interrupted again, or one lost request would make us deaf for good
)

_deaf_until_s = 0.0
_asked = _missed = False  # whether a request was raised; whether one came while the run of an ended command was closed


def once() -> tuple[signal.Signals, ...]:
    """From here on the first request to end raises, and those soon after it do not; returns what is heeded so.

    Signals that are ignored, or that a program has its own answer to, are left to it.
    """
    if threading.current_thread() is not threading.main_thread():
        return ()
    ours = tuple(sign for sign in SIGNS if signal.getsignal(sign) is signal.default_int_handler)
    for sign in ours:
        signal.signal(sign, _hear)
    atexit.unregister(_to_the_end)
    atexit.register(_to_the_end)
    return ours


@contextmanager
def heeded_once() -> Iterator[None]:
    """The same for a part of a program; a request that came too late to end what is inside is raised afterwards."""
    global _deaf_until_s, _asked, _missed
    ours = once()
    try:
        yield
    finally:
        for sign in ours:
            signal.signal(sign, signal.default_int_handler)
        if ours:
            late, _missed, _asked, _deaf_until_s = _missed, False, False, 0.0
    if ours and late:
        raise KeyboardInterrupt


@contextmanager
def held() -> Iterator[None]:
    """A request that comes meanwhile waits: what has been read is taken in whole."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def deafen() -> None:
    """The command has ended: what remains is to close its run, and nobody should interrupt that."""
    global _deaf_until_s  # noqa: PLW0603
    if time.monotonic() >= _deaf_until_s:
        _deaf_until_s = time.monotonic() + _DEAF_S


def _to_the_end() -> None:
    """As it ends Python gives signals their first meaning back: one more Ctrl-C would spoil the exit code."""
    for sign in SIGNS:
        if signal.getsignal(sign) is _hear:
            signal.signal(sign, signal.SIG_IGN)


def _hear(sign: int, frame: object) -> None:
    global _deaf_until_s, _asked, _missed  # noqa: PLW0603
    if time.monotonic() < _deaf_until_s:
        _missed = not _asked
        return
    _deaf_until_s, _asked = time.monotonic() + _DEAF_S, True
    raise KeyboardInterrupt
