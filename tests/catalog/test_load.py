"""The nouns of the catalog and the doors to it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import assay.catalog as shelves
from assay.errors import AssayError, InputError

OURS = Path(shelves.__file__).parent.parent / "data"

CHIP = """
schema = 1
kind = "accelerator"
name = "chip-1"
vendor = "ACME"
architecture = "gpu"
aliases = ["ACME One"]
sourced_by = "sheet"
memory = "80 GB"
bandwidth = "3 TB/s"
power = "500 W"
[peak]
bf16 = "500 TFLOP/s"
[source.sheet]
kind = "vendor"
title = "ACME One data sheet"
date = "2026-10"
"""

NODE = """
schema = 1
kind = "system"
name = "chip-1-8"
vendor = "ACME"
accelerator = "chip-1"
default = true
links = [{ link = "nvlink-4", domain = 8, bandwidth = "200 GB/s" }, "roce-400"]
sourced_by = "sheet"
count_per_node = 8
power = "6 kW"
[source.sheet]
kind = "vendor"
title = "ACME One data sheet"
date = "2026-10"
"""

PRICES = """
schema = 1
kind = "prices"
provider = "ACME Cloud"
sourced_by = "list"
offers = [
  { accelerator = "chip-1", rent = "16 USD/h", count = 8, date = "2026-10" },
  { system = "chip-1-8", buy = { is = "200000 USD", low = "180000 USD", high = "220000 USD" }, date = "2026-10" },
]
[source.list]
kind = "price-list"
title = "ACME price list"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put(tmp_path, "accelerators/chip-1", CHIP)
    put(tmp_path, "systems/chip-1-8", NODE)
    put(tmp_path, "prices/acme-2026", PRICES)
    return tmp_path


def put(folder: Path, where: str, text: str) -> None:
    path = folder / f"{where}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_every_vendor_class_is_there() -> None:
    found = {a.vendor for a in shelves.accelerators().values()}
    assert {
        "NVIDIA",
        "AMD",
        "Intel",
        "Google",
        "AWS",
        "Cerebras",
        "Graphcore",
        "Groq",
        "SambaNova",
        "Tenstorrent",
    } <= found
    assert {"gpu", "cpu", "systolic", "dataflow", "tiles", "wafer"} == {
        a.architecture for a in shelves.accelerators().values()
    }


def test_figures_carry_over_as_their_source_prints_them() -> None:
    h100 = shelves.accelerator("h100-sxm")
    assert (h100.memory_bytes, h100.bandwidth_bytes_per_s, h100.power_w) == (80e9, 3.35e12, 700)
    assert h100.peak_flop_per_s["bf16"] == pytest.approx(989.4e12)
    assert h100.peak_flop_per_s["fp8"] == pytest.approx(2 * h100.peak_flop_per_s["bf16"], rel=1e-3)


def test_a_peak_its_maker_never_published_is_an_estimate_with_a_wide_range() -> None:
    fact = shelves.facts("gaudi1")["peak_flop_per_s.bf16"]
    assert fact.source.kind == "assumed"
    assert fact.source.confidence == "low"
    assert fact.low is not None
    assert fact.high is not None
    assert fact.high > 2 * fact.low


def test_what_is_unknown_is_absent_and_never_zero() -> None:
    assert shelves.accelerator("mi455x").power_w is None
    assert shelves.offers_of("a30") == ()
    assert all(o.price_usd_per_s != 0 and o.price_usd != 0 for found in shelves.offers().values() for o in found)


def test_memory_of_tile_machines_is_the_sram_a_model_runs_from() -> None:
    bow = shelves.accelerator("bow-ipu")
    assert bow.execution == "tile-pipeline"
    assert bow.memory_bytes == bow.on_chip_bytes == 0.9e9
    assert bow.streaming_bytes == 64e9
    assert shelves.accelerator("wse-2").execution == "weight-streaming"


def test_scale_out_bandwidth_is_per_accelerator() -> None:
    dgx1 = shelves.system("dgx-1-v100")
    assert dgx1.links[-1].bandwidth_bytes_per_s == 4 * 100e9 / 8 / 8  # four 100 Gb/s ports for eight devices
    assert shelves.system("hgx-h100").links[-1].bandwidth_bytes_per_s == 400e9 / 8


def test_every_accelerator_stands_in_a_system() -> None:
    for name in shelves.accelerators():
        assert shelves.system_for(name).accelerator.name == name


def test_an_accelerators_name_stands_for_its_usual_system() -> None:
    assert shelves.system("H100", nodes=4).name == "hgx-h100"
    assert shelves.system("H100", nodes=4).accelerators == 32
    assert shelves.system("p5.48xlarge").links[-1].name == "efa-v2"
    assert shelves.system("gb200").links[0].domain == 72


def test_a_smaller_node_has_no_known_power_and_shorter_links() -> None:
    four = shelves.system_for("l40s", 4)
    assert (four.count_per_node, four.power_w, four.links[0].domain) == (4, None, 4)
    assert shelves.system_for("h100-pcie", 4).links[0].domain == 2  # a bridge still joins pairs
    assert all(offer.kind == "rent" for offer in shelves.system_for("h100-sxm", 4).offers)


def test_a_tray_of_a_rack_keeps_the_racks_domain() -> None:
    tray = shelves.system_for("gb200", 4)
    assert (tray.count_per_node, tray.links[0].domain) == (4, 72)
    assert shelves.system_for("bow-ipu", 4).name == "bow-2000"


def test_rent_is_per_accelerator_and_purchase_per_node(folder: Path) -> None:
    found = shelves.system("chip-1-8", folders=[folder]).offers
    rent, buy = found
    assert rent.price_usd_per_s is not None
    assert rent.price_usd_per_s * 3600 == pytest.approx(2)
    assert buy.price_usd == 200_000
    assert shelves.quotes("chip-1-8", [folder])[0].fact.high == 220_000


def test_a_card_price_is_not_the_price_of_a_node() -> None:
    assert any(offer.kind == "buy" for offer in shelves.offers_of("l40s"))
    assert not any(offer.kind == "buy" for offer in shelves.system("l40s-8").offers)


def test_a_system_keeps_the_source_of_what_it_says_of_a_link(folder: Path) -> None:
    facts = shelves.facts("chip-1-8", [folder])
    assert facts["links.nvlink-4.bandwidth_bytes_per_s"].source.title == "ACME One data sheet"
    assert shelves.system("ACME One", folders=[folder]).links[0].bandwidth_bytes_per_s == 200e9


def test_a_users_file_replaces_ours_of_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (OURS / "accelerators" / "h100-sxm.toml").read_text(encoding="utf-8")
    put(tmp_path, "accelerators/h100-sxm", text.replace('power = "700 W"', 'power = "650 W"'))
    assert shelves.system("hgx-h100", folders=[tmp_path]).accelerator.power_w == 650
    assert shelves.accelerator("h100-sxm").power_w == 700
    monkeypatch.setenv("ASSAY_CATALOG", str(tmp_path))
    assert shelves.accelerator("h100-sxm").power_w == 650


def test_a_changed_file_is_read_again(folder: Path) -> None:
    assert shelves.accelerator("chip-1", [folder]).memory_bytes == 80e9
    put(folder, "accelerators/chip-1", CHIP.replace('"80 GB"', '"160 GB"'))
    assert shelves.accelerator("chip-1", [folder]).memory_bytes == 160e9


BAD_CHIPS: dict[str, tuple[Callable[[str], str], str]] = {
    "a typo in a key": (lambda t: t.replace("bandwidth", "bandwith"), 'did you mean "bandwidth"'),
    "a wrong unit": (lambda t: t.replace("3 TB/s", "3 TB"), "bytes per second wanted"),
    "no source": (lambda t: t.replace('sourced_by = "sheet"\n', ""), "no source"),
    "a source that is not there": (lambda t: t.replace("source.sheet", "source.shee"), 'did you mean "shee"'),
    "a negative number": (lambda t: t.replace("500 W", "-500 W"), "below 0"),
    "a number that is none": (lambda t: t.replace('"500 W"', "nan"), "not a finite number"),
    "an unknown dtype": (lambda t: t.replace("bf16", "bf17"), "not a dtype known here"),
    "a peak of zero": (lambda t: t.replace("500 TFLOP/s", "0 TFLOP/s"), "must be above 0"),
    "an unknown architecture": (lambda t: t.replace('"gpu"', '"gpus"'), "architecture"),
    "no name": (lambda t: t.replace('name = "chip-1"\n', ""), '"name" is missing'),
    "another name": (lambda t: t.replace('"chip-1"', '"chip-2"'), "differ"),
    "another kind": (lambda t: t.replace('"accelerator"', '"link"'), 'not a "accelerator"'),
    "another schema": (lambda t: t.replace("schema = 1", "schema = 2"), "schema"),
    "no TOML": (lambda t: t.replace("schema = 1", "schema : 1"), "not TOML"),
    "a value outside its range": (
        lambda t: t.replace('"500 W"', '{ is = "500 W", low = "600 W" }'),
        "outside its range",
    ),
}


@pytest.mark.parametrize("flaw", BAD_CHIPS)
def test_a_flawed_file_is_refused_with_its_name_and_what_to_write(folder: Path, flaw: str) -> None:
    spoil, said = BAD_CHIPS[flaw]
    put(folder, "accelerators/chip-1", spoil(CHIP))
    with pytest.raises(InputError) as caught:
        shelves.accelerator("chip-1", [folder])
    assert said in str(caught.value)
    assert "chip-1.toml" in str(caught.value)


BAD_NODES: dict[str, tuple[Callable[[str], str], str]] = {
    "an unknown accelerator": (lambda t: t.replace('"chip-1"', '"chip-l"'), 'did you mean "chip-1"'),
    "an unknown link": (lambda t: t.replace('"nvlink-4"', '"nvlink-44"'), 'did you mean "nvlink-4"'),
    "a link without a name": (lambda t: t.replace('link = "nvlink-4", ', ""), "is not in the catalog"),
    "a typo in a link": (lambda t: t.replace("domain = 8", "domian = 8"), 'did you mean "domain"'),
    "an empty domain": (lambda t: t.replace("domain = 8", "domain = 0"), "cannot be joined"),
    "links that are no list": (
        lambda t: t.replace("links = [{", "links = {").replace("}, ", "} #"),
        "a list is wanted",
    ),
    "a default that is no answer": (lambda t: t.replace("default = true", 'default = "yes"'), "true or false"),
    "no accelerators": (lambda t: t.replace("count_per_node = 8", "count_per_node = 0"), "at least one accelerator"),
}


@pytest.mark.parametrize("flaw", BAD_NODES)
def test_a_flawed_system_is_refused(folder: Path, flaw: str) -> None:
    spoil, said = BAD_NODES[flaw]
    put(folder, "systems/chip-1-8", spoil(NODE))
    with pytest.raises(InputError) as caught:
        shelves.system("chip-1-8", folders=[folder])
    assert said in str(caught.value)


BAD_PRICES: dict[str, tuple[Callable[[str], str], str]] = {
    "a price of zero": (lambda t: t.replace('"16 USD/h"', '"0 USD/h"'), "above 0"),
    "a price below zero": (lambda t: t.replace('"16 USD/h"', '"-16 USD/h"'), "below 0"),
    "a rent per nothing": (lambda t: t.replace('"16 USD/h"', '"16 USD"'), "wanted"),
    "no date": (lambda t: t.replace('count = 8, date = "2026-10"', "count = 8"), '"date" is missing'),
    "two prices": (lambda t: t.replace("count = 8", 'buy = "9 USD"'), "one price"),
    "two things": (lambda t: t.replace("count = 8", 'system = "chip-1-8"'), "the one thing"),
    "no source": (lambda t: t.replace('sourced_by = "list"\n', ""), "no source"),
    "none for nobody": (lambda t: t.replace("count = 8", "count = 0"), "write 1 or more"),
    "an unknown key": (lambda t: t.replace("provider", "supplier"), 'unknown key "supplier"'),
    "offers that are no list": (lambda t: t.replace("offers = [", "offers = 3\nrest = ["), "unknown key"),
}


@pytest.mark.parametrize("flaw", BAD_PRICES)
def test_a_flawed_price_is_refused(folder: Path, flaw: str) -> None:
    spoil, said = BAD_PRICES[flaw]
    put(folder, "prices/acme-2026", spoil(PRICES))
    with pytest.raises(InputError) as caught:
        shelves.offers([folder])
    assert said in str(caught.value)
    assert "acme-2026.toml" in str(caught.value)


def test_one_name_in_two_folders_is_refused(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    twin = tmp_path_factory.mktemp("twin")
    shutil.copytree(folder / "accelerators", twin / "accelerators")
    with pytest.raises(InputError, match="given twice"):
        shelves.accelerator("chip-1", [folder, twin])
    assert shelves.accelerator("chip-1", [folder, folder]).name == "chip-1"  # the same folder, named twice


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such catalog folder"):
        shelves.accelerator("h100-sxm", [tmp_path / "nowhere"])


def test_a_near_miss_is_offered() -> None:
    with pytest.raises(InputError, match='did you mean "h100-sxm"'):
        shelves.accelerator("h100-sxn")
    with pytest.raises(InputError, match="write 1 or more"):
        shelves.system("hgx-h100", nodes=0)


_TEXTS = {"accelerators/chip-1": CHIP, "systems/chip-1-8": NODE, "prices/acme-2026": PRICES}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(_TEXTS)), st.integers(0, 10_000), st.integers(0, 30), st.text(max_size=12))
def test_a_file_spoiled_anywhere_is_read_or_refused(tmp_path: Path, where: str, at: int, cut: int, put_in: str) -> None:
    for name, text in _TEXTS.items():
        start = at % len(text)
        put(tmp_path, name, text[:start] + put_in + text[start + cut :] if name == where else text)
    try:
        assert shelves.system("chip-1-8", folders=[tmp_path]).accelerator.memory_bytes > 0
    except AssayError as error:
        assert "chip-1" in str(error) or "acme-2026" in str(error)


def test_reading_one_accelerator_loads_nothing_heavy() -> None:
    code = (
        "import sys; from assay.catalog import accelerator; accelerator('h100-sxm');"
        "print([m for m in ('numpy', 'scipy', 'duckdb', 'rich', 'click') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
