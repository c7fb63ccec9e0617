"""Words of other people's logs as metrics: names that mean the same, numbers as printed, figures of figures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from assay.measure.found import Found
from assay.units import suffix

Names = Mapping[str, tuple[str, float]]  # as printed -> the metric, and what one of its units is in ours

# What programs call a metric when they choose the name themselves -> ours.
COMMON: Names = {
    "loss": ("loss", 1), "train_loss": ("loss", 1), "train/loss": ("loss", 1), "training_loss": ("loss", 1),
    "train_loss_step": ("loss", 1), "eval_loss": ("eval_loss", 1), "val_loss": ("eval_loss", 1),
    "val/loss": ("eval_loss", 1), "valid_loss": ("eval_loss", 1), "validation_loss": ("eval_loss", 1),
    "accuracy": ("accuracy", 1), "eval_accuracy": ("accuracy", 1), "val_acc": ("accuracy", 1),
    "lr": ("learning_rate", 1), "learning_rate": ("learning_rate", 1), "grad_norm": ("grad_norm", 1),
}  # fmt: skip
STEPS = ("step", "global_step", "iteration", "iter")  # what programs call the number of a step

NUMBER = r"[-+]?(?:\d[\d,]*(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|[nN]a[nN]|inf(?:inity)?|Infinity)"
NAMED = r"\w{1,80}"  # bounded: an endless word must not be tried from each of its letters
_NUMBER = re.compile(NUMBER)
_ODD = re.compile(r"[^0-9A-Za-z_.]+")


def number(printed: object) -> float | None:
    """A number as printed, thousands separators and all; None where there is none. NaN and infinity are numbers here.

    >>> number("1,234.5"), number("3.5E-04"), number("N/A"), number(True), number("inf")
    (1234.5, 0.00035, None, None, inf)
    """
    if isinstance(printed, bool):
        return None
    if isinstance(printed, (int, float)):
        return _float(printed)
    if isinstance(printed, str) and _NUMBER.fullmatch(text := printed.strip()):
        return _float(text.replace(",", ""))
    return None


def _float(value: str | float) -> float | None:
    try:
        return float(value)
    except (ValueError, OverflowError):  # a whole number of hundreds of digits
        return None


def named(
    pairs: Iterable[tuple[str, Any]], names: Names, *, index: int | None = None, case: str = "", rank: int = 0,
    own: bool = False,
) -> Iterator[Found]:  # fmt: skip
    """Values under our names; with `own` also those that are in no table, under their program's."""
    for name, printed in pairs:
        metric, scale = names.get(name, (plain(name) if own else "", 1))
        value = number(printed)
        if metric and value is not None:
            yield Found(metric, value * scale, index, case, rank)


def plain(name: str) -> str:
    """A name that somebody made up, without what no name of a metric holds.

    >>> plain("rewards/chosen"), plain("lr-AdamW")
    ('rewards_chosen', 'lr_AdamW')
    """
    return _ODD.sub("_", name).strip("_.")


def figure(metric: str, which: str) -> str:
    """The name of a figure that a tool worked out itself: it is no sample of the metric.

    >>> figure("ttft_s", "p99"), figure("loss", "mean"), figure("tokens_per_s", "mean")
    ('ttft_p99_s', 'loss_mean', 'mean_tokens_per_s')
    """
    unit = suffix(metric)
    stem = metric.removesuffix(unit).removesuffix("_")
    return "_".join(part for part in (stem, which.replace(".", "_"), unit) if part)


def whole(printed: object) -> int | None:
    """A step's number as printed; None where it is none.

    >>> whole("4.000"), whole("1,000"), whole(None)
    (4, 1000, None)
    """
    value = number(printed)
    return int(value) if value is not None and value == value // 1 and abs(value) < 1 << 53 else None
