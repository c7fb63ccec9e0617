"""How a job is laid out over accelerators. A plan is one layout, or a whole grid of them as arrays of one length."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import TYPE_CHECKING, TypeAlias

from assay.errors import InputError, did_you_mean

if TYPE_CHECKING:
    import numpy as np

    Ints: TypeAlias = int | np.ndarray[tuple[int, ...], np.dtype[np.integer]]
    Bools: TypeAlias = bool | np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


class Recompute(IntEnum):
    """Which activations are computed again in the backward pass instead of kept (Korthikanti et al. 2022)."""

    NONE = 0
    SELECTIVE = 1  # the attention core only
    FULL = 2  # each layer from its input


# The letters the field uses, on the command line and in tables.
SHORT = {
    "dp": "data", "tp": "tensor", "pp": "pipeline", "vp": "virtual", "cp": "context", "ep": "expert",
    "mbs": "micro_batch", "zero": "zero_stage", "sp": "sequence_parallel", "ac": "recompute",
    "flash": "flash_attention",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One layout (scalars) or a grid of layouts (equal-length arrays); `data * tensor * pipeline * context` devices.

    `virtual` is the number of model chunks per pipeline stage (interleaving), `micro_batch` the sequences one
    accelerator works on at a time, `zero_stage` what is sharded over data parallelism (0 nothing, 1 optimizer state,
    2 and gradients, 3 and weights = FSDP).
    """

    data: Ints = 1
    tensor: Ints = 1
    pipeline: Ints = 1
    virtual: Ints = 1
    context: Ints = 1
    expert: Ints = 1
    micro_batch: Ints = 1
    zero_stage: Ints = 1
    sequence_parallel: Bools = True
    recompute: Ints = Recompute.NONE
    flash_attention: Bools = True

    def __str__(self) -> str:
        text = [f"{short}={_word(name, getattr(self, name))}" for short, name in SHORT.items() if _told(self, name)]
        return " ".join(text) or "one device"


def parse_plan(text: str) -> Plan:
    """A plan from "tp=8,pp=4,mbs=2,zero=1,ac=full": field letters or names; what is not said keeps its default.

    >>> parse_plan("tp=8,pp=4,recompute=full").pipeline
    4
    """
    values: dict[str, int | bool] = {}
    names = {f.name for f in fields(Plan)}
    for item in filter(None, (part.strip() for part in text.replace(" ", ",").split(","))):
        key, sign, word = item.partition("=")
        name = SHORT.get(key.strip().lower(), key.strip().lower().replace("-", "_"))
        if name not in names or not sign:
            known = [*SHORT, *sorted(names)]
            raise InputError(
                f'plan: "{item}" is not understood',
                hint=did_you_mean(key, known) or f"write name=value with {', '.join(SHORT)}",
            )
        values[name] = _value(name, word.strip().lower())
    return Plan(**values)


def _value(name: str, word: str) -> int | bool:
    if name == "recompute" and word.upper() in Recompute.__members__:
        return Recompute[word.upper()]
    if name in ("sequence_parallel", "flash_attention"):
        if word not in ("y", "yes", "true", "1", "n", "no", "false", "0"):
            raise InputError(f'plan: {name}="{word}" is neither yes nor no', hint=f"write {name}=yes")
        return word in ("y", "yes", "true", "1")
    if not word.isdecimal() or (int(word) < 1 and name not in ("zero_stage", "recompute")) or len(word) > 9:
        wanted = "none, selective or full" if name == "recompute" else "a whole number, 1 or more"
        raise InputError(f'plan: {name}="{word}" is not possible', hint=f"write {wanted}")
    if name in ("zero_stage", "recompute") and int(word) > (3 if name == "zero_stage" else 2):
        raise InputError(f'plan: {name}="{word}" is not possible', hint="ZeRO has stages 0 to 3, recompute levels 0 to 2")
    return Recompute(int(word)) if name == "recompute" else int(word)


def _word(name: str, value: object) -> str:
    if name == "recompute" and isinstance(value, int):
        return Recompute(value).name.lower()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _told(plan: Plan, name: str) -> bool:
    value = getattr(plan, name)
    if name in ("data", "micro_batch", "zero_stage"):
        return True
    if name == "recompute":
        return bool(value != Recompute.NONE)
    if name == "sequence_parallel":
        return bool(plan.tensor != 1 and value)
    if name == "flash_attention":
        return value is False
    return bool(value != 1)
