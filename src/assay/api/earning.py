"""Earning: constants that published results teach, and how far predictions with them are off where they saw nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from assay.api.checking import priors, shelf_of, shelves
from assay.api.earned import calibrations_of
from assay.api.learning import Learnt, learn
from assay.api.leaving_out import teach
from assay.calibration import Calibration
from assay.errors import InputError


def earn(paths: Sequence[Path], *, held_out: Sequence[str] = ()) -> list[Calibration]:
    """Constants per architecture class, maker and accelerator from published speeds; spreads from held-out sources.

    `held_out` are words; sources that contain one take no part at all.
    """
    bare = shelf_of(shelves(), priors())  # plans that have to be guessed are guessed by nothing that was fitted
    taught = [one for one in learn(paths, bare) if not any(word in one.row.source for word in held_out)]
    if not taught:
        hint = f"assay validate {paths[0]} says why each is skipped" if paths else "name a file of them"
        raise InputError("no row can be learned from", hint=hint)
    classes = sorted({one.label.architecture for one in taught})
    return [calibration for name in classes for calibration in _earned_by(name, taught)]


def _earned_by(architecture: str, taught: Sequence[Learnt]) -> list[Calibration]:
    known = teach(architecture, [one for one in taught if one.label.architecture == architecture])
    return calibrations_of(architecture, known.results, known.whole, known.unseen)
