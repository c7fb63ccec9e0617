"""Names as people write them."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.catalog import resolve
from assay.catalog.match import find, match, same, words
from assay.catalog.shelf import names
from assay.errors import AssayError, InputError

KNOWN = names("accelerator")
PUBLISHED = Path(__file__).parents[3] / "shared" / "published"

WRITTEN = {
    "NVIDIA H100-SXM-80GB": "h100-sxm",
    "H100 (8x)": "h100-sxm",
    "8xH100": "h100-sxm",
    "NVIDIA H100 80GB HBM3": "h100-sxm",
    "Virtualized NVIDIA H100-SXM-80GB": "h100-sxm",
    "NVIDIA H100-PCIe-80GB": "h100-pcie",
    "H100NVL-PCIe-94GB": "h100-nvl",
    "H100-SXM-96GB": "h100-sxm-96gb",
    "H100-SXM-96GB-500W": "h100-sxm-96gb-500w",
    "H200-SXM-141GB": "h200-sxm",
    "NVIDIA H200-SXM-141GB-CTS": "h200-sxm",
    "NVIDIA H200-NVL-141GB": "h200-nvl",
    "A100-SXM": "a100-sxm-80gb",
    "Tesla V100-SXM2-16GB": "v100-sxm2-16gb",
    "V100-SXM3-32GB": "v100-sxm3-32gb",
    "B200-SXM-180GB": "b200-sxm",
    "NVIDIA B200 GPU (8x, 183GB each)": "b200-sxm",
    "NVIDIA B200-SXM-180GB (air cooled)": "b200-sxm",
    "GB200": "gb200",
    "NVIDIA GB200 (NVL72)": "gb200",
    "AMD Instinct MI300X 192GB HBM3": "mi300x",
    "AMD Instinct MI300X-NPS1-SPX-192GB-750W": "mi300x",
    "MI355X": "mi355x",
    "Gaudi2": "gaudi2",
    "HL-225H": "gaudi2",
    "Intel Gaudi": "gaudi1",
    "TPUv5p": "tpu-v5p",
    "TPU v6e Trillium": "tpu-v6e",
    "TPUv6e-Trillium": "tpu-v6e",
    "IPU-Mk2-Bow": "bow-ipu",
    "CS-2": "wse-2",
    "Trainium1": "trainium1",
    "trn1.32xlarge": "trainium1",
    "p5.48xlarge": "h100-sxm",
    "CPU: 2xINTEL(R) XEON(R) PLATINUM 8592+": "xeon-8592",
    "NVIDIA Jetson AGX Orin 64G": "jetson-agx-orin",
}

OTHER_PRODUCTS = [
    "GH200 144GB", "TPU v4i", "TPU v9", "H100 141GB", "H300", "MI300", "MI300Z", "A10X", "L40X", "Gaudi4", "WSE-4",
    "RTX A6000 Ada", "RTX 4090 D", "RTX 4090 8GB", "RTX PRO 6000 Workstation", "Xeon", "NVIDIA", "", "8x", "80GB",
    "AMD Instinct MI250X/MI250", "Nvidia RTX A2000", "Pi 5 - 8GB",
]  # fmt: skip

# Products that differ in one letter or digit, and must never be taken for each other.
LOOKALIKES = [
    ("h20", "h200", "h100", "gh200"),
    ("a10", "a100", "a10g", "a30"),
    ("l4", "l40", "l40s"),
    ("mi300x", "mi300a", "mi325x", "mi250x", "mi250"),
    ("tpu v4", "tpu v5e", "tpu v5p", "tpu v6e", "tpu v7"),
    ("gaudi", "gaudi2", "gaudi3"),
    ("b200", "b300", "gb200", "gb300"),
    ("rtx 4070 ti", "rtx 4070 ti super", "rtx 4080", "rtx 4090"),
]


@pytest.mark.parametrize(("written", "name"), WRITTEN.items())
def test_a_name_as_people_write_it_leads_to_its_product(written: str, name: str) -> None:
    assert resolve(written).name == name


@pytest.mark.parametrize("written", OTHER_PRODUCTS)
def test_an_unknown_or_ambiguous_name_leads_nowhere(written: str) -> None:
    assert find(written, KNOWN) is None
    with pytest.raises(InputError):
        resolve(written)


@pytest.mark.parametrize("family", LOOKALIKES)
def test_lookalikes_are_never_taken_for_each_other(family: tuple[str, ...]) -> None:
    found = [find(name, KNOWN) for name in family]
    assert None not in found
    assert len(set(found)) == len(family)


def test_every_alias_in_the_catalog_leads_to_its_own_product() -> None:
    astray = {
        alias: find(alias, KNOWN) for name, aliases in KNOWN.items() for alias in aliases if find(alias, KNOWN) != name
    }
    assert astray == {}


_ALIASES = sorted((alias, name) for name, aliases in KNOWN.items() for alias in aliases)


@given(
    st.sampled_from(_ALIASES),
    st.sampled_from([str.upper, str.lower, str.title, str]),
    st.sampled_from(
        ["{}", "NVIDIA {}", " {} ", "{} GPU", "8x {}", "{} (8x)", "4x{}", "{} x8", "2 x AMD {}", "{} (air cooled)"]
    ),
    st.sampled_from([" ", "-", "_", "  "]),
)
def test_case_vendor_count_and_spacing_do_not_change_what_is_meant(
    alias: tuple[str, str], case: Callable[[str], str], frame: str, space: str
) -> None:
    written = frame.format(case(alias[0]).replace(" ", space))
    assert find(written, KNOWN) == alias[1]


@given(st.sampled_from(_ALIASES), st.integers(0, 200), st.characters(categories=["Ll", "Nd"]))
def test_a_letter_or_digit_more_never_leads_to_another_core(alias: tuple[str, str], at: int, extra: str) -> None:
    """With a letter too many a name may lead nowhere, or to whatever is really written so; its words then agree."""
    written = alias[0][: at % (len(alias[0]) + 1)] + extra + alias[0][at % (len(alias[0]) + 1) :]
    found = find(written, KNOWN)
    cores = {words(written).core, words(re.sub(r"\([^)]*\)", " ", written)).core}
    assert found is None or any(words(name).core in cores for name in KNOWN[found])


@given(st.text(max_size=400))
def test_any_text_is_a_name_or_an_error_that_says_so(text: str) -> None:
    try:
        assert resolve(text).name in KNOWN
    except AssayError as error:
        assert "known here" in str(error)


def test_what_was_not_said_is_reported_as_assumed() -> None:
    found = match("A100-SXM", KNOWN)
    assert found is not None
    assert found.others == ("a100-sxm-40gb",)
    assert resolve("A100-SXM4-80GB").others == ()


def test_two_things_that_fit_alike_are_no_match() -> None:
    known = {"x-1gb": ["X 1 1GB"], "x-2gb": ["X 1 2GB"]}
    assert find("X 1", known) is None
    assert find("X-1 2GB", known) == "x-2gb"


def test_systems_are_found_by_exact_names_only() -> None:
    known = {"dgx-h100": ["dgx-h100", "DGX H100"], "hgx-h100": ["HGX H100"]}
    assert same("nvidia dgx_h100", known) == "dgx-h100"
    assert same("H100", known) is None


UNKNOWN_MACHINES = {  # boards and desktop computers of a hobby bench, of which the catalog says nothing
    "AmpereOne A192-32X (512GB)", "DC-ROMA Mainboard II (8-core RISC-V)", "Dell Optiplex 780 (C2Q Q8400)",
    "Framework 13 (Ryzen AI 5 340 16GB)", "Framework Mainboard Cluster (512GB)", "Intel Arc A310 ECO",
    "Minisforum MS-R1", "Nvidia RTX A2000", "Pi 400 - 4GB", "Pi 5 - 16GB", "Pi 5 - 8GB", "Pi 500+ - 16GB",
    "Radxa Orion O6 - 16GB",
}  # fmt: skip


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="published results are not beside this checkout")
def test_every_accelerator_of_published_results_is_known() -> None:
    written = set[str]()
    for path in PUBLISHED.glob("*/*.csv"):
        with path.open(encoding="utf-8") as file:
            written |= {row.get("accelerator") or row.get("gpu_model") or "" for row in csv.DictReader(file)}
    assert len(written) > 100
    assert {name for name in written if find(name, KNOWN) is None} == UNKNOWN_MACHINES
