r"""A regular expression of the user's own, whose named groups are metrics.

    --pattern "step (?P<step>\d+) .* loss (?P<loss>[\d.]+) .* (?P<step_s__ms>[\d.]+) ms"

`step`, `rank` and `case` say what the line is about. A unit after two underscores is the one the log is written in:
`step_s__ms`, `memory_allocated_bytes__GiB`, `device_flop_per_s__TFLOP_per_s`, `mfu__percent`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assay.errors import InputError
from assay.measure.found import Reader, Said
from assay.measure.words import Names, named, whole
from assay.units import parse, suffix

NAME, TITLE = "pattern", "a regular expression of your own, whose named groups are metrics"

_ABOUT = frozenset({"step", "rank", "case"})
_EXAMPLE = r'write --pattern "loss (?P<loss>[\d.]+)"'


def matcher(pattern: str) -> Reader:
    """A reader that looks for a pattern in each line; InputError says where it is no regular expression."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        at = "" if error.pos is None else f", at character {error.pos + 1}: {pattern[error.pos : error.pos + 20]}"
        raise InputError(f"no regular expression: {error.msg}{at}", where="--pattern", hint=_EXAMPLE) from None
    names: Names = {name: _metric(name) for name in expression.groupindex if name not in _ABOUT}
    if not names:
        raise InputError("no group of it is named after a metric", where="--pattern", hint=_EXAMPLE)

    def line(line: str) -> Iterator[Said]:
        for match in expression.finditer(line):
            groups = match.groupdict()
            about = {"index": whole(groups.get("step")), "rank": whole(groups.get("rank")) or 0}
            pairs = [(name, groups[name]) for name in names if groups[name] is not None]
            yield from named(pairs, names, case=groups.get("case") or "", **about)  # type: ignore[arg-type]

    return line


def _metric(group: str) -> tuple[str, float]:
    metric, _, written = group.partition("__")
    if not written:
        return metric, 1.0
    if written == "percent" and not suffix(metric):
        return metric, 0.01
    try:
        return metric, parse(f"1 {written.replace('_per_', '/')}", suffix(metric))
    except InputError as error:
        what = f"group {group}: {error.what}"
        raise InputError(what, where="--pattern", hint="write metric__unit, such as step_s__ms") from None
