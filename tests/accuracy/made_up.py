"""A made-up world: published rows whose truth is known, since our own formulas measured them with constants of ours."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path

import numpy as np

from assay.api.checking import check, priors, shelf_of, shelves
from assay.calibration import Calibration
from assay.published import PublishedRow

TRUTH = Calibration(
    name="truth", applies_to="gpu", evidence="A", residual_ln=0.1,
    constants={"matmul": 0.68, "memory": 0.7, "launch_s": 1.5e-5, "overlap_data": 0.8, "attention": 0.38},
)  # fmt: skip
SOURCES = {
    "Alpha lab 2024": 1.0,
    "Beta lab 2024": 1.02,
    "Gamma lab 2024": 0.98,
}  # how much faster each one's software is
DEVICES = ("h100-sxm", "a100-sxm-80gb")
MODELS = {"S": (24, 2048, 16), "M": (32, 4096, 32), "L": (40, 5120, 40)}

Cells = dict[str, object]


def cells(name: str, source: str, device: str, model: str, **changes: object) -> Cells:
    """A dense decoder on 16 devices, everything stated."""
    layers, hidden, heads = MODELS[model]
    return {
        "id": name, "source": source, "accelerator": device, "metric_name": "tokens/s/device", "metric_value": 1.0,
        "model": f"made-up {model}", "family": "dense", "layers": layers, "hidden": hidden, "heads": heads,
        "ffn_hidden": 4 * hidden, "vocab": 51200, "seq_len": 2048, "n_accel": 16, "accel_per_node": 8,
        "precision": "bf16", "dp": 8, "tp": 2, "pp": 1, "vp": 1, "zero_stage": 1, "sp": "y", "micro_batch": 1,
        "global_batch": 64, "recompute": "none", "flash_attention": "y", "date": "2024-05",
    } | changes  # fmt: skip


def _rows() -> Iterator[tuple[Cells, float]]:
    """Every row, and how much faster than the truth it says it was."""
    noise = np.random.default_rng(7)
    for (source, factor), device, model, batch in product(SOURCES.items(), DEVICES, MODELS, (64, 256)):
        name = f"{source[0]}-{device[0]}-{model}-{batch}"
        yield cells(name, source, device, model, global_batch=batch), factor * float(noise.normal(1.0, 0.005))
    yield cells("again", "Beta lab 2024", "h100-sxm", "S", global_batch=64), 1.10
    yield cells("tuned", "Alpha lab 2024", "h100-sxm", "S", row_flag="FINETUNE"), 0.5
    yield cells("never", "Alpha lab 2024", "h100-sxm", "L", global_batch=128), 30.0
    yield cells("memory", "Alpha lab 2024", "h100-sxm", "M", metric_name="peak_mem_GB"), 1.1
    for table, model in product(("Korthikanti made up", "Narayanan made up"), MODELS):
        name = f"{table[0]}-{model}"
        yield cells(name, table, "a100-sxm-80gb", model, metric_name="iteration_s", recompute="full"), 1.0


def write(path: Path, lying: str = "") -> Path:
    """The world as a file of published rows; a source that lies says everything is three times as fast."""
    known = shelf_of(shelves(), (*priors(), TRUTH))
    lines = []
    for row, faster in _rows():
        found = check(PublishedRow(**row), known)  # type: ignore[arg-type]
        assert found.predicted, found.skipped
        told = faster * (3.0 if row["source"] == lying else 1.0)
        slower = row["metric_name"] == "iteration_s"
        lines.append(row | {"metric_value": found.predicted / told if slower else found.predicted * told})
    lines.append(cells("nowhere", "Alpha lab 2024", "abacus-9000", "S"))
    lines.append(lines[0] | {"source": "Delta lab 2024"})  # an id that is taken
    lines.append(cells("minus", "Alpha lab 2024", "h100-sxm", "S", metric_value=-1.0))
    return _kept(path, lines)


def _kept(path: Path, lines: list[Cells]) -> Path:
    names: Mapping[str, None] = {name: None for line in lines for name in line}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(names), restval="")
        writer.writeheader()
        writer.writerows(lines)
    return path
