"""How long one operation takes on one device: a roofline whose roof depends on the operation's shape.

t = max(F / (P · e), B / (W · e_m))      (Williams et al. 2009, with an efficiency law for e)

What it costs the host to launch operations is a roof of its own over a whole layer: see `layers`.
"""

from __future__ import annotations

import numpy as np

from assay.calibration import Constants
from assay.hardware import Accelerator
from assay.predict.ops import Array, Number, Op

# Where a device lacks a format, the next one that its matrix units compute the same numbers in.
_FALLBACK = {
    "fp4": "fp8", "fp8": "bf16", "int8": "bf16", "bf16": "fp16", "fp16": "bf16", "tf32": "fp32", "fp32": "tf32",
    "fp64": "fp32",
}  # fmt: skip
# Output tiles a library chooses from, as multiples of the tile constant, and the share of the best rate each reaches;
# the last is one row: the kernel for a matrix times a vector.
_TILES = ((2.0, 1.0, 1.0), (1.0, 1.0, 0.96), (0.5, 1.0, 0.86), (0.5, 0.5, 0.70), (0.0, 1.0, 0.25))


def peak_flop_per_s(accelerator: Accelerator, dtype: str) -> tuple[float, str] | None:
    """The dense peak for this precision and the one it is really run in; None when the device has no such unit."""
    narrower = accelerator.peak_flop_per_s.get("fp8")
    if narrower and dtype in ("bf16", "fp16") and not {"bf16", "fp16"} & accelerator.peak_flop_per_s.keys():
        return narrower / 2.0, "16 bits at half of its fp8 peak"
    seen: set[str] = set()
    wanted = dtype
    while wanted not in accelerator.peak_flop_per_s:
        seen.add(wanted)
        wanted = _FALLBACK.get(wanted, "fp32")
        if wanted in seen:
            if "fp32" in accelerator.peak_flop_per_s:
                return accelerator.peak_flop_per_s["fp32"], "fp32"
            return None
    return accelerator.peak_flop_per_s[wanted], wanted


def matmul_efficiency(m: Number, n: Number, k: Number, units: int | None, constants: Constants) -> Array:
    """Share of peak that an M×K by K×N product reaches: e_max · waves · tiles · K/(K+k₀), the best of a few tiles.

    Work comes in output tiles spread over `units` compute units in waves: a last wave that is not full, and a tile
    that hangs over the edge, cost as much as full ones. Short sums (small K) never fill the pipeline.

    >>> bool(matmul_efficiency(8192, 8192, 8192, 108, Constants()) > matmul_efficiency(256, 256, 64, 108, Constants()))
    True
    """
    m, n, k = (np.maximum(np.asarray(x, dtype=np.float64), 1.0) for x in (m, n, k))
    best: Array = np.zeros(np.broadcast_shapes(m.shape, n.shape))
    for tall, wide, rate in _TILES:
        tm, tn = max(1.0, tall * constants.tile), wide * constants.tile
        tiles = np.ceil(m / tm) * np.ceil(n / tn)
        share = m * n / (tiles * tm * tn)
        if units:
            share = share * tiles / (np.ceil(tiles / units) * units)
        best = np.maximum(best, rate * share)
    return constants.matmul * best * k / (k + constants.matmul_half_k)


def op_seconds(op: Op, accelerator: Accelerator, dtype: str, constants: Constants) -> Array:
    """Time of one computing operation; collectives are `network`'s."""
    found = peak_flop_per_s(accelerator, dtype)
    peak = found[0] if found else np.nan
    moving = np.asarray(op.bytes, dtype=np.float64) / (_bandwidth(op.bytes, accelerator) * constants.memory)
    if op.kind == "matmul" and op.shape is not None:
        share = matmul_efficiency(*op.shape, accelerator.compute_units, constants)
        return op.repeats * np.maximum(op.flop / (peak * share), moving)
    if op.kind == "attention":
        half, _ = peak_flop_per_s(accelerator, "bf16") or (peak, dtype)  # fused attention runs in 16 bits
        rate = min(peak, half) if dtype not in ("fp32", "tf32") else peak
        return op.repeats * np.maximum(op.flop / (rate * constants.attention), moving)
    return op.repeats * moving


def _bandwidth(size: Number, accelerator: Accelerator) -> Number:
    """Bytes per second that operands come at: from the last cache where they fit it and its speed is known."""
    cache, inside = accelerator.on_chip_bytes, accelerator.on_chip_bandwidth_bytes_per_s
    outside = accelerator.bandwidth_bytes_per_s
    if cache is None or inside is None or inside <= outside:
        return outside
    return np.where(np.asarray(size) <= cache, inside, outside)
