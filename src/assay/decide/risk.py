"""What may go wrong with a candidate: each risk with the evidence for it, and what is missing to know it better.

Grades come from what was found (documented, stated, measured), by rules that are the same for every maker. The limits
between grades are judgements, and are named here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from assay.decide.grades import Factor, by_limits, graded
from assay.decide.money import YEAR_S
from assay.decide.supply import delivery, resale, roadmap
from assay.decision import Ruling
from assay.economics import Economics
from assay.hardware import System
from assay.hazards import Downtime, Grade, Risk, Scorecard, Skill
from assay.observed import Observation
from assay.pilot import Candidate, Demand, Work
from assay.run import Run
from assay.units import show

SUPPORT: Mapping[str, Grade] = {
    "first-class": "low", "supported": "low", "beta": "medium", "limited": "high", "frozen": "high", "dropped": "high",
    "none": "high",
}  # fmt: skip
MATURITY: Mapping[str, Grade] = {
    "first-class": "low", "supported": "medium", "beta": "medium", "limited": "high", "frozen": "high",
}  # fmt: skip
COMMITTED = 1 / 3, 1.0  # of the horizon: from here medium, from here high
EXIT = 0.1, 0.5  # of a year's cost


def scorecard(
    candidate: Candidate, *, system: System | None, works: Sequence[Work] = (), demand: Demand, today: str,
    rulings: Sequence[Ruling] = (), operators: Mapping[str, bool] = {}, errors: int | None = None,
    watched_s: float = 0.0, economics: Economics, market: Iterable[System] = (), year_usd: float | None = None,
    downtime: Downtime | None = None, skills: tuple[Skill, ...] = (),
) -> Scorecard:  # fmt: skip
    """All risks of a candidate, from evidence alone.

    `operators` says of each whether it ran in the functional stage; `errors` how many were seen in `watched_s`
    accelerator-seconds; `market` is every system that is known, to see who else runs the same work.
    """
    risks = (
        software(system, works, rulings, operators),
        stability(errors, watched_s, economics),
        lock_in(candidate, system, works, market, demand.horizon_s, year_usd),
        roadmap(candidate, system, demand, today),
        delivery(candidate, system, demand, today),
        resale(candidate, system, economics),
    )
    return Scorecard(candidate=candidate.name, risks=risks, downtime=downtime, skills=skills)


def software(
    system: System | None, works: Sequence[Work], rulings: Sequence[Ruling] = (), operators: Mapping[str, bool] = {}
) -> Risk:
    """Whether the work will run: how the stack is documented, and what the functional stage found."""
    factors: list[Factor] = []
    missing: list[str] = []
    if system is not None:
        known = system.accelerator.software
        if known.maturity in MATURITY:
            factors.append(Factor(MATURITY[known.maturity], f"{known.stack}: {known.maturity}", "catalog"))
        for framework in sorted({work.framework for work in works if work.framework}):
            level = known.frameworks.get(framework, "unknown")
            if level in SUPPORT:
                factors.append(Factor(SUPPORT[level], f"{framework} on {known.stack}: {level}", "catalog"))
            else:
                missing.append(f"how well {framework} is supported")
    if not factors:
        missing.append("how mature the software is")
    factors += [f for one in rulings if one.stage == 1 for f in [_functional(one)] if f]
    factors += _ran(operators)
    untried = sorted({op for work in works for op in work.operators} - operators.keys())
    if untried:
        missing.append(f"whether {_listed(untried)} run: functional stage")
    elif not operators and not any(one.stage == 1 and one.proof != "not proven" for one in rulings):
        missing.append("whether the work runs at all: functional stage")
    return graded("software maturity", factors, missing)


def stability(errors: int | None, watched_s: float, economics: Economics) -> Risk:
    """Whether drivers and devices hold: errors counted under load, beside what stops large clusters usually see.

    The 90 % interval of the rate (Poisson) must lie on one side of the usual range's upper end; what a short run
    without an error proves is little, and is told.
    """
    name, usual = "driver stability", economics.failure_hz
    if errors is None or watched_s <= 0 or usual is None:
        return graded(name, (), ["errors over hours under load, counted: sustained stage"])
    low, high = (count / watched_s for count in poisson_interval(errors))
    here, there = (f"{a * YEAR_S:.2g} to {b * YEAR_S:.2g}" for a, b in ((low, high), (usual.low, usual.high)))
    text = f"{errors} errors in {watched_s / 3600:,.0f} accelerator-hours: {here} a year, where {there} stops are usual"
    if low > usual.high:
        return graded(name, [Factor("high", text, "runs")])
    if high < usual.high:
        return graded(name, [Factor("low", text, "runs")])
    enough = poisson_interval(0)[1] / usual.high / 3600
    return graded(name, [Factor("unknown", text, "runs")], [f"{enough:,.0f} accelerator-hours without an error"])


def lock_in(
    candidate: Candidate, system: System | None, works: Sequence[Work], market: Iterable[System], horizon_s: float,
    year_usd: float | None,
) -> Risk:  # fmt: skip
    """What holds a buyer: how the machine executes, who else runs the work, how long it is paid, what exit costs."""
    factors: list[Factor] = []
    missing: list[str] = []
    if system is not None:
        factors += _portable(system, works, market, bound=candidate.via == "buy" or bool(candidate.commitment_s))
    if candidate.commitment_s is not None:
        share = candidate.commitment_s / horizon_s
        factors.append(Factor(by_limits(share, *COMMITTED), f"paid for over {share:.0%} of the horizon", "offer"))
    elif candidate.via == "rent" and candidate.term in ("reserved", "committed"):
        missing.append("how long it is committed for")
    exit_usd = candidate.contract.exit_usd
    if exit_usd is not None:
        grade: Grade = by_limits(exit_usd.value / year_usd, *EXIT) if year_usd else "unknown"
        factors.append(Factor(grade, f"leaving costs {show(exit_usd.value, 'usd')}", exit_usd.source or "contract"))
    elif candidate.via != "own":
        missing.append("what leaving costs")
    return graded("lock-in and exit", factors, missing)


def error_record(runs: Iterable[tuple[Run, Observation | None]]) -> tuple[int | None, float]:
    """Errors of devices over runs, and the accelerator-seconds they were watched; None where no device was.

    A driver's event and the counter that shows it are one error, so the larger count of a run is taken.
    """
    errors, watched_s = 0, 0.0
    for run, observed in runs:
        if not run.accelerators:
            continue
        told = sum(event.kind == "xid" for event in run.events)
        seen = sum(trouble.kind == "error" for trouble in observed.troubles) if observed else 0
        errors += max(told, seen)
        watched_s += run.duration_s * len(run.accelerators)
    return (errors if watched_s else None), watched_s


def poisson_interval(count: int) -> tuple[float, float]:
    """90 % interval of the mean behind a count, by Wilson and Hilferty's cube of the chi-square (1931); 0 gives 0 to 3.

    >>> [round(end, 2) for end in poisson_interval(10)]
    [5.42, 16.96]
    """
    z = 1.6449
    low = count * (1 - 1 / (9 * count) - z / (3 * count**0.5)) ** 3 if count else 0.0
    more = count + 1
    return low, more * (1 - 1 / (9 * more) + z / (3 * more**0.5)) ** 3


def _functional(one: Ruling) -> Factor | None:
    """A gate of the first stage: passed speaks for it, failed against it, not proven says nothing."""
    if one.proof == "not proven":
        return None
    return Factor("low" if one.proof == "pass" else "high", one.text, one.source or "functional stage")


def _ran(operators: Mapping[str, bool]) -> list[Factor]:
    well, failed = ([name for name, ran in operators.items() if ran is is_so] for is_so in (True, False))
    found = []
    if well:
        found.append(Factor("low", f"{len(well)} of {len(operators)} operators ran", "functional stage"))
    if failed:
        found.append(Factor("high", f"{_listed(sorted(failed))} did not run", "functional stage"))
    return found


def _portable(system: System, works: Sequence[Work], market: Iterable[System], *, bound: bool) -> Iterable[Factor]:
    """Whether the same work runs elsewhere: by its framework, as the catalog grades it."""
    chip = system.accelerator
    if chip.execution != "kernels":
        yield Factor("high", f"{chip.execution}: the whole model is compiled for this machine by its maker's tools",
                     "catalog")  # fmt: skip
    needed = sorted({work.framework for work in works if work.framework})
    others = {
        one.accelerator.vendor for one in market
        if one.accelerator.vendor != chip.vendor and one.accelerator.execution == chip.execution
        and all(SUPPORT.get(one.accelerator.software.frameworks.get(name, "")) == "low" for name in needed)
    }  # fmt: skip
    if needed and others:
        text = f"{', '.join(needed)} runs on machines of other makers that execute alike: {len(others)}"
        yield Factor("low" if len(others) > 1 else "medium", text, "catalog")
    if chip.execution == "kernels" and chip.software.stack != "unknown":
        text = f"kernels of your own are written for {chip.software.stack} and would be written again"
        yield Factor("medium" if bound else "low", text, "catalog")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
