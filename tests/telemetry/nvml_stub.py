"""Compiles the stand-in for NVIDIA's library, and runs what uses it in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

SOURCE = Path(__file__).parents[1] / "stubs" / "nvml" / "nvml.c"
# Prints a raw answer and its readings for so many ticks.
TICKS = """
import json, sys, time
from assay.telemetry.vendors import nvidia
answers = nvidia.read(())
for tick in range(int(sys.argv[1])):
    raw = next(answers)
    print(json.dumps([raw, list(nvidia.normalise(raw))]), flush=True)
    time.sleep(float(sys.argv[2]))
answers.close()
"""


@cache
def folder() -> Path:
    """A folder with libnvidia-ml.so.1 in it; the test is skipped where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler here to build the NVML stub with")
    built = Path(mkdtemp(prefix="assay-nvml-"))
    command = [compiler, "-shared", "-fPIC", "-o", str(built / "libnvidia-ml.so.1"), str(SOURCE)]
    subprocess.run(command, check=True, capture_output=True)
    return built


def environment(does: str = "") -> dict[str, str]:
    """The environment of a machine whose NVML does this (words: see nvml.c)."""
    return {**os.environ, "LD_LIBRARY_PATH": str(folder()), "STUB_NVML": does}


def run(code: str, does: str = "", *arguments: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
    """A Python program on such a machine."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command, env=environment(does), capture_output=True, text=True, timeout=timeout_s, check=False
    )


def ticks(does: str, count: int = 2, pause_s: float = 0.01) -> list[tuple[dict, dict]]:
    """Raw answers, each with its readings as {(device, metric): (value, quality)}."""
    done = run(TICKS, does, str(count), str(pause_s))
    assert done.returncode == 0, done.stderr
    told = (json.loads(line) for line in done.stdout.splitlines())
    return [(raw, {(of, metric): (value, quality) for of, metric, value, quality in found}) for raw, found in told]
