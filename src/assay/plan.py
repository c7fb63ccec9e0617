"""How a job is laid out over accelerators. A plan is one layout, or a whole grid of them as arrays of one length."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from enum import IntEnum
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeAlias

from assay.errors import InputError, did_you_mean, shown

if TYPE_CHECKING:
    import numpy as np

    Ints: TypeAlias = int | np.ndarray[tuple[int, ...], np.dtype[np.integer]]
    Bools: TypeAlias = bool | np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


class Recompute(IntEnum):
    """Which activations are computed again in the backward pass instead of kept (Korthikanti et al. 2022)."""

    NONE = 0
    SELECTIVE = 1  # what is cheap: the attention core, or where no scores are stored norms and activations
    FULL = 2  # each layer from its input
    PER_OP = 3  # what is cheap and every second product (torchtitan's "per-op selective")


class Schedule(IntEnum):
    """In which order a pipeline's stages take micro-batches."""

    GPIPE = 0  # all forward, then all backward (Huang et al. 2019)
    ONE_F_ONE_B = 1  # one forward, one backward (Narayanan et al. 2019); interleaved with virtual > 1
    ZERO_BUBBLE = 2  # weight gradients fill the bubble (Qi et al. 2023, ZB-H1)


class ContextKind(IntEnum):
    """How devices that share a sequence see each other's keys and values."""

    RING = 0  # passed on from neighbour to neighbour while attention is computed (Liu et al. 2023)
    GATHER = 1  # all of them gathered first (Llama 3, §3.3.2)
    ULYSSES = 2  # heads exchanged for positions and back (Jacobs et al. 2023)


class Offload(IntEnum):
    """Where what does not have to lie on the device goes between its uses."""

    NONE = 0
    HOST = 1
    NVME = 2


# The letters the field uses, on the command line and in tables.
SHORT = {
    "dp": "data", "tp": "tensor", "pp": "pipeline", "vp": "virtual", "cp": "context", "ep": "expert",
    "mbs": "micro_batch", "zero": "zero_stage", "sp": "sequence_parallel", "ac": "recompute",
    "flash": "flash_attention", "fused": "fused", "acl": "recompute_layers", "shard": "shard", "pps": "schedule",
    "cpk": "context_kind", "oo": "offload_optimizer", "oa": "offload_activations", "lc": "loss_chunks",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One layout (scalars) or a grid of layouts (equal-length arrays); `data * tensor * pipeline * context` devices.

    `virtual` is the number of model chunks per pipeline stage (interleaving), `micro_batch` the sequences one
    accelerator works on at a time, `zero_stage` what is sharded over data parallelism (0 nothing, 1 optimizer state,
    2 and gradients, 3 and weights = FSDP), `expert` over how many of the devices experts (or a recommender's tables)
    are spread.
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
    fused: Bools = True  # pointwise operations fused by hand or by a compiler
    recompute_layers: Ints = 0  # of a stage, recomputed at level FULL; 0 = all of them
    shard: Ints = 0  # devices that ZeRO shards over (HSDP); 0 = all replicas
    schedule: Ints = Schedule.ONE_F_ONE_B
    context_kind: Ints = ContextKind.RING
    offload_optimizer: Ints = Offload.NONE
    offload_activations: Ints = Offload.NONE
    loss_chunks: Ints = 1  # pieces of the micro-batch whose logits are made, scored and forgotten one by one

    def __post_init__(self) -> None:
        """Refuse a layout that cannot be; the columns of a grid come from the search, which makes only what can."""
        for name in _DEFAULTS:
            value = getattr(self, name)
            if not getattr(value, "ndim", 0) and not _possible(name, value):
                raise InputError(f"plan: {name} = {shown(value)} is not possible", hint=f"write {_wanted(name)}")

    @property
    def layouts(self) -> int:
        """How many layouts this is."""
        return max(getattr(getattr(self, name), "size", 1) for name in _DEFAULTS)

    def __str__(self) -> str:
        if self.layouts != 1:
            return f"{self.layouts} plans"
        return " ".join(
            f"{short}={_word(name, getattr(self, name))}" for short, name in SHORT.items() if _told(self, name)
        )


def parse_plan(text: str) -> Plan:
    """A plan from "tp=8,pp=4,mbs=2,zero=1,ac=full": field letters or names; what is not said keeps its default.

    >>> parse_plan("tp=8,pp=4,recompute=full").pipeline
    4
    """
    values: dict[str, Any] = {}
    names = {f.name for f in fields(Plan)}
    for item in filter(None, re.split(r"[,\s]+", re.sub(r"\s*=\s*", "=", text))):
        key, sign, word = item.lower().partition("=")
        name = SHORT.get(key, key.replace("-", "_"))
        if name not in names or not sign:
            hint = did_you_mean(key, [*SHORT, *sorted(names)]) if name not in names else f"write {key}=VALUE"
            raise InputError(
                f'plan: "{item}" is not understood', hint=hint or f"write name=value with {', '.join(SHORT)}"
            )
        if name in values:
            raise InputError(f"plan: {name} is given twice", hint="keep one of them")
        values[name] = _value(name, word)
    return Plan(**values)


_MOST = 10**9  # of anything: devices, stages, sequences
_FLAGS = {"y": True, "yes": True, "true": True, "1": True, "n": False, "no": False, "false": False, "0": False}
_SWITCHES = ("sequence_parallel", "flash_attention", "fused")
_WORDS: dict[str, type[IntEnum]] = {
    "recompute": Recompute, "schedule": Schedule, "context_kind": ContextKind, "offload_optimizer": Offload,
    "offload_activations": Offload,
}  # fmt: skip
# Fields that count from 0, with the most they can be.
_LEVELS = {"zero_stage": 3, "recompute_layers": _MOST, "shard": _MOST} | {n: len(e) - 1 for n, e in _WORDS.items()}


def _value(name: str, word: str) -> int | bool:
    if name in _SWITCHES:
        if word not in _FLAGS:
            raise InputError(f'plan: {name}="{word}" is neither yes nor no', hint=f"write {name}=yes")
        return _FLAGS[word]
    if name in _WORDS and (level := _level(name, word)) is not None:
        return level
    if not re.fullmatch("[0-9]{1,10}", word) or not _possible(name, int(word)):
        raise InputError(f'plan: {name}="{word}" is not possible', hint=f"write {_wanted(name)}")
    return _WORDS[name](int(word)) if name in _WORDS else int(word)


def _level(name: str, word: str) -> IntEnum | None:
    """The level that a word says, as it is printed or by its name in Python."""
    wanted = word.replace("_", "-")
    return next((e for e in _WORDS[name] if wanted in (_spelt(e), e.name.lower().replace("_", "-"))), None)


def _spelt(level: IntEnum) -> str:
    return "1f1b" if level is Schedule.ONE_F_ONE_B else level.name.lower().replace("_", "-")


def _possible(name: str, value: object) -> bool:
    if name in _SWITCHES:
        return value in (True, False)
    least, most = (0, _LEVELS[name]) if name in _LEVELS else (1, _MOST)
    return isinstance(value, Integral) and least <= int(value) <= most


def _wanted(name: str) -> str:
    if name in _WORDS:
        words = [_spelt(level) for level in _WORDS[name]]
        return (
            f"{', '.join(words[:-1])} or {words[-1]}: {', '.join(map(str, range(len(words) - 1)))} or {len(words) - 1}"
        )
    told = {"zero_stage": "a ZeRO stage, 0 to 3", "recompute_layers": "a whole number, 0 for all layers",
            "shard": "a whole number, 0 for all replicas"}  # fmt: skip
    return told.get(name, "True or False" if name in _SWITCHES else "a whole number, 1 or more")


def _word(name: str, value: Any) -> str:
    if name in _WORDS:
        return _spelt(_WORDS[name](int(value)))
    if name in _SWITCHES:
        return "yes" if value else "no"
    return str(int(value))


def _told(plan: Plan, name: str) -> bool:
    """Whether a reader needs this field: it is not at its default, or is always asked for."""
    if name in ("data", "micro_batch", "zero_stage"):
        return True
    if name == "sequence_parallel":
        return bool(plan.tensor != 1)  # without tensor parallelism it says nothing
    return bool(getattr(plan, name) != _DEFAULTS[name])


_DEFAULTS = {f.name: f.default for f in fields(Plan)}
