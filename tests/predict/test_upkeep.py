"""Staying up: what saves and stops leave of a job's time."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.assumption import Assumption, exactly
from assay.counting import parameters
from assay.feed import Checkpoint, Store
from assay.plan import Plan
from assay.predict.answer import answer
from assay.predict.calibrated import Calibrated
from assay.predict.upkeep import saved_bytes, upkeep
from assay.result import Result
from assay.uptime import goodput

from .conftest import cluster, gpt, training

YEAR_S = 365.25 * 86400.0
PLAN = Plan(data=8, micro_batch=4)


def kept(**changes: object) -> Checkpoint:
    store = Store(name="the storage", stated=True, read_bytes_per_s=1e9, write_bytes_per_s=1e9)
    values: dict[str, object] = {
        "store": store, "failure_hz": exactly(1.0 / YEAR_S), "restart_s": exactly(600.0), "save_s": exactly(60.0),
    }  # fmt: skip
    return Checkpoint(**(values | changes))  # type: ignore[arg-type]


def result(checkpoint: Checkpoint | None, nodes: int = 1) -> Result:
    job = training(checkpoint=checkpoint, target_tokens=1e12)
    return answer(job, cluster(nodes), replace(PLAN, data=8 * nodes), Calibrated())


def test_a_checkpoint_is_fourteen_bytes_a_parameter():
    """Llama-3.1-8B's is 112 GB: fp32 master and two moments beside 16-bit weights."""
    job = training()
    assert saved_bytes(job) == pytest.approx(14.0 * parameters(job.model.shape))
    lora = replace(job, adapter_rank=8)
    assert saved_bytes(lora) < 0.05 * saved_bytes(job)
    assert saved_bytes(replace(job, optimizer="sgd")) == pytest.approx(10.0 * parameters(job.model.shape))


def test_one_case_by_hand():
    """8 devices that stop once a year: M = YEAR/8. P of 14 bytes at 1 GB/s: d. T = √(2dM); lost d/T + T/2M + R/M."""
    job = training(checkpoint=kept())
    found = upkeep(job, cluster(), PLAN, kept())
    d, m = 14e-9 * parameters(job.model.shape), YEAR_S / 8
    period = math.sqrt(2 * d * m)
    assert found.save_s.value == pytest.approx(d)
    assert found.period_s == pytest.approx(period)
    assert found.goodput.mean == pytest.approx(1 - d / period - period / 2 / m - 600.0 / m)


def test_time_to_train_is_that_of_the_steps_over_the_share_that_trains():
    alone, found = result(None), result(kept(failure_hz=Assumption(value=1e-5, low=3e-6, high=3e-5)))
    values = found.values
    assert values["compute_time_to_train_s"] == alone.values["time_to_train_s"]
    assert values["time_to_train_s"].mean == pytest.approx(
        alone.values["time_to_train_s"].mean / values["goodput"].mean
    )
    assert values["tokens_per_s"] == alone.values["tokens_per_s"]  # a rate is that of a step: nothing is counted twice
    assert values["energy_j"].mean == pytest.approx(values["power_w"].mean * values["time_to_train_s"].mean)
    late, early = (values["time_to_train_s"].high, alone.values["time_to_train_s"].high)
    assert late / values["time_to_train_s"].mean > early / alone.values["time_to_train_s"].mean


def test_the_interval_covers_the_range_of_failures():
    sure = Calibrated(residual_ln=0.0, evidence="A")
    rate = Assumption(value=1e-6, low=3e-7, high=3e-6)
    job = training(checkpoint=kept(failure_hz=rate), target_tokens=1e12)
    time = answer(job, cluster(), PLAN, sure).values["time_to_train_s"]
    period = upkeep(job, cluster(), PLAN, job.checkpoint).period_s
    for end in (rate.low, rate.high):
        exact = replace(job, checkpoint=kept(failure_hz=exactly(end), period_s=period))
        assert (
            time.low * (1 - 1e-9)
            <= answer(exact, cluster(), PLAN, sure).values["time_to_train_s"].mean
            <= time.high * (1 + 1e-9)
        )


def test_where_nobody_says_how_it_saves_nothing_is_counted():
    assert {"goodput", "compute_time_to_train_s", "checkpoint_s"}.isdisjoint(result(None).values)


@given(st.floats(1e-10, 1e-4), st.floats(1.0, 50.0), st.booleans(), st.sampled_from([None, 60.0, 3600.0]))
@settings(max_examples=60, deadline=None)
def test_more_failures_never_raise_goodput(rate, factor, behind, period):
    job = training()
    few, many = (
        upkeep(job, cluster(), PLAN, kept(failure_hz=exactly(r), behind=behind, period_s=period)).goodput
        for r in (rate, rate * factor)
    )
    assert many.mean <= few.mean * (1 + 1e-9)
    assert 0 < few.low <= few.mean <= few.high <= 1


@given(st.floats(1e-8, 1e-5), st.floats(1.0, 300.0), st.floats(0.0, 1800.0))
def test_youngs_period_is_near_the_best_there_is(stops, save, restart):
    best = max(float(goodput(stops, save, restart, math.sqrt(2 * save / stops) * 1.1**k)) for k in range(-20, 21))
    assert float(goodput(stops, save, restart)) >= best - 0.01


@given(st.floats(1.0, 100.0))
def test_faster_storage_never_lowers_goodput(factor):
    job, slow = training(), kept()
    fast = replace(slow, store=replace(slow.store, write_bytes_per_s=factor * 1e9))
    assert upkeep(job, cluster(), PLAN, fast).goodput.mean >= upkeep(job, cluster(), PLAN, slow).goodput.mean


def test_a_save_behind_training_waits_less_but_is_safe_later():
    wait, behind = (upkeep(training(), cluster(), PLAN, kept(behind=b)) for b in (False, True))
    assert behind.save_s.value < wait.save_s.value / 10
    assert behind.restart_s.value == pytest.approx(600.0 + behind.write_s.value)
    assert behind.period_s >= behind.write_s.value
    assert behind.goodput.mean > wait.goodput.mean


def test_nothing_restarts_sooner_than_it_is_read_back():
    slow = Store(name="the storage", stated=True, read_bytes_per_s=1e6, write_bytes_per_s=1e9)
    job = training()
    assert upkeep(job, cluster(), PLAN, kept(store=slow)).restart_s.value == pytest.approx(saved_bytes(job) / 1e6)


def test_unknown_storage_makes_a_save_of_unknown_length():
    wide = Assumption(value=60.0, low=5.0, high=300.0)
    for store in (None, Store(name="box", read_bytes_per_s=1e9)):  # nobody says how fast it writes
        found = upkeep(training(), cluster(), PLAN, kept(store=store, save_s=wide))
        assert (found.write_s, found.save_s) == (None, wide)


def test_what_never_stops_never_loses():
    found = result(kept(failure_hz=exactly(0.0)))
    assert found.values["goodput"].mean == 1.0
    assert "mtbf_s" not in found.values
    assert "stop never" in found.notes[-1]


def test_more_devices_stop_more_often():
    rates = [upkeep(training(gpt()), cluster(n), replace(PLAN, data=8 * n), kept()).stops_hz.value for n in (1, 4)]
    assert rates[1] == pytest.approx(4 * rates[0])
