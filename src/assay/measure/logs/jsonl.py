"""JSON lines: one object a line, numbers by metric name, as `assay.emit` writes them and any program can print.

`step` (or global_step, iteration, iter) is the step, `case` and `rank` are what they say. A list counts as several
values. An object with no step, and no name that is known or ends in a unit, is somebody's settings or log. Lines with
`event` tell of cases and warnings; of others, and of lines marked as warm-up, nothing is taken: `Found` cannot hold it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from assay.measure.found import Said
from assay.measure.words import COMMON, STEPS, named, number, whole
from assay.run import Case
from assay.units import suffix

NAME, TITLE = "jsonl", "JSON lines: numbers by metric name"
LAST = True  # asked when no other format knows an object

# Numbers of structured logs that say nothing of the work.
_PASSED_OVER = frozenset({
    *STEPS, "at", "rank", "case", "warmup", "event", "epoch", "time", "ts", "timestamp", "time_ms", "asctime",
    "created", "pid", "process", "thread", "level", "levelno", "lineno", "line", "v", "seed", "version",
})  # fmt: skip


def document(raw: Mapping[str, Any]) -> list[Said] | None:
    """The numbers of one object."""
    if isinstance(raw.get("event"), str) and raw["event"] in _EVENTS:
        return list(_EVENTS[raw["event"]](raw))
    if raw.get("warmup") is True or not any(key in STEPS or key in COMMON or suffix(key) for key in raw):
        return []
    step = next((whole(raw[key]) for key in STEPS if key in raw), None)
    case, rank = str(raw.get("case") or ""), whole(raw.get("rank")) or 0
    pairs = [(key, one) for key, value in raw.items() if key not in _PASSED_OVER for one in _values(value)]
    return list(named(pairs, COMMON, index=step, case=case, rank=rank, own=True)) or None


def _values(value: object) -> Iterator[object]:
    """Numbers, alone or in a list; words that stand beside them are no values, "nan" is one."""
    for one in value if isinstance(value, list) else (value,):
        if isinstance(one, (int, float)) or (isinstance(one, str) and one.lower() in {"nan", "inf", "-inf"}):
            yield one


def _begin(raw: Mapping[str, Any]) -> Iterator[Said]:
    told = raw["case"]
    yield Case(
        name=str(told["name"]),
        kind=str(told["kind"]),
        dtype=str(told.get("dtype") or ""),
        flop=number(told.get("flop")),
        size_bytes=number(told.get("bytes")),
        shape=tuple(int(n) for n in told.get("shape") or ()),
        library=str(told.get("library") or ""),
        device=str(told.get("device") or "cpu"),
        threads=whole(told.get("threads")),
        note=str(told.get("note") or ""),
    )


def _warning(raw: Mapping[str, Any]) -> Iterator[Said]:
    yield str(raw["text"])


def _nothing(_raw: Mapping[str, Any]) -> Iterator[Said]:
    return iter(())


_EVENTS = {
    "begin": _begin, "warning": _warning, "end": _nothing, "skip": _nothing, "fact": _nothing, "setting": _nothing,
    "happened": _nothing, "check": _nothing,
}  # fmt: skip
