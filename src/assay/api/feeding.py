"""What was written of storage, as a feed and checkpoints: names of the catalog, rates, shares and kinds of data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from assay.assumption import Assumption
from assay.errors import InputError, perhaps
from assay.feed import Checkpoint, Feed, Store
from assay.model import Model, TransformerShape

if TYPE_CHECKING:
    from assay.catalog.feeds import Sample
    from assay.result import Result

T = TypeVar("T")

_COUNTED = re.compile(r"(?:(\d{1,7})\s*[x×*]\s+)?(.+?)(?:\s*[x×*]\s*(\d{1,7}))?", re.IGNORECASE)
_RATE = re.compile(r"[0-9.,_]+(?:e[0-9]+)?\s*[A-Za-z]+\s*/\s*[a-z]+", re.IGNORECASE)
_SHARED = re.compile(r"\s*([0-9.]+)\s*(%?)\s*(?:of|in|from|:)?\s*(\S.*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedFeed:
    """The [feed] table of a workload file, or the same said with flags; None is what nobody said."""

    data: str | None = None  # a kind that is known here: tokens, imagenet, criteo
    sample_bytes: Assumption | None = None
    storage: str | None = None  # "ddn-ai400x2", "nvme-pcie5 x 4", "9 GB/s"
    packed: bool | None = None
    network_bytes_per_s: float | None = None
    cache: str | None = None  # "80 % dram-ddr5-2s"
    decode_s: Assumption | None = None
    cores: int | None = None
    sent_bytes: Assumption | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedCheckpoint:
    """The [checkpoint] table of a workload file, or the same said with flags."""

    to: str | None = None
    mode: Literal["wait", "async"] | None = None
    every_s: float | None = None
    failure_hz: Assumption | None = None  # per device
    restart_s: Assumption | None = None


def over(stated: T | None, flags: T | None) -> T | None:
    """A file's words with those of the command line in their place, key by key."""
    if stated is None or flags is None:
        return flags if stated is None else stated
    said = {f.name: getattr(flags, f.name) for f in fields(flags) if getattr(flags, f.name) is not None}  # type: ignore[arg-type]
    return replace(stated, **said)  # type: ignore[type-var]


def feed_of(
    stated: StatedFeed | None, model: Model, seq_len: int, where: str = "", folders: Sequence[Path] = ()
) -> tuple[Feed | None, tuple[str, ...]]:  # fmt: skip
    """A job's feed, and what had to be assumed of it; nothing where nothing was said."""
    from assay.catalog.feeds import sample

    if stated is None:
        return None, ()
    at = f"{where}: feed" if where else ""
    kind = sample(stated.data, f"{at}: data" if at else "--data") if stated.data is not None else None
    if kind is None and stated.sample_bytes is None and isinstance(model.shape, TransformerShape):
        kind = sample("tokens")
    size = stated.sample_bytes or _size(kind, "", seq_len)
    if size is None:
        raise InputError("how large a sample is, is not said", where=at or "--storage",
                         hint="write --data imagenet, or --sample-bytes 110kB")  # fmt: skip
    cached, cache = _cache(stated.cache, at, folders)
    known = {
        "sample_bytes": _above_0(size, f"{at}: sample" if at else "--sample-bytes"), "cache": cache, "cached": cached,
        "store": None if stated.storage is None else store_of(stated.storage, _place(at, "storage"), folders),
        "packed": stated.packed is not False, "network_bytes_per_s": stated.network_bytes_per_s,
        "decode_s": stated.decode_s or (kind.decode_s if kind else None), "cores": stated.cores,
        "sent_bytes": stated.sent_bytes or _size(kind, "sent_", seq_len),
    }  # fmt: skip
    try:
        return Feed(**known), _told(stated, kind, size)  # type: ignore[arg-type]
    except ValueError as error:
        raise InputError(str(error), where=at, hint="correct it, or leave it out") from None


def checkpoint_of(
    stated: StatedCheckpoint | None, where: str = "", folders: Sequence[Path] = ()
) -> tuple[Checkpoint | None, tuple[str, ...]]:  # fmt: skip
    """How a job saves itself, and what had to be assumed: failures and restarts as decisions take them."""
    from assay.catalog.economics import economics

    if stated is None:
        return None, ()
    usual, at = economics(), f"{where}: checkpoint" if where else ""
    failures, restart, save = stated.failure_hz or usual.failure_hz, stated.restart_s or usual.recovery_s, usual.save_s
    if failures is None or restart is None or save is None:
        raise InputError("how often devices stop is not in the table of economics", where=at, hint="write --failures")
    store = None if stated.to is None else store_of(stated.to, _place(at, "to", "--checkpoint-to"), folders)
    unsaid = [] if stated.failure_hz else [f"{_a_year(failures)} stops per device and year (--failures)"]
    unsaid += [] if stated.restart_s else [f"{_minutes(restart)} min to restart"]
    unsaid += [] if store else [f"{_minutes(save)} min a save (--checkpoint-to)"]
    try:
        found = Checkpoint(
            store=store, behind=stated.mode == "async", period_s=stated.every_s, failure_hz=failures, restart_s=restart,
            save_s=save,
        )  # fmt: skip
    except ValueError as error:
        raise InputError(str(error), where=at, hint="correct it, or leave it out") from None
    return found, tuple(unsaid)


def store_of(written: str, where: str, folders: Sequence[Path] = ()) -> Store:
    """Storage by name and number, or by the rate that all of it has: "ddn-ai400x2", "4 x nvme-pcie5", "9 GB/s"."""
    from assay import catalog
    from assay.catalog.load import near
    from assay.units import parse

    text = written.strip()
    if _RATE.fullmatch(text):
        rate = parse(text, "bytes_per_s")
        if not rate > 0:
            raise InputError(f'"{text}" moves nothing', where=where, hint='write a rate above 0, such as "9 GB/s"')
        return Store(name="the storage", stated=True, read_bytes_per_s=rate, write_bytes_per_s=rate)
    shelf = catalog.storages(folders)
    whole = _named(text, folders)
    match = _COUNTED.fullmatch(text)
    before, name, after = (None, text, None) if whole or match is None else match.groups()
    found = shelf.get(whole or _named(name, folders) or "")
    units = int(before or after or 1)
    if found is None or (before and after):
        hint = perhaps(near(name, ("storage",), folders)) or "see assay catalog --kind storage, or write a rate: 9GB/s"
        raise InputError(f'"{text[:100]}" is no storage known here', where=where, hint=hint)
    if not 1 <= units <= 1_000_000:
        raise InputError(f'"{text}": {units} of it cannot be', where=where, hint="write from 1 to a million")
    return Store(
        name=found.name, units=units, own=found.tier in ("local", "memory"), read_bytes_per_s=found.read_bytes_per_s,
        write_bytes_per_s=found.write_bytes_per_s, read_hz=found.random_read_hz,
    )  # fmt: skip


def unsaid_stops(result: Result) -> tuple[str, ...]:
    """What to say of a long job on many devices whose stops nobody described: how many are to be expected."""
    from assay.catalog.economics import economics

    time_s = result.values.get("time_to_train_s")
    if result.workload.checkpoint is not None or time_s is None:
        return ()
    usual = economics().failure_hz
    count = usual.value * result.system.accelerators * time_s.mean if usual else 0.0
    if count < 1.0:
        return ()
    devices = f"{result.system.accelerators:,} devices"
    return (f"as if nothing ever stopped: about {float(f'{count:.2g}'):,.0f} stops are usual in that time on {devices} "
            "(--checkpoint-to counts them)",)  # fmt: skip


def _named(name: str, folders: Sequence[Path]) -> str | None:
    """The storage's own name by any of its names."""
    from assay.catalog.load import kind_of

    found = kind_of(name, folders) if name and len(name) < 100 else None
    return found[1] if found and found[0] == "storage" else None


def _cache(written: str | None, at: str, folders: Sequence[Path]) -> tuple[float, Store | None]:
    """A share of all reads and what answers them: "80 % dram-ddr5-2s", "0.8 nvme-pcie5 x 4", "80 % 20GB/s"."""
    if written is None:
        return 0.0, None
    where = _place(at, "cache")
    match = _SHARED.fullmatch(written)
    hint = 'write a share and what answers it: "80% dram-ddr5-2s", or "80% 20GB/s"'
    if match is None or not match[3] or match[1].count(".") > 1 or match[1] == ".":
        raise InputError(f'"{written[:100]}" is no cache', where=where, hint=hint)
    share = float(match[1]) / (100.0 if match[2] else 1.0)
    if not 0.0 <= share <= 1.0:
        raise InputError(f'"{written}": a cache answers from 0 to 100 % of all reads', where=where, hint=hint)
    store = store_of(match[3], where, folders)
    return share, replace(store, name="the cache", own=True) if store.stated else store


def _size(kind: Sample | None, prefix: str, seq_len: int) -> Assumption | None:
    """Bytes of a sample of this kind: its own, or those of its tokens."""
    if kind is None:
        return None
    whole: Assumption | None = getattr(kind, f"{prefix or 'sample_'}bytes")
    each: Assumption | None = getattr(kind, f"{prefix}token_bytes")
    if whole is not None or each is None:
        return whole
    return replace(each, value=seq_len * each.value, low=seq_len * each.low, high=seq_len * each.high)


def _told(stated: StatedFeed, kind: Sample | None, size: Assumption) -> tuple[str, ...]:
    from assay.units import show

    if kind is None:
        return ()
    figures = [] if stated.sample_bytes else [f"{show(size.value, 'bytes')} a sample"]
    if kind.decode_s and not stated.decode_s and stated.cores:
        figures.append(f"{show(kind.decode_s.value, 's')} of a core to decode one")
    return (f"{kind.title}, {', '.join(figures)}",) if figures else ()


def _a_year(rate: Assumption) -> str:
    return _range(rate, 1.0 / (365.25 * 86400.0))


def _minutes(time: Assumption) -> str:
    return _range(time, 60.0)


def _range(x: Assumption, unit: float) -> str:
    """A stated number with its range, in plain digits."""
    return f"{x.value / unit:.3g} ({x.low / unit:.3g} to {x.high / unit:.3g})"


def _above_0(size: Assumption, where: str) -> Assumption:
    if not size.low > 0:
        raise InputError("a sample of 0 bytes needs no storage", where=where, hint="write its size, such as 110kB")
    return size


def _place(at: str, key: str, flag: str = "") -> str:
    return f"{at}: {key}" if at else flag or f"--{key}"
