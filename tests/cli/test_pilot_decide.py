"""`assay pilot decide`, `rfp` and `assay report` of a pilot, from the outside."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from assay.cli.main import main
from assay.decide.focus import COLUMNS

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "pilots"


def assay(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(args))
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = (EXAMPLES / "one-server" / "pilot.toml").read_text(encoding="utf-8")
    (tmp_path / "pilot.toml").write_text(text, encoding="utf-8")
    return tmp_path


def test_the_verdict_is_the_first_line_and_the_reasons_go_where_it_goes(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    code, out, err = assay(capsys, "pilot", "decide", str(folder), "--draws", "5000")
    assert code == 0
    assert out.startswith("Choose buy: $")
    assert "Why: buy costs less than rent when it is used more than" in out
    assert "Kept: " in err
    assert len(list((folder / "decisions").glob("*.json"))) == 1


def test_a_decision_is_kept_though_its_reader_went_away(folder: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from assay.cli.main import main; main()",
        "pilot",
        "decide",
        str(folder),
        "--draws",
        "5000",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.wait(timeout=120)
    assert len(list((folder / "decisions").glob("*.json"))) == 1


def test_deciding_twice_changes_nothing_and_says_so(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    for _ in range(2):
        code, _, err = assay(capsys, "pilot", "decide", str(folder), "--draws", "5000")
        assert code == 0
        assert "Since the last decision" not in err
    kept = sorted((folder / "decisions").glob("*.json"))
    code, out, err = assay(capsys, "pilot", "decide", "--again", str(kept[-1]))
    assert code == 0
    assert "Nothing differs" in err
    assert out.startswith("Choose buy: $")


def test_what_was_edited_since_is_named(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assay(capsys, "pilot", "decide", str(folder), "--draws", "5000")
    file = folder / "pilot.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace('is = "6.88 USD/h", low = "6 USD/h"', 'is = "2 USD/h", low = "1.8 USD/h"'), encoding="utf-8"
    )
    _, out, err = assay(capsys, "pilot", "decide", str(folder), "--draws", "5000")
    assert out.startswith("rent and buy cannot be told apart")
    assert "Since the last decision: buy led then; rent leads now." in err
    assert "on-demand rent of hgx-h100 was $6.88/h and is $2.00/h." in err


def test_json_holds_everything_and_no_number_that_is_none(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    _, out, _ = assay(capsys, "pilot", "decide", str(folder), "--draws", "5000", "--no-keep", "--format", "json")
    told = json.loads(out)
    assert told["answer"] == "choose"
    assert {one["name"] for one in told["candidates"]} == {"buy", "rent"}
    assert told["draws"] == 5000
    assert not (folder / "decisions").exists()


def test_focus_columns_are_those_of_the_specification(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    out = folder / "bills.csv"
    code, _, _ = assay(capsys, "pilot", "decide", str(folder), "--draws", "5000", "--no-keep", "--focus", str(out))
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    assert tuple(rows[0]) == COLUMNS
    assert {row["ResourceId"] for row in rows} == {"buy", "rent"}


@pytest.mark.parametrize(
    "args",
    [
        ("pilot", "decide", "{0}", "--focus", "{0}/pilot.toml"),
        ("report", "{0}", "-o", "{0}/pilot.toml"),
        ("pilot", "decide", "{0}", "--report", "{0}/decisions/x.json"),
    ],
)
def test_no_file_of_a_pilot_is_written_over(
    capsys: pytest.CaptureFixture[str], folder: Path, args: tuple[str, ...]
) -> None:  # fmt: skip
    before = (folder / "pilot.toml").read_text(encoding="utf-8")
    code, _, err = assay(capsys, *(word.format(folder) for word in args))
    assert code == 2
    assert "name a file that ends in" in err
    assert (folder / "pilot.toml").read_text(encoding="utf-8") == before


def test_questions_are_a_document_that_says_what_the_work_is(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:  # fmt: skip
    code, out, _ = assay(capsys, "pilot", "rfp", str(folder), "--format", "md")
    assert code == 0
    assert out.startswith("# Request for proposal: one-server")
    assert "- train-8b: train of llama-3.1-8b in bf16, 13 times a year" in out
    assert len(re.findall(r"^- \*\*", out, re.MULTILINE)) > 10


def test_answers_come_back_and_stand_side_by_side(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    _, out, _ = assay(capsys, "pilot", "rfp", str(folder), "--format", "csv", "--candidate", "buy")
    rows = list(csv.DictReader(io.StringIO(out)))
    rows[0]["answer"] = "as asked"
    with (folder / "filled.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    code, _, _ = assay(capsys, "pilot", "add", str(folder / "filled.csv"), "--pilot", str(folder), "--candidate", "buy")
    assert code == 0
    _, out, _ = assay(capsys, "pilot", "rfp", str(folder), "--compare", "--format", "json")
    assert next(row for row in json.loads(out) if row["id"] == rows[0]["id"])["buy"] == "as asked"


def test_a_report_of_a_pilot_is_one_file_and_a_folder_of_tables(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:  # fmt: skip
    page, tables = folder / "page.html", folder / "tables"
    code, out, _ = assay(capsys, "report", str(folder), "-o", str(page), "--csv", str(tables))
    assert code == 0
    assert "page.html" in out
    text = page.read_text(encoding="utf-8")
    assert "Choose buy: $" in text.replace("\u00a0", " ")
    told = list(csv.reader(io.StringIO((tables / "options-table.csv").read_text(encoding="utf-8"))))
    assert len(told) == 3
    assert all(len(row) == len(told[0]) for row in told)
