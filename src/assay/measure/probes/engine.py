"""Times a probe: `python engine.py matmul '{"budget_s": 5}'` writes one JSON line for each sample.

Every case is sampled until the 90 % interval of its median is tight or its share of the time is spent; what one case
leaves over goes to the next. Lines: {"event": "begin" | "skip" | "warning" | "end", …} and samples without "event".
"""

from __future__ import annotations

import fnmatch
import importlib
import importlib.util
import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

_FEWEST, _MOST = 10, 400  # samples of a case
_TIGHT = 0.02  # width of the interval, relative, at which a case has said what it has to say
_LOOP_S = 1e-3  # the shortest time that is worth reading a clock for


class Kit:
    """What a probe may use: the settings, NumPy and PyTorch where they are, and devices that PyTorch reaches."""

    def __init__(self, settings: dict[str, Any], emit: Any) -> None:
        self.warn: Any = lambda text: emit({"event": "warning", "text": text})
        self.settings = settings
        self.threads: int = settings.get("threads") or os.cpu_count() or 1
        self.numpy = self._library("numpy")
        self.torch = self._library("torch")

    def devices(self) -> list[tuple[str, Any]]:
        """Accelerators that PyTorch reaches: (name, function that waits until the device is done)."""
        found = []
        for kind in ("cuda", "xpu", "mps"):  # ROCm calls itself cuda
            module = getattr(self.torch, kind, None)
            if module is not None and module.is_available():
                found.append((kind if kind == "mps" else f"{kind}:0", module.synchronize))
        return found

    def _library(self, name: str) -> Any:
        if importlib.util.find_spec(name) is None:
            return None
        try:
            return importlib.import_module(name)
        except Exception as error:  # a broken install breaks in any way it likes
            self.warn(f"{name} is installed but does not import: {error}")
            return None


def main(probe: str, settings: dict[str, Any]) -> None:
    """Run every case of one probe, and write what it measured."""
    emit = _emitter()
    kit = Kit(settings, emit)
    # By path, with this folder off the search path: a probe named "memory" must not hide anybody's module.
    spec = importlib.util.spec_from_file_location("probe", Path(__file__).with_name(f"{probe}.py"))
    if spec is None or spec.loader is None:
        sys.exit(f"no probe {probe}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    wanted = settings.get("cases") or ["*"]
    plan = [row for row in module.cases(kit) if any(fnmatch.fnmatchcase(row[0]["name"], glob) for glob in wanted)]
    purse = _Purse(plan, float(settings["budget_s"]))
    for number, (case, prepare, before) in enumerate(plan, start=1):
        emit({"event": "begin", "case": case, "number": number, "of": len(plan)})
        try:
            why = _try(case, prepare, before, purse, emit)
        except Exception as error:  # this library cannot do it on this machine: that is a finding, not a fault
            why = f"{type(error).__name__}: {(str(error).strip() or 'no reason given').splitlines()[0]}"
        emit({"event": "skip" if why else "end", "case": case["name"], "why": why, "for_time": why.startswith("time")})


class _Purse:
    """The time there is, in equal parts for each format and device, so that a slow one cannot starve the others.

    What a case leaves over goes to the rest of its group, and what a group leaves over to the groups after it.
    """

    def __init__(self, plan: list[Any], budget_s: float) -> None:
        self.groups: dict[tuple[str, ...], int] = {}
        for case, _, _ in plan:
            self.groups[_group(case)] = self.groups.get(_group(case), 0) + 1
        self.left_s = dict.fromkeys(self.groups, budget_s / max(1, len(self.groups)))
        self.spare_s = 0.0
        self.least_s = 0.1 * budget_s / max(1, len(plan))
        self.pace: dict[tuple[str, ...], float] = {}  # seconds for a unit of work, at the best a group has shown

    def share_s(self, case: dict[str, Any]) -> float:
        own = self.left_s[_group(case)] / self.groups[_group(case)]
        return max(self.least_s, own + self.spare_s / sum(self.groups.values()))

    def pay(self, case: dict[str, Any], spent_s: float) -> None:
        group = _group(case)
        self.left_s[group] -= spent_s
        self.groups[group] -= 1
        if not self.groups[group] or self.left_s[group] < 0:
            self.spare_s += self.left_s[group]
            self.left_s[group] = 0.0


def _group(case: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(case.get(key, "")) for key in ("kind", "dtype", "library", "device"))


def _try(case: dict[str, Any], prepare: Any, before: Any, purse: _Purse, emit: Any) -> str:
    """Sample one case; the reason is returned where it does not fit in its share of the time."""
    work, share = max(case.get("flop") or 0, case.get("bytes") or 0, 1), purse.share_s(case)
    most, start, taken = max(2 * share, 0.2), time.perf_counter(), 0.0
    try:
        # From a smaller case one can only guess, so a guess must be far off before a case is not even tried.
        if 2 * purse.pace.get(_group(case), 0.0) * work > most:
            return f"time: once would take more than its share of the budget, {share:.2g} s"
        step, least_s = prepare(), case.get("least_s", _LOOP_S)
        start, loops, times = time.perf_counter(), 1, list[float]()
        for index in range(_MOST):
            if before is not None:
                before()
            begin = time.perf_counter()
            step(loops)
            taken = time.perf_counter() - begin
            # The first call may load a library or start a process: it never says how many loops are enough.
            calibrating = before is None and not times and (index == 0 or taken < least_s)
            emit(_sample(case, taken / loops, index, calibrating))
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
            if len(times) >= _FEWEST and (spent > share or _tight(times)):
                break
        return ""
    finally:
        purse.pay(case, time.perf_counter() - start)


def _sample(case: dict[str, Any], value: float, index: int, warmup: bool) -> dict[str, Any]:
    read = {"metric": "time_s", "value": value, "index": index, "at": time.time(), "warmup": warmup}
    return {"case": case["name"], **read}


def _tight(times: list[float]) -> bool:
    """Whether the 90 % interval of the median, by order statistics, is narrow; the first quarter may be warm-up."""
    rest = sorted(times[len(times) // 4 :])
    reach = 0.5 * 1.645 * math.sqrt(len(rest))
    low, high = (
        rest[max(0, math.floor(len(rest) / 2 - reach))],
        rest[min(len(rest) - 1, math.ceil(len(rest) / 2 + reach))],
    )
    return high - low <= _TIGHT * rest[len(rest) // 2]


def _emitter() -> Any:
    """Write lines to the parent; whatever a library prints goes to stderr instead."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def emit(line: dict[str, Any]) -> None:
        out.write(json.dumps(line) + "\n")
        out.flush()

    return emit


if __name__ == "__main__":
    sys.path.pop(0)
    main(sys.argv[1], json.loads(sys.argv[2]))
