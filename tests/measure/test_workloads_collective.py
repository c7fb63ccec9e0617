"""Ranks agree on what they measure, their results are checked, and bandwidth is counted as nccl-tests counts it."""

import json

import pytest
from tests.measure.workloads import ENGINE, TORCH, cases, events, kit, needs_torch, refused, start

from assay.measure.workloads import collective

# nccl-tests, doc/PERFORMANCE.md, for 4 ranks
FACTORS = {
    "all-reduce": 1.5, "all-gather": 0.75, "reduce-scatter": 0.75, "all-to-all": 0.75, "broadcast": 1, "ring": 1,
    "pair": 1,
}  # fmt: skip


def ranks(count):
    """torchrun on a port that it finds itself."""
    return (TORCH, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}", str(ENGINE))


def test_bus_bandwidth_has_the_factors_of_nccl_tests():
    assert {kind: factor(4) for kind, factor in collective.BUS.items()} == FACTORS


def test_sizes_go_from_the_smallest_to_the_largest():
    usual = {"smallest": "1", "largest": "auto", "pairs": "first"}
    full = collective.sizes_of(kit(options=usual))
    assert (full[0], full[-1], len(full)) == (1024, 256 << 20, 10)
    assert collective.sizes_of(kit(options=usual, settings={"quick": True}))[-1] == 4 << 20
    assert collective.sizes_of(kit(options=usual | {"smallest": "7", "largest": "7"})) == [7 * 1024]


@pytest.mark.parametrize("ends", [("0", "4"), ("x", "4"), ("8", "4")])
def test_sizes_that_are_none_are_refused(ends):
    with pytest.raises(SystemExit, match=r"smallest|largest"):
        collective.sizes_of(kit(options={"smallest": ends[0], "largest": ends[1]}))


def test_one_process_has_nobody_to_talk_to():
    assert "one process has nobody to talk to; start two or more" in refused("collective", {})


@pytest.fixture(scope="module")
def two_ranks():
    """Two processes with gloo, as a user starts them."""
    done = start("collective", {"budget_s": 3.0, "options": {"largest": "16"}}, command=ranks(2))
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@needs_torch
def test_every_kind_is_measured_and_every_result_was_right(two_ranks):
    found = cases(two_ranks)
    assert {c["kind"] for c in found.values()} == set(FACTORS)
    assert {c["library"] for c in found.values()} == {"gloo"}
    assert [c["number"] for c in events(two_ranks, "begin")] == list(range(1, 22))
    (check,) = events(two_ranks, "check")
    assert check["passed"], check["text"]
    assert check["text"].startswith("21 cases")


@needs_torch
def test_only_rank_0_speaks_and_its_rates_are_bytes_over_time(two_ranks):
    assert {line["rank"] for line in two_ranks} == {0}
    found = cases(two_ranks)
    samples = [line for line in two_ranks if "time_s" in line]
    for line in samples:
        case = found[line["case"]]
        assert line["bytes_per_s"] == pytest.approx(case["bytes"] / line["time_s"])
        assert line["bus_bytes_per_s"] == pytest.approx(line["bytes_per_s"] * collective.BUS[case["kind"]](2))
    assert {line["case"] for line in samples if not line["warmup"]} >= {c["case"] for c in events(two_ranks, "end")}


@needs_torch
def test_three_ranks_have_equal_parts_and_every_pair_is_tried_where_that_is_asked_for():
    settings = {"budget_s": 2.0, "options": {"largest": "1", "pairs": "all"}, "cases": ["all-*", "pair*"]}
    done = start("collective", settings, command=ranks(3))
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert cases(said)["all-gather 1 KiB 3 ranks"]["bytes"] == 1020
    assert {name for name in cases(said) if name.startswith("pair")} == {
        f"pair 1 KiB ranks {a} and {b}" for a, b in ((0, 1), (0, 2), (1, 2))
    }
    assert events(said, "check")[0]["passed"]


WRONG = """
import runpy, sys, json
import torch, torch.distributed as dist
right = dist.all_reduce
def wrong(box, *args, **options):
    right(box, *args, **options)
    if box.numel() > 8 and dist.get_rank() == 1:
        box[3] += 1
def absent(*args):
    raise RuntimeError("this backend knows no all-to-all")
dist.all_reduce, dist.all_to_all_single = wrong, absent
runpy.run_path(ENGINE)["main"](sys.argv[1], json.loads(sys.argv[2]))
"""


@needs_torch
def test_one_wrong_number_on_one_rank_is_told_and_what_a_library_does_not_know_is_skipped(tmp_path):
    program = tmp_path / "wrong.py"
    program.write_text(WRONG.replace("ENGINE", repr(str(ENGINE))))
    settings = {"budget_s": 1.0, "options": {"largest": "1"}, "cases": ["all-*"]}
    done = start("collective", settings, command=(*ranks(2)[:-1], str(program)))
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    (check,) = events(said, "check")
    assert not check["passed"]
    assert check["text"] == "1 wrong: all-reduce 1 KiB 2 ranks"
    assert [(s["case"], s["why"]) for s in events(said, "skip")] == [
        ("all-to-all 1 KiB 2 ranks", "RuntimeError: this backend knows no all-to-all")
    ]
