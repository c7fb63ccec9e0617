"""The engine: every line is its own, every case gets its share, and what cannot be done is said."""

import itertools
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.measure.workloads import ENGINE, FOLDER, cases, events, kit, lines, refused, start, times

from assay.measure.workloads import sampling


def case(name="c", **more):
    return {"name": name, "kind": "dispatch", "library": "x", "device": "cpu", **more}


def fake(tmp_path, name, code):
    """A package of this name that is found first."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text(code)
    return {"PYTHONPATH": str(tmp_path)}


def work(loops):
    for _ in range(loops):
        sum(range(100))


DEVICES = """
class cuda:
    is_available = lambda: True
    device_count = lambda: 2
    synchronize = set_device = lambda name: print("waits for", name)
    memory_allocated = lambda name: 10
    memory_reserved = lambda name: 20
class backends:
    pass
def ones(count, device): return device
def add(a, b): return a
"""


def test_a_case_begins_is_sampled_and_ends():
    said = lines("launch", {"cases": ["python *"]})
    assert events(said, "begin")[0]["number"] == 1
    assert cases(said)["python call"]["kind"] == "dispatch"
    assert len(times(said, "python call")) >= 10
    assert [line["step"] for line in said if "time_s" in line] == list(range(len([x for x in said if "time_s" in x])))
    assert events(said, "end") == [{"at": said[-1]["at"], "event": "end", "case": "python call"}]
    assert all(a["at"] <= b["at"] for a, b in itertools.pairwise(said))


def test_what_was_done_before_a_crash_is_not_done_again_and_the_rest_is_counted():
    said = lines("launch", {"done": ["python call"]})
    assert "python call" not in cases(said)
    begun = [(line["number"], line["of"]) for line in events(said, "begin")]
    assert begun == [(n, len(begun)) for n in range(1, len(begun) + 1)]


def test_lines_go_to_the_folder_that_is_listened_to_and_standard_output_stays_empty(tmp_path):
    done = start("launch", {"cases": ["python *"]}, ASSAY_EMIT=str(tmp_path), RANK="3")
    assert done.stdout == ""
    (file,) = tmp_path.glob("*.jsonl")
    said = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(times(said, "python call")) >= 10
    assert {line["rank"] for line in said} == {3}


def test_what_a_library_prints_is_never_taken_for_a_sample(tmp_path):
    env = fake(tmp_path, "torch", 'print(\'{"case": "python call", "time_s": 4711.5}\')\nraise OSError("libgomp")')
    done = start("launch", {}, **env)
    assert "4711.5" not in done.stdout
    assert '"time_s": 4711.5' in done.stderr
    assert "torch is installed but does not import: libgomp" in done.stdout


def test_assay_itself_is_not_needed():
    run = f"runpy.run_path({str(ENGINE)!r})['main']('launch', {{'budget_s': 0.05}})"
    code = f"import sys, runpy; sys.modules['assay'] = None; {run}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert '"event": "end"' in done.stdout


@pytest.mark.parametrize("program", [[str(ENGINE), "launch", '{"budget_s": 0.05}'], [str(FOLDER / "membw.py")]])
def test_the_workload_called_copy_hides_nobodys_module_of_that_name(program):
    done = subprocess.run([sys.executable, *program], input="copy 80 1\n", capture_output=True, text=True, check=True)
    assert "done" in done.stdout or "numpy add" in done.stdout  # numpy imports copy


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("nothing", {}, "no workload nothing"),
        ("gemm", {"options": {"peek": "on"}}, "peek: no such option; options: peak, step, top"),
        ("gemm", {"options": {"peak": "maybe"}}, "peak: maybe is not known; write on or off"),
        ("gemm", {"options": {"step": "-1"}}, "step: -1 cannot be an edge"),
        ("gemm", {"options": {"step": "512", "top": "256"}}, "top: 256 is shorter than one step of 512"),
        ("gemm", {"options": {"step": "16", "top": "16384"}}, "step: 16384 is more than 512 steps of 16"),
        ("launch", {"device": "gpu"}, "device: gpu is none; write auto, cpu, cuda"),
        ("launch", {"device": "cuda:x"}, "device: cuda:x is none"),
        ("launch", {"device": "cuda"}, "reaches no cuda; write auto or cpu"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_to_write(name, settings, words):
    assert words in refused(name, settings)


def test_the_first_accelerator_is_measured_beside_the_host_and_a_named_device_alone(tmp_path):
    env = fake(tmp_path, "torch", DEVICES)
    both = cases(lines("launch", {}, **env))
    assert {c["device"] for c in both.values()} == {"cpu", "cuda:0"}
    one = cases(lines("launch", {"device": "cuda:1"}, **env))
    assert {c["device"] for c in one.values()} == {"cuda:1"}
    assert {c["device"] for c in cases(lines("launch", {"device": "cpu"}, **env)).values()} == {"cpu"}
    assert "there is no cuda:2, only 2" in refused("launch", {"device": "cuda:2"}, **env)


def test_each_rank_has_the_device_of_its_number(tmp_path):
    env = fake(tmp_path, "torch", DEVICES) | {"LOCAL_RANK": "1", "RANK": "1", "WORLD_SIZE": "2"}
    assert "cuda:1" in {c["device"] for c in cases(lines("launch", {}, **env)).values()}
    assert "start fewer processes" in refused("launch", {}, **env | {"LOCAL_RANK": "2"})


def test_memory_that_runs_out_ends_one_case_and_not_the_others():
    def too_much():
        raise MemoryError("cannot allocate 9 TB")

    seen = kit()
    plan = [(case("big"), too_much, None), (case("small"), lambda: work, None)]
    sampling.sweep(seen, plan, 0.2)
    assert {"event": "happened", "kind": "oom", "text": "MemoryError: cannot allocate 9 TB", "of": "big"} in seen.said
    skipped = events(seen.said, "skip")
    assert [(line["case"], line["for_time"]) for line in skipped] == [("big", False)]
    assert events(seen.said, "end")[0]["case"] == "small"


def test_a_rate_above_the_devices_peak_is_a_check_that_failed():
    seen = kit(settings={"peak_flop_per_s": {"fp32": 1e9}})
    sampling.sweep(seen, [(case(dtype="fp32", flop=1e12), lambda: work, None)], 0.1)
    (check,) = events(seen.said, "check")
    assert not check["passed"]
    assert "is more than the device can, 1e+09" in check["text"]


@pytest.mark.parametrize("other", [{"device": "cuda:0"}, {"dtype": "bf16"}, {"flop": 1e-9}])
def test_the_peak_of_one_device_and_format_judges_no_other(other):
    seen = kit(settings={"peak_flop_per_s": {"fp32": 1e9}})
    sampling.sweep(seen, [(case(**{"dtype": "fp32", "flop": 1e12} | other), lambda: work, None)], 0.1)
    assert events(seen.said, "check") == []


def test_a_case_that_wants_many_samples_gets_them():
    got = sampling.sweep(kit(), [(case(fewest=500), lambda: work, lambda: None)], 5)
    assert len(got["c"]) >= 500


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 3)), min_size=1, max_size=12))
def test_cases_that_keep_to_their_share_never_spend_more_than_the_budget(rows):
    plan = [case(str(i), library=group) for i, (group, _) in enumerate(rows)]
    purse, spent = sampling.Purse(plan, 1.0), 0.0
    for row, (_, greed) in zip(plan, rows, strict=True):
        taken = min(greed, purse.share_s(row))
        purse.pay(row, taken)
        spent += taken
    assert spent <= 1.0 + 0.1 + 1e-9  # a tenth is lent so that no case goes without


def test_an_engine_without_a_listener_carries_the_time_of_a_phase_in_the_next_line(tmp_path):
    from assay.measure.workloads.kit import Spoken

    with (tmp_path / "out").open("w") as out:
        spoken = Spoken({"input": "input_wait_s"}, out)
        with spoken.phase("input"):
            pass
        spoken.emit(step=1)
        spoken.emit(step=2)
    first, second = (json.loads(line) for line in (tmp_path / "out").read_text().splitlines())
    assert first["input_wait_s"] >= 0
    assert "input_wait_s" not in second
