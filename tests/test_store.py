"""A run on disk is whole or it is not there, and what was written is what is read."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay import store
from assay.errors import AssayError, InputError
from assay.run import Case, Run, Sample


def a_run(n: int = 20, **changes) -> Run:
    samples = tuple(
        Sample(case="copy 1 MiB", metric="time_s", value=1e-3 + i * 1e-7, index=i, warmup=i < 2, at_s=0.1 * i or None)
        for i in range(n)
    )
    run = Run(
        id="",
        name="memory",
        command=("python", "engine.py", "memory"),
        started="2026-11-23T02:14:00+00:00",
        duration_s=1.5,
        environment={"cpu": "Example", "load_start": 0.5, "isa": ["AVX2"], "start": {"is": 1}},
        settings={"quick": "yes"},
        cases=(Case(name="copy 1 MiB", kind="copy", size_bytes=2e6, threads=1, note="in cache"),),
        samples=samples,
        warnings=("contended",),
        log=('{"event": "begin"}', "what a library \r printed", ""),
    )
    return replace(run, **changes)


def test_what_is_loaded_is_what_was_saved(tmp_path):
    path = store.save(a_run(), tmp_path)
    loaded = store.load(path)
    assert replace(loaded, id="") == a_run()
    assert path.name == f"20261123T021400Z-memory-{loaded.id[:8]}"
    assert {p.name for p in path.iterdir()} == {"run.json", "samples.parquet", "log.jsonl"}


@settings(max_examples=25)
@given(
    st.lists(st.floats(min_value=1e-300, max_value=1e300), max_size=20),
    st.text(max_size=30).filter(lambda s: "\n" not in s and s.isprintable()),
)
def test_every_float_and_every_name_survives_the_disk(tmp_path_factory, values, name):
    samples = tuple(Sample(case=name, metric="time_s", value=v, index=i) for i, v in enumerate(values))
    run = a_run(name=name, samples=samples, settings={name: name}, log=(name,))
    assert replace(store.load(store.save(run, tmp_path_factory.mktemp("runs"))), id="") == run


def test_saving_the_same_run_twice_keeps_one(tmp_path):
    assert store.save(a_run(), tmp_path) == store.save(a_run(), tmp_path)
    assert len(store.list_runs(tmp_path)) == 1


def test_one_changed_sample_is_another_run(tmp_path):
    first, second = store.save(a_run(20), tmp_path), store.save(a_run(21), tmp_path)
    assert first != second
    assert store.list_runs(tmp_path) == tuple(sorted((first, second)))


def test_an_edited_run_is_noticed(tmp_path):
    path = store.save(a_run(), tmp_path)
    head = json.loads((path / "run.json").read_text())
    head["environment"]["cpu"] = "Faster"
    (path / "run.json").write_text(json.dumps(head))
    with pytest.raises(InputError, match="not as it was written"):
        store.load(path)


def test_samples_of_another_run_are_noticed(tmp_path):
    first, second = store.save(a_run(20), tmp_path), store.save(a_run(21), tmp_path)
    shutil.copy(first / "samples.parquet", second / "samples.parquet")
    with pytest.raises(InputError, match="not as it was written"):
        store.load(second)


def test_a_foreign_parquet_file_is_named(tmp_path):
    import duckdb

    path = store.save(a_run(), tmp_path)
    (path / "samples.parquet").unlink()
    with duckdb.connect() as database:
        database.execute(f"COPY (SELECT 1 AS somebody, 'x' AS elses) TO '{path}/samples.parquet' (FORMAT parquet)")
    with pytest.raises(InputError, match=r"samples\.parquet: these are not the samples of a run"):
        store.load(path)


@pytest.mark.parametrize("name", ["run.json", "samples.parquet", "log.jsonl"])
def test_a_missing_file_is_named(tmp_path, name):
    path = store.save(a_run(), tmp_path)
    (path / name).unlink()
    with pytest.raises(InputError) as error:
        store.load(path)
    assert (name if name != "run.json" else "there is no run here") in str(error.value)


@pytest.mark.parametrize("name", ["run.json", "samples.parquet", "log.jsonl"])
@settings(max_examples=25)
@given(data=st.data())
def test_a_truncated_or_damaged_run_never_gives_a_traceback(tmp_path_factory, name, data):
    path = store.save(a_run(), tmp_path_factory.mktemp("runs"))
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
    assert replace(loaded, id="") == a_run()  # the damage touched nothing that is said (Parquet's own metadata)


def test_a_run_of_a_newer_assay_asks_for_an_upgrade(tmp_path):
    path = store.save(a_run(), tmp_path)
    head = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**head, "schema": 2, "something_new": 1}))
    with pytest.raises(InputError, match=r"written by a newer Assay \(schema 2, this one reads 1\); upgrade"):
        store.load(path)


@pytest.mark.parametrize("head", [{}, {"schema": "1"}, {"schema": True}, {"schema": 0}, {"schema": 1}])
def test_json_that_is_no_run_is_refused(tmp_path, head):
    (tmp_path / "run.json").write_text(json.dumps(head))
    with pytest.raises(InputError):
        store.load(tmp_path)


def test_a_folder_without_a_run_says_what_to_name(tmp_path):
    with pytest.raises(InputError, match="there is no run here; name a folder"):
        store.load(tmp_path / "nothing")


def test_a_run_is_found_by_path_by_name_and_by_id(tmp_path):
    path, other = store.save(a_run(20), tmp_path), store.save(a_run(21), tmp_path)
    identity = store.load(path).id
    assert store.find(path, tmp_path) == store.find(path.name, tmp_path) == store.find(identity[:6], tmp_path) == path
    assert store.find(identity, tmp_path) == path != other


@pytest.mark.parametrize("name", ["no", "0", "nothing", "zzzz", "../etc"])
def test_a_name_no_run_has_lists_those_there_are(tmp_path, name):
    path = store.save(a_run(), tmp_path)
    with pytest.raises(InputError, match=f"there is no run here; runs in .*{path.name}"):
        store.find(name, tmp_path)


def test_no_folder_means_no_runs(tmp_path):
    assert store.list_runs(tmp_path / "none") == ()


def test_a_file_where_the_folder_should_be_is_refused(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(InputError, match="--out"):
        store.save(a_run(), tmp_path / "runs")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_names_the_option(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(InputError, match="--out"):
        store.save(a_run(), tmp_path)


def test_a_folder_that_refuses_writes_names_the_option(tmp_path, monkeypatch):
    def refuse(*_args, **_more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(store.tempfile, "TemporaryFile", refuse)
    with pytest.raises(InputError, match=r"Permission denied.*--out"):
        store.prepare(tmp_path)


@pytest.mark.parametrize("step", ["fsync", "rename", "write", "parquet"])
def test_a_full_disk_refuses_the_run_and_leaves_the_others(tmp_path, monkeypatch, step):
    earlier = store.save(a_run(5), tmp_path)
    before = {p.name: p.read_bytes() for p in earlier.iterdir()}

    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    target = {"fsync": (store.os, "fsync"), "rename": (Path, "rename"), "write": (store, "_write"),
              "parquet": (store, "_write_samples")}[step]  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr(*target, full)
        with pytest.raises(
            InputError, match="No space left on device: the run was not kept; earlier runs are untouched"
        ):
            store.save(a_run(6), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [earlier.name]
    assert {p.name: p.read_bytes() for p in earlier.iterdir()} == before
    assert replace(store.load(earlier), id="") == a_run(5)


def save_elsewhere(root: Path, n: int, prelude: str) -> subprocess.CompletedProcess:
    """Save a run of n samples in a process of its own."""
    code = f"""
{prelude}
import runpy
from assay import store
a_run = runpy.run_path({str(Path(__file__))!r})["a_run"]
try:
    print(store.save(a_run({n}), {str(root)!r}))
except store.AssayError as error:
    raise SystemExit(f"refused: {{error}}")
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_disk_that_really_fills_refuses_the_run(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk is not permitted here")
    try:
        earlier = store.save(a_run(5), disk)
        with pytest.raises(InputError, match=r"(?i)no space left.*untouched"):
            store.save(a_run(60_000), disk)
        assert store.list_runs(disk) == (earlier,)
        assert [p.name for p in disk.iterdir()] == [earlier.name]
        assert replace(store.load(earlier), id="") == a_run(5)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_limit_on_file_size_refuses_the_run(tmp_path):
    earlier = store.save(a_run(5), tmp_path)
    prelude = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))"
    limited = save_elsewhere(tmp_path, 60_000, prelude)
    assert "refused" in limited.stderr
    assert [p.name for p in tmp_path.iterdir()] == [earlier.name]


def test_kill_9_in_the_middle_leaves_no_half_run(tmp_path):
    earlier = store.save(a_run(5), tmp_path)
    killed = save_elsewhere(
        tmp_path,
        6,
        prelude="""
import os, signal
from pathlib import Path
def die(self, target):
    os.kill(os.getpid(), signal.SIGKILL)
Path.rename = die
""",
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2  # the half-written one is there, hidden …
    assert store.list_runs(tmp_path) == (earlier,)  # … and is no run
    left = next(p for p in tmp_path.iterdir() if p != earlier)
    long_ago = time.time() - 7200
    os.utime(left, (long_ago, long_ago))
    store.save(a_run(7), tmp_path)
    assert not left.exists()  # a later save clears what nobody can be writing any more


def test_an_unfinished_run_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / ".saving-other").mkdir()
    store.save(a_run(), tmp_path)
    assert (tmp_path / ".saving-other").is_dir()


def test_a_full_disk_is_told_in_the_words_of_the_system_and_not_of_the_database() -> None:
    wrapped = 'IO Error: Async write failed: {"exception_type":"IO","exception_message":"… No space left on device"}'
    assert store._reason(wrapped) == "No space left on device"
    assert store._reason("Invalid Input: no rows\nmore") == "Invalid Input: no rows"
