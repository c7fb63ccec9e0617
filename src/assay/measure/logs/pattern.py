r"""A regular expression of the user's own, whose named groups are metrics.

    --pattern "step (?P<step>\d+) .* loss (?P<loss>[\d.]+) .* (?P<step_s__ms>[\d.]+) ms"

`step`, `rank` and `case` say what the line is about. A unit after two underscores is the one the log is written in:
`step_s__ms`, `memory_allocated_bytes__GiB`, `device_flop_per_s__TFLOP_per_s`, `mfu__percent`.
"""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator

from assay.errors import InputError
from assay.measure.found import Reader, Said
from assay.measure.words import Names, named, whole
from assay.units import parse, suffix

NAME, TITLE = "pattern", "a regular expression of your own, whose named groups are metrics"

_ABOUT = frozenset({"step", "rank", "case"})
_MOST_S = 1.0  # of the processor, for one line: a pattern that tries every way to match takes years
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

    hopeless = False

    def line(line: str) -> Iterator[Said]:
        nonlocal hopeless
        if hopeless:
            return
        try:
            matches = _found(expression, line)
        except TimeoutError:
            hopeless = True
            yield f"--pattern took more than {_MOST_S:g} s for one line, and is not tried any more: {line[:60]}"
            return
        for match in matches:
            groups = match.groupdict()
            about = {"index": whole(groups.get("step")), "rank": whole(groups.get("rank")) or 0}
            pairs = [(name, groups[name]) for name in names if groups[name] is not None]
            yield from named(pairs, names, case=groups.get("case") or "", **about)  # type: ignore[arg-type]

    return line


def _found(expression: re.Pattern[str], line: str) -> list[re.Match[str]]:
    """All matches in a line. Only a signal can end a search, and only in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return list(expression.finditer(line))
    before = signal.signal(signal.SIGVTALRM, _late)
    signal.setitimer(signal.ITIMER_VIRTUAL, _MOST_S)
    try:
        return list(expression.finditer(line))
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, before)


def _late(sign: int, frame: object) -> None:
    raise TimeoutError


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
