"""Energy: by counter, by power, and how far either may be off."""

import numpy as np
import pytest

from assay.machine import Device
from assay.observed import Energy, Window
from assay.series import series
from assay.telemetry.board import board
from assay.telemetry.energy import energy, node

T = np.arange(0.0, 601.0)
ALL = Window(begin_s=0.0, end_s=600.0)


def device(of: str = "0", busy: float = 0.9, limit: float = 700.0, power: object = None, counter: object = None,
           quality: str = "average") -> list:  # fmt: skip
    told = [series(of, "accel.busy", T, np.full(601, busy)), series(of, "accel.power.limit_w", T, np.full(601, limit))]
    if power is not None:
        told.append(series(of, "accel.power_w", T, np.broadcast_to(power, 601), quality=quality))
    if counter is not None:
        told.append(series(of, "accel.energy_j", T, counter, quality="counter"))
    return told


def drawn(told: list, window: Window = ALL, of: str = "0") -> Energy:
    return energy(board(told), of, window)


def test_the_counter_counts_first():
    one = drawn(device(power=300.0, counter=1e6 + 300.0 * T))
    assert (one.method, one.energy_j, one.doubt) == ("counter", pytest.approx(180e3), "")
    assert one.low_j < one.energy_j < one.high_j < 1.001 * one.energy_j


def test_a_counter_that_began_anew_is_no_negative_energy_and_the_interval_is_told():
    counter = 300.0 * T
    counter[300:] -= counter[300]
    one = drawn(device(counter=counter))
    assert one.energy_j == pytest.approx(599 * 300.0)
    assert one.high_j >= 600 * 300.0
    assert "reset 1 times" in one.doubt


def test_without_a_counter_power_is_added_up():
    one = drawn(device(power=np.where(T < 300, 100.0, 500.0)))
    assert (one.method, one.energy_j) == ("integral", pytest.approx(300 * 100 + 300 * 500, rel=0.002))


def test_power_is_not_carried_over_a_gap():
    told = [series("0", "accel.power_w", np.delete(T, slice(200, 400)), np.full(401, 300.0), quality="average")]
    one = drawn(told)
    assert one.energy_j == pytest.approx(400 * 300, rel=0.01)
    assert one.high_j >= 600 * 300 * 0.99
    assert "are not in it" in one.doubt


def test_a_counter_knows_what_went_on_in_a_gap():
    at = np.delete(T, slice(200, 400))
    one = drawn([series("0", "accel.energy_j", at, 300.0 * at)])
    assert one.energy_j == pytest.approx(180e3)


def test_counter_and_power_that_disagree_are_doubted():
    one = drawn(device(power=300.0, counter=200.0 * T))
    assert (one.method, one.energy_j) == ("counter", pytest.approx(120e3))
    assert "disagree by 50 %" in one.doubt


@pytest.mark.parametrize("watts", [0.0, 5000.0])
def test_a_counter_that_cannot_be_true_gives_way_to_power(watts):
    one = drawn(device(power=300.0, counter=1e6 + watts * T))
    assert (one.method, one.energy_j) == ("integral", pytest.approx(180e3, rel=0.01))


def test_no_sensor_is_no_energy_and_never_0():
    one = drawn(device())
    assert (one.energy_j, one.method) == (None, "none")
    assert one.doubt


def load(at: np.ndarray, phase: float) -> np.ndarray:
    """150 W and 600 W in turn, each for a quarter of a second."""
    return np.where((at + phase) % 0.5 < 0.25, 150.0, 600.0)


@pytest.mark.parametrize("length", [0.33, 1.0, 2.0, 5.0, 20.0])
def test_the_interval_of_a_counter_holds_the_truth_nine_times_in_ten_at_any_length(length):
    inside, widths = 0, []
    fine = np.arange(0.0, 40.0, 0.001)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        true = np.concatenate([[0.0], np.cumsum(load(fine, rng.random()) * 0.001)])
        updated = np.floor((fine + rng.random() * 0.1) / 0.1)  # the counter moves every 100 ms
        counter = true[:-1][np.searchsorted(updated, updated)]
        at = np.arange(rng.random() * 0.1, 39.0, 0.1)
        told = [series("0", "accel.energy_j", at, counter[(at / 0.001).astype(int)])]
        begin = 5.0 + rng.random()
        one = drawn(told, Window(begin_s=begin, end_s=begin + length))
        truth = np.interp([begin, begin + length], fine, true[:-1])
        inside += one.low_j <= truth[1] - truth[0] <= one.high_j
        widths.append((one.high_j - one.low_j) / one.energy_j)
    assert inside >= 54
    assert np.median(widths) == pytest.approx(2 * 0.14 / length, rel=0.35)


def test_power_of_single_instants_once_a_second_may_miss_all_that_lies_between():
    one = drawn(device(power=300.0, quality="instant"))
    assert one.low_j < 0.2 * one.energy_j
    assert one.high_j > 1.5 * one.energy_j
    assert one.high_j <= 1.2 * 700 * 600
    fast = np.arange(0.0, 60.0, 0.02)
    sure = drawn([series("0", "accel.power_w", fast, np.full(len(fast), 300.0), quality="instant")],
                 Window(begin_s=0, end_s=59.98))  # fmt: skip
    assert sure.high_j < 1.01 * sure.energy_j


def test_a_card_with_two_devices_of_which_one_shows_all_is_counted_once():
    told = device("a", counter=500.0 * T, power=500.0) + device("b", counter=0.0 * T, power=0.0)
    seen = board(told)
    found = [energy(seen, of, ALL) for of in ("a", "b")]
    assert found[1].energy_j is None
    assert "another device of its card" in found[1].doubt
    assert node(seen, ALL, found).energy_j == pytest.approx(300e3)


def test_partitions_that_each_show_the_card_are_counted_once():
    told = [s for of in ("p0", "p1", "p2") for s in device(of, counter=400.0 * T)]
    devices = [Device(name="slice", vendor="x", id=of, parent="card", partition="1g") for of in ("p0", "p1", "p2")]
    seen = board(told, devices=devices)
    assert node(seen, ALL, [energy(seen, d.id, ALL) for d in devices]).energy_j == pytest.approx(240e3)


def test_a_node_is_accelerators_processors_and_memory_and_an_estimate_is_no_part_of_it():
    told = device("a", counter=400.0 * T)
    told.append(series("b", "accel.power_w", T, np.full(601, 250.0), quality="estimated"))
    told += [series("host", "host.energy_j", T, 150.0 * T), series("host", "host.dram.energy_j", T, 20.0 * T)]
    seen = board(told)
    found = [energy(seen, of, ALL) for of in seen.devices]
    assert [e.estimated for e in found] == [False, True]
    whole = node(seen, ALL, found)
    assert whole.energy_j == pytest.approx(570 * 600)
    assert "b: not in the total" in whole.doubt


def test_a_node_of_which_nothing_is_known_is_not_0():
    seen = board([series("a", "accel.busy", T, np.full(601, 0.5))])
    assert node(seen, ALL, [energy(seen, "a", ALL)]).energy_j is None
