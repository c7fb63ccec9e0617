"""What constants are shared by whom: how far each may lie from the level above, for classes, makers, devices, sources.

τ is the standard deviation of an offset: of a share's logit, of everything else's logarithm. The values say what is
known before anything is measured: links reach 60 to 90 % of their datasheet, two devices of a class differ by some per
cent in what their matrix units sustain, and software differs most in what it costs the host to launch an operation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.predict.fit import SPEED, Level

CLASS: Mapping[str, float] = {
    "matmul": 0.2, "matmul_wide": 0.5, "matmul_8bit": 0.4, "matmul_4bit": 0.4, "grouped": 0.5, "conv": 0.6,
    "matmul_half_k": 0.3, "attention": 0.3, "memory": 0.25, "lookup": 0.8, "launch_s": 0.4, "routing_s": 0.7,
    "inner_link": 0.3, "outer_link": 0.4, "inner_latency_s": 0.5, "outer_latency_s": 0.5, "overlap_data": 0.4,
    "overlap_tensor": 0.5, "overlap_expert": 0.5, "step_overhead_s": 0.2, "straggler": 0.4,
}  # fmt: skip
MAKER: Mapping[str, float] = {
    "matmul": 0.3, "memory": 0.25, "launch_s": 0.4, "attention": 0.3, "routing_s": 0.3, "overlap_data": 0.3,
    "overlap_tensor": 0.3, "straggler": 0.3,
}  # fmt: skip
DEVICE: Mapping[str, float] = {"matmul": 0.35, "attention": 0.4, "memory": 0.15, "matmul_8bit": 0.25, "launch_s": 0.2}
# How a kind of job (experts, convolutions, adapters, look-ups) differs from dense layers on the same class of device:
# other kernels, other frameworks, and often no host in the way.
KIND: Mapping[str, float] = {
    "matmul": 0.15, "memory": 0.3, "attention": 0.3, "launch_s": 0.8, "step_overhead_s": 0.4, "overlap_data": 0.4,
    "inner_link": 0.8, "outer_link": 0.3, "straggler": 0.4,
}  # fmt: skip
REFERENCE = "dense"
# What a source's software is like on a device. It explains its rows, and says nothing of the next source.
SOFTWARE: Mapping[str, float] = {
    SPEED: 0.08, "launch_s": 0.5, "attention": 0.4, "overlap_data": 0.4, "overlap_tensor": 0.4, "memory": 0.2,
    "routing_s": 0.7, "matmul": 0.15, "step_overhead_s": 0.7,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a measured figure belongs to."""

    architecture: str
    vendor: str
    device: str
    regime: str
    source: str

    @property
    def groups(self) -> Mapping[str, str]:
        """The group it is in, by level; the source's own software is no part of what it teaches."""
        maker = f"{self.architecture} {self.vendor}"
        kind = "" if self.regime == REFERENCE else f"{self.architecture} {self.regime}"
        return {"class": self.architecture, "maker": maker, "device": self.device, "kind": kind}

    @property
    def software(self) -> str:
        """Its source's software on its device."""
        return f"{self.source} @ {self.device}"

    @property
    def familiar(self) -> Mapping[str, str]:
        """Its groups to somebody who knows its source's software."""
        return {**self.groups, "software": self.software}


def levels(labels: Sequence[Label]) -> list[Level]:
    """The levels that constants of these results are shared by, the broadest first."""
    found = [
        Level(name=name, groups=[label.groups[name] for label in labels], free=free)
        for name, free in (("class", CLASS), ("maker", MAKER), ("device", DEVICE), ("kind", KIND))
    ]
    return [*found, Level(name="software", groups=[label.software for label in labels], free=SOFTWARE)]
