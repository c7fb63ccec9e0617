"""The worth of each candidate: its bill with ranges, its unit costs, its cash, and each beside the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assay.assumption import Assumption
from assay.decide.case import Case, Load
from assay.decide.cash import Flows, by_month, flows, payback_months, present_usd
from assay.decide.cost import available_usd_per_s, kind_of, lines, used_usd_per_s
from assay.decide.draws import cheaper_share, importance, usual, value_of
from assay.decide.inputs import Table
from assay.decide.outcome import Outcome, outcome
from assay.decide.simulate import Drawn
from assay.decide.tornado import explain, tornado
from assay.decide.versus import breakeven_utilization
from assay.decide.wording import OBJECTIVES
from assay.result import Evidence, Value
from assay.worth import Against, Gain, Line, UnitCost, Worth

if TYPE_CHECKING:
    import numpy as np

    from assay.decide.money import Amount

    Array = np.ndarray[Any, np.dtype[np.float64]]

FEW = 4_000  # draws that a net present value's range is taken from: each is a row of months
_IMPORTANT = 12

# What of a case is drawn many times.
FIGURES: Mapping[str, Callable[[Outcome], Amount]] = {
    "work_usd": lambda o: o.work_usd,
    "year_usd": lambda o: o.year_usd,
    "used_usd_per_s": lambda o: used_usd_per_s(o.bill),
    "available_usd_per_s": lambda o: available_usd_per_s(o.bill),
    "capex_usd": lambda o: o.bill.capex_usd,
    "used": lambda o: o.used,
    "clusters": lambda o: o.clusters,
    "carried": lambda o: o.carried,
    "energy_j": lambda o: o.energy_j / o.carried if o.energy_j is not None else math.nan,
    "duration_s": lambda o: o.duration_s if o.duration_s is not None else math.nan,
}

# Objective -> the figure that ranks.
RANKED_BY: Mapping[str, str] = {
    "cost of the work": "work_usd", "cost per used hour": "used_usd_per_s", "time to train": "duration_s",
    "energy": "energy_j",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """A case and what it comes to at the usual numbers."""

    case: Case
    base: Outcome
    evidence: Evidence  # how well its rates are founded


def priced(case: Case, table: Table, evidence: Evidence) -> Priced:
    """A case at the usual numbers."""
    return Priced(case=case, base=outcome(case, usual(table.stated)), evidence=evidence)


def own_table(case: Case, table: Table) -> dict[str, Assumption]:
    """The stated numbers that this case depends on."""
    wanted = {*case.keys.values(), *(load.rate for load in case.loads), *(load.wanted for load in case.loads)}
    return {key: stated for key, stated in table.stated.items() if key in wanted}


def worth_of(
    one: Priced, table: Table, drawn: Drawn, objective: str, gains: Sequence[Gain] = (), notes: Sequence[str] = ()
) -> Worth:  # fmt: skip
    """Everything about the money of one candidate but its place beside the others; its tornado is of what ranks."""
    case, base, own = one.case, one.base, own_table(one.case, table)
    figures = drawn.figures[case.name]

    def value(name: str, evidence: Evidence | None = None) -> Value:
        return value_of(float(FIGURES[name](base)), figures[name], evidence or one.evidence)

    name = RANKED_BY[objective]
    words, unit = OBJECTIVES[objective]
    swings = tornado(own, lambda x: FIGURES[name](outcome(case, x)), table.units)
    usual_value = float(FIGURES[name](base))
    inputs = {key: values for key, values in drawn.inputs.items() if key in own}
    weights = importance(inputs, figures[name])
    return Worth(
        candidate=case.name, accelerators=case.accelerators, year_usd=value("year_usd"),
        available_usd_per_s=value("available_usd_per_s"), used_usd_per_s=value("used_usd_per_s"),
        used_share=value("used"), carried_share=value("carried"),
        lines=tuple(Line(name=name, kind=kind_of(name), usd=float(usd))  # type: ignore[arg-type]  # one of three words
                    for name, usd in lines(base.bill).items() if float(usd)),
        units=tuple(cost for load in case.loads for cost in _units(one, load, own, drawn)),
        capex_usd=value("capex_usd"),
        months=by_month(flows(case, usual(own))), tornado=swings,
        importance=dict(list(weights.items())[:_IMPORTANT]), gains=tuple(gains), notes=tuple(notes),
        moved=words, moved_unit=unit, moved_usual=None if math.isnan(usual_value) else usual_value,
        explained=explain(swings, case.name, words, unit, usual_value),
    )  # fmt: skip


def _units(one: Priced, load: Load, own: Mapping[str, Assumption], drawn: Drawn) -> list[UnitCost]:
    """Cost of a million units of work, and of a whole job: used cost × accelerators of a cluster / rate."""
    import numpy as np

    case = one.case
    cluster = case.nodes * case.per_node

    def cost(x: Mapping[str, Amount]) -> Amount:
        came = outcome(case, x)
        return used_usd_per_s(came.bill) * cluster / came.rates[load.workload]

    base, spread = float(cost(usual(own))), cost(_few(own, drawn))
    each = value_of(base, np.asarray(spread), one.evidence)
    unit = "samples" if load.unit.startswith("samples") else "tokens"
    found = [UnitCost(workload=load.workload, unit=f"M {unit}", usd=_times(each, 1e6))]
    if load.per_job is not None:
        found.append(UnitCost(workload=load.workload, unit="job", usd=_times(each, load.per_job)))
    return found


def beside(ones: Sequence[Priced], table: Table, drawn: Drawn) -> dict[str, tuple[Against, ...]]:
    """Each candidate beside each other: what it saves over the years, when it has paid for itself, how surely."""
    import numpy as np

    x, many = usual(table.stated), _few(table.stated, drawn)
    base = {one.case.name: _for_all_work(one.case, x) for one in ones}
    now = {name: present_usd(money, x.get("cost of capital", 0.0)) for name, money in base.items()}
    wide = {
        one.case.name: np.asarray(present_usd(_for_all_work(one.case, many), many.get("cost of capital", 0.0)))
        for one in ones
    }
    found: dict[str, tuple[Against, ...]] = {}
    for one in ones:
        rows = []
        for other in ones:
            if other is one:
                continue
            a, b = one.case.name, other.case.name
            npv, spread = float(now[b] - now[a]), wide[b] - wide[a]
            rows.append(
                Against(
                    other=b, npv_usd=value_of(npv, spread, one.evidence),
                    payback_months=payback_months(base[a], base[b]),
                    cheaper_share=cheaper_share(drawn.figures[a]["work_usd"], drawn.figures[b]["work_usd"]),
                    hourly=other.case.elastic, breakeven_utilization=_breakeven(one, other),
                )
            )  # fmt: skip
        found[one.case.name] = tuple(rows)
    return found


def _few(stated: Mapping[str, Assumption], drawn: Drawn) -> dict[str, Amount]:
    """The first draws of each number: enough for a range of sums over months."""
    return {key: drawn.inputs[key][:FEW] if key in drawn.inputs else one.value for key, one in stated.items()}


def _breakeven(one: Priced, other: Priced) -> float | None:
    """Of a machine that is paid for all day, beside one that is paid for by the hour and does the work as fast."""
    if one.case.elastic or not other.case.elastic or not one.case.loads:
        return None
    load = one.case.loads[0].workload
    if load not in other.base.rates:
        return None
    faster = (one.base.rates[load] / (one.case.nodes * one.case.per_node)) / (
        other.base.rates[load] / (other.case.nodes * other.case.per_node)
    )
    rent = float(used_usd_per_s(other.base.bill) * faster)
    return breakeven_utilization(float(available_usd_per_s(one.base.bill)), rent)


def _for_all_work(case: Case, x: Mapping[str, Amount]) -> Flows:
    """A case's money when it is scaled up until it carries all of the work."""
    found, came = flows(case, x), outcome(case, x)
    return Flows(capital_usd=found.capital_usd / came.carried, running_usd=found.running_usd / came.carried,
                 rent_usd=found.rent_usd / came.carried, resale_usd=found.resale_usd / came.carried)  # fmt: skip


def _times(value: Value, factor: float) -> Value:
    return Value(
        mean=value.mean * factor, low=value.low * factor, high=value.high * factor, evidence=value.evidence
    )  # fmt: skip
