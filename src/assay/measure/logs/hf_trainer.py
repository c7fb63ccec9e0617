"""Hugging Face Trainer: dictionaries in Python's writing, values bare (transformers 4) or in quotes (5).

The dictionaries do not say their step; the progress bar does, which is drawn anew after each: a dictionary waits for
it. Without a bar, or where the output is buffered and comes long after it, they have no step. `tokens` are those of one
step: the growth of num_input_tokens_seen over the steps since the last report. What a report calls *_per_second is a
mean since training began, evaluation included, and is named as such.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from assay.measure.found import Found, Reader, Said
from assay.measure.words import COMMON, NUMBER, Names, figure, named, number

NAME, TITLE = "hf_trainer", "Hugging Face Trainer"
MARKS = ("{'", "%|")

NAMES: Names = {
    **COMMON,
    "train_loss": (figure("loss", "mean"), 1),  # over all of training
    "train_runtime": ("train_s", 1),
    "train_samples_per_second": (figure("samples_per_s", "mean"), 1),
    "train_tokens_per_second": (figure("tokens_per_s", "mean"), 1),
    "eval_runtime": ("eval_s", 1),
    "eval_samples_per_second": ("eval_samples_per_s", 1),
}
_PASSED_OVER = frozenset({
    "epoch", "step", "total_flos", "num_input_tokens_seen", "num_tokens", "train_steps_per_second",
    "eval_steps_per_second",
})  # fmt: skip
_KNOWN = NAMES.keys() - {"accuracy", "lr"}  # a dictionary without any of these is somebody else's

_PAIR = re.compile(rf"'([^']+)': '?({NUMBER})'?(?=[,}}])")
_BAR = re.compile(r"\s*\d+%\|[^|]*\|\s*(\d+)/(\d+) \[")


def reader(command: tuple[str, ...]) -> Reader:
    """What the Trainer reports, with the step its bar stands at."""
    return _Trainer().line


@dataclass
class _Trainer:
    total: str = ""  # of the bar that is drawn after a report: evaluation has bars too
    told: int = 0  # step of the last report
    seen_tokens: float | None = None  # all until the last report that had a step
    held: dict[str, str] = field(default_factory=dict)  # a report that waits for the bar
    blind: bool = False  # reports come long after their bars: they are buffered

    def line(self, line: str) -> Iterator[Said]:
        if bar := _BAR.match(line):
            if "loss" in self.held or not self.total:
                self.total = bar[2]
            if self.held and bar[2] == self.total:
                yield from self._let_go(int(bar[1]))
            return
        start = line.find("{'")
        said = dict(_PAIR.findall(line, start)) if start >= 0 else {}
        if not said.keys() & _KNOWN:
            return
        self.blind = self.blind or bool(self.held)
        yield from self._let_go(None)
        self.held = said
        if self.blind or not self.total or "train_loss" in said:  # no bar comes, or none after this
            yield from self._let_go(None)

    def _let_go(self, step: int | None) -> Iterator[Found]:
        said, self.held = self.held, {}
        wanted = {name: value for name, value in said.items() if name not in _PASSED_OVER}
        if "loss" not in said:  # of an evaluation, or of all at the end
            yield from named(wanted.items(), NAMES, index=step, own=True)
            return
        before = self.told
        step = step if step is not None and step > before else None
        self.told = step or before
        wanted.pop("train_runtime", None)
        yield from named(wanted.items(), NAMES, index=step, own=True)
        tokens = number(said.get("num_input_tokens_seen"))
        if step is None or tokens is None:
            return
        if self.seen_tokens is not None and tokens > self.seen_tokens:
            yield Found("tokens", (tokens - self.seen_tokens) / (step - before), step)
        self.seen_tokens = tokens
