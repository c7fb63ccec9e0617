"""Samples the cases of a plan: each until the 90 % interval of its median is tight, or its share of the time is spent.

What one case leaves over goes to the next. A library that cannot do a case is a finding, not a fault: it is skipped,
with the reason; so is a case for which memory runs out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import Any

_FEWEST, _MOST = 10, 400  # samples of a case
_TIGHT = 0.02  # width of the interval, relative, at which a case has said what it has to say
_LOOP_S = 1e-3  # the shortest time that is worth reading a clock for


def sweep(kit: Any, plan: Iterable[Any], budget_s: float) -> dict[str, list[float]]:
    """Sample every wanted case of the plan, and say how each ended; its times by the cases' names."""
    due = [row for row in plan if kit.wanted(row[0]["name"])]
    purse = Purse([row[0] for row in due], budget_s)
    taken: dict[str, list[float]] = {}
    for number, (case, prepare, before) in enumerate(due, start=1):
        told = {key: value for key, value in case.items() if key not in {"least_s", "fewest", "loops"}}
        kit.emit(event="begin", case=told, number=number, of=len(due))
        times = taken[case["name"]] = []
        try:
            why = _try(kit, case, prepare, before, purse, times)
        except Exception as error:
            why = f"{type(error).__name__}: {(str(error).strip() or 'no reason given').splitlines()[0]}"
            if kit.oom(error):
                kit.emit(event="happened", kind="oom", text=why, of=case["name"])
        if times:
            believable(kit, case, min(times))
        ended = {"event": "skip", "why": why, "for_time": why.startswith("time")} if why else {"event": "end"}
        kit.emit(case=case["name"], **ended)
    return taken


def believable(kit: Any, case: dict[str, Any], time_s: float) -> bool:
    """Whether the device can have done it in that time; a rate above its peak is told of as a check that failed."""
    peak = (kit.settings.get("peak_flop_per_s") or {}).get(case.get("dtype"))
    if not peak or not case.get("flop") or case.get("device") != kit.place or case["flop"] / time_s <= peak:
        return True
    text = f"{case['name']}: {case['flop'] / time_s:.3g} FLOP/s is more than the device can, {peak:.3g}: do not use it"
    kit.emit(event="check", name="below the device's peak", passed=False, text=text)
    return False


class Purse:
    """The time there is, in equal parts for each format and device, so that a slow one cannot starve the others.

    What a case leaves over goes to the rest of its group, and what a group leaves over to the groups after it.
    """

    def __init__(self, cases: list[dict[str, Any]], budget_s: float) -> None:
        self.groups: dict[tuple[str, ...], int] = {}
        for case in cases:
            self.groups[_group(case)] = self.groups.get(_group(case), 0) + 1
        self.left_s = dict.fromkeys(self.groups, budget_s / max(1, len(self.groups)))
        self.spare_s = 0.0
        self.least_s = 0.1 * budget_s / max(1, len(cases))
        self.pace: dict[tuple[str, ...], float] = {}  # seconds for a unit of work, at the best a group has shown

    def share_s(self, case: dict[str, Any]) -> float:
        """What this case may take."""
        own = self.left_s[_group(case)] / self.groups[_group(case)]
        return max(self.least_s, own + self.spare_s / sum(self.groups.values()))

    def pay(self, case: dict[str, Any], spent_s: float) -> None:
        """What it took."""
        group = _group(case)
        self.left_s[group] -= spent_s
        self.groups[group] -= 1
        if not self.groups[group] or self.left_s[group] < 0:
            self.spare_s += self.left_s[group]
            self.left_s[group] = 0.0


def _group(case: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(case.get(key, "")) for key in ("kind", "dtype", "library", "device"))


def _try(kit: Any, case: dict[str, Any], prepare: Any, before: Any, purse: Purse, times: list[float]) -> str:
    """Sample one case into `times`; the reason is returned where it does not fit in its share of the time."""
    work, share = max(case.get("flop") or 0, case.get("bytes") or 0, 1), purse.share_s(case)
    most, start, taken = max(2 * share, 0.2), time.perf_counter(), 0.0
    fewest = case.get("fewest", _FEWEST)
    try:
        # From a smaller case one can only guess, so a guess must be far off before a case is not even tried.
        if 2 * purse.pace.get(_group(case), 0.0) * work > most:
            return f"time: once would take more than its share of the budget, {share:.2g} s"
        step, least_s = prepare(), case.get("least_s", _LOOP_S)
        start, loops = time.perf_counter(), case.get("loops", 1)
        for index in range(max(_MOST, fewest)):
            if before is not None:
                before()
            begin = time.perf_counter()
            step(loops)
            taken = time.perf_counter() - begin
            # The first call may load a library or start a process: it never says how many loops are enough.
            calibrating = before is None and not times and (index == 0 or taken < least_s)
            kit.emit(case=case["name"], step=index, warmup=calibrating, time_s=taken / loops)
            if calibrating:
                loops = max(
                    1 if index == 0 else 2 * loops, math.ceil(min(100, 1.2 * least_s / max(taken, 1e-9)) * loops)
                )
                continue
            times.append(taken / loops)
            purse.pace[_group(case)] = min(times[-1] / work, purse.pace.get(_group(case), math.inf))
            spent = time.perf_counter() - start
            if len(times) < _FEWEST and spent + (_FEWEST - len(times)) * min(times) * loops > most:
                return f"time: {_FEWEST} samples of {min(times) * loops:.2g} s do not fit its share, {share:.2g} s"
            if len(times) >= _FEWEST and (spent > share or (len(times) >= fewest and tight(times))):
                break
        return ""
    finally:
        purse.pay(case, time.perf_counter() - start)


def tight(times: list[float]) -> bool:
    """Whether the 90 % interval of the median, by order statistics, is narrow; the first quarter may be warm-up."""
    rest = sorted(times[len(times) // 4 :])
    reach = 0.5 * 1.645 * math.sqrt(len(rest))
    low, high = (
        rest[max(0, math.floor(len(rest) / 2 - reach))],
        rest[min(len(rest) - 1, math.ceil(len(rest) / 2 + reach))],
    )
    return high - low <= _TIGHT * rest[len(rest) // 2]
