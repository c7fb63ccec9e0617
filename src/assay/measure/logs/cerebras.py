"""Cerebras Model Zoo: `| Train Device=CSX, Step=50, Loss=8.31250, Rate=69.37 samples/sec, GlobalRate=…`.

`Rate` is that of the last steps, smoothed; `GlobalRate` a mean since training began.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assay.measure.found import Reader, Said
from assay.measure.words import NAMED, NUMBER, Names, figure, named, whole

NAME, TITLE = "cerebras", "Cerebras Model Zoo"
MARKS = ("| Train Device=", "| Eval Device=")

TRAIN: Names = {
    "Loss": ("loss", 1),
    "Rate": ("samples_per_s", 1),
    "GlobalRate": (figure("samples_per_s", "mean"), 1),
}
EVAL: Names = {"Loss": ("eval_loss", 1), "Rate": ("eval_samples_per_s", 1)}

_LINE = re.compile(r"\| (Train|Eval) Device=(.*)")
_PAIR = re.compile(rf"({NAMED})=({NUMBER})(?: samples/sec)?(?:,|\s*$)")


def reader(command: tuple[str, ...]) -> Reader:
    """Losses and rates of training and of evaluation."""

    def line(line: str) -> Iterator[Said]:
        if said := _LINE.search(line):
            pairs = dict(_PAIR.findall(said[2]))
            step = whole(pairs.get("GlobalStep", pairs.get("Step")))
            if step is None:
                raise ValueError("no step")
            yield from named(pairs.items(), TRAIN if said[1] == "Train" else EVAL, index=step)

    return line
