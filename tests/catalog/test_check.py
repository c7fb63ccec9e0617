"""The catalog's own examiner finds the traps it is there for."""

from __future__ import annotations

from pathlib import Path

import pytest

import assay.catalog as shelves
from assay.catalog.check import audit

OURS = Path(shelves.__file__).parent.parent / "data"


def test_the_catalog_that_ships_is_sound() -> None:
    found = audit()
    assert [f"{p.where}: {p.what}" for p in found.problems] == []
    assert found.sourceless == 0
    assert found.values > 3000
    assert found.offers > 200
    assert found.files["accelerator"] == sum(found.vendors.values()) > 100


# What somebody gets wrong when copying a data sheet -> (file, as it is, as they would write it, what is said of it).
TRAPS = {
    "a peak with sparsity": ("accelerators/h100-sxm", 'fp8 = "1978.9', 'fp8 = "3957.8', "sparsity"),
    "a half-precision peak of another chip": ("accelerators/l4", 'bf16 = "121', 'bf16 = "12100', "times fp32"),
    "a memory bandwidth in Gbit": ("accelerators/t4", '"320 GB/s"', '"320 MB/s"', "FLOP per byte"),
    "the power of a node": ("accelerators/mi300x", '"750 W"', '"7500 W"', "one device"),
    "an idle power above the rated": ("accelerators/l40s", 'power = "350 W"', 'power = "30 W"', "idle_w"),
    "a link per node": ("systems/dgx-1-v100", '"6.25 GB/s"', '"400 GB/s"', "per node"),
    "the power of a card for a node": ("systems/dgx-h100", '"10.2 kW"', '"1.02 kW"', "own rating"),
    "a rent per node": ("prices/oci-2026", 'rent = "80 USD/h", count = 8', 'rent = "80 USD/h"', "per node"),
    "a price of nothing known": ("prices/oci-2026", '"a10"', '"a11"', "is not in the catalog"),
    "an alias of another product": ("accelerators/l4", 'aliases = ["L4"', 'aliases = ["L40"', 'alias "L40"'),
    "a guess without a range": ("accelerators/t4", ', low = "8 W", high = "13 W"', "", "without a range"),
    "a source without a title": ("links/nvlink-4", "title = ", "note = ", "no title"),
    "a value without a source": ("links/nvlink-4", 'sourced_by = "datasheet"', "", "no source"),
    "a system that is nobody's": ("systems/l4-8", "default = true", "default = false", "default = true"),
    "a reference to nothing": ("systems/l4-8", '"pcie-4.0-x16"', '"pcie-4.1-x16"', "is not in the catalog"),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_found_and_named(tmp_path: Path, trap: str) -> None:
    file, right, wrong, said = TRAPS[trap]
    text = (OURS / f"{file}.toml").read_text(encoding="utf-8")
    assert right in text
    path = tmp_path / f"{file}.toml"
    path.parent.mkdir()
    path.write_text(text.replace(right, wrong), encoding="utf-8")
    assert any(said in problem.what for problem in audit([tmp_path]).problems)


def test_a_rule_is_waived_where_a_note_says_why(tmp_path: Path) -> None:
    text = (OURS / "accelerators" / "h100-sxm.toml").read_text(encoding="utf-8")
    strange = 'fp8 = { is = "3957.8 TFLOP/s", note = "a part that really does this" }'
    (tmp_path / "accelerators").mkdir()
    path = tmp_path / "accelerators" / "h100-sxm.toml"
    path.write_text(text.replace('fp8 = "1978.9 TFLOP/s"', strange), encoding="utf-8")
    assert audit([tmp_path]).problems == ()
