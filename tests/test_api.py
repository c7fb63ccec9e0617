"""The Python API as the README shows it: five names do the work, and they agree with each other."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import assay
from assay.errors import AssayError, InputError

JOB = {"seq_len": 1024, "global_batch": 64}


def test_the_example_of_the_front_page_runs():
    job = assay.workload("llama-3.1-8b", task="train", seq_len=8192, global_batch=512)
    best = assay.search(job, assay.system("hgx-h100", nodes=4))[0]
    one = assay.predict(job, assay.system("hgx-h100", nodes=4), assay.Plan(tensor=8, data=4))
    assert best.origin == one.origin == "predicted"
    assert best.step.mean <= one.step.mean
    assert (one.plan.tensor, one.plan.data) == (8, 4)


def test_the_best_of_the_search_is_what_predict_chooses_alone():
    job, machine = assay.workload("gpt2", **JOB), assay.system("hgx-h100")
    chosen, found = assay.predict(job, machine), assay.search(job, machine, top=3)
    assert (chosen.plan, chosen.step) == (found[0].plan, found[0].step)
    assert [r.step.mean for r in found] == sorted(r.step.mean for r in found)


def test_a_plan_found_by_the_search_costs_the_same_when_stated():
    job, machine = assay.workload("gpt2", **JOB), assay.system("hgx-h100", nodes=2)
    for found in assay.search(job, machine, top=5):
        assert assay.predict(job, machine, found.plan).values == found.values


def test_dp_that_nobody_said_is_what_the_machine_leaves():
    job, machine = assay.workload("gpt2", **JOB), assay.system("hgx-h100", nodes=2)
    assert assay.predict(job, machine, assay.Plan(tensor=4)).plan.data == 4


def test_a_target_makes_a_duration_of_whole_steps():
    job = assay.workload("gpt2", tokens=65536 * 10 + 1, **JOB)
    found = assay.predict(job, assay.system("hgx-h100"))
    assert found.values["time_to_train_s"].mean == pytest.approx(11 * found.step.mean)
    assert "time_to_train_s" not in assay.predict(assay.workload("gpt2", **JOB), assay.system("hgx-h100")).values


def test_a_config_json_is_as_good_as_a_name(tmp_path):
    config = (
        '{"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257, "n_positions": 1024}'
    )
    (tmp_path / "config.json").write_text(config)
    machine = assay.system("hgx-h100")
    named, read = (assay.predict(assay.workload(model, **JOB), machine) for model in ("gpt2", tmp_path / "config.json"))
    assert read.step == named.step


def test_validate_gives_every_row_a_prediction_or_a_reason(tmp_path):
    (tmp_path / "r.csv").write_text(
        "id,source,accelerator,metric_name,metric_value,model,n_accel\n"
        "a,us,H100,tokens/s/device,9000,llama-2-7b,8\nb,us,Abacus,tokens/s/device,1,llama-2-7b,8\n"
    )
    good, bad = assay.validate(tmp_path / "r.csv")
    assert (good.skipped, bad.predicted) == (None, None)
    assert "Abacus" in (bad.skipped or "")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: assay.workload("gpt-99"), "no model"),
        (lambda: assay.workload("gpt2", seq_len=0), "seq_len = 0 is not possible"),
        (lambda: assay.workload("gpt2", global_batch=-1), "global_batch"),
        (lambda: assay.workload("gpt2", tokens=0.0), "tokens"),
        (lambda: assay.workload("gpt2", precision="fp17"), "fp17"),
        (lambda: assay.system("h100-sxn"), "did you mean"),
        (lambda: assay.system("hgx-h100", nodes=0), "nodes = 0 is not possible"),
        (
            lambda: assay.predict(assay.workload("gpt2"), assay.system("hgx-h100"), assay.Plan(tensor=5)),
            "nearest legal tp: 4",
        ),
        (lambda: assay.predict(assay.workload("llama-3.1-70b"), assay.system("l4")), "short by"),
    ],
)
def test_what_cannot_be_raises_one_plain_sentence(call, says):
    with pytest.raises(InputError, match=says):
        call()


@given(st.text(max_size=20), st.integers(-2, 10**9))
def test_no_name_and_no_size_gives_anything_but_an_assay_error(name, size):
    for call in (
        lambda: assay.workload(name),
        lambda: assay.system(name, nodes=size),
        lambda: assay.workload("gpt2", seq_len=size),
    ):
        try:
            call()
        except AssayError as error:
            assert str(error)


ROOMS = """
import assay
before = assay.workload, assay.predict
import assay.predict.search, assay.workload as room
from assay.predict import estimate
job = assay.workload("gpt2", seq_len=1024, global_batch=64)
print(type(job).__name__, type(assay.predict(job, assay.system("hgx-h100"))).__name__, room.Workload.__name__)
"""


def test_a_verb_works_before_and_after_the_room_of_its_name_is_imported():
    done = subprocess.run([sys.executable, "-c", ROOMS], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["Workload", "Result", "Workload"]


def test_every_public_name_is_there_and_listed():
    assert set(assay.__all__) <= set(dir(assay))
    for name in assay.__all__:
        assert callable(getattr(assay, name)), name
    with pytest.raises(AttributeError, match="pedict"):
        assay.pedict  # type: ignore[attr-defined] # noqa: B018


def test_importing_assay_loads_nothing_heavy():
    code = "import sys, assay; print(*sys.modules)"
    held = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "pydantic", "duckdb", "rich"} & set(held)


def test_the_package_says_where_each_name_lives():
    for name in assay.__all__:
        home = importlib.import_module(assay._HOMES[name])
        assert hasattr(home, name)


def test_no_network_and_no_file_outside_the_catalog_is_needed(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert assay.predict(assay.workload("gpt2", **JOB), assay.system("hgx-h100")).step.mean > 0
    assert list(tmp_path.iterdir()) == []
