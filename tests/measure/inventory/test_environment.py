"""What went on around a measurement is counted, and too much of it is said."""

from dataclasses import replace

import pytest

from assay.measure.inventory import environment
from assay.measure.inventory.environment import Snapshot

CALM = Snapshot(
    at_s=100.0,
    load=0.5,
    busy_s=50.0,
    steal_s=1.0,
    own_s=10.0,
    pressure_s=2.0,
    hz=2e9,
    governor="performance",
    processes_s={},
)


def later(**changes) -> Snapshot:
    """Ten seconds on, with our own work of ten processor seconds and no other."""
    return replace(CALM, **{"at_s": 110.0, "busy_s": 60.0, "own_s": 20.0, **changes})


def test_our_own_work_is_no_contention():
    told = environment.describe(CALM, later(), threads=2)
    assert (told["others_cores"], told["contended"]) == (0, False)
    assert environment.warnings(told, 2) == ()


def test_a_neighbour_on_one_of_two_threads_is_contention_and_named():
    neighbour = {(7, "make"): 9.5}
    told = environment.describe(CALM, later(busy_s=70.0, processes_s=neighbour), threads=2)
    assert (told["others_cores"], told["contended"], told["busy_processes"]) == (1.0, True, ["make 0.95"])
    (warning,) = environment.warnings(told, 2)
    assert warning.startswith("contended: others used 1.0 of 2 threads")


def test_stolen_time_is_contention():
    told = environment.describe(CALM, later(steal_s=3.0), threads=2)
    assert (told["steal_share"], told["contended"]) == (0.1, True)


def test_a_neighbour_on_one_of_many_threads_is_not():
    assert environment.describe(CALM, later(busy_s=70.0), threads=64)["contended"] is False


def test_a_governor_that_saves_power_is_told():
    told = environment.describe(CALM, later(governor="powersave"), threads=2)
    assert "powersave" in environment.warnings(told, 2)[0]


def test_pressure_is_a_share_of_time_and_missing_is_none():
    assert environment.describe(CALM, later(pressure_s=7.0), threads=2)["pressure_share"] == pytest.approx(0.5)
    assert environment.describe(CALM, later(pressure_s=None), threads=2)["pressure_share"] is None


def test_counters_that_ran_backwards_are_not_negative_work():
    told = environment.describe(CALM, later(busy_s=0.0, steal_s=0.0), threads=2)
    assert (told["others_cores"], told["steal_share"]) == (0, 0)


def test_this_machine_can_be_read():
    now = environment.snapshot()
    assert now.busy_s > 0
    assert now.own_s > 0


def test_a_worker_that_is_named_anew_is_not_busy_for_all_its_life():
    before = replace(CALM, processes_s={(7, "kworker/0:1-events"): 900.0})
    told = environment.describe(before, later(processes_s={(7, "kworker/0:1-mm"): 900.1}), threads=2)
    assert told["busy_processes"] == []


def test_a_tenant_is_told_with_the_job_that_it_belongs_to():
    now = later(processes_s={(7, "train"): 9.5}, whose={7: ", Slurm job 5"})
    told = environment.describe(CALM, now, threads=2)
    assert (told["busy_processes"], told["tenants"]) == (["train 0.95"], ["train 0.95, Slurm job 5"])


def test_heat_during_a_run_is_a_warning_and_no_contention():
    told = environment.describe(replace(CALM, counted={"heat": 1.0}), later(counted={"heat": 4.0}), threads=2)
    assert (told["heat_throttles"], told["contended"]) == (3, False)
    assert environment.warnings(told, 2) == ("the processor throttled for heat 3 times",)
