"""`assay pilot` from the outside: begun, checked, run, added to and looked at."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.measure.workloads import TORCH, needs_torch

from assay.cli.main import main
from assay.cli.pilot import VERBS

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "pilots" / "llm-pretraining"
H100 = ROOT / "tests" / "recorded" / "runs" / "h100-train-step"


def assay(capsys, *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["pilot", *args])
    out, err = capsys.readouterr()
    return end.value.code, out, err


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of an example, and we are in it."""
    shutil.copytree(EXAMPLE, tmp_path / "p")
    monkeypatch.chdir(tmp_path / "p")
    return tmp_path / "p"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_of_it_explains_itself(capsys, verb):
    code, out, _ = assay(capsys, verb, "--help")
    assert code == 0
    assert f"Usage: assay pilot {verb}" in out


def test_a_mistyped_verb_gets_its_near_miss(capsys):
    code, _, err = assay(capsys, "chek")
    assert code == 2
    assert 'did you mean "check"' in err


def test_help_of_a_group_loads_nothing_heavy():
    code = "from assay.cli.main import main\ntry:\n    main(['pilot', '--help'])\nexcept SystemExit:\n    pass\n"
    code += "import sys; print('held:', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    held = set(done.stdout.rpartition("held:")[2].split())
    assert not held & {"numpy", "duckdb", "pydantic", "rich", "scipy"}
    assert all(verb in done.stdout for verb in VERBS)


def test_a_pilot_is_begun_by_flags_alone_and_not_twice(capsys, tmp_path):
    where = str(tmp_path / "new")
    flags = ["--template", "vision", "--systems", "l40s-8", "--budget", "5 k USD", "--question", "Buy?"]
    code, _, err = assay(capsys, "init", where, *flags)
    assert code == 0
    assert "Next: assay pilot check" in err
    text = (tmp_path / "new" / "pilot.toml").read_text()
    assert text.startswith("#:schema ./pilot.schema.json\n")
    assert 'question = "Buy?"' in text
    assert (tmp_path / "new" / "pilot.schema.json").is_file()
    code, _, err = assay(capsys, "check", where)
    assert code == 0
    code, _, err = assay(capsys, "init", where)
    assert (code, "already" in err) == (2, True)
    assert (tmp_path / "new" / "pilot.toml").read_text() == text


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--template", "visoin"], 'did you mean "vision"'),
        (["--systems", "hgx-h10"], 'did you mean "hgx-h100"'),
        (["--systems", "lease:hgx-h100"], "buy:hgx-h100"),
        (["--budget", "50 k EUR"], "EUR"),
        (["--days", "0"], "--days"),
        (["--budget=-5"], "below 0"),
        (["--model", "llama-3.1-8bb"], 'did you mean "llama-3.1-8b"'),
        (["--question", "\udcff"], "not UTF-8"),
        (["--model", "\udcff"], "not UTF-8"),
    ],
)
def test_what_cannot_be_begun_is_refused_and_nothing_is_written(capsys, tmp_path, flags, says):
    code, _, err = assay(capsys, "init", str(tmp_path / "new"), *flags)
    assert code == 2
    assert says in err
    assert not (tmp_path / "new").exists()


def test_what_is_asked_twice_is_compared_once_and_odd_letters_are_kept(capsys, tmp_path):
    where = tmp_path / 'in"it\\\x7f'
    systems = "hgx-h100,rent:hgx-h100,buy:hgx-h100, hgx-h100"
    assert assay(capsys, "init", str(where), "--systems", systems, "--question", 'a\x7f\nb\x01"\\')[0] == 0
    text = (where / "pilot.toml").read_text()
    assert [line for line in text.splitlines() if line.startswith('system = "hgx')] == ['system = "hgx-h100"'] * 2
    assert tomllib.loads(text)["question"] == 'a\x7f\nb\x01"\\'
    assert assay(capsys, "check", str(where))[0] == 0


def test_a_folder_of_ones_own_is_looked_in(capsys, folder, tmp_path):
    for verb in (["check"], ["status"], ["run", "--stage", "1"], ["rfp"], ["add", "x"]):
        code, out, err = assay(capsys, *verb, "--catalog", str(tmp_path / "none"))
        assert (code, "no such catalog" in out + err) == (2, True)


def test_a_terminal_is_asked_only_what_nobody_can_find_out(tmp_path):
    typed = "llm-pretraining\nBuy or rent?\nllama-3.1-8b\nhgx-h100,buy:hgx-h100\n5 k USD\n"
    program = "from assay.cli.main import main; main(['pilot', 'init', 'new'])"
    script = (
        f"import pty, os, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn([{sys.executable!r}, '-c', {program!r}])))"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, input=typed, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60)
    assert done.returncode == 0, done.stdout
    asked = [line for line in done.stdout.splitlines() if line.rstrip().endswith(":") or "]: " in line or "): " in line]
    assert len(asked) <= 6
    text = (tmp_path / "new" / "pilot.toml").read_text()
    assert 'question = "Buy or rent?"' in text
    assert text.count("[[candidates]]") == 3


def test_problems_are_listed_by_line_and_exit_2(capsys, folder):
    path = folder / "pilot.toml"
    path.write_text(path.read_text().replace('"completed"', '"complete"').replace("days = 45", "days = 0"))
    code, out, err = assay(capsys, "check", "--format", "json")
    assert code == 2
    found = [one for one in json.loads(out) if one["severity"] == "error"]
    assert [one["key"] for one in found] == ["days", "gates[0].metric"]
    assert all(one["line"] for one in found)
    assert "2 errors in this pilot" in err


def test_a_pilot_with_old_prices_can_be_used_and_they_are_told(capsys, folder):
    code, out, err = assay(capsys, "check")
    assert code == 0
    assert "older than" in out
    assert "warnings" in err


def test_the_schema_is_printed_as_it_ships(capsys):
    code, out, _ = assay(capsys, "schema")
    assert code == 0
    assert json.loads(out)["title"].startswith("A pilot")


def test_a_run_from_elsewhere_is_refused_with_the_reason_and_taken_with_another(capsys, folder):
    told = [str(H100), "--candidate", "rent-h100", "--stage", "1"]
    code, _, err = assay(capsys, "add", *told)
    assert code == 2
    assert "model is gpt-350m, and llama-tiny in the trial" in err
    assert '--anyway "reason"' in err
    code, _, err = assay(capsys, "add", *told, "--anyway", "the larger one says more")
    assert code == 0
    assert "taken because the larger one says more" in err
    code, out, _ = assay(capsys, "status", "--format", "json")
    (entry,) = json.loads(out)["added"]
    assert (entry["candidate"], entry["anyway"]) == ("rent-h100", "the larger one says more")
    gates = {one["name"]: one["proof"] for one in json.loads(out)["gates"]["rent-h100"]}
    assert gates["runs to its end"] == gates["same numbers as the reference"] == "pass"
    assert gates["fast enough"] == "pass"  # by a prediction, which this gate accepts


def test_a_vendors_answers_are_added(capsys, folder, tmp_path):
    csv = tmp_path / "answers.csv"
    csv.write_text("id,answer\nspread,2 %\n")
    assert assay(capsys, "add", str(csv))[0] == 2
    assert assay(capsys, "add", str(csv), "--candidate", "buy-h100")[0] == 0
    assert len(list((folder / "answers").glob("buy-h100-*.csv"))) == 1


def test_status_says_what_is_proven_and_what_to_type_next(capsys, folder):
    code, out, err = assay(capsys, "status")
    assert code == 0
    assert out.count("not proven") >= 18  # six candidates, three stages
    assert "$60,000" in err
    assert "To settle it: " in err
    assert "assay pilot run --stage 1 --candidate" in err
    code, out, _ = assay(capsys, "status", "--candidate", "buy-b200")
    assert [line.split()[0] for line in out.splitlines()[2:]] == ["1", "1", "2", "2", "3", "3", "3", "3", "3"]
    code, _, err = assay(capsys, "status", "--candidate", "buy-b20")
    assert (code, 'did you mean "buy-b200"' in err) == (2, True)


def test_there_has_to_be_a_pilot(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for args in (["check"], ["status"], ["run", "--stage", "1"], ["add", "x"]):
        code, _, err = assay(capsys, *args)
        assert (code, "assay pilot init" in err) == (2, True)


@needs_torch
def test_the_first_two_stages_really_run_here_and_prove_what_they_can(folder):
    program = [sys.executable, "-c", "from assay.cli.main import main; main()", "pilot"]
    for stage in ("1", "2"):
        done = subprocess.run(
            [*program, "run", "--stage", stage, "--candidate", "workstation", "--budget", "2", "--python", TORCH],
            capture_output=True, text=True, check=False, env={**os.environ}, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "Added: " in done.stderr
    done = subprocess.run([*program, "status", "--format", "json"], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert len(told["added"]) == 5  # the trial, three batches, two ranks
    gates = {one["name"]: one["proof"] for one in told["gates"]["workstation"]}
    assert gates["runs to its end"] == gates["same numbers as the reference"] == "pass"
    assert gates["scales"] in ("pass", "fail")
    done = subprocess.run([*program, "decide", "--no-keep", "--draws", "1000", "--format", "json"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    (here,) = [one for one in json.loads(done.stdout)["candidates"] if one["name"] == "workstation"]
    (software,) = [one for one in here["risks"]["risks"] if one["name"] == "software maturity"]
    ran = [one["text"] for one in software["evidence"] if "operators ran" in one["text"]]
    assert ran, software
    assert len(set(re.findall(r"\d+", ran[0]))) == 1  # all of them
    assert int(ran[0].split()[0]) > 25
    assert gates["stays as fast"] == "not proven"
