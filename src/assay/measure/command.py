"""Runs a probe in an interpreter, follows what it says, and makes a Run of it: raw samples, surroundings, doubts."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assay.errors import InputError, MeasureError, did_you_mean
from assay.hardware import DTYPES
from assay.machine import Interpreter, Machine
from assay.measure import environment as surroundings
from assay.measure.child import Child
from assay.measure.detect import host
from assay.measure.interpreter import find, look
from assay.measure.steady import steady
from assay.run import Case, Run, Sample

ENGINE = Path(__file__).with_name("probes") / "engine.py"

# Probe -> seconds it is given, in full and with `quick`; together about 40 s, or 10.
PROBES = {"matmul": (20.0, 5.0), "memory": (9.0, 2.5), "storage": (7.0, 2.0), "dispatch": (3.0, 0.5)}

_SETUP_S = 90.0  # an interpreter and PyTorch from a cold disk, before the first sample
_MOST_S = 86400.0


def measure(
    probe: str,
    *,
    python: str | None = None,
    budget_s: float | None = None,
    cases: Sequence[str] | None = None,
    quick: bool = False,
    folder: Path | str | None = None,
    progress: Callable[[str], None] | None = None,
    timeout_s: float | None = None,
) -> Run:
    """Run one probe for about `budget_s` seconds and return everything it read.

    `python` names the interpreter to measure in, `cases` keeps the cases that match one of these globs, `folder` is
    where the storage probe writes. When it is interrupted, hangs or dies after the first samples, the Run holds what
    there is, with `partial` and the reason in `stopped`; before that, MeasureError or KeyboardInterrupt is raised.
    """
    budget = _budget(probe, budget_s, quick)
    path = find(python)
    where = Path(folder or ".").resolve()
    if probe == "storage" and not os.access(where, os.W_OK | os.X_OK):
        raise InputError("cannot be written to", where=str(where), hint="name a folder of your own with --folder")
    interpreter = look(path)
    if interpreter.problem:
        raise MeasureError(f"this interpreter does not work: {interpreter.problem}", where=path)
    machine = host()
    settings = _settings(machine, budget, quick, cases, where if probe == "storage" else None)
    command = (path, str(ENGINE), probe, json.dumps(settings))
    started, before = datetime.now(UTC), surroundings.snapshot()
    heard = _Heard(progress or (lambda _: None), started.timestamp())
    limit = timeout_s if timeout_s is not None else 2 * budget + _SETUP_S
    with Child(command, _environment(machine), limit) as child:
        try:
            for line in child.lines():
                heard.take(line)
        except KeyboardInterrupt:
            child.stopped = "interrupted"
        stopped = child.stopped
    after = surroundings.snapshot()
    if not heard.samples:
        _nothing(stopped, heard, path)
    told = surroundings.describe(before, after, machine.cpu.usable_threads)
    judged = [steady(case, heard.of(case.name)) for case in heard.cases.values() if heard.of(case.name)]
    return Run(
        id="",
        name=probe,
        command=command,
        started=started.isoformat(timespec="seconds"),
        duration_s=round(after.at_s - before.at_s, 3),
        environment={**_facts(machine, interpreter), **told},
        settings=_shown(settings),
        cases=tuple(case for case, _ in judged),
        samples=tuple(sample for _, samples in judged for sample in samples),
        events=tuple(heard.events),
        warnings=_warnings(heard, [case.name for case, _ in judged if not case.steady], told, machine),
        partial=bool(stopped),
        stopped=stopped,
        log=tuple(heard.log),
    )


def _warnings(heard: _Heard, unsettled: list[str], told: Mapping[str, object], machine: Machine) -> tuple[str, ...]:
    return (
        *heard.warnings,
        *_named("too little time for", heard.short, "raise --budget"),
        *surroundings.warnings(told, machine.cpu.usable_threads),
        *_named("never settled, so not to be trusted:", unsettled),
    )


@dataclass
class _Heard:
    """What the probe has said so far; the door where its lines become nouns."""

    progress: Callable[[str], None]
    began_s: float
    cases: dict[str, Case] = field(default_factory=dict)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    short: list[str] = field(default_factory=list)  # cases for which there was too little time
    log: list[str] = field(default_factory=list)
    counter: str = ""

    def of(self, case: str) -> list[Sample]:
        return self.samples.get(case, [])

    def take(self, line: str) -> None:
        """One line; what is not ours is kept in the log and otherwise passed over."""
        self.log.append(line)
        try:
            said = json.loads(line, parse_constant=_refuse)
            {"begin": self._begin, "end": self._end, "skip": self._skip, "warning": self._warning,
             "sample": self._sample}[said.get("event", "sample")](said)  # fmt: skip
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self.events.append(f"line not understood ({error}): {line[:120]}")

    def _begin(self, said: dict[str, Any]) -> None:
        case = _case(said["case"])
        self.cases[case.name] = case
        self.counter = f"[{int(said['number'])}/{int(said['of'])}]"

    def _sample(self, said: dict[str, Any]) -> None:
        value = float(said["value"])
        if said["case"] not in self.cases or not math.isfinite(value) or value <= 0:
            raise ValueError("no such case, or not a time")
        sample = Sample(
            case=said["case"],
            metric=str(said["metric"]),
            value=value,
            index=int(said["index"]),
            warmup=bool(said.get("warmup", False)),
            at_s=round(float(said["at"]) - self.began_s, 6),
        )
        self.samples.setdefault(sample.case, []).append(sample)

    def _end(self, said: dict[str, Any]) -> None:
        from assay.stats import median
        from assay.units import show

        taken = [s.value for s in self.of(said["case"]) if not s.warmup]
        self.progress(f"{self.counter} {said['case']}: {show(median(taken), 's')}, {len(taken)} samples")

    def _skip(self, said: dict[str, Any]) -> None:
        text = f"{said['case']}: {'cut short' if self.of(said['case']) else 'left out'}: {said['why']}"
        (self.short if said.get("for_time") else self.warnings).append(text)
        self.progress(f"{self.counter} {text}")

    def _warning(self, said: dict[str, Any]) -> None:
        self.warnings.append(str(said["text"]))
        self.progress(f"Warning: {said['text']}")


def _case(told: Mapping[str, Any]) -> Case:
    dtype = str(told.get("dtype") or "")
    if dtype and dtype not in DTYPES:
        raise ValueError(f"dtype {dtype}")
    return Case(
        name=str(told["name"]),
        kind=str(told["kind"]),
        dtype=dtype,
        flop=None if told.get("flop") is None else float(told["flop"]),
        size_bytes=None if told.get("bytes") is None else float(told["bytes"]),
        shape=tuple(int(n) for n in told.get("shape") or ()),
        library=str(told.get("library") or ""),
        device=str(told.get("device") or "cpu"),
        threads=None if told.get("threads") is None else int(told["threads"]),
        note=str(told.get("note") or ""),
    )


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _budget(probe: str, budget_s: float | None, quick: bool) -> float:
    if probe not in PROBES:
        hint = did_you_mean(probe, PROBES) or f"probes: {', '.join(PROBES)}"
        raise InputError(f'"{probe}" is not a probe', hint=hint)
    budget = PROBES[probe][quick] if budget_s is None else budget_s
    if not 0 < budget <= _MOST_S:
        raise InputError(f"a budget of {budget} s is not possible", where="--budget", hint="write seconds, such as 20")
    return budget


def _settings(
    machine: Machine, budget: float, quick: bool, cases: Sequence[str] | None, folder: Path | None
) -> dict[str, Any]:
    return {
        "budget_s": budget,
        "quick": quick,
        "cases": list(cases or ()),
        "threads": machine.cpu.usable_threads,
        "last_cache_bytes": machine.cpu.last_cache_bytes,
        "folder": str(folder) if folder else None,
    }


def _shown(settings: Mapping[str, Any]) -> dict[str, str]:
    words = {"quick": "yes" if settings["quick"] else "no", "cases": " ".join(settings["cases"]) or "all"}
    rest = {key: f"{settings[key]}" for key in ("budget_s", "threads", "folder") if settings[key] is not None}
    return words | rest


def _environment(machine: Machine) -> dict[str, str]:
    """Ours; where a container's quota is below what is visible, thread pools are told, or they would be throttled."""
    cpu = machine.cpu
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    told = dict.fromkeys(names, str(cpu.usable_threads)) if cpu.usable_threads < cpu.threads else {}
    return {**told, **os.environ, "PYTHONDONTWRITEBYTECODE": "1"}


def _facts(machine: Machine, interpreter: Interpreter) -> dict[str, object]:
    """What a later comparison needs to know of the machine and its software, flat and plain."""
    cpu = machine.cpu
    libraries = {f.name: f.version for f in interpreter.frameworks if f.status != "absent"}
    return {
        "cpu": cpu.model,
        "architecture": cpu.architecture,
        "cores": cpu.cores,
        "threads": cpu.threads,
        "usable_threads": cpu.usable_threads,
        "isa": list(cpu.isa),
        "last_cache_bytes": cpu.last_cache_bytes,
        "memory_bytes": machine.memory_bytes,
        "numa_nodes": len(machine.numa_bytes) or None,
        "devices": [f"{d.name} ({d.driver or 'no driver seen'})" for d in machine.devices],
        "system": machine.system,
        "kernel": machine.kernel,
        "hypervisor": machine.hypervisor,
        "container": machine.container,
        "python": interpreter.version,
        "numpy": interpreter.numpy,
        "blas": interpreter.blas,
        **{name: version or "unknown version" for name, version in libraries.items()},
        "thread_settings": {
            k: v for k, v in sorted(os.environ.items()) if re.fullmatch(r"\w+_NUM_THREADS|KMP_AFFINITY", k)
        },
    }


def _named(what: str, cases: Sequence[str], hint: str = "") -> tuple[str, ...]:
    """One warning for many cases: the first three by name."""
    more = f" and {len(cases) - 3} more" if len(cases) > 3 else ""
    names = ", ".join(case.partition(": ")[0] for case in cases[:3])
    return (f"{what} {names}{more}{f'; {hint}' if hint else ''}",) if cases else ()


def _nothing(stopped: str, heard: _Heard, path: str) -> None:
    """Nothing was read: there is no run to keep, only a reason to give."""
    if stopped == "interrupted":
        raise KeyboardInterrupt
    if not stopped and not heard.cases:
        raise InputError(
            "no case matches", where="--cases", hint="a glob such as 'numpy fp32 *'; without it all are measured"
        )
    reason = stopped or "; ".join([*heard.short[:1], *heard.warnings[:2]])
    raise MeasureError(f"nothing was measured: {reason}", where=path, hint="see assay doctor, or raise --budget")
