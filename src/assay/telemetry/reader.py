"""A reader: the child process that asks one vendor's SDK, on time, and says what it answered as journal lines."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from assay.journal import Writer
from assay.run import Event
from assay.telemetry import plugins
from assay.telemetry.reading import events, warnings


def read_on(plugin: str, pipe: int, began_s: float, period_s: float, first: int, settings: dict[str, Any]) -> NoReturn:
    """Read until the pipe is closed at the other end. Runs in a process of its own, and never returns."""
    code = 1
    try:
        _settle(pipe)
        _read(plugin, pipe, began_s, period_s, Writer(first), settings)
        code = 0
    except BrokenPipeError:
        code = 0
    except BaseException as error:
        at_s = round(max(0.0, time.monotonic() - began_s), 3)
        text = f"{plugin}: {type(error).__name__}: {(str(error).strip() or 'no reason given').splitlines()[0][:300]}"
        with contextlib.suppress(OSError):
            os.write(pipe, Writer(first).event(Event(at_s=at_s, kind="sensor", text=text, of=plugin)).encode())
    finally:
        os._exit(code)


def _settle(pipe: int) -> None:
    """Nothing an SDK prints reaches anybody, and this process ends with its parent even while a driver holds it."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    silent = os.open(os.devnull, os.O_RDWR)
    for handle in (0, 1, 2):
        os.dup2(silent, handle)
    with contextlib.suppress(OSError, AttributeError, ImportError):
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, Linux


def _read(plugin: str, pipe: int, began_s: float, period_s: float, writer: Writer, settings: dict[str, Any]) -> None:
    vendor = plugins.load(plugin)
    devices = vendor.probe(Path("/"), os.environ)
    warned: set[str] = set()
    for raw in vendor.read(devices):
        at_s = time.monotonic() - began_s
        text = "".join(writer.about(device) for device in plugins.about(raw, vendor))
        by_device: dict[str, list[tuple[str, float, Any]]] = {}
        for of, metric, value, quality in vendor.normalise(raw):
            by_device.setdefault(of, []).append((metric, value, quality))
        text += "".join(writer.tick(of, at_s, readings) for of, readings in by_device.items())
        for warning in warnings(raw):
            if warning not in warned:
                warned.add(warning)
                text += writer.event(Event(at_s=round(at_s, 3), kind="sensor", text=warning, of=plugin))
        text += "".join(writer.event(event) for event in events(raw, round(at_s, 3)))
        os.write(pipe, text.encode() or b"\n")
        _until_next(began_s, period_s)


def _until_next(began_s: float, period_s: float) -> None:
    """Sleep until the next whole period of the run: a late tick moves no later one."""
    now_s = time.monotonic() - began_s
    time.sleep(max(0.0, (math.floor(now_s / period_s) + 1) * period_s - now_s))


if __name__ == "__main__":
    sys.exit("run assay.telemetry.sampler")
