"""Learning: published speeds as results that constants are fitted to, and the fit of a class of accelerators."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from assay.api.checking import Shelves, published
from assay.calibration import Constants
from assay.errors import InputError
from assay.predict import trial
from assay.predict import validate as filling
from assay.predict.figures import STEADY, steps_per_s
from assay.predict.fit import Fit, Observations, constants_of, fit, moved, speed_of
from assay.predict.hierarchy import REFERENCE, Label, levels
from assay.predict.ops import Array
from assay.predict.regime import regime_of
from assay.published import Checked, PublishedRow

# Rows whose figure is not a steady speed of the system named, or of software that its source calls unfinished.
_UNFIT = ("FINETUNE", "END_TO_END", "PRELIMINARY", "INCONSISTENT")
_PER_SOURCE = 60  # rows of one source and accelerator that take part: more say nothing new


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """A published speed as something to learn from: what was run, laid out, and the logarithm of its speed."""

    row: PublishedRow
    laid: trial.Row
    label: Label
    ln_speed: float  # of steps a second
    assumed: tuple[str, ...]


def learn(paths: Sequence[Path], known: Shelves) -> list[Learnt]:
    """Every row that can be learned from, laid out by what is known."""
    rows = (row for path in paths for row in published(path) if not isinstance(row, Checked))
    found = [one for row in rows if (one := learnt(row, known))]
    return [one for one in _thinned(found) if not unfit(one.row)]


def learnt(row: PublishedRow, known: Shelves) -> Learnt | None:
    """A published speed laid out for constants to be tried on; None when it cannot be."""
    if filling.refusal(row) or row.metric_name not in STEADY:
        return None
    try:
        machine, constants, _ = known.machine(row.accelerator, row.accel_per_node)
        case = filling.case_of(row, machine, known.model(row.model))
        plan, filled = filling.plan_of(case, constants)
        laid = trial.row(case.job, case.system, plan)
    except InputError:
        return None
    chip, steps = machine.accelerator, steps_per_s(row, case, plan)
    if filling.impossible(row, case, steps):
        return None
    label = Label(
        architecture=chip.architecture, vendor=chip.vendor, device=chip.name, regime=regime_of(case.job),
        source=row.source,
    )  # fmt: skip
    return Learnt(
        row=row, laid=laid, label=label, ln_speed=math.log(steps),
        assumed=(*case.assumed, *filled),
    )  # fmt: skip


def _thinned(found: Sequence[Learnt]) -> list[Learnt]:
    """Evenly many rows of sources that have very many on one device."""
    many = Counter((one.row.source, one.label.device) for one in found)
    kept, seen = [], Counter[tuple[str, str]]()
    for one in found:
        key = one.row.source, one.label.device
        stride = -(-many[key] // _PER_SOURCE)
        if seen[key] % stride == 0:
            kept.append(one)
        seen[key] += 1
    return kept


def unfit(row: PublishedRow) -> str:
    """The flag for which a row teaches nothing; empty where there is none."""
    return next((flag for flag in _UNFIT if flag in row.row_flag), "")


def fit_all(taught: Sequence[Learnt], guess: Fit | None = None) -> Fit:
    """One architecture class's constants on all its results."""
    return fit(_observations(taught), levels([one.label for one in taught]), guess=guess, rounds=40 if guess else 100)


def residuals_of(taught: Sequence[Learnt], found: Fit | None, *, familiar: bool = False) -> Array:
    """ln(measured/predicted speed) of results by the constants of a fit; by the priors where there is none.

    `familiar`: by what the fit says of the software of each result's source too, where it saw others of its results.
    """
    groups = [one.label.familiar if familiar else one.label.groups for one in taught]
    own = [constants_for(one.label, found, mine) for one, mine in zip(taught, groups, strict=True)]
    steps = trial.step_seconds(trial.side_by_side([one.laid for one in taught]), _columns(own))
    faster = [speed_of(found, mine) if found else 0.0 for mine in groups]
    residuals: Array = np.array([one.ln_speed for one in taught]) + np.log(steps) - np.array(faster)
    return residuals


def constants_for(label: Label, found: Fit | None, groups: Mapping[str, str]) -> Constants:
    """What a fit says of something with this label, as far as it is known to be in these groups."""
    start = prior(label.architecture, label.regime, label.device)
    return constants_of(start, found, groups) if found else start


def prior(architecture: str, regime: str = REFERENCE, device: str = "") -> Constants:
    """Prior constants of a class, a kind of job and a device's kernels: what ships, nothing fitted on whole jobs."""
    from assay.catalog.calibrations import calibrations

    constants = Constants()
    for found in calibrations():
        if found.applies_to in ("all", architecture) and found.evidence == "D":
            constants = moved(replace(constants, **found.constants), found.moved.get(regime, {}))
        elif found.applies_to == device and found.offsets:
            constants = moved(constants, found.offsets)
    return constants


def _observations(taught: Sequence[Learnt]) -> Observations:
    rows = trial.side_by_side([one.laid for one in taught])
    return Observations(
        ln_measured=np.array([one.ln_speed for one in taught]),
        ln_predicted=lambda constants: -np.log(trial.step_seconds(rows, constants)),
        start=_columns([prior(one.label.architecture, one.label.regime, one.label.device) for one in taught]),
        sources=[one.label.software for one in taught],
    )


def _columns(constants: Sequence[Constants]) -> Constants:
    """Constants of several rows as one record of columns."""
    columns = {f.name: np.array([getattr(c, f.name) for c in constants]) for f in fields(Constants)}
    return Constants(**columns)  # type: ignore[arg-type]
