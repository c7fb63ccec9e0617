"""One run, one sentence, and everything it rests on."""

import time

import numpy as np
import pytest
from tests.telemetry import fake_device as fake

from assay.observed import Facts, Observation, Trouble, Window
from assay.series import Series, series
from assay.telemetry.observe import observe
from assay.telemetry.verdict import SEVERITY, by_cost

CALM = {
    "step_s": 2.0, "step_noise": 0.008, "phi": 0.6, "noise": 0.008, "temp_noise": 0.35, "wave": 0.002, "drop": 0.0,
    "eval_every": 3600.0, "eval_s": 60.0, "save_every": 1800.0, "save_s": 5.0, "start_s": 10.0, "matrix": 0.5,
}  # fmt: skip


UNKNOWN = Facts()


def of(*troubles: fake.Trouble, facts: Facts = UNKNOWN, hours: float = 2.0, **style: float) -> Observation:
    run = fake.fleet(1, hours=hours, devices=4, troubles=troubles, **CALM | style)
    return observe(run.sensors, run.stream, run.devices, facts)


def steps(**parts: float) -> list[Series]:
    at = np.arange(1.0, 1001.0)
    return [series("", f"{name}_s", at, np.full(1000, v)) for name, v in ({"step": 1.0} | parts).items()]


def test_a_quiet_run_says_what_its_time_was_and_at_what_mfu():
    seen = of(facts=Facts(peak_flop_per_s=1e15, step_flop=4 * 1e15 * 2.0 * 0.4))
    assert seen.verdict.startswith("nothing stands out: ")
    assert "of the time is compute at 0.41 MFU" in seen.verdict  # of the steps: the first minute was setting up
    assert seen.troubles == ()


def test_waiting_for_data_is_said_in_so_many_words():
    assert observe([], steps(input_wait=0.41, compute=0.5)).verdict == "41 % of each step waits for data"


def test_the_most_costly_thing_comes_first():
    assert "waits for data" in observe([], steps(input_wait=0.3, checkpoint=0.2)).verdict
    assert "checkpoints" in observe([], steps(input_wait=0.11, checkpoint=0.2)).verdict


def test_a_throttle_says_what_share_of_the_run_it_cost():
    seen = of(fake.throttle(3, 2500.0, 1500.0))
    assert seen.verdict.startswith("device 3 slowed itself down for heat for 25 min")
    assert seen.verdict.endswith("% of the run")


def test_what_costs_nothing_that_can_be_told_is_a_headline_only_where_nothing_costs_time():
    dead = fake.frozen(2, "accel.power_w", 2500.0, 900.0)
    assert "device 2: power stood at" in of(dead).verdict
    assert "throttle" not in of(dead).verdict
    assert "for heat" in of(dead, fake.throttle(3, 3700.0, 1500.0)).verdict


def test_a_loss_that_is_no_number_comes_before_all_else():
    loss = np.full(1000, 2.0)
    loss[500:] = np.nan
    told = [*steps(input_wait=0.6), series("", "loss", np.arange(1.0, 1001.0), loss)]
    assert "loss is not a number" in observe([], told).verdict


def test_every_kind_a_detector_can_tell_has_its_place_in_the_order():
    import re
    from pathlib import Path

    from assay.telemetry import detectors

    source = "".join(p.read_text(encoding="utf-8") for p in Path(detectors.__file__).parent.glob("*.py"))
    kinds = {"stalls", "slow device", "unlike its peers"} | set(
        re.findall(r'kind(?:, cause)?\s*=\s*"([a-z -]+)"', source)
    ) - {"stable"}
    assert {"thermal throttle", "leak", "drift", "dead sensor"} <= kinds
    assert kinds <= SEVERITY.keys()


def test_troubles_are_in_the_order_of_their_severity():
    def one(kind: str, lost: float | None) -> Trouble:
        return Trouble(kind=kind, of="", window=Window(begin_s=0, end_s=1), text="", lost_s=lost)

    some = [one("gap", None), one("leak", None), one("drift", 5.0), one("straggler", 50.0), one("non-finite", None)]
    ranked = by_cost(some, Window(begin_s=0, end_s=100))
    assert [t.kind for t in ranked] == ["non-finite", "straggler", "drift", "leak", "gap"]


def test_what_no_sensor_told_is_in_the_notes_and_not_in_the_figures():
    at = np.arange(600.0)
    seen = observe([series("TPU-0", "accel.busy", at, np.full(600, 0.7))])
    assert {"power: no device tells it", "matrix units active: no device tells it"} <= set(seen.notes)
    assert "energy_j" not in seen.figures
    assert seen.figures["busy"] == pytest.approx(0.7)
    assert seen.usage[0].matrix is None
    assert "no step was reported" in " ".join(seen.notes)


def test_busy_alone_is_not_called_work():
    at = np.arange(600.0)
    assert "no sensor says with what" in observe([series("0", "accel.busy", at, np.full(600, 1.0))]).verdict


def test_energy_per_step_comes_with_its_interval_and_its_price():
    seen = of(facts=Facts(tariff_usd_per_j=0.1 / 3.6e6, pue=1.3))
    figures = seen.figures
    assert figures["step_energy_low_j"] < figures["step_energy_j"] < figures["step_energy_high_j"]
    assert figures["energy_usd"] == pytest.approx(figures["energy_j"] * 1.3 * 0.1 / 3.6e6)
    assert seen.energy[-1].device == "node"
    assert "host: no energy counter" in seen.energy[-1].doubt


def test_an_impossible_mfu_is_refused_in_the_notes():
    seen = of(facts=Facts(peak_flop_per_s=1e15, step_flop=1e17))
    assert seen.usage[0].mfu is None
    assert any("the FLOP count or the peak is wrong" in note for note in seen.notes)


def test_a_dead_sensor_does_not_spoil_the_figures():
    sound, broken = of(), of(fake.scaled(2, "accel.matrix.active", 2500.0, 900.0, 0.0))
    assert broken.usage[2].matrix == pytest.approx(sound.usage[2].matrix, rel=0.02)


def test_nothing_read_is_said_to_be_nothing_read():
    seen = observe([])
    assert seen.verdict == "nothing stands out"
    assert "no device sensor was read" in seen.notes


def test_the_same_series_give_the_same_answer_in_any_order():
    run = fake.fleet(2, hours=1.0, devices=3, troubles=[fake.throttle(1, 1500.0, 600.0)], **CALM)
    one, other = (
        observe(run.sensors, run.stream, run.devices),
        observe(run.sensors[::-1], run.stream[::-1], run.devices),
    )
    assert {t.text.partition(":")[2] for t in one.troubles} == {t.text.partition(":")[2] for t in other.troubles}
    assert one.figures.keys() == other.figures.keys()


def test_a_whole_day_of_eight_devices_is_read_in_seconds():
    run = fake.fleet(3, hours=8.0, devices=8, **CALM)
    begun = time.process_time()
    observe(run.sensors, run.stream, run.devices, Facts(price_usd_per_s=2.5 / 3600))
    assert time.process_time() - begun < 5.0
