"""The key figures of a run, as they stand under its verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from assay.metrics import metric
from assay.report.cards import Card
from assay.report.run_study import RunStudy, case_name
from assay.report.run_text import around, said
from assay.report.serving import levels, loads, served
from assay.report.text import bare, between, capital, percent
from assay.run import PRODUCTS
from assay.summary import TIMES, CaseSummary, Figure
from assay.units import show

MOST = 8
_RATES = ("tokens_per_s", "samples_per_s", "output_tokens_per_s", "flop_per_s")
_MEMORY = ("memory_reserved_bytes", "memory_allocated_bytes", "memory_resident_bytes")
NEVER = "never settled"
_SWEPT = 3  # cases beyond which no single one is the main one


def run_cards(study: RunStudy) -> list[Card]:
    """At most eight; what no sensor told is not among them, and the notes say so."""
    requests = any(c.kind == "request" for c in study.run.cases)
    first = _loads(study) if requests else _best(study) if _swept(study) else _steps(study)
    return [*first, *_devices(study)][:MOST]


def main_case(study: RunStudy) -> str | None:
    """The case that was measured most."""
    counts = {s.of: len(s) for s in study.run.series if s.metric in TIMES}
    return max(counts, key=lambda case: counts[case]) if counts else None


def _swept(study: RunStudy) -> bool:
    return len(study.cases) > _SWEPT and all(c.kind != "step" for c in study.cases)


def _steps(study: RunStudy) -> list[Card]:
    """The main time of the main case, and its rate."""
    case = main_case(study)
    mine = {f.metric.name: f for f in study.figures if f.case == case}
    time = next((mine[n] for n in TIMES if n in mine), None)
    rate = next((mine[n] for n in _RATES if n in mine), None)
    found = [_figure(f, case or "", study) for f in (time, rate) if f is not None]
    kept = [c for c in study.cases if c.name == case and c.rate is not None] if rate is None else []
    found += [Card(title="Rate", value=show(c.rate, c.rate_unit), note=_rate_note(c)) for c in kept if c.steady]
    if not found:  # nothing was timed: what it did say
        found = [_figure(f, case or "", study) for f in study.figures[:2]]
    return found


def _figure(f: Figure, case: str, study: RunStudy) -> Card:
    several = len({one.case for one in study.figures}) > 1
    title = capital(f.metric.title) + (f", {case_name(case)}" if several and case else "")
    return Card(
        title=title, value=bare(said(f.value, f.metric.name), f.metric.name), note=_sure(f), meaning=f.metric.meaning
    )


def _sure(f: Figure) -> str:
    if not f.steady:
        return f"{NEVER}: not to be trusted"
    if f.low is None or f.high is None:
        return f"{f.n} samples: too few for an interval"
    return bare(around(f.value, f.low, f.high, f.metric.name), f.metric.name)


def _best(study: RunStudy) -> list[Card]:
    """Of many cases the fastest of each kind of work; of moved bytes the largest size, since a small one is cached."""
    bus = {f.case: f for f in study.figures if f.metric.name == "bus_bytes_per_s"}
    groups: dict[tuple[str, str], list[CaseSummary]] = {}
    for c in (c for c in study.cases if c.rate is not None and c.steady):
        word = f"Fastest {c.dtype}" if c.kind in PRODUCTS else f"{capital(c.kind)}{' on the bus' * (c.name in bus)}"
        groups.setdefault((c.rate_unit, word), []).append(c)
    found = {key: max(_largest(same), key=lambda c: _speed(c, bus)) for key, same in groups.items()}
    cards = [
        Card(title=word, value=show(_speed(c, bus), c.rate_unit), note=_rate_note(c, bus.get(c.name)), meaning=c.name)
        for (_, word), c in sorted(found.items(), key=lambda item: (item[0][0], -_speed(item[1], bus)))
    ]  # fmt: skip
    times = [c for c in study.cases if c.rate is None and c.steady]
    cards += [Card(title=capital(c.name), value=show(c.time_s, "s"), note=_time_note(c)) for c in times[:4]]
    return cards[: MOST - 2]


def _largest(same: Sequence[CaseSummary]) -> list[CaseSummary]:
    most = max(c.case.size_bytes or 0.0 for c in same)
    return [c for c in same if c.rate_unit != "bytes_per_s" or (c.case.size_bytes or 0.0) == most]


def _speed(c: CaseSummary, bus: Mapping[str, Figure]) -> float:
    return bus[c.name].value if c.name in bus else c.rate or 0.0


def _rate_note(c: CaseSummary, bus: Figure | None = None) -> str:
    low, high = (bus.low, bus.high) if bus is not None else (c.rate_low, c.rate_high)
    ends = f"{between(low, high, c.rate_unit)}; " if low is not None and high is not None else ""
    return f"{ends}{case_name(c.name)}"


def _time_note(c: CaseSummary) -> str:
    return between(c.low_s, c.high_s, "s") if c.low_s is not None and c.high_s is not None else f"{c.n} samples"


def _loads(study: RunStudy) -> list[Card]:
    """The load with the highest goodput (or rate): what it was, and how long its answers took."""
    found = loads([one for one in served(study) if one.told is not None], study)
    if not found:
        return []
    best, told = max(((one, one.told) for one in found if one.told), key=lambda pair: pair[1].goodput_requests_per_s)
    at = f"at {case_name(best.case)}"
    met = f"{percent(told.attained, sign=False)} of requests met every level, {at}"
    good, asked = show(told.goodput_requests_per_s, "requests_per_s"), bool(levels(study))
    cards = [
        Card(title="Best goodput" if asked else "Requests", value=good, note=met if asked else at,
             meaning=metric("goodput_requests_per_s" if asked else "requests_per_s").meaning),
        Card(title="Output tokens/s", value=show(told.output_tokens_per_s), note=at),
    ]  # fmt: skip
    for name in ("ttft_s", "tpot_s"):
        if f := best.latencies.get(name):
            tail = f"p99 {show(f.p99, 's')}" if f.p99 is not None else "too few requests for a p99"
            cards.append(Card(title=capital(f.metric.title), value=show(f.value, "s"),
                              note=f"{tail}, {at}", meaning=f.metric.meaning))  # fmt: skip
    return cards


def _devices(study: RunStudy) -> Iterator[Card]:
    """What sensors and formulas say of all devices together."""
    told = study.observation.figures
    many = len(study.observation.usage)
    over = "its steps" if study.observation.split is not None else "the run"
    mean = f"mean of {many} devices over {over}" if many > 1 else f"mean over {over}"
    if "mfu" in told:
        yield Card(
            title="MFU", value=percent(told["mfu"], sign=False), note="of the dense peak", meaning=metric("mfu").meaning
        )
    if "busy" in told:
        yield Card(title="Devices busy", value=percent(told["busy"], sign=False), note="a kernel ran; " + mean)
    if "matrix" in told:
        yield Card(title="Matrix units active", value=percent(told["matrix"], sign=False), note=mean)
    if "step_energy_j" in told:
        ends = told.get("step_energy_low_j"), told.get("step_energy_high_j")
        note = around(told["step_energy_j"], *ends, "energy_j")
        yield Card(
            title="Energy per step", value=show(told["step_energy_j"], "j"), note=note or "all that has a sensor"
        )
    elif "energy_j" in told:
        yield Card(title="Energy", value=show(told["energy_j"], "j"), note="all that has a sensor")
    if (peak := _peak(study)) is not None:
        yield peak


def _peak(study: RunStudy) -> Card | None:
    used = [(u.memory_peak_bytes, u.device) for u in study.observation.usage if u.memory_peak_bytes is not None]
    if used:
        size, of = max(used)
        about = study.about(of)
        room = f"of {show(about.memory_bytes, 'bytes')}, {study.devices[of]}" if about and about.memory_bytes else ""
        return Card(title="Peak memory", value=show(size, "bytes"), note=room or f"on {study.devices[of]}")
    held = [f for name in _MEMORY for f in study.figures if f.metric.name == name]
    if not held:
        return None
    return Card(title="Peak memory", value=show(held[0].value, "bytes"), note=held[0].metric.title)
