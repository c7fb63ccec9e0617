"""`assay compare`: exit 1 when something is worse, 2 when the runs are unlike."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from assay import store
from assay.cli.main import main
from assay.run import Case, Run
from assay.series import series


def assay(capsys, *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(list(args))
    out, err = capsys.readouterr()
    return end.value.code, out, err


def kept(tmp_path, seed: int, slower: float = 1.0, **changes) -> str:
    values = slower * (1 + 0.01 * np.random.default_rng(seed).standard_normal(30))
    run = Run(
        id="", name="membw", command=(), started=f"2026-11-26T02:{seed:02d}:00.000+00:00", duration_s=1.0,
        environment={"cpu": "EPYC", "contended": False}, cases=(Case(name="copy", kind="copy", size_bytes=1e6),),
        series=(series("copy", "time_s", np.arange(30), values),),
    )  # fmt: skip
    return str(store.save(replace(run, **changes), tmp_path))


def in_turns(tmp_path, slower: float) -> list[str]:
    words = []
    for i in range(8):
        words += ["--old", kept(tmp_path, 2 * i), "--new", kept(tmp_path, 2 * i + 1, slower)]
    return words


def test_slower_is_exit_1_and_faster_is_exit_0(capsys, tmp_path):
    code, out, err = assay(capsys, "compare", *in_turns(tmp_path / "slow", 1.5))
    assert (code, "worse" in out) == (1, True)
    assert err.startswith("1 worse, 0 better")
    assert assay(capsys, "compare", *in_turns(tmp_path / "fast", 0.5))[0] == 0


def test_one_run_a_side_is_exit_0_and_claims_nothing(capsys, tmp_path):
    code, out, err = assay(capsys, "compare", kept(tmp_path, 0), kept(tmp_path, 1, 1.5))
    assert (code, "cannot tell" in out, "unbounded" in out) == (0, True, True)
    assert re.search(r"1\.(49|5\d)", out)
    assert "one run a side cannot show how runs differ" in err


def test_unlike_runs_are_exit_2_unless_the_difference_is_named(capsys, tmp_path):
    old, new = kept(tmp_path, 0), kept(tmp_path, 1, environment={"cpu": "Xeon", "contended": False})
    code, out, err = assay(capsys, "compare", old, new)
    assert (code, out) == (2, "")
    assert 'cpu: "EPYC" and "Xeon"' in err
    code, _, err = assay(capsys, "compare", old, new, "--allow", "cpu")
    assert code == 0
    assert 'Under test: cpu: "EPYC" and "Xeon"' in err


def test_json_has_every_figure(capsys, tmp_path):
    _, out, _ = assay(capsys, "compare", *in_turns(tmp_path, 2.0), "--format", "json")
    found = json.loads(out)
    (change,) = found["changes"]
    assert (change["verdict"], found["verdict"]) == ("worse", "worse")
    assert change["low"] <= change["ratio"] <= change["high"]


@pytest.mark.parametrize("runs", [["a"], ["a", "b", "c"], []])
def test_two_runs_are_wanted_or_sides(capsys, runs):
    code, _, err = assay(capsys, "compare", *runs)
    assert code == 2
    assert "run" in err


def test_a_run_that_is_not_there_is_exit_2(capsys, tmp_path):
    code, _, err = assay(capsys, "compare", str(tmp_path / "none"), str(tmp_path / "none"))
    assert code == 2
    assert "there is no run here" in err
