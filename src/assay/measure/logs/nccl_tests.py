"""nccl-tests and rccl-tests: a row a size, out of place and in place.

Bandwidths as the tests define them (nccl-tests, doc/PERFORMANCE.md): algbw is size over time, busbw is that times a
factor of the collective, so that it can be held against a link. The times are means over the tests' own iterations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

from assay.measure.found import Found, Reader, Said
from assay.measure.words import NUMBER, figure, number
from assay.run import Case

NAME, TITLE = "nccl_tests", "nccl-tests and rccl-tests"
MARKS = ("# nThread", "# Collective test starting:")
AWAKE = True  # rows hold no mark: after a header every line is looked at

OPERATIONS = {"alltoall": "all-to-all", "sendrecv": "ring"}  # others: underscores become hyphens
DTYPES = {"half": "fp16", "float": "fp32", "double": "fp64", "bfloat16": "bf16", "int8": "int8"}
COLUMNS = (("time_s", 1e-6), ("bytes_per_s", 1e9), ("bus_bytes_per_s", 1e9))  # and #wrong
PLACES = ("out of place", "in place")

_STARTING = re.compile(r"# Collective test starting: (\w+)_perf")
_ROW = re.compile(r"\s*\d+\s+\d+\s+[a-z]\w*\s")
_AVERAGE = re.compile(rf"# Avg bus bandwidth\s*: ({NUMBER})")
_FAILED = re.compile(r"# Out of bounds values : (\d+) FAILED")


def reader(command: tuple[str, ...]) -> Reader:
    """Times and bandwidths by operation, type, size and place; wrong results as warnings."""
    names = [PurePath(word).name for word in command]
    told = {"operation": next((n.removesuffix("_perf") for n in names if n.endswith("_perf")), "collective")}
    told["library"] = "nccl-tests"

    def line(line: str) -> Iterator[Said]:
        if starting := _STARTING.search(line):
            told["operation"] = starting[1]
        elif average := _AVERAGE.search(line):
            yield Found(figure("bus_bytes_per_s", "mean"), (number(average[1]) or 0.0) * 1e9)
        elif failed := _FAILED.search(line):
            yield f"{TITLE}: {failed[1]} values are wrong"
        elif line.startswith("rccl-tests:"):
            told["library"] = "rccl-tests"
        elif _ROW.match(line):
            yield from _row(told["operation"], told["library"], line.split())

    return line


def _row(operation: str, library: str, cells: list[str]) -> Iterator[Said]:
    """Size, count, type, operation and root, then four columns for each place."""
    if not 11 <= len(cells) <= 13:
        raise ValueError("not the columns of a row")
    size, dtype = int(cells[0]), cells[2]
    by = f" {cells[3]}" if len(cells) == 13 and cells[3] != "none" else ""
    for place, columns in zip(PLACES, (cells[-8:-4], cells[-4:]), strict=True):
        name = f"{OPERATIONS.get(operation, operation.replace('_', '-'))} {dtype}{by} {size} B {place}"
        values = [(metric, number(cell), unit) for (metric, unit), cell in zip(COLUMNS, columns, strict=False)]
        if all(value is None for _, value, _ in values):  # this operation knows no such place
            continue
        kind = name.partition(" ")[0]
        told_as = DTYPES.get(dtype, "")
        yield Case(name=name, kind=kind, dtype=told_as, size_bytes=float(size), library=library, device="cuda")
        yield from (Found(metric, value * unit, case=name) for metric, value, unit in values if value is not None)
        if number(columns[3]):
            yield f"{TITLE}: {columns[3]} wrong values in {name}"
