"""What measurement taught the formulas: a few physical constants, and how far predictions with them were off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from assay.result import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """The few numbers between a datasheet and a real machine. Efficiencies are shares of the datasheet figure.

    The values here are priors from experience with such machines, measured nowhere: what rests on them alone is of
    evidence class D. Fitted values lie in `data/calibrations/`, with the results that earned them.
    """

    matmul: float = 0.75  # best share of peak a large matrix multiplication reaches
    matmul_half_k: float = 150.0  # depth K at which half of that share is reached
    matmul_wide: float = 0.95  # what of that share is left where operands have 32 bits (fp32, tf32)
    matmul_8bit: float = 0.85  # … where they have 8, of the 8-bit peak
    matmul_4bit: float = 0.60  # … where they have 4
    grouped: float = 0.80  # … where many small products stand side by side (experts)
    conv: float = 0.75  # … of convolutions
    tile: float = 128.0  # edge of the output tile that is computed at once
    attention: float = 0.55  # share of peak a fused attention kernel reaches on long sequences, heads 128 wide
    # Length of a causal sequence at which half of that share is reached, and the width of a head that is worth as much
    # time as each score's exponential. Kernels alone say 1,000 and 150 (decision 17); whole steps lose less.
    attention_half_len: float = 600.0
    attention_half_head: float = 40.0
    memory: float = 0.80  # share of memory bandwidth that streaming operations reach
    lookup: float = 0.50  # … that reading scattered rows of a table reaches
    launch_s: float = 5e-6  # host and device overhead of one operation
    routing_s: float = 50e-6  # that host and device wait for each other where experts are chosen, a layer and pass
    inner_link: float = 0.75  # share of link bandwidth a large collective reaches inside a node
    outer_link: float = 0.80  # … and between nodes
    inner_latency_s: float = 5e-6  # added to the link's own latency per collective step
    outer_latency_s: float = 15e-6
    overlap_data: float = 0.85  # share of data-parallel communication hidden behind compute
    overlap_tensor: float = 0.6  # share of tensor-parallel communication hidden, where plan and software allow it
    overlap_expert: float = 0.2  # share of expert-parallel exchange hidden
    contention: float = 0.10  # of hidden communication, what it costs the computing it hides behind
    step_overhead_s: float = 5e-3  # per optimizer step: logging, data fetch, synchronisation
    straggler: float = 0.01  # growth of step time per doubling of nodes
    speed: float = (
        1.0  # of what all of this says, what is reached: one factor on the whole step, where no more is known
    )
    reserve_bytes: float = 1.5e9  # context, communication buffers
    fragmentation: float = 0.05  # share of activation memory lost between blocks


CONSTANTS = tuple(f.name for f in fields(Constants))


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Constants for one accelerator (or class of them) with the spread of what they left unexplained."""

    name: str
    applies_to: str  # accelerator name, class and maker ("gpu AMD"), architecture class, or "all"
    evidence: Evidence
    constants: Mapping[str, float]  # name in Constants -> value; what is absent keeps the broader class's value
    residual_ln: float  # 90 % half-width of ln(measured/predicted) on data not used for the fit
    regimes: Mapping[str, float] = field(default_factory=dict)  # the same for one kind of job: dense, moe, convnet …
    # How a kind of job moves the constants of dense layers: offsets of shares' logits and of other logarithms.
    moved: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    # How a device's kernels differ from its class's, likewise; what the broader classes learnt of whole jobs stays.
    offsets: Mapping[str, float] = field(default_factory=dict)
    rows: int = 0  # measured results it was fitted on
    sources: tuple[str, ...] = ()
    devices: int | None = None  # most that took part in what it rests on; of more it says nothing about the interval
    at_bound: tuple[str, ...] = ()  # constants that ended at their limit: a model term is missing
