"""Megatron-LM, Megatron Bridge and Megatron-DeepSpeed: one line an interval, its cells between bars.

The elapsed time is a mean over the iterations since the last line, and so are the losses; a step's samples are its
global batch, its tokens that times the sequence length where the arguments were printed. Timers ("time across ranks")
nest into one another and are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assay.measure.found import Found, Reader, Said
from assay.measure.words import NUMBER, Names, named, number

NAME, TITLE = "megatron", "Megatron-LM, Megatron Bridge, Megatron-DeepSpeed"
MARKS = ("| consumed samples:", "| lm loss value:", " ....", "| allocated:")

_MIB = 1 << 20
NAMES: Names = {
    "elapsed time per iteration (ms)": ("step_s", 1e-3),
    "elapsed time per iteration (s)": ("step_s", 1),
    "throughput per GPU (TFLOP/s/GPU)": ("device_flop_per_s", 1e12),
    "TFLOPs": ("device_flop_per_s", 1e12),  # Megatron-DeepSpeed: of one device
    "samples per second": ("samples_per_s", 1),
    "tokens per gpu per second (tgs)": ("device_tokens_per_s", 1),
    "energy per GPU (J/iter/GPU)": ("device_energy_j", 1),
    "power per GPU (W/GPU)": ("device_power_w", 1),
    "learning rate": ("learning_rate", 1),
    "global batch size": ("samples", 1),
    "lm loss": ("loss", 1),
    "loss scale": ("loss_scale", 1),
    "grad norm": ("grad_norm", 1),
    "lm loss value": ("eval_loss", 1),
    "max allocated": ("memory_allocated_bytes", _MIB),
    "max reserved": ("memory_reserved_bytes", _MIB),
}

_ITERATION = re.compile(r"\biteration\s+(\d+)/\s*\d+ \|(.*)")
_VALIDATION = re.compile(r"validation loss at iteration (\d+)[^|]*\|(.*)")
_MEMORY = re.compile(r"\[Rank (\d+)\] \(after (\d+) iterations\) memory \(MB\) \|(.*)")
_LENGTH = re.compile(rf"\bseq_length \.+ ({NUMBER})")


def reader(command: tuple[str, ...]) -> Reader:
    """Step times, losses and rates; validation losses; memory."""
    length: list[float] = []

    def line(line: str) -> Iterator[Said]:
        if said := _ITERATION.search(line):
            cells = dict(_cells(said[2]))
            index = int(said[1])
            yield from named(cells.items(), NAMES, index=index)
            samples, wrong = number(cells.get("global batch size")), number(cells.get("number of nan iterations"))
            if samples and length:
                yield Found("tokens", samples * length[0], index)
            if wrong:
                yield f"Megatron counted iterations with NaN, first in the {wrong:.0f} up to iteration {index}"
        elif said := _VALIDATION.search(line):
            yield from named(_cells(said[2]), NAMES, index=int(said[1]))
        elif said := _MEMORY.search(line):
            yield from named(_cells(said[3]), NAMES, index=int(said[2]), rank=int(said[1]))
        elif said := _LENGTH.search(line):
            length[:] = [number(said[1]) or 0.0]

    return line


def _cells(text: str) -> Iterator[tuple[str, str]]:
    for cell in text.split("|"):
        name, colon, value = cell.partition(":")
        if colon:
            yield name.strip(), value
