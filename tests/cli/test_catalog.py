"""`assay catalog` as a person and as a script use it."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from assay.cli.main import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["catalog", *args])
        out, err = capsys.readouterr()
        return (left.value.code if isinstance(left.value.code, int) else 1), out, err

    return call


def test_the_list_shows_every_accelerator_and_says_unknown_rather_than_zero(run: Run) -> None:
    code, out, err = run("--format", "csv")
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(out))}
    assert code == 0
    assert len(rows) > 100
    assert rows["a30"]["rent from"] == "unknown"
    assert rows["mi455x"]["power"] == "unknown"
    assert rows["h100-sxm"]["16-bit peak"] == "989 TFLOP/s bf16"
    assert rows["bow-ipu"]["16-bit peak"] == "350 TFLOP/s fp16"
    assert "Next: " in err


def test_a_vendor_narrows_the_list_and_an_unknown_one_is_an_error(run: Run) -> None:
    _, out, _ = run("--vendor", "graphcore", "--format", "json")
    assert {row["vendor"] for row in json.loads(out)} == {"Graphcore"}
    code, out, err = run("--vendor", "nvidai")
    assert (code, out) == (2, "")
    assert 'did you mean "NVIDIA"' in err
    assert run("--kind", "links", "--vendor", "NVIDIA")[0] == 2


@pytest.mark.parametrize("kind", ["accelerators", "systems", "links", "models", "prices", "storage"])
@pytest.mark.parametrize("fmt", ["table", "json", "csv", "md"])
def test_every_kind_prints_in_every_format(run: Run, kind: str, fmt: str) -> None:
    code, out, err = run("--kind", kind, "--format", fmt)
    assert code == 0
    assert len(out.splitlines()) > 10
    assert "Next: " in err
    if fmt == "json":
        assert len(json.loads(out)) > 10


def test_a_card_gives_value_range_source_date_and_confidence(run: Run) -> None:
    code, out, _ = run("h100-sxm", "--format", "csv")
    rows = {row["key"]: row for row in csv.DictReader(io.StringIO(out))}
    assert code == 0
    assert rows["peak.bf16"]["value"] == "989.4 TFLOP/s"
    assert rows["idle"]["range"] == "60 W – 95 W"
    assert rows["idle"]["confidence"] == "low"
    assert all(row["source"] and row["date"] and row["confidence"] for row in rows.values() if row["source"])
    assert rows["rent (OCI, on-demand, all, BM.GPU.H100.8)"]["value"] == "$80.00/h for 8"


def test_json_gives_full_numbers_in_si(run: Run) -> None:
    _, out, _ = run("hgx-h100", "--format", "json")
    found = json.loads(out)
    values = {value["key"]: value for value in found["values"]}
    assert (found["kind"], found["name"]) == ("system", "hgx-h100")
    assert values["power_w"]["value"] == 10200
    assert min(o["price_usd_per_s"] for o in found["offers"] if o["kind"] == "rent") > 0


@pytest.mark.parametrize(
    "name", ["dgx-h100", "nvlink-4", "infiniband-ndr", "s3-standard", "cs-2", "wse-2", "bert-large"]
)
def test_systems_links_storage_and_models_have_cards_too(run: Run, name: str) -> None:
    code, out, err = run(name)
    assert code == 0
    assert name in out.splitlines()[0]
    assert "Next: " in err


def test_the_card_of_a_model_counts_its_parameters_and_its_layers(run: Run) -> None:
    _, out, _ = run("Stable Diffusion v2", "--format", "csv")
    rows = {row["key"]: row["value"] for row in csv.DictReader(io.StringIO(out))}
    assert rows["parameters"] == rows["published_params"] == "865,910,724"
    assert (rows["convs"], rows["stages"], rows["frozen"]) == ("122 of 38 kinds", "16 of 4 kinds", "23 of 1 kind")
    _, out, _ = run("rnn-t", "--format", "json")
    assert json.loads(out)["parameters"] == 49_006_080


def test_a_name_that_fits_several_says_which_was_taken(run: Run) -> None:
    _, out, err = run("NVIDIA A100-SXM (8x)")
    assert "a100-sxm-80gb" in out.splitlines()[0]
    assert "it could also be a100-sxm-40gb" in err


def test_comparing_puts_things_side_by_side_and_leaves_unknown_empty(run: Run) -> None:
    code, out, _ = run("--compare", "h100-sxm", "mi300x", "bow-ipu", "--format", "csv")
    rows = {row["value"]: row for row in csv.DictReader(io.StringIO(out))}
    assert code == 0
    assert (rows["memory"]["h100-sxm"], rows["memory"]["mi300x"]) == ("80 GB", "192 GB")
    assert rows["peak.bf16"]["bow-ipu"] == ""
    assert rows["idle"]["h100-sxm"] == "~70 W"
    assert rows["rent from"]["bow-ipu"] == "unknown"


def test_a_mistyped_name_is_answered_with_near_ones(run: Run) -> None:
    code, out, err = run("h100-sxn")
    assert (code, out) == (2, "")
    assert 'did you mean "h100-sxm"' in err
    assert run("llama-3.1-8c")[0] == 2
    assert run("")[0] == 2
    assert run("x" * 5000)[0] == 2


def test_check_passes_on_what_ships_and_fails_on_a_trap(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("--check", "--format", "json")
    assert code == 0
    assert json.loads(out)["problems"] == []
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "wire.toml").write_text('schema = 1\nkind = "link"\nname = "wire"\nbandwidth = "1 GB/s"\n')
    code, out, err = run("--check", "--catalog", str(tmp_path))
    assert code == 1
    assert "no source" in err
    assert "wire.toml" in err


def test_a_folder_of_ones_own_adds_to_the_catalog(run: Run, tmp_path: Path) -> None:
    room = tmp_path / "links"
    room.mkdir()
    (room / "wire.toml").write_text(
        'schema = 1\nkind = "link"\nname = "wire"\nsourced_by = "lab"\nbandwidth = "1 GB/s"\nlatency = "9 us"\n'
        '[source.lab]\nkind = "measured"\ntitle = "our laboratory"\ndate = "2026-11"\n'
    )
    code, out, _ = run("wire", "--catalog", str(tmp_path))
    assert code == 0
    assert "our laboratory" in out
    assert run("wire")[0] == 2
    assert run("wire", "--catalog", str(tmp_path / "nowhere"))[0] == 2


def test_a_card_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom assay.cli.main import main\n"
        "try: main(['catalog', 'h100-sxm'])\nexcept SystemExit: pass\n"
        "print([m for m in ('numpy', 'scipy', 'duckdb', 'jinja2') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip().splitlines()[-1] == "[]"
