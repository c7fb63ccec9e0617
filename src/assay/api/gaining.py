"""What a candidate brings besides a smaller bill, where the pilot says what that is worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from assay.assumption import Assumption
from assay.decide import roi
from assay.decide.case import Case
from assay.decide.draws import usual
from assay.decide.inputs import Table
from assay.decide.money import MONTH_S, YEAR_S
from assay.decide.outcome import outcome
from assay.decide.ranges import spread
from assay.economics import Economics
from assay.pilot import Benefits, Candidate, Demand, Pilot
from assay.units import show
from assay.worth import Gain

if TYPE_CHECKING:
    from assay.decide.money import Amount


def gains(
    case: Case, reference: Case, candidate: Candidate, pilot: Pilot, economics: Economics, table: Table
) -> tuple[Gain, ...]:  # fmt: skip
    """Every stated benefit in USD a year beside a reference candidate; what porting costs is one with a minus."""
    stated = table.stated
    return (
        *_waiting(case, reference, pilot.benefits, economics, stated),
        *_queueing(case, reference, pilot.benefits, economics, table),
        *_sooner(case, reference, pilot, stated),
        *_points(candidate, pilot.benefits),
        *_porting(candidate, economics, pilot.demand),
    )


def reference(cases: Sequence[Case], owned: frozenset[str], table: Table) -> Case | None:
    """What the others are held against: what is owned already, else the slowest of them at the first kind of work."""
    able = [case for case in cases if case.loads]
    if not able:
        return None
    x = usual(table.stated)
    return min(able, key=lambda case: (case.name not in owned, x[case.loads[0].rate]))


def _as_fast(case: Case, other: Case) -> bool:
    """Whether both rest on one speed: the same machine, bought or rented."""
    return case.loads[0].rate == other.loads[0].rate


def _speeds(case: Case, other: Case, stated: dict[str, Assumption]) -> dict[str, Assumption]:
    return {"rate": stated[case.loads[0].rate], "other": stated[other.loads[0].rate]}


def _waiting(
    case: Case, other: Case, told: Benefits, economics: Economics, stated: dict[str, Assumption]
) -> Iterator[Gain]:  # fmt: skip
    """Engineers whose runs come back sooner."""
    pay, overhead = economics.engineer_usd_per_s, economics.pay_overhead
    if not (
        told.engineers and told.iterations_per_day and told.waiting_share and told.iteration_s and pay and overhead
    ):
        return
    if _as_fast(case, other):
        return
    engineers, often = told.engineers, told.iterations_per_day
    named = {"share": told.waiting_share, "run": told.iteration_s, "pay": pay, "overhead": overhead,
             **_speeds(case, other, stated)}  # fmt: skip

    def formula(x: dict[str, float]) -> float:
        per_s = x["pay"] * x["overhead"] * YEAR_S / (roi.WORKDAYS * roi.WORKDAY_S)
        after = x["run"] * x["other"] / x["rate"]
        return float(roi.waiting_usd(engineers, often, per_s, x["share"], x["run"], after))

    value = spread(formula, named)  # type: ignore[arg-type]  # a mapping is a table
    faster = stated[case.loads[0].rate].value / stated[other.loads[0].rate].value
    tries = float(roi.iterations_per_day(often, faster, 1.0))
    waited, run = f"{100 * told.waiting_share.value:.0f} %", show(told.iteration_s.value, "s")
    how = (
        f"{engineers:g} engineers × {often:g} runs a day × {run}, which is {faster:.2g} times as fast as on "
        f"{other.name}, × {waited} of it waited; {tries:.2g} runs a day would fit"
    )
    yield Gain(name="less waiting", usd=value, how=how)


def _queueing(case: Case, other: Case, told: Benefits, economics: Economics, table: Table) -> Iterator[Gain]:
    """Runs that wait less, or longer, for a machine: as full as the candidate would be, against the reference."""
    pay, overhead = economics.engineer_usd_per_s, economics.pay_overhead
    if not (told.engineers and told.iterations_per_day and told.waiting_share and told.queue_s and pay and overhead):
        return
    if case is other or not case.loads or case.loads[0].per_job is None:
        return
    engineers, often, x = told.engineers, told.iterations_per_day, usual(table.stated)
    before, after = _station(other, x), _station(case, x)
    named = {"share": told.waiting_share, "queue": told.queue_s, "pay": pay, "overhead": overhead}

    def formula(y: Mapping[str, float]) -> float:
        per_s = y["pay"] * y["overhead"] * YEAR_S / (roi.WORKDAYS * roi.WORKDAY_S)
        waits = 0.0 if case.elastic else roi.queue_after_s(y["queue"], before, after)
        return float(roi.waiting_usd(engineers, often, per_s, y["share"], y["queue"], waits))

    value = spread(formula, named)
    waits = 0.0 if case.elastic else roi.queue_after_s(told.queue_s.value, before, after)
    how = (
        f"a run waits {show(told.queue_s.value, 's')} for a machine today and would wait {show(waits, 's')} "
        f"(Erlang-C, beside {other.name}), × {engineers:g} engineers × {often:g} runs a day"
    )
    yield Gain(name="less queueing", usd=value, how=how)


def _station(case: Case, x: Mapping[str, Amount]) -> tuple[int, float, float]:
    """Clusters, jobs a second and the time of one, of the first kind of work."""
    load, found = case.loads[0], outcome(case, x)
    job = load.per_job or 1.0
    return case.clusters, float(x[load.wanted]) / job, job / float(found.rates[load.workload])


def _sooner(case: Case, other: Case, pilot: Pilot, stated: dict[str, Assumption]) -> Iterator[Gain]:
    """Models that are ready sooner."""
    month = pilot.benefits.month_earlier_usd
    load = case.loads[0]
    work = pilot.workload(load.workload)
    if month is None or load.per_job is None or work is None or work.jobs_per_year is None or _as_fast(case, other):
        return
    job = load.per_job
    named = {"month": month, "jobs": work.jobs_per_year, **_speeds(case, other, stated)}
    value = spread(
        lambda x: float(roi.sooner_usd(x["month"], job / x["other"], job / x["rate"], x["jobs"])), named
    )  # fmt: skip
    apart = job / stated[other.loads[0].rate].value - job / stated[load.rate].value
    how = (
        f"each {work.name} is ready {show(abs(apart), 's')} {'sooner' if apart >= 0 else 'later'} than on "
        f"{other.name}, × {work.jobs_per_year.value:g} a year × {show(month.value, 'usd')} a month"
    )
    yield Gain(name="ready sooner", usd=value, how=how)


def _points(candidate: Candidate, told: Benefits) -> Iterator[Gain]:
    points = told.accuracy_points.get(candidate.name)
    if points is None or told.accuracy_point_usd is None:
        return
    value = spread(lambda x: points * x["point"], {"point": told.accuracy_point_usd})
    how = f"{points:g} points of accuracy × {show(told.accuracy_point_usd.value, 'usd')} a point and year"
    yield Gain(name="accuracy", usd=value, how=how)


def _porting(candidate: Candidate, economics: Economics, demand: Demand) -> Iterator[Gain]:
    pay, overhead = economics.engineer_usd_per_s, economics.pay_overhead
    if candidate.porting_s is None or pay is None or overhead is None:
        return
    named = {"time": candidate.porting_s, "pay": pay, "overhead": overhead}
    value = spread(
        lambda x: -roi.per_year(roi.porting_usd(x["time"], x["pay"], x["overhead"]), demand.horizon_s), named  # type: ignore[arg-type,return-value]
    )  # fmt: skip
    weeks = candidate.porting_s.value / (7 * 86400)
    how = f"{weeks:.0f} engineer-weeks, spread over {demand.horizon_s / MONTH_S:.0f} months (in the bill already)"
    yield Gain(name="porting", usd=value, how=how)
