"""The benchmarks at a small size: what they time is what a user gets, and their page keeps its promises."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from benchmarks import __main__ as bench
from benchmarks import day, deciding, footprint, overhead, speed

from assay.api import predicting
from assay.plan import Plan
from assay.predict import legal, search

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"


@pytest.fixture(scope="module")
def asked() -> speed.Question:
    return speed.question("gpt2", nodes=1, batch=8)


@pytest.fixture(scope="module")
def measured(asked: speed.Question) -> dict[str, object]:
    return speed.measure(asked, settings=3000, at_least=2000, repetitions=2)


def test_each_plan_that_is_timed_gets_the_figures_that_predict_gives_it(asked: speed.Question) -> None:
    block = next(speed.grid(asked))
    figures = speed.evaluate(asked, block, speed.table_of(asked))
    for i in range(0, len(figures.step_s), len(figures.step_s) // 7):
        values = predicting.predict(asked.job, asked.machine, search.row(block, i)).values
        assert figures.step_s[i] == pytest.approx(values["step_s"].mean)
        assert figures.memory_bytes[i] == pytest.approx(values["peak_memory_bytes"].mean)
        assert figures.rent_usd[i] == pytest.approx(values["rent_usd"].mean)
        assert figures.energy_j[i] == pytest.approx(values["energy_j"].mean)


def test_the_grid_has_no_plan_twice_and_every_plan_is_legal(asked: speed.Question) -> None:
    plans = [search.row(block, i) for block in speed.grid(asked) for i in range(len(block.data))]
    assert len(set(plans)) == len(plans)
    assert {legal.problem(asked.job, asked.machine, plan) for plan in plans[::5]} == {""}


def test_the_grid_leaves_out_no_way_to_cut_the_work(asked: speed.Question) -> None:
    """Every way at all, tried one by one against the rules that a user's own plan is held to."""
    tried = itertools.product(range(1, 13), (1, 2, 4, 8), range(1, 15), range(1, 15), range(1, 9))
    allowed = {
        (t, c, p, v, b)
        for t, c, p, v, b in tried
        if 8 % (t * c * p) == 0
        and not legal.problem(
            asked.job, asked.machine,
            Plan(tensor=t, context=c, pipeline=p, virtual=v, micro_batch=b, data=8 // (t * c * p), zero_stage=0),
        )
    }  # fmt: skip
    found = set()
    for block in speed.grid(asked):
        columns = (block.tensor, block.context, block.pipeline, block.virtual, block.micro_batch)
        found |= set(zip(*(np.asarray(column).tolist() for column in columns), strict=True))
    assert found == allowed


def test_exactly_as_many_settings_are_priced_as_were_asked_for(
    asked: speed.Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sum(len(block.data) for block in speed.grid(asked))
    plain, counted = speed.evaluate, []

    def counting(*args: object) -> speed.Figures:
        counted.append(plain(*args))
        return counted[-1]

    monkeypatch.setattr(speed, "evaluate", counting)
    distinct, cheapest_usd = speed.covered(asked, 2 * whole + 7)
    assert sum(len(figures.step_s) for figures in counted) == 2 * whole + 7
    assert distinct == whole
    assert cheapest_usd == min(float(figures.rent_usd.min()) for figures in counted)


def test_the_figures_of_a_run_hang_together(asked: speed.Question, measured: dict[str, object]) -> None:
    whole = sum(len(block.data) for block in speed.grid(asked))
    assert measured["widest"][0] == whole
    assert measured["distinct"] == min(whole, measured["settings"])
    assert measured["usual"][0] < whole
    assert measured["plans"] >= 2000
    assert measured["plans"] % whole == 0
    assert measured["peak_bytes"] >= measured["start_bytes"] > 1e6
    assert all(len(measured[name]) >= 2 and min(measured[name]) > 0 for name in ("price_s", "usual_s", "covered_s"))
    assert measured["price_s"] == sorted(measured["price_s"])


def test_the_tables_divide_plans_by_the_best_time(measured: dict[str, object]) -> None:
    fixed = measured | {"plans": 6_000_000, "price_s": [2.0, 3.0, 4.0], "settings": 4320, "covered_s": [0.002]}
    text = bench.speed_tables(fixed)
    assert re.search(r"6,000,000 plans priced.* \| 2.00 \| 3.00 \| 4.00 \| 3 \| 3.00 M \|", text)
    assert "prices 10,000 times as many" in text  # 4320 settings: 20 s at 216 a second


def test_python_alone_holds_nothing_foreign_and_help_holds_no_mathematics() -> None:
    alone, foreign = footprint.modules([])
    helped, beside = footprint.modules(["--help"])
    assert foreign == []
    assert "click" in beside
    assert "numpy" not in beside
    assert helped > alone


def test_a_start_takes_time_and_a_command_that_fails_is_no_figure() -> None:
    wall, cpu = footprint.start(footprint.COMMANDS["python -c pass"], repetitions=1)
    assert cpu > 0
    assert wall > 0
    with pytest.raises(Exception, match="non-zero"):
        footprint.start([footprint.ASSAY, "no-such-verb"], repetitions=1)


def test_an_installation_weighs_what_its_files_weigh() -> None:
    brought = footprint.installed()
    assert {"numpy", "duckdb", "click"} <= brought.keys()
    assert not {"torch", "pytest", "assay"} & brought.keys()
    folder = Path(np.__file__).parent
    inside = sum(path.stat().st_size for path in folder.rglob("*.so"))
    assert footprint.size_bytes(brought["numpy"]) > inside > 1e6


def test_new_tables_replace_old_ones_and_leave_the_rest_of_the_page() -> None:
    page = f"# Title\n\n{bench.BEGIN}\nold\n{bench.END}\n\nafter\n"
    once = bench.filled(page, "new")
    assert once == f"# Title\n\n{bench.BEGIN}\n\nnew\n\n{bench.END}\n\nafter\n"
    assert bench.filled(once, "new") == once
    with pytest.raises(SystemExit, match="has no"):
        bench.filled("# Title", "new")


def test_an_option_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--wirte"]) == 2
    assert "known: --write" in capsys.readouterr().err


def test_the_page_shows_what_was_promised() -> None:
    page = PAGE.read_text(encoding="utf-8")
    (rate,) = re.findall(r"time, memory, cost, energy \|.*\| ([\d.]+) M \|", page)
    (count,) = re.findall(r"\| Assay, as many \| ([\d,]+) \|", page)
    (memory,) = re.findall(r"\*\*(\d+) MB\*\*", page)
    (brought,) = re.findall(r"Assay brings (\d+) distributions", page)
    assert float(rate) >= 2
    assert count == f"{speed.CALCULON_SETTINGS:,}"
    assert int(memory) < 500
    assert int(brought) <= 20


def test_a_day_of_readings_is_asked_what_people_ask(capsys: pytest.CaptureFixture[str]) -> None:
    assert day.main(["--hours", "1", "--devices", "1"]) == 0
    out = capsys.readouterr().out
    assert "0.1 M readings in 1 files" in out
    assert all(f"| {question} | " in out for question in day.ASKED)


def test_what_it_costs_to_be_measured_is_told_with_its_interval(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overhead, "START_S", 0.3)
    assert overhead.main(["--pairs", "2", "--seconds", "0.1", "--period", "0.1"]) == 0
    out = capsys.readouterr().out
    assert "a reading every 0.1 s, 2 pairs" in out
    assert "? to ? %" in out  # two pairs exclude nothing


def test_the_draws_that_are_timed_are_of_the_worked_case() -> None:
    """Its usual cost lies inside of what the draws give, and their ends inside of those of its widest input alone."""
    low, middle, high = deciding.draws(50_000)
    assert low < 2.339 < high
    assert low < middle < high
    assert low > 1.5
    assert high < 6


def test_a_decision_is_a_row_of_the_table() -> None:
    times = {"decide_s": [1.0, 2.0, 3.0], "report_s": [0.5, 0.6, 0.7]}
    table = bench.decision_table({"draws": 1000, "drawn": (1.0, 2.0, 3.0), "draw_s": [0.1], "pilots": {"one": times}})
    assert "| `pilot decide` of one | 1.00 | 2.00 | 3.00 | 3 |" in table
    assert "1,000 draws" in table
