"""A site's runs teach what is otherwise there: on accelerators, on this processor, by commands that tell their job."""

from __future__ import annotations

import math
import random
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assay import store
from assay.api.beside import job_of
from assay.api.checking import shelves
from assay.api.learning import Learnt, learn, prior
from assay.api.predicting import calibrated, predict, system
from assay.api.teaching import teach
from assay.catalog.calibrations import calibration, write
from assay.errors import InputError, MeasureError
from assay.plan import Plan
from assay.predict import validate as filling
from assay.predict.calibrated import Calibrated
from assay.predict.site import MeasuredStep, step_seconds, taught

from .site_runs import PLANS, a100s, kept, ratio_ln, trained

RUNS = Path(__file__).parents[1] / "recorded" / "runs"
ROWS = Path("shared") / "published" / "training" / "mosaicml_llm_foundry.csv"
MOSAIC = next((up / ROWS for up in Path(__file__).parents[3:5] if (up / ROWS).is_file()), None)


def test_two_runs_of_a_slower_site_lower_the_error_on_a_third(tmp_path: Path) -> None:
    runs = [trained(tmp_path, plan=plan, slower=1.25) for plan in PLANS.values()]
    third = trained(tmp_path, "mpt-1b", slower=1.25)
    (found,) = teach(runs, tests=[third]).machines
    (test,) = found.tests
    assert ratio_ln(test.after_s, test.step.step_s) < 0.4 * ratio_ln(test.before_s, test.step.step_s)
    assert found.calibration.residual_ln < found.before_ln
    assert (found.calibration.applies_to, found.calibration.evidence) == ("a100-sxm-80gb", "A")


def test_the_next_prediction_of_that_machine_uses_it_and_says_so(tmp_path: Path) -> None:
    runs = [trained(tmp_path, plan=plan, slower=1.25) for plan in PLANS.values()]
    (found,) = teach(runs).machines
    write(found.calibration, tmp_path / "calibrations" / f"{found.calibration.name}.toml")
    job, plan = job_of(store.load(runs[0]))
    plain, here = (predict(job, system("8x a100-sxm-80gb"), plan, folders=f) for f in ((), (tmp_path,)))
    assert "a100-sxm-80gb-site" in here.sources
    assert (plain.step.evidence, here.step.evidence) == ("B", "A")
    assert here.step.mean == pytest.approx(1.25 * plain.step.mean, rel=0.05)
    assert here.step.high / here.step.low < plain.step.high / plain.step.low


def test_what_was_learnt_before_is_measured_anew_and_does_not_add_up(tmp_path: Path) -> None:
    runs = [trained(tmp_path, plan=plan, slower=1.25) for plan in PLANS.values()]
    (once,) = teach(runs).machines
    write(once.calibration, tmp_path / "calibrations" / "mine.toml")
    (twice,) = teach(runs, folders=(tmp_path,)).machines
    assert twice.calibration == once.calibration


def test_what_is_written_is_what_was_learnt(tmp_path: Path) -> None:
    (found,) = teach([trained(tmp_path, slower=1.3)]).machines
    write(found.calibration, tmp_path / "it.toml")
    again = calibration(tmp_path / "it.toml")
    assert again.devices == 8
    for name, value in found.calibration.constants.items():
        assert again.constants[name] == pytest.approx(value, rel=1e-3)


def test_a_command_tells_its_job_and_what_it_leaves_out_is_asked_for(tmp_path: Path) -> None:
    job, plan = job_of(store.load(trained(tmp_path)))
    assert (job.model.name, job.seq_len, job.global_batch, plan) == ("mpt-7b", 2048, 8, PLANS["small"])
    silent = kept(tmp_path, 1.0, {"model": "mpt-7b"})
    with pytest.raises(InputError, match=r'does not tell its plan, global_batch, seq_len.*"name": "plan"'):
        job_of(store.load(silent))
    with pytest.raises(InputError, match="is no number"):
        job_of(
            store.load(kept(tmp_path, 1.0, {"model": "mpt-7b", "plan": "dp=8", "seq_len": "x", "global_batch": "8"}))
        )


def test_several_nodes_are_known_by_the_plan_of_all_devices(tmp_path: Path) -> None:
    plan = Plan(data=16, micro_batch=2, zero_stage=3)
    (found,) = teach([trained(tmp_path, plan=plan, nodes=2, slower=1.1)]).machines
    assert found.calibration.devices == 16
    assert found.steps[0].before_s == pytest.approx(found.steps[0].step.step_s / 1.1, rel=0.01)


def test_runs_of_several_machines_teach_each_its_own(tmp_path: Path) -> None:
    lesson = teach([trained(tmp_path, slower=1.4), RUNS / "h100-train-step"])
    assert [found.calibration.applies_to for found in lesson.machines] == ["a100-sxm-80gb", "h100-sxm"]
    assert lesson.here is None


def test_a_processor_is_taught_with_its_probes_and_can_be_asked_for_by_name(tmp_path: Path) -> None:
    runs = [RUNS / name for name in ("cpu-gemm", "cpu-membw", "cpu-train-step")]
    lesson = teach(runs)
    (found,) = lesson.machines
    assert lesson.here is not None
    assert lesson.here.name == found.calibration.applies_to == "this-machine"
    assert {"matmul_half_k", "tile"} <= found.calibration.constants.keys()  # what its probes taught
    (one,) = found.steps
    assert ratio_ln(one.after_s, one.step.step_s) < 0.1 < ratio_ln(one.before_s, one.step.step_s)
    alone = store.save(replace(store.load(RUNS / "cpu-train-step"), environment={
        **store.load(RUNS / "cpu-train-step").environment, "cpu": "another"}), tmp_path)  # fmt: skip
    with pytest.raises(InputError, match=r"known by probes alone.*assay measure gemm"):
        teach([alone])
    ((_, error),) = teach([*runs, alone]).left_out
    assert "its processor is not that of run" in str(error)


def test_runs_that_cannot_teach_are_left_out_with_their_reason(tmp_path: Path) -> None:
    wandering = kept(tmp_path, list(np.linspace(1.0, 4.0, 60)), dict(store.load(trained(tmp_path)).settings))
    lesson = teach([trained(tmp_path, slower=1.2), RUNS / "h100-sustain", wandering])
    odd, unsettled = (str(error) for _, error in lesson.left_out)
    assert "only a measured decoder" in odd
    assert unsettled.startswith("its steps never settled (60 of them)")
    with pytest.raises(MeasureError, match="never settled"):
        teach([wandering])
    with pytest.raises(InputError, match="only a measured decoder"):
        teach([RUNS / "h100-sustain"])


def test_a_plan_that_cannot_be_is_left_out(tmp_path: Path) -> None:
    told = dict(store.load(trained(tmp_path)).settings)
    with pytest.raises(InputError, match="learned"):
        teach([kept(tmp_path, 1.0, {**told, "plan": "dp=8,pp=7"}, devices=a100s(8))])


def test_a_run_that_others_disturbed_is_doubted(tmp_path: Path) -> None:
    told = dict(store.load(trained(tmp_path)).settings)
    (found,) = teach([kept(tmp_path, 1.0, told, environment={"host": "n", "contended": True})]).machines
    assert found.steps[0].step.doubt == "others used the machine meanwhile"


@pytest.mark.skipif(MOSAIC is None, reason="published results are not beside this checkout")
def test_two_published_rows_of_a_site_lower_the_error_on_the_others_in_the_median() -> None:
    """MosaicML's A100 clusters as a site, from constants that were fitted on nothing."""
    known, rng = Calibrated(constants=prior("gpu"), residual_ln=0.7), random.Random(5)
    steps = [_as_step(one) for one in learn([MOSAIC or ROWS], shelves()) if one.label.device == "a100-sxm-80gb"]
    before, after, inside = list[float](), list[float](), list[float]()
    for _ in range(15):
        pair = rng.sample(range(len(steps)), 2)
        rest = [one for i, one in enumerate(steps) if i not in pair]
        found = taught("a100-sxm-80gb", [steps[i] for i in pair], known).calibration
        own = replace(known, constants=replace(known.constants, **found.constants))
        off = [[ratio_ln(step_seconds(one, by), one.step_s) for one in rest] for by in (known, own)]
        before.append(statistics.median(off[0]))
        after.append(statistics.median(off[1]))
        inside.append(statistics.fmean(error <= found.residual_ln for error in off[1]))
    assert statistics.median(after) < 0.9 * statistics.median(before)
    assert statistics.fmean(inside) >= 0.9


def _as_step(one: Learnt) -> MeasuredStep:
    known = shelves()
    machine, constants, _ = known.machine(one.row.accelerator, one.row.accel_per_node)
    case = filling.case_of(one.row, machine, known.model(one.row.model))
    plan, _ = filling.plan_of(case, constants)
    return MeasuredStep(
        name=one.row.id, runs=(one.row.id,), job=case.job, plan=plan, laid=one.laid, step_s=math.exp(-one.ln_speed),
        noise_ln=0.02,
    )  # fmt: skip


def test_shipped_constants_are_where_a_site_starts(tmp_path: Path) -> None:
    (found,) = teach([trained(tmp_path, slower=1.0)]).machines
    assert found.before_ln == calibrated(system("8x a100-sxm-80gb")).half_ln("dense")
    assert ratio_ln(found.steps[0].before_s, found.steps[0].step.step_s) < 0.01
