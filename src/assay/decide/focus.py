"""The bill in the columns of FOCUS, so that it can be loaded beside cloud bills.

Column names are those of the FinOps Open Cost and Usage Specification, version 1.2. What machines of one's own cost is
written as a provider of its own. Costs are those of a month of a mean year of the horizon, dated into the first month
in which the candidate is there: what rents fall and work grows by is averaged (`Tags` says so).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

from assay.decision import Decision, Judged
from assay.worth import Line

COLUMNS = (
    "BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "BillingCurrency", "BillingPeriodStart",
    "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd", "ChargeCategory", "ChargeFrequency",
    "ChargeDescription", "ServiceCategory", "ServiceName", "ProviderName", "PricingCategory",
    "CommitmentDiscountType", "ConsumedQuantity", "ConsumedUnit", "RegionId", "ResourceId", "ResourceName",
    "SubAccountId", "Tags",
)  # fmt: skip

_MONTH_H = 365.25 / 12 * 24


def rows(decision: Decision, sites: Mapping[str, str], terms: Mapping[str, str]) -> Iterator[dict[str, object]]:
    """One row a candidate and line of its bill; `sites` gives regions by site, `terms` the way each is paid for."""
    for one in decision.candidates:
        period = _first_month(one.delivered or decision.made)
        for line in one.worth.lines if one.worth else ():
            yield _row(decision, one, line, period, sites.get(one.site, ""), terms.get(one.name, ""))


def _first_month(day: str) -> tuple[date, date]:
    """The month in which a candidate is there, and the next."""
    start = date.fromisoformat(day[:10]).replace(day=1)
    return start, (start.replace(day=28) + timedelta(days=7)).replace(day=1)


def _row(
    decision: Decision, one: Judged, line: Line, period: tuple[date, date], region: str, term: str
) -> dict[str, object]:  # fmt: skip
    month = line.usd / 12
    rented = line.kind == "rent"
    used = one.worth.used_share.mean if one.worth else 0.0
    hours = (one.accelerators or 0) * _MONTH_H * (used if term in ("on-demand", "spot") else 1.0)
    told = {
        "BilledCost": round(month, 2), "EffectiveCost": round(month, 2), "ListCost": None,
        "ContractedCost": round(month, 2) if rented else None, "BillingCurrency": "USD",
        "BillingPeriodStart": _at(period[0]), "BillingPeriodEnd": _at(period[1]),
        "ChargePeriodStart": _at(period[0]), "ChargePeriodEnd": _at(period[1]),
        "ChargeCategory": "Purchase" if line.kind == "capital" else "Usage",
        "ChargeFrequency": "Usage-Based" if rented else "Recurring", "ChargeDescription": line.name,
        "ServiceCategory": "AI and Machine Learning", "ServiceName": one.system,
        "ProviderName": one.vendor if rented else "self-hosted",
        "PricingCategory": _PRICING.get(term, "Standard") if rented else "Other",
        "CommitmentDiscountType": term if term in ("reserved", "committed") else None,
        "ConsumedQuantity": round(hours, 1) if line.name in ("rent", "servers") else None,
        "ConsumedUnit": "accelerator-hours" if line.name in ("rent", "servers") else None, "RegionId": region or None,
        "ResourceId": one.name, "ResourceName": f"{one.accelerators} accelerators of {one.system}",
        "SubAccountId": decision.pilot, "Tags": _tags(one.name, line.name),
    }  # fmt: skip
    return {name: told[name] for name in COLUMNS}


def _tags(candidate: str, line: str) -> str:
    import json

    return json.dumps({"candidate": candidate, "line": line, "basis": "mean month of the horizon"})


_PRICING = {"on-demand": "Standard", "spot": "Dynamic", "reserved": "Committed", "committed": "Committed"}


def _at(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


def total(found: Sequence[Mapping[str, object]]) -> float:
    """What all rows come to."""
    return math.fsum(row["BilledCost"] for row in found)  # type: ignore[misc]  # numbers by construction
