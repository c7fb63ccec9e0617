"""A program that measures itself: what is in its folder does not matter, and what went wrong at the end is said."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from assay import marks, store
from assay.api import monitoring
from assay.api.measuring import measure
from assay.api.monitoring import monitor
from assay.errors import InputError
from assay.run import Run
from assay.telemetry import watching

SHADOWS = ("tokenize.py", "select.py")  # names that a project may well have, and that the standard library has


@pytest.fixture
def beside_shadows(tmp_path, monkeypatch) -> Path:
    """A folder of somebody's project, in which two scripts are called as modules of Python are."""
    project = tmp_path / "project"
    project.mkdir()
    for name in SHADOWS:
        (project / name).write_text("raise SystemExit('this is my script, and no module of yours')\n")
    monkeypatch.chdir(project)
    return project


def test_scripts_of_a_project_do_not_stand_in_for_the_standard_library(tmp_path, beside_shadows):
    run = measure(["sleep", "1.5"], out=tmp_path / "runs", vendors=["host"], together=True)
    assert {s.metric for s in store.telemetry(store.find(run.id, tmp_path / "runs"))} >= {"host.load"}
    assert not any("sampler" in warning for warning in run.warnings)


def test_nor_where_a_program_measures_itself(tmp_path, beside_shadows):
    script = tmp_path / "train.py"
    script.write_text(f"import assay\nwith assay.monitor(out={str(tmp_path / 'runs')!r}, vendors=()):\n    pass\n")
    subprocess.run([sys.executable, script], check=True)
    (path,) = store.list_runs(tmp_path / "runs")
    assert not store.load(path).partial


def test_what_is_found_by_its_folder_alone_is_found_by_its_helpers(tmp_path, monkeypatch):
    """Neither installed nor on PYTHONPATH, as in a notebook that says sys.path.insert."""
    (tmp_path / "ours.py").write_text("def main(): print('here')\n")
    monkeypatch.setattr(watching, "__file__", str(tmp_path / "assay" / "telemetry" / "watching.py"))
    done = subprocess.run(watching.helper("ours", {}), capture_output=True, text=True, check=True)
    assert done.stdout == "here\n"


def test_a_sampler_that_dies_is_a_warning_and_an_event_of_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "helper", lambda *_: [sys.executable, "-c", "raise SystemExit(3)"])
    run = measure(["sleep", "3.5"], out=tmp_path, vendors=["host"], together=True)
    assert any("the sampler died (exit 3) and was started again" in warning for warning in run.warnings)
    assert [e.text for e in run.events if e.kind == "restart"] == ["the sampler died (exit 3) and was started again"]


@pytest.fixture
def helpers(monkeypatch) -> list[subprocess.Popen[str]]:
    """The helper processes that are started."""
    started: list[subprocess.Popen[str]] = []
    popen = subprocess.Popen
    monkeypatch.setattr(monitoring.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])
    return started


def test_what_goes_wrong_as_the_run_is_closed_is_a_warning_where_the_program_says_with(tmp_path):
    with (
        pytest.warns(RuntimeWarning, match=r"assay\.monitor: .*the run could not be closed.*lost-") as told,
        monitor("lost", out=tmp_path, vendors=()) as run,
    ):
        shutil.rmtree(run.path)
    assert told[0].filename == __file__


def test_a_helper_that_died_is_a_warning_too(tmp_path, helpers):
    killed = "the helper process was killed by signal 9"
    with pytest.warns(RuntimeWarning, match=killed), monitor(out=tmp_path, vendors=()):
        helpers[0].kill()


def test_a_run_that_takes_long_to_close_is_told_of(tmp_path, helpers, monkeypatch):
    monkeypatch.setattr(monitoring, "_END_S", 0.001)
    with pytest.warns(RuntimeWarning, match="not closed within 0 s"), monitor(out=tmp_path, vendors=()):
        pass
    assert helpers[0].wait(60) is not None


def test_a_program_that_fails_gets_its_own_error_and_no_warning(tmp_path):
    # Every warning is an error here, as pyproject.toml asks.
    with pytest.raises(ValueError, match="boom"), monitor(out=tmp_path, vendors=()):
        raise ValueError("boom")


def test_a_disk_that_is_full_at_the_end_is_a_warning_and_does_not_reach_the_program(tmp_path, monkeypatch):
    def full() -> None:
        raise OSError(28, "No space left on device")

    with pytest.warns(RuntimeWarning, match="the disk refused"), monitor(out=tmp_path, vendors=()) as run:
        monkeypatch.setattr(marks, "flush", full)
    assert marks._folder == ""
    assert not store.load(run.path).partial


def program(tmp_path: Path, inside: str) -> tuple[str, list[Run]]:
    """A program that says this inside of monitor(); what it said to stderr, and its runs."""
    script = tmp_path / "train.py"
    body = "\n    ".join(inside.splitlines())
    runs = tmp_path / "runs"
    script.write_text(f"import os, sys, time, assay\nwith assay.monitor(out={str(runs)!r}, vendors=()):\n    {body}\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    return done.stderr, [store.load(path) for path in store.list_runs(runs)]


@pytest.mark.parametrize(("said", "stopped"), [("0", ""), ("", ""), ("3", "the program failed: SystemExit: 3")])
def test_to_exit_is_to_fail_only_with_a_code(tmp_path, said, stopped):
    _, (run,) = program(tmp_path, f"sys.exit({said})")
    assert (run.partial, run.stopped) == (bool(stopped), stopped)


def test_a_forked_child_does_not_end_the_run_of_its_parent(tmp_path):
    inside = "if os.fork() == 0: sys.exit(0)\nos.wait()\ntime.sleep(1)\nassay.emit(step=1, step_s=0.1)"
    err, (run,) = program(tmp_path, inside)
    assert (err, run.partial) == ("", False)
    assert run.duration_s > 0.9
    assert [s.value for s in run.samples] == [0.1]


def test_who_listened_before_listens_again_afterwards(tmp_path, monkeypatch):
    """As under `assay measure`, or inside of another monitor(). marks.listen says who listened before."""
    told = ["/outer"]

    def listen(folder: str) -> str:
        told.append(folder)
        return told[-2]

    monkeypatch.setattr(marks, "listen", listen)
    with monitor(out=tmp_path, vendors=()) as run:
        pass
    assert told == ["/outer", str(run.path / "open" / "emit"), "/outer"]


def test_marks_that_gave_up_are_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr(marks, "listen", lambda folder: "")
    with pytest.warns(RuntimeWarning, match="the disk refused"), monitor(out=tmp_path, vendors=()):
        pass


def test_a_folder_that_is_gone_is_told_in_words(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(InputError, match="the folder in which this program runs is gone"), monitor(vendors=()):
        pass
