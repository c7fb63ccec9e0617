"""What a Python interpreter can do for a workload, asked in a process of its own: it may hang or crash, we may not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from assay.errors import InputError
from assay.machine import Framework, Interpreter

SCRIPT = Path(__file__).with_name("frameworks.py")
NAMES = ("torch", "jax", "tensorflow")
TIMEOUT_S = 60.0
_MOST_BYTES, _LAST_BYTES = 1 << 26, 1 << 20

# What keeps the libraries that are asked quiet and off the network.
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TPU_SKIP_MDS_QUERY": "1", "HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def find(python: str | None) -> str:
    """The path of an interpreter given by path or by name; this one where none is given."""
    if python is None:
        return sys.executable
    found = shutil.which(str(python)) if python else None
    if found is None:
        raise InputError(
            f'there is no interpreter "{python}"', where="--python", hint="give a path, such as /usr/bin/python3"
        )
    return found


def interpreters(python: str | None, timeout_s: float = TIMEOUT_S) -> tuple[Interpreter, ...]:
    """The interpreter that was named, or this one and the first `python3` on the path, each with its frameworks."""
    paths = [find(python)] if python else [sys.executable, *filter(None, [shutil.which("python3")])]
    seen: dict[str, Interpreter] = {}
    for path in paths:
        found = look(path, timeout_s)
        seen.setdefault(found.prefix or found.path, found)
    return tuple(with_frameworks(found, timeout_s) for found in seen.values())


def look(path: str, timeout_s: float = TIMEOUT_S) -> Interpreter:
    """Version, NumPy and BLAS of one interpreter; a framework is named with its version, but not imported."""
    answer, problem = ask(path, (), timeout_s)
    if answer is None:
        return Interpreter(path=path, problem=problem)
    installed = _table(answer.get("found"))
    frameworks = tuple(
        Framework(name=name, status="works" if name in installed else "absent", version=_text(installed.get(name)))
        for name in NAMES
    )
    loaded = ", ".join(str(name) for name in answer.get("loaded") or ())
    blas = " via ".join(part for part in (_text(answer.get("blas")), loaded) if part)
    return Interpreter(
        path=path,
        version=_text(answer.get("version")),
        prefix=str(answer.get("prefix", "")),
        numpy=_text(answer.get("numpy")),
        blas=blas or None,
        frameworks=frameworks,
    )


def with_frameworks(interpreter: Interpreter, timeout_s: float = TIMEOUT_S) -> Interpreter:
    """The same interpreter, with each installed framework imported and asked for its devices."""
    asked = tuple(
        f if f.status == "absent" else _framework(interpreter.path, f, timeout_s) for f in interpreter.frameworks
    )
    return replace(interpreter, frameworks=asked)


def _framework(path: str, listed: Framework, timeout_s: float) -> Framework:
    answer, problem = ask(path, (listed.name,), timeout_s)
    if answer is None:
        hung = problem.startswith("no answer")
        return Framework(name=listed.name, status="hangs" if hung else "fails", version=listed.version, detail=problem)
    return Framework(
        name=listed.name,
        status="works",
        version=_text(answer.get("version")) or listed.version,
        build=_text(answer.get("build")),
        devices=tuple(str(d) for d in answer.get("devices") or ()),
    )


def ask(path: str, args: tuple[str, ...], timeout_s: float) -> tuple[dict[str, Any] | None, str]:
    """The script's answer, or None and why there is none. What it says may be anything, and without end."""
    try:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            done = subprocess.run(
                [path, str(SCRIPT), *args], stdin=subprocess.DEVNULL, stdout=out, stderr=errors, timeout=timeout_s,
                env={**os.environ, **QUIET}, preexec_fn=_say_little, check=False,
            )  # fmt: skip
            said, complaint = _end_of(out), _end_of(errors)
    except subprocess.TimeoutExpired:
        return None, f"no answer within {timeout_s:g} s"
    except OSError as error:
        return None, f"cannot be started: {error.strerror}"
    if done.returncode:
        return None, f"exit {done.returncode}: {last_line(complaint)}"
    try:
        answer = json.loads(said.decode(errors="replace").strip().rpartition("\n")[2])
    except ValueError:
        answer = None
    return (answer, "") if isinstance(answer, dict) else (None, "its answer was not understood")


def _say_little() -> None:
    """In the new process: it is killed where it writes more into one file than any answer is long."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_BYTES, _MOST_BYTES))


def _end_of(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()[-_LAST_BYTES:]


def last_line(output: bytes) -> str:
    """The last thing a process said, which is where Python puts the reason."""
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1].strip()[:300] if lines else "it said nothing"


def _table(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
