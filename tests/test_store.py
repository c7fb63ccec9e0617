"""A run on disk can be read at any moment, and what was written is what is read."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay import store
from assay.errors import AssayError, InputError, MeasureError
from assay.journal import Writer
from assay.machine import Device
from assay.run import Case, Event, Run
from assay.series import Sample, gathered


def some_samples(n: int = 20) -> list[Sample]:
    return [Sample("copy 1 MiB", "time_s", 1e-3 + i * 1e-7, i, i / 10, i < 2, i % 2) for i in range(n)]


def a_run(n: int = 20, **changes) -> Run:
    run = Run(
        id="",
        name="membw",
        command=("python", "engine.py", "membw"),
        started="2026-11-26T02:14:00.123+00:00",
        duration_s=1.5,
        environment={"cpu": "Example", "load_start": 0.5, "isa": ["AVX2"], "start": {"is": 1}},
        settings={"quick": "yes"},
        cases=(Case(name="copy 1 MiB", kind="copy", size_bytes=2e6, threads=1, note="in cache"),),
        series=gathered(some_samples(n)),
        events=(Event(at_s=1.0, kind="gap", text="nvidia did not answer", of="nvidia"),),
        warnings=("contended",),
        exit_code=0,
    )
    return replace(run, **changes)


def saved(root: Path, n: int = 20, **changes) -> Path:
    return store.save(a_run(n, **changes), root, log='{"event": "begin"}\nwhat a library \r printed\n')


def told(run: Run) -> Run:
    return replace(run, id="")


def test_what_is_loaded_is_what_was_saved(tmp_path):
    path = saved(tmp_path)
    loaded = store.load(path)
    assert told(loaded) == a_run()
    assert path.name == f"20261126T021400Z-membw-{loaded.id[:8]}"
    assert {p.name for p in path.iterdir()} == {"run.json", "samples.parquet", "log.txt"}
    assert (path / "log.txt").read_bytes() == b'{"event": "begin"}\nwhat a library \r printed\n'


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(min_value=-1e300, max_value=1e300), min_size=1, max_size=20),
    st.text(max_size=30).filter(lambda s: "\0" not in s and "\r" not in s),
)
def test_every_float_and_every_name_survives_the_disk(tmp_path_factory, values, name):
    samples = [Sample(name, "time_s", v, i, 0.0) for i, v in enumerate(values)]
    run = a_run(name=name, series=gathered(samples), settings={name: name})
    assert told(store.load(store.save(run, tmp_path_factory.mktemp("runs")))) == run


def test_a_run_without_samples_is_a_run(tmp_path):
    assert told(store.load(saved(tmp_path, series=()))) == a_run(series=())


def test_two_runs_of_the_same_second_are_two(tmp_path):
    assert len({saved(tmp_path), saved(tmp_path)}) == len(store.list_runs(tmp_path)) == 2


def test_an_edited_run_is_noticed(tmp_path):
    path = saved(tmp_path)
    head = json.loads((path / "run.json").read_text())
    head["environment"]["cpu"] = "Faster"
    (path / "run.json").write_text(json.dumps(head))
    with pytest.raises(InputError, match="not as it was written"):
        store.load(path)


def test_samples_of_another_run_are_noticed(tmp_path):
    first, second = saved(tmp_path, 20), saved(tmp_path, 21)
    shutil.copy(first / "samples.parquet", second / "samples.parquet")
    with pytest.raises(InputError, match="not as it was written"):
        store.load(second)


@pytest.mark.parametrize("name", ["run.json", "samples.parquet", "log.txt"])
def test_a_missing_file_is_noticed(tmp_path, name):
    path = saved(tmp_path)
    (path / name).unlink()
    with pytest.raises(InputError, match="there is no run here" if name == "run.json" else "or are missing"):
        store.load(path)


@pytest.mark.parametrize("name", ["run.json", "samples.parquet", "log.txt"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_truncated_or_damaged_run_never_gives_a_traceback(tmp_path_factory, name, data):
    path = saved(tmp_path_factory.mktemp("runs"))
    content = bytearray((path / name).read_bytes())
    at = data.draw(st.integers(min_value=0, max_value=len(content) - 1))
    if data.draw(st.booleans()):
        content = content[:at]
    else:
        content[at] ^= data.draw(st.integers(min_value=1, max_value=255))
    (path / name).write_bytes(bytes(content))
    try:
        loaded = store.load(path)
    except AssayError:
        return
    assert told(loaded) == a_run()  # the damage touched nothing that figures are made of


def test_a_run_of_a_newer_assay_asks_for_an_upgrade(tmp_path):
    path = saved(tmp_path)
    head = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**head, "schema": 3, "something_new": 1}))
    with pytest.raises(InputError, match=r"written by a newer Assay \(schema 3, this one reads 2\); upgrade"):
        store.load(path)


def test_a_run_of_the_first_assay_says_to_measure_again(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"schema": 1, "name": "matmul"}))
    with pytest.raises(InputError, match=r"Assay 0\.1.*measure again"):
        store.load(tmp_path)


@pytest.mark.parametrize("head", [{}, {"schema": "1"}, {"schema": True}, {"schema": 0}, {"schema": 2}])
def test_json_that_is_no_run_is_refused(tmp_path, head):
    (tmp_path / "run.json").write_text(json.dumps(head))
    with pytest.raises(InputError):
        store.load(tmp_path)


def test_a_folder_without_a_run_says_what_to_name(tmp_path):
    with pytest.raises(InputError, match="there is no run here; name a folder"):
        store.load(tmp_path / "nothing")


def test_a_run_is_found_by_path_by_name_and_by_id(tmp_path):
    path, other = saved(tmp_path), saved(tmp_path)
    identity = store.load(path).id
    assert store.find(path, tmp_path) == store.find(path.name, tmp_path) == store.find(identity[:6], tmp_path) == path
    assert store.find(identity, tmp_path) == path != other


@pytest.mark.parametrize("name", ["no", "0", "nothing", "zzzz", "../etc"])
def test_a_name_no_run_has_lists_those_there_are(tmp_path, name):
    path = saved(tmp_path)
    with pytest.raises(InputError, match=f"there is no run here; runs in .*{path.name}"):
        store.find(name, tmp_path)


def test_no_folder_means_no_runs(tmp_path):
    assert store.list_runs(tmp_path / "none") == ()


def test_a_file_where_the_folder_should_be_is_refused(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(InputError, match="--out"):
        saved(tmp_path / "runs")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_names_the_option(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(InputError, match="--out"):
        saved(tmp_path)


# --- a run that is open -----------------------------------------------------------------------------------------------


def test_an_open_run_is_read_as_far_as_it_went_and_is_partial(tmp_path):
    with store.begin(a_run(0, series=(), cases=(), events=(), warnings=()), tmp_path) as record:
        record.say("case", Case(name="copy 1 MiB", kind="copy"))
        record.say("warning", "the cache is not shown here")
        record.say("event", Event(at_s=2.0, kind="oom", text="out of memory"))
        record.say("setting", {"precision": "bf16"})
        record.say("fact", {"torch": "2.13"})
        record.sample(some_samples(5))
        record.flush()
        found = store.load(record.folder)
    assert found.partial
    assert "still running, or it was killed" in found.stopped
    assert [s.value for s in found.samples] == [s.value for series in gathered(some_samples(5)) for s in series]
    assert [c.name for c in found.cases] == ["copy 1 MiB"]
    assert found.warnings == ("the cache is not shown here",)
    assert found.events[0].kind == "oom"
    assert (found.settings["precision"], found.environment["torch"]) == ("bf16", "2.13")
    assert found.duration_s >= 0.4


@settings(max_examples=30, deadline=None)
@given(cut=st.integers(min_value=0, max_value=2000))
def test_an_open_run_cut_anywhere_loses_its_last_line_at_most(tmp_path_factory, cut):
    with store.begin(a_run(0, series=()), tmp_path_factory.mktemp("runs")) as record:
        record.sample(some_samples(30))
        record.flush()
        path = record.folder / "open" / "samples.csv"
        whole = path.read_bytes()
        path.write_bytes(whole[: min(cut, len(whole))])
        found = sorted(store.load(record.folder).samples, key=lambda s: s.index)
    lines = whole[: min(cut, len(whole))].count(b"\n")
    assert found == [s._replace(at_s=round(s.at_s, 6)) for s in some_samples(lines)]


@pytest.mark.parametrize(
    "odd",
    [
        '{"fact": 7}',
        '{"setting": [1]}',
        '{"setting": null}',
        '{"event": 7}',
        '{"event": {"at_s": NaN, "kind": "k", "text": "t"}}',
        '{"case": {"name": "c", "kind": "copy", "size_bytes": -1}}',
        '{"device": []}',
        '{"what": {}}',
        "[" * 100_000,
    ],
)
def test_an_odd_line_of_an_open_run_hides_no_other(tmp_path, odd):
    with store.begin(a_run(0, series=(), cases=(), events=(), warnings=(), devices=()), tmp_path) as record:
        record.say("fact", {"torch": "2.13"})
        record.flush()
        with (record.folder / "open" / "said.jsonl").open("a") as said:
            said.write(odd + "\n")
        record.say("setting", {"precision": "bf16"})
        record.flush()
        found = store.load(record.folder)
    assert (found.settings["precision"], found.environment["torch"]) == ("bf16", "2.13")
    assert (found.cases, found.devices) == ((), ())


@pytest.mark.parametrize(
    "odd",
    [
        "[NaN, 0, [1.0, 2.0]]",
        "[1e300, 0, [1.0, 2.0]]",
        '[1.0, 0, ["hot", [3]]]',
        f"[1.0, 0, [{'9' * 400}, NaN]]",
        '{"event": {"at_s": NaN, "kind": "gap", "text": "t"}}',
        '{"event": {"at_s": "noon", "kind": "gap", "text": "t"}}',
        '{"n": 3, "device": {"name": "d", "vendor": "v", "id": [1]}}',
    ],
)
def test_an_odd_line_of_a_journal_hides_no_other(tmp_path, odd):
    with store.begin(a_run(0, series=(), events=(), devices=()), tmp_path) as record:
        journal(record.folder, 1, range(3))
        with next((record.folder / "open").glob("telemetry-*.jsonl")).open("a") as lines:
            lines.write(odd + "\n")
        known = store.telemetry(record.folder)
        found = store.load(record.folder)
        record.compact(all=True)
        store.load(record.close(a_run(0, series=(), events=(), devices=())))
    assert [d.id for d in found.devices] == ["GPU-0"]
    assert {len(s) for s in known} == {3}
    assert [e.text for e in found.events] == ["late"]


def test_kill_9_loses_nothing_that_was_flushed(tmp_path):
    code = f"""
import os, runpy, signal
from assay import store
here = runpy.run_path({str(Path(__file__))!r})
record = store.begin(here["a_run"](0, series=()), {str(tmp_path)!r})
record.sample(here["some_samples"](12))
record.log(b"hello\\n")
record.flush()
record.sample(here["some_samples"](5))
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (path,) = store.list_runs(tmp_path)
    found = store.load(path)
    assert found.partial
    assert sum(map(len, found.series)) == 12
    assert (path / "log.txt").read_text() == "hello\n"


def test_kill_9_while_it_closes_leaves_it_open_and_whole(tmp_path):
    code = f"""
import os, runpy, signal
from pathlib import Path
from assay import store
here = runpy.run_path({str(Path(__file__))!r})
record = store.begin(here["a_run"](0, series=()), {str(tmp_path)!r})
record.sample(here["some_samples"](12))
Path.replace = lambda self, target: os.kill(os.getpid(), signal.SIGKILL)
record.close(here["a_run"](0, series=()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (path,) = store.list_runs(tmp_path)
    assert store.load(path).partial
    assert sum(map(len, store.load(path).series)) == 12


@pytest.mark.parametrize("step", ["flush", "parquet", "head"])
def test_a_full_disk_keeps_what_fitted_and_says_so(tmp_path, monkeypatch, step):
    earlier = saved(tmp_path)
    before = {p.name: p.read_bytes() for p in earlier.iterdir()}

    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    with store.begin(a_run(0, series=()), tmp_path) as record:
        record.sample(some_samples(6))
        record.flush()
        with monkeypatch.context() as patch:
            if step == "flush":
                patch.setattr(record, "_sampled", type("Full", (), {"write": full, "flush": full, "close": full})())
                record.sample(some_samples(6))
            elif step == "parquet":
                patch.setattr("assay.store.samples.close", full)
            else:
                patch.setattr(Path, "write_text", full)
            with pytest.raises(
                MeasureError, match=r"No space left on device: the run could not be closed.*assay report"
            ):
                record.close(a_run())
    assert sum(map(len, store.load(record.folder).series)) == 6
    assert {p.name: p.read_bytes() for p in earlier.iterdir()} == before


def test_a_disk_that_really_fills_keeps_what_fitted(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    small = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)]
    if subprocess.run(small, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk is not permitted here")
    try:
        earlier = saved(disk)
        with pytest.raises(MeasureError, match=r"(?i)no space left"):
            saved(disk, 60_000)
        kept = [p for p in store.list_runs(disk) if p != earlier]
        assert len(kept) == 1
        assert 1000 < sum(map(len, store.load(kept[0]).series)) < 60_000
        assert told(store.load(earlier)) == a_run()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


# --- what sensors said ------------------------------------------------------------------------------------------------


def journal(folder: Path, number: int, ticks: range, device: str = "GPU-0") -> None:
    writer = Writer()
    text = writer.about(Device(name="H100", vendor="NVIDIA", id=device, memory_bytes=80e9))
    for i in ticks:
        said = [("accel.power_w", 300.0 + i, "average"), ("accel.energy_j", 10.0 * i, "counter")]
        if i % 10 == 5:  # the power sensor is silent: it is not there, and it is not 0
            said = said[1:]
        text += writer.tick(device, float(i), said)
    text += writer.event(Event(at_s=float(ticks.stop), kind="gap", text="late", of="nvidia"))
    (folder / "open").mkdir(exist_ok=True)
    (folder / "open" / f"telemetry-{number:06d}.jsonl").write_text(text)


def test_readings_are_the_same_open_compacted_and_closed(tmp_path):
    with store.begin(a_run(0, series=()), tmp_path) as record:
        journal(record.folder, 1, range(50))
        journal(record.folder, 2, range(50, 80))
        open_ = store.telemetry(record.folder)
        record.compact()
        half = store.telemetry(record.folder)
        assert [p.name for p in (record.folder / "telemetry").iterdir()] == ["000001.parquet"]
        record.compact(all=True)
        closed = store.telemetry(record.close(a_run(series=())))
    assert open_ == half == closed
    power = next(s for s in closed if s.metric == "accel.power_w")
    assert (power.of, power.quality, len(power)) == ("GPU-0", "average", 72)
    assert power.value[5] == 306.0  # second 5 is not there
    loaded = store.load(record.folder)
    assert [d.name for d in loaded.devices] == ["H100"]
    assert [e.text for e in loaded.events] == ["nvidia did not answer", "late", "late"]


def test_a_stretch_of_some_metrics_is_read_alone(tmp_path):
    with store.begin(a_run(0, series=()), tmp_path) as record:
        journal(record.folder, 1, range(50))
        (energy,) = store.telemetry(record.folder, metrics=["accel.energy_j"], between=(10.0, 19.0))
        assert store.telemetry(record.folder, devices=["GPU-7"]) == ()
    assert energy.at_s.tolist() == [float(i) for i in range(10, 20)]


def test_built_in_questions_have_the_answers_of_the_readings(tmp_path):
    with store.begin(a_run(0, series=()), tmp_path) as record:
        journal(record.folder, 1, range(50))
        (power,) = store.questions(record.folder, "by device", "accel.power_w")
        (growth,) = store.questions(record.folder, "growth", "accel.energy_j")
        (low,) = store.questions(record.folder, "share below", "accel.power_w", limit=302.0)
        hours = store.questions(record.folder, "by hour", "accel.power_w")
        with pytest.raises(InputError, match="built-in question"):
            store.questions(record.folder, "by week", "accel.power_w")
    assert (power["readings"], power["least"], power["most"]) == (45, 300.0, 349.0)
    assert (growth["grown"], growth["resets"]) == (490.0, 0)
    assert low["share"] == pytest.approx(2 / 45)
    assert [row["hour"] for row in hours] == [0]


@settings(max_examples=30, deadline=None)
@given(cut=st.integers(min_value=0, max_value=4000))
def test_a_journal_cut_anywhere_is_read_to_its_last_whole_line(tmp_path_factory, cut):
    with store.begin(a_run(0, series=()), tmp_path_factory.mktemp("runs")) as record:
        journal(record.folder, 1, range(50))
        path = record.folder / "open" / "telemetry-000001.jsonl"
        whole = path.read_bytes()
        path.write_bytes(whole[: min(cut, len(whole))])
        found = store.telemetry(record.folder)
    ticks = sum(line.startswith(b"[") for line in whole[: min(cut, len(whole))].split(b"\n")[:-1])
    assert max((len(s) for s in found), default=0) == ticks


def test_a_full_disk_is_told_in_the_words_of_the_system_and_not_of_the_database() -> None:
    from assay.store.database import reason

    wrapped = 'IO Error: Async write failed: {"exception_type":"IO","exception_message":"… No space left on device"}'
    assert reason(wrapped) == "No space left on device"
    assert reason("Invalid Input: no rows\nmore") == "Invalid Input: no rows"


def test_a_run_is_loaded_without_a_look_at_what_sensors_said(tmp_path):
    """A day of readings is a question of its own: it would cost every comparison seconds."""
    with store.begin(a_run(0, series=()), tmp_path) as record:
        journal(record.folder, 1, range(50))
        record.compact(all=True)
        path = record.close(a_run(series=()))
    part = path / "telemetry" / "000001.parquet"
    part.write_bytes(bytes(part.stat().st_size))
    assert store.load(path).name == "membw"
    with pytest.raises(InputError, match="not the readings of a run"):
        store.telemetry(path)
