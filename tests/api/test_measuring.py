"""Any command becomes a run: whatever it does, what was measured is kept, and what went wrong is said."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from assay import store
from assay.api.measuring import measure, name_of
from assay.errors import InputError, MeasureError
from assay.run import Run
from assay.summary import figures

TRAINER = """
import json, sys, time
for step in range(int(sys.argv[1])):
    time.sleep(0.02)
    print(json.dumps({"step": step, "loss": 2.0 / (step + 1), "tokens": 100}), flush=True)
"""


def python(code: str, *args: str) -> list[str]:
    return [sys.executable, "-c", code, *args]


def told(run: Run) -> dict[str, object]:
    return {f.metric.name: f for f in figures(run)}


def at(run: Run, root: Path) -> Path:
    return store.find(run.id, root)


def test_a_command_becomes_a_run_with_its_figures_its_sensors_and_its_log(tmp_path):
    run = measure(python(TRAINER, "90"), out=tmp_path)
    found = told(run)
    assert 0.02 <= found["interval_s"].value < 0.5
    assert found["tokens_per_s"].value == pytest.approx(100 / 0.02, rel=0.9)
    assert found["loss"].n >= 45  # a loss that falls is not steady: at most half of it is taken for the beginning
    assert (run.exit_code, run.partial, run.stopped) == (0, False, "")
    assert "host" in {d.id for d in run.devices}
    sensors = {s.metric for s in store.telemetry(at(run, tmp_path))}
    assert {"host.mem.used_bytes", "host.load"} <= sensors
    assert (at(run, tmp_path) / "log.txt").read_text().count("loss") == 90
    assert run.environment["python"] == sys.version.split()[0]


def test_marks_of_a_program_reach_the_run(tmp_path):
    code = """
import assay, time
for step in range(8):
    with assay.phase("checkpoint"):
        time.sleep(0.01)
    assay.emit(step=step, loss=1.0)
"""
    run = measure(python(code), out=tmp_path, vendors=())
    assert told(run)["checkpoint_s"].value >= 0.01
    assert run.devices == ()


def test_a_built_in_workload_is_the_same_thing(tmp_path):
    run = measure("launch", budget_s=0.2, out=tmp_path, vendors=())
    assert {c.kind for c in run.cases} == {"dispatch"}
    assert run.settings["budget_s"] == "0.2"
    assert run.environment["numpy"]
    assert all(f.metric.name == "time_s" and f.value > 0 for f in figures(run))


def test_a_command_that_fails_keeps_what_it_measured_and_says_how_it_ended(tmp_path):
    code = TRAINER + "print('CUDA error: an illegal memory access', file=sys.stderr)\nsys.exit(7)"
    run = measure(python(code, "12"), out=tmp_path, vendors=())
    assert (run.exit_code, run.partial) == (7, True)
    assert run.stopped == "it died (exit 7): CUDA error: an illegal memory access"
    assert told(run)["loss"].n + told(run)["loss"].dropped == 12


def test_a_command_that_hangs_is_stopped_and_kept(tmp_path):
    run = measure(python(TRAINER + "time.sleep(600)", "5"), out=tmp_path, timeout_s=2.0, vendors=())
    assert run.stopped.startswith("no end within 2 s")
    assert told(run)["loss"].n + told(run)["loss"].dropped == 5


def test_a_command_that_is_not_there_leaves_no_run(tmp_path):
    with pytest.raises(MeasureError, match="no-such-program: cannot be started"):
        measure(["no-such-program", "--fast"], out=tmp_path)
    assert store.list_runs(tmp_path) == ()


def test_a_command_that_says_nothing_is_a_run_of_its_time(tmp_path):
    run = measure(["sleep", "0.2"], out=tmp_path, vendors=())
    assert run.duration_s >= 0.2
    assert run.series == ()
    assert "nothing it said was understood as a figure" in " ".join(run.warnings)


def test_garbage_is_kept_in_the_log_and_nowhere_else(tmp_path):
    run = measure(["head", "-c", "300000", "/dev/urandom"], out=tmp_path, vendors=())
    assert (at(run, tmp_path) / "log.txt").stat().st_size == 300_000
    assert run.series == ()


def test_output_without_end_does_not_fill_our_memory(tmp_path):
    """A hundred megabytes on one line and in lines: kept whole on the disk, and looked at as it passes."""
    before = _peak()
    code = """
import sys
sys.stdout.write("x" * 50_000_000)
for i in range(1_000_000):
    sys.stdout.write("not a figure in sight, line after line\\n")
print('{"step": 1, "loss": 3.5}')
"""
    run = measure(python(code), out=tmp_path, vendors=())
    assert (at(run, tmp_path) / "log.txt").stat().st_size > 85_000_000
    assert told(run)["loss"].value == 3.5
    assert _peak() - before < 300_000_000


def _peak() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_loss_that_is_no_number_is_told_and_kept_out_of_its_figure(tmp_path):
    code = TRAINER.replace("2.0 / (step + 1)", "float('nan') if step > 3 else 1.0")
    run = measure(python(code, "9"), out=tmp_path, vendors=())
    assert told(run)["loss"].n + told(run)["loss"].dropped == 4
    assert any("loss is NaN from step 4 on" in w or "loss is nan from step 4 on" in w for w in run.warnings)


def test_figures_in_a_result_file_count_if_the_command_wrote_it(tmp_path):
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    old.write_text('{"step": 1, "loss": 9.0}\n')
    os.utime(old, (1e9, 1e9))
    code = f"open({str(new)!r}, 'w').write('{{\"step\": 1, \"loss\": 2.0}}\\n')"
    run = measure(python(code), out=tmp_path / "runs", vendors=(), results=[old, new, tmp_path / "none"])
    assert told(run)["loss"].value == 2.0
    assert any("old.jsonl is older than this run" in w for w in run.warnings)
    assert any("none cannot be read" in w for w in run.warnings)


def test_a_pattern_of_ones_own_is_a_format(tmp_path):
    run = measure(["echo", "it 12 took 250 ms"], out=tmp_path, vendors=(),
                  pattern=r"it (?P<step>\d+) took (?P<step_s__ms>[\d.]+) ms")  # fmt: skip
    assert told(run)["step_s"].value == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"pattern": "(?P<loss"}, "pattern"),
        ({"formats": ["megatronn"]}, 'did you mean "megatron"'),
        ({"vendors": ["nvidiaa"]}, "vendor"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_runs(tmp_path, options, says):
    with pytest.raises(InputError, match=says):
        measure(["touch", str(tmp_path / "ran")], out=tmp_path / "runs", **options)
    assert not (tmp_path / "ran").exists()


def test_two_measurements_at_once_are_refused_or_marked(tmp_path):
    slow = subprocess.Popen(
        _cli("measure", "--out", str(tmp_path / "a"), "--", "sleep", "30"), stderr=subprocess.PIPE, text=True
    )
    try:
        _until(lambda: store.list_runs(tmp_path / "a"))
        with pytest.raises(MeasureError, match=r"another measurement is under way: assay measure sleep .process \d+"):
            measure(["true"], out=tmp_path / "b")
        both = measure(["true"], out=tmp_path / "b", together=True, vendors=())
        assert both.environment["contended"] is True
        assert any("measured together with assay measure sleep" in w for w in both.warnings)
    finally:
        slow.send_signal(signal.SIGINT)
        slow.communicate(timeout=30)


SWEEP = ("measure", "gemm", "--cases", "numpy fp64 *", "--set", "peak=off", "--no-sensors", "--budget")


def _stopped_half_way(root: Path, sign: signal.Signals) -> Path:
    """A sweep that was stopped after its second or third case; the folder of its run."""
    command = _cli(*SWEEP, "60", "--out", str(root))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        while not process.stderr.readline().startswith("[3/"):
            assert process.poll() is None
        time.sleep(1.5)
        process.send_signal(sign)
        process.communicate(timeout=60)
    (path,) = store.list_runs(root)
    return path


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_a_sweep_that_was_stopped_or_killed_goes_on_where_it_was(tmp_path, sign):
    path = _stopped_half_way(tmp_path, sign)
    half = store.load(path)
    assert half.partial
    done = [e.of for e in half.events if e.kind == "done"]
    assert 2 <= len(done) < 23
    whole = measure("gemm", budget_s=1.0, out=tmp_path, resume=path, vendors=(), together=True)
    assert not whole.partial
    assert [c.name for c in whole.cases][: len(done)] == done
    assert {c.dtype for c in whole.cases} == {"fp64"}  # the same was asked again
    taken, again = half.of("time_s", done[0])[0], whole.of("time_s", done[0])[0]
    assert (taken.value == again.value).all()  # measured once
    assert max(again.at_s) < 0  # before this run began
    assert whole.events[0].kind == "resumed"


def test_resuming_what_is_whole_or_something_else_is_refused(tmp_path):
    run = measure("launch", budget_s=0.1, out=tmp_path, vendors=())
    with pytest.raises(InputError, match="this run is whole"):
        measure("launch", out=tmp_path, resume=at(run, tmp_path))
    half = measure(python("import sys; sys.exit(1)"), out=tmp_path, vendors=())
    with pytest.raises(InputError, match="a run of a command cannot be resumed"):
        measure("launch", out=tmp_path, resume=at(half, tmp_path))
    other = store.save(replace(run, name="membw", partial=True), tmp_path)
    with pytest.raises(InputError, match="this is a run of membw"):
        measure("launch", out=tmp_path, resume=other)


def test_kill_9_of_the_measuring_process_loses_less_than_five_seconds(tmp_path):
    """Samples, sensors and the log are on the disk; the record reads as partial; nothing of ours stays behind."""
    process = subprocess.Popen(
        _cli("measure", "--out", str(tmp_path), "--", *python(TRAINER, "100000")),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _until(lambda: store.list_runs(tmp_path))
    time.sleep(6.0)
    (path,) = store.list_runs(tmp_path)
    helpers = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdecimal() and _mine(p, path)]
    process.kill()
    process.wait()
    run = store.load(path)
    assert run.partial
    last_s = max(float(s.at_s[-1]) for s in run.series)
    assert last_s > 6.0 - 5.0
    assert "host.load" in {s.metric for s in store.telemetry(path)}
    assert (path / "log.txt").stat().st_size > 0
    _until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in helpers), 15)


def _mine(process: Path, run: Path) -> bool:
    """A sampler of this run, or one of its readers."""
    try:
        return (
            str(run).encode() in (process / "cmdline").read_bytes() and b"sampler" in (process / "cmdline").read_bytes()
        )
    except OSError:
        return False


def test_a_full_disk_stops_the_record_and_not_the_command(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    small = ["mount", "-t", "tmpfs", "-o", "size=800k", "tmpfs", str(disk)]
    if subprocess.run(small, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk is not permitted here")
    done = tmp_path / "done"
    code = f"import sys\nfor i in range(40000): print('x' * 100)\nopen({str(done)!r}, 'w').write('yes')"
    try:
        with pytest.raises(MeasureError, match=r"(?i)no space left.*what fitted is kept"):
            measure(python(code), out=disk, vendors=())
        assert done.read_text() == "yes"
        (path,) = store.list_runs(disk)
        assert store.load(path).partial
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_the_clock_may_be_set_back_while_a_command_runs(tmp_path, monkeypatch):
    """Times of a run follow a clock that never steps; that the wall clock did is told."""
    real, moved_s = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + moved_s[0])
    timer = threading.Timer(3.0, lambda: moved_s.__setitem__(0, -3600.0))
    timer.start()
    run = measure(["sleep", "6"], out=tmp_path, vendors=())
    timer.join()
    assert any(e.kind == "clock" and "-3600" in e.text for e in run.events)
    assert 5 < run.duration_s < 60


def test_secrets_of_a_command_line_are_not_written_down(tmp_path):
    run = measure(["echo", "--api-key", "sk-12345678901234", "--port=80"], out=tmp_path, vendors=(), tee=False)
    kept = (at(run, tmp_path) / "run.json").read_text()
    assert "sk-12345678901234" not in kept
    assert "--port=80" in kept


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["python", "train.py"], "train"),
        (["/usr/bin/python3.11", "-u", "-m", "torch.distributed.run", "x.py"], "run"),
        (["python3"], "python3"),
        (["./bench.sh", "python"], "bench.sh"),
    ],
)
def test_a_run_is_named_after_what_it_runs(argv, name):
    assert name_of(argv) == name


def test_a_program_can_measure_itself(tmp_path):
    code = f"""
import assay, time
with assay.monitor("self", out={str(tmp_path)!r}, vendors=()) as run:
    for step in range(20):
        time.sleep(0.02)
        assay.emit(step=step, loss=1.0)
print(run.path)
assay.emit(step=99)  # nobody listens any more
"""
    done = subprocess.run(python(code), capture_output=True, text=True, check=True)
    run = store.load(done.stdout.strip())
    assert not run.partial
    assert told(run)["interval_s"].value >= 0.02


@pytest.mark.parametrize("ending", ["raise ValueError('boom')", "import os; os.kill(os.getpid(), 9)"])
def test_a_program_that_dies_inside_monitor_leaves_its_run_as_partial(tmp_path, ending):
    code = f"""
import assay, time
with assay.monitor("self", out={str(tmp_path)!r}, vendors=()) as run:
    for step in range(20):
        time.sleep(0.05)
        assay.emit(step=step, loss=1.0)
    {ending}
"""
    subprocess.run(python(code), capture_output=True, check=False)
    (path,) = store.list_runs(tmp_path)
    _until(lambda: not (path / "open").exists(), 30)
    run = store.load(path)
    assert run.partial
    assert "boom" in run.stopped or "ended before" in run.stopped
    assert told(run)["loss"].n > 5


def _cli(*args: str) -> list[str]:
    # A shell that starts the tests in the background has told its children to ignore Ctrl-C.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    return [sys.executable, "-c", f"{heed}; from assay.cli.main import main; main()", *args]


def _until(met, patience_s: float = 60.0):
    end_s = time.monotonic() + patience_s
    while not (found := met()):
        assert time.monotonic() < end_s, "it did not happen"
        time.sleep(0.05)
    return found


def test_json_of_the_command_line_holds_everything(tmp_path):
    done = subprocess.run(
        _cli("measure", "--out", str(tmp_path), "--format", "json", "--silent", "--", *python(TRAINER, "30")),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert {f["metric"] for f in found["figures"]} >= {"interval_s", "loss", "tokens"}
    assert found["exit_code"] == 0
    assert found["observation"]["verdict"]
    assert shutil.rmtree(found["run"]) is None
