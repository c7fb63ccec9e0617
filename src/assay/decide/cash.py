"""Money month by month: what is paid when, what comes back at the end, what it is all worth today."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assay.decide.case import Case
from assay.decide.cost import RENT, RUNNING, lines
from assay.decide.money import MONTH_S, YEAR_S, worth_later
from assay.decide.outcome import outcome, use_at
from assay.worth import Month

if TYPE_CHECKING:
    import numpy as np

    from assay.decide.money import Amount

    Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flows:
    """Money that moves, one row a month from the day of purchase on; columns are draws where there are any."""

    capital_usd: Array
    running_usd: Array
    rent_usd: Array
    resale_usd: Array

    @property
    def net_usd(self) -> Array:
        """What is paid in all."""
        found: Array = self.capital_usd + self.running_usd + self.rent_usd - self.resale_usd
        return found


def flows(case: Case, x: Mapping[str, Amount]) -> Flows:
    """A case's money over its horizon: hardware at the start and again at its life's end, the rest month by month."""
    import numpy as np

    n = round(case.horizon_s / MONTH_S)
    found = outcome(case, x)
    bill, year = found.bill, lines(found.bill)
    wide = np.broadcast_shapes(*(np.shape(v) for v in (found.year_usd, *x.values())))
    zero = np.zeros((n + 1, *wide))
    month = np.arange(1.0, n + 1).reshape(-1, *(1 for _ in wide))
    capital, resale = zero.copy(), zero.copy()
    capital[0] = bill.once_usd
    for price, life_s, rest, sells in (
        (bill.servers_usd + bill.spares_usd, bill.server_life_s, bill.resale, True),
        (bill.network_usd, bill.network_life_s, bill.network_resale, True),
        (bill.storage_usd, bill.storage_life_s, 0.0, True),
        (bill.plant_usd, bill.plant_life_s, 0.0, True),
        (bill.install_usd, bill.server_life_s, 0.0, False),  # work that was done brings nothing
    ):
        bought, sold = _purchases(price, life_s, rest, n, wide)
        sold = sold if sells else np.zeros_like(sold)
        capital, resale = capital + bought, resale + sold
    running, rent = zero.copy(), zero.copy()
    running[1:] = sum(year[name] for name in RUNNING) / 12
    rent[1:] = sum(year[name] for name in RENT) / 12
    if "rent_usd_per_s" in case.keys:  # what is rented by the hour follows the work, and all of it the market
        rent[1:] = _rent_by_month(case, x, month)
    return Flows(capital_usd=capital, running_usd=running, rent_usd=rent, resale_usd=resale)


def _purchases(price: Amount, life_s: Amount, rest: Amount, n: int, wide: tuple[int, ...]) -> tuple[Array, Array]:
    """Bought at the start, again each time it is worn out within the horizon, and sold at the horizon's end."""
    import numpy as np

    bought, sold = np.zeros((n + 1, *wide)), np.zeros((n + 1, *wide))
    months = np.maximum(np.round(np.asarray(life_s) / MONTH_S), 1)
    rows = np.arange(n + 1).reshape(-1, *(1 for _ in wide))
    start = rows % months == 0
    bought += np.where(start & (rows < n), price, 0.0)
    sold += np.where(start & (rows > 0) & (rows < n), rest * np.asarray(price), 0.0)
    age = (n - 1) % months + 1
    sold[n] = np.where(np.asarray(price) > 0, worth_later(price, age, months, rest), 0.0)
    return bought, sold


def _rent_by_month(case: Case, x: Mapping[str, Amount], month: Array) -> Amount:
    """By the hour: as it is used, at what is asked then. Reserved: all of it, at a price that holds so long."""
    import numpy as np

    years = (month - 0.5) / 12
    asked, decay = case.of(x, "rent_usd_per_s"), case.of(x, "rent_decay")
    egress = case.of(x, "egress_bytes_per_s") * case.of(x, "egress_usd_per_byte")
    accelerators = outcome(case, x).bill.accelerators
    used = use_at(case, x, years) if case.elastic else 1.0
    held = case.commitment_s / YEAR_S
    agreed = years if not held else np.floor(years / held + 1e-9) * held
    return (asked * accelerators * used * (1 - decay) ** agreed + egress) * MONTH_S


def present_usd(found: Flows, r: Amount) -> Amount:
    """What all that is paid is worth on the first day: Σ net / (1+r)^(month/12)."""
    import numpy as np

    net = found.net_usd
    years = np.arange(net.shape[0]).reshape(-1, *(1 for _ in net.shape[1:])) / 12
    worth = np.sum(net * (1 + np.asarray(r)) ** -years, axis=0)
    return worth if worth.ndim else float(worth)


def npv_usd(instead: Flows, other: Flows, r: Amount) -> Amount:
    """What is gained today by paying one row of money instead of another."""
    return present_usd(other, r) - present_usd(instead, r)


def payback_months(instead: Flows, other: Flows) -> int | None:
    """The first month from which on less was paid in all than the other way, to the horizon; None is never.

    What could be sold is not counted before it is sold.
    """
    import numpy as np

    ahead = np.cumsum(other.net_usd) - np.cumsum(instead.net_usd)
    behind = np.nonzero(ahead < -1e-6)[0]
    if not len(behind):
        return 0
    first = int(behind[-1]) + 1
    return first if first < len(ahead) else None


def by_month(found: Flows) -> tuple[Month, ...]:
    """The rows as nouns."""
    columns = (found.capital_usd, found.running_usd, found.rent_usd, found.resale_usd)
    return tuple(
        Month(month=i, capital_usd=float(c), running_usd=float(o), rent_usd=float(r), resale_usd=float(s))
        for i, (c, o, r, s) in enumerate(zip(*columns, strict=True))
    )
