"""Tuning: settings in the order of their promise, what cannot win left out, the winner measured again."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.api import tuning
from assay.api.trials import FINALISTS, MARGIN, TURNS, Trial, Tuner, decided
from assay.api.tuning import candidates
from assay.errors import MeasureError, OutOfMemory
from assay.measure.inventory import detect
from assay.run import Case, Event, Run
from assay.series import Sample, gathered
from tests.measure.workloads import TORCH, needs_torch


class Bench:
    """A machine whose speed and memory are known: rate(options), and what runs out of memory from some batch on."""

    def __init__(self, rate, most=math.inf) -> None:
        self.rate, self.most, self.tried = rate, most, []

    def run(self, options: Mapping[str, str]) -> Run:
        self.tried.append(dict(options))
        batch = int(options["micro_batch"])
        if batch > self.most and options.get("recompute") != "full":
            raise OutOfMemory("out of memory", where="train-step")
        step_s = batch / self.rate(options, len(self.tried))
        samples = [
            Sample("step", metric, value, n, n * step_s) for n in range(1, 20)
            for metric, value in (("step_s", step_s), ("samples", float(batch)))
        ]  # fmt: skip
        return Run(id=f"{len(self.tried)}", name="train-step", command=("x",), started="", duration_s=1.0,
                   environment={}, cases=(Case(name="step", kind="step"),), series=gathered(samples))  # fmt: skip


def trial(batch, predicted=None, **more) -> Trial:
    return Trial(options={"micro_batch": str(batch), **more}, predicted_per_s=predicted, predicted_bytes=None)


def tuner(bench: Bench, seconds: float = 60.0) -> Tuner:
    return Tuner({}, bench.run, lambda _: None, time.monotonic() + seconds)


def test_the_fastest_that_fits_wins_and_larger_ones_than_what_ran_out_are_not_tried():
    bench = Bench(lambda o, _: 100.0 * int(o["micro_batch"]) ** 0.5, most=8)
    known = tuner(bench)
    known.go([trial(b) for b in (4, 16, 32, 8)] + [trial(32, recompute="full")])
    assert [t.outcome for t in known.trials] == ["measured", "out of memory", "left out", "measured", "measured"]
    assert known.trials[2].why == "micro_batch 16 ran out of memory"
    found = decided(known, "samples_per_s")
    assert found.best.options == {"micro_batch": "32", "recompute": "full"}
    assert found.best.measured_per_s == pytest.approx(100 * 32**0.5)
    assert len(found.best.runs) == TURNS
    assert found.tied == ()
    assert len(found.trials) == 5


@given(st.lists(st.floats(1.0, 100.0), min_size=2, max_size=12), st.floats(0.1, 10.0))
def test_with_predictions_that_are_right_but_for_a_factor_the_best_is_found(rates, factor):
    """Whatever the machine does to all alike; and nothing that could have won is left out."""
    bench = Bench(lambda o, _: factor * rates[int(o["n"])])
    known = tuner(bench)
    trials = [trial(1, rates[i], n=str(i)) for i in range(len(rates))]
    known.go(sorted(trials, key=lambda t: -t.predicted_per_s))
    assert decided(known, "samples_per_s").best.measured_per_s == pytest.approx(factor * max(rates))
    left_out = [rates[int(t.options["n"])] for t in known.trials if t.outcome == "left out"]
    assert all(rate * MARGIN < max(rates) for rate in left_out)


def test_settings_that_noise_does_not_tell_apart_are_tied():
    noise = {1: 100.0, 2: 103.0, 3: 50.0}
    bench = Bench(lambda o, n: noise.get(n, 104.0 if (n + int(o["micro_batch"])) % 2 else 99.0))
    known = tuner(bench)
    known.go([trial(1), trial(2), trial(4)])
    found = decided(known, "samples_per_s")
    assert {found.best.batch, *(t.batch for t in found.tied)} >= {1, 2}
    assert len(bench.tried) == 3 + FINALISTS * (TURNS - 1)


def test_a_trial_that_fails_is_told_and_when_all_fail_the_first_reason_is():
    def broken(_):
        raise MeasureError("torch is not installed", where="python3")

    known = Tuner({}, broken, lambda _: None, time.monotonic() + 9)
    known.go([trial(1), trial(2)])
    assert [t.outcome for t in known.trials] == ["failed", "failed"]
    with pytest.raises(MeasureError, match=r"no setting ran: .*torch is not installed"):
        decided(known, "samples_per_s")


def test_an_out_of_memory_that_the_program_survived_counts_too():
    def full(options):
        whole = Bench(lambda *_: 1.0).run(options)
        return replace(whole, series=(), events=(Event(at_s=1.0, kind="oom", text="no room"),), stopped="no room")

    known = Tuner({}, full, lambda _: None, time.monotonic() + 9)
    known.go([trial(4), trial(8)])
    assert [t.outcome for t in known.trials] == ["out of memory", "left out"]


def test_what_is_fixed_stays_and_a_fixed_batch_is_only_cut_in_other_ways():
    free = candidates({}, "cuda")
    assert {c["precision"] for c in free} == {"bf16"}
    assert {c["compile"] for c in free} == {"on", "off"}
    kept = candidates({"micro_batch": "4", "accumulation": "3", "recompute": "full"}, "cpu")
    assert {int(c["micro_batch"]) * int(c["accumulation"]) for c in kept} == {12}
    assert {c["micro_batch"] for c in kept} == {"1", "2", "4"}
    assert all("recompute" not in c for c in kept)
    assert {c["workers"] for c in candidates({"data": "real"}, "cpu", threads=4)} == {"0", "2", "4"}


@needs_torch
def test_a_real_tuning_survives_memory_that_runs_out(tmp_path, monkeypatch):
    """A machine with little memory: large batches end by the allocator's own error, in a process of their own."""
    whole = detect.host()
    monkeypatch.setattr(detect, "host", lambda: replace(whole, memory_limit_bytes=3.0e9))
    monkeypatch.setattr(tuning, "MICRO_BATCHES", (4, 128, 256))
    fixed = {"model": "gpt-tiny", "seq_len": "64", "vocab": "50000", "precision": "fp32", "compile": "off",
             "recompute": "none"}  # fmt: skip
    told: list[str] = []
    found = tuning.tune(
        fixed, python=TORCH, budget_s=90, trial_s=1.0, out=tmp_path, progress=told.append, together=True
    )
    outcomes = {t.batch: t.outcome for t in found.trials}
    assert outcomes == {4: "measured", 128: "out of memory", 256: "left out"}, told
    assert found.best.batch == 4
    assert found.best.measured_per_s > 0
    assert found.metric == "tokens_per_s"
