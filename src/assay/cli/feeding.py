"""Flags that say the job, where its data come from and where it saves itself: the same on every verb that predicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from assay.api.feeding import StatedCheckpoint, StatedFeed
    from assay.assumption import Assumption

F = TypeVar("F", bound=Callable[..., Any])

# Keyword -> flag and what stands beside it, in the order of --help.
_FLAGS: Mapping[str, tuple[str, str, str]] = {
    "data": ("--data", "KIND", "tokens, imagenet or criteo: the usual size and decoding of a sample."),
    "storage": ("--storage", "NAME[xN]|RATE", 'Where the data lie: "ddn-ai400x2", "nvme-pcie5 x 4", 9GB/s.'),
    "sample_bytes": ("--sample-bytes", "SIZE", "Of a sample as it is stored, as 110kB."),
    "decode": ("--decode", "TIME", "Of one core to decode and augment a sample, as 9ms."),
    "cores": ("--cores", "N", "Of a node, that do so."),
    "cache": ("--cache", "SHARE NAME|RATE", 'Reads that a cache answers: "80% dram-ddr5-2s".'),
    "checkpoint_to": ("--checkpoint-to", "NAME[xN]|RATE", "Where checkpoints go; counts stops and saves."),
    "failures": ("--failures", "RATE", 'Stops per device, as "0.17/year"; counts stops and saves.'),
}

_JOB = (
    ("--seq-len", "TOKENS", "Length of a sequence."),
    ("--batch", "SEQUENCES", "Sequences (or samples, such as pictures) an optimizer step learns from."),
    ("--batch-tokens", "TOKENS", "The same in tokens, as 4M."),
    ("--tokens", "TOKENS", "Tokens to train on, as 100B; without it the answer is a rate."),
    ("--samples", "SAMPLES", "The same in samples, of models that have no tokens."),
    ("--precision", "DTYPE", "Of the matrix multiplications: bf16, fp16, fp8, tf32, fp32 …"),
    ("--optimizer", "NAME", "adam, adam-8bit, adafactor, sgd or muon.  [default: adam]"),
    ("--lora", "RANK", "Only adapters of this rank learn; without it every weight does."),
)


def feeding_options(function: F) -> F:
    """`--storage`, `--checkpoint-to` and what goes with them."""
    asynchronous = click.option(
        "--checkpoint-async", "behind", is_flag=True, help="Checkpoints are written while training goes on."
    )
    for name, (flag, metavar, text) in reversed(list(_FLAGS.items())):
        function = click.option(flag, name, metavar=metavar, help=text)(function)
        function = asynchronous(function) if name == "failures" else function
    return function


def job_options(function: F) -> F:
    """`--seq-len`, `--batch` and what else says the job."""
    for flag, metavar, text in reversed(_JOB):
        function = click.option(flag, metavar=metavar, help=text)(function)
    return function


def stated(told: Mapping[str, Any]) -> tuple[StatedFeed | None, StatedCheckpoint | None]:
    """What the flags say; None where they say nothing."""
    from assay.api.feeding import StatedCheckpoint, StatedFeed
    from assay.api.jobs import count

    feed = StatedFeed(
        data=told["data"], storage=told["storage"], cache=told["cache"],
        sample_bytes=_quantity(told["sample_bytes"], "bytes", "--sample-bytes", 1e13),
        decode_s=_quantity(told["decode"], "s", "--decode", 86_400.0),
        cores=None if told["cores"] is None else count(told["cores"], "--cores", 100_000),
    )  # fmt: skip
    kept = StatedCheckpoint(
        to=told["checkpoint_to"], mode="async" if told["behind"] else None,
        failure_hz=_quantity(told["failures"], "hz", "--failures", 1.0 / 3600.0),
    )  # fmt: skip
    return (None if feed == StatedFeed() else feed), (None if kept == StatedCheckpoint() else kept)


def learning(told: Mapping[str, Any]) -> dict[str, Any]:
    """What the flags say of how it learns, under the names of a workload file."""
    from assay.api.jobs import count

    rank = None if told["lora"] is None else count(told["lora"], "--lora", 100_000)
    return {"optimizer": told["optimizer"], "adapter_rank": rank}


def words(told: Mapping[str, Any]) -> list[str]:
    """The same flags as they would be typed again."""
    flags = {name: flag for name, (flag, _, _) in _FLAGS.items()} | {"optimizer": "--optimizer", "lora": "--lora"}
    said = [word for name, flag in flags.items() if told[name] is not None for word in (flag, told[name])]
    return [*said, *(["--checkpoint-async"] if told["behind"] else [])]


def _quantity(written: str | None, unit: str, flag: str, most: float) -> Assumption | None:
    from assay.assumption import exactly
    from assay.errors import InputError
    from assay.units import parse, show

    if written is None:
        return None
    try:
        value = parse(written, unit)
    except InputError as error:
        raise InputError(error.what, where=flag, hint=error.hint) from None
    if value < 0:
        raise InputError(f"{written} is below 0", where=flag, hint="leave out what is unknown")
    if not value <= most:
        raise InputError(f"{written} is not possible here", where=flag, hint=f"write {show(most, unit)} or less")
    return exactly(value)
