"""Priors of devices from measured kernels: `python -m benchmarks.kernels FOLDER`.

FOLDER holds the operation tables of the aiconfigurator-core wheel (`systems/data`, Apache-2.0): latencies of matrix
products and of fused attention, forward, on NVIDIA parts, by framework. Needs pandas and pyarrow. Of each shape the
fastest framework counts: what the device can do. Writes `src/assay/data/calibrations/1-*-kernels.toml`; none of the
tables is kept. A calibration of training starts from there, and learns what whole steps reach of it.

What products of 16 bits reach is printed and not written: a millisecond of them runs at clocks that a training step
does not hold, and devices left out were predicted worse with it (an H100 by 20 %).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from assay.calibration import Calibration, Constants
from assay.catalog import accelerators
from assay.catalog.calibrations import write
from assay.hardware import Accelerator, System
from assay.predict import roofline
from assay.predict.device import device
from assay.predict.fit import SHARES
from assay.predict.ops import Array, operand_bytes

OUT = Path(__file__).resolve().parents[2] / "src" / "assay" / "data" / "calibrations"
# A folder of tables and the accelerators that have its chip.
CHIPS = {
    "a100_sxm": ("a100-sxm-80gb", "a100-sxm-40gb", "a100-pcie-80gb", "a100-pcie-40gb", "a800-sxm-80gb"),
    "h100_sxm": ("h100-sxm", "h100-sxm-96gb", "h100-sxm-96gb-500w", "gh200"), "h200_sxm": ("h200-sxm",),
    "b200_sxm": ("b200-sxm",), "b300_sxm": ("b300-sxm",), "gb200": ("gb200",), "gb300": ("gb300",),
    "l40s": ("l40s", "l40", "rtx-6000-ada"), "rtx_pro_6000_server": ("rtx-pro-6000",),
}  # fmt: skip
SOURCE = "operation tables of aiconfigurator-core 0.12.0 (Apache-2.0), fitted by python -m benchmarks.kernels"
_LEAST, _MOST = 512, 16384  # of each edge of a product: what training multiplies
_NARROW = {"matmul_8bit": ("fp8", ("fp8", "fp8_block")), "matmul_4bit": ("fp4", ("nvfp4",))}
_BURSTS = ("matmul", "matmul_half_k")
_HALF_LN = 0.5  # what whole steps reach of it is not known before some are measured


def main() -> int:
    """Fit every chip, and write how each accelerator that has it differs from the mean of all chips."""
    if len(sys.argv) != 2 or not Path(sys.argv[1], "a100_sxm").is_dir():
        print("kernels: name the folder systems/data of an unpacked aiconfigurator-core wheel", file=sys.stderr)
        return 2
    folder, known = Path(sys.argv[1]), accelerators()
    chips = {name: fitted(folder / name, known[same[0]]) for name, same in CHIPS.items()}
    for name, (found, shapes) in chips.items():
        offsets = {c: round(at(c, value) - _middle(c, chips), 3) for c, value in found.items() if c not in _BURSTS}
        print(name, shapes, {k: round(v, 3) for k, v in found.items()}, offsets, flush=True)
        for chip in CHIPS[name]:
            told = Calibration(
                name=f"{chip}-kernels", applies_to=chip, evidence="D", constants={}, offsets=offsets,
                residual_ln=_HALF_LN, rows=shapes, sources=(f"{SOURCE}: {name}",),
            )  # fmt: skip
            write(told, OUT / f"1-{chip}-kernels.toml")
    return 0


def at(constant: str, value: float) -> float:
    """A share's logit, everything else's logarithm: what offsets are of."""
    return float(np.log(value / (1.0 - value)) if constant in SHARES else np.log(value))


def _middle(constant: str, chips: Mapping[str, tuple[Mapping[str, float], int]]) -> float:
    return float(np.mean([at(constant, found[constant]) for found, _ in chips.values() if constant in found]))


def fitted(folder: Path, chip: Accelerator) -> tuple[Mapping[str, float], int]:
    """A chip's constants, and how many shapes they rest on."""
    products = _table(folder / "gemm", "gemm_perf.parquet", ["gemm_dtype", "m", "n", "k"])
    wide = products[products.gemm_dtype == "bfloat16"]
    found: dict[str, float] = {}
    found["matmul"], found["matmul_half_k"], _ = _products(wide, chip, "bf16", Constants())
    for name, (dtype, kinds) in _NARROW.items():
        mine = products[products.gemm_dtype.isin(kinds)]
        if len(mine) and dtype in chip.peak_flop_per_s:
            mine = mine.groupby(["m", "n", "k"], as_index=False).latency.min()
            best, *_ = _products(mine, chip, dtype, Constants(matmul_8bit=1.0, matmul_4bit=1.0))
            found[name] = min(0.99, best / found["matmul"])
    seen = _attention(folder)
    found |= _attended(seen, chip.peak_flop_per_s["bf16"])
    return found, len(wide) + len(seen)


def _products(table: Any, chip: Accelerator, dtype: str, start: Constants) -> tuple[float, float, float]:
    """Best share, depth of half of it, and seconds of a launch."""
    inside = table[["m", "n", "k"]].apply(lambda column: column.between(_LEAST, _MOST)).all(axis=1)
    table = table[inside]
    m, n, k = (table[name].to_numpy(float) for name in "mnk")
    measured, one = table.latency.to_numpy(float) * 1e-3, np.ones(len(table))
    size = operand_bytes(dtype)
    work = roofline.Work(
        kind=np.full(len(one), roofline.MATMUL), flop=2.0 * m * n * k, bytes=size * (m * k + k * n) + 2.0 * m * n,
        m=m, n=n, k=k, groups=one, repeats=one, wide=0.0 * one,
    )  # fmt: skip
    on = device(System(name="", vendor="", accelerator=chip, count_per_node=1, links=()), dtype)

    def off(x: Array) -> Array:
        constants = replace(start, matmul=_share(x[0]), matmul_half_k=float(np.exp(x[1])))
        out: Array = np.log((roofline.seconds(work, on, constants) + np.exp(x[2])) / measured)
        return out

    best = least_squares(off, [1.0, 5.0, -12.5], loss="soft_l1", f_scale=0.05).x
    return _share(best[0]), float(np.exp(best[1])), float(np.exp(best[2]))


def _attention(folder: Path) -> Any:
    """Causal attention of whole sequences in 16 bits, where a device has enough to do."""
    table = _table(
        folder / "attention", "context_attention_perf.parquet",
        ["attn_dtype", "kv_cache_dtype", "batch_size", "isl", "num_heads", "head_dim", "window_size", "step"],
    )  # fmt: skip
    wide = (table.attn_dtype == "bfloat16") & (table.kv_cache_dtype == "bfloat16")
    whole = (table.window_size == 0) & (table.step == 0) & table.head_dim.isin([64, 128])
    full = (table.batch_size * table.num_heads >= 32) & table.isl.between(512, _MOST)
    return table[wide & whole & full]


def _attended(table: Any, peak: float) -> Mapping[str, float]:
    length, width = table.isl.to_numpy(float), table.head_dim.to_numpy(float)
    flop = 2.0 * table.batch_size.to_numpy(float) * table.num_heads.to_numpy(float) * length**2 * width
    measured = np.log(flop / (table.latency.to_numpy(float) * 1e-3) / peak)

    def constants(x: Array) -> Constants:
        half_head = float(np.exp(x[2])) if np.any(width < 128) else Constants().attention_half_head
        return Constants(attention=_share(x[0]), attention_half_len=float(np.exp(x[1])), attention_half_head=half_head)

    def off(x: Array) -> Array:
        c = constants(x)
        out: Array = np.log(c.attention * roofline.attention_shape_share(length, width, c)) - measured
        return out

    found = constants(least_squares(off, [0.5, 6.0, 3.0], loss="soft_l1", f_scale=0.05).x)
    names = ("attention", "attention_half_len", *(("attention_half_head",) if np.any(width < 128) else ()))
    return {name: getattr(found, name) for name in names}


def _table(folder: Path, name: str, shape: list[str]) -> Any:
    """The tables of all frameworks as one, the fastest of each shape; what a table does not say is 0."""
    import pandas as pd  # noqa: PLC0415 - no part of the development tools

    tables = [pd.read_parquet(path) for path in sorted(folder.glob(f"*/*/{name}"))]
    every = pd.concat(tables).reindex(columns=[*shape, "latency"])
    numbers = every.select_dtypes("number").columns
    every[numbers] = every[numbers].fillna(0)
    return every[every.latency > 0].groupby(shape, as_index=False).latency.min()


def _share(logit: float) -> float:
    return float(1.0 / (1.0 + np.exp(-logit)))


if __name__ == "__main__":
    sys.exit(main())
