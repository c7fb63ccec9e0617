"""The key figures of the leader, as they stand under the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.report.study import Option
from assay.report.text import capital, figure, reach
from assay.result import METRICS, Metric, Value

MOST = 6
_PRICES = ("rent_usd", "purchase_usd")
_ORDER = (*_PRICES, "time_to_train_s", "step_s", "tokens_per_s", "samples_per_s", "mfu", "headroom_bytes", "energy_j")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A key figure."""

    title: str
    value: str
    note: str
    evidence: str = ""
    meaning: str = ""


def cards(options: Sequence[Option], metric: Metric | None) -> list[Card]:
    """The leader's key figures, the one that ranks first; a price that nobody knows is said to be unknown."""
    if not options:
        return []
    known = {name: v for name in options[0].result.values if (v := options[0].value(name)) is not None}
    idle = {"step_s"} if "time_to_train_s" in known else set()
    names = dict.fromkeys([*([metric.name] if metric else []), *(n for n in _ORDER if n not in idle)])
    found = [_card(n, known[n]) for n in names if n in known]
    if any(n in known for n in _PRICES):
        return found[:MOST]
    return [*found[: MOST - 1], Card(title="Price", value="unknown", note="nobody's asked price is on file")]


def _card(name: str, value: Value) -> Card:
    return Card(
        title=capital(METRICS[name].title),
        value=figure(value.mean, name),
        note=reach(value, name),
        evidence=value.evidence,
        meaning=METRICS[name].meaning,
    )
