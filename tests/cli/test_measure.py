"""`assay measure` from the outside: figures, a run on disk, and a clean end whatever happens."""

import importlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from assay import store, summary
from assay.cli.main import main

# A shell that starts the tests in the background has told its children to ignore Ctrl-C, and `nohup` hang-ups.
HEED = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    " signal.signal(signal.SIGHUP, signal.SIG_DFL)"
)
ASSAY = [sys.executable, "-c", f"{HEED}; from assay.cli.main import main; main()"]
STEPS = 'for i in range(12): print(\'{"step": %d, "loss": %f}\' % (i, 1 / (i + 1)), flush=True)'


def assay(capsys, *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(list(args))
    out, err = capsys.readouterr()
    return end.value.code, out, err


def test_a_workload_gives_a_table_a_run_and_what_to_type_next(capsys, tmp_path):
    code, out, err = assay(capsys, "measure", "launch", "--budget", "0.1", "--no-sensors", "--out", str(tmp_path))
    (path,) = store.list_runs(tmp_path)
    assert code == 0
    titles = "case median 90 % ± spread rate rate 90 % kept dropped steady"
    assert out.splitlines()[1].split() == titles.split()
    assert "python call" in out
    assert f"Run: {path}" in err
    assert "Next: assay " in err
    assert "[1/" in err  # a line a case


def test_a_command_gives_its_figures_and_its_output_is_seen(capfd, tmp_path):
    with pytest.raises(SystemExit) as end:
        main(["measure", "--no-sensors", "--out", str(tmp_path), "--", sys.executable, "-c", STEPS])
    out, err = capfd.readouterr()
    assert end.value.code == 0
    assert "loss" in out
    assert '{"step": 3' in err  # what the command prints is not the answer, and is seen all the same
    assert "Verdict:" in err


def test_what_a_command_prints_can_be_kept_from_the_screen(capfd, tmp_path):
    with pytest.raises(SystemExit):
        main(["measure", "--no-sensors", "--silent", "--out", str(tmp_path), "--", sys.executable, "-c", STEPS])
    assert '{"step": 3' not in capfd.readouterr().err
    (path,) = store.list_runs(tmp_path)
    assert '{"step": 3' in (path / "log.txt").read_text()


def test_options_after_two_dashes_are_the_commands_own(capfd, tmp_path):
    with pytest.raises(SystemExit):
        main(["measure", "--no-sensors", "--out", str(tmp_path), "--", "echo", "--quick", "--", "--out"])
    assert "--quick -- --out" in capfd.readouterr().err


def test_what_a_run_says_is_computed_once_for_all_that_is_told_of_it(capsys, tmp_path, monkeypatch):
    """Bootstraps over long runs take seconds."""
    importlib.import_module("assay.api.observing")  # has its own reasons to ask, and must not keep what is put here
    asked = []
    for name in ("figures", "summarise"):
        known = getattr(summary, name)
        monkeypatch.setattr(summary, name, lambda run, known=known, name=name: asked.append(name) or known(run))
    args = ["launch", "--budget", "0.1", "--no-sensors", "--out", str(tmp_path), "--format", "json"]
    assay(capsys, "measure", *args)
    assert sorted(asked) == ["figures", "summarise"]


def test_json_names_the_run_and_its_figures(capsys, tmp_path):
    args = ["launch", "--budget", "0.1", "--no-sensors", "--out", str(tmp_path), "--format", "json"]
    code, out, _ = assay(capsys, "measure", *args)
    found = json.loads(out)
    assert code == 0
    assert found["run"] == str(store.list_runs(tmp_path)[0])
    assert found["cases"][0]["time_s"] > 0
    assert found["figures"][0]["unit"] == "s"
    assert found["partial"] is False


def test_the_list_of_workloads_says_what_each_is_and_what_it_takes(capsys):
    code, out, _ = assay(capsys, "measure", "--list", "--format", "json")
    found = {row["workload"]: row for row in json.loads(out)}
    assert code == 0
    names = {"gemm", "membw", "copy", "launch", "collective", "storage", "dataload", "train-step", "serve", "sustain"}
    assert set(found) == names
    assert all(row["what"] for row in found.values())
    assert "precision" in found["train-step"]["options"]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["gem"], 'did you mean "gemm"'),
        (["python"], "assay measure -- python"),
        (["launch", "--budget", "nan"], "--budget"),
        (["launch", "--budget", "-3"], "--budget"),
        (["launch", "--budget", "fast"], "--budget"),
        (["launch", "--python", "/none"], "--python"),
        (["launch", "--cases", "none", "--budget", "0.1"], "--cases"),
        (["launch", "--set", "colour=red"], "--set"),
        (["launch", "--set", "colour"], "KEY=VALUE"),
        (["storage", "--folder", "/no/such/folder"], "--folder"),
        (["launch", "--resume", "none"], "there is no run here"),
        (["launch", "--tune"], "nothing to tune"),
        (["launch", "--", "true"], "name a workload"),
        (["launch", "--timeout", "0"], "--timeout"),
        (["--timeout", "-1", "--", "true"], "--timeout"),
        (["--timeout", "nan", "--", "true"], "--timeout"),
        (["--period", "nan", "--", "true"], "--period"),
        (["--set", "foo=1", "--", "true"], "--set is for workloads"),
        (["--cases", "a", "--", "true"], "--cases is for workloads"),
        (["--quick", "--", "true"], "--quick is for workloads"),
        (["--device", "cpu", "--", "true"], "--device is for workloads"),
        (["--ranks", "2", "--", "true"], "--ranks is for workloads"),
        (["--budget", "3", "--", "true"], "--budget is for workloads"),
        ([], "name a workload"),
    ],
)
def test_what_cannot_be_used_is_exit_2_and_names_what_to_change(capsys, tmp_path, args, says):
    own = args.index("--") if "--" in args else len(args)
    code, _, err = assay(capsys, "measure", *args[:own], "--out", str(tmp_path), *args[own:])
    assert code == 2
    assert says in err
    assert store.list_runs(tmp_path) == ()


def test_an_empty_command_is_refused(capsys, tmp_path):
    code, _, err = assay(capsys, "measure", "--out", str(tmp_path), "--")
    assert code == 2
    assert "there is no command" in err


def test_a_folder_that_cannot_keep_runs_is_refused_before_measuring(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = assay(capsys, "measure", "launch", "--out", str(tmp_path / "file"))
    assert code == 2
    assert "--out" in err
    assert "[1/" not in err


def test_a_command_that_is_not_there_is_exit_3(capsys, tmp_path):
    code, _, err = assay(capsys, "measure", "--out", str(tmp_path), "--", "no-such-program")
    assert code == 3
    assert "no-such-program: cannot be started" in err
    assert store.list_runs(tmp_path) == ()


def test_a_command_that_dies_is_exit_3_and_its_samples_are_kept(capsys, tmp_path):
    code, out, err = assay(
        capsys, "measure", "--no-sensors", "--silent", "--out", str(tmp_path), "--",
        sys.executable, "-c", STEPS + "\nimport sys; sys.exit('out of memory')",
    )  # fmt: skip
    (path,) = store.list_runs(tmp_path)
    run = store.load(path)
    assert code == 3
    assert "out of memory" in err
    assert str(path) in err.splitlines()[-1]
    assert run.partial
    assert "loss" in out


def test_ctrl_c_keeps_what_was_measured_and_names_the_folder(tmp_path):
    code = f"{STEPS}\nimport os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(300)"
    command = [*ASSAY, "measure", "--out", str(tmp_path / "runs"), "--", sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    (path,) = store.list_runs(tmp_path / "runs")
    assert process.returncode == 130
    assert str(path) in err
    assert "Traceback" not in err.partition("KeyboardInterrupt")[2]
    run = store.load(path)
    assert (run.partial, run.stopped) == (True, "interrupted")
    assert max(map(len, run.of("loss"))) == 12
    assert _gone(int((tmp_path / "pid").read_text()))


def test_who_presses_ctrl_c_again_and_again_loses_nothing_either(tmp_path):
    code = f"{STEPS}\nimport os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(300)"
    command = [*ASSAY, "measure", "--out", str(tmp_path / "runs"), "--", sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.05)
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.03)
        _, err = process.communicate(timeout=60)
    (path,) = store.list_runs(tmp_path / "runs")
    run = store.load(path)
    assert (process.returncode, run.stopped) == (130, "interrupted")
    assert not (path / "open").exists()
    assert f"Run: {path}" in err
    assert max(map(len, run.of("loss"))) == 12
    assert _gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP])
def test_a_scheduler_that_asks_us_to_end_gets_the_same(tmp_path, sign):
    """Slurm and Kubernetes send SIGTERM, a closed terminal SIGHUP: the run is closed, and nothing is left running."""
    command = [*ASSAY, "measure", "--out", str(tmp_path), "--", "sleep", "300"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not store.list_runs(tmp_path):
            time.sleep(0.05)
        time.sleep(1.5)
        process.send_signal(sign)
        process.communicate(timeout=60)
    (path,) = store.list_runs(tmp_path)
    assert process.returncode == 130
    assert store.load(path).stopped == "interrupted"
    assert not (path / "open").exists()


def _gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_check_that_fails_is_exit_1(capsys, tmp_path):
    says = json.dumps({"event": "check", "name": "loss trajectory", "passed": False, "text": "step 3 is off"})
    code, _, err = assay(capsys, "measure", "--no-sensors", "--silent", "--out", str(tmp_path), "--", "echo", says)
    assert code == 1
    assert "check failed: loss trajectory: step 3 is off" in err


def test_help_names_both_ways(capsys):
    code, out, _ = assay(capsys, "measure", "--help")
    assert code == 0
    assert "assay measure -- python train.py" in out
    assert Path(store.__file__).exists()


def test_the_page_of_metrics_is_what_the_command_prints(capsys):
    code, out, _ = assay(capsys, "measure", "--metrics", "--format", "md")
    page = Path(__file__).parents[2] / "docs" / "metrics.md"
    assert code == 0
    assert page.read_text(encoding="utf-8").endswith(out), f"assay measure --metrics --format md, into {page}"


def test_under_nohup_a_terminal_may_close(tmp_path):
    ignoring = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); from assay.cli.main import main; main()"
    command = [sys.executable, "-c", ignoring, "measure", "--no-sensors", "--out", str(tmp_path), "--", "sleep", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not store.list_runs(tmp_path):
            time.sleep(0.05)
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert not store.load(store.list_runs(tmp_path)[0]).partial


def test_a_terminal_that_is_gone_costs_neither_the_run_nor_a_traceback(tmp_path):
    command = [*ASSAY, "measure", "--no-sensors", "--out", str(tmp_path), "--", sys.executable, "-c", STEPS]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=full, check=False, timeout=60)
    assert done.returncode == 2
    assert not store.load(store.list_runs(tmp_path)[0]).partial


def test_an_interpreter_with_nothing_in_it_is_told_what_it_lacks(capsys, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    python = str(tmp_path / "bare" / "bin" / "python")
    runs = str(tmp_path / "runs")
    code, _, err = assay(capsys, "measure", "gemm", "--quick", "--no-sensors", "--python", python, "--out", runs)
    assert code == 3
    assert "no numpy in this interpreter" in err
    assert f"{python} -m pip install numpy torch" in err
    assert "--cases" not in err
    code, _, err = assay(capsys, "measure", "collective", "--ranks", "1000", "--python", python, "--out", runs)
    assert code == 2
    assert "several ranks need PyTorch" in err
    assert store.list_runs(runs) == ()


@pytest.mark.parametrize("named", [["gemm"], ["sh"], ["--", "sh"]])
def test_a_run_of_a_command_cannot_be_resumed_and_that_is_said(capsys, tmp_path, named):
    out = ["--no-sensors", "--silent", "--out", str(tmp_path)]
    assay(capsys, "measure", *out, "--", "sh", "-c", "exit 3")
    (path,) = store.list_runs(tmp_path)
    code, _, err = assay(capsys, "measure", "--resume", str(path), "--out", str(tmp_path), *named)
    assert code == 2
    assert "a run of a command cannot be resumed" in err
    assert "measure it again: assay measure -- sh -c 'exit 3'" in err


@pytest.mark.parametrize("out", ["/elsewhere", "runs"])
def test_a_working_directory_that_was_deleted_is_said_to_be(capsys, tmp_path, monkeypatch, out):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    code, _, err = assay(capsys, "measure", "--out", str(tmp_path) + out if out[0] == "/" else out, "--", "true")
    monkeypatch.chdir(tmp_path)
    assert code == 2
    assert "the working directory was deleted; cd to a folder that exists" in err
