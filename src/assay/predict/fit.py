"""Earning constants: robust MAP with a hierarchy. Few points already help, and no single source may shout others down.

θ = argmin Σ w²·ρ((ln t_pred - ln t_meas)/σ) + Σ (offset/τ)²,  ρ soft-L1       (Huber 1981, ch. 7)

A row's constant is its class's prior moved by an offset for each level it belongs to: architecture class, maker,
device, source. A share moves in its logit, so it stays between 0 and 1; everything else in its logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from assay.calibration import CONSTANTS, Constants
from assay.errors import InputError
from assay.predict.ops import Array

# Constants that are shares: never below 0 nor above 1.
SHARES = frozenset({
    "matmul", "matmul_wide", "matmul_8bit", "matmul_4bit", "grouped", "conv", "attention", "memory", "lookup",
    "inner_link", "outer_link", "overlap_data", "overlap_tensor", "overlap_expert", "contention", "straggler",
    "fragmentation",
})  # fmt: skip
SPEED = "speed"  # of everything: what a source's software does better or worse than its machine's constants say
_SIGMA = 0.05  # what the same setting moves between software releases
_STEP = 1e-3  # of a constant's logit or logarithm, for slopes
_FEW = 10.0  # results of one source and device that count in full; more share this weight
_EDGE = 0.98  # a share that ends above this explains something that is not in the formulas
_ALMOST = 1e-6
_FLAT = 0.1  # slope of the sum by an offset at which it counts as least: a row alone has some units


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of the hierarchy: which group each row is in, and how far (τ) each constant may lie from the level
    above.
    """

    name: str
    groups: Sequence[str]  # of each row; "" = in none
    free: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """Measured figures and the function that predicts their logarithms from constants, a column of each."""

    ln_measured: Array
    ln_predicted: Callable[[Constants], Array]
    start: Constants  # priors: numbers, or columns
    sources: Sequence[str]  # who measured what on which device: rows of one share a weight

    def __len__(self) -> int:
        return len(self.ln_measured)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Offsets that explain the observations best, by level, group and constant; and what they leave unexplained."""

    offsets: Mapping[tuple[str, str, str], float]
    residuals: Array  # ln(measured/predicted) by the constants alone, in the order of the observations
    at_edge: tuple[str, ...]  # "group: constant" where a share ended at its limit: a model term is missing
    information: Mapping[tuple[str, str, str], float]  # how much narrower than its prior each offset is known, 0 to 1


def fit(of: Observations, levels: Sequence[Level], rounds: int = 25, guess: Fit | None = None) -> Fit:
    """Fit the offsets of all levels; `guess` is where to start from."""
    if not len(of):
        raise InputError("nothing to fit on", hint="give at least one measured result that can be predicted")
    unknown = sorted({n for level in levels for n in level.free} - {*CONSTANTS, SPEED})
    if unknown:
        raise InputError(f'"{unknown[0]}" is not a constant', hint=f"known: {', '.join(CONSTANTS)}")
    names, design, tau = _design(levels)
    weight = _weights(of.sources)
    constants = list(dict.fromkeys(n for _, _, n in names))

    def offsets(theta: Array) -> dict[str, Array]:
        return {c: sum((theta[i] * design[i] for i, n in enumerate(names) if n[2] == c), np.zeros(len(of)))
                for c in constants}  # fmt: skip

    def cost(theta: Array) -> Array:
        off = of.ln_measured - _ln_predicted(of, offsets(theta))
        return np.concatenate([weight * _robust(off), theta / tau])

    def slope(theta: Array) -> Array:
        at = offsets(theta)
        base = _ln_predicted(of, at)
        lean = weight * _robust_slope(of.ln_measured - base)
        by_constant = {c: -lean * _slope(of, at, c, base) for c in constants}
        rows = np.stack([by_constant[n[2]] * design[i] for i, n in enumerate(names)], axis=1)
        return np.vstack([rows, np.diag(1.0 / tau)])

    first = np.array([guess.offsets.get(n, 0.0) if guess else 0.0 for n in names])
    theta, curvature = _least(cost, slope, first, rounds)
    own, spread = offsets(theta), np.sqrt(np.diag(np.linalg.inv(curvature)))
    return Fit(
        offsets=dict(zip(names, map(float, theta), strict=True)),
        residuals=of.ln_measured - _ln_predicted(of, own | {SPEED: np.zeros(len(of))}),
        at_edge=_at_edge(of, levels, own),
        information={n: float(1.0 - s / t) for n, s, t in zip(names, spread, tau, strict=True)},
    )  # fmt: skip


def _least(
    cost: Callable[[Array], Array], slope: Callable[[Array], Array], first: Array, rounds: int
) -> tuple[Array, Array]:
    """Where half the sum of squares is least, and how it curves there (Gauss-Newton, in a region that is trusted).

    With a thousand offsets a step is one Cholesky factor; MINPACK makes a QR of two thousand rows and stops at kinks.
    """
    from scipy.optimize import minimize

    @lru_cache(maxsize=2)
    def at(theta: bytes) -> tuple[Array, Array]:
        here = np.frombuffer(theta)
        steep = slope(here)
        return steep.T @ cost(here), steep.T @ steep

    found = minimize(
        lambda theta: 0.5 * float(np.sum(cost(theta) ** 2)), first, jac=lambda theta: at(theta.tobytes())[0],
        hess=lambda theta: at(theta.tobytes())[1], method="trust-exact",
        options={"gtol": _FLAT, "maxiter": rounds, "initial_trust_radius": 2.0, "max_trust_radius": 20.0},
    )  # fmt: skip
    return found.x, at(found.x.tobytes())[1]


def constants_of(start: Constants, found: Fit, groups: Mapping[str, str]) -> Constants:
    """The constants of something that belongs to these groups, by level; start holds numbers."""
    offsets: dict[str, float] = {}
    for (level, group, name), offset in found.offsets.items():
        if groups.get(level) == group and name != SPEED:
            offsets[name] = offsets.get(name, 0.0) + offset
    return moved(start, offsets)


def speed_of(found: Fit, groups: Mapping[str, str]) -> float:
    """Logarithm of the factor on the whole step's speed that a fit found for something that belongs to these groups."""
    return sum(found.offsets.get((level, group, SPEED), 0.0) for level, group in groups.items())


def moved(start: Constants, offsets: Mapping[str, float]) -> Constants:
    """Constants moved by offsets of their logits or logarithms; numbers, not columns."""
    columns = _moved(start, {name: np.asarray(offset) for name, offset in offsets.items()})
    return replace(columns, **{name: float(getattr(columns, name)) for name in offsets})


def spread_ln(residuals: Array, coverage: float = 0.9, groups: Sequence[Sequence[str]] = ()) -> float:
    """Half-width that holds this share of |residuals|, with the conformal correction for few of them.

    The ⌈(n+1)·coverage⌉-th smallest of n (Vovk et al. 2005); with too few to say, the largest times 1.5. With `groups`
    (one label a residual in each, the broadest first) every group weighs as much as its neighbours, however many
    residuals it has: the next one is a draw of groups (Tibshirani et al. 2019, weighted conformal prediction).

    >>> spread_ln(np.array([0.1] * 99))
    0.1
    """
    if groups:
        return _weighted(np.abs(residuals), groups, coverage)
    sizes = np.sort(np.abs(residuals))
    rank = math.ceil((len(sizes) + 1) * coverage)
    return float(sizes[rank - 1]) if rank <= len(sizes) else float(1.5 * sizes[-1])


def _weighted(sizes: Array, groups: Sequence[Sequence[str]], coverage: float) -> float:
    weight, within = np.ones(len(sizes)), ["" for _ in sizes]
    for labels in groups:
        inner = [f"{outer}/{label}" for outer, label in zip(within, labels, strict=True)]
        siblings = {outer: len({i for i, o in zip(inner, within, strict=True) if o == outer}) for outer in set(within)}
        weight /= np.array([siblings[outer] for outer in within])
        within = inner
    many = {label: within.count(label) for label in set(within)}
    weight /= np.array([many[label] for label in within])
    order = np.argsort(sizes)
    held = np.cumsum(weight[order]) / np.sum(weight)
    wanted = coverage * (1.0 + 1.0 / len(many))  # the next group is one more of them
    return float(sizes[order][np.searchsorted(held, wanted)]) if wanted <= held[-1] else float(1.5 * sizes.max())


def _design(levels: Sequence[Level]) -> tuple[list[tuple[str, str, str]], list[Array], Array]:
    """Every offset: its level, group and constant, the rows it moves, and its τ."""
    names, design, tau = [], [], []
    for level in levels:
        groups = np.array(level.groups)
        for group in sorted({*level.groups} - {""}):
            for constant, width in level.free.items():
                names.append((level.name, group, constant))
                design.append((groups == group).astype(np.float64))
                tau.append(width)
    return names, design, np.array(tau)


def _ln_predicted(of: Observations, moved: Mapping[str, Array]) -> Array:
    speed = moved.get(SPEED)
    found = of.ln_predicted(_moved(of.start, {c: m for c, m in moved.items() if c != SPEED}))
    return found if speed is None else found + speed


def _moved(start: Constants, offsets: Mapping[str, Array]) -> Constants:
    """The same for columns of constants and of offsets."""
    changed = {}
    for name, offset in offsets.items():
        value = np.asarray(getattr(start, name), dtype=np.float64)
        if name in SHARES:
            inside = np.clip(value, _ALMOST, 1.0 - _ALMOST)
            value = 1.0 / (1.0 + np.exp(-(np.log(inside / (1.0 - inside)) + offset)))
        else:
            value = value * np.exp(offset)
        changed[name] = value
    return replace(start, **changed)  # type: ignore[arg-type]


def _slope(of: Observations, at: Mapping[str, Array], constant: str, base: Array) -> Array:
    """Of each row's predicted logarithm, by its own constant: rows do not know each other's."""
    if constant == SPEED:
        return np.ones(len(of))
    stepped = {**at, constant: at[constant] + _STEP}
    return (_ln_predicted(of, stepped) - base) / _STEP


def _robust(residuals: Array) -> Array:
    """Signed roots of the soft-L1 loss of residuals in units of σ, so that least squares minimises that loss."""
    off = residuals / _SIGMA
    root: Array = np.sign(off) * np.sqrt(2.0 * (np.sqrt(1.0 + off**2) - 1.0))
    return root


def _robust_slope(residuals: Array) -> Array:
    """Of `_robust`, by the residual: |ρ'| / root = off / (√(1+off²) · root), 1/σ at 0."""
    off = residuals / _SIGMA
    root = np.abs(_robust(residuals))
    slope = np.where(root > 1e-9, np.abs(off) / np.maximum(np.sqrt(1.0 + off**2) * root, 1e-12), 1.0)
    return slope / _SIGMA


def _at_edge(of: Observations, levels: Sequence[Level], moved: Mapping[str, Array]) -> tuple[str, ...]:
    """Shares that ended at their limit, by the group of the broadest level."""
    own = _moved(of.start, {c: m for c, m in moved.items() if c != SPEED})
    found = set()
    for constant in SHARES & set(moved):
        value = np.broadcast_to(getattr(own, constant), (len(of),))
        for group in sorted({*levels[0].groups}):
            mine = np.array(levels[0].groups) == group
            if np.median(value[mine]) > _EDGE:
                found.add(f"{group}: {constant}")
    return tuple(sorted(found))


def _weights(sources: Sequence[str]) -> Array:
    """A source's first few results on a device count in full; from there on all of them share that weight."""
    count: dict[str, int] = {}
    for source in sources:
        count[source] = count.get(source, 0) + 1
    return np.array([math.sqrt(min(1.0, _FEW / count[source])) for source in sources])
