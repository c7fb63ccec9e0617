"""Whatever is handed in at a door is used, or refused in one plain sentence: no traceback ever reaches the user."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import assay
from assay.catalog.calibrations import calibration
from assay.cli.main import main
from assay.errors import AssayError, InputError, inert, shown
from assay.files import read_csv, write_text
from assay.plan import Plan, parse_plan
from assay.predict import legal
from assay.units import parse

JOB = {"model": "gpt2", "seq_len": 1024, "global_batch": 512}


def typed(*args: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command line; anything but an exit is a traceback, and fails the test."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors), pytest.raises(SystemExit) as ended:
        main(list(args))
    return int(str(ended.value.code)), out.getvalue(), errors.getvalue()


# The Python interface

ODD = [0, -1, 10**400, 10**5000, 1.5, float("nan"), float("inf"), 1e308, "8", "", None, [1, 2], b"1"]


# Fields of a plan whose 0 says something: a switch that is off, the first of some levels, all there are.
SWITCHES = ("sequence_parallel", "flash_attention", "fused")
LEVELS = {"zero_stage": 3, "recompute": 3, "schedule": 2, "context_kind": 2, "offload_optimizer": 2,
          "offload_activations": 2}  # fmt: skip
ALL = ("recompute_layers", "shard")


@pytest.mark.parametrize("name", Plan.__dataclass_fields__)
@pytest.mark.parametrize("value", ODD, ids=lambda value: shown(value)[:12])
def test_a_plan_of_a_size_that_cannot_be_is_never_made(name: str, value: object) -> None:
    if value == 0 and name in (*SWITCHES, *LEVELS, *ALL):
        assert getattr(Plan(**{name: value}), name) == 0
        return
    with pytest.raises(InputError, match=f"plan: {name} = .* is not possible; write"):
        Plan(**{name: value})


@pytest.mark.parametrize(("name", "most"), LEVELS.items())
def test_levels_of_a_plan_end_where_they_end(name: str, most: int) -> None:
    assert Plan(**{name: np.int64(most)}) == Plan(**{name: most})
    for value in (-1, most + 1, float("nan"), "full"):
        with pytest.raises(InputError, match=name):
            Plan(**{name: value})


@pytest.mark.parametrize("value", ODD, ids=lambda value: shown(value)[:12])
def test_sizes_of_a_job_and_a_system_are_whole_numbers_above_0(value: object) -> None:
    for call in (
        lambda: assay.workload("gpt2", seq_len=value),
        lambda: assay.workload("gpt2", global_batch=value),
        lambda: assay.workload("gpt2", precision=value),
        lambda: assay.workload("gpt2", task=value),
        lambda: assay.system("hgx-h100", nodes=value),
        lambda: assay.search(assay.workload("gpt2"), assay.system("hgx-h100"), top=value),
    ):
        with pytest.raises(InputError, match=r"not possible|not known"):
            call()


def test_names_where_nouns_are_wanted_are_answered_with_how_to_make_them() -> None:
    with pytest.raises(InputError, match=r"a Workload is wanted, not 'llama-3.1-8b'; make one: assay.workload"):
        assay.predict("llama-3.1-8b", assay.system("hgx-h100"))
    with pytest.raises(InputError, match=r"a System is wanted, not 'hgx-h100'; make one: assay.system"):
        assay.search(assay.workload("gpt2"), "hgx-h100")


def test_a_grid_of_plans_is_not_predicted_as_one() -> None:
    grid = Plan(data=np.array([4, 8]), tensor=np.array([2, 1]))
    with pytest.raises(InputError, match="these are 2 plans"):
        assay.predict(assay.workload(**JOB), assay.system("hgx-h100"), grid)


sizes = st.integers(1, 24)


@given(tensor=sizes, pipeline=sizes, data=sizes, micro_batch=sizes, virtual=sizes, context=sizes, expert=sizes,
       zero_stage=st.integers(0, 3), shard=st.integers(0, 24), schedule=st.integers(0, 2),
       context_kind=st.integers(0, 2), recompute=st.integers(0, 2), recompute_layers=st.integers(0, 24))  # fmt: skip
def test_the_nearest_legal_plan_is_legal_as_it_is_written(**plan: int) -> None:
    job, machine = assay.workload(**JOB), assay.system("hgx-h100", nodes=2)
    try:
        assay.predict(job, machine, Plan(**plan))
    except InputError as error:
        written = error.hint.split('"')[1]
        assert legal.problem(job, machine, parse_plan(written)) == ""


def test_a_path_may_be_text_wherever_a_path_may_be(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id,source,accelerator,metric_name,metric_value\n", encoding="utf-8")
    assert assay.validate(str(file)) == []
    for call in (lambda: assay.report("nowhere", str(tmp_path / "x.html")), lambda: assay.calibrate("nowhere")):
        with pytest.raises(InputError, match=r"^nowhere: there is no run here"):
            call()


# Numbers and words


@pytest.mark.parametrize("text", ["3,35 TB/s", "3,3500 TB/s", "1,2,3 TB/s", "3.3.5 TB/s", "3. TB/s"])
def test_a_decimal_comma_is_refused_rather_than_read_as_a_hundred_times_as_much(text: str) -> None:
    with pytest.raises(InputError, match=r"is not a number with a unit|is not a unit"):
        parse(text, "bytes_per_s")
    assert parse("3,350 GB/s", "bytes_per_s") == parse("3.35 TB/s", "bytes_per_s")


@pytest.mark.parametrize("flag", ["--seq-len", "--tokens", "--batch", "--precision"])
def test_an_empty_flag_is_refused_rather_than_passed_over(flag: str) -> None:
    code, out, errors = typed("predict", "gpt2", "--on", "hgx-h100", flag, "")
    assert (code, out) == (2, "")
    assert errors.startswith("Error: ")


def test_a_list_where_one_number_is_wanted_is_not_read_as_one_long_number() -> None:
    code, _, errors = typed("predict", "gpt2", "--on", "hgx-h100", "--seq-len", "2048,4096")
    assert code == 2
    assert "is not a count" in errors


def test_control_characters_in_a_message_are_written_out() -> None:
    assert str(InputError("\x1b[2J", where="a\u202eb", hint="\ud800")) == r"a\u202eb: \x1b[2J; \ud800"
    assert inert("two\nlines\tand ä × µ 東") == "two\nlines\tand ä × µ 東"


def test_a_config_of_an_unknown_family_is_read_and_that_is_said(tmp_path: Path) -> None:
    sizes = {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "vocab_size": 32000}
    config = {"model_type": "martian", "intermediate_size": 11008, **sizes}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    code, _, errors = typed("predict", str(tmp_path), "--on", "hgx-h100")
    assert code == 0
    assert "its model_type is not known here: read by its sizes, 6.74 B parameters" in errors


# Files

CALIBRATION = """schema = 1
kind = "calibration"
name = "c"
applies_to = "h100-sxm"
evidence = "A"
residual_ln = {residual}

[constants]
{constant}
"""


@pytest.mark.parametrize(
    ("constant", "residual"),
    [("matmul = 0", 0.1), ("matmul = -1", 0.1), ("matmul = 1e9", 0.1), ("memory = nan", 0.1), ("launch_s = -1", 0.1),
     ("tile = 0", 0.1), ("overlap_data = 2", 0.1), ("reserve_bytes = 1e308", 0.1), ("matmul = 0.5", 0),
     ("matmul = 0.5", -1), ("matmul = 0.5", 800), ("matmul = 0.5", "nan"), ("matmull = 0.5", 0.1)],
)  # fmt: skip
def test_a_constant_that_means_nothing_is_refused_at_the_door(tmp_path: Path, constant: str, residual: object) -> None:
    file = tmp_path / "c.toml"
    file.write_text(CALIBRATION.format(constant=constant, residual=residual), encoding="utf-8")
    with pytest.raises(InputError, match=r"c\.toml"):
        calibration(file)


@pytest.mark.parametrize(
    ("written", "says"),
    [("power = 1e308", "beyond anything there is"), ("power = 1e-300", "beyond anything there is"),
     ("count_per_node = 10000000000", "at most 100,000 accelerators"), ("rack_units = -1", "rack_units")],
)  # fmt: skip
def test_an_absurd_machine_is_refused_at_once(tmp_path: Path, written: str, says: str) -> None:
    ours = Path(assay.__file__).parent / "data" / "systems" / "hgx-h100.toml"
    key = written.split(" = ", maxsplit=1)[0]
    lines = [written if line.startswith(key + " =") else line for line in ours.read_text("utf-8").splitlines()]
    (tmp_path / "systems").mkdir()
    (tmp_path / "systems" / "hgx-h100.toml").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match=says):
        assay.system("hgx-h100", folders=[tmp_path])


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,a,id\n1,2,3\n", encoding="utf-8")
    with pytest.raises(InputError, match='column "id" is there twice'):
        read_csv(tmp_path / "rows.csv", ["id"])


def test_a_loop_of_links_is_no_catalog(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(InputError, match="no such catalog folder"):
        assay.system("hgx-h100", folders=[loop])


def test_a_file_is_written_whole_or_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "kept.toml"
    write_text(file, "old")

    def full(path: Path, text: str, **_: object) -> int:
        path.write_bytes(text[:1].encode())
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InputError, match=r"kept\.toml: cannot be written: No space left on device"):
        write_text(file, "new")
    assert file.read_text("utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["kept.toml"]


def test_neither_a_folder_nor_a_device_is_replaced_by_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe):
        with pytest.raises(InputError, match="this is no file"):
            write_text(path, "x")
    assert pipe.is_fifo()


def test_a_gate_on_rows_of_which_none_is_predicted_does_not_pass(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id,source,accelerator,metric_name,metric_value\n1,s,h100,furlongs,2\n", encoding="utf-8")
    assert typed("validate", str(file), "--max-median", "9")[0] == 1
    assert typed("validate", str(file), "--max-median", "nan")[0] == 2
    assert typed("validate", str(file))[0] == 0
    code, _, errors = typed("calibrate", str(file), "-o", str(tmp_path / "out"))
    assert code == 2
    assert "no row can be learned from" in errors


# Surroundings


def test_a_closed_stdout_is_no_traceback() -> None:
    code = "import sys; sys.stdout = sys.stderr = None; from assay.cli.main import main; main(['catalog', 'a10'])"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_markup_in_a_name_is_text_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.cli.output import emit

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "0")  # a terminal that says it has no columns
    screen = Terminal()
    with contextlib.redirect_stdout(screen):
        emit([{"[/a]": "[/red]\x1b[2Jh100"}], "table", title="[/b]")
    assert "[/red]\\x1b[2Jh100" in screen.getvalue()
    assert "\x1b[2J" not in screen.getvalue()


def test_a_program_that_talks_without_end_is_no_interpreter(tmp_path: Path) -> None:
    from assay.measure.inventory.interpreter import ask

    chatter = tmp_path / "chatter"
    chatter.write_text("#!/bin/sh\nexec yes\n", encoding="utf-8")
    chatter.chmod(0o755)
    answer, problem = ask(str(chatter), (), 60.0)
    assert answer is None
    assert problem.startswith("exit -")  # killed for what it wrote, long before its time was over


# Every door, with anything

words = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)
typings = st.lists(
    words | st.sampled_from(
        ["gpt2", "hgx-h100", "--on", "--nodes", "--plan", "--tokens", "--seq-len", "--format", "json", "csv", "md",
         "--explain", "--by", "rent", "tp=2", "tp=0,pp=-1", "1e308", "nan", "-1", "4M", "--catalog", "/dev/null", "."]
    ),
    max_size=7,
)  # fmt: skip


@given(st.sampled_from(["predict", "catalog", "validate", "compare", "report", "calibrate"]), typings)
def test_anything_typed_ends_with_a_documented_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, rest: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, errors = typed(verb, *rest)
    assert code in (0, 1, 2)
    assert "Traceback" not in errors
    if code == 2:
        assert "Error: " in errors
        assert out == ""


keys = st.sampled_from(["model", "seq_len", "global_batch", "batch_tokens", "tokens", "precision", "task", "sequence"])
values = st.one_of(words, st.integers(), st.floats(), st.booleans(), st.lists(st.integers()))


@given(st.dictionaries(keys, values))
def test_any_workload_file_is_a_job_or_a_plain_refusal(tmp_path: Path, stated: dict[str, object]) -> None:
    from assay.api.jobs import Stated, job_of

    file = tmp_path / "job.toml"
    lines = [f"{key} = {json.dumps(value).replace('Infinity', 'inf').replace('NaN', 'nan')}"
             for key, value in ({"model": "gpt2"} | stated).items()]  # fmt: skip
    file.write_text("\n".join(lines), encoding="utf-8")
    with contextlib.suppress(AssayError):
        job = job_of(str(file), Stated(model="")).workload
        assert job.seq_len >= 1
        assert job.global_batch >= 1
