"""A trace that was recorded reads back as a model, and a file that is wrong is refused by its key."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from assay.catalog.models import model
from assay.codec import encode, read_toml
from assay.counting import active_parameters, parameters
from assay.errors import InputError
from assay.files import toml_text
from assay.model import Line, TracedOp, TracedShape

RECORDED = Path(__file__).parents[1] / "recorded" / "traces" / "stack.toml"
SIZES = (8, 32, 16, 4)
WEIGHTS = sum(i * o for i, o in pairwise(SIZES))


def shape() -> TracedShape:
    found = model(RECORDED)
    assert found.family == "traced"
    assert isinstance(found.shape, TracedShape)
    return found.shape


def test_a_recorded_trace_is_a_model_with_its_source() -> None:
    found = model(RECORDED)
    assert found.name == "stack"
    assert found.source.startswith("assay trace nets:stack --inputs ")
    assert parameters(found.shape) == active_parameters(found.shape) == WEIGHTS + sum(SIZES[1:])


@pytest.mark.parametrize("batch", [1, 8, 1000])
def test_its_work_is_a_line_in_the_batch(batch: int) -> None:
    for phase, times in (("forward", 1), ("backward", 2)):
        flop = sum(op.count.at(batch) * op.flop.at(batch) for op in shape().ops if op.phase == phase)
        assert flop == 2 * batch * (times * WEIGHTS - (phase == "backward") * SIZES[0] * SIZES[1])


def test_a_line_takes_an_array_of_batches() -> None:
    assert Line(fixed=1.0, per_sample=2.0).at(np.array([1.0, 2.0])).tolist() == [3.0, 5.0]  # type: ignore[arg-type, attr-defined]


def test_what_a_file_leaves_out_is_one_operation_without_work() -> None:
    op = TracedOp(name="relu", kind="elementwise", phase="forward")
    assert (op.count.at(7), op.groups.at(7), op.flop.at(7)) == (1.0, 1.0, 0.0)


def test_the_same_model_reads_from_json(tmp_path: Path) -> None:
    path = tmp_path / "stack.json"
    path.write_text(json.dumps(read_toml(RECORDED)), encoding="utf-8")
    assert model(path) == model(RECORDED)


def test_toml_that_is_written_reads_back_as_it_was(tmp_path: Path) -> None:
    raw = {"name": 'a "quoted" naïve\nname', "source": {"a": {"b": [1, 2.5, True]}}, "shape": encode(shape())}
    path = tmp_path / "back.toml"
    path.write_text(toml_text(raw), encoding="utf-8")
    assert json.loads(json.dumps(read_toml(path))) == json.loads(json.dumps(raw))


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ("parameters = 884", "parameters = 3", "trained_parameters"),
        ("batch = 8", "batch = 0", "batch"),
        ('kind = "matmul"', 'kind = "matnul"', "kind"),
        ("per_sample = 256", "per_samples = 256", 'did you mean "per_sample"'),
        ('family = "traced"', 'family = "tracked"', "families"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_its_key(was: str, becomes: str, says: str, tmp_path: Path) -> None:
    text = RECORDED.read_text(encoding="utf-8")
    assert was in text
    path = tmp_path / "wrong.toml"
    path.write_text(text.replace(was, becomes, 1), encoding="utf-8")
    with pytest.raises(InputError) as refused:
        model(path)
    assert says in str(refused.value)
    assert "wrong.toml" in str(refused.value)
