"""`assay validate`: every row has a prediction or a reason, groups have scores, and no file is worse than refused."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.cli import main as cli
from assay.cli.validate import reasons
from assay.published import Checked, PublishedRow

HEAD = ("id", "source", "accelerator", "metric_name", "metric_value", "model", "family", "layers", "hidden", "heads",
        "n_accel", "tp", "global_batch", "micro_batch", "precision")  # fmt: skip
GOOD = {
    "id": "a",
    "source": "us",
    "accelerator": "A100-SXM-80GB",
    "metric_name": "tokens/s/device",
    "metric_value": "15000",
    "model": "tiny",
    "family": "dense",
    "layers": "4",
    "hidden": "1024",
    "heads": "16",
    "n_accel": "8",
    "tp": "1",
    "global_batch": "64",
    "micro_batch": "4",
    "precision": "bf16",
}


def assay(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main([str(arg) for arg in args])
    said = capsys.readouterr()
    return int(stop.value.code or 0), said.out, said.err


def table(path: Path, *rows: dict[str, str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, HEAD)
        writer.writeheader()
        writer.writerows({**GOOD, **row} for row in rows)
    return path


def checked(capsys, path: Path, *args: object) -> dict:
    code, out, err = assay(capsys, "validate", path, "--json", *args)
    assert code == 0, err
    return json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


# --- what comes out ------------------------------------------------------------------------------------------------


def test_json_is_one_object_with_the_names_that_others_rely_on(capsys, tmp_path):
    found = checked(capsys, table(tmp_path / "r.csv", {}, {"id": "b", "accelerator": "ZX81"}))
    assert set(found) == {"rows", "summary"}
    good, bad = found["rows"]
    names = {
        "id",
        "source",
        "accelerator",
        "metric_name",
        "measured",
        "predicted",
        "low",
        "high",
        "evidence",
        "skipped",
    }
    assert names <= set(good)
    assert good["skipped"] is None
    assert good["low"] < good["predicted"] < good["high"]
    assert (bad["predicted"], bad["low"], bad["evidence"]) == (None, None, None)
    assert "not an accelerator known here" in bad["skipped"]
    assert {"n": 2, "predicted": 1, "skipped": 1}.items() <= found["summary"].items()


def test_rows_come_in_the_order_of_the_file(capsys, tmp_path):
    ids = [f"r{i}" for i in (3, 1, 2)]
    found = checked(capsys, table(tmp_path / "r.csv", *({"id": i} for i in ids)))
    assert [row["id"] for row in found["rows"]] == ids


def test_scores_are_of_a_group_and_never_pooled(capsys, tmp_path):
    path = table(tmp_path / "r.csv", {}, {"source": "them", "accelerator": "H100-SXM-80GB"}, {"source": "them"})
    summary = checked(capsys, path)["summary"]
    assert [(s["group"], s["n"]) for s in summary["by_source"]] == [("them", 2), ("us", 1)]
    assert [s["group"] for s in summary["by_accelerator"]] == ["A100-SXM-80GB", "H100-SXM-80GB"]


def test_the_error_is_that_of_the_figures_shown(capsys, tmp_path):
    path = table(tmp_path / "r.csv", {"metric_value": "10000"}, {"metric_value": "40000"})
    found = checked(capsys, path)
    (score,) = found["summary"]["by_source"]
    ratios = [row["predicted"] / row["measured"] for row in found["rows"]]
    assert score["mean_error"] == pytest.approx(sum(abs(r - 1) for r in ratios) / 2)
    assert score["median_ln"] == pytest.approx(sum(abs(math.log(r)) for r in ratios) / 2)
    inside = [row["low"] <= row["measured"] <= row["high"] for row in found["rows"]]
    assert score["coverage"] == pytest.approx(sum(inside) / 2)


def test_the_rank_of_a_sweep_says_whether_the_order_is_right(capsys, tmp_path):
    batches = [("8", "1"), ("64", "8"), ("512", "64")]
    rows = [{"global_batch": whole, "micro_batch": micro, "hidden": "256", "heads": "4"} for whole, micro in batches]
    speeds = [row["predicted"] for row in checked(capsys, table(tmp_path / "r.csv", *rows))["rows"]]
    assert len(set(speeds)) == 3
    for sign, wanted in ((1.0, 1.0), (-1.0, -1.0)):
        told = [{**row, "metric_value": str(speed**sign)} for row, speed in zip(rows, speeds, strict=True)]
        summary = checked(capsys, table(tmp_path / "r.csv", *told))["summary"]
        assert summary["by_source"][0]["rank"] == pytest.approx(wanted)


def test_people_get_two_tables_the_reasons_and_what_to_type_next(capsys, tmp_path):
    path = table(tmp_path / "r.csv", {}, {"id": "b", "accelerator": "H100-SXX"}, {"id": "c", "family": "rl"})
    code, out, err = assay(capsys, "validate", path)
    assert code == 0
    assert [line for line in out.splitlines() if line.startswith("By")] == ["By source", "By accelerator"]
    assert "mean |error|  median |ln|  p90 |ln|" in out
    assert "1 of 3 rows predicted, 2 skipped." in err
    assert 'did you mean "h100-sxm"' in err
    assert "family rl is not priced" in err
    assert f"Next: assay validate {path} --worst 10" in err


def test_reasons_that_differ_in_a_name_are_one_reason_with_its_names():
    rows = [
        Checked(
            row=PublishedRow(id=str(i), source="s", accelerator=name, metric_name="m", metric_value=1.0),
            skipped=f'"{name}" is not an accelerator known here; did you mean "t4"?',
        )
        for i, name in enumerate(["T5", "T6", "T6"])
    ]
    ((reason, same),) = reasons(rows)
    assert reason == "… is not an accelerator known here"
    assert len(same) == 3


def test_every_skipped_accelerator_is_named_with_its_nearest(capsys, tmp_path):
    path = table(
        tmp_path / "r.csv", {"accelerator": "H100-SXX"}, {"accelerator": "MI300-Y"}, {"accelerator": "MI300-Y"}
    )
    _, _, err = assay(capsys, "validate", path)
    assert "3  … is not an accelerator known here" in err
    assert '2 × "MI300-Y" (did you mean "mi300' in err
    assert '1 × "H100-SXX" (did you mean "h100-sxm"' in err


def test_the_worst_rows_come_furthest_off_first(capsys, tmp_path):
    path = table(tmp_path / "r.csv", *({"id": f"r{v}", "metric_value": v} for v in ("9000", "2", "50")))
    _, out, _ = assay(capsys, "validate", path, "--worst", "2", "--format", "csv")
    found = list(csv.DictReader(io.StringIO(out)))
    assert [row["id"] for row in found] == ["r2", "r50"]
    assert all(row["plan"] for row in found)


def test_csv_is_one_table_of_all_scores(capsys, tmp_path):
    _, out, _ = assay(capsys, "validate", table(tmp_path / "r.csv", {}), "--format", "csv")
    assert [row["by"] for row in csv.DictReader(io.StringIO(out))] == ["source", "accelerator"]


def test_a_gate_is_exit_1_and_names_the_source(capsys, tmp_path):
    path = table(tmp_path / "r.csv", {"metric_value": "1"})
    code, _, err = assay(capsys, "validate", path, "--max-median", "0.5")
    assert code == 1
    assert "above 0.5: us" in err
    assert assay(capsys, "validate", path, "--max-median", "50")[0] == 0


def test_several_files_are_one_answer(capsys, tmp_path):
    one, two = table(tmp_path / "1.csv", {}), table(tmp_path / "2.csv", {"id": "b"})
    _, out, _ = assay(capsys, "validate", one, two, "--json")
    assert [row["id"] for row in json.loads(out)["rows"]] == ["a", "b"]


# --- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"id,source\n1,2\n", 'column "accelerator" is missing'),
        (b"id,source,accelerater,metric_name,metric_value\n", 'did you mean "accelerater"'),
        (b"", 'column "id" is missing'),
        (b"\x7fELF\x02\x01\x01\x00\xff\xfe" * 9, "not UTF-8 text"),
        (b"\x00" * 40, "column"),
        (b'id,source,accelerator,metric_name,metric_value\n"a', "not CSV"),
        (None, "No such file"),
    ],
)
def test_a_file_that_is_no_table_of_results_is_exit_2(content, says, capsys, tmp_path):
    if content is not None:
        (tmp_path / "r.csv").write_bytes(content)
    code, out, err = assay(capsys, "validate", tmp_path / "r.csv")
    assert (code, out) == (2, "")
    assert says in err


def test_a_file_without_rows_is_an_empty_answer(capsys, tmp_path):
    found = checked(capsys, table(tmp_path / "r.csv"))
    assert (found["rows"], found["summary"]["n"], found["summary"]["by_source"]) == ([], 0, [])
    assert assay(capsys, "validate", table(tmp_path / "r.csv"))[0] == 0


@pytest.mark.parametrize(
    ("cell", "value"),
    [("metric_value", v) for v in ("nan", "inf", "-5", "0", "1e400", "", "fast", "1e-400")]
    + [("layers", v) for v in ("-3", "99999999999", "4.5", "many", "1e9")]
    + [("n_accel", v) for v in ("-8", "99999999999999", "1e400")]
    + [("global_batch", "999999999999"), ("tp", "-1"), ("hidden", "1000000000000"), ("micro_batch", "-4")],
)
def test_a_cell_that_cannot_be_skips_its_row_and_no_other(cell, value, capsys, tmp_path):
    found = checked(capsys, table(tmp_path / "r.csv", {cell: value}, {"id": "good"}))
    bad, good = found["rows"]
    assert bad["skipped"]
    assert bad["predicted"] is None
    assert good["skipped"] is None


@pytest.mark.parametrize(
    "name", ["H100 \U0001f680", 'the "best" chip', "Ｈ１００", "\u202e001H", "a,b", "x\ny", "'; DROP", "9" * 500]
)
def test_a_strange_accelerator_is_found_or_skipped_by_name(name, capsys, tmp_path):
    (row,) = checked(capsys, table(tmp_path / "r.csv", {"accelerator": name}))["rows"]
    assert row["accelerator"] == name
    assert (row["skipped"] is None) != (row["predicted"] is None)


CELL = st.one_of(
    st.sampled_from(["", "0", "1", "-1", "7", "1e30", "nan", "8", "65536", "x", '"', "full", "y", "1.5", "2147483648"]),
    st.text(max_size=12),
    st.integers(-10, 10**7).map(str),
)


@settings(max_examples=60)
@given(cells=st.dictionaries(st.sampled_from([name for name in HEAD if name != "accelerator"]), CELL, max_size=6))
def test_no_row_gives_a_traceback(cells, capsys, tmp_path):
    path = table(tmp_path / "r.csv", {k: v.encode("utf-8", "ignore").decode() for k, v in cells.items()})
    code, out, _ = assay(capsys, "validate", path, "--json")
    if code == 0:
        assert all((row["skipped"] is None) != (row["predicted"] is None) for row in json.loads(out)["rows"])
    assert code in {0, 2}


@given(data=st.data())
def test_no_mutation_of_a_file_gives_a_traceback(data, capsys, tmp_path):
    raw = bytearray(table(tmp_path / "r.csv", {}, {"id": "b"}).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    (tmp_path / "m.csv").write_bytes(bytes(raw))
    assert assay(capsys, "validate", tmp_path / "m.csv", "--format", "json")[0] in {0, 2}
