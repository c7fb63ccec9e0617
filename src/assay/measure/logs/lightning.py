"""Lightning's progress bar, NeMo's (which is Lightning's) and NeMo 2's printed lines.

Lightning counts steps from 0; a bar that says "Epoch 1: … 3/40" stands at step 43. A bar repeats what it showed: a
value counts when the bar has moved on, a validation loss when it has changed. A file of Lightning's CSVLogger is read
as any table with a column `step` (see `listen`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from assay.measure.found import Found, Reader, Said
from assay.measure.words import COMMON, Names, named, whole

NAME, TITLE = "lightning", "Lightning and NeMo"
MARKS = ("%|", "| global_step:")

NAMES: Names = {
    **COMMON,
    "reduced_train_loss": ("loss", 1),
    "train_step_timing in s": ("step_s", 1),
    "global_batch_size": ("samples", 1),
    "TFLOPS_per_GPU": ("device_flop_per_s", 1e12),
    "tflops_per_sec_per_gpu": ("device_flop_per_s", 1e12),
    "memory_allocated": ("memory_allocated_bytes", 1),
}
_PASSED_OVER = frozenset(
    {"v_num", "global_step", "consumed_samples", "epoch", "peak_memory_usage", "validation_step_timing in s"}
)

_BAR = re.compile(r"\s*Epoch (\d+): [^|]*\|[^|]*\|\s*(\d+)/(\d+) \[([^\]]*)\]")
_PRINTED = re.compile(r"Training epoch \d+, iteration (\d+)/\d+ \|(.*)")


def reader(command: tuple[str, ...]) -> Reader:
    """What bars and printed lines say of each step."""
    return _Bars().line


@dataclass
class _Bars:
    at: tuple[int, int] = (-1, -1)  # epoch and batch of the last bar
    shown: dict[str, Found] = field(default_factory=dict)  # of validation

    def line(self, line: str) -> Iterable[Said]:
        if bar := _BAR.match(line):
            return self._bar(int(bar[1]), int(bar[2]), int(bar[3]), bar[4])
        if printed := _PRINTED.search(line):
            return self._told(_cells(printed[2], "|", ":"), whole(printed[1]), moved=True)
        return ()

    def _bar(self, epoch: int, batch: int, total: int, text: str) -> Iterator[Found]:
        moved = (epoch, batch) > self.at and batch > 0
        self.at = max(self.at, (epoch, batch))
        return self._told(_cells(text, ",", "="), epoch * total + batch, moved=moved)

    def _told(self, pairs: dict[str, str], step: int | None, *, moved: bool) -> Iterator[Found]:
        step = whole(pairs.get("global_step")) if "global_step" in pairs else step
        wanted = [(name, value) for name, value in pairs.items() if name not in _PASSED_OVER]
        for found in named(wanted, NAMES, index=step, own=True):
            if found.metric == "eval_loss" or found.metric.startswith("val"):
                before = self.shown.get(found.metric)
                if before is None or before.value != found.value:
                    self.shown[found.metric] = found
                    yield found
            elif moved:
                yield found


def _cells(text: str, between: str, sign: str) -> dict[str, str]:
    cells = (cell.partition(sign) for cell in text.split(between))
    return {name.strip(): value for name, _, value in cells if value}
