"""How long operations take on a device: a roofline whose roof depends on the operation's shape.

t = max(F / (P · e), B / (W · e_m))      (Williams et al. 2009, with an efficiency law for e)

What it costs the host to launch operations is a roof of its own over a whole layer: see `layers`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from assay.calibration import Constants
from assay.predict.device import Device
from assay.predict.ops import Array, Number

# Output tiles a library chooses from, as multiples of the tile constant, and the share of the best rate each reaches;
# the last is one row: the kernel for a matrix times a vector.
_TILES = ((2.0, 1.0, 1.0), (1.0, 1.0, 0.96), (0.5, 1.0, 0.86), (0.5, 0.5, 0.70), (1.0, 0.25, 0.55), (0.0, 1.0, 0.25))
# Kinds of work by their place in a column.
MATMUL, CONV, ATTENTION, STREAM, LOOKUP = range(5)
KINDS = {"matmul": MATMUL, "conv": CONV, "attention": ATTENTION, "elementwise": STREAM, "lookup": LOOKUP}


# Constants that an operation's time depends on.
USES = ("matmul", "matmul_wide", "matmul_8bit", "matmul_4bit", "grouped", "conv", "tile", "matmul_half_k", "attention",
        "attention_half_len", "attention_half_head", "memory", "lookup")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Operations as columns of one length, of whatever layers, layouts and models."""

    kind: Array  # one of KINDS
    flop: Array
    bytes: Array
    m: Array
    n: Array
    k: Array
    groups: Array
    repeats: Array
    wide: Array  # 1: stays at 16 bits where the job has fewer


def matmul_shape_share(m: Number, n: Number, k: Number, groups: Number, units: Number, constants: Constants) -> Array:
    """Share of its best rate that an M×K by K×N product keeps: waves · tiles · K/(K+k₀), the best of a few tiles.

    Work comes in output tiles spread over `units` compute units in waves: a last wave that is not full, and a tile
    that hangs over the edge, cost as much as full ones. Short sums (small K) never fill the pipeline; long ones are cut
    where there are too few tiles for all units (split-K).

    >>> big, small = (matmul_shape_share(n, n, n, 1.0, 108.0, Constants()) for n in (8192.0, 256.0))
    >>> bool(big > small)
    True
    """
    m, n, k = (np.maximum(np.asarray(x, dtype=np.float64), 1.0) for x in (m, n, k))
    units, groups = np.maximum(np.asarray(units, dtype=np.float64), 0.0), np.maximum(groups, 1.0)
    best: Array = np.zeros(())
    for tall, wide, rate in _TILES:
        tm, tn = np.maximum(1.0, tall * np.asarray(constants.tile)), wide * np.asarray(constants.tile)
        tiles = np.ceil(m / tm) * np.ceil(n / tn)
        share = m * n / (tiles * tm * tn)
        spread = tiles * groups * np.maximum(1.0, np.floor(np.minimum(units / (tiles * groups), k / _LEAST_DEPTH)))
        waves = np.where(units > 0, spread / (np.ceil(spread / np.maximum(units, 1.0)) * np.maximum(units, 1.0)), 1.0)
        best = np.maximum(best, rate * share * waves)
    kept: Array = best * k / (k + constants.matmul_half_k)
    return kept


def attention_shape_share(length: Number, width: Number, constants: Constants) -> Array:
    """Share of its best rate that a fused attention kernel keeps: s/(s+s₀) · d/(d+d₀), 1 for long s and d of 128.

    s is the length of a causal sequence: twice the keys that a query looks at. Each score costs an exponential however
    wide its head is, and each row of a short sequence a start and an end. All is kept where no shape is told (0).

    >>> float(attention_shape_share(600.0, 128.0, Constants()))
    0.5
    """
    length, width = np.asarray(length, dtype=np.float64), np.minimum(width, _WHOLE_HEAD)
    long = np.where(length > 0, length / np.where(length > 0, length + constants.attention_half_len, 1.0), 1.0)
    whole = _WHOLE_HEAD / (_WHOLE_HEAD + constants.attention_half_head)
    wide = np.where(width > 0, width / np.where(width > 0, width + constants.attention_half_head, 1.0) / whole, 1.0)
    return np.asarray(long * wide)


_WHOLE_HEAD = 128.0  # wider heads gain little more
# Of the matrix units' rate, what a direct kernel of the vector units reaches: what depthwise convolutions run as.
_VECTOR_SHARE = 0.03
_LEAST_DEPTH = 256.0  # of a sum that is worth cutting


def seconds(work: Work, on: Device, constants: Constants) -> Array:
    """Time of computing operations; `on` and `constants` are numbers or columns as long as the work."""
    wide = work.wide > 0
    peak = np.where(wide, on.wide_flop_per_s, on.flop_per_s)
    moving = work.bytes / np.where(work.bytes <= on.cache_bytes, on.cache_bytes_per_s, on.bandwidth_bytes_per_s)
    moving = moving / np.where(work.kind == LOOKUP, constants.lookup, constants.memory)
    bits = np.where(wide, on.wide_bits, on.operand_bits)
    share = np.where(work.kind == CONV, constants.conv, 1.0) * _product_share(bits, constants)
    share = share * np.where((work.groups > 1) & (work.kind == MATMUL) & ~wide, constants.grouped, 1.0)
    product = (work.kind == MATMUL) | (work.kind == CONV)
    shape = np.ones_like(work.flop)
    shape[product] = matmul_shape_share(
        work.m[product], work.n[product], work.k[product], work.groups[product], _at(on.units, product),
        _constants_at(constants, product),
    )  # fmt: skip
    shape[work.kind == CONV] = np.maximum(shape[work.kind == CONV], _VECTOR_SHARE)
    attending = constants.attention * attention_shape_share(work.n, work.k, constants)
    computing = np.where(product, share * shape, attending)
    rate = np.where(work.kind == ATTENTION, on.attention_flop_per_s, peak)
    spent: Array = work.repeats * np.maximum(work.flop / (rate * computing), moving)
    return spent


def _product_share(bits: Number, constants: Constants) -> Array:
    """The best share of peak for operands of so many bits."""
    bits = np.asarray(bits)
    left = np.where(bits >= 32, constants.matmul_wide, 1.0)
    left = np.where(bits == 8, constants.matmul_8bit, left)
    share: Array = constants.matmul * np.where(bits == 4, constants.matmul_4bit, left)
    return share


def _at(value: Number, mask: Array) -> Number:
    return value if np.ndim(value) == 0 else np.asarray(value)[mask]


def _constants_at(constants: Constants, mask: Array) -> Constants:
    tile, half = _at(constants.tile, mask), _at(constants.matmul_half_k, mask)
    return replace(constants, tile=tile, matmul_half_k=half)  # type: ignore[arg-type]
