"""`assay calibrate RUN…` for a site: what it says, what it keeps, and with which exit code it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.api.site_runs import PLANS, kept, trained

from assay import store
from assay.cli import main as cli
from assay.series import series

RUNS = Path(__file__).parents[1] / "recorded" / "runs"


def assay(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main([str(arg) for arg in args])
    said = capsys.readouterr()
    return int(stop.value.code or 0), said.out, said.err


def test_two_runs_teach_and_a_third_shows_it(tmp_path, capsys):
    runs = [trained(tmp_path / "runs", plan=plan, slower=1.25) for plan in PLANS.values()]
    third = trained(tmp_path / "runs", "mpt-1b", slower=1.25)
    code, out, err = assay(capsys, "calibrate", *runs, "--test", third, "-o", tmp_path, "--format", "json")
    assert code == 0
    told = json.loads(out)
    assert [row["used"] for row in told] == ["to learn", "to learn", "to test"]
    test = told[-1]
    assert abs(test["now_s"] / test["measured_s"] - 1) < 0.4 * abs(test["shipped_s"] / test["measured_s"] - 1)
    assert "90 % of unseen steps within" in err
    assert "on 8 devices at most" in err
    assert "the steps tell" in err
    assert (tmp_path / "calibrations" / "a100-sxm-80gb-site.toml").is_file()
    assert f"assay predict MODEL --on a100-sxm-80gb --catalog {tmp_path}" in err
    ask = ("predict", "mpt-1b", "--on", "8x a100-sxm-80gb", "--catalog", tmp_path, "--format", "json")
    code, out, _ = assay(capsys, *ask)
    assert code == 0
    assert "a100-sxm-80gb-site" in out


def test_one_run_teaches_little_and_says_what_would_teach_more(tmp_path, capsys):
    code, out, err = assay(capsys, "calibrate", trained(tmp_path, slower=1.2), "-o", tmp_path)
    assert code == 0
    assert "to learn" in out
    assert "one run teaches little more than an overall factor" in err
    assert "a second with a larger batch or another model would tell compute from memory" in err


def test_equal_runs_are_one_job(tmp_path, capsys):
    code, _, err = assay(capsys, "calibrate", *(trained(tmp_path, slower=s) for s in (1.2, 1.22)), "-o", tmp_path)
    assert code == 0
    assert "2 runs of one job teach little more than an overall factor" in err


def test_this_processor_can_be_asked_for_afterwards(tmp_path, capsys):
    runs = [RUNS / name for name in ("cpu-gemm", "cpu-membw", "cpu-train-step")]
    code, _, err = assay(capsys, "calibrate", *runs, "-o", tmp_path)
    assert code == 0
    assert "--on this-machine" in err
    ask = ("predict", "gpt2", "--on", "this-machine", "--precision", "fp32", "--batch", "2", "--seq-len", "256")
    code, out, _ = assay(capsys, *ask, "--catalog", tmp_path, "--format", "json")
    assert code == 0
    assert "this-machine-site" in out
    code, out, _ = assay(capsys, "catalog", "this-machine", "--catalog", tmp_path)
    assert code == 0


def test_what_probes_alone_teach_claims_less_than_steps_and_does_not_outlive_them(tmp_path, capsys):
    probes = [RUNS / name for name in ("cpu-gemm", "cpu-membw")]
    assert assay(capsys, "calibrate", *probes, RUNS / "cpu-train-step", "-o", tmp_path)[0] == 0
    assert assay(capsys, "calibrate", *probes, "-o", tmp_path)[0] == 0
    assert 'evidence = "C"' in (tmp_path / "calibrations" / "this-machine.toml").read_text(encoding="utf-8")
    ask = ("predict", "gpt2", "--on", "this-machine", "--precision", "fp32", "--batch", "2", "--seq-len", "256")
    code, out, _ = assay(capsys, *ask, "--catalog", tmp_path, "--format", "json")
    assert code == 0
    assert '"evidence": "A"' in out


def test_runs_that_say_nothing_of_a_job_are_refused_with_what_would_do(tmp_path, capsys):
    code, _, err = assay(capsys, "calibrate", RUNS / "h100-sustain", "-o", tmp_path)
    assert code == 2
    assert "assay measure train-step" in err
    code, _, err = assay(capsys, "calibrate", kept(tmp_path, 1.0, {"model": "mpt-7b"}), "-o", tmp_path)
    assert code == 2
    assert '{"event": "setting", "name": "plan"' in err
    code, _, err = assay(capsys, "calibrate", RUNS / "cpu-gemm", "--test", RUNS / "cpu-train-step", "-o", tmp_path)
    assert code == 2
    assert "no training step is among these runs" in err
    assert not (tmp_path / "calibrations").exists()


def test_steps_that_never_settled_could_not_be_measured(tmp_path, capsys):
    told = dict(store.load(trained(tmp_path)).settings)
    code, _, err = assay(capsys, "calibrate", kept(tmp_path, list(np.linspace(1.0, 4.0, 60)), told), "-o", tmp_path)
    assert code == 3
    assert "never settled (60 of them)" in err
    assert "when the machine is quiet" in err


def test_a_run_that_disagrees_wildly_is_named(tmp_path, capsys):
    sizes = [
        PLANS["small"],
        PLANS["large"],
        replace(PLANS["small"], micro_batch=2),
        replace(PLANS["small"], micro_batch=4),
    ]
    runs = [trained(tmp_path, plan=plan, slower=1.1) for plan in sizes]
    liar = trained(tmp_path, "mpt-1b", slower=4.0)
    code, _, err = assay(capsys, "calibrate", *runs, liar, "-o", tmp_path)
    assert code == 0
    assert "slower than the others explain" in err
    assert store.load(liar).id in err
    assert "nothing in its record says why" in err


def test_two_runs_that_disagree_ask_for_a_third(tmp_path, capsys):
    runs = [trained(tmp_path, plan=plan, slower=s) for plan, s in zip(PLANS.values(), (0.5, 2.5), strict=True)]
    code, _, err = assay(capsys, "calibrate", *runs, "-o", tmp_path)
    assert code == 0
    assert "no constants explain both steps; a third run would tell" in err


def test_a_slow_run_is_named_with_what_its_own_record_says_of_it(tmp_path, capsys):
    """The H100 that was recorded, with other batches, and once while others used it."""
    run = store.load(RUNS / "h100-train-step")
    others = []
    for micro_batch in ("1", "2", "4", "16"):
        told = {**run.settings, "micro_batch": micro_batch, "global_batch": micro_batch}
        others.append(
            store.save(replace(run, settings=told, series=_scaled(run.series, (int(micro_batch) + 6) / 14)), tmp_path)
        )
    assert assay(capsys, "calibrate", *others, "-o", tmp_path)[0] == 0
    slow = replace(run, series=_scaled(run.series, 4.0), environment={**run.environment, "contended": True})
    code, _, err = assay(capsys, "calibrate", *others, store.save(slow, tmp_path), "-o", tmp_path)
    assert code == 0
    assert "slower than the others explain: others used the machine meanwhile" in err


def _scaled(found, factor):
    return tuple(
        series(s.of, s.metric, s.at_s, s.value * factor if s.metric.endswith("_s") else s.value, index=s.index,
               rank=s.rank, warmup=s.warmup)
        for s in found
    )  # fmt: skip
