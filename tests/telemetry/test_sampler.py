"""The sampler keeps time, survives its drivers, and dies with whoever started it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tests.telemetry import nvml_stub

from assay.journal import Reader, Tick
from assay.machine import Device
from assay.run import Event
from assay.telemetry.snapshots import Latest
from assay.telemetry.watching import Follower, Sampler

BUSY = ("accel.busy", "accel.power_w")


def heard(folder: Path) -> list:
    reader = Reader()
    text = b"".join(path.read_bytes() for path in sorted(folder.glob("telemetry-*.jsonl")))
    return [said for line in text.splitlines() if (said := reader.take(line)) is not None]


def ticks(folder: Path, of: str = "host") -> list[Tick]:
    return [said for said in heard(folder) if isinstance(said, Tick) and said.of == of]


def events(folder: Path) -> list[Event]:
    return [said for said in heard(folder) if isinstance(said, Event)]


def until(met, patience_s: float = 30.0) -> None:
    end_s = time.monotonic() + patience_s
    while not met():
        assert time.monotonic() < end_s, "it did not happen"
        time.sleep(0.05)


def stubbed(monkeypatch: pytest.MonkeyPatch, does: str) -> None:
    """NVML as the stub does it, for the sampler that is started next."""
    for name, value in nvml_stub.environment(does).items():
        monkeypatch.setenv(name, value)


def test_readings_come_on_whole_periods_and_in_order(tmp_path):
    with Sampler(tmp_path, time.monotonic(), period_s=0.2, vendors=["host"]):
        until(lambda: len(ticks(tmp_path)) > 8)
    taken = [tick.at_s for tick in ticks(tmp_path)]
    assert taken == sorted(set(taken))
    late = sorted((at + 1e-6) % 0.2 for at in taken[1:])  # 0.6 is a hair below three times 0.2
    assert late[len(late) // 2] < 0.1  # a busy machine may be late, not most of the time


def test_a_driver_that_hangs_leaves_a_gap_and_never_a_stale_value(tmp_path, monkeypatch):
    stubbed(monkeypatch, "devices=2,hang,after=3")
    with Sampler(tmp_path, time.monotonic(), period_s=0.2, vendors=["nvidia"], late_s=0.8):
        until(lambda: any(e.kind == "gap" for e in events(tmp_path)))
        gap = next(e for e in events(tmp_path) if e.kind == "gap")
        before = len([t for t in heard(tmp_path) if isinstance(t, Tick)])
        assert before == 2 * 3  # two devices, three rounds, and not one more
        until(lambda: any(e.kind == "restart" for e in events(tmp_path)))
        until(lambda: len([t for t in heard(tmp_path) if isinstance(t, Tick)]) > before)
    assert "did not answer within 0.8 s" in gap.text


def test_one_vendor_that_hangs_does_not_hold_the_others(tmp_path, monkeypatch):
    stubbed(monkeypatch, "devices=1,hang,after=1")
    with Sampler(tmp_path, time.monotonic(), period_s=0.2, vendors=["host", "nvidia"], late_s=1.0):
        until(lambda: any(e.kind == "gap" for e in events(tmp_path)))
        seen = len(ticks(tmp_path))
        until(lambda: len(ticks(tmp_path)) > seen + 2)


@pytest.mark.parametrize(("does", "says"), [("absent", "Not Found"), ("mismatch", "version mismatch")])
def test_a_driver_that_is_broken_is_told_with_its_reason(tmp_path, monkeypatch, does, says):
    stubbed(monkeypatch, does)
    with Sampler(tmp_path, time.monotonic(), period_s=0.2, vendors=["nvidia"]):
        until(lambda: any(e.kind in ("sensor", "gap") for e in events(tmp_path)))
        time.sleep(0.3)
    told = " ".join(e.text for e in events(tmp_path))
    assert not [t for t in heard(tmp_path) if isinstance(t, Tick)]
    assert "nvidia" in told
    assert says.lower() in told.lower() or "ended" in told


def test_a_sampler_that_is_killed_is_started_again_and_goes_on(tmp_path):
    with Sampler(tmp_path, time.monotonic(), period_s=0.2, vendors=["host"]) as sampler:
        until(lambda: len(ticks(tmp_path)) > 1)
        sampler._process.kill()
        sampler._process.wait()
        first = {p.name for p in tmp_path.iterdir()}
        until(lambda: sampler.keep() or sampler.restarts == 1)
        until(lambda: {p.name for p in tmp_path.iterdir()} - first)
        seen = len(ticks(tmp_path))
        until(lambda: len(ticks(tmp_path)) > seen + 1)
    assert [t.at_s for t in ticks(tmp_path)] == sorted(t.at_s for t in ticks(tmp_path))
    told = "the sampler was killed by signal 9 and was started again"
    assert [(e.kind, e.text) for e in events(tmp_path) if "sampler" in e.text] == [("restart", told)]
    assert sampler.warnings == (f"{told}: readings of the devices are missing",)


def test_a_sampler_that_keeps_dying_is_told_of_once(tmp_path):
    with Sampler(tmp_path, time.monotonic(), vendors=["no-such-vendor"], period_s="never") as sampler:
        until(lambda: sampler.keep() or sampler.restarts == 3)
    (told,) = events(tmp_path)
    assert told.text == "the sampler died (exit 1) and was started again"
    assert "3 times in all" in " ".join(sampler.warnings)


def test_nothing_outlives_a_starter_that_is_killed(tmp_path, monkeypatch):
    """Not even a reader that its driver holds."""
    stubbed(monkeypatch, "devices=1,hang,after=1")
    code = f"""
import time
from pathlib import Path
from assay.telemetry.watching import Sampler
with Sampler(Path({str(tmp_path)!r}), time.monotonic(), period_s=0.2, vendors=["host", "nvidia"]) as s:
    print(s._process.pid, flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as starter:
        sampler = psutil.Process(int(starter.stdout.readline()))
        until(lambda: len(sampler.children()) == 2)
        family = [sampler, *sampler.children()]
        starter.kill()
        starter.wait()
    until(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in family), 15)


def test_the_watched_command_and_all_it_starts_is_read_too(tmp_path):
    with (
        subprocess.Popen(["/bin/sh", "-c", "sleep 30 & wait"], start_new_session=True) as command,
        Sampler(tmp_path, time.monotonic(), period_s=0.2, vendors=["host"]) as sampler,
    ):
        sampler.keep(command.pid)
        until(lambda: ticks(tmp_path, "command"))
        os.killpg(command.pid, signal.SIGKILL)
    found = dict(
        zip([m for m, _ in ticks(tmp_path, "command")[-1].columns], ticks(tmp_path, "command")[-1].values, strict=True)
    )
    assert found["proc.mem.used_bytes"] > 0


def test_each_journal_can_be_read_without_the_one_before_it(tmp_path):
    with Sampler(tmp_path, time.monotonic(), period_s=0.1, vendors=["host"], rotate_s=0.5):
        until(lambda: len(list(tmp_path.glob("telemetry-*.jsonl"))) >= 3)
    second = sorted(tmp_path.glob("telemetry-*.jsonl"))[1]
    reader = Reader()
    said = [found for line in second.read_bytes().splitlines() if (found := reader.take(line)) is not None]
    assert any(isinstance(s, Device) for s in said)
    assert sum(isinstance(s, Tick) for s in said) >= 2


def test_a_follower_reads_across_journals_and_says_nothing_twice(tmp_path):
    follower = Follower(tmp_path)
    found = []
    with Sampler(tmp_path, time.monotonic(), period_s=0.1, vendors=["host"], rotate_s=0.4):
        end_s = time.monotonic() + 2.0
        while time.monotonic() < end_s:
            found += follower.news()
            time.sleep(0.03)
    found += follower.news()
    followed = [s for s in found if isinstance(s, Tick)]
    assert followed == ticks(tmp_path)


def test_a_snapshot_is_the_last_round_and_knows_how_old_it_is(tmp_path):
    began_s = time.monotonic()
    latest = Latest(Follower(tmp_path), "here", began_s, 0.2)
    assert latest() is None
    with Sampler(tmp_path, began_s, period_s=0.2, vendors=["host"]):
        until(lambda: (latest.refresh(), latest())[1] is not None)
        shot = latest()
        assert "host" in shot.fresh(time.monotonic())
    assert "host" not in shot.fresh(time.monotonic() + 5.0)
    assert {r.of for r in shot.readings} == {"host"}


def test_a_disk_that_is_full_costs_readings_and_not_the_sampler(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    small = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)]
    if subprocess.run(small, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk is not permitted here")
    try:
        with Sampler(disk, time.monotonic(), period_s=0.05, vendors=["host"]) as sampler:
            until(lambda: os.statvfs(disk).f_bavail == 0)
            time.sleep(0.5)
            assert sampler._process.poll() is None
        assert len(ticks(disk)) > 3
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_the_sampler_loads_neither_numpy_nor_an_sdk():
    code = "import sys; from assay.telemetry import sampler; print(*sys.modules)"
    held = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "pydantic", "duckdb", "pynvml", "amdsmi", "click", "rich"} & set(held)


def test_settings_travel_as_one_word():
    settings = {"folder": "/tmp", "began_s": 0.0, "period_s": 1.0}
    assert json.loads(json.dumps(settings)) == settings
