"""How far a few measurements narrow an interval that was known before them.

half = t(ν+n)·s,  s² = (ν·s₀² + Σ r²)/(ν+n),  s₀ = half₀/t(ν)

What was known counts as ν measurements of that spread: a scaled inverse χ² prior of the variance, and Student's t for
what comes next (Gelman et al., Bayesian Data Analysis, 3rd ed., §2.6 and §3.2). The residuals r are each of a
measurement that took no part in its own prediction. A conformal quantile would need nine of them for 90 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

COVERAGE = 0.9
_KNOWN = 4.0  # ν: measurements that what was known before is worth
_NORMAL = 1.6449  # standard deviations to each side that hold 90 %


def half_width(before_ln: float, residuals_ln: Sequence[float], noise_ln: float = 0.0) -> float:
    """The 90 % half-width after measurements that left these residuals; never below what repeats differ by.

    >>> round(half_width(0.7, []), 2), round(half_width(0.7, [0.1, -0.1]), 2), round(half_width(0.7, [0.1] * 8), 2)
    (0.7, 0.53, 0.37)
    """
    n = len(residuals_ln)
    scale = before_ln / _quantile(_KNOWN)
    variance = (_KNOWN * scale**2 + sum(r**2 for r in residuals_ln)) / (_KNOWN + n)
    return max(_quantile(_KNOWN + n) * math.sqrt(variance), _NORMAL * noise_ln)


def _quantile(freedom: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1.0 + COVERAGE) / 2.0))
