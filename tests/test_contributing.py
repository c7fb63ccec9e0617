"""The examples of CONTRIBUTING.md work as they stand."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay.codec import decode_sourced, read_toml
from assay.hardware import Accelerator
from assay.model import ConvLayer, ConvShape

ROOT = Path(__file__).resolve().parent.parent


def examples() -> dict[str, str]:
    """Path that an example says it belongs to -> its text."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w+\n(# (src/\S+)\n.*?)^```", text, re.MULTILINE | re.DOTALL)
    return {path: body for body, path in blocks}


def module(path: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(examples()[path], path, "exec"), names)
    return names


def test_there_are_six_and_each_is_one_file_in_a_folder_that_exists() -> None:
    assert len(examples()) == 6
    assert all((ROOT / path).parent.is_dir() and not (ROOT / path).exists() for path in examples())


def test_the_accelerator_loads_with_a_source_for_every_value(tmp_path: Path) -> None:
    path = tmp_path / "example-1.toml"
    path.write_text(examples()["src/assay/data/accelerators/example-1.toml"], encoding="utf-8")
    device, facts = decode_sourced(read_toml(path), Accelerator, str(path))
    assert device.bandwidth_bytes_per_s == 4.8e12
    assert device.peak_flop_per_s["fp8"] == 2 * device.peak_flop_per_s["bf16"]
    assert facts["idle_w"].source.kind == "measured"
    assert facts["memory_bytes"].source.title.startswith("Example One")


def test_the_model_loads_and_counts_what_its_maker_says(tmp_path: Path) -> None:
    catalog = pytest.importorskip("assay.catalog.models")
    from assay.counting import parameters

    path = tmp_path / "example-1b.toml"
    path.write_text(examples()["src/assay/data/models/example-1b.toml"], encoding="utf-8")
    model = catalog.model(path)
    assert model.name == "example-1b"
    assert model.unread == ()
    assert parameters(model.shape) == model.published_params


def test_the_workload_offers_cases_that_run() -> None:
    found = module("src/assay/measure/workloads/hashing.py")
    options = {name: default for name, (default, _) in found["OPTIONS"].items()}
    rows = list(found["cases"](SimpleNamespace(settings={}, options=options)))
    assert [case["bytes"] for case, _, _ in rows] == sorted(case["bytes"] for case, _, _ in rows)
    for case, prepare, before in rows[:2]:
        assert {"name", "kind"} <= case.keys()
        assert before is None
        prepare()(3)
    assert hashlib.sha256(bytes(rows[0][0]["bytes"])).digest()


def test_the_vendor_passes_the_kit_that_all_vendors_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.telemetry.reading import Reading

    found = module("src/assay/telemetry/vendors/example.py")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "example0").touch()
    (device,) = found["probe"](tmp_path, {})
    said = {"load": 87, "power": {"now": 250_000, "sum": "N/A"}, "memory": {"used": "672 MiB"}}
    raw = {"devices": [{"id": device.id, **said}]}
    readings = list(found["normalise"](raw))
    assert readings == [
        Reading("example0", "accel.busy", 0.87, "average"), Reading("example0", "accel.power_w", 250.0, "instant"),
        Reading("example0", "accel.mem.used_bytes", 672 * 2.0**20, "instant"),
    ]  # fmt: skip


def test_the_log_format_reads_its_line() -> None:
    from assay.measure.found import Found

    found = module("src/assay/measure/logs/example.py")
    line = "[ex] step 12 loss 2.31 took 250ms"
    assert any(mark in line for mark in found["MARKS"])
    assert list(found["reader"](())(line)) == [Found("loss", 2.31, 12), Found("step_s", 0.25, 12)]
    assert list(found["reader"](())("[ex] step lost")) == []


def test_the_family_counts_what_a_convolution_does() -> None:
    conv = ConvLayer(count=2, channels_in=64, channels_out=128, kernel=3, out_px=56)
    shape = ConvShape(image_px=224, layers=(conv,), classes=1000, features=128)
    ops = module("src/assay/predict/families/example.py")["layer_ops"](shape, "bf16", 4)
    forward = sum(op.flop for op in ops if op.phase == "forward")
    assert forward == 2 * 4 * 2 * 56**2 * 128 * 64 * 3**2  # layers × images × 2·(output pixels)·N·K
    assert sum(op.flop for op in ops) == 3 * forward  # a gradient for the input, one for the weights
