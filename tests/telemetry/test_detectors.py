"""What goes wrong is seen, and dated; what does not is left in peace."""

import time

import numpy as np
import pytest
from tests.telemetry import fake_device as fake

from assay.observed import Trouble
from assay.series import series
from assay.telemetry import detectors
from assay.telemetry.board import board

CALM = {
    "step_s": 2.0, "step_noise": 0.008, "phi": 0.6, "noise": 0.008, "temp_noise": 0.35, "wave": 0.002, "drop": 1e-3,
    "eval_every": 3600.0, "eval_s": 200.0, "save_every": 1800.0, "save_s": 20.0, "start_s": 60.0,
}  # fmt: skip
AT = 4000.0


def told(run: fake.Fleet) -> tuple[Trouble, ...]:
    return detectors.detect(board(run.sensors, run.stream, run.devices))


def run(*troubles: fake.Trouble, hours: float = 2.5, devices: int = 4, seed: int = 1, **style: float) -> fake.Fleet:
    return fake.fleet(seed, hours=hours, devices=devices, troubles=troubles, **CALM | style)


def of(found: tuple[Trouble, ...], kind: str) -> Trouble:
    right = [t for t in found if t.kind == kind]
    assert right, [(t.kind, t.text) for t in found]
    return right[0]


# --- the promise: eight hours, eight devices, twenty metrics ---------------------------------------------------------


def test_throttle_drift_leak_and_a_dead_sensor_are_all_found_within_a_minute_in_eight_hours():
    whole = run(
        fake.throttle(2, 9000.0, 300.0),
        fake.drift(20000.0, 0.0, 0.05),
        fake.leak(1, 12000.0, 1e9),
        fake.frozen(3, "accel.power_w", 15000.0, 900.0),
        hours=8, devices=8,
    )  # fmt: skip
    found = told(whole)
    for kind, where, at in (
        ("thermal throttle", fake.identity(2), 9000.0), ("drift", "", 20000.0), ("leak", fake.identity(1), 12000.0),
        ("dead sensor", fake.identity(3), 15000.0),
    ):  # fmt: skip
        (trouble,) = [t for t in found if t.kind == kind and t.of == where]
        assert trouble.window.begin_s == pytest.approx(at, abs=60), trouble.text
    # Nothing is invented beside them: the rank that leaks and the rank that was slow for five minutes are the same.
    assert {(t.kind, t.of) for t in found} - {("leak", "rank 1"), ("straggler", "rank 2")} == {
        ("thermal throttle", fake.identity(2)), ("drift", ""), ("leak", fake.identity(1)),
        ("dead sensor", fake.identity(3)),
    }  # fmt: skip


def test_nothing_is_invented_on_a_clean_day_and_looking_takes_less_than_three_seconds():
    clean = run(hours=8, devices=8, seed=5)
    begun = time.process_time()
    found = told(clean)
    assert time.process_time() - begun < 3.0
    assert sum(map(len, clean.sensors)) > 4_000_000
    assert found == ()


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_invented_at_sites_of_every_style(seed):
    assert told(fake.fleet(seed + 40, hours=2.0, devices=4)) == ()


def test_nothing_is_invented_where_hardly_anything_is_measured():
    few = run(without=[*fake.COUNTERS, "accel.core.active", "accel.matrix.active", "accel.memory.active",
                       "accel.occupancy", "accel.power.limit_w"])  # fmt: skip
    assert told(few) == ()


# --- one at a time ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("devices", [1, 4])
def test_a_throttle_that_no_flag_tells_is_seen_in_the_clock(devices):
    silent = run(fake.throttle(0, AT, 300.0, flagged=False), devices=devices,
                 without=["accel.throttle.thermal", "accel.throttle.thermal.time_s"])  # fmt: skip
    found = [t for t in told(silent) if t.kind in ("thermal throttle", "slow clock")]
    assert found[0].of == fake.identity(0)
    assert found[0].window.begin_s == pytest.approx(AT, abs=60)
    assert found[0].lost_s == pytest.approx(0.15 * 300, rel=0.25)


def test_a_throttle_that_comes_and_goes_is_one_and_two_apart_are_two():
    twice = told(run(fake.throttle(0, 3000.0, 200.0), fake.throttle(0, 6000.0, 200.0)))
    assert len([t for t in twice if t.kind == "thermal throttle"]) == 2

    def flicker(world: fake.World) -> None:
        on = world.span(AT, 1200.0) & (world.t % 20 < 4)
        world.thermal[0, on] = 1.0
        world.clock[0, on] *= 0.8

    (one,) = [t for t in told(run(flicker)) if t.kind == "thermal throttle"]
    assert one.window.length_s == pytest.approx(1200, abs=60)


def test_a_blink_of_a_flag_is_no_throttle():
    assert told(run(fake.throttle(0, AT, 2.0, to=1.0))) == ()


def test_a_lowered_power_limit_is_named_as_the_cause():
    found = told(run(fake.power_cap(1, AT, 1500.0, 450.0)))
    cap = of(found, "power cap")
    assert "lowered from 700 W to 450 W" in cap.text
    assert cap.window.begin_s == pytest.approx(AT, abs=60)
    assert {t.kind for t in found} <= {"power cap", "drift", "straggler"}


def test_a_slow_drift_is_told_with_the_interval_it_began_in():
    drift = of(told(run(fake.drift(8000.0, 7200.0, 0.05), hours=6)), "drift")
    assert drift.window.begin_s == pytest.approx(8000, abs=400)
    assert "it began between" in drift.text
    assert "no other sensor moved" in drift.text or "compute grew" in drift.text


def test_a_drift_says_what_moved_with_it():
    def slow_storage(world: fake.World) -> None:
        world.input_s += 0.2 * (world.t > AT)

    drift = of(told(run(slow_storage)), "drift")
    assert "input wait grew from" in drift.text
    assert drift.window.begin_s == pytest.approx(AT, abs=60)
    heat = of(told(run(fake.throttle(1, AT, 3000.0))), "drift")
    assert "core clock of device 1 fell" in heat.text


def test_a_slow_spell_ends_when_it_ends():
    def spell(world: fake.World) -> None:
        world.slow *= 1 + 0.1 * world.span(AT, 1800.0)

    drift = of(told(run(spell)), "drift")
    assert drift.window.end_s == pytest.approx(AT + 1800, abs=200)


def test_a_slow_start_is_no_drift():
    def cold(world: fake.World) -> None:
        world.slow *= 1 + 0.15 * np.exp(-world.t / 200)

    assert told(run(cold)) == ()


def test_a_leak_says_when_memory_will_be_full():
    leak = of(told(run(fake.leak(1, 2000.0, 2e9), stream=False)), "leak")
    assert leak.window.begin_s == pytest.approx(2000, abs=60)
    assert "2 GB an hour" in leak.text
    assert "full in" in leak.text


@pytest.mark.parametrize("shape", ["once", "tiring", "released"])
def test_memory_that_settles_is_no_leak(shape):
    def grow(world: fake.World) -> None:
        world.extra_memory[0] += {
            "once": 3e9 * (world.t > AT),
            "tiring": 4e9 * (1 - np.exp(-world.t / 1500)),
            "released": 1e9 * (world.t % 3000) / 3000,
        }[shape]

    assert [t.text for t in told(run(grow)) if t.kind == "leak"] == []


def test_memory_that_is_held_and_not_used_is_fragmentation():
    def pieces(world: fake.World) -> None:
        world.held += 6e9 * (world.t - 2500.0).clip(0) / 3600

    found = told(run(pieces))
    assert of(found, "fragmentation").window.begin_s == pytest.approx(2500, abs=240)
    assert "leak" not in {t.kind for t in found}


def test_a_straggler_is_named_and_so_is_what_the_others_lose():
    slow = of(told(run(fake.straggler(2, AT, 0.08))), "straggler")
    assert slow.of == "rank 2"
    assert slow.window.begin_s == pytest.approx(AT, abs=60)
    assert slow.lost_s == pytest.approx(0.08 * 0.8 * (9000 - AT), rel=0.35)


@pytest.mark.parametrize("ranks", [2, 3, 8])
def test_ranks_that_are_merely_unlike_have_no_straggler(ranks):
    rng = np.random.default_rng(0)
    told_by = [
        series("", name, np.arange(400.0), value, rank=rank)
        for rank in range(ranks)
        for name, value in (
            ("step_s", np.full(400, 1.0)),
            ("communication_s", 0.2 + 0.01 * rank / ranks + 0.03 * rng.standard_normal(400)),
        )
    ]  # fmt: skip
    assert detectors.detect(board([], told_by)) == ()


def test_a_device_that_is_slow_from_the_first_second_is_seen_beside_its_peers():
    slow = of(told(run(fake.throttle(3, 0.0, 1e9, 0.9, flagged=False))), "slow device")
    assert slow.of == fake.identity(3)
    assert "below that of its peers" in slow.text


def test_a_deadlock_at_100_percent_busy_is_stalled_and_not_work():
    stalled = of(told(run(fake.deadlock(AT, 600.0))), "stalled")
    assert stalled.window.begin_s == pytest.approx(AT, abs=60)
    assert "100 % busy" in stalled.text


def test_a_run_that_never_ends_another_step_hangs():
    steps = np.arange(0.0, 3000.0, 2.0)
    busy = series("GPU-0", "accel.busy", np.arange(6000.0), np.where(np.arange(6000) < 3000, 1.0, 0.0))
    hung = of(detectors.detect(board([busy], [series("", "step_s", steps, np.full(len(steps), 2.0))])), "hung")
    assert hung.window.begin_s == pytest.approx(3000, abs=5)


def test_regular_stops_are_told_as_regular_and_are_no_drift():
    def every_ten_minutes(world: fake.World) -> None:
        world.phase[(world.t % 600 < 40) & (world.t > 700)] = 0

    found = told(run(every_ten_minutes, save_s=0.0, eval_s=0.0))
    assert "every 10 min" in of(found, "periodic stall").text
    assert "drift" not in {t.kind for t in found}


def test_regular_stops_that_are_marked_as_checkpoints_are_no_trouble():
    assert told(run(save_every=600.0, save_s=60.0)) == ()


def test_a_device_that_gets_warmer_while_its_peers_do_not_is_heating():
    hot = of(told(run(fake.heating(1, 3000.0, 12.0, 3600.0))), "heating")
    assert hot.of == fake.identity(1)
    assert "its peers did not" in hot.text


def test_a_room_that_gets_warmer_is_one_trouble_and_not_four():
    hot = told(run(*(fake.heating(i, 3000.0, 15.0, 4000.0) for i in range(4))))
    assert [(t.kind, t.of) for t in hot] == [("heating", "")]


def test_errors_are_told_from_their_first_and_few_corrected_ones_are_not():
    at = np.arange(7200.0)
    sensors = [
        series("a", "accel.errors.uncorrected", at, 1.0 * (at > 5000)),
        series("b", "accel.errors.corrected", at, np.floor(at / 3000)),
        series("c", "accel.errors.corrected", at, np.floor((at - 4000).clip(0) / 10)),
        series("d", "accel.event.code", at, np.where(at > 6000, 79.0, 0.0)),
        series("e", "link.errors", at, np.floor((at - 3000).clip(0) / 60)),
        series("f", "link.health", at, np.where(at > 2000, 17 / 18, 1.0)),
    ]
    found = {t.of: t for t in detectors.detect(board(sensors))}
    assert set(found) == {"a", "c", "d", "e", "f"}
    assert {t.kind for t in found.values()} == {"error"}
    dates = {"a": 5000, "c": 4000, "d": 6000, "e": 3000, "f": 2000}
    assert all(found[k].window.begin_s == pytest.approx(date, abs=61) for k, date in dates.items())


def test_a_neighbour_is_seen_in_stolen_time_and_in_a_second_process():
    at = np.arange(7200.0)
    sensors = [
        series("host", "host.cpu.steal", at, np.where((at > 3000) & (at < 4000), 0.2, 0.005)),
        series("GPU-0", "accel.processes", at, np.where(at > 5000, 2.0, 1.0)),
    ]
    found = detectors.detect(board(sensors))
    assert [t.kind for t in found] == ["noisy neighbour"] * 2
    assert [round(t.window.begin_s, -2) for t in found] == [3000, 5000]


def test_a_loss_that_is_no_number_and_one_that_climbs_for_good():
    at = np.arange(2000.0)
    falling = 2 + 3 * np.exp(-at / 300) + 0.05 * np.random.default_rng(0).standard_normal(2000)
    nan, climbs, spike = falling.copy(), falling.copy(), falling.copy()
    nan[1500:] = np.nan
    climbs[1500:] += 2.0
    spike[1500:1530] += 2.0
    (first,) = detectors.detect(board([], [series("", "loss", at, nan)]))
    assert (first.kind, first.window.begin_s) == ("non-finite", 1500.0)
    (second,) = detectors.detect(board([], [series("", "loss", at, climbs)]))
    assert (second.kind, second.window.begin_s) == ("diverged", pytest.approx(1500, abs=3))
    assert detectors.detect(board([], [series("", "loss", at, spike)])) == ()


def test_a_gradient_norm_that_overflows_now_and_then_is_no_trouble_and_one_that_stays_so_is():
    at, some = np.arange(300.0), np.ones(300)
    some[[3, 4, 150]] = np.inf
    assert detectors.detect(board([], [series("", "grad_norm", at, some)])) == ()
    some[290:] = np.nan
    (found,) = detectors.detect(board([], [series("", "grad_norm", at, some)]))
    assert (found.kind, found.window.begin_s) == ("non-finite", 290.0)
    assert found.text == "grad_norm is not a number in 10 of 300 reports, first in step 290"


def test_nothing_at_all_is_nothing_wrong():
    assert detectors.detect(board([])) == ()
    assert detectors.detect(board([series("a", "accel.busy", [1.0], [0.5])], [series("", "loss", [1.0], [2.0])])) == ()
