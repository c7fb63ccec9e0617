"""Workloads that come with Assay: what there is, and each as a task that runs in the user's own interpreter."""

from __future__ import annotations

import ast
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from assay.errors import InputError, MeasureError, did_you_mean
from assay.machine import Interpreter, Machine
from assay.measure.command import Task

FOLDER = Path(__file__).with_name("workloads")
ENGINE = FOLDER / "engine.py"

_SETUP_S = 90.0  # an interpreter and PyTorch from a cold disk, before the first sample
_MOST_S = 7 * 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One built-in workload, as its file's top says: nothing of it is imported here."""

    name: str
    title: str
    budget_s: tuple[float, float]  # in full, and with `quick`
    options: Mapping[str, tuple[str, str]]  # name -> (default, what it is)


@cache
def workloads() -> Mapping[str, Workload]:
    """Every built-in workload by name; read as text, since the files belong to another interpreter."""
    found = (_read(path) for path in sorted(FOLDER.glob("*.py")))
    return {w.name: w for w in found if w is not None}


def _read(path: Path) -> Workload | None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    told: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            target: ast.expr = node.targets[0]
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            target = node.target
        else:
            continue
        if isinstance(target, ast.Name) and target.id in ("BUDGET_S", "OPTIONS"):
            told[target.id] = ast.literal_eval(node.value)  # type: ignore[arg-type]
    if "BUDGET_S" not in told:
        return None
    title = (ast.get_docstring(tree) or "").partition("\n")[0]
    return Workload(
        name=path.stem.replace("_", "-"), title=title, budget_s=told["BUDGET_S"], options=told.get("OPTIONS", {})
    )


def workload(name: str) -> Workload:
    """The workload of a name, or the nearest there is."""
    known = workloads()
    if name not in known:
        hint = (
            did_you_mean(name, known)
            or f"workloads: {', '.join(known)}; for a command of yours: assay measure -- {name}"
        )
        raise InputError(f'"{name}" is not a workload', hint=hint)
    return known[name]


def task(
    name: str, interpreter: Interpreter, machine: Machine, *, budget_s: float | None = None, quick: bool = False,
    cases: Sequence[str] = (), folder: Path | str | None = None, options: Mapping[str, str] | None = None,
    device: str = "auto", ranks: int = 1, timeout_s: float | None = None, done: Sequence[str] = (),
    limit_memory: bool = False,
) -> Task:  # fmt: skip
    """A built-in workload as a task.

    `done` are cases that need not be measured again (of a run that is resumed); `limit_memory` lets it run out of
    memory by itself before the whole machine does.
    """
    known = workload(name)
    if interpreter.problem:
        raise MeasureError(f"this interpreter does not work: {interpreter.problem}", where=interpreter.path)
    budget = _budget(known, budget_s, quick)
    where = Path(folder or ".").resolve() if folder or name == "storage" else None
    if where is not None and not os.access(where, os.W_OK | os.X_OK):
        raise InputError("cannot be written to", where=str(where), hint="name a folder of your own with --folder")
    given = _checked(known, options or {})
    cpu = machine.cpu
    settings = {
        "budget_s": budget, "quick": quick, "cases": list(cases), "threads": cpu.usable_threads,
        "last_cache_bytes": cpu.last_cache_bytes, "folder": str(where) if where else None, "device": device,
        "options": given, "done": list(done),
    }  # fmt: skip
    if ranks > 1 and any(f.name == "torch" and f.status == "absent" for f in interpreter.frameworks):
        hint = f"{interpreter.path} -m pip install torch, or name an interpreter that has it with --python"
        raise InputError("several ranks need PyTorch, which this interpreter lacks", where=interpreter.path, hint=hint)
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)) if ranks > 1 else ()
    shown = {
        "budget_s": f"{budget}", "quick": "yes" if quick else "no", "cases": "\n".join(cases) or "all",
        "threads": f"{cpu.usable_threads}", "device": device, "ranks": f"{ranks}",
        **({"folder": str(where)} if where else {}), **given,
    }  # fmt: skip
    command = (interpreter.path, *launcher, str(ENGINE), name, json.dumps(settings))
    return Task(
        name=name, command=(*_limited(machine), *command) if limit_memory else command,
        environment=_environment(machine), settings=shown, workload=True,
        timeout_s=timeout_s if timeout_s is not None else _longest(budget, given),
    )  # fmt: skip


def typed(command: Sequence[str]) -> tuple[str, ...]:
    """A kept command as a person types it: that of a built-in workload in `assay measure`'s words, any other as it is.

    >>> typed(["python3", "/x/workloads/engine.py", "gemm", '{"quick": true, "cases": [], "options": {"peak": "off"}}'])
    ('assay', 'measure', 'gemm', '--quick', '--set', 'peak=off')
    """
    if len(command) < 4 or Path(command[-3]).parts[-2:] != ENGINE.parts[-2:]:
        return tuple(command)
    try:
        told = json.loads(command[-1])
        words = ["assay", "measure", command[-2]]
        words += ["--quick"] if told.get("quick") else []
        words += [word for case in told.get("cases", ()) for word in ("--cases", str(case))]
        words += ["--device", told["device"]] if told.get("device", "auto") != "auto" else []
        return (*words, *(word for key, value in told["options"].items() for word in ("--set", f"{key}={value}")))
    except (ValueError, KeyError, TypeError, AttributeError):
        return tuple(command)


def _limited(machine: Machine) -> tuple[str, ...]:
    """A Python that limits itself to the memory there is, and then becomes the command."""
    limit = int(min(machine.memory_bytes, machine.memory_limit_bytes or machine.memory_bytes))
    code = (
        "import os, resource, sys; n = int(sys.argv[1]); resource.setrlimit(resource.RLIMIT_AS, (n, n)); "
        "os.execv(sys.argv[2], sys.argv[2:])"
    )
    return (sys.executable, "-c", code, str(limit))


# Options by which a workload goes on for as long as it is told: in seconds, or until so much is done.
_TIMES = {"duration_s": 1.0, "minutes": 60.0, "hours": 3600.0}
_AMOUNTS = frozenset({"requests", "steps", "arrival", "prompts"})


def _longest(budget_s: float, options: Mapping[str, str]) -> float | None:
    """How long a workload may take at most; None where its own options say how much it has to do."""
    if _AMOUNTS & options.keys():
        return None
    try:
        told = sum(_TIMES[key] * float(value) for key, value in options.items() if key in _TIMES and value)
    except ValueError:  # the workload itself says what is wrong with it
        told = 0.0
    return 2 * max(budget_s, told) + _SETUP_S


def _budget(known: Workload, budget_s: float | None, quick: bool) -> float:
    budget = known.budget_s[quick] if budget_s is None else budget_s
    if not 0 < budget <= _MOST_S:
        raise InputError(f"a budget of {budget} s is not possible", where="--budget", hint="write seconds, such as 20")
    return float(budget)


def _checked(known: Workload, options: Mapping[str, str]) -> dict[str, str]:
    for key in options:
        if key not in known.options:
            listed = ", ".join(known.options) or "it has none"
            hint = did_you_mean(key, known.options) or f"options of {known.name}: {listed}"
            raise InputError(f'"{key}" is not an option of {known.name}', where="--set", hint=hint)
    return dict(options)


def _environment(machine: Machine) -> dict[str, str]:
    """Ours; where a container's quota is below what is visible, thread pools are told, or they would be throttled."""
    cpu = machine.cpu
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    told = dict.fromkeys(names, str(cpu.usable_threads)) if cpu.usable_threads < cpu.threads else {}
    return {**told, **os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
