"""`assay measure` from the outside: a table, a run on disk, and a clean end whatever happens."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from assay import store
from assay.cli.main import main

# A shell that starts the tests in the background has told its children to ignore Ctrl-C.
HEED = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
ASSAY = [sys.executable, "-c", f"{HEED}; from assay.cli.main import main; main()"]


def assay(capsys, *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(list(args))
    out, err = capsys.readouterr()
    return end.value.code, out, err


def test_a_table_a_run_and_what_to_type_next(capsys, tmp_path):
    code, out, err = assay(capsys, "measure", "dispatch", "--budget", "0.1", "--out", str(tmp_path))
    (path,) = store.list_runs(tmp_path)
    assert code == 0
    titles = "case median 90 % ± spread rate rate 90 % kept dropped steady"
    assert out.splitlines()[1].split() == titles.split()
    assert "python call" in out
    assert f"Run: {path}" in err
    assert "Next: assay " in err
    assert "[1/" in err  # a line a case


def test_json_names_the_run_and_its_cases(capsys, tmp_path):
    code, out, _ = assay(capsys, "measure", "dispatch", "--budget", "0.1", "--out", str(tmp_path), "--format", "json")
    found = json.loads(out)
    assert code == 0
    assert found["run"] == str(store.list_runs(tmp_path)[0])
    assert found["cases"][0]["time_s"] > 0
    assert found["partial"] is False


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["matmull"], 'did you mean "matmul"'),
        (["dispatch", "--budget", "nan"], "--budget"),
        (["dispatch", "--budget", "-3"], "--budget"),
        (["dispatch", "--budget", "fast"], "--budget"),
        (["dispatch", "--python", "/none"], "--python"),
        (["dispatch", "--cases", "none", "--budget", "0.1"], "--cases"),
        (["storage", "--folder", "/no/such/folder"], "--folder"),
        ([], "PROBE"),
    ],
)
def test_what_cannot_be_used_is_exit_2_and_names_what_to_change(capsys, tmp_path, args, says):
    out = ["--out", str(tmp_path)] if args else []
    code, _, err = assay(capsys, "measure", *args, *out)
    assert code == 2
    assert says in err
    assert store.list_runs(tmp_path) == ()


def test_a_folder_that_cannot_keep_runs_is_refused_before_measuring(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = assay(capsys, "measure", "dispatch", "--out", str(tmp_path / "file"))
    assert code == 2
    assert "--out" in err
    assert "[1/" not in err


def half_way(tmp_path: Path, ending: str) -> str:
    """An interpreter whose engine takes twenty samples and then ends as told."""
    begin = {"event": "begin", "case": {"name": "c", "kind": "copy", "bytes": 8}, "number": 1, "of": 2}
    read = {"case": "c", "metric": "time_s", "at": 0}
    samples = [{**read, "value": 1 + i % 2 / 100, "index": i} for i in range(20)]
    lines = [begin, *samples, {"event": "end", "case": "c"}]
    says = "\n".join(f"echo '{json.dumps(line)}'" for line in lines)
    path = tmp_path / "python"
    path.write_text(
        f'#!/bin/sh\ncase "$1" in\n*engine.py)\n{says}\n{ending}\n;;\n*) exec {sys.executable} "$@";;\nesac\n'
    )
    path.chmod(0o755)
    return str(path)


def test_a_probe_that_dies_is_exit_3_and_its_samples_are_kept(capsys, tmp_path):
    python = half_way(tmp_path, "echo 'out of memory' >&2\nexit 7")
    code, out, err = assay(capsys, "measure", "memory", "--python", python, "--out", str(tmp_path / "runs"))
    (path,) = store.list_runs(tmp_path / "runs")
    run = store.load(path)
    assert code == 3
    assert "exit 7" in err
    assert "out of memory" in err
    assert str(path) in err.splitlines()[-1]
    assert (run.partial, len(run.samples)) == (True, 20)
    assert "\nc " in out


def test_ctrl_c_keeps_what_was_measured_and_names_the_folder(tmp_path):
    python = half_way(tmp_path, f"echo $$ > {tmp_path}/pid\nexec sleep 300")
    command = [*ASSAY, "measure", "memory", "--python", python, "--out", str(tmp_path / "runs")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stderr.readline().startswith("[1/2]")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    (path,) = store.list_runs(tmp_path / "runs")
    assert process.returncode == 130
    assert str(path) in err
    assert "interrupted" in err
    run = store.load(path)
    assert (run.partial, run.stopped, len(run.samples)) == (True, "interrupted", 20)
    assert "Traceback" not in err
    assert _gone(int((tmp_path / "pid").read_text()))


def _gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
