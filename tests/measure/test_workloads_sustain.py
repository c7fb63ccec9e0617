"""Hours of one case are a line a second, and the case is the one with the most work in its time."""

import time

import pytest
from tests.measure.workloads import FOLDER, TORCH, cases, events, kit, lines, needs_torch, refused, times

from assay.measure.workloads import sustain

PRETEND = (TORCH, str(FOLDER.parents[3] / "tests" / "fakes" / "pretend_cuda.py"))


def row(name, seconds, before=None, **more):
    """A case that takes so long."""

    def step(loops):
        end = time.perf_counter() + loops * seconds
        while time.perf_counter() < end:
            pass

    return {"name": name, "device": "cpu", **more}, lambda: step, before


def test_a_window_is_the_sum_of_its_times_over_the_number_in_it():
    said = lines("sustain", {"budget_s": 2.5, "options": {"of": "launch", "case": "python call"}})
    (begun,) = cases(said).values()
    assert begun["name"] == "sustain python call"
    windows = [line for line in said if "time_s" in line]
    assert [line["step"] for line in windows] in ([0, 1], [0, 1, 2])
    for line in windows:
        assert 0.5 < line["time_s"] * line["loops"] < 2.5  # a second, and what the clock and a busy machine add
    assert events(said, "setting")[0]["value"] == "python call"
    assert events(said, "end")[0]["case"] == "sustain python call"


def test_what_is_done_before_a_repetition_does_not_count():
    def before():
        time.sleep(0.01)

    _, prepare, _ = row("c", 0.001)
    seconds, loops = next(sustain.windows(prepare(), before, 0.1, 0.1))
    assert loops <= 10
    assert seconds / loops < 0.009


def test_the_case_with_the_highest_rate_is_taken_whatever_takes_longer():
    rows = [row("small", 0.001, flop=1e6), row("large", 0.004, flop=9e6), row("slow", 0.02, flop=9e6)]
    assert sustain.choose(kit(), rows)[0]["name"] == "large"


def test_bytes_count_where_there_are_no_operations_and_calls_where_there_are_no_bytes():
    assert sustain.choose(kit(), [row("a", 0.001, bytes=10), row("b", 0.01, bytes=20)])[0]["name"] == "a"
    assert sustain.choose(kit(), [row("a", 0.004), row("b", 0.001)])[0]["name"] == "b"


def test_the_chosen_device_is_sustained_and_not_the_host_beside_it():
    rows = [row("host", 0.001, flop=9e9), row("device", 0.001, flop=1.0, device="cuda:0")]
    assert sustain.choose(kit(place="cuda:0"), rows)[0]["name"] == "device"


def test_a_case_that_cannot_be_done_gives_way_to_one_that_can():
    def fails():
        raise RuntimeError("no such format here")

    broken = ({"name": "broken", "device": "cpu"}, fails, None)
    assert sustain.choose(kit(), [broken, row("whole", 0.001)])[0]["name"] == "whole"
    with pytest.raises(SystemExit, match="none could be done; the last one said: RuntimeError: no such format here"):
        sustain.choose(kit(), [broken])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"of": "collective"}, "of: collective has no cases to repeat"),
        ({"of": "nothing"}, "no workload nothing"),
        ({"of": "../gemm"}, "of: ../gemm cannot be sustained"),
        ({"of": "sustain"}, "of: sustain cannot be sustained"),
        ({"of": "launch", "case": "zzz"}, "case: launch has none that is like zzz"),
        ({"minutes": "long"}, "minutes: long is no length of time"),
        ({"minutes": "nan"}, "minutes: nan is no length of time"),
        ({"minutes": "-1"}, "minutes: -1 is no length of time"),
    ],
)
def test_what_cannot_be_sustained_is_refused(options, words):
    assert words in refused("sustain", {"options": options})


def test_storage_can_be_sustained_and_leaves_nothing_behind(tmp_path):
    said = lines(
        "sustain", {"folder": str(tmp_path), "options": {"of": "storage", "case": "read *", "minutes": "0.01"}}
    )
    assert times(said, "sustain read 16 MiB")
    assert list(tmp_path.iterdir()) == []


@needs_torch
def test_the_allocator_of_a_device_is_read_beside_each_window():
    said = lines("sustain", {"device": "cuda", "options": {"case": "torch fp32 128x128x128*"}}, command=PRETEND)
    (window,) = [line for line in said if "time_s" in line]
    assert (window["memory_allocated_bytes"], window["memory_reserved_bytes"]) == (1000, 2000)
