"""The door: whatever comes to it, a noun goes in or one plain refusal comes out."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.codec import decode, decode_sourced, encode, read_csv, read_json, read_toml
from assay.errors import InputError
from assay.hardware import Accelerator, Link, System
from assay.model import ConvShape, Model
from assay.run import Run

SHEET = """\
kind = "accelerator"
sourced_by = "datasheet"
name = "example-1"
vendor = "Example"
architecture = "gpu"
memory = "80 GB"
bandwidth = "3.35 TB/s"
power = { is = "700 W", low = "600 W", high = "700 W", note = "configurable" }
idle = { is = "70 W", from = "lab" }

[peak_flop_per_s]
bf16 = "989.4 TFLOPS"
fp8 = { is = "1979 TFLOPS" }

[software]
stack = "CUDA"

[source.datasheet]
kind = "vendor"
title = "Example-1 datasheet"

[source.lab]
kind = "measured"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    size_bytes: float
    colour: Literal["red", "blue"] = "red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    name: str
    power_w: float | None = None
    count: int = 1
    rate_bytes_per_s: Mapping[str, float] = field(default_factory=dict)
    part: Part | None = None
    parts: tuple[Part, ...] = ()
    tags: tuple[str, ...] = ()


def written(folder: Path, text: str | bytes, name: str = "example.toml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read_sheet(path: Path) -> Accelerator:
    return decode_sourced(read_toml(path), Accelerator, "example.toml")[0]


def test_a_sheet_becomes_si_and_remembers_where_each_value_was_read(tmp_path: Path) -> None:
    accelerator, facts = decode_sourced(read_toml(written(tmp_path, SHEET)), Accelerator)
    assert accelerator.memory_bytes == 80e9
    assert accelerator.peak_flop_per_s == {"bf16": 989.4e12, "fp8": 1979e12}
    assert facts["peak_flop_per_s.bf16"].source.title == "Example-1 datasheet"
    assert facts["idle_w"].source.kind == "measured"
    assert (facts["power_w"].low, facts["power_w"].high, facts["power_w"].note) == (600, 700, "configurable")
    assert "name" not in facts  # what a person calls it is no claim about it


def test_every_claim_of_a_sheet_has_a_source(tmp_path: Path) -> None:
    raw = read_toml(written(tmp_path, SHEET))
    _, facts = decode_sourced(raw, Accelerator)
    claims = {
        "memory_bytes",
        "bandwidth_bytes_per_s",
        "power_w",
        "idle_w",
        "peak_flop_per_s.bf16",
        "peak_flop_per_s.fp8",
    }
    assert claims <= set(facts)
    with pytest.raises(InputError, match="no source"):
        decode_sourced({k: v for k, v in raw.items() if k != "sourced_by"}, Accelerator)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("bandwidth =", "bandwith =", 'unknown key "bandwith"; did you mean "bandwidth"'),
        ("3.35 TB/s", "3.35 TB", 'bandwidth_bytes_per_s: "3.35 TB" is in bytes, bytes per second wanted'),
        ('"80 GB"', '"-80 GB"', "-80 GB is below 0"),
        ('"80 GB"', "nan", "not a finite number"),
        ('"80 GB"', "inf", "not a finite number"),
        ('"80 GB"', "true", "True is not a number"),
        ('"80 GB"', "[80]", "a number is wanted, this is a list"),
        ('memory = "80 GB"\n', "", '"memory_bytes" is missing'),
        ('memory = "80 GB"\n', 'memory = "80 GB"\nmemory_bytes = 80e9\n', "given twice"),
        ('architecture = "gpu"', 'architecture = "gpv"', "architecture"),
        ('low = "600 W"', 'low = "800 W"', "outside its range"),
        ('from = "lab"', 'from = "lap"', 'did you mean "lab"'),
        ('from = "lab"', 'form = "lab"', 'unknown key "form"'),
        ("bf16 =", "bf17 =", "bf17 is not a dtype known here"),
        ('bf16 = "989.4 TFLOPS"', 'bf16 = "0 TFLOPS"', "a peak must be above 0"),
        ('kind = "vendor"', 'kind = "rumour"', "kind"),
        ("[software]", "[softwear]", 'did you mean "software"'),
        ('stack = "CUDA"', "stack = 12", "software.stack"),
        ("[software]", "software = 3\n[x]", "software"),
    ],
)
def test_a_slip_in_a_sheet_is_named_with_its_file_and_key(tmp_path: Path, before: str, after: str, says: str) -> None:
    assert before in SHEET
    with pytest.raises(InputError) as caught:
        read_sheet(written(tmp_path, SHEET.replace(before, after, 1)))
    assert says in str(caught.value)
    assert str(caught.value).startswith("example.toml")


def test_units_may_be_left_out_of_keys_or_kept_at_any_depth() -> None:
    short = decode({"name": "a", "power": "1 kW", "part": {"size": "1 GB"}, "parts": [{"size": "2 GB"}]}, Thing)
    full = decode({"name": "a", "power_w": 1e3, "part": {"size_bytes": 1e9}, "parts": [{"size_bytes": 2e9}]}, Thing)
    assert short == full


def test_a_key_unknown_deep_inside_is_named_with_its_path() -> None:
    with pytest.raises(InputError, match=r'unknown key "parts\[1\]\.sise"; did you mean "size"'):
        decode({"name": "a", "parts": [{"size": 1}, {"sise": 2}]}, Thing)


def test_unknown_stays_unknown() -> None:
    assert decode({"name": "a"}, Thing).power_w is None
    assert decode({"name": "a", "power": None}, Thing).power_w is None


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(10**400)
values = st.recursive(scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=8), v, max_size=3))
keys = st.sampled_from(["name", "power", "power_w", "count", "rate", "rate_bytes_per_s", "part", "parts", "tags"])


@given(
    st.dictionaries(
        keys | st.text(max_size=5), values | st.fixed_dictionaries({"is": values, "low": values}), max_size=6
    )
)
def test_any_tables_are_a_thing_or_a_plain_refusal(raw: dict[str, object]) -> None:
    for read in (decode, decode_sourced):
        try:
            read({"name": "a", **raw}, Thing, "thing.toml")
        except InputError as error:
            assert str(error)


NOISE = [
    '"',
    "[",
    "]",
    "{",
    "}",
    "=",
    "\n",
    ",",
    "nan",
    "inf",
    "-",
    "0x",
    "'''",
    "\\u12",
    "9" * 5000,
    "é",
    "\x00",
    "[[a]]\n",
    "1e999",
]


@given(st.randoms(use_true_random=False))
def test_a_mutated_sheet_is_read_or_refused_and_never_crashes(tmp_path: Path, rng: random.Random) -> None:
    text = SHEET
    for _ in range(rng.randint(1, 6)):
        at, to = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
        piece = rng.choice([*NOISE, text[at : at + 20], ""])
        text = text[:at] + piece + text[min(to, at + rng.randint(0, 12)) :]
    try:
        read_sheet(written(tmp_path, text.encode("utf-8")))
    except InputError as error:
        assert len(str(error)) < 3000


@given(st.binary(max_size=200))
def test_any_bytes_are_tables_or_a_plain_refusal(tmp_path: Path, data: bytes) -> None:
    for read, name in ((read_toml, "any.toml"), (read_json, "any.json")):
        try:
            assert isinstance(read(written(tmp_path, data, name)), dict)
        except InputError as error:
            assert name in str(error)


@pytest.mark.parametrize(
    "text",
    ["", "[1]", "3", "null", "{", '{"a": 1', '{"a": NaN}', '{"a": Infinity}', '{"a": -Infinity}',
     '{"a": ' + "9" * 5000 + "}",
     "[" * 100_000, '{"a":' * 100_000, '{"a":' * 100 + "1" + "}" * 100, '{"a": ' + "[" * 500 + "]" * 500 + "}"],
    ids=lambda text: text[:16] or "empty",
)  # fmt: skip
def test_json_that_is_cut_short_endless_or_no_number_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"any\.json"):
        read_json(written(tmp_path, text, "any.json"))


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 100_000, "a = " + "[" * 200 + "]" * 200, "a = " + "{b=" * 200 + "1" + "}" * 200,
     "[" + ".".join("a" * 200) + "]", "a = " + "9" * 5000, "a = 1\na = 2", "a = ", "= 1", '"', "\ufeff\ufeffa = 1"],
    ids=lambda text: text[:16],
)  # fmt: skip
def test_toml_that_is_broken_or_endless_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"example\.toml"):
        read_toml(written(tmp_path, text))


def test_a_mark_that_some_editors_write_first_is_no_error(tmp_path: Path) -> None:
    assert read_toml(written(tmp_path, "\ufeffa = 1\r\n")) == {"a": 1}


def test_what_is_no_readable_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.toml", Path("/dev/zero"), Path("a\x00b"), Path("x" * 5000)):
        with pytest.raises(InputError):
            read_toml(path)
        with pytest.raises(InputError):
            read_json(path)


@given(st.lists(st.fixed_dictionaries({"id": st.text("aé ,\"\n;'", max_size=5), "n": st.integers()}), max_size=4))
def test_csv_cells_come_back_as_they_were_written(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    with (tmp_path / "any.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["id", "n"])
        writer.writeheader()
        writer.writerows(rows)
    told = [{"id": str(row["id"]).strip(), "n": str(row["n"])} for row in rows]
    assert read_csv(tmp_path / "any.csv", ["id", "n"]) == told


@given(st.text(max_size=100))
def test_any_text_is_rows_or_a_plain_refusal(tmp_path: Path, text: str) -> None:
    try:
        assert isinstance(read_csv(written(tmp_path, text.encode("utf-8", "replace"), "any.csv"), []), list)
    except InputError as error:
        assert "any.csv" in str(error)


def test_a_missing_column_gets_its_near_miss(tmp_path: Path) -> None:
    with pytest.raises(InputError, match='column "accelerator" is missing; did you mean "acelerator"'):
        read_csv(written(tmp_path, "id,acelerator\n1,h100\n", "any.csv"), ["id", "accelerator"])


links = st.builds(
    Link,
    name=st.text(max_size=8),
    bandwidth_bytes_per_s=st.floats(1, 1e13),
    latency_s=st.just(0.0) | st.floats(1e-15, 1),
    domain=st.none() | st.integers(1, 512),
    aliases=st.lists(st.text(max_size=4), max_size=2).map(tuple),
)


@given(st.lists(links, max_size=3), st.integers(1, 16), st.integers(1, 64), st.none() | st.floats(1, 1e5))
def test_a_noun_comes_back_from_json_as_it_went(links: list[Link], count: int, nodes: int, power: float | None) -> None:
    device = Accelerator(
        name="x",
        vendor="y",
        architecture="gpu",
        peak_flop_per_s={"bf16": 1e15},
        memory_bytes=8e10,
        bandwidth_bytes_per_s=3e12,
    )
    system = System(
        name="s", vendor="y", accelerator=device, count_per_node=count, nodes=nodes, links=tuple(links), power_w=power
    )
    assert decode(json.loads(json.dumps(encode(system), allow_nan=False)), System) == system


def test_a_negative_reading_is_a_reading_and_numpy_numbers_become_plain() -> None:
    raw = {
        "id": "1", "name": "n", "command": ["x"], "started": "2026-01-01", "duration_s": np.float64(1.5),
        "environment": {"headroom_bytes": -2.0}, "cases": [],
    }  # fmt: skip
    run = decode(json.loads(json.dumps(encode(raw))), Run)
    assert run.environment["headroom_bytes"] == -2
    assert encode({"grid": np.array([1, 2])}) == {"grid": [1, 2]}


def test_a_shape_is_held_to_the_keys_of_its_own_family() -> None:
    shape = {"image_px": 224, "layers": [], "classes": 1000, "features": 2048}
    raw = {"name": "m", "family": "convnet", "shape": shape}
    assert decode(raw, Model).shape == ConvShape(image_px=224, layers=(), classes=1000, features=2048)
    with pytest.raises(InputError, match=r'unknown key "shape\.clases"; did you mean "classes"'):
        decode({**raw, "shape": {**shape, "clases": 10}}, Model)
