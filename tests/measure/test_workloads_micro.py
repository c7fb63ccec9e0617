"""Memory, copies, launches and storage: bytes are counted as their sources say, and a cache never passes for a disk."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.measure.workloads import FOLDER, TORCH, cases, events, kit, lines, needs_torch, refused, times

from assay.measure.workloads import copy, membw, storage

PRETEND = (TORCH, str(FOLDER.parents[3] / "tests" / "fakes" / "pretend_cuda.py"))
STREAM = {"copy": 2, "scale": 2, "add": 3, "triad": 3, "sum": 1}  # arrays: McCalpin 1995, and one that is only read


def test_memory_is_measured_on_one_thread_and_on_all_and_counts_streams_bytes():
    said = lines("membw", {"budget_s": 0.5, "cases": ["* in cache *"]})
    found = cases(said)
    assert {c["kind"] for c in found.values()} == set(STREAM)
    assert {c["threads"] for c in found.values()} == {1, 2}
    assert all(c["bytes"] == STREAM[c["kind"]] * 256 * 1024 * c["threads"] for c in found.values())


def test_out_of_cache_means_four_times_the_cache_or_a_warning():
    small = lines("membw", {"cases": ["copy * out of cache 1 thread"], "last_cache_bytes": 4 << 20})
    assert next(iter(cases(small).values()))["bytes"] == 2 * (16 << 20)
    assert events(small, "warning") == []
    large = lines("membw", {"cases": ["copy * out of cache 1 thread"], "last_cache_bytes": 512 << 20})
    assert "part may have stayed in cache" in events(large, "warning")[0]["text"]


@pytest.mark.parametrize(
    ("kind", "wanted"), [("copy", 1.0), ("scale", 3.0), ("add", 3.0), ("triad", 7.0), ("sum", 0.0)]
)
def test_each_kind_does_what_it_is_called(kind, wanted):
    worker = membw.Worker()
    worker.run(kind, 8 * 10_000, 1)  # more than one block of a triad; the arrays begin as 0, 1 and 2
    assert np.all(worker.part[0] == wanted)


def test_a_worker_ends_with_its_parent():
    worker = subprocess.Popen([sys.executable, membw.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    worker.stdin.close()
    assert worker.wait(20) == 0
    worker.stdout.close()


def test_storage_leaves_nothing_behind_and_tells_of_the_page_cache(tmp_path):
    said = lines("storage", {"budget_s": 1.0, "folder": str(tmp_path)})
    found = cases(said)
    assert [c["kind"] for c in found.values()] == ["write", "read", "random-read", "random-read", "random-read"]
    assert all("page cache" in c["note"] for c in found.values())
    assert found["random read 1024 x 4 KiB, 16 at once"]["bytes"] == 1024 * 4096
    assert found["random read 1024 x 4 KiB, 16 at once"]["threads"] == 16
    assert list(tmp_path.iterdir()) == []


def test_single_reads_are_as_many_as_their_p99_needs(tmp_path):
    said = lines("storage", {"budget_s": 3.0, "folder": str(tmp_path), "cases": ["random read 4 KiB"]})
    assert len(times(said, "random read 4 KiB")) >= 500 or events(said, "skip")


@pytest.mark.skipif(not os.path.ismount("/dev/shm"), reason="no memory file system at /dev/shm")
def test_a_file_system_in_memory_does_not_pass_for_storage():
    seen = kit()
    file = storage.File(seen, "/dev/shm", 4 << 20)
    try:
        file.read_at_random(8)
        fetched = file.fetched()
        if fetched is None:
            pytest.skip("this kernel does not count what it fetches (/proc/self/io)")
        assert fetched == 0
        assert "page cache" in file.note
        assert "bypassed (O_DIRECT)" not in file.note
        assert len(seen.said) == 1
    finally:
        file.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": "none"}, "size: none is no size in MiB"),
        ({"size": "1"}, "size: 1 is no size"),
        ({"depth": "4,x"}, "depth: 4,x is not understood; write numbers from 2 to 256"),
    ],
)
def test_a_storage_option_that_is_none_is_refused(tmp_path, options, words):
    assert words in refused("storage", {"folder": str(tmp_path), "options": options})


def test_without_room_no_file_is_written():
    with pytest.raises(SystemExit, match="MiB are free; name another folder"):
        storage.File(kit(), ".", 1 << 60)


@given(st.sets(st.integers(0, 200), min_size=1))
def test_a_list_of_processors_is_read_as_linux_writes_it(numbers):
    runs, ordered = [], sorted(numbers)
    for n in ordered:
        if runs and runs[-1][1] == n - 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    listed = ",".join(f"{a}-{b}" if a != b else f"{a}" for a, b in runs)
    assert copy.cpus(listed + "\n") == numbers


def test_nodes_without_a_processor_of_ours_are_left_out(tmp_path):
    mine = min(os.sched_getaffinity(0))
    for node, listed in {0: f"{mine}\n", 1: "\n", 2: "100000\n"}.items():
        (tmp_path / f"node{node}").mkdir()
        (tmp_path / f"node{node}" / "cpulist").write_text(listed)
    assert copy.numa_nodes(tmp_path) == {0: {mine}}


def test_memory_is_copied_from_node_to_node_and_the_thread_returns_to_where_it_was(monkeypatch):
    before = os.sched_getaffinity(0)
    asked = kit(numpy=np, settings={"quick": True}, options={"pairs": "all"})
    monkeypatch.setattr(copy, "numa_nodes", lambda: {0: before, 3: before})
    plan = list(copy.cases(asked))
    assert [row[0]["name"] for row in plan][:2] == ["copy 64 KiB node 3 to node 0", "copy 64 KiB node 0 to node 3"]
    for _, prepare, _ in plan:
        prepare()(2)
    assert os.sched_getaffinity(0) == before


def test_a_machine_with_nothing_to_copy_between_says_so(monkeypatch):
    monkeypatch.setattr(copy, "numa_nodes", lambda: {0: {0}})
    with pytest.raises(SystemExit, match="no device that PyTorch reaches, and this host has one NUMA node"):
        list(copy.cases(kit(numpy=np, options={"pairs": "first"})))


@needs_torch
def test_copies_go_to_a_device_and_back_and_to_its_peer():
    found = cases(lines("copy", {"device": "cuda"}, command=PRETEND))
    assert {c["kind"] for c in found.values()} == {
        "host-to-device", "device-to-host", "device-to-device", "peer",
    }  # fmt: skip
    assert found["copy 16 MiB host to cuda:0 pinned"]["bytes"] == 16 << 20
    assert {"copy 64 KiB cuda:0 to cuda:1", "copy 64 KiB host to cuda:0 pageable"} <= found.keys()


@needs_torch
def test_a_device_is_asked_for_work_queued_waited_for_and_recorded():
    said = lines("launch", {"device": "cuda:1"}, command=PRETEND)
    assert [name.removeprefix("torch ") for name in cases(said)] == [
        "add 1 element cuda:1, queued", "add 1 element cuda:1, waited for", "empty kernel cuda:1, queued",
        "empty kernel cuda:1, waited for", "graph of 100 additions cuda:1",
    ]  # fmt: skip


@needs_torch
def test_device_memory_is_measured_inside_and_outside_its_cache():
    found = cases(lines("membw", {"device": "cuda"}, command=PRETEND))
    assert {(c["kind"], c["note"]) for c in found.values()} == {
        (kind, where) for kind in STREAM for where in ("device memory", "cached")
    }
    assert all(c["bytes"] % STREAM[c["kind"]] == 0 for c in found.values())
    # A calibration of the host looks for "in cache" and "out of cache" in names.
    assert not any("in cache" in name or "out of cache" in name for name in found)
