"""Leaving out: what would have shipped, constants and intervals, had some of the published results not been known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from assay.api.checking import priors
from assay.api.earned import Unseen, calibrations_of
from assay.api.learning import Learnt, fit_all, residuals_of
from assay.calibration import Calibration
from assay.predict.fit import Fit
from assay.predict.ops import Array, Bools

Tell = Callable[[str], None]
Key = Callable[[Learnt], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """One architecture class: its results, the fit to all of them, and what each is off by where it was not known."""

    architecture: str
    results: Sequence[Learnt]
    whole: Fit
    unseen: Unseen
    fits: dict[bytes, Fit | None] = field(default_factory=dict)  # by which results were left out


def teach(architecture: str, results: Sequence[Learnt], tell: Tell = lambda words: None) -> Taught:
    """Fit a class, and again without each source and each device."""
    tell(f"{architecture}: fitting {len(results)} results")
    nothing = np.zeros(len(results))
    known = Taught(
        architecture=architecture, results=results, whole=fit_all(results),
        unseen=Unseen(source=nothing, device=nothing.copy()),
    )  # fmt: skip
    for residuals, name, key in (
        (known.unseen.source, "source", source_of),
        (known.unseen.device, "device", device_of),
    ):
        for group in sorted({key(one) for one in results}):
            out = chosen(results, key, group)
            tell(f"{architecture}: without {name} {group}")
            residuals[out] = residuals_of(_only(results, out), fit_without(known, out))
    return known


def source_of(one: Learnt) -> str:
    """Who measured it."""
    return one.row.source


def device_of(one: Learnt) -> str:
    """On what."""
    return one.label.device


def chosen(results: Sequence[Learnt], key: Key, group: str) -> Bools:
    """Which results are of a group."""
    return np.array([key(one) == group for one in results], dtype=bool)


def fit_without(known: Taught, out: Bools) -> Fit | None:
    """The class fitted to what is left; None where nothing is. Equal questions are answered once."""
    which = out.tobytes()
    if which not in known.fits:
        rest = _only(known.results, ~out)
        known.fits[which] = (
            known.whole if not out.any() else fit_all(rest, known.whole) if rest else None
        )  # fmt: skip
    return known.fits[which]


def calibrations_without(known: Taught, out: Bools) -> tuple[Calibration, ...]:
    """The priors, and what the rest of the results would have earned by the rule that shipped ones are earned by.

    Intervals too rest on the others alone: on how far each of them was off where its own source, or its own device,
    was left out (cross-conformal prediction, Vovk 2015).
    """
    rest, found = _only(known.results, ~out), fit_without(known, out)
    if found is None:
        return priors()
    unseen = Unseen(source=known.unseen.source[~out], device=known.unseen.device[~out])
    return (*priors(), *calibrations_of(known.architecture, rest, found, unseen))


def _only(results: Sequence[Learnt], which: Array | Bools) -> list[Learnt]:
    return [one for one, take in zip(results, which, strict=True) if take]
