"""The walls of the house: what docs/design.md promises of the code, checked on the code."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import assay
from assay.result import METRICS
from assay.units import suffix

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src" / "assay"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def sources() -> list[Path]:
    return sorted(SRC.rglob("*.py"))


def tracked() -> list[Path]:
    """Text files of the project, as git sees them."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no git here to say which files are the project's")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def modules() -> Iterator[object]:
    for info in pkgutil.walk_packages(assay.__path__, "assay."):
        if not re.search(r"\.(workloads|report)\b", info.name):  # scripts for another interpreter; drawings, in pixels
            yield importlib.import_module(info.name)


# --- units ---------------------------------------------------------------------------------------------------------

# Floats that are pure numbers, or whose unit another field says; a name that is not here ends in its unit, or in _ln:
# the logarithm of a ratio.
PURE = {
    "Value": "in the unit of the metric it is the value of: mean, low, high",
    "Fact": "in the unit of its key: low, high",
    "Interval": "in the unit of the samples it was made of: value, low, high",
    "Change": "a ratio of two figures, and its low and high",
    "Checked": "in the unit of the row's metric: predicted, low, high",
    "CaseSummary.rate": "in rate_unit",
    "CaseSummary.rate_low": "in rate_unit",
    "CaseSummary.rate_high": "in rate_unit",
    "CaseSummary.spread": "relative to the median",
    "PublishedRow.metric_value": "in the unit its metric_name ends in",
    "PublishedRow.params_b": "billions of parameters: a column of a published file format",
    "Op.launches": "a count of kernels, a mean over layers",
    "Op.waits": "a count",
    "Layer.count": "a count of layers",
    "Seen": "counts of tokens, and a width: length, keys, hidden",
    "Learnt.ln_speed": "the logarithm of steps a second",
    "Level.free": "standard deviations of logarithms and logits",
    "Fit.offsets": "of logarithms and logits",
    "Fit.information": "shares of what was not known before",
    "Options.again": "shares of layers",
    "Options.room": "share of a device's memory",
    "Row.again": "share of layers",
    "Workload.mean_len": "tokens",
    "Workload.attention_pace": "share of what a newer kernel reaches",
    "Calibration.offsets": "of logits and logarithms",
    "Workload.expert_imbalance": "the fullest device's tokens over the mean",
    "Workload.expert_capacity": "a multiple of the mean",
    "Stated.mean_len": "tokens",
    "Stated.expert_imbalance": "a multiple of the mean",
    "Stated.expert_capacity": "a multiple of the mean",
    "Sizes": "counts of parameters: layer, embedding, head",
    "Score.mean_error": "a mean of ratios less one",
    "Score.coverage": "share of rows inside their interval",
    "Score.rank": "a correlation",
    "Ranked.rank": "a correlation",
    "Tariff.pue": "facility power over IT power",
    "Tariff.utilization": "share of time",
    "Snapshot.load": "a count of processes that wait to run",
    "Beside.ratio": "right over left",
    "Figure": "in the unit of its metric: value, low, high, p90, p99; and spread, relative to the median",
    "Verdict": "a ratio of two figures, its low and high; and the probability of it by chance",
    "Step": "a ratio, and its size in standard deviations",
    "Turn": "a ratio, and its size in standard deviations",
    "Trend.values": "in the unit of its metric",
    "Sides.figures": "in the unit of its metric",
    "Ruling.tolerated": "a share",
    "Heard": "times on the monotonic clock, and values in the unit of their metric",
    "Usage": "shares of a window: busy, core, matrix, memory, stalled, working, mfu, coverage",
    "Observation.figures": "each in the unit its name ends in, or a share",
    "Facts.pue": "facility power over IT power",
    "Ramp": "before, after, left in the unit of the series; gain a chi-square",
    "Snapshot.counted": "each in the unit of its counter's name",
    "Field": "in the unit of its metric: scale, lowest, highest, most",
    "Imported.scale": "our units in one of theirs",
    "Line": "in the unit of the field that holds it: fixed, and per_sample of that for each sample",
    "Work": "counts: flop, bytes moved, the sides of a product and how many stand side by side",
    "Result.sensitivity": "d ln / d ln",
    "Constants.matmul": "share of peak",
    "Constants.matmul_half_k": "a depth, in elements",
    "Constants.matmul_wide": "share of matmul's share",
    "Constants.matmul_8bit": "share of matmul's share",
    "Constants.matmul_4bit": "share of matmul's share",
    "Constants.grouped": "share of matmul's share",
    "Constants.conv": "share of matmul's share",
    "Constants.lookup": "share of bandwidth",
    "Constants.overlap_expert": "share of time",
    "Constants.contention": "share of time",
    "Constants.tile": "an edge, in elements",
    "Constants.attention": "share of peak",
    "Constants.memory": "share of bandwidth",
    "Constants.inner_link": "share of bandwidth",
    "Constants.outer_link": "share of bandwidth",
    "Constants.overlap_data": "share of time",
    "Constants.overlap_tensor": "share of time",
    "Constants.speed": "a ratio of speeds",
    "Constants.straggler": "share of time per doubling",
    "Constants.fragmentation": "share of memory",
    "Calibration.constants": "each in the unit of the constant it replaces",
    "Calibration.regimes": "half-widths of logarithms, as residual_ln",
    "Constants.attention_half_len": "tokens",
    "Constants.attention_half_head": "a width",
    "Calibration.moved": "offsets of logarithms and logits",
    "Calibrated.regimes": "half-widths of logarithms, as residual_ln",
    "Calibrated.moved": "offsets of logarithms and logits",
    "System.rack_units": "U, the unit racks are counted in",
    "Machinery.rack_units": "U, the unit racks are counted in",
    "Assumption": "in the unit of the field that holds it: value, low, high",
    "Swing": "low and high in its unit, at_low and at_high in that of the figure it moves",
    "Overturn": "usual and at in its unit",
    "Limit": "wanted and available, in its unit",
    "Witness": "in the unit of its metric: value, low, high, p90, p99",
    "Ruling.wanted": "in the unit of its metric",
    "Gate": "in the unit of its metric: at_least, at_most",
    "Past": "scores in the objective's unit, stated in the unit of each key",
    "Against.breakeven_utilization": "share of time",
    "Against.cheaper_share": "share of draws",
    "Order.surest": "share of draws",
    "Worth.importance": "a rank correlation",
    "Benefits.accuracy_points": "points of accuracy",
    "Benefits.engineers": "a count of people",
    "Benefits.iterations_per_day": "runs a day",
    "Case.racks_per_node": "a count",
    "Worth.moved_usual": "in the unit that moved_unit says",
    "Load.peak": "highest demand over mean",
    "Load.per_job": "units of work, as its unit says",
    "Contract.availability": "share of a month",
    "Contract.credit_cap": "share of a bill",
    "Contract.credit_share": "share of a bill",
    "Site.derating": "share of a breaker's rating",
    "Climate.hours": "hours of a year",
    "Climate.pressure": "share of that at sea level",
    "Heat.years": "a number of years",
    "Wanted.network_share": "share of the machines' power",
    "Pool.breakeven_utilization": "share of time",
    "Feed.cached": "share of reads",
    "Way.cost": "in the unit of what its part has, a sample",
    "Lever.read": "a function to its value, in its unit",
    "Lever.write": "a function of a value in its unit",
    "Swept.value": "in the unit of its lever",
    "Sweep.base": "in the unit of its lever",
    "Effect.value": "in the unit of its lever",
    "Gain": "shares of a step's time: mean, low, high, replanned",
    "Question.weight": "share of a decision",
    "QuestionTemplate.weight": "share of a decision",
}


def floats() -> dict[str, str]:
    """Every float field of every dataclass of the project: "Class.field" -> the field's name."""
    found = {}
    for module in modules():
        for noun in vars(module).values():
            if isinstance(noun, type) and is_dataclass(noun) and noun.__module__ == module.__name__:  # type: ignore[attr-defined]
                found |= {
                    f"{noun.__name__}.{f.name}": f.name for f in fields(noun) if re.search(r"\bfloat\b", str(f.type))
                }
    return found


def test_every_float_says_its_unit_in_its_name() -> None:
    silent = sorted(
        key
        for key, name in floats().items()
        if not suffix(name) and not name.endswith("_ln") and not {key, key.partition(".")[0]} & PURE.keys()
    )
    assert silent == []


def test_the_list_of_pure_numbers_names_only_what_is_there() -> None:
    known = floats()
    there = known.keys() | {key.partition(".")[0] for key in known}
    assert sorted(PURE.keys() - there) == []


def test_every_metric_says_its_unit_in_its_name_or_is_a_share() -> None:
    shares = {"mfu", "hfu", "goodput"}
    assert {name for name in METRICS if not suffix(name)} == shares
    assert all(metric.meaning for metric in METRICS.values())


# --- size and taste ------------------------------------------------------------------------------------------------

LONG_FILES: dict[str, str] = {}  # over 300 lines: path -> why; only ever shortened
LONG_FUNCTIONS: dict[str, str] = {}  # over 60 lines: path:name -> why; only ever shortened


def test_no_file_is_over_300_lines() -> None:
    long = {str(p.relative_to(SRC)) for p in sources() if len(p.read_text(encoding="utf-8").splitlines()) > 300}
    assert long == LONG_FILES.keys()


def test_no_function_is_over_60_lines() -> None:
    long = {
        f"{path.relative_to(SRC)}:{node.name}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and (node.end_lineno or 0) - node.lineno >= 60
    }
    assert long == LONG_FUNCTIONS.keys()


def test_every_file_says_what_it_is_for() -> None:
    silent = [
        str(p.relative_to(SRC)) for p in sources() if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_no_formula_asks_who_made_the_machine() -> None:
    asked = [
        f"{path.relative_to(SRC)}:{node.lineno}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare)
        and any(isinstance(side, ast.Constant) and isinstance(side.value, str) for side in node.comparators)
        and "vendor" in ast.unparse(node.left)
    ]
    assert asked == []


def test_nothing_is_left_to_do_and_nothing_names_where_it_was_written() -> None:
    words = re.compile(rf"\b({'TO' + 'DO'}|{'FIX' + 'ME'})\b|/{'wo' + 'rk'}/|\.{'lib' + 'rary'}/|{'pypi' + '.org'}")
    found = []
    for path in tracked():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{i}: {line.strip()[:80]}"
            for i, line in enumerate(lines, 1)
            if words.search(line)
        ]
    assert found == []


def test_every_catalog_file_loads_under_its_own_name() -> None:
    from assay import catalog
    from assay.catalog.models import models

    rooms: dict[str, Callable[[], Mapping[str, object]]] = {
        "accelerators": catalog.accelerators,
        "links": catalog.links,
        "storage": catalog.storages,
        "systems": catalog.systems,
        "models": models,
    }
    for room, read in rooms.items():
        assert set(read()) == {path.stem for path in (SRC / "data" / room).glob("*.toml")}, room
    assert sum(map(len, catalog.offers().values())) > 0


# --- floors --------------------------------------------------------------------------------------------------------

PLANTS = [
    ("floors", "predict/planted.py", "import assay.measure"),
    ("floors", "report/planted.py", "from assay import predict"),
    ("floors", "measure/planted.py", "def f() -> None:\n    from assay.predict import roofline"),
    ("floors", "units.py", "import assay.hardware"),
    ("floors", "newroom.py", ""),
    ("formulas", "predict/planted.py", "from assay.codec import read_toml"),
    ("formulas", "report/planted.py", "import time"),
    ("formulas", "stats.py", "import random"),
    ("families", "predict/families/planted.py", "from assay import hardware"),
    ("families", "predict/families/planted.py", "from assay.predict.roofline import *"),
    ("chips", "predict/roofline.py", "from assay.predict.families import transformer"),
    ("door", "measure/planted.py", "import tomllib"),
    ("door", "predict/planted.py", "import click"),
    ("home", "measure/planted.py", "import urllib.request"),
    ("home", "predict/planted.py", "def f() -> None:\n    import torch"),
]


def lint(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    command = [str(program), "--no-logo", "--no-cache", "--config", str(folder / "pyproject.toml"), *more]
    env = {"PYTHONPATH": str(folder / "src"), "PATH": "", "COLUMNS": "200"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(SRC, tmp_path / "src" / "assay", ignore=shutil.ignore_patterns("__pycache__", "data"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(("contract", "file", "line"), PLANTS)
def test_a_planted_import_breaks_the_contract_that_forbids_it(copy: Path, contract: str, file: str, line: str) -> None:
    names = {c["id"]: c["name"] for c in PROJECT["tool"]["importlinter"]["contracts"]}
    path = copy / "src" / "assay" / file
    path.write_text((path.read_text(encoding="utf-8") if path.exists() else '"""Planted."""\n') + f"\n{line}\n")
    done = lint(copy, "--contract", contract)
    assert done.returncode == 1
    assert f"{names[contract]} BROKEN" in done.stdout or "newroom" in done.stdout


def test_the_house_as_it_stands_keeps_every_contract(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout
    assert f"{len({c for c, _, _ in PLANTS})} kept, 0 broken" in done.stdout


# --- packaging -----------------------------------------------------------------------------------------------------


def closure(name: str) -> set[str]:
    """What is installed with a distribution, extras left out."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        for need in map(Requirement, distribution(waiting.pop()).requires or ()):
            wanted = need.marker is None or need.marker.evaluate({"extra": ""})
            if wanted and need.name.lower() not in seen:
                seen.add(need.name.lower())
                waiting.append(need.name)
    return seen


def test_a_user_installs_at_most_20_distributions() -> None:
    installed = closure("assay")
    assert {"click", "numpy", "duckdb"} <= installed
    assert len(installed) <= 20
    assert not {"torch", "pytest"} & installed


def test_every_dependency_has_its_reason_beside_it() -> None:
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    extras = PROJECT["project"]["optional-dependencies"].values()
    needs = {need for table in (PROJECT["project"]["dependencies"], *extras) for need in table}
    assert {
        need for need in needs if not any(re.match(rf' +"{re.escape(need)}", +# \w', line) for line in lines)
    } == set()


def test_the_wheel_holds_data_templates_and_types_and_nothing_else(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {str(p.relative_to(SRC.parent)) for p in SRC.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    assert "assay/py.typed" in wanted
    assert any(name.endswith(".toml") for name in wanted)
    assert any("/templates/" in name for name in wanted)
    assert wanted <= held
    assert {name.split("/")[0] for name in held} == {"assay", f"assay-{PROJECT['project']['version']}.dist-info"}


# --- what is written -----------------------------------------------------------------------------------------------

PAGES = [
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "README.md",
    "docs/measuring.md",
    "docs/predicting.md",
    "docs/measured.md",
    "docs/tracing.md",
    "docs/design.md",
    "docs/how-accurate.md",
    *(f"docs/decisions/{p.name}" for p in (ROOT / "docs" / "decisions").glob("*.md")),
]


@pytest.mark.parametrize("page", PAGES)
def test_every_file_a_page_points_to_is_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = {link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link}
    paths = {
        path for path in re.findall(r"`((?:src|tests|docs|benchmarks)/[\w./-]*[\w/])`", text) if "NAME" not in path
    }
    missing = {link for link in links if not (ROOT / page).parent.joinpath(link).exists()}
    missing |= {path for path in paths if not (ROOT / path).exists()}
    assert missing == set()


def test_decisions_are_numbered_in_one_row_and_fit_on_half_a_page() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(p.name[:4]) for p in pages] == list(range(1, len(pages) + 1))
    assert max(len(p.read_text(encoding="utf-8").split()) for p in pages) <= 350


def test_the_changelog_knows_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{PROJECT['project']['version']}]" in text


def test_make_and_ci_say_only_what_dev_does() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^\.PHONY: (.*)", makefile, re.MULTILINE)[0].split())
    helped = subprocess.run([sys.executable, ROOT / "dev", "help"], capture_output=True, text=True, check=True).stdout
    assert all(re.search(rf"^ +\./dev {target}\b", helped, re.MULTILINE) for target in targets - {"help"})
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").rstrip().endswith("\nmake test")
    assert json.dumps(makefile).count("./dev $@") == 1
