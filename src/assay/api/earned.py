"""What results have earned: calibrations of a class, its makers and devices, with intervals from what was not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from assay.api.learning import Learnt, prior
from assay.calibration import Calibration
from assay.predict.calibrated import widening
from assay.predict.fit import Fit, constants_of, spread_ln
from assay.predict.hierarchy import CLASS, DEVICE, MAKER
from assay.predict.ops import Array
from assay.result import Evidence

_NOTHING = 0.01  # an offset that is not worth a line
_FEWEST = 8  # held-out residuals that a spread of their own can rest on


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """ln(measured/predicted) of each result by constants that saw nothing of its source, or of its device."""

    source: Array
    device: Array


def calibrations_of(architecture: str, taught: Sequence[Learnt], whole: Fit, unseen: Unseen) -> list[Calibration]:
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
    constants = constants_of(prior(mine[0].label.architecture, device=groups.get("device", "")), whole, groups)
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
