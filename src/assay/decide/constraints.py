"""What rules a candidate out before anything is ranked: law, distance, dates, power, memory, software, size.

What nobody knows is "not proven": it neither rules out nor lets through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from assay.decide.inputs import Standing
from assay.decide.outcome import Outcome
from assay.decide.wording import shown
from assay.decision import Proof, Rate, Ruling
from assay.pilot import Needs, Work
from assay.result import Value
from assay.siting import Fit, Limit
from assay.units import show, suffix

_ENOUGH = 0.98  # of the wanted work, the ramp left out: what is short by less is a matter of rounding


def constraints(
    standing: Standing, works: Sequence[Work], needs: Needs, *, ordered: date, needed_by: date | None,
    base: Outcome | None = None, without_ramp: float | None = None, carbon_kg: Value | None = None,
    refused: dict[str, str] | None = None, unplaced: str = "",
) -> tuple[Ruling, ...]:  # fmt: skip
    """Every constraint that was asked for, each with its proof and one sentence that shows it."""
    return (
        *_place(standing, needs), *_delivery(standing, ordered, needed_by), *_facility(standing.fit, unplaced),
        *_memory(standing, needs, refused or {}), *_software(standing, works, needs),
        *_speed(standing.rates, works, base), *_size(without_ramp), *_limits(needs, base, carbon_kg),
    )  # fmt: skip


def delivered(standing: Standing, ordered: date) -> tuple[date, date] | None:
    """The usual and the late day on which it can be worked with; None where nobody said."""
    c = standing.candidate
    wait = c.delivery_s
    if wait is None:  # what is rented by the hour is there when it is asked for, or nobody rents it out
        at_once = c.via == "own" or (c.via == "rent" and c.term in ("on-demand", "spot"))
        return (ordered, ordered) if at_once else None
    return ordered + timedelta(seconds=wait.value), ordered + timedelta(seconds=wait.high)


def _proof(holds: bool, *, fails: bool | None = None) -> Proof:
    """Proven, refuted, or neither: where both ends of a range are looked at, what lies between them is open."""
    if holds:
        return "pass"
    return "fail" if fails is None or fails else "not proven"


def _place(standing: Standing, needs: Needs) -> Iterator[Ruling]:
    site = standing.site
    if needs.jurisdictions:
        law, wanted = site.jurisdiction if site else "", " or ".join(needs.jurisdictions)
        if not law:
            text = f"Data must stay under the law of {wanted}; nobody said whose law holds there."
            yield Ruling(name="jurisdiction", proof="not proven", text=text)
        else:
            proof = _proof(law in needs.jurisdictions)
            yield Ruling(
                name="jurisdiction", proof=proof, text=f"The site is under the law of {law}; {wanted} is asked."
            )
    if needs.most_latency_s is not None:
        far = site.latency_s if site else None
        told = "is not known" if far is None else f"is {show(far, 's')}"
        yield Ruling(
            name="latency", proof="not proven" if far is None else "pass" if far <= needs.most_latency_s else "fail",
            text=f"The way to the users {told}; at most {show(needs.most_latency_s, 's')} is asked.",
            metric="latency_s", wanted=needs.most_latency_s,
        )  # fmt: skip


def _delivery(standing: Standing, ordered: date, needed_by: date | None) -> Iterator[Ruling]:
    if needed_by is None:
        return
    there = delivered(standing, ordered)
    if there is None:
        yield Ruling(name="delivery", proof="not proven", text=f"Needed by {needed_by}; nobody named a delivery time.")
        return
    usual, late = there
    proof = _proof(late <= needed_by, fails=usual > needed_by)
    by = "" if usual == late else f", {late} at the latest"
    yield Ruling(
        name="delivery", proof=proof, text=f"Ordered {ordered} it is there on {usual}{by}; needed by {needed_by}."
    )


def _facility(fit: Fit | None, unplaced: str) -> Iterator[Ruling]:
    """`unplaced` says why a site that is ours to fill could not be looked at."""
    if fit is None and unplaced:
        yield Ruling(name="facility", proof="not proven", text=f"It could not be looked at: {unplaced.rstrip('.')}.")
    if fit is None or not (fit.limits or fit.racks):  # a cloud's building is its own to fill
        return
    binding = fit.binding
    proof: Proof = "not proven" if fit.fits is None else _proof(fit.fits)
    unknown = [one.name for one in fit.limits if one.available is None]
    if binding is None:
        text = f"Nothing is known of what {fit.site} has room for."
    else:
        text = f"{fit.racks} racks at {fit.site}: {_used(binding)}."
    if not fit.fits and fit.fits is not None and (broken := [s for s in fit.states if not s.holds]):
        text = f"With {broken[0].failed} failed, a feed carries more than it may. {text}"
    if proof == "not proven" and unknown:
        text += f" Nobody said: {', '.join(unknown)}."
    yield Ruling(name="facility", proof=proof, text=text)


def _used(limit: Limit) -> str:
    there = limit.available or 0.0
    asked = f"{show(limit.wanted, limit.unit)} of {show(there, limit.unit)}"
    if limit.wanted > there:
        over = f"by {show(limit.wanted - there, limit.unit)}"
        return f"{limit.name} binds first and is exceeded {over} ({asked})"
    return f"{limit.name} binds first, {100 * (limit.used or 0):.0f} % used ({asked})"


def _memory(standing: Standing, needs: Needs, refused: dict[str, str]) -> Iterator[Ruling]:
    for work, why in refused.items():
        yield Ruling(name=f"{work} fits", proof="fail", text=f"{why[:1].upper()}{why[1:].rstrip('.')}.")
    if needs.memory_bytes is not None:
        has = standing.system.accelerator.memory_bytes if standing.system else None
        told = "is not known" if has is None else f"is {show(has, 'bytes')}"
        yield Ruling(
            name="memory", proof="not proven" if has is None else "pass" if has >= needs.memory_bytes else "fail",
            text=f"Memory of one accelerator {told}; {show(needs.memory_bytes, 'bytes')} is asked.",
            metric="memory_bytes", wanted=needs.memory_bytes,
        )  # fmt: skip


def _software(standing: Standing, works: Sequence[Work], needs: Needs) -> Iterator[Ruling]:
    wanted = dict.fromkeys([*needs.frameworks, *(work.framework for work in works if work.framework)])
    if standing.system is None:
        return
    software = standing.system.accelerator.software
    for framework in wanted:
        level = software.frameworks.get(framework, "unknown" if framework not in software.frameworks else "")
        known = level != "unknown"
        proof: Proof = _proof(level in needs.support) if known else "not proven"
        said = (
            f"its support on {software.stack} is {level}" if known else f"nobody said how {software.stack} supports it"
        )
        yield Ruling(name=f"software: {framework}", proof=proof, text=f"{framework} is asked; {said}.")


def _speed(rates: Sequence[Rate], works: Sequence[Work], base: Outcome | None) -> Iterator[Ruling]:
    """What one cluster must reach; a job's time counts stops and checkpoints too."""
    found = {rate.workload: rate for rate in rates}
    for work in works:
        least = work.least_samples_per_s if work.rate == "samples_per_s" else work.least_tokens_per_s
        rate = found.get(work.name)
        if least is not None:
            yield _at_least(work, rate, least)
        job = work.samples or work.tokens
        if work.most_time_s is not None and job is not None and work.task != "serve":
            kept = _kept(rate, base)
            lost = f", of which {100 * (1 - kept):.0f} % is lost to stops" if kept < 0.995 else ""
            why = f" to be done in {show(work.most_time_s, 's')}{lost}"
            yield _at_least(work, rate, job.value / work.most_time_s / kept, why)


def _kept(rate: Rate | None, base: Outcome | None) -> float:
    """Share of a rate that is progress, at the usual numbers."""
    if rate is None or base is None or rate.workload not in base.rates or rate.value.mean <= 0:
        return 1.0
    return max(1e-3, float(base.rates[rate.workload]) / rate.value.mean)


def _at_least(work: Work, rate: Rate | None, least: float, why: str = "") -> Ruling:
    unit = suffix(work.rate)
    asked = f"{show(least, unit)} is asked of {work.name}{why}"
    if rate is None:
        return Ruling(name=f"speed of {work.name}", proof="not proven", text=f"{asked}; nothing is known of it here.")
    value = rate.value
    proof = _proof(value.low >= least, fails=value.high < least)
    said = f"{show(value.mean, unit)} ({show(value.low, unit)} to {show(value.high, unit)}) is {rate.origin}"
    return Ruling(name=f"speed of {work.name}", proof=proof, text=f"{asked}; {said}.", metric=rate.metric, wanted=least,
                  found=value, source=rate.source)  # fmt: skip


def _size(without_ramp: float | None) -> Iterator[Ruling]:
    if without_ramp is None:
        return
    if without_ramp < _ENOUGH:
        short = f"{1 / without_ramp:.2g}"
        text = f"It carries {100 * without_ramp:.0f} % of the work: too small by a factor of {short}."
        yield Ruling(name="size", proof="fail", text=text)
    else:
        yield Ruling(name="size", proof="pass", text="It carries all of the work.")


def _limits(needs: Needs, base: Outcome | None, carbon_kg: Value | None) -> Iterator[Ruling]:
    if needs.most_capex_usd is not None and base is not None:
        asked, most = float(base.bill.capex_usd), needs.most_capex_usd
        text = f"{shown(asked, 'usd')} is paid before it runs; at most {shown(most, 'usd')} is there."
        yield Ruling(
            name="money at the start", proof=_proof(asked <= most), text=text, metric="capex_usd", wanted=most
        )  # fmt: skip
    if needs.most_carbon_kg is not None:
        if carbon_kg is None:
            yield Ruling(name="carbon", proof="not proven", text="Nothing is known of the grid's carbon there.")
        else:
            most = needs.most_carbon_kg
            proof = _proof(carbon_kg.high <= most, fails=carbon_kg.low > most)
            text = f"{show(carbon_kg.mean, 'kg')} of CO2 a year; at most {show(most, 'kg')} is asked."
            yield Ruling(name="carbon", proof=proof, text=text, metric="carbon_kg", wanted=most, found=carbon_kg)
