"""Formulas of money over time: what capital costs a year, what a falling price comes to, what later money is worth now.

Each takes numbers or arrays of one length: a tornado and a Monte-Carlo are these formulas over arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    Amount: TypeAlias = float | np.ndarray[Any, np.dtype[np.float64]]

YEAR_S = 365.25 * 86400.0
_DAY_YEARS = 1 / 365.25
MONTH_S = YEAR_S / 12


def capital_recovery(r: Amount, n: Amount) -> Amount:
    """Share of a price that is paid each year to own a thing for n years at an interest of r: r / (1 − (1+r)⁻ⁿ).

    Without interest it is 1/n. (Any text on engineering economics; Barroso, Hölzle, Ranganathan 2018, chapter 6.)

    >>> round(capital_recovery(0.10, 5.0), 6), capital_recovery(0.0, 5.0)
    (0.263797, 0.2)
    """
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(np.abs(r) < 1e-9, 1 / np.asarray(n), r / -np.expm1(-n * np.log1p(r)))
    return found if found.ndim else float(found)


def annual_capital(C: Amount, n: Amount, r: Amount, S: Amount = 0.0) -> Amount:
    """What a thing of price C costs a year that lasts n years and then brings S of its price: (C − S·C·(1+r)⁻ⁿ)·CRF.

    >>> round(annual_capital(250e3, 5.0, 0.10, 0.10))
    61854
    """
    return C * (1 - S * (1 + r) ** -n) * capital_recovery(r, n)


def present(amount: Amount, years: Amount, r: Amount) -> Amount:
    """What money that moves in so many years is worth today.

    >>> round(present(110.0, 1.0, 0.10), 2)
    100.0
    """
    return amount * (1 + r) ** -years


def mean_falling(decay: Amount, years: float, fixed_years: float = 0.0) -> Amount:
    """Mean over the years of a price that falls by `decay` a year, as a share of today's.

    With `fixed_years` the price is agreed anew only so often, and holds in between.

    >>> round(mean_falling(0.2, 3.0), 3), round(mean_falling(0.2, 3.0, 1.0), 3), mean_falling(0.0, 3.0)
    (0.729, 0.813, 1.0)
    """
    import numpy as np

    keep = np.clip(1 - np.asarray(decay), 1e-3, None)
    if fixed_years > _DAY_YEARS:  # what is agreed anew each day falls as the market does
        starts = np.arange(0.0, years, fixed_years)
        ends = np.minimum(starts + fixed_years, years)
        found = sum(keep**start * (end - start) for start, end in zip(starts, ends, strict=True)) / years
    else:
        k = -np.log(keep) * years
        found = np.where(np.abs(k) < 1e-9, 1.0, -np.expm1(-k) / np.where(np.abs(k) < 1e-9, 1.0, k))
    found = np.asarray(found)
    return found if found.ndim else float(found)


def worth_later(C: Amount, t: Amount, life: Amount, S: Amount) -> Amount:
    """What a thing of price C brings after t years of its life: C·(S + (1 − S)·(1 − t/L)²).

    The sum of the years' digits, in small steps: much is lost at first, little at last, and S is what it brings at its
    life's end and after. At 10 % after 5 years it gives 24 % after 3, where 25 to 35 % are claimed of servers.

    >>> round(worth_later(100.0, 3.0, 5.0, 0.10), 1), worth_later(100.0, 9.0, 5.0, 0.10)
    (24.4, 10.0)
    """
    import numpy as np

    left = 1 - np.minimum(np.asarray(t) / life, 1.0)
    found = np.asarray(C * (S + (1 - np.asarray(S)) * left**2))
    return found if found.ndim else float(found)
