"""What a reader of a bill should know beside its numbers: what is not counted, what was averaged, what to reserve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from assay.decide.case import Case
from assay.decide.draws import usual
from assay.decide.inputs import Table
from assay.decide.money import YEAR_S
from assay.decide.outcome import Outcome
from assay.decide.simulate import Drawn
from assay.decide.versus import reserve_level
from assay.decide.wording import shown
from assay.pilot import Candidate
from assay.result import Value
from assay.units import show
from assay.uptime import mtbf_s, young_period_s

if TYPE_CHECKING:
    from assay.decide.money import Amount


def remarks(
    case: Case, base: Outcome, candidate: Candidate, table: Table, people: Value | None = None
) -> tuple[str, ...]:  # fmt: skip
    """Remarks on one candidate's bill; `people` is how many its skills add up to."""
    x = usual(table.stated)
    return (
        *_owned(case, candidate), *_rented(case, x), *_staff(case, base, candidate, people), *_stops(case, x),
        *_carried(base),
    )  # fmt: skip


def _owned(case: Case, candidate: Candidate) -> Iterator[str]:
    if candidate.via == "own" and "price_usd" not in case.keys:
        yield "no price is stated for it: maintenance, insurance and what it could be sold for are not counted"
    if candidate.via == "own" and not case.power_w:
        yield "its power and its place are not counted: no site, or no power, is stated"


def _rented(case: Case, x: Mapping[str, Amount]) -> Iterator[str]:
    """A mean over years hides what is paid on the first day."""
    if "rent_usd_per_s" not in case.keys or "rent_decay" not in case.keys:
        return
    today, decay = float(case.of(x, "rent_usd_per_s")), float(case.of(x, "rent_decay"))
    if decay:
        held = f", and agreed anew after {shown(case.commitment_s, 's')}" if case.commitment_s else ""
        yield (
            f"{show(today, 'usd_per_s')} is asked today; over {case.horizon_s / YEAR_S:.2g} years less is reckoned, as "
            f"rents are taken to fall by {100 * decay:.0f} % a year{held}"
        )


def _staff(case: Case, base: Outcome, candidate: Candidate, people: Value | None) -> Iterator[str]:
    """Staff by the server is a habit of large halls."""
    bill = base.bill
    if candidate.via != "rent" and candidate.people is None and float(bill.staff_usd_per_s) and people is not None:
        year = shown(float(bill.staff_usd_per_s) * YEAR_S, "usd")
        heads = f"{people.mean:.2g} people ({people.low:.2g} to {people.high:.2g})"
        yield (
            f"staff is counted by the server, {year} a year; its skills add up to {heads}, some of them there already: "
            "state people where they have to be hired"
        )


def _stops(case: Case, x: Mapping[str, Amount]) -> Iterator[str]:
    """How often a job stops, and how often it should save: Young 1974."""
    rate = float(case.of(x, "failure_hz"))
    accelerators = case.nodes * case.per_node
    if not rate or "save_s" not in case.keys or not any(load.trains for load in case.loads):
        return
    between = mtbf_s(rate, accelerators)
    period = float(young_period_s(1 / between, case.of(x, "save_s")))
    often, save = shown(between, "s"), show(period, "s")
    yield f"a job on {accelerators:,} accelerators stops about every {often}: save every {save}"


def _carried(base: Outcome) -> Iterator[str]:
    carried = float(base.carried)
    if carried < 0.995:
        yield (
            f"it carries {100 * carried:.1f} % of the work, its ramp included; cost of the work is a year's bill over "
            "that share"
        )


def reserve(hourly: Case, reserved: Case, table: Table, drawn: Drawn) -> str:
    """How much of the same machine to reserve when the rest is rented by the hour; empty where none, or all of it.

    The newsvendor's answer over all draws: reserve up to the level that is exceeded reserved/on-demand of the time.
    """
    x = usual(table.stated)
    prices = [float(case.of(x, "rent_usd_per_s")) for case in (reserved, hourly)]
    figures = drawn.figures[hourly.name]
    busy = figures["used"] * figures["clusters"]
    level = reserve_level(list(busy), prices[0], prices[1])
    if level < 0.05 or not prices[1]:
        return ""
    share = f"{100 * prices[0] / prices[1]:.0f} %"
    return (
        f"reserve about {level:.2g} of {hourly.clusters} clusters as {reserved.name} and rent the rest by the hour: so "
        f"much is in use {share} of the time, which is where both cost the same"
    )


def reserves(cases: Sequence[Case], systems: Mapping[str, str], table: Table, drawn: Drawn) -> dict[str, str]:
    """That remark for every hourly candidate whose machine can be reserved, too."""
    found = {}
    for one in cases:
        for other in cases:
            same = systems[one.name] == systems[other.name] and one.nodes == other.nodes
            kept = not other.elastic and "rent_usd_per_s" in other.keys
            if one.elastic and kept and same and (said := reserve(one, other, table, drawn)):
                found[one.name] = said
    return found
