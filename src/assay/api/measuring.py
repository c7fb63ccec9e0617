"""Measuring: any command or built-in workload under the sampler, kept as a run that survives whatever happens."""

from __future__ import annotations

import math
import os
import shlex
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from assay import store
from assay.errors import AssayError, InputError
from assay.machine import Interpreter, Machine
from assay.measure import command, interrupts, workload
from assay.measure.inventory import detect
from assay.measure.inventory.capture import capture
from assay.measure.inventory.discretion import arguments
from assay.measure.inventory.interpreter import find, look
from assay.measure.listen import Listener
from assay.measure.lock import alone
from assay.run import Event, Run
from assay.series import Sample
from assay.telemetry import plugins
from assay.telemetry.watching import PERIOD_S, Sampler

Progress = Callable[[str], None]

_HOUR_S = 3600.0


def doctor(python: str | None = None) -> Machine:
    """What this machine is: processor, memory, accelerators, and the frameworks that can use them."""
    return detect.machine(python)


def measure(
    what: str | Sequence[str], *, python: str | None = None, budget_s: float | None = None, quick: bool = False,
    cases: Sequence[str] = (), folder: Path | str | None = None, options: Mapping[str, str] | None = None,
    device: str = "auto", ranks: int = 1, timeout_s: float | None = None, cwd: Path | str | None = None,
    formats: Sequence[str] | None = None, pattern: str | None = None, results: Sequence[Path | str] = (),
    period_s: float = PERIOD_S, vendors: Sequence[str] | None = None, resume: Path | str | None = None,
    together: bool = False, limit_memory: bool = False, out: Path | str = "runs", progress: Progress | None = None,
    tee: bool = False, name: str = "",
) -> Run:  # fmt: skip
    """Run a built-in workload (by name) or a command (a list of words) and keep all it says and all sensors say.

    The run lies under `out`, in the folder that `store.find(run.id)` names. `vendors` says whose sensors are read (all
    that are here; `()` for none), `period_s` how often. `resume` is a partial run of the same workload: its finished
    cases are taken over. Raises MeasureError where nothing could be measured; what was measured before is kept.
    """
    _possible(timeout_s, period_s)
    store.prepare(out)
    for vendor in vendors or ():
        plugins.load(vendor)
    machine, tell = detect.host(), _telling(progress)
    before = _partial(resume, what) if resume is not None else None
    if before is not None:
        quick, cases, device, ranks, options = _again(before)
    if isinstance(what, str):
        here = look(find(python))
        interpreter: Interpreter | None = here
        task = workload.task(
            what, here, machine, budget_s=budget_s, quick=quick, cases=cases, folder=folder, options=options,
            device=device, ranks=ranks, timeout_s=timeout_s, done=_done(before) if before else (),
            limit_memory=limit_memory,
        )  # fmt: skip
        listen = None
    else:
        interpreter = _interpreter_of(what)
        task = plain_task(what, timeout_s=timeout_s, cwd=cwd, name=name, results=results)
        listen = Listener(task.command, formats, pattern)
    captured = capture(
        machine, interpreter, cwd=task.cwd or Path.cwd(), environ=task.environment, command=task.command
    )  # fmt: skip
    with ExitStack() as stack:
        stack.enter_context(interrupts.heeded_once())
        other = stack.enter_context(alone(f"assay measure {task.name}", together=together))
        record = stack.enter_context(store.begin(command.opening(task, captured.environment), out))
        began_s = time.monotonic()
        try:
            if before:
                _take_over(record, before)
            with Sampler(record.folder / "open", began_s, period_s=period_s, vendors=vendors) as sampler:
                ended = command.follow(
                    _with_marks(task, record.emit_folder), record, began_s, listen=listen, tell=tell, tee=tee,
                    each_s=Housekeeping(record, sampler),
                )  # fmt: skip
            run = command.finished(task, record.head, ended, machine.cpu.usable_threads)
            run = replace(run, warnings=(*run.warnings, *sampler.warnings))
        except (AssayError, KeyboardInterrupt):
            if not record.sampled:  # nothing was measured: there is nothing to keep
                shutil.rmtree(record.folder, ignore_errors=True)
            raise
        record.compact(all=True)
        return store.load(record.close(_completed(run, before, other)))


def _possible(timeout_s: float | None, period_s: float) -> None:
    """Refuse, before anything runs, what cannot be meant."""
    if timeout_s is not None and not timeout_s > 0:  # NaN is not above 0 either
        hint = "write seconds, such as 600; without it the command may take as long as it likes"
        raise InputError(f"{timeout_s:g} s is no time to run", where="--timeout", hint=hint)
    if not 0 < period_s < math.inf:
        raise InputError(
            f"a period of {period_s:g} s is not possible", where="--period", hint="write seconds, such as 1"
        )
    try:
        Path.cwd()
    except FileNotFoundError:
        what = "the working directory was deleted"
        raise InputError(what, where="cwd", hint="cd to a folder that exists, and run this again") from None


def _telling(progress: Progress | None) -> Progress:
    """Progress as far as anybody can see it: a terminal that was closed must not cost the run."""

    def tell(text: str) -> None:
        if progress is not None:
            with suppress(OSError):
                progress(text)

    return tell


class Housekeeping:
    """Once a second while a command runs: the sampler is kept alive, and an hour that is over becomes columns."""

    def __init__(self, record: store.Recorder, sampler: Sampler) -> None:
        self.record, self.sampler = record, sampler
        self.due_s = time.monotonic() + _HOUR_S

    def __call__(self, process: int) -> None:
        """About once a second."""
        self.sampler.keep(process)
        if time.monotonic() > self.due_s:
            self.due_s += _HOUR_S
            self.record.compact()


def plain_task(
    argv: Sequence[str],
    *,
    timeout_s: float | None = None,
    cwd: Path | str | None = None,
    name: str = "",
    results: Sequence[Path | str] = (),
) -> command.Task:
    """Any command as a task."""
    if not argv:
        raise InputError("there is no command", hint="write it after --, such as: assay measure -- python train.py")
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}  # or nothing is heard until its buffer is full
    return command.Task(
        name=name or name_of(argv), command=tuple(argv), environment=environment, timeout_s=timeout_s,
        cwd=None if cwd is None else Path(cwd), settings={"command": shlex.join(arguments(argv))},
        results=tuple(Path(path) for path in results),
    )  # fmt: skip


def name_of(argv: Sequence[str]) -> str:
    """What a command is called for short: the script or module of a Python, else the program.

    >>> name_of(["/usr/bin/python3", "-u", "jobs/train.py", "--lr", "1"]), name_of(["torchrun", "train.py"])
    ('train', 'torchrun')
    """
    program = Path(argv[0]).name
    if program.startswith("python"):
        words = iter(argv[1:])
        for word in words:
            if word == "-m":
                return next(words, program).rpartition(".")[2]
            if not word.startswith("-"):
                return Path(word).stem
    return program


def _with_marks(task: command.Task, folder: Path) -> command.Task:
    return replace(task, environment={**task.environment, "ASSAY_EMIT": str(folder.resolve())})


def _interpreter_of(argv: Sequence[str]) -> Interpreter | None:
    """The Python that a command runs, where it is one."""
    path = shutil.which(argv[0]) if argv else None
    if path is None or not Path(path).name.startswith("python"):
        return None
    found = look(path)
    return None if found.problem else found


def _partial(path: Path | str, what: str | Sequence[str]) -> Run:
    run = store.load(store.find(path))
    if "command" in run.settings:
        hint = f"measure it again: assay measure -- {run.settings['command']}"
        raise InputError("a run of a command cannot be resumed: only it knows where it was", where=str(path), hint=hint)
    if not run.partial:
        raise InputError("this run is whole", where=str(path), hint="there is nothing to go on with; measure again")
    if run.name != what:
        hint = f"assay measure {run.name} --resume {path}"
        raise InputError(f"this is a run of {run.name}", where=str(path), hint=hint)
    return run


def _again(run: Run) -> tuple[bool, tuple[str, ...], str, int, dict[str, str]]:
    """What the run that is resumed was asked to do: the same is asked again."""
    told = run.settings
    options = {key: told[key] for key in workload.workload(run.name).options if key in told}
    cases = () if told["cases"] == "all" else tuple(told["cases"].split("\n"))
    return told["quick"] == "yes", cases, told["device"], int(told["ranks"]), options


def _done(run: Run) -> tuple[str, ...]:
    return tuple(dict.fromkeys(e.of for e in run.events if e.kind == "done"))


def _take_over(record: store.Recorder, before: Run) -> None:
    """The finished cases of a run that is resumed; their times lie before this run's zero."""
    ago_s = (datetime.fromisoformat(record.head.started) - datetime.fromisoformat(before.started)).total_seconds()
    done = set(_done(before))
    for case in (c for c in before.cases if c.name in done):
        record.say("case", case)
    record.sample(
        Sample(s.case, s.metric, s.value, s.index, s.at_s - ago_s, s.warmup, s.rank)
        for s in before.samples if s.case in done
    )  # fmt: skip


def _completed(run: Run, before: Run | None, other: str) -> Run:
    if other:
        text = f"contended: measured together with {other}"
        run = replace(run, warnings=(*run.warnings, text), environment={**run.environment, "contended": True})
    if before is None:
        return run
    done = set(_done(before))
    kept = tuple(c for c in before.cases if c.name in done)
    new = tuple(c for c in run.cases if c.name not in done)
    event = Event(at_s=0.0, kind="resumed", text=f"{len(kept)} cases were measured in run {before.id}", of=before.id)
    finished = (Event(at_s=0.0, kind="done", text="", of=c.name) for c in kept)
    return replace(run, cases=(*kept, *new), events=(event, *finished, *run.events))
