"""Marks: what a program says of itself while it is measured, at about a microsecond a call; else they do nothing.

    import assay
    for step, batch in enumerate(assay.batches(loader)):        # times how long each batch is waited for
        loss = train(batch)
        with assay.phase("checkpoint"):
            save(step)
        assay.emit(step=step, loss=loss, tokens=4096)

This file needs nothing but Python's standard library, so that it can be copied into any project (or loaded by its path,
as Assay's own workloads do). Programs in other languages write the same lines to their standard output: one JSON
object a line, `{"step": 3, "loss": 2.1, "tokens": 4096}`.

A line holds numbers by metric name (the unit is the name's suffix), beside `step`, `case`, `warmup`, `rank` and `at`
(seconds of the system's monotonic clock). Lines with `event` say something else: see docs/measuring.md.
"""

from __future__ import annotations

import atexit
import json
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

FLUSH_S = 0.5  # a process that is killed loses no more than this
_MOST = 1 << 18  # marks that wait to be written: should nobody write them, the oldest go

# What a phase is called in a program -> the metric it is counted under.
PHASES = {"input": "input_wait_s", "communication": "communication_s", "checkpoint": "checkpoint_s"}

_folder = ""  # where `assay measure` listens; empty: nobody does
_now = time.monotonic
_waiting: deque[tuple[float, dict[str, Any]]] = deque(maxlen=_MOST)  # its append and popleft are safe between threads
_spent: dict[str, float] = {}  # time in phases since the last emit
_writing = threading.Lock()
_writer: threading.Thread | None = None
_file: Any = None
_hooked = _complained = False


def emit(**said: Any) -> None:
    """Say something of this moment: numbers by metric name, and `step`, `case`, `warmup` or `rank` where they help."""
    if _folder:
        if _spent:
            said = {**_spent, **said}
            _spent.clear()
        _waiting.append((_now(), said))


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Time what is inside as a part of this step: "input", "communication", "checkpoint", "compute", or your own.

    The next `emit` carries it. Phases of one step add up; do not nest them.
    """
    begin = _now()
    try:
        yield
    finally:
        key = PHASES.get(name, f"{name}_s")
        if _folder:
            _spent[key] = _spent.get(key, 0.0) + _now() - begin


def batches(loader: Iterable[T]) -> Iterator[T]:
    """The same batches; how long each was waited for counts as `input_wait_s` of its step."""
    source, key = iter(loader), PHASES["input"]
    while True:
        begin = _now()
        try:
            batch = next(source)
        except StopIteration:
            return
        if _folder:
            _spent[key] = _spent.get(key, 0.0) + _now() - begin
        yield batch


def flush() -> None:
    """Write what was said; called every half second, and at the end."""
    with _writing:
        _write()


def _write() -> None:
    global _file  # noqa: PLW0603 - one channel a process
    text = "".join(_line(*_waiting.popleft()) for _ in range(len(_waiting)))
    if not text or not _folder:
        return
    if _file is None:
        _file = open(os.path.join(_folder, f"{os.getpid()}.jsonl"), "ab", buffering=0)  # noqa: SIM115, PTH118, PTH123
    _file.write(text.encode())


def _line(at: float, said: dict[str, Any]) -> str:
    """A mark as JSON; one that JSON cannot hold is left out, which is said once: the program goes on."""
    global _complained  # noqa: PLW0603
    said.setdefault("at", round(at, 6))
    rank = os.environ.get("RANK", "")
    if rank.isdecimal() and "rank" not in said:
        said["rank"] = int(rank)
    try:
        return json.dumps(said, default=_plain) + "\n"
    except Exception as error:  # whatever somebody's object does when it is written
        if _complained:
            return ""
        _complained = True
        text = f"assay.emit: a mark that JSON cannot hold was left out ({type(error).__name__}: {str(error)[:120]})"
        return json.dumps({"event": "warning", "text": text}) + "\n"


def _plain(value: Any) -> Any:
    """Tensors and NumPy numbers as numbers; what is none of these, as text."""
    try:
        return value.item()
    except Exception:  # anybody's object may have an item() of its own
        return str(value)


def _keep_flushing() -> None:
    global _folder  # noqa: PLW0603
    while True:
        time.sleep(FLUSH_S)
        folder = _folder
        try:
            flush()
        except OSError:  # a full disk stops the record, never the program
            if folder == _folder:
                _folder = ""
                _waiting.clear()
                return


def listen(folder: str) -> str:
    """From here on what is said is written to this folder, or nowhere; `assay measure` names it in $ASSAY_EMIT.

    Returns where it was written before: whoever listens for a while gives that back.
    """
    global _folder, _file, _hooked  # noqa: PLW0603 - one channel a process
    with _writing:
        try:
            if _spent:
                emit(event="rest")  # of a step that was begun
            _write()
        except OSError:  # the disk of the one that is left is full
            _waiting.clear()
        if _file is not None:
            _file.close()
        _file = None
        before, _folder = _folder, folder
    _start()
    if not _hooked:
        _hooked = True
        os.register_at_fork(after_in_child=_forked)
        atexit.register(_finish)
    return before


def _start() -> None:
    """Have somebody write."""
    global _writer  # noqa: PLW0603
    if _folder and (_writer is None or not _writer.is_alive()):
        _writer = threading.Thread(target=_keep_flushing, name="assay-emit", daemon=True)
        _writer.start()


def _forked() -> None:
    """In a process that was forked: what its parent said is its parent's to write."""
    global _file, _writing  # noqa: PLW0603
    _writing = threading.Lock()  # the parent's may have been held as it forked
    _waiting.clear()
    _spent.clear()
    _file = None
    _start()


def _finish() -> None:
    try:
        if _spent:
            emit(event="rest")
        flush()
    except OSError:
        pass


if os.environ.get("ASSAY_EMIT"):
    listen(os.environ["ASSAY_EMIT"])
