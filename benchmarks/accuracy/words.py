"""How figures and tables are written on the page, and read from it again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median

import numpy as np


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; a bar inside a cell is no border."""
    cells = [tuple(head), *(tuple(cell.replace("|", "/") for cell in row) for row in rows)]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([lines[0], "|" + "---|" * len(cells[0]), *lines[1:]])


def read_table(page: str, title: str) -> list[dict[str, str]]:
    """The first table under a heading, row by row; empty where there is none."""
    _, _, after = page.partition(f"# {title}\n")
    lines = [line for line in after.split("\n#")[0].splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]] if cells else []


def ln(value: float | None, digits: int = 3) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def percent(share: float | None, digits: int = 0) -> str:
    return "" if share is None or not math.isfinite(share) else f"{100 * share:.{digits}f} %"


def change(ln_ratio: float) -> str:
    """A logarithm of a ratio as people say it: +12 %."""
    told = f"{100 * math.expm1(ln_ratio):+.0f} %".replace("-", "−")
    return "0 %" if told[1:] == "0 %" else told


def times(ln_ratio: float | None) -> str:
    """… or as a factor."""
    return "" if ln_ratio is None else f"× {math.exp(ln_ratio):.2f}"


def p90(values: Sequence[float]) -> float:
    return float(np.quantile(np.asarray(values), 0.9)) if len(values) else math.nan


def middle(values: Iterable[float]) -> float:
    """The median; not a number where there is nothing."""
    found = list(values)
    return median(found) if found else math.nan
