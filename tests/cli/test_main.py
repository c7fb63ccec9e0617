"""The command line: quick to help, plain about mistakes, and its exit codes mean what they say."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from importlib.util import find_spec

import click
import pytest

from assay.cli import main as cli
from assay.cli import output
from assay.errors import AssayError, Finding, InputError, MeasureError

HEAVY = ("numpy", "pydantic", "rich", "duckdb", "scipy", "jinja2", "vl_convert", "psutil", "pynvml", "torch")


def run(*args: str) -> int:
    """The exit code of `assay ARGS`, in this process."""
    with pytest.raises(SystemExit) as stop:
        cli.main(list(args))
    return int(stop.value.code or 0)


def heavy_after(statement: str) -> set[str]:
    """Which heavy libraries a fresh python holds after a statement."""
    code = f"import sys\ntry:\n    {statement}\nexcept SystemExit:\n    pass\nprint('held:', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("held:")[2].split()) & set(HEAVY)


@pytest.mark.parametrize("args", [["--help"], [], ["--version"], ["no-such-verb"]], ids=str)
def test_help_loads_no_heavy_library(args: list[str]) -> None:
    assert heavy_after(f"from assay.cli.main import main; main({args!r})") == set()


def test_the_catalog_of_one_accelerator_needs_no_mathematics() -> None:
    if not find_spec("assay.cli.catalog"):
        pytest.skip("no catalog in this tree")
    held = heavy_after("from assay.cli.main import main; main(['catalog', 'h100-sxm'])")
    assert held <= {"pydantic", "rich"}


def test_help_shows_every_verb_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert all(f"{verb} {line}" in shown for verb, (_, line) in cli.VERBS.items())


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_that_is_listed_is_there_and_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(verb, "--help") == 0
    shown = capsys.readouterr().out
    assert re.search(rf"Usage: assay {verb}\b", shown)
    assert len(shown.splitlines()) > 4


def test_a_mistyped_verb_gets_its_near_miss(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("pedict") == 2
    assert 'did you mean "predict"' in capsys.readouterr().err
    assert run("xyzzy") == 2
    assert "see assay --help" in capsys.readouterr().err


@pytest.mark.parametrize(
    "args", [["--no-such-flag"], ["predict", "--no-such-flag"], ["catalog", "--format", "xml"]], ids=str
)
def test_wrong_usage_exits_2_and_says_so(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*args) == 2
    said = capsys.readouterr()
    assert "Error" in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("raised", "code", "says"),
    [
        (Finding("8 % slower", where="step_s"), 1, "Error: step_s: 8 % slower"),
        (InputError("no such file", hint="check the path"), 2, "Error: no such file; check the path"),
        (MeasureError("the machine is busy"), 3, "Error: the machine is busy"),
        (OSError(errno.ENOSPC, "No space left on device", "runs"), 2, "Error: runs: No space left on device"),
        (KeyboardInterrupt(), 130, "Interrupted."),
        (click.Abort(), 130, "Interrupted."),
        (BrokenPipeError(), 0, ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_what_a_verb_raises_becomes_one_line_and_an_exit_code(
    raised: BaseException, code: int, says: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def verb() -> None:
        raise raised

    monkeypatch.setattr(cli.Verbs, "get_command", lambda *_: click.Command("demo", callback=verb))
    monkeypatch.setattr(os, "dup2", lambda *_: None)  # or this process would lose its own stdout
    assert run("demo") == code
    said = capfd.readouterr()
    assert said.err.strip() == says
    assert said.out == ""


def test_a_bug_of_ours_is_not_dressed_up_as_the_users_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    def verb() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli.Verbs, "get_command", lambda *_: click.Command("demo", callback=verb))
    with pytest.raises(ZeroDivisionError):
        cli.main(["demo"])


VERB = """
import sys, click
from assay.cli import main as cli, output
def verb(): output.emit([{"n": "2 × %d" % i} for i in range(20_000)], "csv")
cli.Verbs.get_command = lambda *_: click.Command("demo", callback=verb)
cli.main(["demo"])
"""


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    with subprocess.Popen([sys.executable, "-c", VERB], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writer:
        assert writer.stdout
        assert writer.stderr
        assert writer.stdout.readline() == b"n\n"
        writer.stdout.close()
        assert writer.stderr.read() == b""
    assert writer.returncode == 0


def test_a_terminal_without_a_sign_shows_a_question_mark() -> None:
    done = subprocess.run(
        [sys.executable, "-c", VERB],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "iso8859-5"},
        check=True,
    )
    assert done.stdout.splitlines()[1] == b"2 ? 0"


@pytest.mark.parametrize("name", [e.__name__ for e in AssayError.__subclasses__()])
def test_the_exit_codes_stand_in_the_help_of_main(name: str) -> None:
    kind = next(e for e in AssayError.__subclasses__() if e.__name__ == name)
    assert str(kind.exit_code) in (cli.main.__doc__ or "")


ROWS = [{"name": "a|b", "power_w": 700.123456}, {"name": "c", "extra": None}]


def test_one_answer_in_four_formats(capsys: pytest.CaptureFixture[str]) -> None:
    shown = {}
    for fmt in output.FORMATS:
        output.emit(ROWS, fmt)
        shown[fmt] = capsys.readouterr().out
    assert shown["csv"].splitlines() == ["name,power_w,extra", "a|b,700.123456,", "c,,"]
    assert shown["md"].splitlines()[2] == r"| a\|b | 700.1 |  |"
    assert shown["table"].splitlines()[1] == "a|b   700.1"
    assert '"power_w": 700.123456' in shown["json"]


def test_no_rows_are_an_empty_answer_and_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    for fmt in output.FORMATS:
        output.emit([], fmt)
    assert capsys.readouterr().out.strip()


def test_remarks_never_mix_with_data(capsys: pytest.CaptureFixture[str]) -> None:
    output.say("measuring")
    assert capsys.readouterr() == ("", "measuring\n")
