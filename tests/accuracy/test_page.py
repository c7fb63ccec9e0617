"""The page says what was computed, its plots stand alone, and its limits only ever get tighter."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from benchmarks.accuracy import __main__ as program
from benchmarks.accuracy import drawing, limits, tables
from benchmarks.accuracy.figures import faster_ln, speeds
from benchmarks.accuracy.goals import goals
from benchmarks.accuracy.page import page
from benchmarks.accuracy.plots import binned, plots
from benchmarks.accuracy.words import change, read_table, table

from assay.api.accuracy import Accuracy, quick


@pytest.fixture(scope="module")
def text(found: Accuracy) -> str:
    return page(found, date(2026, 11, 28), 3.0)


# --- the page ------------------------------------------------------------------------------------------------------


def test_the_page_counts_its_rows(found: Accuracy, text: str) -> None:
    assert f"1 files, {len(found.held) + len(found.skipped)} rows" in text
    assert sum(int(row["rows"]) for row in read_table(text, "What is not predicted")) == len(found.skipped)


def test_every_source_and_accelerator_has_its_line(found: Accuracy, text: str) -> None:
    sources = {row["source"]: row for row in read_table(text, "By source")}
    assert sources.keys() == {held.row.source for held in found.held}
    assert sum(int(row["n"]) for row in sources.values()) == sum(held.facts.speed for held in found.held)
    assert {row["accelerator"] for row in read_table(text, "By accelerator")} == {"h100-sxm", "a100-sxm-80gb"}


def test_a_line_of_the_table_is_the_median_of_its_rows(found: Accuracy, text: str) -> None:
    mine = sorted(abs(faster_ln(held)) for held in found.held if held.row.source == "Gamma lab 2024")
    (row,) = [row for row in read_table(text, "By source") if row["source"] == "Gamma lab 2024"]
    assert float(row["median"]) == pytest.approx((mine[5] + mine[6]) / 2, abs=6e-4)


def test_goals_are_judged_by_their_figures(found: Accuracy) -> None:
    told = {goal.what: goal for goal in goals(found)}
    mean = told["18 steps of the Megatron papers, one model left out, beside its table's other models: mean"]
    assert mean.met
    assert float(mean.figure.split(" ")[0]) < 4
    memory = told["peak memory: median"]
    assert memory.figure == "10.0 % (n = 1)"
    assert memory.met is False


def test_every_peak_memory_is_listed_with_what_it_is_a_parameter(text: str) -> None:
    (row,) = read_table(text, "Each peak")
    assert (row["devices"], row["off"]) == ("16 × h100-sxm", "−9 %")
    assert 16 < float(row["bytes a parameter"]) < 300


def test_repetitions_of_a_setting_are_the_noise_floor(text: str) -> None:
    (row, _) = read_table(text, "The noise floor")
    assert int(row["settings"]) == 15
    assert float(row["best possible median"]) < float(row["ours on these rows"]) < 0.05


def test_a_table_can_be_read_again() -> None:
    made = table(("a", "b"), [("1 | 2", "x"), ("3", "")])
    assert read_table(f"# T\n\n{made}\n\n# U\n", "T") == [{"a": "1 / 2", "b": "x"}, {"a": "3", "b": ""}]
    assert read_table("# U\n", "T") == []
    assert (change(0.1), change(-0.1), change(0.001)) == ("+11 %", "−10 %", "0 %")


def test_no_world_at_all_makes_a_page_too() -> None:
    nothing = Accuracy(files=0, held=(), skipped=(), yardstick=(), taught={}, familiar_ln={}, thinned=0, unshipped=())
    assert "# How accurate is it?" in page(nothing, date(2026, 11, 28), 0.0)
    assert plots(nothing) == {}
    assert tables.noise(nothing).count("\n") == 1


# --- plots ---------------------------------------------------------------------------------------------------------


def test_plots_are_svg_of_their_own_with_a_point_for_each_row(found: Accuracy) -> None:
    drawn = plots(found)
    assert {"parity.svg", "coverage.svg", "widths.svg", "error-host.svg"} <= drawn.keys()
    for text in drawn.values():
        root = ET.fromstring(text)
        assert float(root.get("width") or 0) > 400
        assert "prefers-color-scheme:dark" in text
        assert "var(" not in text
        assert len(text) < 200_000
    assert drawn["parity.svg"].count("<circle") >= len(speeds(found))


def test_a_band_holds_runs_of_neighbouring_places_and_parts_none() -> None:
    points = [(float(x), float(x)) for x in range(1, 81)]
    assert [b["middle"] for b in binned(points)] == pytest.approx([10 * i + 5.5 for i in range(8)], abs=1)
    assert len(binned([(1.0, y) for y in (0.5, 1.0, 2.0)])) == 1
    assert binned([(1.0, y) for y in (0.5, 1.0, 2.0)])[0]["middle"] == 1.0


def test_a_place_is_told_to_a_tenth_of_a_pixel() -> None:
    assert drawing._LONG.sub(r"\1", "12.3456,0.25") == "12.3,0.25"


# --- limits --------------------------------------------------------------------------------------------------------


def test_a_limit_is_the_figure_and_a_bit_and_never_grows() -> None:
    first = limits.tightened({"a": {"median_ln": 0.10}}, {})
    assert first == {"a": {"median_ln": 0.12}}
    assert limits.tightened({"a": {"median_ln": 0.06}}, first) == {"a": {"median_ln": 0.07}}
    assert limits.tightened({"a": {"median_ln": 0.01}}, first) == {"a": {"median_ln": limits.FLOOR}}
    assert limits.tightened({"a": {"median_ln": 0.11}}, first) == first
    assert limits.tightened({"a": {"median_ln": 0.50}}, first) == first
    assert limits.tightened({}, first) == first


def test_a_limit_is_loosened_only_with_a_reason_that_is_kept() -> None:
    old = {"a": {"median_ln": 0.12, "p90_ln": 0.3}}
    now = {"a": {"median_ln": 0.50, "p90_ln": 0.29}}
    assert limits.tightened(now, old, "2026-11-28: rows were wrong") == {
        "a": {"median_ln": 0.58, "p90_ln": 0.3, "why": "2026-11-28: rows were wrong"}
    }


def test_a_figure_beyond_its_limit_is_named() -> None:
    old = {"a": {"median_ln": 0.12, "why": "once"}, "gone": {"median_ln": 0.1}}
    assert limits.broken({"a": {"median_ln": 0.13}}, old) == ["a: median_ln is 0.130, its limit 0.12"]
    assert limits.broken({"a": {"median_ln": 0.12}, "new": {"median_ln": 9.0}}, old) == []
    assert limits.broken({"a": {"median_ln": 0.13}}, old, names=("quick_ln",)) == []


def test_limits_are_read_as_they_were_written(tmp_path: Path) -> None:
    told = {'MLPerf "v4.0" (× 2)': {"median_ln": 0.12, "why": "a “reason”"}}
    limits.write(told, tmp_path / "limits.toml")
    assert limits.read(tmp_path / "limits.toml") == told
    assert limits.read(tmp_path / "none.toml") == {}


# --- the command ---------------------------------------------------------------------------------------------------


def test_without_published_results_the_page_stays_and_the_exit_code_is_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(program.PUBLISHED, str(tmp_path))
    monkeypatch.setattr(program, "accuracy", lambda *args: pytest.fail("computed"))
    assert program.main([]) == 0
    assert "no published results here" in capsys.readouterr().out


def test_an_option_that_is_not_there_is_refused_and_a_reason_must_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--losen", "x"]) == 2
    assert program.main(["--loosen"]) == 2
    assert program.main(["--loosen", " "]) == 2
    assert "known: --loosen" in capsys.readouterr().err


@pytest.fixture
def house(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A house of its own with the made-up world as its published results."""
    (tmp_path / "docs").mkdir()
    monkeypatch.setenv(program.PUBLISHED, str(world.parent))
    monkeypatch.setattr(program, "PAGE", tmp_path / "docs" / "how-accurate.md")
    monkeypatch.setattr(program, "PLOTS", tmp_path / "docs" / "accuracy")
    monkeypatch.setattr(program, "LIMITS", tmp_path / "limits.toml")
    monkeypatch.setattr(program, "held", lambda now: not limits.broken(now, limits.read(tmp_path / "limits.toml")))
    return tmp_path


def test_the_command_writes_page_plots_and_limits_and_holds_to_them(
    house: Path, found: Accuracy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "accuracy", lambda paths, tell: found)
    assert program.main([]) == 0
    text = (house / "docs" / "how-accurate.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\((accuracy/[^)]*)\)", text)) == {
        f"accuracy/{path.name}" for path in (house / "docs" / "accuracy").iterdir()
    }
    kept = limits.read(house / "limits.toml")
    assert kept["Gamma lab 2024"].keys() == {"median_ln", "p90_ln", "quick_ln"}
    tight = {source: dict.fromkeys(mine, 0.001) for source, mine in kept.items()}
    limits.write(tight, house / "limits.toml")
    (house / "docs" / "how-accurate.md").unlink()
    assert program.main([]) == 1
    assert not (house / "docs" / "how-accurate.md").exists()
    assert "worse than a limit" in capsys.readouterr().err
    assert program.main(["--loosen", "a new world"]) == 0
    assert str(limits.read(house / "limits.toml")["Gamma lab 2024"]["why"]).endswith(": a new world")


# --- the committed page --------------------------------------------------------------------------------------------


def committed() -> str:
    return program.PAGE.read_text(encoding="utf-8")


def test_the_committed_page_and_its_limits_name_the_same_sources_and_agree() -> None:
    told = limits.read()
    text = committed()
    speed = {row["source"]: row for row in read_table(text, "By source")}
    parts = {row["source and figure"]: row for title in ("Memory", "Single layers") for row in read_table(text, title)}
    shown = speed | parts
    assert shown.keys() <= told.keys()
    for source, row in shown.items():
        assert float(row["median"]) <= float(told[source]["median_ln"]) + 1e-3, source
        assert float(row["p90"]) <= float(told[source]["p90_ln"]) + 1e-3, source


def test_the_committed_page_has_every_part_and_all_of_its_plots() -> None:
    text = committed()
    assert len(read_table(text, "Each step")) == 18
    assert len(read_table(text, "Goals")) > 30
    assert all(row["goal"] and row["figure"] for row in read_table(text, "Goals"))
    assert len([line for line in text.splitlines() if line.startswith("| ") and " Calculon" in line]) >= 1
    for link in re.findall(r"\]\((accuracy/[^)]*)\)", text):
        ET.fromstring(program.PAGE.parent.joinpath(link).read_text(encoding="utf-8"))


def test_shipped_constants_are_as_good_on_a_few_rows_of_each_source_as_they_were(published: list[Path]) -> None:
    now = {source: {"quick_ln": median} for source, median in limits.quick_medians(quick(published)).items()}
    assert now
    assert limits.broken(now, limits.read()) == []
