"""A program's own JSON lines: which of those it prints they are, and whether what they hold can be kept.

One odd line must not spoil the record of all the others. What the store could not write is refused here, with a
ValueError, before anything of it is remembered.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from assay.codec import decode, encode
from assay.errors import InputError
from assay.hardware import DTYPES
from assay.measure.lines import RANK, parsed
from assay.run import Case

# What a line with `event` may tell of; a program's own log has other events.
EVENTS = frozenset({
    "begin", "end", "skip", "warning", "fact", "setting", "happened", "check", "rest", "sample",
})  # fmt: skip
_KEYS = ('"event"', '"warmup"', '"at"')
_NAME = re.compile(r"[^\x00-\x1f]{0,500}")  # of a case or a metric
_MOST_STEP, _MOST_RANK = 1 << 53, 1 << 31
_DEEPEST = 50  # lists within lists; Python itself gives up at some hundreds


def mark(text: str) -> dict[str, Any] | None:
    """What a printed line says that a log cannot: an event of ours, which step is warm-up, a time of its own.

    >>> mark('{"event":"check","name":"sum","passed":false,"text":"off by one"}')["passed"]
    False
    >>> mark('{"event": "epoch finished", "loss": 2.1}') is None
    True
    """
    if not any(key in text for key in _KEYS):
        return None
    prefix = RANK.match(text)
    said = parsed(text[prefix.end() :] if prefix else text)
    if said is None or not _ours(said):
        return None
    return {"rank": int(prefix[1]), **said} if prefix else said


def _ours(said: Mapping[str, Any]) -> bool:
    """In other people's logs `event` is a sentence, `at` a date, and `warmup` a number of steps."""
    if "event" in said:
        return isinstance(said["event"], str) and said["event"] in EVENTS
    return isinstance(said.get("warmup"), bool) or type(said.get("at")) in (int, float)


def checked(name: str) -> str:
    """The name of a case or a metric, if it can be kept."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"no name: {name[:40]!r}")
    return name


def in_reach(step: int | None, rank: int) -> None:
    """Refuse steps and ranks that no column has room for."""
    if step is not None and abs(step) >= _MOST_STEP:
        raise ValueError("no step is so large")
    if abs(rank) >= _MOST_RANK:
        raise ValueError("no rank is so large")


def writable(value: object, deep: int = 0) -> None:
    """Refuse a fact that no file could hold or no reader show: its numbers and its lists have an end."""
    if deep > _DEEPEST:
        raise ValueError("nested too deep")
    if isinstance(value, (int, float)) and not math.isfinite(value):  # OverflowError where it is beyond any float
        raise ValueError(f"no number: {value}")
    inside = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    for one in inside:
        writable(one, deep + 1)


def case_of(told: Mapping[str, Any]) -> Case:
    """A case as a program tells it, if it can be read again."""
    dtype = str(told.get("dtype") or "")
    if dtype and dtype not in DTYPES:
        raise ValueError(f"dtype {dtype}")
    return readable(
        Case(
            name=checked(str(told["name"])),
            kind=str(told["kind"]),
            dtype=dtype,
            flop=_amount(told.get("flop")),
            size_bytes=_amount(told.get("bytes")),
            shape=tuple(int(n) for n in told.get("shape") or ()),
            library=str(told.get("library") or ""),
            device=str(told.get("device") or "cpu"),
            threads=None if told.get("threads") is None else int(told["threads"]),
            note=str(told.get("note") or ""),
        )
    )


def readable(case: Case) -> Case:
    """A case, if the store will read it: nothing does less than no work."""
    try:
        return decode(encode(case), Case)
    except InputError as error:
        raise ValueError(error.what) from None


def _amount(value: Any) -> float | None:
    if value is not None and not math.isfinite(float(value)):
        raise ValueError(f"no amount: {value}")
    return None if value is None else float(value)
