"""This machine as an accelerator: its few constants from half of the measured shapes, checked on the other half."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from assay.calibration import Calibration, Constants
from assay.errors import InputError
from assay.hardware import Accelerator, System
from assay.predict import roofline
from assay.predict.book import at, work_of
from assay.predict.device import device
from assay.predict.fit import Fit, Level, Observations, constants_of, fit, spread_ln
from assay.predict.ops import Array, Op, product
from assay.run import PRODUCTS
from assay.summary import CaseSummary

NAME = "this-machine"
# τ of each constant's offset: a CPU's library differs more from the prior than one GPU from the next.
_FREE: Mapping[str, float] = {"matmul": 1.5, "matmul_half_k": 1.5, "memory": 1.0, "launch_s": 2.0}
# Each dtype's peak is what was measured: no dtype has less of it than another.
_START = Constants(
    matmul=0.9, matmul_wide=1.0, matmul_8bit=1.0, matmul_half_k=20.0, tile=16.0, memory=0.8, launch_s=2e-6
)
_BEST_SHARE = 0.9
_TILES = (4.0, 8.0, 16.0, 32.0, 64.0)
_FEWEST = 6  # shapes; fewer cannot be split into a half to learn from and a half to be tested on


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What is known of this machine beside its matrix multiplications."""

    memory_bytes: float
    bandwidth_bytes_per_s: float  # out of cache, all threads
    threads: int
    cache_bytes: float | None = None  # last level
    cache_bandwidth_bytes_per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedShape:
    """One measured shape beside the prediction of it; `held_out` shapes took no part in the fit."""

    case: str
    dtype: str
    measured_s: float
    predicted_s: float
    low_s: float
    high_s: float
    held_out: bool

    @property
    def ln_error(self) -> float:
        """ln(predicted/measured)."""
        return math.log(self.predicted_s / self.measured_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """This machine in the formulas' terms: what it offers, its constants, and how well they predict unseen shapes."""

    accelerator: Accelerator
    calibration: Calibration
    points: tuple[CheckedShape, ...]

    @property
    def typical_error(self) -> float:
        """Median of |predicted/measured - 1| on the half that took no part."""
        return float(np.median([abs(math.expm1(p.ln_error)) for p in self.points if p.held_out]))


def calibrate_host(shapes: Sequence[CaseSummary], rates: Rates, *, runs: Sequence[str] = ()) -> Host:
    """Fit on every second shape (by work), predict the others. Raises InputError when too few shapes settled.

    A shape's time is its fastest sample: what the machine does when its neighbours leave it alone. The best rate on
    the half that is fitted counts as nine tenths of a dtype's peak: what a CPU's cores reach together is seldom public.
    """
    usable = sorted(_usable(shapes), key=lambda s: (s.dtype, s.case.flop or 0.0))
    if len(usable) < _FEWEST:
        raise InputError(
            f"only {len(usable)} measured matmul shapes settled, {_FEWEST} are needed",
            hint="measure again when the machine is quiet, with a larger --budget",
        )
    learn, test = usable[::2], usable[1::2]
    chip = _chip(learn, rates)
    constants, edges = _best_fit(learn, chip)
    ends = [math.log(seconds(s, chip, constants) / s.best_s) for s in test if s.dtype in chip.peak_flop_per_s]
    half = spread_ln(np.array(ends)) if ends else 0.5
    calibration = Calibration(
        name=NAME, applies_to=NAME, evidence="A", residual_ln=max(half, 0.02), rows=len(learn), sources=tuple(runs),
        constants={name: getattr(constants, name) for name in (*_FREE, "tile")}, at_bound=edges,
    )  # fmt: skip
    places = {s.name: i for i, s in enumerate(s for s in test if s.dtype in chip.peak_flop_per_s)}
    points = [
        _checked(s, chip, constants, _without(ends, places.get(s.name)), s.name in places)
        for s in usable
        if s.dtype in chip.peak_flop_per_s
    ]
    return Host(accelerator=chip, calibration=calibration, points=tuple(points))


def _usable(shapes: Sequence[CaseSummary]) -> list[CaseSummary]:
    """Matrix multiplications that settled on this machine's processor; of two libraries in one dtype, the fuller."""
    settled = [s for s in shapes if s.steady and s.kind in PRODUCTS and s.rate and s.case.device == "cpu"]
    count = Counter((s.dtype, s.case.library) for s in settled)
    best = {dtype: max(count, key=lambda pair: (pair[0] == dtype, count[pair])) for dtype, _ in count}
    return [s for s in settled if best[s.dtype] == (s.dtype, s.case.library)]


def _best_fit(learn: Sequence[CaseSummary], chip: Accelerator) -> tuple[Constants, tuple[str, ...]]:
    """Constants by the tile size that explains most, which has no slope to follow; and those that ended at a limit."""
    fits = [(start, _fit(learn, chip, start)) for start in (replace(_START, tile=tile) for tile in _TILES)]
    start, found = min(fits, key=lambda pair: float(np.sum(np.abs(pair[1].residuals))))
    return constants_of(start, found, {"device": NAME}), tuple(edge.partition(": ")[2] for edge in found.at_edge)


def _fit(learn: Sequence[CaseSummary], chip: Accelerator, start: Constants) -> Fit:
    priced = [(work_of(_product(s)), device(_alone(chip), s.dtype)) for s in learn]

    def ln_predicted(trial: Constants) -> Array:
        rows = (at(trial, np.array([i])) for i in range(len(priced)))
        return np.array([
            math.log(float(roofline.seconds(work, on, c)[0]) + float(np.ravel(c.launch_s)[0]))
            for (work, on), c in zip(priced, rows, strict=True)
        ])  # fmt: skip

    of = Observations(
        ln_measured=np.log([s.best_s for s in learn]), ln_predicted=ln_predicted, start=start,
        sources=[s.name for s in learn],
    )  # fmt: skip
    return fit(of, [Level(name="device", groups=[NAME] * len(learn), free=_FREE)])


def seconds(shape: CaseSummary, chip: Accelerator, constants: Constants) -> float:
    """Predicted time of one matrix multiply on its own: the roofline's, and one launch."""
    spent = roofline.seconds(work_of(_product(shape)), device(_alone(chip), shape.dtype), constants)
    return float(spent[0]) + constants.launch_s


def _product(shape: CaseSummary) -> Op:
    m, n, k = (float(x) for x in shape.case.shape)
    return product(shape.name, "forward", m, n, k, shape.dtype)


def _alone(chip: Accelerator) -> System:
    return System(name=NAME, vendor="", accelerator=chip, count_per_node=1, links=())


def _chip(learn: Sequence[CaseSummary], rates: Rates) -> Accelerator:
    peaks: dict[str, float] = {}
    for s in learn:
        peaks[s.dtype] = max(peaks.get(s.dtype, 0.0), (s.case.flop or 0.0) / s.best_s / _BEST_SHARE)
    return Accelerator(
        name=NAME, vendor="", architecture="cpu", peak_flop_per_s=peaks, memory_bytes=rates.memory_bytes,
        bandwidth_bytes_per_s=rates.bandwidth_bytes_per_s, compute_units=rates.threads, on_chip_bytes=rates.cache_bytes,
        on_chip_bandwidth_bytes_per_s=rates.cache_bandwidth_bytes_per_s,
    )  # fmt: skip


def _without(ends: Sequence[float], place: int | None) -> float:
    """The spread that a test shape is judged by: that of the others, or its own error would widen its own interval."""
    rest = [end for i, end in enumerate(ends) if i != place]
    return spread_ln(np.array(rest)) if rest else 0.5


def _checked(shape: CaseSummary, chip: Accelerator, constants: Constants, half: float, held_out: bool) -> CheckedShape:
    mean, grow = seconds(shape, chip, constants), math.exp(half)
    return CheckedShape(
        case=shape.name, dtype=shape.dtype, measured_s=shape.best_s, predicted_s=mean, low_s=mean / grow,
        high_s=mean * grow, held_out=held_out,
    )  # fmt: skip
