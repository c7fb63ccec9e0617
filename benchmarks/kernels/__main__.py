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
from collections.abc import Mapping, Sequence
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

Table = Mapping[str, Array]  # columns of one length; latencies in ms
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
    wide = _gemm(folder, ("bfloat16",))
    matmul, half_k, _ = products(wide, chip, "bf16", Constants())
    found = {"matmul": matmul, "matmul_half_k": half_k}
    for name, (dtype, kinds) in _NARROW.items():
        mine = _gemm(folder, kinds)
        if len(mine["m"]) and dtype in chip.peak_flop_per_s:
            best, *_ = products(mine, chip, dtype, Constants(matmul_8bit=1.0, matmul_4bit=1.0))
            found[name] = min(0.99, best / matmul)
    seen = _attention(folder)
    found |= attended(seen, chip.peak_flop_per_s["bf16"])
    return found, len(wide["m"]) + len(seen["isl"])


def products(table: Table, chip: Accelerator, dtype: str, start: Constants) -> tuple[float, float, float]:
    """Best share, depth of half of it, and seconds of a launch."""
    m, n, k, measured = (table[name] for name in ("m", "n", "k", "latency"))
    one, size = np.ones_like(m), operand_bytes(dtype)
    work = roofline.Work(
        kind=roofline.MATMUL * one, flop=2.0 * m * n * k, bytes=size * (m * k + k * n) + 2.0 * m * n,
        m=m, n=n, k=k, groups=one, repeats=one, wide=0.0 * one,
    )  # fmt: skip
    on = device(System(name="", vendor="", accelerator=chip, count_per_node=1, links=()), dtype)

    def off(x: Array) -> Array:
        constants = replace(start, matmul=_share(x[0]), matmul_half_k=float(np.exp(x[1])))
        out: Array = np.log((roofline.seconds(work, on, constants) + np.exp(x[2])) / (1e-3 * measured))
        return out

    best = least_squares(off, [1.0, 5.0, -12.5], loss="soft_l1", f_scale=0.05).x
    return _share(best[0]), float(np.exp(best[1])), float(np.exp(best[2]))


def attended(table: Table, peak: float) -> Mapping[str, float]:
    """Best share, length of half of it, and what a head's width costs, where more than one was measured."""
    length, width = table["isl"], table["head_dim"]
    flop = 2.0 * table["batch_size"] * table["num_heads"] * length**2 * width
    measured, narrow = np.log(flop / (1e-3 * table["latency"]) / peak), bool(np.any(width < 128))

    def constants(x: Array) -> dict[str, float]:
        told = {"attention": _share(x[0]), "attention_half_len": float(np.exp(x[1]))}
        return told | {"attention_half_head": float(np.exp(x[2]))} if narrow else told

    def off(x: Array) -> Array:
        c = replace(Constants(), **constants(x))
        out: Array = np.log(c.attention * roofline.attention_shape_share(length, width, c)) - measured
        return out

    return constants(least_squares(off, [0.5, 6.0, 3.0], loss="soft_l1", f_scale=0.05).x)


def _gemm(folder: Path, kinds: Sequence[str]) -> Table:
    """Products in one of these formats, as long and wide as training has them."""
    found = _table(folder / "gemm", "gemm_perf.parquet", ("m", "n", "k"), {"gemm_dtype": kinds})
    edges = np.stack([found[name] for name in "mnk"])
    return _only(found, np.all((edges >= _LEAST) & (edges <= _MOST), axis=0))


def _attention(folder: Path) -> Table:
    """Causal attention of whole sequences in 16 bits, where a device has enough to do."""
    plain = {"attn_dtype": ("bfloat16",), "kv_cache_dtype": ("bfloat16",)}
    shape = ("batch_size", "isl", "num_heads", "head_dim", "window_size", "step")
    found = _table(folder / "attention", "context_attention_perf.parquet", shape, plain)
    whole = (found["window_size"] == 0) & (found["step"] == 0) & np.isin(found["head_dim"], (64, 128))
    full = (found["batch_size"] * found["num_heads"] >= 32) & (found["isl"] >= 512) & (found["isl"] <= _MOST)
    return _only(found, whole & full)


def _table(folder: Path, name: str, shape: Sequence[str], formats: Mapping[str, Sequence[str]]) -> Table:
    """The tables of all frameworks as one, the fastest of each shape; what a table does not say is 0."""
    import pandas as pd  # noqa: PLC0415 - no part of the development tools

    tables = [pd.read_parquet(path) for path in sorted(folder.glob(f"*/*/{name}"))]
    every = pd.concat([t[t[list(formats)].isin(formats).all(axis=1)] for t in tables])
    every = every.reindex(columns=[*shape, "latency"]).fillna(0)
    fastest = every[every.latency > 0].groupby(list(shape), as_index=False).latency.min()
    return {column: fastest[column].to_numpy(float) for column in fastest}


def _only(table: Table, which: Any) -> Table:
    return {name: column[which] for name, column in table.items()}


def _share(logit: float) -> float:
    return float(1.0 / (1.0 + np.exp(-logit)))


if __name__ == "__main__":
    sys.exit(main())
