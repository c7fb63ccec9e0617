"""The client processes of one load, started together and heard until the last is done."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

_LEAD_S = 0.05  # from the word to start until the start: all processes have heard it by then
_LEAST_GRACE_S = 1.0  # for requests that do not count and are still under way when those that count have ended


class Record(NamedTuple):
    """One request as it was: times by the monotonic clock; `sent_s` is None where it never got out."""

    number: int
    counts: bool  # it was sent while the load was whole; else it is warm-up, or kept the load up
    planned_s: float | None  # by the timetable of an open loop
    sent_s: float | None
    ended_s: float
    fault: str
    text: str
    status: int
    content_type: str
    at_s: list[float]
    pieces: list[bytes]
    input_tokens: int | None  # as asked for
    output_tokens: int
    again: bool


class Client(NamedTuple):
    """How the client fared."""

    lag_s: list[float]  # how late its loop was, looked at every 20 ms
    busy: float  # share of a core, of its busiest process
    connect_s: list[tuple[float, float]]  # when, and how long it took


def drive(plan: dict[str, Any], hear: Callable[[Record], None]) -> Client:
    """Put the load on the server; each request is told as it ends."""
    parts = min(plan["processes"], plan["concurrency"] or plan["processes"])
    # -P: the folder of the script stays off the search path, so that copy.py there does not hide Python's own.
    program = [sys.executable, "-P", str(Path(__file__).with_name("serve_load.py"))]
    with contextlib.ExitStack() as stack:
        crew = [stack.enter_context(_process(program)) for _ in range(parts)]
        for part, process in enumerate(crew):
            _say(process, json.dumps(plan | {"part": part, "parts": parts}))
        # Reading what came is not urgent, and must not take a core from the clients or from a server beside them.
        with ThreadPoolExecutor(1, initializer=_step_back) as reader:
            return reader.submit(_follow, crew, hear).result()


def _step_back() -> None:
    """This thread works when nothing else here wants to; the clients were started by another and do not inherit it."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def _follow(crew: list[subprocess.Popen[bytes]], hear: Callable[[Record], None]) -> Client:
    ready, counted, longest_s = 0, 0, _LEAST_GRACE_S
    byes: list[Any] = []
    for kind, *said in _messages(crew):
        if kind == "ended":
            record = Record(*said)
            hear(record)
            if record.counts and record.sent_s is not None:
                longest_s = max(longest_s, record.ended_s - record.sent_s)
        elif kind == "failed":
            raise SystemExit(said[0])
        elif kind == "ready":
            ready += 1
            if ready == len(crew):
                _tell(crew, f"go {time.monotonic() + _LEAD_S}")
        elif kind == "counted":
            counted += 1
            if counted == len(crew):
                _tell(crew, f"stop {longest_s}")
        else:
            byes.append(said)
    if len(byes) < len(crew):
        raise RuntimeError("a client process died; what it said stands above")
    lags, busy, connects = zip(*byes, strict=True)
    return Client([lag for part in lags for lag in part], max(busy), [c for part in connects for c in part])


def _messages(crew: list[subprocess.Popen[bytes]]) -> Iterator[Any]:
    """What the processes say, until each has closed its mouth."""
    rest = {process.stdout.fileno(): b"" for process in crew if process.stdout}
    with selectors.DefaultSelector() as selector:
        for number in rest:
            selector.register(number, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                piece = os.read(key.fd, 1 << 20)
                if not piece:
                    selector.unregister(key.fd)
                    continue
                rest[key.fd] += piece
                data, at = rest[key.fd], 0
                while (end := at + 4 + int.from_bytes(data[at : at + 4], "little")) <= len(data):
                    yield pickle.loads(data[at + 4 : end])
                    at = end
                rest[key.fd] = data[at:]


def _tell(crew: list[subprocess.Popen[bytes]], line: str) -> None:
    for process in crew:
        _say(process, line)


def _say(process: subprocess.Popen[bytes], line: str) -> None:
    if process.stdin:
        with contextlib.suppress(BrokenPipeError):  # it died: its silence is noticed where it is listened to
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()


@contextlib.contextmanager
def _process(program: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that never outlives its context: its input ends, and with it it does."""
    process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        try:
            process.wait(2.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
