"""Decisions that are kept: dated, never rewritten, made again, and compared with the next one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay.api import keeping
from assay.api.deciding import decide
from assay.errors import InputError

PILOT = """
name = "kept"
question = "Buy or rent?"
starts = 2026-12-01

[[workloads]]
name = "train"
tokens = "1 T tokens"
jobs_per_year = 2

[[candidates]]
name = "rent"
system = "hgx-h100"
via = "rent"
rent = "3 USD/h"

[[candidates]]
name = "spot"
system = "hgx-h100"
via = "rent"
term = "spot"
rent = { is = "1.5 USD/h", low = "1 USD/h", high = "2 USD/h", from = "a test", date = "2026-11" }

[[figures]]
candidate = "rent"
workload = "train"
metric = "tokens_per_s"
value = { is = 100_000, low = 90_000, high = 110_000, from = "a test", date = "2026-11" }

[[figures]]
candidate = "spot"
workload = "train"
metric = "tokens_per_s"
value = { is = 100_000, low = 90_000, high = 110_000, from = "a test", date = "2026-11" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pilot.toml").write_text(PILOT, encoding="utf-8")
    return tmp_path


def test_a_decision_is_kept_and_made_again(folder: Path) -> None:
    made = decide(folder, today="2026-11-27", n=5000)
    path = keeping.keep(folder, made)
    assert path.parent == folder / "decisions"
    assert keeping.changed(folder, made) == ()
    then, now, differs = keeping.again(path)
    assert then.verdict == made.verdict == now.verdict
    assert differs == ()
    assert sorted(p.name for p in folder.iterdir()) == ["decisions", "pilot.toml"]


def test_what_changed_since_is_told(folder: Path) -> None:
    keeping.keep(folder, decide(folder, today="2026-11-27", n=5000))
    dearer = PILOT.replace('{ is = "1.5 USD/h", low = "1 USD/h", high = "2 USD/h"', '{ is = "6 USD/h", low = "5 USD/h", high = "7 USD/h"')  # fmt: skip  # noqa: E501
    (folder / "pilot.toml").write_text(dearer, encoding="utf-8")
    told = " ".join(keeping.changed(folder, decide(folder, today="2026-11-28", n=5000)))
    assert "spot led then; rent leads now." in told
    assert "spot rent of hgx-h100 was $1.50/h and is $6.00/h." in told
    assert "pilot.toml has changed." in told


def test_a_catalog_that_changed_shows_in_a_decision_made_again(folder: Path, tmp_path: Path) -> None:
    """As if the catalog's price had moved: the kept decision is edited, which is what a change looks like from here."""
    path = keeping.keep(folder, decide(folder, today="2026-11-27", n=5000))
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["past"]["stated"]["spot rent of hgx-h100"] /= 2
    other = tmp_path / "decisions" / "other.json"
    other.write_text(json.dumps(raw), encoding="utf-8")
    differs = keeping.again(other)[2]
    assert any(line.startswith("spot rent of hgx-h100 was $0.75/h and is $1.50/h") for line in differs)


@pytest.mark.parametrize("text", ["{}", '{"kind": "decision"}', "[1]", "not json", '{"kind": "decision", "past": 3}'])
def test_what_is_no_decision_is_refused_in_words(folder: Path, text: str) -> None:
    path = folder / "odd.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError):
        keeping.again(path)


def test_an_unreadable_decision_does_not_hide_an_older_one(folder: Path) -> None:
    made = decide(folder, today="2026-11-27", n=5000)
    keeping.keep(folder, made)
    (folder / "decisions" / "20991231T000000-ffffffff.json").write_text("{", encoding="utf-8")
    found = keeping.last(folder)
    assert found is not None
    assert found.verdict == made.verdict
