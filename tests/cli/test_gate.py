"""`assay gate`: exit 0, 1 or 3, the verdict first, and files that a CI server reads."""

import json
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from tests.telemetry.site import until

from assay import store
from assay.cli.main import main
from assay.run import Case, Run
from assay.series import series

BENCH = (
    "import time, json\nfor i in range(12):\n    time.sleep({s})\n    print(json.dumps({{'step': i, 'step_s': {s}}}))"
)


def assay(capsys, *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(list(args))
    out, err = capsys.readouterr()
    return end.value.code, out, err


def kept(root, minute: int, slower: float = 1.0, level: float = 0.01, **changes) -> str:
    values = slower * (1 + level * np.random.default_rng(minute).standard_normal(30))
    run = Run(
        id="", name="bench", command=(), started=f"2026-11-26T02:{minute:02d}:00.000+00:00", duration_s=1.0,
        environment={"cpu": "EPYC", "git_commit": f"{minute:040x}"}, cases=(Case(name="", kind="step"),),
        series=(series("", "step_s", np.arange(30), values),),
    )  # fmt: skip
    return str(store.save(replace(run, **changes), root))


def sides(root, slower: float, pairs: int = 10, level: float = 0.01) -> list[str]:
    words = []
    for i in range(pairs):
        words += ["--old", kept(root, 2 * i, level=level), "--new", kept(root, 2 * i + 1, slower, level=level)]
    return words


@pytest.mark.parametrize(("slower", "code", "says"), [(1.1, 1, "REGRESSION"), (0.9, 0, "BETTER"), (1.0, 0, "NO REGR")])
def test_the_first_line_is_the_verdict_and_the_exit_code_says_the_same(capsys, tmp_path, slower, code, says):
    found, out, err = assay(capsys, "gate", *sides(tmp_path, slower))
    assert found == code
    assert err.splitlines()[0].startswith(says)
    assert out.splitlines()[0].startswith(says)


def test_a_noise_that_could_hide_too_much_is_exit_3_with_the_number_of_pairs_that_would_do(capsys, tmp_path):
    """Nothing is claimed, and nothing is passed."""
    code, _, err = assay(capsys, "gate", *sides(tmp_path, 1.0, pairs=4))
    assert code == 3
    assert "CANNOT TELL" in err
    assert "more pairs" in err


def test_what_is_tolerated_and_what_is_an_alarm_can_be_said(capsys, tmp_path):
    words = sides(tmp_path, 1.06)
    assert assay(capsys, "gate", *words)[0] == 1
    assert assay(capsys, "gate", *words, "--at-least", "20%")[0] == 0
    assert assay(capsys, "gate", *words, "--at-least", "20%", "--tolerate", "1%")[0] == 3


def test_junit_and_markdown_say_the_same(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    junit, text = tmp_path / "junit.xml", tmp_path / "gate.md"
    assay(capsys, "gate", *sides(tmp_path / "runs", 1.2), "--junit", str(junit), "--markdown", str(text))
    root = ElementTree.parse(junit).getroot()
    assert root.find("testsuite").attrib["failures"] == "1"
    assert "+2" in root.find(".//failure").attrib["message"]
    assert text.read_text().startswith("**REGRESSION: step time +")
    assert text.read_text() == (tmp_path / "summary.md").read_text()
    assert "❌ worse" in text.read_text()


def test_what_cannot_be_told_is_skipped_in_junit_and_fails_nothing(capsys, tmp_path):
    junit = tmp_path / "junit.xml"
    assay(capsys, "gate", *sides(tmp_path / "runs", 1.0), "--junit", str(junit))
    suite = ElementTree.parse(junit).getroot().find("testsuite")
    assert (suite.attrib["failures"], suite.attrib["skipped"]) == ("0", "1")


@pytest.mark.parametrize("slower", [1.0, 1.08, 0.7, 1.5])
def test_runs_that_were_not_taken_in_turns_are_exit_3_whatever_they_say(capsys, tmp_path, slower):
    """Last month's runs against today's: an hour is as good an explanation as the code."""
    words = [word for i in range(10) for word in ("--old", kept(tmp_path / "runs", i))]
    words += [word for i in range(10) for word in ("--new", kept(tmp_path / "runs", 30 + i, slower))]
    text = tmp_path / "gate.md"
    code, out, err = assay(capsys, "gate", *words, "--markdown", str(text))
    assert code == 3
    assert err.startswith("CANNOT TELL: the runs were not taken in turns")
    assert "unbounded" in out
    assert "10 old runs and 10 new ones, not measured in turns" in text.read_text()
    assert "more pairs" not in err + out
    assert err.splitlines()[-1].startswith("Next: assay gate -- OLD COMMAND -- NEW COMMAND")


def test_what_to_type_next_names_a_run_that_is_there(capsys, tmp_path):
    """README's example keeps its runs in a folder of their own."""
    out = tmp_path / "runs" / "gate"
    old, new = ([sys.executable, "-c", BENCH.format(s=s)] for s in (0.002, 0.004))
    code, _, err = assay(capsys, "gate", "--pairs", "8", "--out", str(out), "--", *old, "--", *new)
    command, _, _ = err.splitlines()[-1].removeprefix("Next: ").partition(",")
    assert (code, command.rpartition(" ")[0]) == (1, "assay report")
    assert Path(command.rpartition(" ")[2]) in store.list_runs(out)


def test_runs_are_named_by_their_ids_in_the_folder_that_out_names(capsys, tmp_path):
    words = sides(tmp_path, 1.1)
    ids = [word if word.startswith("--") else word.rpartition("-")[2] for word in words]
    code, _, err = assay(capsys, "gate", *ids, "--out", str(tmp_path))
    assert code == 1
    assert f"assay report {words[-1]}," in err


def test_two_commands_are_measured_in_turns_and_judged(capsys, tmp_path):
    old, new = ([sys.executable, "-c", BENCH.format(s=s)] for s in (0.004, 0.006))
    code, out, err = assay(
        capsys, "gate", "--pairs", "8", "--out", str(tmp_path), "--format", "json", "--", *old, "--", *new
    )
    found = json.loads(out)
    assert code == 1
    assert found["outcome"] == "fail"
    assert found["changes"][0]["ratio"] == pytest.approx(1.5, rel=0.05)
    assert len(store.list_runs(tmp_path)) == 16
    assert "[8/8]" in err
    started = sorted((store.load(p).started, store.load(p).id) for p in store.list_runs(tmp_path))
    is_old = [identity in found["old"] for _, identity in started]
    assert all(is_old[i] != is_old[i + 1] for i in range(0, 16, 2))
    assert len(set(is_old[::2])) == 2  # each side goes first at times


def test_a_command_that_fails_is_exit_3_and_says_where_its_log_is(capsys, tmp_path):
    code, _, err = assay(capsys, "gate", "--pairs", "8", "--out", str(tmp_path), "--", "false", "--", "true")
    assert code == 3
    assert "failed" in err
    assert "log.txt" in err


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_gate_is_exit_130_and_says_what_is_finished(tmp_path, sign):
    """The third run waits for good: then the first pair is whole."""
    slow = "import os, sys, time; n = len(os.listdir(sys.argv[1])); time.sleep(600 if n > 2 else 0.1)"
    side = [sys.executable, "-c", slow, str(tmp_path)]
    words = ["gate", "--pairs", "5", "--out", str(tmp_path), "--together", "--", *side, "--", *side]
    ours = [sys.executable, "-c", "from assay.cli.main import main; main()", *words]
    with subprocess.Popen(ours, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("[1/5]"):
                break
        until(lambda: len(store.list_runs(tmp_path)) == 3)
        time.sleep(1.0)
        process.send_signal(sign)
        err = process.stderr.read()
    assert process.returncode == 130, err
    assert "1 of 5 pairs are finished" in err
    assert "failed" not in err
    again = shlex.split(err.partition("judge them: assay ")[2].splitlines()[0])
    with pytest.raises(SystemExit) as end:
        main(again)
    assert end.value.code == 3  # one pair proves nothing


def test_a_metric_that_is_not_there_is_told_after_the_first_run(capsys, tmp_path):
    side = [sys.executable, "-c", BENCH.format(s=0.001)]
    words = ["gate", "--metric", "stepp_s", "--out", str(tmp_path), "--together", "--", *side, "--", *side]
    code, _, err = assay(capsys, *words)
    assert code == 2
    assert '"stepp_s"; did you mean "step_s"?' in err
    assert len(store.list_runs(tmp_path)) == 1


def test_a_history_has_no_figure_of_a_metric_that_is_not_there(capsys, tmp_path):
    code, _, err = assay(capsys, "gate", "--history", history(tmp_path, 1.0, 1.0), "--metric", "bogus")
    assert code == 2
    assert "--metric: run" in err


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--", "true"], "two commands"),
        (["--", "true", "--", "true", "--", "true"], "two commands"),
        (["gemm"], "--old-python"),
        (["--old", "none"], "both sides"),
        (["--pairs", "0", "--", "a", "--", "b"], "--pairs"),
        (["--at-least", "much", "--", "a", "--", "b"], "much"),
        ([], "two commands"),
        (["--set", "peak=off", "--", "a", "--", "b"], "--set says nothing to two commands: write it into them"),
        (["--quick", "--", "a", "--", "b"], "--quick says nothing to two commands"),
        (["--old-python", "p", "--", "a", "--", "b"], "--old-python says nothing to two commands"),
        (["--old", "a", "--new", "b", "--pairs", "3"], "--pairs says nothing to --old and --new"),
        (["--history", ".", "--tolerate", "1%"], "--tolerate says nothing to --history"),
        (["--history", ".", "--quick"], "--quick says nothing to --history"),
        (["--history", ".", "--", "a"], "a folder of runs with --history, or commands"),
    ],
)
def test_what_cannot_be_judged_is_exit_2(capsys, args, says):
    code, _, err = assay(capsys, "gate", *args)
    assert code == 2
    assert says in err


def test_unlike_runs_are_exit_2(capsys, tmp_path):
    new = kept(tmp_path, 1, environment={"cpu": "Xeon"})
    code, _, err = assay(capsys, "gate", "--old", kept(tmp_path, 0), "--new", new)
    assert code == 2
    assert "--allow cpu" in err


def history(root, *levels: float) -> str:
    for minute, level in enumerate(levels):
        kept(root, minute, level)
    return str(root)


def test_a_history_that_turned_worse_is_exit_1_and_names_the_commit(capsys, tmp_path):
    code, out, err = assay(capsys, "gate", "--history", history(tmp_path, *[1.0] * 8, *[1.2] * 4))
    assert code == 1
    assert "REGRESSION" in err
    assert f"commit {8:040x}"[:19] in out


def test_a_steady_history_is_exit_0_and_a_late_jump_asks_for_another_run(capsys, tmp_path):
    assert assay(capsys, "gate", "--history", history(tmp_path / "a", *[1.0] * 10))[0] == 0
    code, _, err = assay(capsys, "gate", "--history", history(tmp_path / "b", *[1.0] * 10, 1.3))
    assert code == 3
    assert "measure again" in err


def test_runs_that_are_unlike_the_newest_are_left_out_of_its_history(capsys, tmp_path):
    history(tmp_path, *[1.0] * 8)
    kept(tmp_path, 20, 3.0, environment={"cpu": "Xeon"})
    kept(tmp_path, 21)
    _, _, err = assay(capsys, "gate", "--history", str(tmp_path))
    assert "Left out: 1 runs that are unlike the newest (first of all in cpu)" in err


def test_what_is_an_alarm_can_be_said_of_a_history_too(capsys, tmp_path):
    past = history(tmp_path, *[1.0] * 8, *[1.1] * 4)
    assert assay(capsys, "gate", "--history", past)[0] == 1
    assert assay(capsys, "gate", "--history", past, "--at-least", "20%")[0] == 0


def test_a_history_writes_what_ci_servers_read(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    junit, text = tmp_path / "junit.xml", tmp_path / "gate.md"
    words = ["--junit", str(junit), "--markdown", str(text)]
    _, out, err = assay(capsys, "gate", "--history", history(tmp_path / "worse", *[1.0] * 8, *[1.2] * 4), *words)
    suite = ElementTree.parse(junit).getroot().find("testsuite")
    assert (suite.attrib["tests"], suite.attrib["failures"], suite.attrib["skipped"]) == ("1", "1", "0")
    assert err.splitlines()[0] == out.splitlines()[0] == text.read_text().splitlines()[0].strip("*")
    assert text.read_text() == (tmp_path / "summary.md").read_text()
    assay(capsys, "gate", "--history", history(tmp_path / "late", *[1.0] * 10, 1.3), *words)
    suite = ElementTree.parse(junit).getroot().find("testsuite")
    assert (suite.attrib["failures"], suite.attrib["skipped"]) == ("0", "1")
    assert "measure again" in text.read_text()


def test_a_run_that_cannot_be_read_is_skipped_and_named(capsys, tmp_path):
    past = history(tmp_path, *[1.0] * 10)
    broken, old = store.list_runs(tmp_path)[2:4]
    (broken / "run.json").write_text("{")
    (old / "run.json").write_text((old / "run.json").read_text().replace('"schema": 2', '"schema": 1'))
    code, _, err = assay(capsys, "gate", "--history", past)
    assert code == 0
    assert err.startswith("NO REGRESSION: 8 like runs")
    assert all(f"Skipped, since it cannot be read: {path.name}: " in err for path in (broken, old))


def test_a_history_of_which_nothing_can_be_read_is_exit_2(capsys, tmp_path):
    past = history(tmp_path, 1.0)
    (store.list_runs(tmp_path)[0] / "run.json").write_text("{")
    code, _, err = assay(capsys, "gate", "--history", past)
    assert (code, "none of 1 runs can be read" in err) == (2, True)


def test_nothing_to_judge_and_too_few_runs_are_exit_3(capsys, tmp_path):
    kept(tmp_path / "a", 0, partial=True, stopped="interrupted")
    code, _, err = assay(capsys, "gate", "--history", str(tmp_path / "a"))
    assert (code, err.startswith("NOTHING TO JUDGE")) == (3, True)
    code, _, err = assay(capsys, "gate", "--history", history(tmp_path / "b", 1.0, 1.0))
    assert (code, err.startswith("CANNOT TELL: step time: 2 runs; 6 are needed")) == (3, True)


def test_a_change_of_what_is_neither_good_nor_bad_is_called_a_change(capsys, tmp_path):
    for minute in range(10):
        values = np.full(30, 100.0 if minute < 6 else 120.0)
        kept(tmp_path, minute, series=(series("", "tokens", np.arange(30), values),))
    code, out, _ = assay(capsys, "gate", "--history", str(tmp_path), "--metric", "tokens", "--format", "json")
    assert code == 0
    assert json.loads(out)["trends"][0]["verdict"] == "changed"


def test_a_name_judges_the_runs_of_that_name(capsys, tmp_path):
    history(tmp_path, *[1.0] * 8, *[1.2] * 4)
    kept(tmp_path, 50, name="other-bench")
    code, _, err = assay(capsys, "gate", "bench", "--history", str(tmp_path))
    assert (code, "Left out" in err) == (1, False)
    code, _, err = assay(capsys, "gate", "gemm", "--history", str(tmp_path))
    assert (code, "there are no runs of gemm here" in err) == (2, True)
