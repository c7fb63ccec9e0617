"""What the README tells people to type works as it stands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHELL = re.findall(r"```sh\n(.*?)```", README, flags=re.S)
PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.S)


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    bin_ = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # the README's `python` is the user's own
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PATH": bin_}
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False, env=environment
    )


def test_there_are_eight_worked_examples() -> None:
    assert len(SHELL) == 8
    assert len(PYTHON) == 1


@pytest.mark.parametrize("block", SHELL, ids=lambda block: " ".join(block.split()[1:3]))
def test_every_command_runs_and_says_something(block: str, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for line in block.strip().splitlines():
        words = shlex.split(line)
        assert words[0] == "assay"
        done = run([sys.executable, "-c", "from assay.cli.main import main; main()", *words[1:]], tmp_path)
        assert done.returncode in ((0, 3) if words[1] == "gate" else (0,)), f"{line}\n{done.stdout}\n{done.stderr}"
        assert done.stdout.strip(), line
        assert "Next: " in done.stderr, line


def test_the_python_example_runs(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    done = run([sys.executable, "-c", PYTHON[0]], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "tp=" in done.stdout or "dp=" in done.stdout


def test_every_link_in_the_readme_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
