"""A kept run is observed with what the catalog knows of its devices."""

from dataclasses import replace
from pathlib import Path

import pytest

from assay import store
from assay.api.observing import known_facts, observe
from assay.journal import Writer
from assay.machine import Device
from assay.observed import Facts
from assay.run import Case, Run
from assay.series import series

H100 = Device(name="NVIDIA H100 80GB HBM3", vendor="NVIDIA", id="GPU-0", memory_bytes=80e9)


def a_run(**changes) -> Run:
    steps = range(600)
    told = {
        "id": "", "name": "train-step", "command": (), "started": "2026-11-26T02:00:00.000+00:00", "duration_s": 600.0,
        "environment": {"flop_per_step": 3.0e14}, "settings": {"precision": "bf16"},
        "cases": (Case(name="", kind="step"),), "devices": (H100,),
        "series": (
            series("", "step_s", [i + 1.0 for i in steps], [1.0] * 600),
            series("", "input_wait_s", [i + 1.0 for i in steps], [0.41] * 600),
            series("", "compute_s", [i + 1.0 for i in steps], [0.55] * 600),
        ),
    }  # fmt: skip
    return Run(**(told | changes))


def kept(root: Path, run: Run) -> Path:
    with store.begin(run, root) as record:
        writer = Writer()
        text = writer.about(H100)
        for i in range(600):
            said = [("accel.busy", 0.59, "average"), ("accel.matrix.active", 0.5, "average"),
                    ("accel.power_w", 400.0 + i % 5, "average"), ("accel.energy_j", 402.0 * i, "counter")]  # fmt: skip
            text += writer.tick("GPU-0", float(i), said)
        (record.folder / "open" / "telemetry-000001.jsonl").write_text(text)
        record.compact(all=True)
        record.sample(run.samples)
        return record.close(run)


def test_the_verdict_is_one_sentence_with_the_largest_loss_first(tmp_path):
    seen = observe(kept(tmp_path, a_run()))
    assert "41" in seen.verdict
    assert "data" in seen.verdict
    assert seen.split.wall_s == pytest.approx(
        seen.split.input_s
        + seen.split.communication_s
        + seen.split.checkpoint_s
        + seen.split.compute_s
        + seen.split.other_s
    )


def test_mfu_needs_the_peak_that_the_catalog_knows(tmp_path):
    (usage,) = observe(kept(tmp_path, a_run())).usage
    assert usage.mfu == pytest.approx(3.0e14 / 989.4e12, rel=0.02)
    assert (usage.busy, usage.core) == (pytest.approx(0.59), None)  # no sensor for cores: nothing is said of them


def test_energy_is_counted_and_a_stretch_can_be_asked_for(tmp_path):
    path = kept(tmp_path, a_run())
    (whole, *_) = observe(path).energy
    (half, *_) = observe(path, window=(0.0, 300.0)).energy
    assert whole.method == "counter"
    assert whole.energy_j == pytest.approx(402.0 * 599, rel=0.01)
    assert half.energy_j == pytest.approx(whole.energy_j / 2, rel=0.02)


def test_a_price_is_the_catalogs_or_nobodys():
    assert known_facts(a_run()).price_usd_per_s is not None
    stranger = Device(name="Nobody's Accelerator", vendor="", id="x")
    facts = known_facts(a_run(devices=(stranger,)))
    assert (facts.price_usd_per_s, facts.peak_flop_per_s) == (None, None)
    assert facts.step_flop == 3.0e14


def test_a_run_without_sensors_is_observed_as_far_as_it_goes(tmp_path):
    seen = observe(store.save(a_run(devices=()), tmp_path))
    assert "data" in seen.verdict
    assert seen.usage == ()
    assert any("no device sensor" in note for note in seen.notes)


def test_what_is_said_of_a_run_is_completed_by_what_is_known(tmp_path):
    path = kept(tmp_path, a_run())
    (usage,) = observe(path, facts=Facts(price_usd_per_s=1.0)).usage
    assert usage.mfu == pytest.approx(3.0e14 / 989.4e12, rel=0.02)
    assert observe(path, facts=Facts(peak_flop_per_s=1e15)).usage[0].mfu == pytest.approx(0.3, rel=0.02)


def test_a_run_that_died_says_so_first(tmp_path):
    died = a_run(partial=True, stopped="it died (exit 2): no such file", exit_code=2)
    assert observe(kept(tmp_path, died)).verdict.startswith("it died (exit 2): no such file; 4")
    quiet = observe(store.save(a_run(series=(), devices=(), exit_code=3), tmp_path))
    assert quiet.verdict == "it ended with exit code 3"


def test_a_probe_says_what_it_reached_at_best(tmp_path):
    sizes = {"copy": 1e9, "add": 3e9}
    probe = a_run(
        cases=tuple(Case(name=name, kind="copy", size_bytes=size) for name, size in sizes.items()), devices=(),
        series=tuple(series(name, "time_s", range(30), [0.1] * 30) for name in sizes),
    )  # fmt: skip
    assert observe(store.save(probe, tmp_path)).verdict == "add reaches 30 GB/s"
    crowded = replace(probe, environment={"contended": True})
    assert observe(store.save(crowded, tmp_path / "b")).verdict.endswith("measure again")
