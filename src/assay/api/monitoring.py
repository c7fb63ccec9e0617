"""`with assay.monitor():` a program that measures itself: a helper process keeps the run of it.

    with assay.monitor("fine-tune") as run:
        for step, batch in enumerate(assay.batches(loader)):
            …
            assay.emit(step=step, loss=loss, tokens=4096)
    print(run.path)

What it costs the program is a microsecond a mark; sensors, disk and arithmetic are the helper's. Should the program
die, the helper closes the run, as partial.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay import marks
from assay.errors import InputError, MeasureError
from assay.telemetry.watching import PERIOD_S, helper

_END_S = 60.0  # closing a long run means packing its samples


@dataclass
class Monitored:
    """Where the run of a monitored program lies; it is whole once the context is closed."""

    path: Path


@contextlib.contextmanager
def monitor(
    name: str = "", *, out: Path | str = "runs", period_s: float = PERIOD_S, vendors: Sequence[str] | None = None
) -> Iterator[Monitored]:
    """Keep a run of what is inside: its marks, its surroundings and every sensor of this machine."""
    settings = _settings(name, out, period_s, vendors)
    process = subprocess.Popen(
        helper("assay.api.monitoring", settings), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    ours, folder, lost = os.getpid(), None, ""
    try:
        folder = _answer(process)
        before, _ = _listen(str(folder / "open" / "emit"))
        said = "the program was ended inside of monitor()"
        try:
            yield Monitored(path=folder)
            said = ""
        except BaseException as error:
            said = _failed(error)
            raise
        finally:
            heard, whole = _listen(before or "")
            if not whole or heard == "":  # "": the thread of the marks gave up, as it does when a disk is full
                lost = "the disk refused what the program said of itself, and the run lacks it"
            if os.getpid() == ours:
                _say(process, said)
    finally:
        if os.getpid() == ours:  # a process that the program forked comes by here too, and the run is not its own
            problem = _end(process) or lost
            if folder is not None and problem:
                warnings.warn(f"assay.monitor: {problem} (run {folder.name})", RuntimeWarning, stacklevel=3)


def _settings(name: str, out: Path | str, period_s: float, vendors: Sequence[str] | None) -> dict[str, object]:
    try:
        here, there = str(Path.cwd()), str(Path(out).resolve())
    except FileNotFoundError:
        what = "assay.monitor: the folder in which this program runs is gone"
        raise InputError(what, hint="start the program in a folder that is there") from None
    return {
        "name": name or Path(sys.argv[0]).stem or "program", "out": there, "period_s": period_s,
        "vendors": None if vendors is None else list(vendors), "pid": os.getpid(), "command": sys.argv,
        "python": sys.executable, "cwd": here,
    }  # fmt: skip


def _listen(folder: str) -> tuple[str | None, bool]:
    """From here on this folder is told; returns which was told until now, and whether it could be told everything."""
    whole = True
    try:
        marks.flush()
    except OSError:  # a full disk stops the record, never the program
        whole = False
    try:
        return marks.listen(folder), whole
    except OSError:
        return None, False


def _failed(error: BaseException) -> str:
    """Why a program ended inside, in words; nothing where it ended well."""
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return ""
    return f"the program failed: {type(error).__name__}: {error}"


def _answer(process: subprocess.Popen[str]) -> Path:
    line = process.stdout.readline() if process.stdout else ""
    try:
        told = json.loads(line)
        if "folder" in told:
            return Path(told["folder"])
        raise MeasureError(told["problem"], hint="run without assay.monitor, or name another folder with out=")
    except (ValueError, TypeError):
        raise MeasureError("the helper process did not start", hint="python -m assay.cli.main doctor") from None


def _say(process: subprocess.Popen[str], said: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        if process.stdin:
            process.stdin.write(json.dumps({"over": said}) + "\n")
            process.stdin.flush()


def _end(process: subprocess.Popen[str]) -> str:
    """Wait until the helper has closed the run; what went wrong with that, in words."""
    with contextlib.suppress(OSError, ValueError):
        if process.stdin:
            process.stdin.close()
    try:
        code = process.wait(_END_S)
        return _problem(process.stdout.read() if process.stdout else "", code)
    except subprocess.TimeoutExpired:
        return f"the run was not closed within {_END_S:.0f} s; it is whole when its folder open/ is gone"
    finally:
        if process.stdout:
            process.stdout.close()


def _problem(line: str, code: int) -> str:
    """What the helper's last line says; one that died says nothing."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(json.loads(line)["problem"])
    how = f"was killed by signal {-code}" if code < 0 else f"died (exit {code})"
    return f"the helper process {how}; the run holds what was measured until then" if code else ""


class _Stdin:
    """What the program says at its end; that it is gone is an answer too."""

    def __init__(self, wait_s: float = 0.2) -> None:
        self.wait_s = wait_s

    def __call__(self) -> str | None:
        ready, _, _ = select.select([sys.stdin], [], [], self.wait_s)
        if not ready:
            return None
        line = sys.stdin.readline()
        try:
            return str(json.loads(line)["over"])
        except (ValueError, KeyError, TypeError):
            return "the program ended before monitor() did"


def _keep(settings: dict[str, Any]) -> None:
    """The helper: begin a run, listen until it is over, close it."""
    from assay import store
    from assay.api.measuring import Housekeeping
    from assay.measure import command
    from assay.measure.inventory import detect
    from assay.measure.inventory.capture import capture
    from assay.measure.inventory.interpreter import look
    from assay.telemetry.watching import Sampler

    machine = detect.host()
    task = command.Task(name=settings["name"], command=tuple(settings["command"]), environment=os.environ)
    captured = capture(
        machine, look(settings["python"]), cwd=Path(settings["cwd"]), environ=os.environ, command=task.command
    )  # fmt: skip
    with store.begin(command.opening(task, captured.environment), settings["out"]) as record:
        began_s = time.monotonic()
        with Sampler(
            record.folder / "open", began_s, period_s=settings["period_s"], vendors=settings["vendors"]
        ) as sampler:
            sys.stdout.write(json.dumps({"folder": str(record.folder)}) + "\n")
            sys.stdout.flush()
            ended = command.attend(
                record, began_s, settings["pid"], _Stdin(), each_s=Housekeeping(record, sampler)
            )  # fmt: skip
        run = command.finished(task, record.head, ended, machine.cpu.usable_threads)
        run = replace(run, warnings=(*run.warnings, *sampler.warnings))
        record.compact(all=True)
        record.close(run)


def main() -> None:
    """The helper process."""
    import signal

    from assay.errors import AssayError

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program; its end is told by its pipe
    try:
        _keep(json.loads(sys.argv[1]))
    except AssayError as error:
        sys.stdout.write(json.dumps({"problem": str(error)}) + "\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
