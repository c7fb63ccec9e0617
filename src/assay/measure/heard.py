"""What a program says of itself, line by line: the door where lines become samples, cases, events and warnings."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from assay.measure.found import KEPT_AS_IS, Said, not_finite
from assay.measure.lines import loaded
from assay.measure.marked import case_of, checked, in_reach, readable, writable
from assay.run import Case, Event
from assay.series import Sample

RESERVED = frozenset({"at", "rank", "case", "step", "warmup", "event"})
# Of these a line has one where the program times itself; else the time between its lines is taken.
TIMES = frozenset({"step_s", "time_s", "interval_s", "request_s", "ttft_s"})
_MOST_NOT_UNDERSTOOD = 20
_SKEW_S = 60.0


class Sink(Protocol):
    """Where what was heard is kept (the store's Recorder is one)."""

    def sample(self, taken: Iterable[Sample]) -> None: ...  # noqa: D102
    def say(self, name: str, what: object) -> None: ...  # noqa: D102


@dataclass
class Heard:
    """What has been said so far. Samples go straight to the sink; the rest is remembered as well."""

    sink: Sink
    began_s: float  # on the monotonic clock
    progress: Callable[[str], None] = lambda _: None
    cases: dict[str, Case] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    short: list[str] = field(default_factory=list)  # cases for which there was too little time
    settings: dict[str, str] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)
    count: int = 0  # samples
    failed_checks: list[str] = field(default_factory=list)
    _reports: dict[tuple[str, int], int] = field(default_factory=dict)
    _previous: dict[tuple[str, int], tuple[float, int]] = field(default_factory=dict)
    _timed: set[tuple[str, int]] = field(default_factory=set)  # those that time themselves
    _recent: dict[str, list[float]] = field(default_factory=dict)  # times of the case that is on, from begin to end
    _not_understood: int = 0
    _odd: set[str] = field(default_factory=set)
    _counter: str = ""

    def line(self, line: str | bytes | Mapping[str, Any], now_s: float) -> None:
        """One JSON line of a program's own (`marks.emit`); one that is not understood is an event, never an error."""
        try:
            said: Any = loaded(line) if isinstance(line, (str, bytes)) else line
            told = {"begin": self._begin, "end": self._end, "skip": self._skip, "warning": self._warn,
                    "fact": self._fact, "setting": self._setting, "happened": self._happened,
                    "check": self._check, "rest": self._sample, "sample": self._sample}  # fmt: skip
            told[said.get("event", "sample")](said, now_s)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            self._not_clear(line, error, now_s)

    def found(self, found: Iterable[Said], now_s: float) -> None:
        """What a log line was found to say: values, cases, or a warning in words."""
        by_step: dict[tuple[str, int | None, int], dict[str, list[float]]] = {}
        for one in found:
            if isinstance(one, Case):
                self._case_found(one, now_s)
            elif isinstance(one, str):
                self.warn(one)
            else:
                by_step.setdefault((one.case, one.index, one.rank), {}).setdefault(one.metric, []).append(one.value)
        for (case, step, rank), values in by_step.items():
            try:
                self._take(values, now_s - self.began_s, case, step, rank, warmup=False)
            except ValueError as error:
                self._not_clear(values, error, now_s)

    def _case_found(self, case: Case, now_s: float) -> None:
        try:
            self._case(readable(case))
        except ValueError as error:
            self._not_clear({"case": case.name}, error, now_s)

    def warn(self, text: str) -> None:
        """A warning, said once."""
        if text not in self.warnings:
            self.warnings.append(text)
            self.sink.say("warning", text)
            self.progress(f"Warning: {text}")

    def happened(self, kind: str, text: str, now_s: float, of: str = "") -> None:
        """An event of this moment."""
        event = Event(at_s=round(max(0.0, now_s - self.began_s), 3), kind=kind, text=text, of=of)
        self.events.append(event)
        self.sink.say("event", event)

    def _sample(self, said: Mapping[str, Any], now_s: float) -> None:
        values = {key: value for key, value in said.items() if key not in RESERVED}
        step, at_s = said.get("step"), self._moment(said, now_s) - self.began_s
        self._take(values, at_s, str(said.get("case", "")), None if step is None else int(step),
                   int(said.get("rank", 0)), warmup=bool(said.get("warmup", False)))  # fmt: skip

    def _moment(self, said: Mapping[str, Any], now_s: float) -> float:
        """When it was said; a time of another clock, as a program of somebody's may write it, is none of ours."""
        at = float(said.get("at", now_s))
        return at if self.began_s - _SKEW_S <= at <= now_s + _SKEW_S else now_s

    def _take(
        self, values: Mapping[str, Any], at_s: float, case: str, step: int | None, rank: int, *, warmup: bool
    ) -> None:  # fmt: skip
        """Keep the values of one moment. ValueError, and nothing is kept, where there is no room for their names."""
        in_reach(step, rank)
        for name in (case, *values):
            checked(name)
        index = self._reports.get((case, rank), 0) if step is None else step
        self._reports[case, rank] = self._reports.get((case, rank), 0) + 1
        numbers = {metric: list(self._numbers(metric, value, step)) for metric, value in values.items()}
        taken = [
            Sample(case, metric, value, index, round(max(0.0, at_s), 6), warmup, rank)
            for metric, listed in numbers.items() for value in listed
        ]  # fmt: skip
        taken += self._interval(numbers, at_s, case, index, rank, warmup)
        if not taken:
            return
        self.count += len(taken)
        if case not in self.cases:
            self._case(Case(name=case, kind="step"))
        if case in self._recent and not warmup:
            self._recent[case].extend(v for m in TIMES for v in numbers.get(m, ()))
        self.sink.sample(taken)

    def _interval(
        self, numbers: Mapping[str, object], at_s: float, case: str, step: int, rank: int, warmup: bool
    ) -> list[Sample]:  # fmt: skip
        """The time since this rank's last report, for each step between them; without numbers a report is a step."""
        before = self._previous.get((case, rank))
        self._previous[case, rank] = (at_s, step)
        if not TIMES.isdisjoint(numbers):
            self._timed.add((case, rank))
        if before is None or (case, rank) in self._timed or step <= before[1] or at_s <= before[0]:
            return []
        value = (at_s - before[0]) / (step - before[1])
        return [Sample(case, "interval_s", value, step, round(at_s, 6), warmup, rank)]

    def _numbers(self, metric: str, value: Any, step: int | None) -> Iterator[float]:
        """Those of a value; what is no finite number is told of once, and left out but of a loss."""
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, bool) or not isinstance(one, (int, float)):
                continue  # text beside the numbers is allowed, and is in the log
            if math.isfinite(one) and not (one < 0 and metric.endswith("_s") and not metric.endswith("_per_s")):
                yield float(one)
                continue
            self._tell_odd(metric, one, step)
            if metric in KEPT_AS_IS:
                yield float(one)

    def _tell_odd(self, metric: str, value: float, step: int | None) -> None:
        if metric not in self._odd:
            self._odd.add(metric)
            text = f"{metric} is {value}" if math.isfinite(value) else not_finite(metric, value, step)
            self.warn(text if metric in KEPT_AS_IS else f"{text}; kept out of the samples")

    def _case(self, case: Case) -> None:
        if self.cases.get(case.name) != case:
            self.cases[case.name] = case
            self.sink.say("case", case)

    def _begin(self, said: Mapping[str, Any], now_s: float) -> None:
        case = case_of(said["case"])
        self._case(case)
        self._recent[case.name] = []
        self._counter = f"[{int(said['number'])}/{int(said['of'])}]"

    def _end(self, said: Mapping[str, Any], now_s: float) -> None:
        from assay.stats import median
        from assay.units import show

        times = self._recent.pop(said["case"], [])
        self.happened("done", "", now_s, str(said["case"]))
        if times:
            self.progress(f"{self._counter} {said['case']}: {show(median(times), 's')}, {len(times)} samples")

    def _skip(self, said: Mapping[str, Any], now_s: float) -> None:
        text = f"{said['case']}: {'cut short' if self._recent.get(said['case']) else 'left out'}: {said['why']}"
        if said.get("for_time"):
            self.short.append(text)
            self.progress(f"{self._counter} {text}")
        else:
            self.warn(text)

    def _warn(self, said: Mapping[str, Any], now_s: float) -> None:
        self.warn(str(said["text"]))

    def _fact(self, said: Mapping[str, Any], now_s: float) -> None:
        writable(said["value"])
        self.facts[str(said["name"])] = said["value"]
        self.sink.say("fact", {str(said["name"]): said["value"]})

    def _setting(self, said: Mapping[str, Any], now_s: float) -> None:
        self.settings[str(said["name"])] = str(said["value"])
        self.sink.say("setting", {str(said["name"]): str(said["value"])})

    def _happened(self, said: Mapping[str, Any], now_s: float) -> None:
        self.happened(str(said["kind"]), str(said["text"]), self._moment(said, now_s), str(said.get("of", "")))

    def _check(self, said: Mapping[str, Any], now_s: float) -> None:
        passed, text = bool(said["passed"]), f"{said['name']}: {said['text']}"
        self.happened("check", f"{'passed' if passed else 'failed'}: {text}", now_s)
        if not passed:
            self.failed_checks.append(text)
            self.warn(f"check failed: {text}")

    def _not_clear(self, line: str | bytes | Mapping[str, Any], error: Exception, now_s: float) -> None:
        self._not_understood += 1
        if self._not_understood <= _MOST_NOT_UNDERSTOOD:
            try:
                text = json.dumps(line) if isinstance(line, Mapping) else line
            except (ValueError, RecursionError):
                text = "…"
            text = text.decode(errors="replace") if isinstance(text, bytes) else text
            self.happened("line", f"line not understood ({error}): {text[:120]}", now_s)
