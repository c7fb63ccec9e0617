"""JSON lines: one object a line, numbers by metric name, as `assay.emit` writes them and any program can print.

`step` (or global_step, iteration, iter) is the step, `case` and `rank` are what they say. A list counts as several
values. An object with no step, and no name that is known or ends in a unit, is somebody's settings or log.

Lines that say more (`marked.mark`) do not come here from a program's output, but they may from a file of its results:
there cases and warnings are taken. Of other events, and of warm-up, nothing is: `Found` cannot hold it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from assay.measure.found import Said
from assay.measure.marked import EVENTS, case_of
from assay.measure.words import COMMON, STEPS, named, whole
from assay.units import suffix

NAME, TITLE = "jsonl", "JSON lines: numbers by metric name"
LAST = True  # asked when no other format knows an object

# Numbers of structured logs that say nothing of the work.
_PASSED_OVER = frozenset({
    *STEPS, "at", "rank", "case", "warmup", "event", "epoch", "time", "ts", "timestamp", "time_ms", "asctime",
    "created", "pid", "process", "thread", "level", "levelno", "lineno", "line", "v", "seed", "version",
})  # fmt: skip
_OTHERS = tuple(EVENTS - {"sample", "rest"})  # these two hold numbers


def document(raw: Mapping[str, Any]) -> list[Said] | None:
    """The numbers of one object."""
    event = raw.get("event")
    if event == "begin":
        return [case_of(raw["case"])]
    if event == "warning":
        return [str(raw["text"])]
    if event in _OTHERS or raw.get("warmup") is True:
        return []
    if not any(key in STEPS or key in COMMON or suffix(key) for key in raw):
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
