"""Gates: whether a candidate has passed a stage, has failed it, or has not shown either."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from assay.decision import Proof, Ruling
from assay.metrics import metric
from assay.pilot import Accepts, Gate, Pilot
from assay.result import Evidence, Value
from assay.units import parse, show

_TAILS = {"p90": ("10th", "90th"), "p99": ("1st", "99th")}  # the lower and the upper one
_SUSTAINED = 3  # the stage of hours to days
_CLASSES: dict[Accepts, Evidence] = {"measured": "A", "published": "B", "stated": "D", "predicted": "C"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """One figure of one candidate at one kind of work, and who says so; in the unit of its metric."""

    candidate: str
    workload: str
    metric: str
    value: float
    low: float | None = None  # of the 90 % interval; None: too few samples to say
    high: float | None = None
    p90: float | None = None  # nine in ten are no higher; None: the tail was not seen
    p99: float | None = None
    p10: float | None = None  # nine in ten are no lower
    p01: float | None = None
    origin: Accepts = "measured"
    stage: int | None = None  # it was measured for; None: any
    duration_s: float | None = None  # of the measurement
    whole: bool = True  # of the work itself; a smaller trial shows that it runs, not how fast the work is
    at: str = ""  # when it was said, ISO 8601: the later one counts
    source: str = ""  # a run, a page

    @property
    def interval(self) -> Value | None:
        """The figure with its interval; None where there is no interval."""
        if self.low is None or self.high is None:
            return None
        return Value(mean=self.value, low=self.low, high=self.high, evidence=_CLASSES[self.origin])


def rule(gate: Gate, witnesses: Sequence[Witness], candidate: str, workload: str) -> Ruling:
    """What a gate says of one candidate at one kind of work.

    The best origin that the gate accepts is heard (a measurement before what is published, that before what is stated
    or predicted), and of it the latest that is long enough. A gate is neither passed nor failed by an origin that it
    does not accept.
    """
    heard = [w for w in witnesses if (w.candidate, w.workload, w.metric) == (candidate, workload, gate.metric)]
    of_stage = [w for w in heard if w.stage is None or w.stage >= gate.stage]
    accepted = [w for w in of_stage if w.origin in gate.accepts]
    if not accepted:
        return _not_proven(gate, _unheard(gate, heard), max(heard, key=_weight, default=None))
    fit = [w for w in accepted if not _unfit(gate, w)]
    if not fit:
        last = max(accepted, key=_weight)
        return _not_proven(gate, _unfit(gate, last), last)
    return _ruled(gate, max(fit, key=_weight))


def rulings(pilot: Pilot, witnesses: Sequence[Witness], candidate: str) -> tuple[Ruling, ...]:
    """What every gate that is meant for a candidate says of it, stage after stage."""
    found = []
    for gate in sorted(pilot.gates, key=lambda gate: gate.stage):
        works = [work.name for work in pilot.workloads if gate.workload in ("", work.name)]
        for work in works if not gate.candidates or candidate in gate.candidates else []:
            ruling = rule(gate, witnesses, candidate, work)
            found.append(ruling if len(works) == 1 else replace(ruling, name=f"{gate.name} ({work})"))
    return tuple(found)


def stage_of(found: Sequence[Ruling], stage: int) -> Proof:
    """What a stage comes to: failed where one gate is, passed where all are.

    >>> stage_of((), 1)
    'not proven'
    """
    return _together({one.proof for one in found if one.stage == stage})


def _together(proofs: set[Proof]) -> Proof:
    return "fail" if "fail" in proofs else "pass" if proofs == {"pass"} else "not proven"


def _weight(one: Witness) -> tuple[int, str]:
    return -get_args(Accepts).index(one.origin), one.at


def _unheard(gate: Gate, heard: Sequence[Witness]) -> str:
    title = metric(gate.metric).title
    wanted = " or ".join(gate.accepts)
    if not heard:
        return f'no figure for "{title}" yet: it has to be {wanted}'
    best = max(heard, key=_weight)
    if best.origin in gate.accepts and best.stage is not None and best.stage < gate.stage:
        return f"{_shown(gate, best.value)} is of stage {best.stage}; a run of stage {gate.stage} is wanted"
    return f"{_shown(gate, best.value)} is only {best.origin}; it has to be {wanted}"


def _unfit(gate: Gate, one: Witness) -> str:
    """Why a figure cannot settle a gate, whatever it is; empty where it can."""
    if one.origin == "measured" and not one.whole and _absolute(gate.metric):
        shows = "it shows that the work runs, not how fast"
        return f"{_shown(gate, one.value)} is of a smaller trial or of fewer accelerators: {shows}"
    if gate.least_s is not None and one.origin == "measured" and (one.duration_s or 0.0) < gate.least_s:
        return f"measured for {show(one.duration_s, 's')}, and {show(gate.least_s, 's')} are wanted"
    if gate.quantile in _TAILS and (one.origin != "measured" or None in _tails(gate, one)):
        return f'too few samples for the {gate.quantile} of "{metric(gate.metric).title}", or none'
    if gate.quantile == "sure" and one.interval is None:
        return f"{_shown(gate, one.value)}, of too few samples to be sure"
    return ""


def _absolute(name: str) -> bool:
    """Whether a figure is one of the work's own size; shares and ratios are the same of a smaller one."""
    return bool(metric(name).unit) or name in ("mfu", "hfu")


def _tails(gate: Gate, one: Witness) -> list[float | None]:
    """The tails that were seen of what is limited: the lower one where it must not be too low."""
    lower, upper = (one.p01, one.p99) if gate.quantile == "p99" else (one.p10, one.p90)
    return [tail for limit, tail in ((gate.at_least, lower), (gate.at_most, upper)) if limit is not None]


def _ruled(gate: Gate, one: Witness) -> Ruling:
    found = _found(gate, one)
    # An interval that reaches over a limit leaves it open, a tail that does has failed.
    best, worst = (found.low, found.high) if gate.quantile in _TAILS else (found.high, found.low)
    proofs, words, wanted = set[Proof](), [], None
    sides: tuple[tuple[float | str | None, str, Callable[[float], Proof]], ...] = (
        (gate.at_least, "at least", lambda limit: _proof(found.low >= limit, best < limit)),
        (gate.at_most, "at most", lambda limit: _proof(found.high <= limit, worst > limit)),
    )
    for written, word, judge in sides:
        if written is not None:
            wanted = parse(written, metric(gate.metric).unit)
            proofs.add(judge(wanted))
            words.append(f"{word} {_shown(gate, wanted)}")
    told = _shown(gate, found.mean)
    if found.low != found.high:
        told += f" ({_shown(gate, found.low)} to {_shown(gate, found.high)})"
    if gate.stage == _SUSTAINED and one.origin == "measured" and one.duration_s:  # seconds are no days: it is said
        told += f" in {show(one.duration_s, 's')}"
    text = f"{one.origin} {_tail_name(gate)}{told}; {' and '.join(words) or 'nothing'} is wanted"
    return Ruling(
        name=gate.name, proof=_together(proofs), text=text, stage=gate.stage, metric=gate.metric, wanted=wanted,
        found=found, source=one.source,
    )  # fmt: skip


def _found(gate: Gate, one: Witness) -> Value:
    """What of a figure is held against the limits: its 90 % interval, its typical value, or its tails."""
    if gate.quantile == "sure" and one.interval is not None:
        return one.interval
    ends = [tail for tail in _tails(gate, one) if tail is not None] if gate.quantile in _TAILS else [one.value]
    return Value(mean=ends[0], low=ends[0], high=ends[-1], evidence=_CLASSES[one.origin])


def _tail_name(gate: Gate) -> str:
    lower, upper = _TAILS.get(gate.quantile, ("", ""))
    named = [name for limit, name in ((gate.at_least, lower), (gate.at_most, upper)) if limit is not None and name]
    return f"{' to '.join(named)} percentile " if named else ""


def _proof(passed: bool, failed: bool) -> Proof:
    return "pass" if passed else "fail" if failed else "not proven"


def _not_proven(gate: Gate, why: str, one: Witness | None) -> Ruling:
    return Ruling(
        name=gate.name, proof="not proven", text=why, stage=gate.stage, metric=gate.metric,
        found=one.interval if one else None, source=one.source if one else "",
    )  # fmt: skip


def _shown(gate: Gate, value: float) -> str:
    """A figure as its gate is written: a share in percent, unless the limit is a plain number."""
    unit = metric(gate.metric).unit
    if unit or any(isinstance(limit, (int, float)) for limit in (gate.at_least, gate.at_most)):
        return show(value, unit)
    return f"{100 * value:.3g} %"
