"""Where a pilot stands: its days and its money, what was added, what every gate says, and what to measure next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.api.asked import asked
from assay.api.deciding import decided
from assay.api.evidence import Known
from assay.api.pilot_steps import Rulings
from assay.decision import Measurement, Spent
from assay.pilot import Pilot

_DRAWS = 20_000  # enough to tell which measurement is worth most


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A pilot as it is today."""

    pilot: Pilot
    spent: Spent
    known: Known
    rulings: Rulings
    next: tuple[Measurement, ...]  # the most informative first


def status(path: Path | str, today: str, folders: Sequence[Path] = ()) -> Status:
    """Days and budget used, what is proven of each candidate, what would settle most, on the day `today` (ISO 8601).

    Predictions are heard by the gates that accept them.
    """
    told = asked(path, today, folders)
    made = decided(told, n=_DRAWS)
    order = [c.name for c in told.pilot.candidates]
    judged = sorted(made.candidates, key=lambda one: order.index(one.name))
    return Status(
        pilot=told.pilot, known=told.known, next=made.next, rulings={one.name: one.gates for one in judged},
        spent=made.spent or Spent(day=0, days=told.pilot.days, usd=0.0, budget_usd=told.pilot.budget_usd),
    )  # fmt: skip
