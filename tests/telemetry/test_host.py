"""The host read from its own files, and a command with all it starts."""

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.telemetry import reading
from assay.telemetry.places import Files
from assay.telemetry.tree import Counted, Tree
from assay.telemetry.vendors import host

pytestmark = pytest.mark.skipif(not Path("/proc/stat").exists(), reason="this is no Linux: there is no /proc to read")

BURN = "import time\nt = time.process_time()\nwhile time.process_time() - t < {}: pass\n"


def put(root: Path, files: dict[str, object]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")
    return root


def ticks(root: Path, *changes: dict[str, object]) -> list[dict[str, float]]:
    """The host's readings, each after these files have changed."""
    answers = host.read(host.probe(root, {}), root)
    found = []
    for change in changes:
        put(root, change)
        found.append({r.metric: r.value for r in host.normalise(next(answers))})
    answers.close()
    return found


def rapl(zone: str, name: str, energy: object, most: object = 1000) -> dict[str, object]:
    folder = f"sys/class/powercap/{zone}"
    return {f"{folder}/name": name, f"{folder}/energy_uj": energy, f"{folder}/max_energy_range_uj": most}


CPU = {"proc/stat": "cpu  10 0 10 70 10 0 0 0 0 0"}


def test_this_host_tells_its_memory_load_and_processors():
    answers = host.read(host.probe(Path("/"), {}))
    first = {r.metric: r.value for r in host.normalise(next(answers))}
    time.sleep(0.05)
    second = {r.metric: r.value for r in host.normalise(next(answers))}
    answers.close()
    assert "host.cpu.busy" not in first  # of one look nothing can be said
    assert 0 <= second["host.cpu.busy"] <= 1
    assert first["host.mem.total_bytes"] == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < first["host.mem.used_bytes"] < first["host.mem.total_bytes"]
    assert "host.mem.used_bytes" not in second  # once a second is enough, and nothing is repeated


def test_time_stolen_by_other_guests_is_neither_busy_nor_idle(tmp_path):
    put(tmp_path, CPU)
    _, last = ticks(tmp_path, {}, {"proc/stat": "cpu  60 0 20 90 20 0 0 10 0 0"})
    assert last["host.cpu.busy"] == pytest.approx(60 / 100)
    assert (last["host.cpu.iowait"], last["host.cpu.steal"]) == (pytest.approx(0.1), pytest.approx(0.1))


def test_a_processor_counter_that_was_put_right_by_the_kernel_gives_no_share(tmp_path):
    put(tmp_path, CPU)
    *_, last = ticks(tmp_path, {}, {"proc/stat": "cpu  60 0 20 90 9 0 0 10 0 0"})
    assert "host.cpu.busy" not in last


def test_energy_of_both_sockets_goes_on_where_a_counter_starts_anew(tmp_path):
    put(tmp_path, CPU | rapl("intel-rapl:0", "package-0", 900) | rapl("intel-rapl:1", "package-1", 100))
    put(tmp_path, rapl("intel-rapl:0:0", "core", 5) | rapl("intel-rapl-mmio:0", "package-0", 900))
    told = ticks(tmp_path, {}, rapl("intel-rapl:0", "package-0", 100), rapl("intel-rapl:1", "package-1", 300))
    assert [round(answer["host.energy_j"] * 1e6) for answer in told] == [1000, 1200, 1400]
    assert "host.dram.energy_j" not in told[-1]


@given(st.lists(st.integers(0, 900), min_size=1, max_size=20))
def test_a_counter_that_wraps_adds_up_to_what_was_used(used):
    class Wrapping:
        at = 0

        def text(self, path: str) -> str:
            return str(self.at % 1000)

    files = Wrapping()
    zone = host.Zone(Path("/nowhere"), files)
    zone.range = 1000.0
    start = zone.since_start()
    for amount in used:
        files.at += amount
        last = zone.since_start()
    assert last - start == sum(used)


def test_energy_that_may_not_be_read_is_absent_and_said_once(tmp_path):
    put(tmp_path, CPU | rapl("intel-rapl:0", "package-0", 900))
    (tmp_path / "sys/class/powercap/intel-rapl:0/energy_uj").unlink()  # as unreadable, and true for root as well
    answers = host.read(host.probe(tmp_path, {}), tmp_path)
    first, second = next(answers), next(answers)
    answers.close()
    assert ["energy" in text and "chmod" in text for text in reading.warnings(first)] == [True]
    assert not reading.warnings(second)
    assert "host.energy_j" not in {r.metric for r in host.normalise(second)}


def test_infiniband_counts_words_of_four_bytes(tmp_path):
    for device in "01":
        put(tmp_path, {f"sys/class/infiniband/mlx5_{device}/ports/1/counters/port_xmit_data": 1000})
    put(tmp_path, CPU)
    (told,) = ticks(tmp_path, {})
    assert told["host.ib.tx_bytes"] == 8000
    assert "host.ib.rx_bytes" not in told


def test_what_is_stacked_on_a_disk_or_a_network_card_is_not_counted_again(tmp_path):
    disk = "  8 0 {} 1 0 100 0 1 0 50 0 0 0 0\n"
    link = "{}: 700 1 0 0 0 0 0 0 900 1 0 0 0 0 0 0\n"
    put(tmp_path, CPU | {"sys/block/sda/device/model": "", "sys/block/dm-0/dm/name": "", "sys/block/loop0/size": ""})
    put(tmp_path, {"sys/class/net/eth0/device/vendor": "", "sys/class/net/bond0/mtu": "", "sys/class/net/lo/mtu": ""})
    put(tmp_path, {"proc/diskstats": "".join(map(disk.format, ("sda", "sda1", "dm-0", "loop0")))})
    put(tmp_path, {"proc/net/dev": "a\nb\n" + "".join(map(link.format, ("lo", "eth0", "bond0")))})
    (told,) = ticks(tmp_path, {})
    assert (told["host.disk.read_bytes"], told["host.disk.write_bytes"]) == (51200, 25600)
    assert (told["host.net.rx_bytes"], told["host.net.tx_bytes"]) == (700, 900)
    (tmp_path / "sys/class/net/eth0/device/vendor").unlink()
    (tmp_path / "sys/class/net/eth0/device").rmdir()
    (told,) = ticks(tmp_path, {})  # a container: no card of its own, so all but loopback
    assert told["host.net.rx_bytes"] == 1400


# --- the command ---------------------------------------------------------------------------------------------------


def started(code: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_the_command_is_a_device_that_the_environment_names():
    code = BURN.format(0.2) + "x = bytearray(30_000_000)\nprint(flush=True)\ninput()"
    with started(code) as child:
        child.stdout.readline()
        devices = host.probe(Path("/"), {"ASSAY_WATCH_PID": str(child.pid)})
        answers = host.read(devices)
        told = {r.metric: r.value for r in host.normalise(next(answers)) if r.of == "command"}
        child.communicate("\n")
        gone = [r for r in host.normalise(next(answers)) if r.of == "command"]
        answers.close()
    assert (devices[1].id, devices[1].parent) == ("command", "host")
    assert 0.2 <= told["proc.cpu_s"] < 5
    assert told["proc.mem.used_bytes"] > 30e6
    assert told["proc.write_bytes"] >= 0
    assert gone == []  # nothing is said of what is not there


def test_time_of_children_that_have_ended_and_of_those_that_run_is_counted_once():
    burn = BURN.format(0.3)
    code = f"""
import os, subprocess, sys
burn = [sys.executable, "-c", {burn!r}]
subprocess.run(burn)                                                # ended, and waited for
left = subprocess.Popen(burn)                                       # ended, and not waited for yet
os.waitid(os.P_PID, left.pid, os.WEXITED | os.WNOWAIT)
keep = subprocess.Popen([sys.executable, "-c", {burn!r} + "print(flush=True); input()"], stdin=subprocess.PIPE)
input()                                                             # when the third has done its work
left.wait()
print(flush=True); input()
keep.communicate(b"\\n")
"""
    files = Files()
    with started(code) as child:
        tree = Tree(child.pid, files)
        said = []
        for _ in range(2):
            child.stdout.readline()
            tree._scanned_s = -9
            said += [tree.read()["cpu_s"], tree.read()["cpu_s"]]
            child.stdin.write("\n")
            child.stdin.flush()
        child.wait()
    files.close()
    assert said == sorted(said)
    assert 0.75 <= said[0] < 3  # the kernel counts ticks
    assert said[-1] - said[0] < 0.25  # waiting for a child does not count it again


def test_a_grandchild_whose_parent_has_died_stays_in_the_tree():
    code = """
import os, sys, time
if os.fork() == 0:
    if os.fork() == 0:
        time.sleep(30)
        os._exit(0)
    time.sleep(0.5)
    os._exit(0)
print(flush=True)
time.sleep(0.1); input(); os.wait(); print(flush=True); input()
"""
    files = Files()
    with started(code) as child:
        try:
            child.stdout.readline()
            tree = Tree(child.pid, files)
            tree.read()
            until_s = time.monotonic() + 5
            while len(tree.members) < 3 and time.monotonic() < until_s:
                tree._scanned_s = -9
                tree.read()
            everybody = set(tree.members)
            child.stdin.write("\n")
            child.stdin.flush()
            child.stdout.readline()
            tree.read()
            left = set(tree.members)
        finally:
            for process in tree.members:
                subprocess.run(["kill", str(process)], check=False)
    files.close()
    assert len(everybody) == 3
    assert len(left) == 2
    assert child.pid in left


def test_whoever_looks_is_no_part_of_what_is_watched():
    files = Files()
    tree = Tree(os.getppid(), files)
    tree.read()
    files.close()
    assert os.getpid() not in tree.members


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30))
def test_a_sum_over_members_that_come_and_go_never_falls(sums):
    counted = Counted()
    told = [total for value in sums if (total := counted.total(value)) is not None]
    assert told == sorted(told)


def test_a_member_that_takes_its_time_with_it_is_made_good_and_a_short_dip_is_not_told():
    counted = Counted()
    assert [counted.total(value) for value in (10.0, 4.0, 11.0)] == [10.0, None, 11.0]  # reaped between two looks
    assert [counted.total(value) for value in (12.0, 5.0, 5.5, 6.5)] == [12.0, None, 12.0, 13.0]


def test_reading_the_host_takes_a_fraction_of_a_millisecond():
    answers = host.read(host.probe(Path("/"), {}))
    next(answers)
    best_s = 9.0
    for raw in itertools.islice(answers, 100):
        began_s = time.thread_time()
        list(host.normalise(raw))
        next(answers)
        best_s = min(best_s, time.thread_time() - began_s)
    answers.close()
    assert best_s < 2e-3
