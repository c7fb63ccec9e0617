"""A site's own constants: what a few measured training steps say of a machine beyond what is known of its kind.

θ = argmin Σ ρ((ln v_measured - ln v_predicted(θ))/σ) + Σ (θ/τ)²     one level more in the hierarchy of `fit`

What is known already (class, maker, device, kind of job) is where it starts. One step cannot tell compute from memory
or from waiting for the host: a factor on all of it takes the most. Steps of different sizes tell them apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from assay.calibration import Calibration, Constants
from assay.plan import Plan
from assay.predict import trial
from assay.predict.calibrated import Calibrated
from assay.predict.fit import SHARES, SPEED, Fit, Level, Observations, fit, moved
from assay.predict.narrowing import half_width
from assay.predict.regime import REGIMES, regime_of
from assay.workload import Workload

# τ where the machine's kind is known to a quarter; what is known worse may be moved further. Links and overlaps stay
# where they are as long as no step uses them.
_KNOWN_LN = 0.25
TAU: Mapping[str, float] = {
    SPEED: 0.12, "matmul": 0.35, "memory": 0.35, "attention": 0.35, "launch_s": 0.5, "step_overhead_s": 0.8,
    "inner_link": 0.35, "outer_link": 0.35, "overlap_data": 0.5, "overlap_tensor": 0.5,
}  # fmt: skip
_ALONE = 0.3  # of these τ where there is one step: nobody can tell which constant it means, and the factor takes most
_MOST = 1.0  # τ of anything, however little is known of a machine
_LEVEL = "site"
_SAME_LN = 0.05  # what a setting moves by from one software release to the next: nothing is known better
_NOTHING = 0.01  # an offset that is not worth a line
_TOLD = 0.1  # share of an offset's τ that steps take away where they tell it
_FAR = 2.5  # τ from its start: what belongs elsewhere was pushed into this constant
_EDGE = 0.98  # a share that ends above this, likewise
_WIDEST_LN = 5.0  # a figure within a factor of 150 is not known at all
_WILD_LN, _WILDER = 0.25, 4.0  # off by this much, and so many times further than the others


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredStep:
    """A job that was trained on a machine of this site, and how long a step took."""

    name: str
    runs: tuple[str, ...]
    job: Workload
    plan: Plan
    laid: trial.Row
    step_s: float
    noise_ln: float  # standard deviation of ln(step) from run to run, as far as runs show it
    doubt: str = ""  # what its own record says went wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedStep:
    """A measured step beside predictions of it: by what was known before, by the other steps alone, by all of them."""

    step: MeasuredStep
    before_s: float
    unseen_s: float  # it took no part in this one
    low_s: float  # 90 % interval of that
    high_s: float
    after_s: float
    wild: bool = False  # it disagrees with what the others say


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """What a site's steps taught of one of its machines."""

    calibration: Calibration
    steps: tuple[CheckedStep, ...]
    aside: tuple[CheckedStep, ...]  # disagreed with the others, and their own record says why: they taught nothing
    tests: tuple[CheckedStep, ...]  # took no part at all
    before_ln: float  # 90 % half-width of what was known before
    told: tuple[str, ...]  # constants that the steps say something of


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What the site starts from: constants, and how far they may move."""

    calibrated: Calibrated
    half_ln: float

    def tau(self, steps: int) -> Mapping[str, float]:
        """How far so many steps can move each constant."""
        wide = {name: min(_MOST, tau * self.half_ln / _KNOWN_LN) for name, tau in TAU.items()}
        return {name: tau * (_ALONE if steps == 1 and name != SPEED else 1.0) for name, tau in wide.items()}

    def with_constants(self, constants: Constants) -> Calibrated:
        return replace(self.calibrated, constants=constants)


def taught(
    machine: str, steps: Sequence[MeasuredStep], calibrated: Calibrated, *, tests: Sequence[MeasuredStep] = ()
) -> Taught:
    """The constants of one machine of a site, from steps on it; equal jobs count once, by their median."""
    points = folded(steps)
    known = _Known(calibrated=calibrated, half_ln=max(calibrated.half_ln(regime_of(one.job)) for one in points))
    points, others, aside = _apart(points, known)
    found = _fit(points, known)
    constants = _constants(known, found)
    own = known.with_constants(constants)
    wild = _wild(points, others)
    half, edges = _half_ln(points, others, known), _edges(constants, found, known.tau(len(points)))
    return Taught(
        calibration=_calibration(machine, points, constants, known, half, edges),
        steps=tuple(
            _checked(one, known, other, own, half, far) for one, other, far in zip(points, others, wild, strict=True)
        ),
        aside=tuple(_checked(one, known, own, own, half, True) for one in aside),
        tests=tuple(_checked(one, known, own, own, half) for one in folded(tests)),
        before_ln=known.half_ln, told=tuple(n for (_, _, n), told in found.information.items() if told > _TOLD),
    )  # fmt: skip


def _apart(
    points: Sequence[MeasuredStep], known: _Known
) -> tuple[list[MeasuredStep], list[Calibrated], list[MeasuredStep]]:
    """The points that teach with what the others say of each; and those that disagree, whose own record says why."""
    others = _others(points, known)
    aside = [one for one, far in zip(points, _wild(points, others), strict=True) if far and one.doubt]
    kept = [one for one in points if one not in aside]
    return kept, _others(kept, known) if aside else others, aside


def folded(steps: Sequence[MeasuredStep]) -> list[MeasuredStep]:
    """One step for each job and plan: the median of its runs, which cannot be surer than they agree."""
    groups: list[list[MeasuredStep]] = []
    for one in steps:
        alike = next((g for g in groups if (g[0].job, g[0].plan) == (one.job, one.plan)), None)
        groups.append([one]) if alike is None else alike.append(one)
    return [_median(group) for group in groups]


def step_seconds(one: MeasuredStep, calibrated: Calibrated) -> float:
    """The step as these constants predict it."""
    rows = trial.side_by_side([one.laid])
    return float(np.ravel(trial.step_seconds(rows, calibrated.constants_for(one.job)))[0])


def _median(group: Sequence[MeasuredStep]) -> MeasuredStep:
    logs = np.log([one.step_s for one in group])
    noise = float(np.std(logs, ddof=1)) if len(group) > 1 else group[0].noise_ln
    return replace(
        group[0], runs=tuple(run for one in group for run in one.runs), step_s=float(np.exp(np.median(logs))),
        noise_ln=noise, doubt=next((one.doubt for one in group if one.doubt), ""),
    )  # fmt: skip


def _fit(points: Sequence[MeasuredStep], known: _Known) -> Fit:
    rows = trial.side_by_side([one.laid for one in points])
    of = Observations(
        ln_measured=-np.log([one.step_s for one in points]),
        ln_predicted=lambda constants: -np.log(trial.step_seconds(rows, constants)),
        start=trial.columns([known.calibrated.constants_for(one.job) for one in points]),
        sources=[one.name for one in points],
    )  # fmt: skip
    return fit(of, [Level(name=_LEVEL, groups=[_LEVEL] * len(points), free=known.tau(len(points)))])


def _constants(known: _Known, found: Fit) -> Constants:
    """What was known, moved; products stay within what the machine's peak allows."""
    constants = moved(known.calibrated.constants, _offsets(found))
    return replace(constants, speed=min(constants.speed, 1.0 / constants.matmul))


def _offsets(found: Fit) -> dict[str, float]:
    return {name: offset for (_, _, name), offset in found.offsets.items() if abs(offset) > _NOTHING}


def _others(points: Sequence[MeasuredStep], known: _Known) -> list[Calibrated]:
    """What all the other points say of each."""
    return [known.with_constants(_without(points, i, known)) for i in range(len(points))]


def _without(points: Sequence[MeasuredStep], place: int, known: _Known) -> Constants:
    """Constants by all points but one; what was known where none is left."""
    rest = [one for i, one in enumerate(points) if i != place]
    return _constants(known, _fit(rest, known)) if rest else known.calibrated.constants


def _ln_error(one: MeasuredStep, calibrated: Calibrated) -> float:
    """ln(predicted/measured)."""
    return math.log(step_seconds(one, calibrated) / one.step_s)


def _wild(points: Sequence[MeasuredStep], others: Sequence[Calibrated]) -> list[bool]:
    """Which steps disagree with all the others, that agree without it; of two nobody can say which of them does."""
    if len(points) < 3:
        return [False] * len(points)
    found = []
    for i, other in enumerate(others):
        sizes = np.abs([_ln_error(one, other) for one in points])
        found.append(bool(sizes[i] > max(_WILD_LN, _WILDER * np.median(np.delete(sizes, i)))))
    return found


def _half_ln(points: Sequence[MeasuredStep], others: Sequence[Calibrated], known: _Known) -> float:
    """The 90 % half-width: what the others said of each step narrows it; one alone was predicted by nothing."""
    unseen = [_ln_error(one, other) for one, other in zip(points, others, strict=True)] if len(points) > 1 else []
    return min(_WIDEST_LN, half_width(known.half_ln, unseen, max(_SAME_LN, *(one.noise_ln for one in points))))


def _edges(constants: Constants, found: Fit, tau: Mapping[str, float]) -> tuple[str, ...]:
    """Constants that ended at their limit, or further from what was known than such a constant can be."""
    offsets = _offsets(found)
    at_limit = [n for n, off in offsets.items() if n in SHARES and off > 0 and getattr(constants, n) > _EDGE]
    far = [n for n, off in offsets.items() if abs(off) > _FAR * tau[n]]
    held = [SPEED] if SPEED in offsets and constants.speed * constants.matmul >= 1.0 else []
    return tuple(sorted({*at_limit, *far, *held}))


def _calibration(
    machine: str, points: Sequence[MeasuredStep], constants: Constants, known: _Known, half_ln: float,
    edges: tuple[str, ...],
) -> Calibration:  # fmt: skip
    """What moved, and the interval of the kinds of jobs that were measured; other kinds keep theirs."""
    before, seen = known.calibrated, {regime_of(one.job) for one in points}
    changed = {n: getattr(constants, n) for n in TAU if getattr(constants, n) != getattr(before.constants, n)}
    return Calibration(
        name=f"{machine}-site", applies_to=machine, evidence="A", constants=changed, residual_ln=half_ln,
        regimes={kind: half_ln if kind in seen else before.half_ln(kind) for kind in REGIMES}, rows=len(points),
        devices=max(_devices(one.plan) for one in points),
        sources=tuple(sorted({run for one in points for run in one.runs})), at_bound=edges,
    )  # fmt: skip


def _devices(plan: Plan) -> int:
    return int(plan.data) * int(plan.tensor) * int(plan.pipeline) * int(plan.context)


def _checked(
    one: MeasuredStep, known: _Known, other: Calibrated, own: Calibrated, half_ln: float, wild: bool = False
) -> CheckedStep:
    unseen, grow = step_seconds(one, other), math.exp(half_ln)
    return CheckedStep(
        step=one, before_s=step_seconds(one, known.calibrated), unseen_s=unseen, low_s=unseen / grow,
        high_s=unseen * grow, after_s=step_seconds(one, own), wild=wild,
    )  # fmt: skip
