"""Runs that an H100 and a processor really made: what is made of them, and what was predicted of them unseen."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from assay import api, store
from assay.api.beside import beside, job_of
from assay.api.observing import observe
from assay.api.showing import run_study
from assay.errors import InputError
from assay.report import RunStudy
from assay.summary import figures, summarise

RUNS = Path(__file__).parents[1] / "recorded" / "runs"


@cache
def shown(name: str) -> RunStudy:
    return run_study(RUNS / name)


def figure(name: str, metric: str) -> float:
    return next(f.value for f in figures(store.load(RUNS / name)) if f.metric.name == metric)


def test_a_training_step_on_an_h100_lies_within_what_was_predicted_of_it():
    """Nothing was fitted to it: the constants are those of published H100 results."""
    told = {one.metric: one for one in shown("h100-train-step").beside}
    assert {"step_s", "tokens_per_s"} <= told.keys()
    for one in told.values():
        assert one.low <= one.measured <= one.high
    assert told["step_s"].measured == pytest.approx(told["step_s"].predicted, rel=0.10)


def test_a_training_step_on_a_processor_is_predicted_from_the_probes_beside_it():
    told = {one.metric: one for one in shown("cpu-train-step").beside}
    assert told["step_s"].measured == pytest.approx(0.517, rel=0.01)
    for one in told.values():
        assert one.low <= one.measured <= one.high
    assert told["step_s"].high > 3 * told["step_s"].low  # and says that it is not sure


def test_the_job_that_was_measured_is_the_job_that_is_predicted():
    run = store.load(RUNS / "h100-train-step")
    job, plan = job_of(run)
    assert (job.seq_len, job.global_batch, job.precision, plan.micro_batch) == (1024, 8, "bf16", 8)
    machine, _, _ = beside(run)
    assert "H100" in str(machine)


def test_mfu_is_of_the_steps_and_agrees_with_their_rate():
    told = shown("h100-train-step").observation.figures
    model_flop = 19846825771008.0
    assert told["mfu"] == pytest.approx(model_flop / figure("h100-train-step", "step_s") / 989.4e12, rel=0.02)


def test_devices_are_told_of_the_steps_and_not_of_the_setting_up():
    seen = shown("h100-train-step").observation
    (gpu,) = seen.usage
    assert gpu.window.begin_s > 15.0  # imports, the reference and warming up came before
    assert gpu.busy == pytest.approx(0.89, abs=0.02)
    assert gpu.matrix == pytest.approx(
        seen.figures["mfu"], abs=0.02
    )  # two ways to the same: sensors, and counting FLOP
    assert seen.verdict.startswith("nothing stands out: 99 % of the time is compute at 0.20 MFU")
    assert seen.troubles == ()


def test_energy_of_a_step_is_its_power_times_its_time():
    seen = shown("h100-train-step").observation
    (gpu,) = seen.usage
    per_step = seen.figures["step_energy_j"]
    assert per_step == pytest.approx(gpu.power_w * figure("h100-train-step", "step_s"), rel=0.03)
    assert seen.figures["step_energy_low_j"] <= per_step <= seen.figures["step_energy_high_j"]


def test_what_bursts_reach_is_above_what_is_sustained_at_the_power_limit():
    run = store.load(RUNS / "h100-gemm")
    told = {case.name: case.rate for case in summarise(run)}
    assert told["torch bf16 peak cuda:0"] == pytest.approx(786e12, rel=0.01)
    assert told["torch bf16 sustained cuda:0"] == pytest.approx(685e12, rel=0.01)
    known = [rate for name, rate in told.items() if name.startswith("torch bf16") and "sustained" not in name]
    assert max(known) == told["torch bf16 peak cuda:0"]
    seen = observe(RUNS / "h100-gemm")
    assert [t.kind for t in seen.troubles] == ["power throttle"]
    assert seen.verdict == (  # and not that a probe that rests wastes anything
        "bf16 products reach 786 TFLOP/s, 79 % of the datasheet's 989 TFLOP/s; 685 TFLOP/s sustained"
    )


def test_a_device_that_is_held_by_its_power_limit_for_minutes_is_said_to_be():
    seen = observe(RUNS / "h100-sustain")
    (trouble,) = (t for t in seen.troubles if t.kind == "power throttle")
    assert "held by its power limit for 25" in trouble.text
    (gpu,) = seen.usage
    assert gpu.bound == "compute-bound"
    assert "step_energy_j" not in seen.figures  # a second of products is no step


@pytest.mark.parametrize("name", ["h100-train-step", "h100-gemm", "h100-sustain", "cpu-train-step", "cpu-membw"])
def test_a_run_becomes_a_page_that_says_its_verdict_its_id_and_its_command(name, tmp_path):
    page = tmp_path / "run.html"
    api.report([RUNS / name], page)
    text = page.read_text(encoding="utf-8")
    study = shown(name)
    assert study.run.id in text
    assert re.search(r"<h1[^>]*>\s*" + re.escape(study.observation.verdict[0].upper()), text)
    assert "assay measure " + study.run.name in text
    assert ("NVIDIA H100 80GB HBM3" if name.startswith("h100") else "Intel(R) Xeon(R)") in text
    assert "http://" not in re.sub(r"http://www\.w3\.org[^\"' ]*", "", text)


def test_a_prediction_is_asked_for_only_where_there_is_none():
    assert not any("prediction" in step for step in shown("h100-train-step").next_steps)
    with pytest.raises(InputError, match="only a measured decoder"):
        job_of(store.load(RUNS / "h100-gemm"))
