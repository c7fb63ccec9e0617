"""A program says things of itself for about a microsecond, and for nothing when nobody listens."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

MARKS = Path(__file__).parent.parent / "src" / "assay" / "marks.py"


def said(code: str, folder: Path | None, **environment: str) -> tuple[subprocess.CompletedProcess, list[dict]]:
    """What a program says that has only a copy of marks.py, and no Assay."""
    prelude = f"import runpy, time, sys\nm = runpy.run_path({str(MARKS)!r})\n"
    prelude += "emit, phase, batches = m['emit'], m['phase'], m['batches']\n"
    env = {k: v for k, v in os.environ.items() if k not in ("ASSAY_EMIT", "RANK")} | environment
    if folder is not None:
        env["ASSAY_EMIT"] = str(folder)
    done = subprocess.run([sys.executable, "-c", prelude + code], env=env, capture_output=True, text=True, check=False)
    lines = (
        [json.loads(t) for path in sorted(folder.glob("*.jsonl")) for t in path.read_text().splitlines()]
        if folder
        else []
    )
    return done, lines


def test_what_is_said_is_a_line_with_its_time(tmp_path):
    before = time.monotonic()
    _, (line,) = said("emit(step=3, loss=2.5, tokens=4096)", tmp_path)
    assert {k: line[k] for k in ("step", "loss", "tokens")} == {"step": 3, "loss": 2.5, "tokens": 4096}
    assert before <= line["at"] <= time.monotonic()


def test_nothing_is_written_and_nothing_fails_when_nobody_listens(tmp_path):
    done, _ = said("emit(step=1)\nwith phase('input'): pass\nprint(list(batches([1, 2])))", None)
    assert (done.returncode, done.stdout) == (0, "[1, 2]\n")


def test_phases_go_with_the_next_step_and_add_up(tmp_path):
    code = """
for step in range(2):
    for _ in range(2):
        with phase("checkpoint"): time.sleep(0.02)
    with phase("mine"): time.sleep(0.01)
    emit(step=step)
"""
    _, lines = said(code, tmp_path)
    assert all(0.04 <= line["checkpoint_s"] < 1 and line["mine_s"] >= 0.01 for line in lines)


def test_how_long_each_batch_was_waited_for_is_its_steps_input_wait(tmp_path):
    code = """
def loader():
    for i in range(3):
        time.sleep(0.03)
        yield i
for step, batch in enumerate(batches(loader())):
    emit(step=step)
"""
    _, lines = said(code, tmp_path)
    assert [line["input_wait_s"] >= 0.03 for line in lines[:3]] == [True] * 3


def test_an_exception_in_a_phase_passes_through(tmp_path):
    done, _ = said("with phase('input'): raise KeyError('x')", tmp_path)
    assert "KeyError: 'x'" in done.stderr


def test_every_rank_and_every_forked_process_says_its_own(tmp_path):
    _, lines = said(
        "import os\nif os.fork() == 0:\n    emit(step=1)\n    sys.exit()\nos.wait()\nemit(step=2)", tmp_path, RANK="3"
    )
    assert sorted(line["step"] for line in lines) == [1, 2]
    assert {line["rank"] for line in lines} == {3}
    assert len(list(tmp_path.iterdir())) == 2


def test_numbers_of_any_library_are_numbers_and_the_rest_is_text(tmp_path):
    code = "import decimal\nclass T:\n    def item(self): return 7.5\nemit(step=1, loss=T(), what={1, 2}, path=decimal)"
    _, (line,) = said(code, tmp_path)
    assert line["loss"] == 7.5
    assert isinstance(line["what"], str)


def test_a_program_that_is_killed_loses_less_than_a_second(tmp_path):
    code = f"""
import runpy, time
emit = runpy.run_path({str(MARKS)!r})["emit"]
step = 0
while True:
    emit(step=step, now=time.monotonic())
    step += 1
    time.sleep(0.01)
"""
    with subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "ASSAY_EMIT": str(tmp_path)}) as process:
        time.sleep(2.5)
        process.send_signal(signal.SIGKILL)
        killed_s = time.monotonic()
    (path,) = tmp_path.iterdir()
    last = json.loads(path.read_text().splitlines()[-1])
    assert killed_s - last["now"] < 1.5


def test_what_several_threads_say_and_write_out_at_once_is_all_there(tmp_path):
    code = """
import threading
sys.setswitchinterval(1e-6)
def talk(rank):
    for step in range(20000):
        emit(step=step, rank=rank)
        if step % 100 == 0: m['flush']()
threads = [threading.Thread(target=talk, args=(rank,)) for rank in range(4)]
for t in threads: t.start()
for t in threads: t.join()
"""
    done, lines = said(code, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted((line["rank"], line["step"]) for line in lines) == [(r, s) for r in range(4) for s in range(20000)]


def test_a_full_disk_stops_the_record_and_not_the_program(tmp_path):
    code = "m['listen']('/dev/full')\nfor i in range(3):\n    emit(step=i)\n    time.sleep(0.6)\nprint('alive')"
    done, _ = said(code, None)
    assert done.stdout == "alive\n"
    assert done.returncode == 0


def test_assay_offers_the_same_marks():
    import assay
    from assay import marks

    assert assay.emit is marks.emit
    assert assay.batches is marks.batches
    with pytest.raises(AttributeError):
        _ = assay.emits


def test_after_a_full_disk_nothing_is_gathered_any_more(tmp_path):
    code = """
import os
m['listen'](os.path.join(sys.argv[-1], 'gone'))
emit(step=1)
time.sleep(1.2)
for step in range(1000): emit(step=step)
print(len(m['_waiting']))
"""
    done, _ = said(code, None)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_a_rank_that_is_no_number_is_left_out(tmp_path):
    _, (line,) = said("emit(step=3)", tmp_path, RANK="first")
    assert "rank" not in line


def test_who_listens_for_a_while_gives_back_what_was_before(tmp_path):
    """`monitor()` inside `assay measure`: neither loses a mark to the other."""
    outer, inner = tmp_path / "outer", tmp_path / "inner"
    outer.mkdir()
    inner.mkdir()
    code = f"""
emit(step=1)
before = m['listen']({str(inner)!r})
emit(step=2)
m['listen'](before)
emit(step=3)
"""
    done, lines = said(code, outer)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line["step"] for line in lines] == [1, 3]
    (path,) = inner.iterdir()
    assert [json.loads(text)["step"] for text in path.read_text().splitlines()] == [2]


@pytest.mark.parametrize(
    "odd",
    [
        "emit(info={(1, 2): 3})",
        "d = {}; d['d'] = d; emit(d=d)",
        "emit(n=10 ** 5000)",
        "class T:\n    def item(self): raise TypeError\n    def __str__(self): raise TypeError\nemit(t=T())",
    ],
)
def test_a_mark_that_cannot_be_written_is_left_out_and_that_is_said_once(tmp_path, odd):
    done, lines = said(f"{odd}\n{odd}\ntime.sleep(0.8)\nemit(step=1)\nm['flush']()\nprint('alive')", tmp_path)
    assert (done.stdout, done.stderr) == ("alive\n", "")
    assert lines[-1]["step"] == 1
    assert [line["event"] for line in lines[:-1]] == ["warning"]
    assert "a mark that JSON cannot hold was left out" in lines[0]["text"]


@pytest.mark.parametrize("odd", ["class T:\n    def item(self): raise TypeError\nemit(step=1, t=T())",
                                 "emit(step=1, t='\\ud800')"])  # fmt: skip
def test_odd_values_are_text(tmp_path, odd):
    done, (line,) = said(odd, tmp_path)
    assert (done.returncode, done.stderr, line["step"]) == (0, "", 1)


def test_marks_that_nobody_writes_do_not_fill_the_memory(tmp_path):
    code = "m['flush'].__globals__['FLUSH_S'] = 60\ntime.sleep(0.6)\nfor i in range(300_000): emit(step=i)\n"
    done, lines = said(code + "print(len(m['_waiting']))", tmp_path)
    assert int(done.stdout) <= 1 << 18
    assert lines[-1]["step"] == 299_999
