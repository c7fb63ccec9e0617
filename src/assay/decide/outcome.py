"""What a case comes to: how many machines, how much of the work they carry, and the bill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from assay.decide.billing import bill_of, mean_load
from assay.decide.case import Case, Load
from assay.decide.cost import Bill, year_usd
from assay.decide.money import YEAR_S
from assay.uptime import goodput

if TYPE_CHECKING:
    from assay.decide.money import Amount

_ROUNDING = 1e-9  # of a cluster: so much less than needed is enough


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a case comes to, for numbers or for draws."""

    bill: Bill
    clusters: Amount
    year_usd: Amount  # all that is paid, a mean year
    work_usd: Amount  # the same for all of the work that is wanted: what is not carried costs as much as what is
    used: Amount  # share of available time
    carried: Amount  # share of the wanted work
    rates: Mapping[str, Amount]  # of one cluster, stops taken off
    energy_j: Amount | None  # a year, with cooling, whoever pays it
    duration_s: Amount | None  # of the longest job; None: nothing here has an end


def outcome(case: Case, x: Mapping[str, Amount]) -> Outcome:
    """The bill of a case and how much of the work it carries, from stated numbers or draws of them."""
    rates = _rates(case, x)
    clusters = needed(case, x, rates) if case.sized else case.clusters
    used, carried = _used(case, x, rates, clusters)
    bill = bill_of(case, x, used, clusters * case.nodes)
    year = year_usd(bill)
    return Outcome(
        bill=bill, clusters=clusters, year_usd=year, work_usd=year / carried, used=used, carried=carried, rates=rates,
        energy_j=_energy(case, x, used, clusters), duration_s=_duration(case, rates),
    )  # fmt: skip


def needed(case: Case, x: Mapping[str, Amount], rates: Mapping[str, Amount] | None = None) -> Amount:
    """How many clusters carry the work in its busiest year, at its peaks: whole ones, at least one."""
    import numpy as np

    rates = _rates(case, x) if rates is None else rates
    years = _steps(case)
    busiest = np.maximum(_wanted(case, x, rates, years[0]), _wanted(case, x, rates, years[-1]))
    room = 1.0 if case.elastic else case.of(x, "availability", 1.0) * case.of(x, "utilization", 1.0)
    found = np.maximum(np.ceil(busiest / room - _ROUNDING), 1.0)
    return found if found.ndim else float(found)


def use_at(case: Case, x: Mapping[str, Amount], years: Amount) -> Amount:
    """Share of available time that is used so many years on, before any ramp."""
    rates = _rates(case, x)
    clusters = needed(case, x, rates) if case.sized else case.clusters
    if not case.loads:
        return case.of(x, "utilization", 1.0)
    served = _served(case, x, rates, clusters, years)[0]
    return served * _mean_over_peak(case, x, rates) / _available(case, x, clusters)


def _rates(case: Case, x: Mapping[str, Amount]) -> dict[str, Amount]:
    return {load.workload: x[load.rate] * _goodput(case, x, load) for load in case.loads}


def _goodput(case: Case, x: Mapping[str, Amount], load: Load) -> Amount:
    """Share of a cluster's time that is progress: saves, stops and restarts taken off.

    Training loses what it did since its last save. Serving has nothing to save: an interruption costs it the recovery.
    """
    if "recovery_s" not in case.keys:
        return 1.0
    interrupted_hz = case.of(x, "interruption_hz") * case.nodes
    if not load.trains:
        return 1 / (1 + interrupted_hz * case.of(x, "recovery_s"))
    stops_hz = case.of(x, "failure_hz") * case.nodes * case.per_node + interrupted_hz
    return goodput(stops_hz, case.of(x, "save_s"), case.of(x, "recovery_s"))


def _duration(case: Case, rates: Mapping[str, Amount]) -> Amount | None:
    import numpy as np

    jobs = [load.per_job / rates[load.workload] for load in case.loads if load.per_job is not None]
    return np.max(np.broadcast_arrays(*jobs), axis=0) if jobs else None


def _energy(case: Case, x: Mapping[str, Amount], used: Amount, clusters: Amount) -> Amount | None:
    if case.draw_w is None:
        return None
    it_w = case.draw_w * case.nodes * clusters * (1 + case.of(x, "network_power_share"))
    return it_w * mean_load(case, x, used) * case.of(x, "whole_pue", 1.0) * YEAR_S


def _steps(case: Case) -> list[float]:
    """The middles of equal parts of the horizon, none longer than a year."""
    years = case.horizon_s / YEAR_S
    parts = max(1, ceil(years - 1e-9))
    return [(i + 0.5) * years / parts for i in range(parts)]


def _wanted(case: Case, x: Mapping[str, Amount], rates: Mapping[str, Amount], years: Amount) -> Amount:
    """Clusters that are kept busy at peak so many years on; what is stated is the mean of the first year."""
    grown = (1 + case.of(x, "growth")) ** (years - 0.5)
    return sum((x[load.wanted] / rates[load.workload] * load.peak for load in case.loads), start=0.0) * grown


def _mean_over_peak(case: Case, x: Mapping[str, Amount], rates: Mapping[str, Amount]) -> Amount:
    """Share of the provisioned work that is there in the mean."""
    busy = [(x[load.wanted] / rates[load.workload], load.peak) for load in case.loads]
    return sum((b for b, _ in busy), start=0.0) / sum((b * peak for b, peak in busy), start=0.0)


def _available(case: Case, x: Mapping[str, Amount], clusters: Amount) -> Amount:
    """Clusters that can work, in the mean."""
    return clusters * (1.0 if case.elastic else case.of(x, "availability", 1.0))


def _served(
    case: Case, x: Mapping[str, Amount], rates: Mapping[str, Amount], clusters: Amount, years: Amount
) -> tuple[Amount, Amount]:  # fmt: skip
    """Clusters kept busy at peak so many years on, as many as there are and are wanted; and those that are wanted."""
    import numpy as np

    wanted = _wanted(case, x, rates, years)
    room = _available(case, x, clusters) * (1.0 if case.elastic else case.of(x, "utilization", 1.0))
    return np.minimum(wanted, room), wanted


def _used(
    case: Case, x: Mapping[str, Amount], rates: Mapping[str, Amount], clusters: Amount
) -> tuple[Amount, Amount]:  # fmt: skip
    """Share of available time that is used, and share of the wanted work that is carried: means over the horizon.

    What is bought cannot be used in full on its first day: what can be rises in a straight line over `ramp_s`. Of work
    that fills a share q of the room, q/2 of the ramp's work is lost meanwhile.
    """
    import numpy as np

    ramp = 0.0 if case.elastic else np.minimum(case.of(x, "ramp_s") / case.horizon_s, 1.0)
    if not case.loads:
        return case.of(x, "utilization", 1.0) * (1 - ramp / 2), 1.0
    steps = _steps(case)
    pairs = [_served(case, x, rates, clusters, t) for t in steps]
    served, wanted = (sum(column) for column in zip(*pairs, strict=True))
    room = _available(case, x, clusters) * case.of(x, "utilization", 1.0)
    kept = 1 - ramp * np.minimum(_wanted(case, x, rates, steps[0]) / room, 1.0) / 2
    used = served / len(steps) * _mean_over_peak(case, x, rates) / _available(case, x, clusters)
    return np.clip(used * kept, 1e-6, 1.0), np.clip(served / wanted * kept, 1e-6, 1.0)
