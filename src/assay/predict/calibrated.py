"""Which constants apply to a machine, and how sure a prediction with them is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from assay.calibration import Calibration, Constants
from assay.hardware import Accelerator
from assay.predict.fit import moved
from assay.predict.regime import regime_of
from assay.result import Evidence, Value
from assay.workload import Workload

# 90 % half-width of ln(measured/predicted) with no measurement of the class at all: half to double.
_DATASHEET_LN = 0.7
# Published peaks of stated plans lie at 0.85 to 1.9 times the sum of what must be held: some frameworks keep copies
# that no plan tells of (flat gradient buffers, unfused Adam's temporaries, cached blocks).
_MEMORY_LOW, _MEMORY_HIGH = 0.85, 1.9
# A plan that had to be guessed, or a regime beyond what was fitted, widens the interval by this factor.
_ASSUMED = 1.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """Constants for one accelerator with the interval they earned."""

    constants: Constants = field(default_factory=Constants)
    evidence: Evidence = "D"
    residual_ln: float = _DATASHEET_LN
    regimes: Mapping[str, float] = field(default_factory=dict)
    moved: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    devices: int | None = None  # most that took part in what its interval rests on
    wider: Calibrated | None = None  # what is known of more devices

    def on(self, devices: int) -> Calibrated:
        """The same for so many devices: beyond those that took part, the interval of what was known before."""
        if self.wider is None or self.devices is None or devices <= self.devices:
            return self
        before = self.wider.on(devices)
        return replace(self, evidence=before.evidence, residual_ln=before.residual_ln, regimes=before.regimes)

    def constants_for(self, job: Workload) -> Constants:
        """The constants of a job's kind: convolutions, look-ups and experts run in other software than dense layers."""
        offsets = self.moved.get(regime_of(job))
        return moved(self.constants, offsets) if offsets else self.constants

    def half_ln(self, regime: str) -> float:
        """90 % half-width for one kind of job: its own where results of its kind were held out, else that of all."""
        return self.regimes.get(regime, self.residual_ln)

    def value(self, mean: float, half_ln: float | None = None) -> Value:
        """A predicted figure with its 90 % interval, symmetric in the logarithm: ± `half_ln`, or what was earned."""
        grow = math.exp(self.residual_ln if half_ln is None else half_ln)
        return Value(mean=mean, low=mean / grow, high=mean * grow, evidence=self.evidence)


def memory_value(calibrated: Calibrated, mean: float) -> Value:
    """A peak memory with its interval: what must be held is nearly sure, what a framework adds is not."""
    return Value(mean=mean, low=_MEMORY_LOW * mean, high=_MEMORY_HIGH * mean, evidence=calibrated.evidence)


def calibrate_for(chip: Accelerator, calibrations: Iterable[Calibration]) -> Calibrated:
    """Constants from the broadest to the nearest: all → architecture class → its maker's → this one → measured here."""
    constants, evidence, residual, sources = Constants(), "D", _DATASHEET_LN, tuple[str, ...]()
    regimes: dict[str, float] = {}
    kinds: dict[str, Mapping[str, float]] = {}
    wider: Calibrated | None = None
    devices: int | None = None
    for found in _in_order(chip, calibrations):
        if found.offsets:  # of kernels: what is known of whole jobs, and how surely, stays
            constants, sources = moved(constants, found.offsets), (*sources, found.name)
            continue
        if found.devices is not None:
            wider, devices = Calibrated(evidence=evidence, residual_ln=residual, regimes=dict(regimes)), found.devices  # type: ignore[arg-type]
        constants = replace(constants, **found.constants)
        evidence, residual = found.evidence, found.residual_ln
        regimes |= found.regimes
        kinds |= found.moved
        if not found.regimes:  # a narrower calibration that knows no kinds speaks for all of them
            regimes.clear()
        sources = (*sources, found.name)
    return Calibrated(
        constants=constants, evidence=evidence, residual_ln=residual, regimes=regimes, moved=kinds, sources=sources,  # type: ignore[arg-type]
        devices=devices, wider=wider,
    )  # fmt: skip


def widening(assumed: Sequence[str]) -> float:
    """How much wider an interval gets for what had to be assumed."""
    return float(_ASSUMED ** min(len(assumed), 3))


def _in_order(chip: Accelerator, calibrations: Iterable[Calibration]) -> list[Calibration]:
    scope = {"all": 0, chip.architecture: 1, f"{chip.architecture} {chip.vendor}": 2, chip.name: 3}
    mine = [c for c in calibrations if c.applies_to in scope]
    return sorted(mine, key=lambda c: (scope[c.applies_to], c.evidence != "D", c.evidence == "A"))
