"""`assay compare`: exit 1 when something is worse, 2 when the runs are unlike."""

import json
from dataclasses import replace

import numpy as np
import pytest

from assay import store
from assay.cli.main import main
from assay.run import Case, Run, Sample


def assay(capsys, *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(list(args))
    out, err = capsys.readouterr()
    return end.value.code, out, err


def kept(tmp_path, seed: int, slower: float = 1.0, **changes) -> str:
    values = slower * (1 + 0.01 * np.random.default_rng(seed).standard_normal(30))
    run = Run(
        id="", name="memory", command=(), started="2026-11-23T02:14:00+00:00", duration_s=1.0,
        environment={"cpu": "EPYC", "contended": False}, cases=(Case(name="copy", kind="copy", size_bytes=1e6),),
        samples=tuple(Sample(case="copy", metric="time_s", value=float(v), index=i) for i, v in enumerate(values)),
    )  # fmt: skip
    return str(store.save(replace(run, **changes), tmp_path))


def test_slower_is_exit_1_and_faster_is_exit_0(capsys, tmp_path):
    old, slow = kept(tmp_path, 0), kept(tmp_path, 1, 1.5)
    code, out, err = assay(capsys, "compare", old, slow)
    assert (code, "worse" in out) == (1, True)
    assert err.startswith("1 worse, 0 better")
    assert assay(capsys, "compare", slow, old)[0] == 0


def test_the_same_again_is_exit_0_and_claims_nothing(capsys, tmp_path):
    code, out, err = assay(capsys, "compare", kept(tmp_path, 0), kept(tmp_path, 1))
    assert (code, "cannot tell" in out) == (0, True)
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
    _, out, _ = assay(capsys, "compare", kept(tmp_path, 0), kept(tmp_path, 1, 2.0), "--format", "json")
    (change,) = json.loads(out)["changes"]
    assert change["verdict"] == "worse"
    assert change["low"] <= change["ratio"] <= change["high"]


def test_a_run_that_is_not_there_is_exit_2(capsys, tmp_path):
    code, _, err = assay(capsys, "compare", str(tmp_path / "none"), str(tmp_path / "none"))
    assert code == 2
    assert "there is no run here" in err
