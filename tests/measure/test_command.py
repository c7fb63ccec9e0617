"""A probe is followed to its end, whatever end that is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InputError, MeasureError
from assay.measure import command
from assay.measure.command import measure
from assay.summary import summarise

TORCH = os.environ.get("ASSAY_TORCH_PYTHON", "")


def fake_python(tmp_path: Path, engine: str) -> str:
    """An interpreter that is real, but for what it does with the engine."""
    path = tmp_path / "python"
    path.write_text(f'#!/bin/sh\ncase "$1" in\n*engine.py)\n{engine}\n;;\n*) exec {sys.executable} "$@";;\nesac\n')
    path.chmod(0o755)
    return str(path)


def gone(pid: int) -> bool:
    """Ended; who inherits it may not have taken note yet, and then it is a zombie."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def said(*lines: dict) -> str:
    return "\n".join(f"echo '{json.dumps(line)}'" for line in lines)


BEGIN = {"event": "begin", "case": {"name": "c", "kind": "copy", "bytes": 100}, "number": 1, "of": 1}


def sample(index: int, value: float = 0.5) -> dict:
    return {"case": "c", "metric": "time_s", "value": value, "index": index, "at": 1.0, "warmup": False}


def test_dispatch_is_measured_for_real():
    heard = []
    run = measure("dispatch", budget_s=0.1, progress=heard.append)
    assert [c.name for c in run.cases][:2] == ["python call", "numpy add 1 element"]
    assert not run.partial
    by_name = {s.name: s for s in summarise(run)}
    assert 1e-9 < by_name["python call"].time_s < by_name["numpy add 1 element"].time_s < 1e-2
    assert run.environment["numpy"]
    assert run.environment["contended"] in (True, False)
    assert run.settings["budget_s"] == "0.1"
    assert len(heard) >= len(run.cases)
    assert all(json.loads(line)["case"] for line in run.log if "warning" not in line)


def test_a_matrix_product_does_two_m_n_k_operations():
    run = measure("matmul", budget_s=1.0, quick=True, cases=["numpy fp?? 128x128x128", "numpy fp32 512x64x512"])
    found = {c.name: c for c in run.cases}
    assert found["numpy fp32 512x64x512"].shape == (512, 64, 512)
    assert found["numpy fp32 512x64x512"].flop == 2 * 512 * 64 * 512
    assert {c.dtype for c in run.cases} == {"fp32", "fp64"}
    assert all(s.rate > 1e6 for s in summarise(run))


def test_enough_shapes_are_measured_for_half_to_judge_the_other_half():
    import runpy

    probe = runpy.run_path(str(command.ENGINE.with_name("matmul.py")))
    quick = [s for s in probe["SHAPES"] if probe["_flop"](s) <= probe["QUICK_FLOP"]]
    assert len(quick) >= 16
    assert len(set(probe["SHAPES"])) == len(probe["SHAPES"])
    assert {(128,) * 3, (4096,) * 3} <= set(probe["SHAPES"])


def test_memory_is_measured_on_one_thread_and_on_all():
    run = measure("memory", budget_s=0.3, quick=True, cases=["copy * in cache *"])
    assert {str(c.threads) for c in run.cases} == {"1", run.settings["threads"]}
    assert all(c.size_bytes == 2 * 256 * 1024 * c.threads for c in run.cases)


def test_storage_leaves_nothing_behind_and_tells_of_the_page_cache(tmp_path):
    run = measure("storage", budget_s=0.3, quick=True, folder=tmp_path)
    assert {c.kind for c in run.cases} >= {"write"}
    assert all("page cache" in c.note for c in run.cases)
    assert list(tmp_path.iterdir()) == []
    assert run.settings["folder"] == str(tmp_path)


def test_a_probe_that_dies_leaves_what_it_measured(tmp_path):
    lines = said(BEGIN, *(sample(i) for i in range(8)))
    python = fake_python(tmp_path, f"{lines}\necho 'CUDA error: an illegal memory access' >&2\nkill -9 $$")
    run = measure("matmul", python=python, budget_s=1)
    assert run.partial
    assert run.stopped == "the probe died (killed by SIGKILL): CUDA error: an illegal memory access"
    assert len(run.samples) == 8


def test_a_probe_that_dies_at_once_is_an_error_with_its_last_words(tmp_path):
    python = fake_python(tmp_path, "echo 'ImportError: libcudart' >&2\nexit 1")
    with pytest.raises(
        MeasureError, match=r"nothing was measured: the probe died .exit 1.: ImportError: libcudart"
    ) as error:
        measure("matmul", python=python, budget_s=1)
    assert error.value.exit_code == 3


def test_a_probe_that_hangs_is_stopped_with_its_children_and_kept(tmp_path):
    pid = tmp_path / "pid"
    python = fake_python(tmp_path, f"{said(BEGIN, sample(0))}\nsleep 300 & echo $! > {pid}\nwait")
    run = measure("matmul", python=python, budget_s=1, timeout_s=1.5)
    assert run.partial
    assert run.stopped.startswith("no end within 2 s")
    assert gone(int(pid.read_text()))


def test_a_probe_that_ignores_requests_to_end_is_killed(tmp_path, monkeypatch):
    from assay.measure import child

    monkeypatch.setattr(child, "_GRACE_S", 0.3)
    python = fake_python(tmp_path, f"{said(BEGIN, sample(0))}\ntrap '' TERM\nwhile :; do sleep 1; done")
    assert measure("matmul", python=python, budget_s=1, timeout_s=1.0).partial


def test_an_interrupt_before_the_first_sample_keeps_nothing(tmp_path, monkeypatch):
    from assay.measure.child import Child

    def interrupt(self, deadline):
        raise KeyboardInterrupt

    monkeypatch.setattr(Child, "_read", interrupt)
    with pytest.raises(KeyboardInterrupt):
        measure("matmul", python=fake_python(tmp_path, "sleep 60"), budget_s=1)


@given(st.lists(st.one_of(st.text(max_size=60), st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["event", "case", "value", "index", "at", "metric", "name", "kind", "begin", "number"]), inner),
    max_leaves=8).map(json.dumps)), max_size=8))  # fmt: skip
def test_whatever_a_probe_says_is_survived(lines):
    heard = command._Heard(lambda _: None, 0.0)
    for line in [json.dumps(BEGIN), json.dumps(sample(0)), *lines]:
        heard.take(line)
    assert heard.of("c")[0].value == 0.5
    assert len(heard.log) == len(lines) + 2


@pytest.mark.parametrize("value", [0.0, -1.0, "NaN", None, "x"])
def test_a_reading_that_is_no_time_is_refused(value):
    heard = command._Heard(lambda _: None, 0.0)
    heard.take(json.dumps(BEGIN))
    heard.take(json.dumps(sample(0) | {"value": value}))
    assert heard.of("c") == []
    assert len(heard.events) == 1


@pytest.mark.parametrize("budget", [0, -1, float("nan"), float("inf"), 1e9])
def test_an_impossible_budget_is_refused(budget):
    with pytest.raises(InputError, match="--budget"):
        measure("dispatch", budget_s=budget)


def test_a_mistyped_probe_gets_a_near_miss():
    with pytest.raises(InputError, match='did you mean "matmul"'):
        measure("matmull")


def test_no_matching_case_is_an_input_error():
    with pytest.raises(InputError, match="--cases"):
        measure("dispatch", budget_s=0.1, cases=["no such case"])


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="--folder"):
        measure("storage", folder=tmp_path / "none", budget_s=0.1)


def test_the_engine_needs_no_assay(tmp_path):
    code = f"""
import sys
sys.modules["assay"] = None
sys.argv = ["engine.py", "dispatch", '{{"budget_s": 0.05}}']
import runpy
runpy.run_path({str(command.ENGINE)!r}, run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert '"event": "end"' in done.stdout


def test_what_a_library_prints_does_not_mix_with_the_samples(tmp_path, monkeypatch):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch/__init__.py").write_text("print('hello from torch')\nraise OSError('libgomp')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run = measure("dispatch", budget_s=0.1)
    assert not any("hello" in line for line in run.log)
    assert any("torch is installed but does not import: libgomp" in w for w in run.warnings)


@pytest.mark.skipif(not TORCH, reason="set ASSAY_TORCH_PYTHON to an interpreter with PyTorch")
def test_torch_formats_are_measured_where_torch_is():
    run = measure("matmul", python=TORCH, budget_s=2, quick=True, cases=["torch * 128x128x128"])
    assert {c.dtype for c in run.cases if c.device == "cpu"} == {"fp32", "bf16", "fp16", "int8"}
    assert run.environment["torch"]
