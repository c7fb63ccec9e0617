"""What a parameter costs beside its computing: bytes that are stored, moved and sent, by optimizer and precision.

Adam keeps two moments (Kingma & Ba 2014), its 8-bit form two bytes (Dettmers et al. 2021), Adafactor rows and columns
(Shazeer & Stern 2018), SGD and Muon one momentum (Jordan et al. 2024).
"""

from __future__ import annotations

from dataclasses import dataclass

from assay.predict.ops import Number
from assay.workload import Workload

# Bytes of optimizer state a parameter, without the master copy of the weight.
_MOMENTS = {"adam": 8.0, "adam-8bit": 2.0, "adafactor": 0.02, "sgd": 4.0, "muon": 4.0}
# FLOP of one update a parameter of a matrix: Muon's five Newton-Schulz steps of three products along its short edge h
# come to 5·3·2·h; h ≈ 4096. Shared by the replicas that shard the state.
_UPDATE_FLOP = {"muon": 5.0 * 3.0 * 2.0 * 4096.0}
# Of a frozen weight in 4 bits, with scales in 8 of blocks of 64 and in 32 of 256 such (Dettmers et al. 2023, §3).
PACKED_BYTES = (4.0 + 8.0 / 64.0 + 32.0 / (64.0 * 256.0)) / 8.0
# Weight, gradient, master copy.
_STORED = {
    "mixed": (2.0, 4.0, 4.0),
    "single": (4.0, 4.0, 0.0),
    "half": (2.0, 2.0, 0.0),
    "nf4": (PACKED_BYTES, 4.0, 4.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Per parameter: bytes stored, bytes an update moves through memory, bytes on the wire."""

    weight_bytes: Number
    gradient_bytes: Number
    optimizer_bytes: Number
    traffic_bytes: Number
    gradient_wire_bytes: Number
    weight_wire_bytes: Number
    update_flop: Number
    away_bytes: Number  # an update moves over the host's link where the state lies there


def state_of(job: Workload) -> State:
    """A job's optimizer and storage as bytes.

    >>> from assay.model import Model, ConvShape, ConvLayer
    >>> shape = ConvShape(image_px=8, layers=(), classes=1, features=1)
    >>> job = Workload(name="", model=Model(name="", family="convnet", shape=shape), seq_len=1, global_batch=1)
    >>> state_of(job).optimizer_bytes, state_of(job).traffic_bytes
    (12.0, 34.0)
    """
    weight, gradient, master = _STORED[job.stored]
    moments = _MOMENTS[job.optimizer] / (2.0 if job.stored == "half" else 1.0)
    wire = job.gradient_bytes or gradient
    # The gradient is read twice (norm, step), master and moments are read and written, the weight is written.
    moved = 2.0 * gradient + 2.0 * master + 2.0 * moments + weight + (0.0 if master else weight)
    return State(
        weight_bytes=weight, gradient_bytes=gradient, optimizer_bytes=master + moments, traffic_bytes=moved,
        gradient_wire_bytes=wire, weight_wire_bytes=min(weight, 2.0) if job.stored != "single" else weight,
        update_flop=_UPDATE_FLOP.get(job.optimizer, 0.0), away_bytes=gradient + weight,
    )  # fmt: skip
