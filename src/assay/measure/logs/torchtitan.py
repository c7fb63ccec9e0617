"""torchtitan: one line every `log_freq` steps.

`tps` is tokens per second and device (of a data-parallel rank over the devices it spans), `tflops` those of one device,
memory the most that the allocator reserved since the last line. Old versions say `wps` for `tps`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assay.measure.found import Reader, Said
from assay.measure.words import NAMED, NUMBER, Names, named, whole

NAME, TITLE = "torchtitan", "torchtitan"
MARKS = ("GiB(",)

NAMES: Names = {
    "loss": ("loss", 1),
    "grad_norm": ("grad_norm", 1),
    "memory": ("memory_reserved_bytes", 1 << 30),
    "tps": ("device_tokens_per_s", 1),
    "wps": ("device_tokens_per_s", 1),
    "tflops": ("device_flop_per_s", 1e12),
    "mfu": ("mfu", 0.01),
}
VALIDATION: Names = {"loss": ("eval_loss", 1)}

_LINE = re.compile(rf"\b(validate )?step:\s*({NUMBER})\s+(.*GiB\(.*)")
_PAIR = re.compile(rf"({NAMED}):\s*({NUMBER})")


def reader(command: tuple[str, ...]) -> Reader:
    """Losses, rates and memory of each reported step."""

    def line(line: str) -> Iterator[Said]:
        if said := _LINE.search(line):
            pairs = [pair for pair in _PAIR.findall(said[3]) if pair[0] != "memory" or not pair[1].startswith("-")]
            yield from named(pairs, VALIDATION if said[1] else NAMES, index=whole(said[2]))

    return line
