"""`assay trace` says what a module does beside torch's own count, and what to type next."""

import json
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.measure.workloads import TORCH, needs_torch

from assay.cli.main import main

FAKES = Path(__file__).parents[1] / "fakes"


@pytest.fixture
def assay(capsys, monkeypatch):
    monkeypatch.chdir(FAKES)

    def run(*args):
        with pytest.raises(SystemExit) as end:
            main(["trace", *map(str, args)])
        return end.value.code, *capsys.readouterr()

    return run


@needs_torch
def test_the_answer_stands_beside_torchs_counter_and_names_the_next_command(assay, tmp_path):
    out = tmp_path / "moe.toml"
    code, shown, said = assay("nets:moe", "--inputs", "x=bf16[4,32,64]", "--python", TORCH, "--out", out)
    assert code == 0
    assert "65,792" in shown
    assert "here 129 times" in shown
    assert "Heaviest operations" in shown
    assert shown.count("_grouped_mm") == 5
    assert "Differs: _grouped_mm (forward)" in said
    assert out.read_text(encoding="utf-8").startswith("schema = 1\n")
    typed = shlex.split(said.rpartition("Next: assay ")[2])
    assert str(out) in typed
    with pytest.raises(SystemExit) as end:
        main(typed)
    assert end.value.code == 0


@needs_torch
def test_json_holds_full_figures_under_names_with_their_units(assay, tmp_path):
    code, shown, _ = assay(
        "nets:contrastive", "--inputs", "x=float32[8,16]", "--python", TORCH, "--json", "-o", tmp_path / "out.json"
    )
    found = json.loads(shown)
    assert code == 0
    assert found["forward_flop_per_sample"] == found["torch_flop_per_sample"]["forward"] == 2 * 32 * (16 + 8)
    assert found["shape"]["flagged"]
    assert found["parameters"] == 544


@needs_torch
def test_what_is_flagged_is_said_and_the_file_is_written_all_the_same(assay, tmp_path):
    out = tmp_path / "out.toml"
    code, _, said = assay("nets:spectrum", "--inputs", "x=float32[4,8,8]", "--python", TORCH, "-o", out)
    assert code == 0
    assert "Flagged: aten::_linalg_eigh" in said
    assert "_linalg_eigh" in out.read_text(encoding="utf-8")


@needs_torch
def test_what_cannot_be_counted_ends_with_2_and_one_line(assay, tmp_path):
    code, shown, said = assay(
        "nets:custom", "--inputs", "x=float32[4,8]", "--python", TORCH, "-o", tmp_path / "out.toml"
    )
    assert (code, shown) == (2, "")
    assert said.startswith("Error: what nets::secret (in inner.0) does cannot be counted")
    assert len(said.splitlines()) == 1


@pytest.mark.skipif(find_spec("torch") is not None, reason="this interpreter has PyTorch")
def test_an_interpreter_without_torch_ends_with_3(assay, tmp_path):
    code, _, said = assay(
        "nets:gpt", "--inputs", "ids=int64[4,8]", "--python", sys.executable, "-o", tmp_path / "o.toml"
    )
    assert code == 3
    assert "pip install torch" in said


def test_inputs_that_are_none_end_with_2_before_anything_runs(assay):
    code, _, said = assay("nets:gpt", "--inputs", "ids=int46[4,8]")
    assert code == 2
    assert 'did you mean "int64"' in said
