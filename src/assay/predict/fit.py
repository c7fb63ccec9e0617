"""Earning constants: robust MAP in log space. Few points already help, and no single source may shout the others down.

θ = argmin Σ w·ρ((ln t_pred - ln t_meas)/σ) + Σ ((ln θ - ln prior)/τ)²,  ρ soft-L1       (Huber 1981, ch. 7)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from assay.calibration import CONSTANTS, Constants
from assay.errors import InputError
from assay.predict.ops import Array

# Largest and smallest value a constant can have and still mean what its name says; priors are the class's values.
BOUNDS: Mapping[str, tuple[float, float]] = {
    "matmul": (0.02, 1.0), "matmul_half_k": (1.0, 4000.0), "tile": (4.0, 512.0), "attention": (0.02, 1.0),
    "memory": (0.05, 1.0), "launch_s": (1e-8, 1e-3), "inner_link": (0.05, 1.0), "outer_link": (0.05, 1.0),
    "inner_latency_s": (1e-7, 1e-3), "outer_latency_s": (1e-7, 1e-2), "overlap_data": (0.01, 1.0),
    "overlap_tensor": (0.01, 1.0), "step_overhead_s": (1e-6, 2.0), "straggler": (1e-4, 0.2),
    "fragmentation": (0.01, 0.5), "reserve_bytes": (1e6, 2e10),
}  # fmt: skip
_SIGMA = 0.05  # what the same setting moves between software releases
_STEP = 1e-3  # of ln θ, for slopes
_FEW = 10.0  # results of one source that count in full; more share this weight

Name: TypeAlias = str | tuple[str, str]  # of a common constant, or of a device and its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One measured figure, and the function that predicts its logarithm from constants."""

    ln_measured: float
    ln_predicted: Callable[[Constants], float]
    source: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Constants that explain the observations best, per device, and what they leave unexplained."""

    constants: Constants
    devices: Mapping[str, Mapping[str, float]]  # device -> the constants that are its own
    residuals: Array  # ln(measured/predicted), in the order of the observations
    at_bound: tuple[str, ...]


def fit(
    observations: Sequence[Observed], start: Constants, free: Mapping[str, float],
    own: Mapping[str, float] | None = None, rounds: int = 15, guess: Fit | None = None,
) -> Fit:  # fmt: skip
    """Fit the `free` constants (name → τ, how far from the prior is plausible) on all, and `own` ones per device.

    A device's own constant is the common one times a factor with its own τ: with few results it stays near the class.
    """
    if not observations:
        raise InputError("nothing to fit on", hint="give at least one measured result that can be predicted")
    unknown = sorted({*free, *(own or {})} - set(CONSTANTS))
    if unknown:
        raise InputError(f'"{unknown[0]}" is not a constant', hint=f"known: {', '.join(CONSTANTS)}")
    from scipy.optimize import least_squares

    devices = sorted({o.device for o in observations})
    names: list[Name] = [*free, *((d, n) for d in devices for n in (own or {}))]
    prior = np.array([math.log(getattr(start, n)) if isinstance(n, str) else 0.0 for n in names])
    tau = np.array([free[n] if isinstance(n, str) else (own or {})[n[1]] for n in names])
    low, high = _limits(names, prior)
    weight = _weights(observations)

    def cost(theta: Array) -> Array:
        return np.concatenate([weight * _robust(_residuals(observations, start, names, theta)), (theta - prior) / tau])

    def slope(theta: Array) -> Array:
        return np.vstack([_slopes(observations, start, names, theta, weight), np.diag(1.0 / tau)])

    first = np.clip(_theta(guess, names) if guess else prior, low, high)
    theta: Array = least_squares(cost, first, slope, bounds=(low, high), xtol=1e-3, ftol=1e-3, max_nfev=rounds).x
    common, mine = _unpack(start, names, theta)
    edge = [
        n
        for n, t, a, b in zip(names, theta, low, high, strict=True)
        if isinstance(n, str) and (t <= a + 1e-3 or t >= b - 1e-3)
    ]
    return Fit(
        constants=common, devices=mine, residuals=_residuals(observations, start, names, theta),
        at_bound=tuple(str(n) for n in edge),
    )  # fmt: skip


def constants_for(found: Fit, device: str) -> Constants:
    """The common constants with this device's own."""
    return replace(found.constants, **found.devices.get(device, {}))


def spread_ln(residuals: Array, coverage: float = 0.9) -> float:
    """Half-width that holds this share of |residuals|, with the conformal correction for few of them.

    The ⌈(n+1)·coverage⌉-th smallest of n (Vovk et al. 2005); with too few to say, the largest times 1.5.

    >>> spread_ln(np.array([0.1] * 99))
    0.1
    """
    sizes = np.sort(np.abs(residuals))
    rank = math.ceil((len(sizes) + 1) * coverage)
    return float(sizes[rank - 1]) if rank <= len(sizes) else float(1.5 * sizes[-1])


def _robust(residuals: Array) -> Array:
    """Signed roots of the soft-L1 loss of residuals in units of σ, so that least squares minimises that loss."""
    off = residuals / _SIGMA
    root: Array = np.sign(off) * np.sqrt(2.0 * (np.sqrt(1.0 + off**2) - 1.0))
    return root


def _slopes(
    observations: Sequence[Observed], start: Constants, names: Sequence[Name], theta: Array, weight: Array
) -> Array:
    """Finite differences; the constants of all devices' own move together, as each result knows one device only."""
    base = weight * _robust(_residuals(observations, start, names, theta))
    out = np.zeros((len(observations), len(names)))
    for group in dict.fromkeys(n if isinstance(n, str) else n[1:] for n in names):
        at = [i for i, n in enumerate(names) if (n if isinstance(n, str) else n[1:]) == group]
        moved = theta.copy()
        moved[at] += _STEP
        change = (weight * _robust(_residuals(observations, start, names, moved)) - base) / _STEP
        for i in at:
            name = names[i]
            mine = [isinstance(name, str) or o.device == name[0] for o in observations]
            out[mine, i] = change[mine]
    return out


def _residuals(observations: Sequence[Observed], start: Constants, names: Sequence[Name], theta: Array) -> Array:
    common, mine = _unpack(start, names, theta)
    by_device = {d: replace(common, **values) for d, values in mine.items()}
    return np.array([o.ln_measured - o.ln_predicted(by_device.get(o.device, common)) for o in observations])


def _unpack(start: Constants, names: Sequence[Name], theta: Array) -> tuple[Constants, dict[str, dict[str, float]]]:
    common = replace(start, **{n: math.exp(t) for n, t in zip(names, theta, strict=True) if isinstance(n, str)})
    mine: dict[str, dict[str, float]] = {}
    for name, t in zip(names, theta, strict=True):
        if not isinstance(name, str):
            device, constant = name
            value = getattr(common, constant) * math.exp(t)
            mine.setdefault(device, {})[constant] = min(value, BOUNDS[constant][1])
    return common, mine


def _theta(found: Fit, names: Sequence[Name]) -> Array:
    """The parameters of an earlier fit, as a place to start from."""
    common = found.constants
    own = [found.devices[n[0]][n[1]] / getattr(common, n[1]) if not isinstance(n, str) else 1.0 for n in names]
    return np.array([math.log(getattr(common, n) if isinstance(n, str) else own[i]) for i, n in enumerate(names)])


def _limits(names: Sequence[Name], prior: Array) -> tuple[Array, Array]:
    low = [math.log(BOUNDS[n][0]) if isinstance(n, str) else -1.5 for n in names]
    high = [math.log(BOUNDS[n][1]) if isinstance(n, str) else 1.5 for n in names]
    return np.array(low), np.array(high)


def _weights(observations: Sequence[Observed]) -> Array:
    """A source's first few results count in full; from there on all of them share that weight."""
    count: dict[tuple[str, str], int] = {}
    for o in observations:
        count[o.source, o.device] = count.get((o.source, o.device), 0) + 1
    return np.array([math.sqrt(min(1.0, _FEW / count[o.source, o.device])) for o in observations])
