"""`assay measure train-step --tune`: what is said is kept, and what would be ignored is refused."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.api.test_tuning import Bench

from assay import store
from assay.api import tuning
from assay.cli.main import main
from assay.run import Run


def assay(capsys, *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(list(args))
    out, err = capsys.readouterr()
    return end.value.code, out, err


@pytest.fixture
def tried(monkeypatch) -> list[Mapping[str, str]]:
    """The options of every trial of a machine that likes large batches."""
    bench, found = Bench(lambda o, _: 10.0 * int(o["micro_batch"])), []

    def measured(_: str, *, options: Mapping[str, str], **__: object) -> Run:
        found.append(options)
        return bench.run(options)

    monkeypatch.setattr(tuning, "measure", measured)
    monkeypatch.setattr(tuning, "MICRO_BATCHES", (1, 2, 4))
    return found


def test_accumulation_that_was_said_is_what_is_run_and_what_is_typed_next(capsys, tried, tmp_path):
    code, _, err = assay(
        capsys, "measure", "train-step", "--tune", "--out", str(tmp_path), "--device", "cpu",
        "--set", "accumulation=4", "--set", "recompute=none", "--set", "compile=off",
    )  # fmt: skip
    assert code == 0
    assert {options["accumulation"] for options in tried} == {"4"}
    assert {options["micro_batch"] for options in tried} == {"1", "2", "4"}
    assert "--set accumulation=4" in err.splitlines()[-1]


def test_a_batch_that_was_said_is_cut_in_other_ways(capsys, tried, tmp_path):
    fixed = ["--set", "accumulation=2", "--set", "micro_batch=2", "--set", "compile=off"]
    assay(capsys, "measure", "train-step", "--tune", "--out", str(tmp_path), "--device", "cpu", *fixed)
    assert {(o["micro_batch"], o["accumulation"]) for o in tried} == {("1", "4"), ("2", "2"), ("4", "1")}


def test_runs_that_predictions_rest_on_are_named_as_probes(capsys, tried, tmp_path, monkeypatch):
    asked: list[object] = []
    monkeypatch.setattr(tuning, "_expectation", lambda *args: asked.extend(args[-1]) or tuning._nothing)
    run = Run(id="", name="gemm", command=(), started="2026-11-26T02:00:00.000+00:00", duration_s=1.0, environment={})
    path = store.save(run, tmp_path)
    words = ["measure", "train-step", "--tune", "--out", str(tmp_path), "--device", "cpu", "--set", "compile=off"]
    assert assay(capsys, *words, "--probes", path.name)[0] == 0
    assert asked == [path]
    code, _, err = assay(capsys, *words, "--probes", "none")
    assert (code, "there is no run here" in err) == (2, True)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["gemm", "--tune"], '"gemm" has nothing to tune'),
        (["--tune", "--", "true"], "a command has nothing to tune"),
        (["train-step", "--tune", "--results", "figures.json"], "--probes"),
        (["train-step", "--tune", "--quick"], "--quick says nothing to --tune"),
        (["train-step", "--probes", "gemm"], "assay measure train-step --tune --probes RUN"),
    ],
)
def test_what_a_tuning_does_not_heed_is_refused(capsys, tried, args, says):
    code, _, err = assay(capsys, "measure", *args)
    assert (code, says in err) == (2, True), err
    assert tried == []
