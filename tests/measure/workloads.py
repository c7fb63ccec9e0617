"""Runs the engine as a user's interpreter does, and hands back what it said; and a kit that has what it is given."""

import fnmatch
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import assay
from assay.measure.workloads import engine

FOLDER = Path(assay.__file__).parent / "measure" / "workloads"
ENGINE = FOLDER / "engine.py"
TORCH = os.environ.get("ASSAY_TORCH_PYTHON", "")
needs_torch = pytest.mark.skipif(not TORCH, reason="set ASSAY_TORCH_PYTHON to an interpreter with PyTorch")


def start(name, settings, *, command=(sys.executable, str(ENGINE)), **environment):
    """The process when it has ended."""
    env = {key: value for key, value in os.environ.items() if key != "ASSAY_EMIT"} | environment
    told = [*command, name, json.dumps({"budget_s": 0.2, "quick": True, "threads": 2, **settings})]
    return subprocess.run(told, capture_output=True, text=True, check=False, env=env, timeout=240)


def lines(name, settings, **options):
    """What it said, line by line."""
    done = start(name, settings, **options)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def refused(name, settings, **options):
    """Why it would not begin."""
    done = start(name, settings, **options)
    assert done.returncode == 64
    assert "Traceback" not in done.stderr
    return done.stderr


def events(said, kind):
    return [line for line in said if line.get("event") == kind]


def cases(said):
    return {line["case"]["name"]: line["case"] for line in events(said, "begin")}


def times(said, case):
    """The samples of a case that count."""
    return [line["time_s"] for line in said if line.get("case") == case and "time_s" in line and not line.get("warmup")]


def kit(**given):
    """A kit without a process of its own; what it was told to say is in `said`."""
    said = []
    made = SimpleNamespace(
        settings={}, options={}, numpy=None, torch=None, place="cpu", on_host=True, rank=0, ranks=1, threads=1,
        devices=list, said=said, emit=lambda **line: said.append(line), warn=lambda text: said.append({"text": text}),
        beside=lambda name: engine.load(FOLDER / f"{name}.py"), oom=lambda error: isinstance(error, MemoryError),
    )  # fmt: skip
    vars(made).update(given)
    globs = made.settings.get("cases") or ["*"]
    done = made.settings.get("done") or []
    made.wanted = lambda name: name not in done and any(fnmatch.fnmatchcase(name, glob) for glob in globs)
    return made
