"""Earning: constants that published results teach, and how far predictions with them are off where they saw nothing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from assay.api.checking import Shelves, priors, published, shelf_of, shelves
from assay.calibration import Calibration, Constants
from assay.errors import InputError
from assay.predict import trial
from assay.predict import validate as filling
from assay.predict.calibrated import widening
from assay.predict.figures import STEADY, steps_per_s
from assay.predict.fit import Fit, Observations, constants_of, fit, moved, spread_ln
from assay.predict.hierarchy import CLASS, DEVICE, MAKER, REFERENCE, Label, levels
from assay.predict.ops import Array
from assay.predict.regime import regime_of
from assay.published import Checked, PublishedRow
from assay.result import Evidence

# Rows whose figure is not a steady speed of the system named, or of software that its source calls unfinished.
_UNFIT = ("FINETUNE", "END_TO_END", "PRELIMINARY", "INCONSISTENT")
_PER_SOURCE = 60  # rows of one source and accelerator that take part: more say nothing new
_NOTHING = 0.01  # an offset that is not worth a line
_FEWEST = 8  # held-out residuals that a spread of their own can rest on


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """A published speed as something to learn from: what was run, laid out, and the logarithm of its speed."""

    row: PublishedRow
    laid: trial.Row
    label: Label
    ln_speed: float  # of steps a second
    assumed: tuple[str, ...]


def earn(paths: Sequence[Path], *, held_out: Sequence[str] = ()) -> list[Calibration]:
    """Constants per architecture class, maker and accelerator from published speeds; spreads from held-out sources.

    `held_out` are words; sources that contain one take no part at all.
    """
    bare = shelf_of(shelves(), priors())  # plans that have to be guessed are guessed by nothing that was fitted
    taught = [one for one in learn(paths, bare) if not any(word in one.row.source for word in held_out)]
    if not taught:
        hint = f"assay validate {paths[0]} says why each is skipped" if paths else "name a file of them"
        raise InputError("no row can be learned from", hint=hint)
    found = []
    for architecture in sorted({one.label.architecture for one in taught}):
        mine = [one for one in taught if one.label.architecture == architecture]
        whole = fit_all(mine)
        unseen = Unseen(
            source=leave_out(mine, whole, lambda one: one.row.source),
            device=leave_out(mine, whole, lambda one: one.label.device),
        )
        found += _calibrations(architecture, mine, whole, unseen)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """ln(measured/predicted) of each result by constants that saw nothing of its source, or of its device."""

    source: Array
    device: Array


def learn(paths: Sequence[Path], known: Shelves) -> list[Learnt]:
    """Every row that can be learned from, laid out by what is known."""
    rows = (row for path in paths for row in published(path) if not isinstance(row, Checked))
    found = [one for row in rows if (one := learnt(row, known))]
    return [one for one in _thinned(found) if not any(flag in one.row.row_flag for flag in _UNFIT)]


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


def fit_all(taught: Sequence[Learnt], guess: Fit | None = None) -> Fit:
    """One architecture class's constants on all its results."""
    return fit(_observations(taught), levels([one.label for one in taught]), guess=guess, rounds=10 if guess else 30)


def leave_out(taught: Sequence[Learnt], whole: Fit, key: Callable[[Learnt], str]) -> Array:
    """ln(measured/predicted) of each result by constants fitted without any that shares its key."""
    residuals = np.zeros(len(taught))
    for group in sorted({key(one) for one in taught}):
        rest = [one for one in taught if key(one) != group]
        mine = [i for i, one in enumerate(taught) if key(one) == group]
        found = fit_all(rest, whole) if rest else None
        residuals[mine] = residuals_of([taught[i] for i in mine], found)
    return residuals


def residuals_of(taught: Sequence[Learnt], found: Fit | None) -> Array:
    """ln(measured/predicted speed) of results by the constants of a fit; by the priors where there is none."""
    own = [constants_for(one.label, found) for one in taught]
    steps = trial.step_seconds(trial.side_by_side([one.laid for one in taught]), _columns(own))
    residuals: Array = np.array([one.ln_speed for one in taught]) + np.log(steps)
    return residuals


def constants_for(label: Label, found: Fit | None) -> Constants:
    """What a fit says of something with this label."""
    start = prior(label.architecture, label.regime)
    return constants_of(start, found, label.groups) if found else start


def prior(architecture: str, regime: str = REFERENCE) -> Constants:
    """Prior constants of an architecture class and kind of job: what ships, nothing that was fitted on results."""
    from assay.catalog.calibrations import calibrations

    constants = Constants()
    for found in calibrations():
        if found.applies_to in ("all", architecture) and found.evidence == "D":
            constants = moved(replace(constants, **found.constants), found.moved.get(regime, {}))
    return constants


def _observations(taught: Sequence[Learnt]) -> Observations:
    rows = trial.side_by_side([one.laid for one in taught])
    return Observations(
        ln_measured=np.array([one.ln_speed for one in taught]),
        ln_predicted=lambda constants: -np.log(trial.step_seconds(rows, constants)),
        start=_columns([prior(one.label.architecture, one.label.regime) for one in taught]),
        sources=[f"{one.row.source} @ {one.label.device}" for one in taught],
    )


def _columns(constants: Sequence[Constants]) -> Constants:
    """Constants of several rows as one record of columns."""
    columns = {f.name: np.array([getattr(c, f.name) for c in constants]) for f in fields(Constants)}
    return Constants(**columns)  # type: ignore[arg-type]


def _calibrations(architecture: str, taught: Sequence[Learnt], whole: Fit, unseen: Unseen) -> list[Calibration]:
    """The class, each maker in it and each device, every one with what it adds to the level above."""
    labels = [one.label for one in taught]
    base = _calibration(architecture, f"{architecture}-published", CLASS, {"class": architecture}, taught, whole)
    # An accelerator that nobody measured is a draw of accelerators, however many rows each has.
    devices = [label.device for label in labels]
    base = _spread(base, taught, unseen.device, "C", groups=(devices,))
    found = [replace(base, moved=_kinds(architecture, whole), at_bound=_edges(whole))]
    for maker in sorted({label.groups["maker"] for label in labels}):
        name = maker.lower().replace(" ", "-") + "-published"
        mine = [one for one in taught if one.label.groups["maker"] == maker]
        groups = {"class": architecture, "maker": maker}
        made = _calibration(maker, name, MAKER, groups, mine, whole)
        found.append(_spread(made, taught, unseen.device, "C", groups=(devices,)))
    for device in sorted({label.device for label in labels}):
        mine = [one for one in taught if one.label.device == device]
        groups = {"class": architecture, "maker": mine[0].label.groups["maker"], "device": device}
        made = _calibration(device, f"{device}-published", DEVICE, groups, mine, whole)
        found.append(_spread(made, taught, unseen.source, "B", device))
    return found


def _calibration(
    applies_to: str, name: str, free: Mapping[str, float], groups: Mapping[str, str], mine: Sequence[Learnt], whole: Fit
) -> Calibration:
    constants = constants_of(prior(mine[0].label.architecture), whole, groups)
    return Calibration(
        name=name, applies_to=applies_to, evidence="C", constants={n: getattr(constants, n) for n in free},
        residual_ln=1.0, rows=len(mine), sources=tuple(sorted({one.row.source for one in mine})),
    )  # fmt: skip


def _spread(
    made: Calibration, taught: Sequence[Learnt], unseen: Array, evidence: Evidence, device: str | None = None,
    groups: Sequence[Sequence[str]] = (),
) -> Calibration:  # fmt: skip
    """The calibration with the half-widths that held 90 % of what it had not seen: in all, and by regime.

    A device's own residuals stand where there are enough of them from more than one source; else its class's. Each
    counts by the width that its assumed fields ask for (normalised conformal; Lei et al. 2018, §5.2), which a
    prediction gives back by its own.
    """
    unseen = unseen / np.array([widening(one.assumed) for one in taught])
    everyone = np.ones(len(taught), dtype=bool)
    own = np.array([one.label.device == device for one in taught]) if device else everyone
    regimes = {}
    for regime in sorted({one.label.regime for one in taught}):
        alike = np.array([one.label.regime == regime for one in taught])
        chosen = own & alike if _enough(taught, own & alike) else alike
        if chosen.sum() >= _FEWEST:
            regimes[regime] = _half(unseen, chosen, groups)
    chosen = own if _enough(taught, own) else everyone
    return replace(made, evidence=evidence, residual_ln=_half(unseen, chosen, groups), regimes=regimes)


def _half(unseen: Array, chosen: Array, groups: Sequence[Sequence[str]]) -> float:
    mine = [[label for label, take in zip(labels, chosen, strict=True) if take] for labels in groups]
    return round(max(0.05, spread_ln(unseen[chosen], groups=mine)), 4)


def _enough(taught: Sequence[Learnt], chosen: Array) -> bool:
    sources = {one.row.source for one, take in zip(taught, chosen, strict=True) if take}
    return int(chosen.sum()) >= _FEWEST and len(sources) > 1


def _kinds(architecture: str, whole: Fit) -> Mapping[str, Mapping[str, float]]:
    """How each kind of job moves the constants, where results said so."""
    found = {kind: dict(offsets) for kind, offsets in _prior_kinds(architecture).items()}
    for (level, group, name), offset in whole.offsets.items():
        if level == "kind":
            mine = found.setdefault(group.removeprefix(f"{architecture} "), {})
            mine[name] = mine.get(name, 0.0) + offset
    return {kind: {n: x for n, x in offsets.items() if abs(x) > _NOTHING} for kind, offsets in found.items()}


def _prior_kinds(architecture: str) -> Mapping[str, Mapping[str, float]]:
    """How kinds of jobs move the prior constants of a class."""
    from assay.catalog.calibrations import calibrations

    kinds: dict[str, Mapping[str, float]] = {}
    for found in calibrations():
        if found.applies_to in ("all", architecture) and found.evidence == "D":
            kinds |= found.moved
    return kinds


def _edges(whole: Fit) -> tuple[str, ...]:
    return tuple(edge.partition(": ")[2] for edge in whole.at_edge)
