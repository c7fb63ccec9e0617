"""What a pilot takes from elsewhere: figures that others state, and the weather, grid and region of its sites."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

from assay.api.pilot_rules import Problems, error
from assay.catalog import grid, regions, weather
from assay.errors import InputError
from assay.metrics import known, metric
from assay.pilot import Pilot, Stated
from assay.units import show

Lines = Callable[[str], int | None]  # of a key


def figures(pilot: Pilot, line: Lines) -> Problems:
    """Figures can be, and no two say different things of the same."""
    for i, told in enumerate(pilot.figures):
        if told.metric not in known():
            continue  # which is told of where it is named
        about = metric(told.metric)
        if told.value.low <= 0 and (about.unit or about.better == "higher"):
            what = f"a {told.metric} of {show(told.value.low, about.unit)} is not possible"
            yield error(f"figures[{i}].value", what, "leave out what is unknown; a range lies above 0 as a whole")
    for (i, one), (k, other) in combinations(enumerate(pilot.figures), 2):
        if _same(one) == _same(other) and (one.value.low > other.value.high or other.value.low > one.value.high):
            there = f" of line {line(f'figures[{i}].value')}" if line(f"figures[{i}].value") else ""
            what = f"{other.metric} of {other.candidate} at {other.workload} is another in the figure{there}"
            yield error(f"figures[{k}].value", what, "keep one of them, or write one range that holds both")


def _same(told: Stated) -> tuple[str, str, str]:
    return told.candidate, told.workload, told.metric


def places(pilot: Pilot, beside: Path) -> Problems:
    """What a site's surroundings are taken from is there, and can be read."""
    for i, site in enumerate(pilot.sites):
        for name, look, written in (
            ("weather", weather.weather, _near(site.weather, beside)),
            ("carbon_file", grid.grid, _near(site.carbon_file, beside)),
            ("region", regions.region, site.region),
        ):
            try:
                _ = written and look(written)
            except InputError as refused:
                what = f"{refused.where}: {refused.what}" if refused.where else refused.what
                yield error(f"sites[{i}].{name}", what, refused.hint)


def _near(written: str, beside: Path) -> str:
    """A file that is named beside the pilot's, or one of the names that ship."""
    found = beside / written
    return str(found) if written and os.path.isfile(found) else written  # noqa: PTH113 — no error on names too long
