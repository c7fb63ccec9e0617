"""What a contract's promise is worth: time down and what it costs, money that comes back, spares to keep."""

from __future__ import annotations

import math
from dataclasses import replace

from assay.assumption import Assumption, exactly
from assay.decide.money import MONTH_S, YEAR_S
from assay.decide.ranges import product, spread
from assay.decide.reliability import poisson, spare_nodes
from assay.economics import Economics
from assay.hazards import Downtime
from assay.pilot import Contract
from assay.result import Value

# How often an accelerator breaks so that it must be replaced; most stops only need a restart.
REPLACED_HZ = Assumption(
    value=0.05 / YEAR_S, low=0.02 / YEAR_S, high=0.09 / YEAR_S, date="2024", confidence="low",
    source="planning value of 5 % a year; 2 to 9 % are published of large clusters",
)  # fmt: skip


def downtime(
    *, contract: Contract, economics: Economics, nodes: int, per_node: int, usd_per_s: Value | None,
    bill_usd_per_s: Value | None = None, rented: bool = False, target: float = 0.95,
) -> Downtime | None:  # fmt: skip
    """What a contract's promise is worth for so many nodes; None where nothing is known of how long they are down.

    `usd_per_s` is what an available accelerator costs, `bill_usd_per_s` what all of them are billed for.
    """
    down = down_share(contract, economics, per_node)
    if down is None:
        return None
    loss = _money(down, usd_per_s, YEAR_S * nodes * per_node) if usd_per_s else None
    repair_s = contract.replacement_s
    keep = None if rented or repair_s is None else spare_nodes(nodes, per_node * REPLACED_HZ.value, repair_s, target)
    return Downtime(
        down_s=down.mean * YEAR_S,
        promised_down_s=None if contract.availability is None else (1 - contract.availability) * YEAR_S,
        loss_usd=loss,
        credit_usd=credit_usd(contract, per_node, bill_usd_per_s),
        spares=keep,
        note=_note(contract, rented),
    )


def down_share(contract: Contract, economics: Economics, per_node: int) -> Value | None:
    """Share of time that a node is down: parts waited for and stops recovered from, else the usual availability."""
    wait_s, stops, recovery = contract.replacement_s, economics.failure_hz, economics.recovery_s
    if wait_s is not None and stops and recovery:
        stated = {"replaced_hz": REPLACED_HZ, "stops_hz": stops, "recovery_s": recovery}
        found = spread(lambda x: per_node * (x["replaced_hz"] * wait_s + x["stops_hz"] * x["recovery_s"]), stated)
        return replace(found, mean=min(1.0, found.mean), high=min(1.0, found.high))
    if economics.availability is None:
        return None
    up = economics.availability
    return Value(mean=1 - up.value, low=1 - up.high, high=1 - up.low, evidence="D")


def missed_share(promised: float, breaks_hz: float, repair_s: float) -> float:
    """The share of months in which a node misses its availability: more breaks than the allowed time holds repairs.

    Breaks come as Poisson, each is down for the repair time; P(breaks a month > ⌊(1 - promised) month / repair⌋).

    >>> round(missed_share(0.995, 0.4 / YEAR_S, 24 * 3600.0), 4)
    0.0328
    """
    allowed = (1 - promised) * MONTH_S / repair_s if repair_s else math.inf  # repairs that fit
    mean = breaks_hz * MONTH_S
    if allowed > mean + 50 * math.sqrt(mean + 1):
        return 0.0
    return max(0.0, 1.0 - math.fsum(poisson(k, mean) for k in range(int(allowed) + 1)))


def credit_usd(contract: Contract, per_node: int, bill_usd_per_s: Value | None) -> Value | None:
    """Money that comes back in a year when each node's own month is what is promised; never more than the cap.

    None where promise, credit, bill or repair time is not known: it is then no reason to buy.
    """
    promised, share, repair_s = contract.availability, contract.credit_share, contract.replacement_s
    if promised is None or share is None or repair_s is None or bill_usd_per_s is None:
        return None
    back = share if contract.credit_cap is None else min(share, contract.credit_cap)
    missed = spread(lambda x: missed_share(promised, per_node * x["breaks"], repair_s), {"breaks": REPLACED_HZ})
    return _money(missed, bill_usd_per_s, back * YEAR_S)


def _money(share: Value, usd_per_s: Value, times: float) -> Value:
    """A share of what is paid; its range ends at nothing."""
    found = product(share, usd_per_s, exactly(times))
    return replace(found, low=max(0.0, found.low))


def _note(contract: Contract, rented: bool) -> str:
    if contract.replacement_s is None:
        return "no replacement time is promised: time down is the usual share, credits and spares cannot be reckoned"
    parts = ["5 % of accelerators break in a year (2 to 9 %), each is waited for as long as promised"]
    if contract.availability is not None and contract.credit_share is None:
        parts.append("an availability is promised, but no credit for missing it")
    if contract.credit_share is not None:
        parts.append("credits are reckoned by node and month, as if asked for each time")
    if rented:
        parts.append("spares are the provider's")
    return "; ".join(parts)
