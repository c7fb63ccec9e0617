"""What was written, as a job and as machines: typed in a shell, in a workload file, or in a pilot."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from assay.api.feeding import StatedCheckpoint, StatedFeed, checkpoint_of, feed_of, over
from assay.errors import InputError
from assay.hardware import System
from assay.model import Model, TransformerShape
from assay.pilot import Work
from assay.workload import Optimizer, Storage, Task, Workload

Count: TypeAlias = int | float | str | bool  # as written: 8192, "4M", "100B"; true is refused with a plain sentence

_WRITTEN = re.compile(
    r"((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9][0-9_]*)(?:\.[0-9]+)?(?:[eE]\+?[0-9]+)?)\s*([kKMBGT]|[KMG]i)?(?:\s?tokens)?"
)
_SIZES = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12,
          "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30}  # fmt: skip
_MOST = 10**18  # tokens
_LONGEST = 10**8  # of a sequence or a batch
_NODES = 10**6
_SEQ_LEN = 2048  # where nothing is said: what most published training runs used
_BATCH = 512
_ROUNDED = 0.05  # "4M tokens" is said of 4,194,304: a batch may move this far to become a number that divides
_LEARNING = ("optimizer", "storage", "adapter_rank", "mean_len", "target_len", "expert_imbalance", "expert_capacity")
_MANY = re.compile(r"\s*(\d{1,4})\s*[x×]\s*(\S.*)")  # 4x H100


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """A workload file, or the same said with flags; None is what nobody said."""

    model: str
    name: str = ""
    task: Task = "train"
    seq_len: Count | None = None
    global_batch: Count | None = None  # sequences, or samples of what has no tokens
    batch_tokens: Count | None = None  # the same, in tokens
    tokens: Count | None = None
    samples: Count | None = None  # the amount, where the model has no tokens
    precision: str | None = None
    optimizer: Optimizer | None = None
    storage: Storage | None = None  # of weights and their state
    adapter_rank: int | None = None  # only adapters of this rank learn (LoRA)
    mean_len: float | None = None  # tokens of a sequence that are no padding, where padding is left out
    target_len: int | None = None  # tokens that a decoder writes of each sequence its encoder reads
    expert_imbalance: float | None = None
    expert_capacity: float | None = None
    feed: StatedFeed | None = None
    checkpoint: StatedCheckpoint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job, and what had to be assumed because nobody said it."""

    workload: Workload
    assumed: tuple[str, ...]


def count(written: Count, where: str, most: int = _MOST) -> int:
    """A whole number above 0 as people write it.

    >>> count("4M", "--tokens"), count("1.5e11", "--tokens"), count("4_194_304", "--tokens")
    (4000000, 150000000000, 4194304)
    """
    text = str(written).strip()
    match = _WRITTEN.fullmatch(text) if not isinstance(written, bool) and len(text) < 60 else None
    hint = "write a whole number above 0, such as 512, 4M, 100B or 1e11"
    if match is None:
        raise InputError(f'"{text[:60]}" is not a count', where=where, hint=hint)
    value = float(match[1].replace("_", "").replace(",", "")) * _SIZES[match[2] or ""]
    if not 1 <= value <= most or value != int(value):
        raise InputError(f'"{text}" is not possible here', where=where, hint=f"write a whole number from 1 to {most:,}")
    return int(value)


def job_of(text: str, flags: Stated, folders: Sequence[Path] = ()) -> Job:
    """The job that a name, a config.json, a folder or a workload file and the flags beside it stand for."""
    stated, where = _read(text)
    return _job(_over(stated, flags), where, text, folders)


def job_of_work(work: Work, beside: Path = Path(), folders: Sequence[Path] = ()) -> Job:
    """The job that one kind of work of a pilot stands for; a model's path is looked for beside the pilot's file."""
    path = beside / work.model
    stated = Stated(
        model=str(path) if work.model and os.path.exists(path) else work.model, name=work.name,  # noqa: PTH110
        task=work.task, seq_len=work.seq_len, global_batch=work.global_batch, batch_tokens=work.batch_tokens,
        tokens=None if work.tokens is None else work.tokens.value,
        samples=None if work.samples is None else work.samples.value, precision=work.precision,
    )  # fmt: skip
    return _job(stated, f'workload "{work.name}"', work.name, folders)


def _job(stated: Stated, where: str, text: str, folders: Sequence[Path]) -> Job:
    from assay.api.predicting import workload
    from assay.catalog.models import model

    if stated.task == "serve":
        raise InputError("serving is not predicted yet", where=where or text, hint='task = "train" or "finetune" is')
    found = model(stated.model, folders)
    _refuse_the_other_count(stated, found, where)
    seq_len, told = _seq_len(stated, found, where)
    batch, spoken = _batch(stated, found, seq_len, where)
    tokens, samples = (
        None if amount is None else float(count(amount, _place(where, name)))
        for name, amount in (("tokens", stated.tokens), ("samples", stated.samples))
    )
    job = workload(
        found, name=stated.name, task=stated.task, seq_len=seq_len, global_batch=batch, tokens=tokens, samples=samples,
        precision="bf16" if stated.precision is None else stated.precision,
        **{name: said for name in _LEARNING if (said := getattr(stated, name)) is not None},
    )  # fmt: skip
    unsaid = () if stated.precision is not None else ("precision bf16",)
    if stated.task == "finetune" and stated.adapter_rank is None:
        unsaid = (*unsaid, "every weight learns (--lora)")
    fed, eaten = feed_of(stated.feed, found, seq_len, where, folders)
    kept, usual = checkpoint_of(stated.checkpoint, where, folders)
    job = replace(job, feed=fed, checkpoint=kept)
    return Job(workload=job, assumed=(*_doubt(found), *told, *spoken, *unsaid, *eaten, *usual))


def _refuse_the_other_count(stated: Stated, model: Model, where: str) -> None:
    """Words of sequences for a model that has none, or samples of one whose sequences are counted in tokens."""
    other = ("samples",) if model.has_tokens else ("seq_len", "batch_tokens", "tokens")
    instead = {"samples": "tokens", "batch_tokens": "batch", "tokens": "samples"}
    for name in (name for name in other if getattr(stated, name) is not None):
        what = "is counted in tokens" if model.has_tokens else "has no tokens: its batches and its amount are samples"
        hint = f"write --{instead[name].replace('_', '-')}" if name in instead else "leave it out"
        raise InputError(f"{model.name} {what}", where=_place(where, name), hint=hint)


def _doubt(model: Model) -> tuple[str, ...]:
    """What is to be said of a model that was read from a config of no known family."""
    from assay.counting import parameters

    if model.confidence != "low":
        return ()
    return (f"its model_type is not known here: read by its sizes, {parameters(model.shape) / 1e9:.3g} B parameters",)


def machines(on: Sequence[str], nodes: str | None, folders: Sequence[Path] = ()) -> list[System]:
    """Every system asked for, at every number of nodes; "all" is the whole catalog."""
    from assay import catalog

    names = [name.strip() for text in on for name in text.split(",") if name.strip()]
    if not names:
        raise InputError("no system is named", where="--on", hint="write --on hgx-h100, or --on all")
    odd = next((name for name in names if name.startswith(("-", "+"))), None)
    if odd is not None:
        raise InputError(
            f'"{odd[:60]}" is no system', where="--on", hint='write a name, or a number of them: "4x H100"'
        )
    if any(name.casefold() == "all" for name in names):
        names = list(catalog.systems(folders))
    counts = [count(part, "--nodes", _NODES) for part in nodes.split(",")] if nodes is not None else [None]
    found = [_machine(name, n, folders) for name in names for n in counts]
    return list({(m.name, m.count_per_node, m.nodes): m for m in found}.values())


def _read(text: str) -> tuple[Stated, str]:
    """A workload file's statement and its path; anything else is the name or the path of a model."""
    from assay.codec import decode, read_toml

    if not text.endswith(".toml"):
        return Stated(model=text), ""
    raw = read_toml(Path(text))
    if {"config", "shape"} & raw.keys():  # a model of one's own, written as the catalog's are
        return Stated(model=text), ""
    if "batch" in raw:
        hint = "write global_batch (sequences) or batch_tokens"
        raise InputError('unknown key "batch"', where=text, hint=hint)
    stated = decode({k: v for k, v in raw.items() if k not in ("schema", "kind")}, Stated, text)
    beside = Path(text).parent / stated.model
    return (replace(stated, model=str(beside)) if os.path.exists(beside) else stated), text  # noqa: PTH110


def _over(stated: Stated, flags: Stated) -> Stated:
    """The file's words, with those of the command line in their place."""
    if flags.global_batch is not None and flags.batch_tokens is not None:
        raise InputError("--batch and --batch-tokens say the same twice", hint="keep one of them")
    said = {
        key: getattr(flags, key)
        for key in ("seq_len", "tokens", "samples", "precision", *_LEARNING)
        if getattr(flags, key) is not None
    }
    if flags.global_batch is not None or flags.batch_tokens is not None:
        said |= {"global_batch": flags.global_batch, "batch_tokens": flags.batch_tokens}
    elif stated.global_batch is not None and stated.batch_tokens is not None:
        raise InputError("global_batch and batch_tokens say the same twice", hint="keep one of them")
    said |= {"feed": over(stated.feed, flags.feed), "checkpoint": over(stated.checkpoint, flags.checkpoint)}
    return replace(stated, **said)


def _seq_len(stated: Stated, model: Model, where: str) -> tuple[int, tuple[str, ...]]:
    if not model.has_tokens:
        return 1, ()
    if stated.seq_len is None:
        most = model.shape.max_seq_len if isinstance(model.shape, TransformerShape) else None
        seq_len = min(_SEQ_LEN, most or _SEQ_LEN)
        return seq_len, (f"sequence length {seq_len:,} (--seq-len)",)
    place = _place(where, "seq_len")
    if re.fullmatch(r"[0-9.]+\s*[kK]", str(stated.seq_len).strip()):
        thousands = float(str(stated.seq_len).strip(" kK"))
        hint = f"write {1024 * thousands:.0f} or {1000 * thousands:.0f}"
        raise InputError(f'"{stated.seq_len}" may be either of two lengths', where=place, hint=hint)
    return count(stated.seq_len, place, _LONGEST), ()


def _batch(stated: Stated, model: Model, seq_len: int, where: str) -> tuple[int, tuple[str, ...]]:
    """Sequences (or samples) a step; a batch in tokens becomes a number of sequences that many devices divide."""
    if stated.global_batch is not None:
        return count(stated.global_batch, _place(where, "batch"), _LONGEST), ()
    if stated.batch_tokens is None:
        return _BATCH, (f"batch of {_BATCH} {'sequences' if model.has_tokens else 'samples'} (--batch)",)
    place = _place(where, "batch_tokens")
    tokens = count(stated.batch_tokens, place)
    if tokens < seq_len:
        what = f"a batch of {tokens:,} tokens is less than one sequence of {seq_len:,}"
        raise InputError(what, where=place, hint=f"write {seq_len} or more")
    batch = count(divisible(tokens / seq_len), place, _LONGEST)
    exact = batch * seq_len == tokens
    return batch, () if exact else (f"batch of {batch:,} sequences = {batch * seq_len:,} tokens",)


def divisible(sequences: float) -> int:
    """The nearest multiple of the largest power of two that is no more than 5 % away; a whole number stays.

    >>> divisible(4e6 / 8192), divisible(512.0), divisible(1.5)
    (512, 512, 2)
    """
    if sequences == int(sequences):
        return int(sequences)
    unit = 1 << int(sequences).bit_length()
    while unit > 1 and abs(round(sequences / unit) * unit - sequences) > _ROUNDED * sequences:
        unit //= 2
    return max(1, round(sequences / unit) * unit)


def _place(where: str, key: str) -> str:
    """Where a number was written: in the file, or as a flag (a flag may stand in for the file's value)."""
    flag = "--" + key.replace("_", "-")
    return f"{where}: {key} (or {flag})" if where else flag


def _machine(name: str, nodes: int | None, folders: Sequence[Path]) -> System:
    """A system by name. "4x H100" is a box of four, "16x H100" two boxes of eight, "4x DGX H100" four boxes."""
    from assay import catalog
    from assay.api.predicting import system

    many = _MANY.fullmatch(name)
    found = system(name, nodes or 1, folders)
    if many is None or found.name == name.strip().casefold():
        return found
    asked, per_node = int(many[1]), found.count_per_node
    if nodes is None and _is_system(many[2], folders):
        return system(many[2], asked, folders)
    if asked == per_node:
        return found
    if 0 < asked < per_node:
        return catalog.system_for(found.accelerator.name, asked, folders).with_nodes(nodes or 1)
    if nodes is None and asked and asked % per_node == 0:
        return found.with_nodes(asked // per_node)
    hint = f"write --on {found.name} --nodes N; it has {per_node} a node"
    raise InputError(f'"{name}" is no whole number of nodes of {found.name}', where="--on", hint=hint)


def _is_system(name: str, folders: Sequence[Path]) -> bool:
    from assay.catalog.load import kind_of

    found = kind_of(name, folders)
    return found is not None and found[0] == "system"
