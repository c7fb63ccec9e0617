"""Checking: published results beside our predictions of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from assay import catalog
from assay.api.predicting import calibrated
from assay.calibration import Calibration
from assay.catalog import Folders, models
from assay.codec import decode
from assay.errors import InputError
from assay.files import read_csv
from assay.hardware import System
from assay.model import Model
from assay.predict import validate as filling
from assay.predict.calibrated import Calibrated, calibrate_for
from assay.predict.figures import STEADY, metric_of, steps_per_s
from assay.predict.row_words import names
from assay.published import REQUIRED, Checked, PublishedRow

_NAMES = {f.name for f in fields(PublishedRow)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelves:
    """What rows are looked up in, each name once: models, machines with their constants."""

    model: Callable[[str], Model | None]
    machine: Callable[[str, int | None], tuple[System, Calibrated, bool]]


def shelves(folders: Folders = (), extra: Iterable[Calibration] = ()) -> Shelves:
    """The catalog as one file of rows needs it; a name that is asked for again is not looked up again."""
    extra = tuple(extra)

    @cache
    def model(name: str) -> Model | None:
        for spelling in names(name) if name else ():
            with suppress(InputError):
                return models.model(spelling, folders)
        return None

    @cache
    def machine(name: str, per_node: int | None) -> tuple[System, Calibrated, bool]:
        chip = catalog.resolve(name, folders)
        found = catalog.system_for(chip.name, per_node, folders)
        return found, calibrated(found, extra, folders), bool(chip.others)

    return Shelves(model=model, machine=machine)


@cache
def priors() -> tuple[Calibration, ...]:
    """What ships and was fitted on nothing."""
    from assay.catalog.calibrations import calibrations

    return tuple(found for found in calibrations() if found.evidence == "D")


def shelf_of(known: Shelves, found: Sequence[Calibration]) -> Shelves:
    """The catalog, with these calibrations in place of those that ship."""

    @cache
    def machine(name: str, per_node: int | None) -> tuple[System, Calibrated, bool]:
        system, _, ambiguous = known.machine(name, per_node)
        return system, calibrate_for(system.accelerator, found), ambiguous

    return Shelves(model=known.model, machine=machine)


def validate(path: Path | str, *, folders: Folders = (), extra: Iterable[Calibration] = ()) -> list[Checked]:
    """Every published row of a file beside our prediction of it, or the reason why there is none."""
    known = shelves(folders, extra)
    return [check(row, known) for row in published(Path(path))]


def published(path: Path) -> list[PublishedRow | Checked]:
    """The rows of a file; one that cannot be read comes back as skipped, with the reason."""
    return [_row(cells, f"{path}: {cells['id']}") for cells in read_csv(path, REQUIRED)]


def check(row: PublishedRow | Checked, known: Shelves) -> Checked:
    """One row beside our prediction, or skipped with the reason."""
    if isinstance(row, Checked):
        return row
    refused = filling.refusal(row)
    if refused:
        return Checked(row=row, skipped=refused)
    try:
        return _predicted(row, known)
    except InputError as error:
        return Checked(row=row, skipped=str(error))


def _predicted(row: PublishedRow, known: Shelves) -> Checked:
    machine, constants, ambiguous = known.machine(row.accelerator, row.accel_per_node)
    case = filling.case_of(row, machine, known.model(row.model))
    plan, filled = filling.plan_of(case, constants)
    too_fast = filling.impossible(row, case, steps_per_s(row, case, plan)) if row.metric_name in STEADY else ""
    if too_fast:
        return Checked(row=row, skipped=too_fast)
    mean = metric_of(row, case, plan, constants)
    if not math.isfinite(mean) or mean <= 0:
        return Checked(row=row, skipped="our formulas give no finite figure for these sizes")
    assumed = (*case.assumed, *filled, *((f"accelerator {machine.accelerator.name}",) if ambiguous else ()))
    value = filling.interval(row, case.job, constants, mean, assumed)
    return Checked(
        row=row, predicted=value.mean, low=value.low, high=value.high, evidence=value.evidence, plan=str(plan),
        assumed=assumed, system=f"{case.system.name} × {case.system.nodes}",
    )  # fmt: skip


def _row(cells: Mapping[str, str], where: str) -> PublishedRow | Checked:
    stated = {key: text for key, text in cells.items() if key in _NAMES and text}
    try:
        return decode(stated, PublishedRow, where)
    except InputError as error:
        unread = PublishedRow(
            id=cells["id"], source=cells["source"], accelerator=cells["accelerator"],
            metric_name=cells["metric_name"], metric_value=math.nan,
        )  # fmt: skip
        return Checked(row=unread, skipped=f"the row cannot be read: {error.what}")
