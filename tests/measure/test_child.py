"""A command is followed to its end, whatever it does, and nothing of it stays behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from assay.errors import MeasureError
from assay.measure import child
from assay.measure.child import Child


def shell(script: str, **options) -> Child:
    return Child(["/bin/sh", "-c", script], os.environ, **options)


def heard(process: Child) -> dict[str, bytes]:
    found: dict[str, bytes] = {"stdout": b"", "stderr": b"", "tick": b""}
    for stream, piece in process.pieces():
        found[stream] += piece
    return found


def gone(pid: int, patience_s: float = 5.0) -> bool:
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def test_what_it_prints_is_heard_by_stream_and_its_end_is_known():
    with shell("echo out; echo err >&2; exit 3") as process:
        found = heard(process)
    assert (found["stdout"], found["stderr"]) == (b"out\n", b"err\n")
    assert process.exit_code == 3
    assert process.stopped == "it died (exit 3): err"


def test_a_good_end_is_no_reason():
    with shell("true") as process:
        heard(process)
    assert (process.exit_code, process.stopped) == (0, "")


def test_a_silent_command_gives_turns():
    turns = 0
    with shell("sleep 1") as process:
        for stream, _ in process.pieces():
            turns += stream == "tick"
    assert turns >= 3


@pytest.mark.parametrize("name", ["/no/such/program", "no-such-program-anywhere", "/"])
def test_a_command_that_is_not_there_says_what_to_check(name):
    with pytest.raises(MeasureError, match=rf"{name}: cannot be started: .*spelled right"), Child([name], os.environ):
        pass


def test_a_command_that_hangs_is_stopped_with_all_it_started(tmp_path):
    pids = tmp_path / "pids"
    with shell(f"echo $$ >> {pids}; sleep 300 & echo $! >> {pids}; wait", timeout_s=0.5) as process:
        heard(process)
    assert process.stopped.startswith("no end within 0 s, so it was stopped")
    assert all(gone(int(pid)) for pid in pids.read_text().split())


def test_one_that_ignores_every_request_is_killed(monkeypatch):
    monkeypatch.setattr(child, "_GRACE_S", 0.2)
    with shell("trap '' INT TERM; while :; do sleep 0.1; done", timeout_s=0.3) as process:
        heard(process)
    assert process.exit_code == -signal.SIGKILL


def test_a_trainer_that_is_interrupted_may_write_its_checkpoint(tmp_path):
    saved = tmp_path / "saved"
    code = f"import time\ntry:\n    print('up', flush=True)\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    open({str(saved)!r}, 'w')"  # noqa: E501
    with Child([sys.executable, "-c", code], os.environ) as process:
        next(p for s, p in process.pieces() if s == "stdout")
        process.end()
    assert saved.exists()


def test_something_it_left_running_does_not_hold_us_up():
    with shell("sleep 30 & echo done") as process:
        begin = time.monotonic()
        found = heard(process)
        pid = process.process.pid
    assert time.monotonic() - begin < 10
    assert found["stdout"] == b"done\n"
    os.killpg(pid, signal.SIGKILL)


def test_one_that_closes_its_output_and_works_on_is_followed_to_its_own_end(monkeypatch):
    monkeypatch.setattr(child, "_GRACE_S", 0.3)
    begin = time.monotonic()
    with shell("exec >/dev/null 2>&1; sleep 1.5; exit 3") as process:
        turns = [stream for stream, _ in process.pieces()]
    assert (process.exit_code, process.stopped) == (3, "it died (exit 3): it said nothing on stderr")
    assert time.monotonic() - begin >= 1.5
    assert turns.count("tick") >= 4


def test_one_that_closes_its_output_and_hangs_is_stopped_in_time():
    begin = time.monotonic()
    with shell("exec >/dev/null 2>&1; sleep 60", timeout_s=1.0) as process:
        heard(process)
    assert process.stopped.startswith("no end within 1 s, so it was stopped")
    assert time.monotonic() - begin < 4.0


def test_a_hundred_megabytes_pass_through_in_pieces():
    size = largest = 0
    with Child(["head", "-c", "100000000", "/dev/zero"], os.environ) as process:
        for _, piece in process.pieces():
            size, largest = size + len(piece), max(largest, len(piece))
    assert size == 100_000_000
    assert largest <= 1 << 16


def test_the_last_words_are_the_end_of_what_it_complained_of():
    with shell("for i in 1 2 3 4 5; do echo line $i >&2; done; exit 1") as process:
        heard(process)
    assert process.stopped.endswith("line 3 | line 4 | line 5")


def test_what_it_was_killed_by_is_named():
    with shell("kill -SEGV $$") as process:
        heard(process)
    assert "killed by SIGSEGV" in process.stopped


def test_an_error_of_ours_ends_it_too(tmp_path):
    process = shell(f"echo $$ > {tmp_path}/pid; sleep 60")

    def ours() -> None:
        with process:
            while not (tmp_path / "pid").exists():
                time.sleep(0.01)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ours()
    assert gone(int(Path(tmp_path / "pid").read_text()))
    assert process.exit_code is not None


def test_a_request_to_end_that_comes_as_it_starts_leaves_nobody_behind(monkeypatch):
    """Whoever starts a command must know its number before an interruption may reach them."""
    started = []
    known = child.subprocess.Popen

    def interrupted(*args, **options):
        started.append(known(*args, **options))
        signal.raise_signal(signal.SIGINT)
        return started[0]

    monkeypatch.setattr(child.subprocess, "Popen", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), shell("sleep 300"):
            pass
    finally:
        signal.signal(signal.SIGINT, before)
    assert gone(started[0].pid)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_command_heeds_the_signals_that_we_heed():
    code = "import signal; print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())))"
    with Child([sys.executable, "-c", code], os.environ) as process:
        assert heard(process)["stdout"] == b"[]\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere nobody tells a child that we are gone")
def test_a_silent_command_ends_when_we_are_killed(tmp_path):
    code = f"""
import os, signal
from assay.measure.child import Child
with Child(["sleep", "300"], os.environ) as child:
    open({str(tmp_path / "pid")!r}, "w").write(str(child.process.pid))
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    assert gone(int((tmp_path / "pid").read_text()))
